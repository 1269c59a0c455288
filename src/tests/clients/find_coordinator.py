"""kafka-python: who coordinates a group."""

import sys
import time

from kafka import KafkaAdminClient
from kafka.protocol.metadata import FindCoordinatorRequest

BROKER = sys.argv[1]
GROUP = "my-group"

admin = KafkaAdminClient(bootstrap_servers=BROKER)
request = FindCoordinatorRequest(key=GROUP, key_type=0, coordinator_keys=[GROUP])
until = time.monotonic() + 60
while True:
    answer = admin._net.run(admin._manager.send, request)
    one = answer.coordinators[0] if answer.coordinators else answer
    if one.error_code == 0:
        break
    assert one.error_code == 15 and time.monotonic() < until, answer
    time.sleep(0.1)
print(f"{GROUP} is coordinated by broker {one.node_id} at {one.host}:{one.port}")
admin.close()

