"""Produce: acks, formats, codecs, what is refused."""

import time

from records import CODECS, batch, messages
from registry import Skip, answers, by_index, check, each
from schema import answer, frame


def modern(k):
    return k.version("Produce", 3)


def plain(k):
    """One record, in the newest form that the release knows."""
    return batch(ts=k.base) if k.version("Produce") >= 3 else messages(ts=k.base)


ACKS = {"0": 0, "1": 1, "all": -1, "5": 5, "minus-2": -2}


@each("produce.acks", ACKS)
def _(k, acks):
    topic, conn = k.topic(), k.connect()
    v = k.version("Produce")
    data = plain(k)
    conn.send(
        frame(
            "Produce",
            v,
            {
                "Acks": acks,
                "TimeoutMs": 5000,
                "TopicData": [{"Name": topic, "PartitionData": [{"Index": 0, "Records": data}]}],
            },
        )
    )
    conn.send(frame("Metadata", 1, {"Topics": []}, 2))  # tells whether the first is answered
    first, second = conn.receive(), None
    if not isinstance(first, str) and first[3] == 1:
        first, second = answer("Produce", v, first)["Responses"][0]["PartitionResponses"], conn.receive(1)
    return {
        "produce": first if isinstance(first, (str, list)) else "no answer",
        "next": second if isinstance(second, str) else "answered",
        "end": k.offsets(topic, -1, v=1)["Offset"],
    }


@each(
    "produce.acks-0-error",
    {"unknown-topic": "missing", "unknown-partition": 7, "corrupt": "crc", "not-leader": "b1"},
)
def _(k, what):
    modern(k)
    topic = k.name() if what == "missing" else k.topic(on=[1] if what == "b1" else [0])
    conn, v = k.connect(), k.version("Produce")
    part = {
        "Index": what if what == 7 else 0,
        "Records": batch(ts=k.base, damage="crc" if what == "crc" else None),
    }
    conn.send(
        frame(
            "Produce",
            v,
            {"Acks": 0, "TimeoutMs": 5000, "TopicData": [{"Name": topic, "PartitionData": [part]}]},
        )
    )
    time.sleep(0.2)
    try:
        got = conn.ask("Metadata", 1, {"Topics": []})
    except OSError:
        got = "closed"
    return got if isinstance(got, str) else "answered"


@each("produce.every-version", {"v1-message": 1, "v0-message": 0, "v2-batch": 2})
def _(k, magic):
    topic = k.topic()
    out = {}
    for v in range(k.range("Produce")[0], k.range("Produce")[1] + 1):
        data = batch(ts=k.base) if magic == 2 else messages(magic=magic, ts=k.base)
        out[f"v{v}"] = k.produce(topic, data, v=v)
    return out


def batches(k):
    """Batches of format 2, good and bad, by name."""
    b = k.base
    return {
        "one": batch(ts=b),
        "three": batch("abc", ts=b),
        "keys": batch("ab", ts=b, keys=["k", None]),
        "null-value": batch([None], ts=b, keys=["k"]),
        "headers": batch(ts=b, headers=[("h", "v")]),
        "corrupt-crc": batch(ts=b, damage="crc"),
        "cut-short": batch(ts=b, damage="short"),
        "magic-3": batch(ts=b, magic=3),
        "magic-9": batch(ts=b, magic=9),
        "magic-minus-1": batch(ts=b, magic=-1),
        "empty-bytes": b"",
        "null-key-and-value": batch([None], ts=b),
        "no-records": batch([], ts=b),
        "garbage": b"\x01" * 80,
        "five-bytes": b"abcde",
        "count-too-high": batch("ab", ts=b, count=3),
        "count-too-low": batch("ab", ts=b, count=1, last=1),
        "count-negative": batch("ab", ts=b, count=-1, last=1),
        "last-delta-too-high": batch("ab", ts=b, last=5),
        "deltas-with-gap": batch("ab", ts=b, deltas=[0, 2], last=2),
        "deltas-backwards": batch("ab", ts=b, deltas=[1, 0]),
        "base-offset-not-0": batch(ts=b, base=77),
        "two-batches": batch("a", ts=b) + batch("b", ts=b),
        "control": batch(ts=b, attributes=32),
        "control-with-id": batch(ts=b, attributes=32, pid=1, epoch=0, seq=0),
        "log-append-bit": batch(ts=b, attributes=8),
        "reserved-bits": batch(ts=b, attributes=0x4000),
        "negative-time": batch(ts=-5),
        "no-time": batch(ts=-1),
        "future-30-min": batch(ts=b + 3_600_000 + 1_800_000),
        "future-2-days": batch(ts=b + 176_400_000),
        "past-10-days": batch(ts=b - 864_000_000),
        "txn-without-id": batch(ts=b, pid=1, epoch=0, seq=0, txn=True),
        "codec-5": batch(ts=b, codec="5"),
    }


BATCHES = list(batches(type("", (), {"base": 0})))


@each("produce.batch", {n: n for n in BATCHES})
def _(k, what):
    modern(k)
    topic = k.topic()
    got = k.produce(topic, batches(k)[what])
    return {
        "answer": got,
        "end": k.offsets(topic, -1, v=1).get("Offset"),
        "log": k.fetch(topic).get("Records"),
    }


