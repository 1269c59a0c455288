"""kazoo: creates znodes, is told of a change, reads it; an ephemeral znode goes with its session."""

import sys
import threading

from kazoo.client import KazooClient

HOST = sys.argv[1]
told = []

client = KazooClient(hosts=HOST)
client.start(timeout=60)
client.create("/app", b"first")
told.append("created")

changed = threading.Event()
assert client.get("/app", watch=lambda event: changed.set())[0] == b"first"
client.set("/app", b"second")
assert changed.wait(60)
told.append("changed")

data, stat = client.get("/app")
assert (data, stat.version) == (b"second", 1), (data, stat)
told.append("read")

other = KazooClient(hosts=HOST)
other.start(timeout=60)
other.create("/app/ephemeral", b"", ephemeral=True)
gone = threading.Event()
assert client.exists("/app/ephemeral", watch=lambda event: gone.set())
other.stop()
assert gone.wait(60)
assert client.get_children("/app") == []
told.append("gone with its session")
client.stop()
print(", ".join(told))
