// sarama and franz-go with their defaults; see client.py for what the arguments mean.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

// Prints what is read, and knows when that is enough.
type reader struct {
	mutex sync.Mutex
	seen  map[string]bool
	count int
	done  func()
}

func (r *reader) got(value []byte) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.seen[string(value)] = true
	fmt.Println(string(value))
	if len(r.seen) >= r.count {
		r.done()
	}
}

func saramaSettings() *sarama.Config {
	settings := sarama.NewConfig()
	// The first with what sarama's groups need; its default is 0.8.2.
	settings.Version = sarama.V0_10_2_0
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Producer.Return.Successes = true
	// By default three times in 0.3 s, less than an election takes.
	settings.Producer.Retry.Max = 100
	return settings
}

func saramaWrite(broker, topic string, first, count, pause int) {
	producer, err := sarama.NewSyncProducer(strings.Split(broker, ","), saramaSettings())
	must(err)
	for n := first; n < first+count; n++ {
		value := sarama.StringEncoder(strconv.Itoa(n))
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: value})
		must(err)
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	must(producer.Close())
}

func (r *reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "")
		r.got(message.Value)
	}
	return nil
}

func saramaRead(broker, topic, group string, count int) {
	client, err := sarama.NewClient(strings.Split(broker, ","), saramaSettings())
	must(err)
	consumer, err := sarama.NewConsumerGroupFromClient(group, client)
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{seen: map[string]bool{}, count: count, done: cancel}
	for ctx.Err() == nil {
		if err := consumer.Consume(ctx, []string{topic}, r); err != nil {
			// This release goes on asking the coordinator that it knew. It may be looked for in vain for a while.
			_ = client.RefreshCoordinator(group)
			time.Sleep(100 * time.Millisecond)
		}
	}
	must(consumer.Close())
}

func franzWrite(broker, topic string, first, count, pause int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(broker, ",")...), kgo.DefaultProduceTopic(topic))
	must(err)
	var failure error
	for n := first; n < first+count; n++ {
		record := &kgo.Record{Value: []byte(strconv.Itoa(n))}
		client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
			if err != nil {
				failure = err
			}
		})
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	must(client.Flush(context.Background()))
	must(failure)
	client.Close()
}

func franzRead(broker, topic, group string, count int) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(broker, ",")...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(err)
	enough := false
	r := &reader{seen: map[string]bool{}, count: count, done: func() { enough = true }}
	for !enough {
		client.PollFetches(context.Background()).EachRecord(func(record *kgo.Record) { r.got(record.Value) })
	}
	must(client.CommitUncommittedOffsets(context.Background()))
	client.Close()
}

func main() {
	client, what, broker, topic, rest := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5:]
	if what == "write" {
		write := map[string]func(string, string, int, int, int){"sarama": saramaWrite, "franz-go": franzWrite}[client]
		write(broker, topic, number(rest[0]), number(rest[1]), number(rest[2]))
	} else {
		read := map[string]func(string, string, string, int){"sarama": saramaRead, "franz-go": franzRead}[client]
		read(broker, topic, rest[0], number(rest[1]))
	}
}