@each(
    "produce.message-set",
    {
        f"{n}-v{m}": (n, m)
        for n in ("one", "two", "corrupt-crc", "empty", "gzip", "snappy", "lz4")
        for m in (0, 1)
    },
)
def _(k, what, magic):
    data = {
        "two": messages("ab", magic, k.base),
        "corrupt-crc": messages("a", magic, k.base, damage="crc"),
        "empty": b"",
    }.get(what)
    if data is None:
        data = messages("ab", magic, k.base, codec="none" if what == "one" else what)
    topic = k.topic()
    got = k.produce(topic, data, v=2)
    return {
        "answer": got,
        "end": k.offsets(topic, -1, v=1).get("Offset"),
        "log": k.fetch(topic).get("Records"),
    }


@each("produce.codec", {c: c for c in CODECS if c not in ("none", "5")})
def _(k, codec):
    topic = k.topic()
    out = {
        f"v{v}": k.produce(topic, batch("ab", ts=k.base, codec=codec), v=v)
        for v in range(3, min(k.range("Produce")[1], 9) + 1)
    }
    return {
        **out,
        "log": k.fetch(topic).get("Records"),
        "old fetch": k.fetch(topic, v=9 if k.range("Fetch")[1] > 9 else 4),
    }


@each("produce.topic-codec", {c: c for c in ("gzip", "snappy", "lz4", "zstd", "uncompressed", "producer")})
def _(k, codec):
    k.version("Produce", 7 if codec == "zstd" else 3)
    topic = k.topic(configs={"compression.type": codec})
    return {
        "plain": k.produce(topic, batch("ab", ts=k.base)),
        "gzip": k.produce(topic, batch("ab", ts=k.base, codec="gzip")),
        "log": k.fetch(topic).get("Records"),
    }


@each(
    "produce.where",
    {
        "unknown-topic": ("missing", 0),
        "unknown-partition": (None, 7),
        "negative-partition": (None, -1),
        "not-leader": ("b1", 0),
        "not-leader-replica": ("b10", 0),
        "invalid-topic": ("a b", 0),
        "internal-topic": ("__consumer_offsets", 0),
    },
)
def _(k, name, partition):
    if name == "__consumer_offsets":
        k.coordinator("g")
    topic = (
        k.topic(on={"b1": [1], "b10": [1, 0]}.get(name, [0]))
        if name in (None, "b1", "b10")
        else k.name() if name == "missing" else name
    )
    data = plain(k)
    to = None
    if name == "__consumer_offsets":
        to = k.ask("Metadata", {"Topics": [{"Name": name}]}, v=1)["Topics"][0]["Partitions"][0]["LeaderId"]
    return k.produce(topic, data, partition=partition, to=to)


@each(
    "produce.config",
    {
        "too-large": ({"max.message.bytes": "100"}, ["x" * 200], {}),
        "as-large-as-allowed": ({"max.message.bytes": "100"}, ["x"], {}),
        "old-time-bound": ({"message.timestamp.difference.max.ms": "1000"}, "a", {}),
        "log-append-time": ({"message.timestamp.type": "LogAppendTime"}, "ab", {}),
        "compacted-no-key": ({"cleanup.policy": "compact"}, "a", {}),
        "compacted-key": ({"cleanup.policy": "compact"}, "a", {"keys": ["k"]}),
        "compacted-one-key-missing": ({"cleanup.policy": "compact"}, "ab", {"keys": ["k", None]}),
        "compact-delete-no-key": ({"cleanup.policy": "compact,delete"}, "a", {}),
        "min-isr-not-met": ({"min.insync.replicas": "2"}, "a", {}),
        "before-max-5s": ({"message.timestamp.before.max.ms": "5000"}, "a", {}),
        "after-max": ({"message.timestamp.after.max.ms": "1"}, "a", {"ts": 5_400_000}),
        "segment-bytes": ({"segment.bytes": "100"}, ["x" * 200], {}),
        "old-format": ({"message.format.version": "0.9.0"}, "ab", {}),
        "format-0.10": ({"message.format.version": "0.10.2"}, "ab", {}),
    },
)
def _(k, configs, values, more):
    modern(k)
    k.words = []
    try:
        topic = k.topic(configs=configs)
    except AssertionError as why:
        raise Skip(why)
    data = {"ts": k.base, **more}
    data["ts"] += k.base if "ts" in more else 0
    out = {f"acks {a}": k.produce(topic, batch(values, **data), acks=a) for a in (1, -1)}
    return {**out, "log": k.fetch(topic).get("Records"), "log for old": k.fetch(topic, v=2).get("Records")}


@check("produce.same-topic-twice-in-request")
def _(k):
    modern(k)
    topic = k.topic(2)
    part = [{"Name": topic, "PartitionData": [{"Index": p, "Records": batch(ts=k.base)}]} for p in (0, 1, 0)]
    return by_index(k.ask("Produce", {"Acks": 1, "TimeoutMs": 5000, "TopicData": part}))


@check("produce.nothing")
def _(k):
    return answers(k, "Produce", {"Acks": 1, "TimeoutMs": 1000, "TopicData": []})


@check("produce.replicated")
def _(k):
    topic = k.topic(on=[0, 1, 2], configs={"min.insync.replicas": "3"})
    got = [k.produce(topic, plain(k), wait=10) for _ in range(2)]
    return {
        "answers": got,
        "follower": k.fetch(topic, to=k.ids[1]).get("ErrorCode"),
        "end": k.offsets(topic, -1, v=1),
    }
