"""Frames: broken, cut and pipelined."""

import struct
import time

from checks.fetch import filled
from registry import check, each
from schema import frame


def raw(k, data, prefix=None):
    conn = k.connect()
    conn.socket.sendall((struct.pack(">i", len(data)) if prefix is None else prefix) + data)
    got = conn.receive(2)
    got = got if isinstance(got, str) else "answered"
    try:
        is_there = isinstance(k.connect().ask("Metadata", 1, {"Topics": []}), dict)
    except OSError:
        is_there = False
    return got if is_there else f"{got}, and no other client is answered"


HEAD = struct.pack(">hhih", 3, 1, 1, -1)
FRAMES = {
    "oversized": (b"x", b"\x7f\xff\xff\xff"),
    "over-100-mib": (b"x", struct.pack(">i", (100 << 20) + 1)),
    "exactly-100-mib": (b"x", struct.pack(">i", 100 << 20)),
    "negative-length": (b"", b"\xff\xff\xff\xff"),
    "zero-length": (b"", b"\0\0\0\0"),
    "one-byte": (b"x",),
    "header-only": (HEAD,),
    "header-cut": (HEAD[:6],),
    "unknown-api": (struct.pack(">hhih", 999, 0, 1, -1),),
    "negative-api": (struct.pack(">hhih", -3, 0, 1, -1),),
    "negative-version": (struct.pack(">hhih", 3, -1, 1, -1) + b"\0\0\0\0",),
    "version-too-high": (struct.pack(">hhih", 3, 99, 1, -1) + b"\0\0\0\0",),
    "count-minus-5": (HEAD + b"\xff\xff\xff\xfb",),
    "count-minus-1": (HEAD + b"\xff\xff\xff\xff",),
    "count-huge": (HEAD + b"\x7f\xff\xff\xff",),
    "count-million": (HEAD + b"\0\x0f\0\0",),
    "string-negative": (HEAD + b"\0\0\0\1\xff\xfe",),
    "string-null": (HEAD + b"\0\0\0\1\xff\xff",),
    "string-too-long": (HEAD + b"\0\0\0\1\x7f\xff" + b"ab",),
    "bytes-left": (HEAD + b"\0\0\0\0" + b"more",),
    "http": (b"", b"GET / HTTP/1.1\r\n\r\n"),
    "tls": (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60),
    "null-client-id": (HEAD + b"\0\0\0\0",),
    "client-id-not-utf8": (struct.pack(">hhih", 3, 1, 1, 2) + b"\xff\xfe" + b"\0\0\0\0",),
    "half-a-frame": (HEAD, struct.pack(">i", 50)),
    "api-for-brokers": (struct.pack(">hhih", 6, 0, 1, -1) + b"\0" * 12,),
}


@each("frame", FRAMES)
def _(k, data, prefix=None):
    return raw(k, data, prefix)


@check("frame.pipelined-answers-in-order")
def _(k):
    conn = k.connect()
    topic = filled(k, 1)
    part = {"Partition": 0, "FetchOffset": 2, "PartitionMaxBytes": 1000}
    conn.send(
        frame(
            "Fetch",
            2,
            {
                "MaxWaitMs": 500,
                "MinBytes": 1,
                "ReplicaId": -1,
                "Topics": [{"Topic": topic, "Partitions": [part]}],
            },
            11,
        )
    )
    conn.send(frame("Metadata", 1, {"Topics": []}, 12))
    conn.send(frame("ApiVersions", 0, {}, 13))
    return [
        got if isinstance(got := conn.receive(), str) else struct.unpack(">i", got[:4])[0] for _ in range(3)
    ]


@check("frame.one-byte-at-a-time")
def _(k):
    conn, data = k.connect(), frame("Metadata", 1, {"Topics": []}, 5)
    for byte in struct.pack(">i", len(data)) + data:
        conn.socket.sendall(bytes([byte]))
        time.sleep(0.002)
    return isinstance(conn.receive(), bytes)
