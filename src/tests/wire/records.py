"""Record batches and message sets in all three formats, good and damaged."""

import gzip
import struct
import zlib

from schema import varint, zigzag


def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
            table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def snappy(data):
    block = (
        varint(len(data))
        + (bytes([(len(data) - 1) << 2]) if len(data) <= 60 else b"\xf0" + bytes([len(data) - 1]))
        + data
    )
    return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block


# Data stored, not compressed, in each codec's own frame: what a broker has to be able to read (up to 255 bytes).
CODECS = {
    "none": (0, bytes),
    "gzip": (1, gzip.compress),
    "snappy": (2, snappy),
    "lz4": (
        3,
        lambda d: b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(d) | 1 << 31) + d + b"\0\0\0\0",
    ),
    "zstd": (
        4,
        lambda d: b"\x28\xb5\x2f\xfd\x20" + bytes([len(d)]) + struct.pack("<I", len(d) << 3 | 1)[:3] + d,
    ),
    "5": (5, bytes),
}


def batch(
    values=("a",),
    ts=0,
    codec="none",
    pid=-1,
    epoch=-1,
    seq=-1,
    txn=False,
    keys=None,
    base=0,
    attributes=0,
    damage=None,
    magic=2,
    count=None,
    deltas=None,
    step=0,
    headers=(),
    last=None,
):
    """A record batch of format 2; `damage` changes a finished one."""
    records = b""
    for n, value in enumerate(values):
        key = keys[n].encode() if keys and keys[n] is not None else None
        body = (
            b"\0"
            + zigzag(n * step)
            + zigzag(deltas[n] if deltas else n)
            + (zigzag(-1) if key is None else zigzag(len(key)) + key)
        )
        body += (zigzag(-1) if value is None else zigzag(len(value)) + value.encode()) + zigzag(len(headers))
        for name, text in headers:
            body += zigzag(len(name)) + name.encode() + zigzag(len(text)) + text.encode()
        records += zigzag(len(body)) + body
    code, pack = CODECS[codec]
    total = len(values) if count is None else count
    tail = struct.pack(
        ">hiqqqhii",
        attributes | code | (16 if txn else 0),
        total - 1 if last is None else last,
        ts,
        ts + step * max(0, len(values) - 1),
        pid,
        epoch,
        seq,
        total,
    ) + pack(records)
    crc = crc32c(tail) ^ (1 if damage == "crc" else 0)
    out = struct.pack(">qiibI", base, len(tail) + 9, -1, magic, crc) + tail
    return out[:-5] if damage == "short" else out


def messages(values=("a",), magic=1, ts=0, codec="none", key=None, damage=None):
    """A message set of format 0 or 1."""

    def one(offset, value, code=0, key=None):
        data = struct.pack(">bb", magic, code) + (struct.pack(">q", ts) if magic else b"")
        for part in (key, value):
            data += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
        crc = zlib.crc32(data) ^ (1 if damage == "crc" else 0)
        return struct.pack(">qiI", offset, len(data) + 4, crc) + data

    inner = b"".join(one(n, value.encode(), key=key and key.encode()) for n, value in enumerate(values))
    code, pack = CODECS[codec]
    return one(len(values) - 1, pack(inner), code) if code else inner


def read_batches(data):
    """What is in fetched records: one line a batch, or a message of formats 0 and 1."""
    out, at = [], 0
    while len(data or b"") - at >= 17:
        offset, size = struct.unpack_from(">qi", data, at)
        magic = data[at + 16]
        if at + 12 + size > len(data):
            out.append("partial")
            break
        if magic == 2:
            attributes, last, _, _, pid, epoch, seq, count = struct.unpack_from(">hiqqqhii", data, at + 21)
            words = [f"v2 offset {offset}-{offset + last} records {count} codec {attributes & 7}"]
            words += (
                ["log-append-time"] * bool(attributes & 8)
                + ["txn"] * bool(attributes & 16)
                + ["control"] * bool(attributes & 32)
            )
            words += [f"epoch {epoch} seq {seq}"] * (pid >= 0)
            if attributes & 32:
                words.append(
                    "commit" if data[at + 61 + 8 : at + 12 + size].find(b"\0\0\0\1") >= 0 else "abort"
                )
        else:
            words = [f"v{magic} offset {offset} codec {data[at + 17] & 7}"] + ["log-append-time"] * bool(
                data[at + 17] & 8
            )
        out.append(" ".join(words))
        at += 12 + size
    return out
