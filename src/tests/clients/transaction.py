"""kafka-python: a transactional producer learns at once that there are no transactions."""

import sys
import time

from kafka import KafkaProducer
from kafka.errors import KafkaError

producer = KafkaProducer(bootstrap_servers=sys.argv[1], transactional_id="t", max_block_ms=60_000)
began = time.monotonic()
try:
    producer.init_transactions()
    print("it was neither served nor refused")
except KafkaError as why:
    at_once = "at once" if time.monotonic() - began < 10 else "late"
    print(f"refused {at_once}: {type(why).__name__}")
