"""Idempotent producers and transactions."""

import time

from records import batch
from registry import answers, check, each
from schema import ERRORS


def producer(k, txn=None, to=None, timeout=60000, **more):
    end = time.time() + 15
    while True:
        got = k.ask(
            "InitProducerId", {"TransactionalId": txn, "TransactionTimeoutMs": timeout, **more}, to=to
        )
        if isinstance(got, str) or got["ErrorCode"] not in (14, 15, 16, 51) or time.time() > end:
            return got
        time.sleep(0.1)


SEQUENCES = {
    "in-order": (0, 1, 2),
    "gap": (0, 2),
    "first-not-0": (5,),
    "repeat-last": (0, 1, 1),
    "repeat-first-of-3": (0, 1, 2, 0),
    "repeat-first-of-7": (0, 1, 2, 3, 4, 5, 6, 0),
    "back": (0, 1, 2, 3, 4, 5, 6, 7, 1),
    "negative": (-1,),
    "wraps": (2147483647, 0),
}


@each("idempotent.sequence", SEQUENCES)
def _(k, *sequence):
    pid, topic = producer(k), k.topic()
    out = [
        k.produce(topic, batch(ts=k.base, pid=pid["ProducerId"], epoch=pid["ProducerEpoch"], seq=s))
        for s in sequence
    ]
    return [
        (r if isinstance(r, str) else [f"{r['ErrorCode']} {ERRORS[r['ErrorCode']]}", r["BaseOffset"]])
        for r in out
    ]


@each(
    "idempotent.epoch",
    {"older": (1, 0), "newer": (0, 1), "newer-not-0": (0, 1, 3), "negative": (-1,), "two-newer": (0, 2)},
)
def _(k, *epochs):
    pid, topic = producer(k), k.topic()
    out = []
    for e in epochs[:2]:
        out.append(
            k.produce(
                topic,
                batch(
                    ts=k.base, pid=pid["ProducerId"], epoch=e, seq=epochs[2] if len(epochs) > 2 and e else 0
                ),
            )
        )
    return out


@each(
    "idempotent",
    {
        "unknown-id": 0,
        "unknown-id-seq-5": 5,
        "batch-of-3-then-part": "part",
        "two-producers-in-one": "two",
        "seq-without-id": "no",
        "acks-1": "acks",
    },
)
def _(k, what):
    pid, topic = producer(k), k.topic()
    one = {"ts": k.base, "pid": pid["ProducerId"], "epoch": 0}
    if what in (0, 5):
        return k.produce(topic, batch(ts=k.base, pid=987654, epoch=0, seq=what))
    if what == "part":
        return [
            k.produce(topic, batch(values, seq=s, **one))
            for values, s in (("abc", 0), ("bc", 1), ("abcd", 0), ("d", 3))
        ]
    if what == "no":
        return k.produce(topic, batch(ts=k.base, seq=4))
    if what == "acks":
        return [k.produce(topic, batch(seq=0, **one), acks=1), k.produce(topic, batch(seq=0, **one), acks=1)]
    return k.produce(topic, batch(seq=0, **one) + batch(seq=1, **one))


@check("init-producer-id.every-version")
def _(k):
    return answers(
        k,
        "InitProducerId",
        {"TransactionTimeoutMs": 60000},
        pick=lambda g: {**g, "ProducerId": g["ProducerId"] >= 0},
    )


@each(
    "init-producer-id",
    {
        "timeout-0": {"timeout": 0},
        "timeout-huge": {"timeout": 10**9},
        "empty-id": {"txn": ""},
        "with-id-and-epoch": {"ProducerId": 5, "ProducerEpoch": 3},
        "epoch-only": {"ProducerEpoch": 3},
        "timeout-minus-1": {"timeout": -1},
        "wrong-coordinator": {"wrong": 1},
    },
)
def _(k, more):
    if any(n.startswith("Producer") for n in more):
        k.version("InitProducerId", 3)
    more = dict(more)
    txn = more.pop("txn", k.name("x"))
    to = k.coordinator(txn or "x", 1)
    if more.pop("wrong", 0):
        other = next(i for i in k.ids if i != to)
        return k.ask("InitProducerId", {"TransactionalId": txn, "TransactionTimeoutMs": 60000}, to=other)
    got = producer(k, txn, to, **more)
    return got


