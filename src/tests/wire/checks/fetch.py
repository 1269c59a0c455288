"""Fetch, ListOffsets, DeleteRecords and OffsetForLeaderEpoch."""

import time

from checks.produce import plain
from records import batch, messages, read_batches
from registry import check, each
from schema import answer, frame


def filled(k, n=4, **more):
    """A topic with `n` batches of two records, or messages where the release knows no batches."""
    topic = k.topic(**more)
    for i in range(n):
        at = k.base + 10 * i
        k.produce(topic, batch("ab", ts=at, step=5) if k.version("Produce") >= 3 else messages("ab", ts=at))
    return topic


@check("fetch.every-version")
def _(k):
    topic = filled(k)
    low, high = k.range("Fetch")
    return {f"v{v}": k.fetch(topic, 1, v=v) for v in range(low, min(high, 12) + 1)}


@check("fetch.by-topic-id")
def _(k):
    k.version("Fetch", 13)
    topic = filled(k)
    known = k.ask("Metadata", {"Topics": [{"Name": topic}]}, v=10)["Topics"][0]["TopicId"]
    out = {}
    for v in range(13, k.range("Fetch")[1] + 1):
        for label, i in {"known": known, "unknown": "11111111-1111-1111-1111-111111111111"}.items():
            body = {
                "MaxWaitMs": 0,
                "MinBytes": 1,
                "SessionEpoch": -1,
                "Topics": [{"TopicId": i, "Partitions": [{"Partition": 0, "PartitionMaxBytes": 1 << 20}]}],
            }
            got = k.ask("Fetch", body, v=v)
            out[f"v{v} {label}"] = (
                got
                if isinstance(got, str) or got["ErrorCode"]
                else [k.read(p) for r in got["Responses"] for p in r["Partitions"]]
            )
    return out


@each(
    "fetch",
    {
        "beyond-end": {"offset": 99},
        "at-end": {"offset": 8},
        "negative": {"offset": -1},
        "negative-5": {"offset": -5},
        "unknown-partition": {"partition": 5},
        "negative-partition": {"partition": -1},
        "1-byte": {"part_most": 1},
        "1-byte-all": {"most": 1},
        "0-bytes": {"part_most": 0},
        "negative-bytes": {"part_most": -1},
        "0-bytes-all": {"most": 0},
        "1-byte-v2": {"part_most": 1, "v": 2},
        "one-and-a-half-batches": {"part_most": 110},
        "mid-batch": {"offset": 3},
        "min-bytes-huge": {"least": 1 << 30, "wait": 100},
        "negative-wait": {"wait": -1},
        "isolation-1": {"isolation": 1},
        "isolation-7": {"isolation": 7},
        "epoch-0": {"epoch": 0},
        "epoch-9": {"epoch": 9},
        "replica-other": {"replica": 1},
        "replica-unknown": {"replica": 77},
        "replica-debug": {"replica": -2},
        "log-start-offset-set": {},
        "v0": {"v": 0},
        "v4": {"v": 4},
    },
)
def _(k, more):
    if more.get("epoch", -1) >= 0:
        k.version("Fetch", 9)
    if "isolation" in more:
        k.version("Fetch", 4)
    topic = filled(k)
    more = dict(more)
    if "replica" in more:
        more["replica"] = k.ids[1] if more["replica"] == 1 else more["replica"]
    return k.fetch(topic, **more)


@each(
    "fetch.where",
    {
        "unknown-topic": "missing",
        "not-leader": [1],
        "not-leader-replica": [1, 0],
        "follower": [1, 0, 2],
        "invalid-topic": "a b",
    },
)
def _(k, on):
    topic = k.name() if on == "missing" else on if isinstance(on, str) else filled(k, 0, on=on)
    got = k.fetch(topic)
    out = {"first": got, "offsets": k.offsets(topic, -1)}
    if isinstance(on, list) and k.version("Fetch") >= 11:
        out["with epoch"] = k.fetch(topic, epoch=0)
    return out


