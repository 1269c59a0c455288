"""Clients in Python, and kcat, with their defaults: `client.py CLIENT write BROKERS TOPIC FIRST COUNT PAUSE`, in
milliseconds, writes numbers and waits for all acknowledgements; `client.py CLIENT read BROKERS TOPIC GROUP COUNT` joins
the group, reads until it has so many different numbers, commits and leaves. It prints what it read."""

import asyncio
import subprocess
import sys
import time


def numbers(first, count, pause):
    for number in range(first, first + count):
        yield b"%d" % number
        time.sleep(pause / 1000)


class KafkaPython:
    settings = {}

    def write(self, brokers, topic, values):
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=brokers, **self.settings)
        for future in [producer.send(topic, value) for value in values]:
            future.get(timeout=60)
        producer.close()

    def read(self, brokers, topic, group):
        from kafka import KafkaConsumer

        settings = {key: value for key, value in self.settings.items() if key == "api_version"}
        consumer = KafkaConsumer(
            topic, bootstrap_servers=brokers, group_id=group, auto_offset_reset="earliest", **settings
        )
        try:
            for record in consumer:
                yield record.value
        finally:
            consumer.close()


class KafkaPythonFor010(KafkaPython):
    # There were no idempotent producers then.
    settings = {"api_version": (0, 10), "enable_idempotence": False}


class Confluent:
    def write(self, brokers, topic, values):
        from confluent_kafka import Producer

        failed = []
        producer = Producer({"bootstrap.servers": brokers})
        for value in values:
            producer.produce(topic, value, on_delivery=lambda error, _: failed.append(error) if error else None)
            producer.poll(0)
        left = producer.flush(60)
        assert not left and not failed, (left, failed)

    def read(self, brokers, topic, group):
        from confluent_kafka import Consumer

        consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        try:
            while True:
                message = consumer.poll(1)
                if message is not None and not message.error():
                    yield message.value()
        finally:
            consumer.close()


class Kcat:
    def write(self, brokers, topic, values):
        kcat = subprocess.Popen(["kcat", "-b", brokers, "-P", "-t", topic], stdin=subprocess.PIPE)
        for value in values:
            kcat.stdin.write(value + b"\n")
            kcat.stdin.flush()
        kcat.stdin.close()
        assert kcat.wait(60) == 0

    def read(self, brokers, topic, group):
        earliest = ["-X", "auto.offset.reset=earliest"]
        command = ["kcat", "-b", brokers, "-G", group, *earliest, "-q", "-u", topic]
        kcat = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            for line in kcat.stdout:
                yield line.strip()
        finally:
            kcat.terminate()
            kcat.wait(30)


class AioKafka:
    def write(self, brokers, topic, values):
        from aiokafka import AIOKafkaProducer

        async def write():
            producer = AIOKafkaProducer(bootstrap_servers=brokers)
            await producer.start()
            sent = []
            while (value := await asyncio.to_thread(next, values, None)) is not None:
                sent.append(await producer.send(topic, value))
            await asyncio.wait_for(asyncio.gather(*sent), 60)
            await producer.stop()

        asyncio.run(write())

    def read(self, brokers, topic, group):
        from aiokafka import AIOKafkaConsumer

        loop = asyncio.new_event_loop()
        start = {"bootstrap_servers": brokers, "group_id": group, "auto_offset_reset": "earliest"}

        async def begin():
            consumer = AIOKafkaConsumer(topic, **start)
            await consumer.start()
            return consumer

        consumer = loop.run_until_complete(begin())
        try:
            while True:
                yield loop.run_until_complete(consumer.getone()).value
        finally:
            loop.run_until_complete(consumer.stop())


CLIENTS = {
    "kafka-python": KafkaPython,
    "kafka-python-0.10": KafkaPythonFor010,
    "confluent-kafka": Confluent,
    "kcat": Kcat,
    "aiokafka": AioKafka,
}
client, what, brokers, topic = CLIENTS[sys.argv[1]](), *sys.argv[2:5]
if what == "write":
    client.write(brokers, topic, numbers(*map(int, sys.argv[5:8])))
else:
    group, count = sys.argv[5], int(sys.argv[6])
    records, seen = client.read(brokers, topic, group), set()
    while len(seen) < count:
        value = next(records)
        seen.add(value)
        print(value.decode(), flush=True)
    records.close()
