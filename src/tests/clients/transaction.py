"""confluent-kafka: transactions that are committed and aborted, offsets in them, and a producer that is replaced."""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

BROKER = sys.argv[1]
TOPIC, OUT = "in-transactions", "processed"


def producer():
    p = Producer({"bootstrap.servers": BROKER, "transactional.id": "t", "transaction.timeout.ms": 60_000})
    p.init_transactions(60)
    return p


def consumer(group, isolation):
    settings = {
        "bootstrap.servers": BROKER,
        "group.id": group,
        "isolation.level": isolation,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    return Consumer(settings)


def read(topic, isolation):
    """Everything up to the end of the one partition."""
    c, values = consumer("reader", isolation), []
    c.assign([TopicPartition(topic, 0, 0)])
    while True:
        message = c.poll(60)
        if message is None:
            raise SystemExit(f"no end of {topic} with {isolation}")
        if message.error():
            break
        values.append(int(message.value()))
    c.close()
    return values


def write(p, topic, numbers, ends):
    p.begin_transaction()
    for number in numbers:
        p.produce(topic, value=b"%d" % number, partition=0)
    # An abort would drop what was not sent yet.
    p.flush(60)
    ends(60)


first = producer()
write(first, TOPIC, range(10), first.commit_transaction)
write(first, TOPIC, range(10, 20), first.abort_transaction)
write(first, TOPIC, range(20, 30), first.commit_transaction)
committed = read(TOPIC, "read_committed")
print(f"{len(committed)} committed, {len(read(TOPIC, 'read_uncommitted'))} in all")

reader = consumer("processors", "read_committed")
reader.subscribe([TOPIC])
got = []
while len(got) < 20:
    message = reader.poll(60)
    if message is None:
        raise SystemExit("the member reads nothing")
    if not message.error():
        got.append(int(message.value()))
right = list(range(10)) + list(range(20, 30))
print("the member has " + ("what was committed" if got == committed == right else f"{got} of {committed}"))
end = reader.position([TopicPartition(TOPIC, 0)])
for ends, what in ((first.abort_transaction, "aborted"), (first.commit_transaction, "committed")):
    first.begin_transaction()
    for number in got:
        first.produce(OUT, value=b"%d" % number, partition=0)
    first.send_offsets_to_transaction(end, reader.consumer_group_metadata(), 60)
    ends(60)
    # A commit is answered before the markers are written. Before 2.5 (KIP-447) no one waits for those.
    for _ in range(100):
        offset = reader.committed([TopicPartition(TOPIC, 0)], 60)[0].offset
        processed = len(read(OUT, "read_committed")) if offset >= 0 else 0
        if what == "aborted" or processed == len(got):
            break
        time.sleep(0.1)
    print(f"{what}: offset {max(offset, -1)}, {processed} processed")
reader.close()

second = producer()
try:
    write(first, TOPIC, range(30, 31), first.commit_transaction)
    print("the producer before it goes on")
except KafkaException as why:
    print(f"the producer before it is fenced: {why.args[0].fatal()}")
write(second, TOPIC, range(40, 50), second.commit_transaction)
print(f"{len(read(TOPIC, 'read_committed'))} committed in the end")
