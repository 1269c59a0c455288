"""Just enough of Kafka's and ZooKeeper's protocols to send honest and other requests. Standard library only."""

import socket
import struct

CRC_TABLE = []
for value in range(256):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    CRC_TABLE.append(value)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def framed(payload):
    return struct.pack(">i", len(payload)) + payload


def request(api, version, body):
    return framed(struct.pack(">hhi", api, version, 7) + text("soak") + body)


def batch(value):
    """A record batch of one record (format v2)."""
    record = b"\0\0\0" + varint(-1) + varint(len(value)) + value + varint(0)
    records = varint(len(record)) + record
    body = struct.pack(">hiqqqhii", 0, 0, 0, 0, -1, -1, -1, 1) + records
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


def produce(topic, value, acks=-1):
    """Produce v3 to partition 0."""
    records = batch(value)
    body = struct.pack(">hhi", -1, acks, 30_000) + struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iii", 1, 0, len(records)) + records
    return request(0, 3, body)


def fetch(topic, offset, max_bytes, wait_ms=500, min_bytes=1):
    """Fetch v4 of partition 0."""
    body = struct.pack(">iiiib", -1, wait_ms, min_bytes, max_bytes, 0)
    body += struct.pack(">i", 1) + text(topic) + struct.pack(">iiqi", 1, 0, offset, max_bytes)
    return request(1, 4, body)


def metadata():
    """Metadata v1 of all topics."""
    return request(3, 1, struct.pack(">i", -1))


def handshake():
    """ZooKeeper's ConnectRequest for a new session of ten seconds."""
    return framed(struct.pack(">iqiqi", 0, 0, 10_000, 0, 16) + bytes(16) + b"\0")


def get_children(xid, path):
    return framed(struct.pack(">iii", xid, 8, len(path)) + path.encode() + b"\0")


def exactly(stream, size):
    data = bytearray()
    while len(data) < size:
        piece = stream.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise ConnectionError("the other end has closed")
        data += piece
    return bytes(data)


def answer(stream):
    return exactly(stream, struct.unpack(">i", exactly(stream, 4))[0])


def connect(address, timeout=10):
    stream = socket.create_connection(address, timeout=timeout)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream
