"""Writes one record after the other with acks=all, and says how long the longest pause between two
acknowledgements was. producer.py SECONDS BROKERS TOPIC"""

import struct
import sys
import time

import wire

seconds, topic = float(sys.argv[1]), sys.argv[3]
brokers = [one.rsplit(":", 1) for one in sys.argv[2].split(",")]
brokers = [(host, int(port)) for host, port in brokers]


def error_of(answer):
    """The error code of a Produce v3 response for one partition."""
    size = struct.unpack_from(">h", answer, 8)[0]
    return struct.unpack_from(">h", answer, 10 + size + 4 + 4)[0]


def leader():
    """A connection to the leader of the only partition: the broker that takes a record."""
    while True:
        for broker in brokers:
            stream = wire.connect(broker, timeout=60)
            stream.sendall(wire.produce(topic, b"first"))
            if error_of(wire.answer(stream)) == 0:
                return stream
            stream.close()
        time.sleep(0.1)


stream = leader()
began = last = time.monotonic()
longest, acknowledged = (0.0, 0.0), 1
while last < began + seconds:
    stream.sendall(wire.produce(topic, b"record %d" % acknowledged))
    code = error_of(wire.answer(stream))
    if code != 0:
        sys.exit(f"record {acknowledged} ended with error {code}")
    now = time.monotonic()
    longest = max(longest, (now - last, now - began))
    last = now
    acknowledged += 1
    time.sleep(0.02)
stream.close()

# All of them are there, in order.
read, offset, expected = 0, 0, [b"first"] + [b"record %d" % n for n in range(1, acknowledged)]
values = []
stream = leader()
while len(values) < acknowledged:
    stream.sendall(wire.fetch(topic, offset, 1 << 20))
    answer = wire.answer(stream)
    # Up to the records of the only partition: throttle time, topic, partition, and its fields.
    at = 4 + 4 + 4
    at += 2 + struct.unpack_from(">h", answer, at)[0] + 4
    at += 4 + 2 + 8 + 8
    aborted = struct.unpack_from(">i", answer, at)[0]
    at += 4 + 16 * max(0, aborted) + 4
    while at + 61 <= len(answer):
        base, length = struct.unpack_from(">qi", answer, at)
        if at + 12 + length > len(answer):
            break
        # One record in each batch: its value is behind a length, three bytes, no key and a length.
        body = answer[at + 61 : at + 12 + length]
        if base == offset:
            for value in (b"first", b"record %d" % len(values)):
                if value in body:
                    values.append(value)
                    break
            else:
                sys.exit(f"offset {base} holds something else: {body!r}")
            offset += 1
        at += 12 + length
lost = sum(was != wanted for was, wanted in zip(values, expected))
print(f"{acknowledged} {lost} {longest[0]:.3f} {longest[1]:.1f}")