class Transaction:
    def __init__(self, k, txn=None):
        self.k, self.id = k, txn or k.name("x")
        self.to = k.coordinator(self.id, 1)
        self.seq = {}
        self.init()

    def init(self, **more):
        self.first = got = producer(self.k, self.id, self.to, **more)
        self.pid, self.epoch = (
            (got["ProducerId"], got["ProducerEpoch"]) if isinstance(got, dict) else (-1, -1)
        )
        return got

    def who(self, **more):
        return {"TransactionalId": self.id, "ProducerId": self.pid, "ProducerEpoch": self.epoch, **more}

    def again(self, api, body, code):
        """Asks until it says something else than CONCURRENT_TRANSACTIONS, as it does while one is ending."""
        end = time.time() + 10
        while True:
            got = self.k.ask(api, body, to=self.to)
            if code(got) != 51 or time.time() > end:
                return got
            time.sleep(0.1)

    def add(self, topic, partition=0, **more):
        body = {f"V3AndBelow{f}": v for f, v in self.who(**more).items()}
        body["V3AndBelowTopics"] = [{"Name": topic, "Partitions": [partition]}]
        got = self.again(
            "AddPartitionsToTxn",
            body,
            lambda g: (
                g["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"][0]["PartitionErrorCode"]
                if isinstance(g, dict)
                else 0
            ),
        )
        return got if isinstance(got, str) else got["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"]

    def write(self, topic, values="a", **more):
        data = {
            "ts": self.k.base,
            "pid": self.pid,
            "epoch": self.epoch,
            "seq": self.seq.get(topic, 0),
            "txn": True,
            **more,
        }
        self.seq[topic] = self.seq.get(topic, 0) + len(values)
        return self.k.produce(topic, batch(values, **data), txn=self.id)

    def end(self, commit=True, **more):
        got = self.again(
            "EndTxn",
            self.who(Committed=commit, **more),
            lambda g: g["ErrorCode"] if isinstance(g, dict) else 0,
        )
        return got if isinstance(got, str) else got["ErrorCode"]

    def ended(self, topic, end):
        until = time.time() + 10
        while time.time() < until and self.k.offsets(topic, -1, v=2, isolation=1).get("Offset") != end:
            time.sleep(0.05)


@each("txn", {"commit": True, "abort": False})
def _(k, commit):
    topic, t = k.topic(), Transaction(k)
    out = {
        "init": t.first,
        "add": t.add(topic),
        "write": t.write(topic, "ab"),
        "open": k.fetch(topic, isolation=1),
        "open uncommitted": k.fetch(topic),
        "open last": [k.offsets(topic, -1, isolation=i).get("Offset") for i in (0, 1)],
        "end": t.end(commit),
    }
    t.ended(topic, 3)
    return {
        **out,
        "read committed": k.fetch(topic, isolation=1),
        "read uncommitted": k.fetch(topic),
        "v4": k.fetch(topic, v=4, isolation=1),
        "v3": k.fetch(topic, v=3),
    }


@check("txn.two-then-plain-behind-open")
def _(k):
    topic, s, t = k.topic(), Transaction(k), Transaction(k)
    s.add(topic), t.add(topic), s.write(topic), t.write(topic)
    k.produce(topic, batch(ts=k.base))
    s.end(False)
    time.sleep(0.5)
    first = k.fetch(topic, isolation=1)
    t.end(True)
    t.ended(topic, 5)
    return {
        "one aborted, one open": first,
        "both ended": k.fetch(topic, isolation=1),
        "from 2": k.fetch(topic, 2, isolation=1),
        "from 4": k.fetch(topic, 4, isolation=1),
    }