@check("fetch.waits-for-bytes")
def _(k):
    topic, conn = filled(k, 1), k.connect()
    v = k.version("Fetch")
    part = {"Partition": 0, "FetchOffset": 2, "PartitionMaxBytes": 1 << 20}
    start = time.time()
    conn.send(
        frame(
            "Fetch",
            v,
            {
                "MaxWaitMs": 1000,
                "MinBytes": 1,
                "MaxBytes": 1 << 20,
                "SessionEpoch": -1,
                "Topics": [{"Topic": topic, "Partitions": [part]}],
            },
        )
    )
    early = conn.receive(0.3)
    k.produce(topic, plain(k))
    got = answer("Fetch", v, conn.receive()) if early == "silent" else early
    start, quick = time.time(), time.time() - start < 0.9
    k.fetch(topic, 3, wait=700)
    return {
        "early": early,
        "woken at once": quick,
        "got": len(read_batches(got["Responses"][0]["Partitions"][0]["Records"])),
        "empty waits": 0.65 < time.time() - start < 1.5,
    }


@check("fetch.several-partitions-one-limit")
def _(k):
    topic = k.topic(3)
    for p in range(3):
        k.produce(
            topic,
            batch(["x" * 100], ts=k.base) if k.version("Produce") >= 3 else messages(["x" * 100], ts=k.base),
            partition=p,
        )
    rows = [{"Partition": p, "FetchOffset": 0, "PartitionMaxBytes": 1000} for p in (2, 0, 1)]
    got = k.ask(
        "Fetch",
        {
            "MaxWaitMs": 0,
            "MinBytes": 1,
            "MaxBytes": 200,
            "SessionEpoch": -1,
            "Topics": [{"Topic": topic, "Partitions": rows}],
        },
        v=3,
    )
    return [
        [p["PartitionIndex"], p["ErrorCode"], len(read_batches(p["Records"]))]
        for p in got["Responses"][0]["Partitions"]
    ]


