"""The attack list: clients of many kinds that no server should suffer from. attack.py SECONDS BROKERS ZOOKEEPER"""

import os
import random
import socket
import sys
import threading
import time

import wire

began, seconds = time.monotonic(), float(sys.argv[1])
end = began + seconds
brokers = [tuple(one.rsplit(":", 1)) for one in sys.argv[2].split(",")]
brokers = [(host, int(port)) for host, port in brokers]
zookeeper = sys.argv[3].rsplit(":", 1)
zookeeper = (zookeeper[0], int(zookeeper[1]))
counts = {}

# Bytes of requests that are never finished: more than is allowed, and no more than a recording can hold.
UNFINISHED = 600 << 20
TOPIC = "ballast"


def again(name):
    """Does something again and again until the end; connections may be refused and reset."""

    def decorate(attack):
        def work():
            while time.monotonic() < end:
                counts[name] = counts.get(name, 0) + 1
                try:
                    attack()
                except OSError:
                    time.sleep(0.05)

        threading.Thread(target=work, name=name, daemon=True).start()

    return decorate


def pause(seconds):
    time.sleep(max(0.0, min(seconds, end - time.monotonic())))


@again("packets of 22 bytes")
def packet():
    for broker in brokers:
        with wire.connect(broker) as stream:
            stream.sendall(bytes.fromhex("0000001200030001000000010004") + b"evil" + bytes.fromhex("7fffffff"))
            stream.recv(1)
    pause(0.05)


@again("noise")
def noise():
    for address in [*brokers, zookeeper]:
        with wire.connect(address) as stream:
            data = os.urandom(random.randrange(1, 300))
            stream.sendall(data if random.randrange(2) else wire.framed(data))
            if random.randrange(2):
                stream.sendall(wire.request(random.randrange(70), random.randrange(14), data))
            stream.settimeout(0.2)
            try:
                stream.recv(1_000)
            except TimeoutError:
                pass
    pause(0.02)


def unread_fetches():
    with wire.connect(random.choice(brokers)) as stream:
        requests = wire.fetch(TOPIC, 0, 50 << 20) * 400
        stream.settimeout(5)
        try:
            stream.sendall(requests)
        except TimeoutError:
            pass
        pause(20)


for number in range(8):
    again("pipelined fetches that are not read")(unread_fetches)


@again("slow readers")
def slow_reader():
    with wire.connect(random.choice(brokers)) as stream:
        stream.sendall(wire.fetch(TOPIC, 0, 50 << 20))
        for _ in range(200):
            if time.monotonic() > end or not stream.recv(1_000):
                return
            pause(0.05)


@again("requests that wait and are read by nobody")
def waiting():
    streams = [wire.connect(random.choice(brokers)) for _ in range(20)]
    for stream in streams:
        stream.sendall(wire.fetch(TOPIC, 1 << 40, 50 << 20, 30_000, 50 << 20) * 3)
        stream.sendall(wire.metadata() * 200)
    pause(10)
    for stream in streams:
        stream.close()


def unfinished():
    """Two hundred requests of 100 MB, none of which ends."""
    streams, sent = [], 0
    while time.monotonic() < end:
        if len(streams) < 200:
            try:
                stream = wire.connect(random.choice(brokers))
                stream.sendall((100 << 20).to_bytes(4, "big") + bytes(1_000))
                stream.setblocking(False)
                streams.append(stream)
            except OSError:
                time.sleep(0.05)
            continue
        for stream in list(streams):
            try:
                if sent < UNFINISHED:
                    sent += stream.send(bytes(64 << 10))
            except BlockingIOError:
                pass
            except OSError:
                counts["unfinished requests that were reset"] = (
                    counts.get("unfinished requests that were reset", 0) + 1
                )
                streams.remove(stream)
        pause(0.1)


threading.Thread(target=unfinished, daemon=True).start()


@again("connection floods")
def flood():
    # First without: a broker with many connections gives each of them less.
    pause(began + seconds / 3 - time.monotonic())
    streams = []
    try:
        for _ in range(1_500):
            streams.append(socket.create_connection(random.choice(brokers), timeout=5))
            if time.monotonic() > end:
                break
        pause(3)
    finally:
        for stream in streams:
            stream.close()
    pause(5)


@again("ZooKeeper requests whose answers are not read")
def zookeeper_unread():
    with wire.connect(zookeeper) as stream:
        stream.sendall(wire.handshake())
        wire.answer(stream)
        stream.settimeout(5)
        requests = (wire.get_children(xid, "/brokers/topics") for xid in range(1, 20_000))
        try:
            stream.sendall(b"".join(requests))
        except TimeoutError:
            pass
        pause(10)


@again("ZooKeeper connections")
def zookeeper_flood():
    streams = [socket.create_connection(zookeeper, timeout=5) for _ in range(100)]
    pause(2)
    for stream in streams:
        stream.close()


@again("idle connections")
def idle():
    pause(began + seconds / 3 - time.monotonic())
    streams = [socket.create_connection(random.choice(brokers), timeout=5) for _ in range(100)]
    pause(60)
    for stream in streams:
        stream.close()


while time.monotonic() < end:
    time.sleep(0.2)
for name, count in sorted(counts.items()):
    print(f"  {count:>6}  {name}")
sys.stdout.flush()
os._exit(0)
