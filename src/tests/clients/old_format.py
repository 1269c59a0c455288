"""kafka-python as it speaks to brokers before 0.11: writes messages of formats 0 and 1, and reads them back."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

BROKER = sys.argv[1]

for api_version in [(0, 8, 2), (0, 9), (0, 10)]:
    for codec in [None, "gzip"]:
        topic = "old-%s-%s" % (".".join(map(str, api_version)), codec)
        settings = {"bootstrap_servers": BROKER, "api_version": api_version}
        producer = KafkaProducer(acks="all", compression_type=codec, linger_ms=50, enable_idempotence=False, **settings)
        sent = [producer.send(topic, key=b"key %d" % n, value=b"value %d" % n, partition=0) for n in range(20)]
        written = [(future.get(timeout=60).offset, b"key %d" % n, b"value %d" % n) for n, future in enumerate(sent)]
        producer.close()
        consumer = KafkaConsumer(group_id=None, **settings)
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        # Within what may be one compressed message.
        consumer.seek(partition, 7)
        read = []
        while len(read) < 13:
            for records in consumer.poll(timeout_ms=60_000).values():
                read += [(record.offset, record.key, record.value) for record in records]
        consumer.close()
        print(topic, "as written" if read == written[7:] else "differs: %r" % read)