@each(
    "fetch.session",
    {
        "full-then-incremental": 0,
        "unknown-id": 1,
        "wrong-epoch": 2,
        "id-without-session": 3,
        "forget": 4,
        "close": 5,
        "nothing-new": 6,
        "id-with-full-epoch": 7,
    },
)
def _(k, what):
    k.version("Fetch", 7)
    topic = filled(k, 1)
    rows = [
        {"Topic": topic, "Partitions": [{"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]}
    ]

    def ask(session, epoch, topics=rows, forget=()):
        got = k.ask(
            "Fetch",
            {
                "MaxWaitMs": 0,
                "MinBytes": 1,
                "SessionId": session,
                "SessionEpoch": epoch,
                "Topics": topics,
                "ForgottenTopicsData": list(forget),
            },
            v=7,
        )
        return (
            got
            if isinstance(got, str)
            else {**got, "Responses": [[k.read(p) for p in t["Partitions"]] for t in got["Responses"]]}
        )

    if what == 1:
        return ask(123456, 1)
    if what == 3:
        return ask(5, -1)
    first = ask(0, 0)
    s = first["SessionId"]
    if what == 2:
        return [ask(s, 5, []), ask(s, 1, [])]
    if what == 4:
        return [ask(s, 1, [], [{"Topic": topic, "Partitions": [0]}]), ask(s, 2, [])]
    if what == 5:
        return [ask(s, -1), ask(s, 1, [])]
    if what == 6:
        rows[0]["Partitions"][0]["FetchOffset"] = 2
        return [ask(s, 1), ask(s, 2, [])]
    return [first, ask(s, 0)] if what == 7 else [first, ask(s, 1, [])]


@each(
    "list-offsets",
    {
        "latest": -1,
        "earliest": -2,
        "max-timestamp": -3,
        "earliest-local": -4,
        "latest-tiered": -5,
        "minus-6": -6,
        "exact": 10,
        "between": 11,
        "inside-batch": 15,
        "before-all": -100,
        "future": 1_800_000,
        "zero": 0,
    },
)
def _(k, what):
    topic = filled(k)
    t = what if what in (-1, -2, -3, -4, -5, -6, 0) else k.base + what
    low, high = k.range("ListOffsets")
    return {f"v{v}": k.offsets(topic, t, v=v, most=3) for v in range(low, high + 1)}


@each(
    "list-offsets",
    {
        "empty-log": {},
        "unknown-partition": {"partition": 9},
        "replica-0": {"replica": 0},
        "replica-other": {"replica": 1},
        "replica-debug": {"replica": -2},
        "epoch-0": {"epoch": 0},
        "epoch-9": {"epoch": 9},
        "isolation-1": {"isolation": 1},
        "isolation-9": {"isolation": 9},
    },
)
def _(k, more):
    if "epoch" in more:
        k.version("ListOffsets", 4)
    topic = k.topic()
    out = {t: k.offsets(topic, t, **more) for t in (-1, -2)}
    out["time"] = k.offsets(topic, k.base, **more)
    return out


@check("list-offsets.log-append-time")
def _(k):
    topic = filled(k, 2, configs={"message.timestamp.type": "LogAppendTime"})
    return [k.offsets(topic, t) for t in (k.base + 1000, int(time.time() * 1000) + 10**6, -1)]


@check("list-offsets.partition-twice")
def _(k):
    part = {"PartitionIndex": 0, "Timestamp": -1, "MaxNumOffsets": 1}
    return k.ask(
        "ListOffsets", {"ReplicaId": -1, "Topics": [{"Name": k.topic(), "Partitions": [part, part]}]}
    )


@each("delete-records", {"some": 4, "inside-batch": 3, "all": -1, "beyond": 99, "negative": -2, "zero": 0})
def _(k, offset):
    topic = filled(k)
    out = {
        "answer": k.ask(
            "DeleteRecords",
            {
                "Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": 0, "Offset": offset}]}],
                "TimeoutMs": 5000,
            },
        )
    }
    return {
        **out,
        "below start": k.fetch(topic, 0),
        "start": k.offsets(topic, -2),
        "first": k.fetch(topic, 4).get("Records"),
    }


@each(
    "delete-records.where",
    {"unknown-topic": 0, "unknown-partition": 1, "not-leader": 2, "compacted": 3, "internal": 4},
)
def _(k, what):
    topic = [
        lambda: k.name(),
        lambda: k.topic(),
        lambda: k.topic(on=[1]),
        lambda: k.topic(configs={"cleanup.policy": "compact"}),
        lambda: "__consumer_offsets",
    ][what]()
    to = k.coordinator("g") if what == 4 else None
    return k.ask(
        "DeleteRecords",
        {
            "Topics": [
                {"Name": topic, "Partitions": [{"PartitionIndex": 6 if what == 1 else 0, "Offset": 0}]}
            ],
            "TimeoutMs": 3000,
        },
        to=to,
    )


@each(
    "leader-epoch",
    {
        "0": (0, -1),
        "minus-1": (-1, -1),
        "5": (5, -1),
        "current-0": (0, 0),
        "current-9": (0, 9),
        "unknown-topic": (0, -1, 0),
        "unknown-partition": (0, -1, 1),
        "not-leader": (0, -1, 2),
    },
)
def _(k, epoch, current, where=None):
    if current >= 0:
        k.version("OffsetForLeaderEpoch", 2)
    low, high = k.range("OffsetForLeaderEpoch")
    topic = k.name() if where == 0 else filled(k, on=[1]) if where == 2 else filled(k)
    part = {"Partition": 8 if where == 1 else 0, "CurrentLeaderEpoch": current, "LeaderEpoch": epoch}
    return {
        f"v{v}": k.ask(
            "OffsetForLeaderEpoch", {"ReplicaId": -1, "Topics": [{"Topic": topic, "Partitions": [part]}]}, v=v
        )
        for v in range(low, high + 1)
    }
