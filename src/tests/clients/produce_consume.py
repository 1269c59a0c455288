"""kafka-python: writes a hundred records with keys and headers, reads them back, compares."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

TOPIC = "from-python"
BROKER = sys.argv[1]

producer = KafkaProducer(bootstrap_servers=BROKER, acks="all", enable_idempotence=False)
written = {}
for number in range(100):
    key = None if number % 10 == 0 else b"key %d" % number
    value = None if number % 10 == 1 else b"value %d" % number
    headers = [("number", b"%d" % number)]
    sent = producer.send(TOPIC, key=key, value=value, headers=headers).get(timeout=60)
    written[sent.partition, sent.offset] = (key, value, headers)
producer.close()

consumer = KafkaConsumer(bootstrap_servers=BROKER, group_id=None)
partitions = [TopicPartition(TOPIC, p) for p in consumer.partitions_for_topic(TOPIC)]
consumer.assign(partitions)
consumer.seek_to_beginning()
read = {}
while len(read) < len(written):
    for records in consumer.poll(timeout_ms=60_000).values():
        for r in records:
            read[r.partition, r.offset] = (r.key, r.value, list(r.headers))
consumer.close()
differs = "none differs" if read == written else "some differ"
print(f"{len(written)} written, {len(read)} read, {differs}")