@each(
    "txn.state",
    {
        n: n
        for n in (
            "end-without-begin",
            "end-twice-commit",
            "commit-then-abort",
            "abort-then-commit",
            "add-none",
            "write-not-added",
            "wrong-pid",
            "old-epoch",
            "new-epoch",
            "unknown-id",
            "unknown-topic",
            "init-again",
            "init-while-open",
            "fenced-produce",
            "fenced-end",
            "fenced-add",
            "add-twice",
            "next-transaction",
            "empty-commit",
        )
    },
)
def _(k, what):
    topic, t = k.topic(), Transaction(k)
    if what == "end-without-begin" or what == "empty-commit":
        return [t.end(True), t.end(False)]
    if what in ("end-twice-commit", "commit-then-abort", "abort-then-commit"):
        t.add(topic), t.write(topic)
        first = t.end(what != "abort-then-commit")
        t.ended(topic, 2)
        return [first, t.end(what != "commit-then-abort")]
    if what == "add-none":
        return k.ask("AddPartitionsToTxn", {f"V3AndBelow{f}": v for f, v in t.who().items()}, to=t.to)
    if what == "write-not-added":
        return [t.write(topic), t.end(True)]
    if what == "wrong-pid":
        return [t.add(topic, ProducerId=t.pid + 1000), t.end(True, ProducerId=t.pid + 1000)]
    if what in ("old-epoch", "new-epoch"):
        e = t.epoch + (1 if what == "new-epoch" else -1)
        return [t.add(topic, ProducerEpoch=e), t.end(True, ProducerEpoch=e)]
    if what == "unknown-id":
        return [t.add(topic, TransactionalId=t.id + "-no"), t.end(True, TransactionalId=t.id + "-no")]
    if what == "unknown-topic":
        got = k.ask(
            "AddPartitionsToTxn",
            {
                **{f"V3AndBelow{f}": v for f, v in t.who().items()},
                "V3AndBelowTopics": [
                    {"Name": n, "Partitions": p} for n, p in ((topic, [0, 9]), (k.name(), [0]))
                ],
            },
            to=t.to,
        )
        return (
            got
            if isinstance(got, str)
            else sorted(
                [
                    r["Name"][:2],
                    sorted((p["PartitionIndex"], p["PartitionErrorCode"]) for p in r["ResultsByPartition"]),
                ]
                for r in got["ResultsByTopicV3AndBelow"]
            )
        )
    if what == "init-again":
        return [t.first, t.init()]
    if what == "init-while-open":
        t.add(topic), t.write(topic)
        got = t.init()
        t.ended(topic, 2)
        return [got, k.fetch(topic, isolation=1)]
    if what.startswith("fenced"):
        t.add(topic), t.write(topic)
        u = Transaction(k, t.id)
        return {
            "second": u.first,
            "first": (
                t.write(topic)
                if what == "fenced-produce"
                else t.end(True) if what == "fenced-end" else t.add(topic)
            ),
        }
    if what == "add-twice":
        return [t.add(topic), t.add(topic), t.write(topic), t.end(True)]
    out = []
    for n in range(2):
        out += [t.add(topic), t.write(topic), t.end(n == 0)]
    t.ended(topic, 4)
    return out + [k.fetch(topic, isolation=1)]


@check("txn.offset-commit")
def _(k):
    topic, t, group = k.topic(), Transaction(k), k.name("g")
    to = k.coordinator(group)
    out = {"add": k.ask("AddOffsetsToTxn", t.who(GroupId=group), to=t.to)}
    rows = [
        {"Name": topic, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": "m"}]}
    ]
    out["commit"] = k.ask("TxnOffsetCommit", t.who(GroupId=group, Topics=rows), to=to)
    fetch = {"GroupId": group, "Topics": [{"Name": topic, "PartitionIndexes": [0]}]}
    out["before"] = k.ask("OffsetFetch", fetch, to=to)
    if k.version("OffsetFetch") >= 7:
        out["before, stable"] = k.ask("OffsetFetch", {**fetch, "RequireStable": True}, to=to)
    out["end"] = t.end(True)
    time.sleep(0.7)
    out["after"] = k.ask("OffsetFetch", fetch, to=to)
    out["bad member"] = (
        k.ask("TxnOffsetCommit", t.who(GroupId=group, Topics=rows, MemberId="no", GenerationId=3), v=3, to=to)
        if k.version("TxnOffsetCommit") >= 3
        else None
    )
    return out


@check("txn.describe")
def _(k):
    topic, t = k.topic(), Transaction(k)
    t.add(topic), t.write(topic)

    def strip(got):
        return {
            **got,
            "TransactionStates": [s for s in got["TransactionStates"] if s["TransactionalId"] == t.id],
        }

    out = {
        "one": k.ask("DescribeTransactions", {"TransactionalIds": [t.id, t.id + "-no", ""]}, to=t.to),
        "list": strip(k.ask("ListTransactions", {"StateFilters": ["Ongoing", "Wrong"]}, to=t.to)),
        "producers": k.ask("DescribeProducers", {"Topics": [{"Name": topic, "PartitionIndexes": [0, 3]}]}),
    }
    return {**out, "end": t.end(False)}
