"""kafka-python with its defaults: an idempotent producer, a member of a group that commits, and the one after it."""

import sys

from kafka import KafkaConsumer, KafkaProducer

TOPIC = "for-a-group"
GROUP = "python"
BROKER = sys.argv[1]

producer = KafkaProducer(bootstrap_servers=BROKER)
# There are no such producers before 0.11.
assert producer.config["enable_idempotence"], "its default"


def write(numbers):
    for number in numbers:
        producer.send(TOPIC, value=b"%d" % number).get(timeout=60)


def read(count):
    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=BROKER,
        group_id=GROUP,
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
    )
    numbers = []
    for record in consumer:
        numbers.append(int(record.value))
        if len(numbers) == count:
            break
    # Commits what was read.
    consumer.close()
    return sorted(numbers)


write(range(100))
first = read(100)
write(range(100, 150))
second = read(50)
producer.close()
is_right = first == list(range(100)) and second == list(range(100, 150))
print(f"{len(first)} read, then {len(second)}: {'each once' if is_right else 'not each once'}")
