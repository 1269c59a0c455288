"""kazoo: what a server is, in words of four letters, and as what it knows a client that attached."""

import re
import sys

from kazoo.client import KazooClient

client = KazooClient(hosts=sys.argv[1])
client.start(timeout=60)
print(client.server_version())
print(client.command(b"ruok"))
print(client.command(b"isro"))
print(dict(line.split("\t") for line in client.command(b"mntr").splitlines())["zk_server_state"])
mine = re.findall(r"^ /([0-9.]+):[0-9]+\[1\]\(queued=\d+,recved=\d+,sent=\d+\)$", client.command(b"stat"), re.M)
print(*(address for address in mine if address == "127.0.0.1"))
client.stop()
