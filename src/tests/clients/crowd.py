"""Connects many times, says nothing, and waits until its own input ends."""

import resource
import socket
import sys

host, port = sys.argv[1].rsplit(":", 1)
wanted = int(sys.argv[2])
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

standing, made = [], 0
while made < wanted:
    made += 1
    try:
        stream = socket.create_connection((host, int(port)), timeout=60)
    except ConnectionResetError:
        # Turned away, before it was even known here that it stood.
        continue
    # Those that do not fit are held no longer than they have to be.
    if len(standing) < limit - 100:
        standing.append(stream)
    else:
        stream.close()
print(f"{made} connections were made", flush=True)
sys.stdin.read()
