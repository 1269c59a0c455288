"""CreateTopics, DeleteTopics and CreatePartitions."""

import time

from checks.produce import plain
from registry import check, each


def listing(got, order="Name"):
    if isinstance(got, dict):
        for rows in got.values():
            if isinstance(rows, list) and rows and order in rows[0]:
                rows.sort(key=lambda r: r[order] or "")
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict) and isinstance(row.get("Configs"), list):
                    row["Configs"] = {
                        c["Name"]: f"{c['Value']} ro={c.get('ReadOnly')} source={c.get('ConfigSource')}"
                        for c in sorted(row["Configs"], key=lambda c: c["Name"])
                    }
    return got


NEW = {"NumPartitions": 1, "ReplicationFactor": 1}
CREATE = {
    "plain": {},
    "three-replicas": {"ReplicationFactor": 3},
    "space": {"Name": "a b"},
    "empty": {"Name": ""},
    "dot": {"Name": "."},
    "dots": {"Name": ".."},
    "slash": {"Name": "a/b"},
    "unicode": {"Name": "é"},
    "249-chars": {"Name": 249},
    "250-chars": {"Name": 250},
    "factor-0": {"ReplicationFactor": 0},
    "factor-4": {"ReplicationFactor": 4},
    "factor-minus-1": {"ReplicationFactor": -1},
    "factor-minus-2": {"ReplicationFactor": -2},
    "partitions-0": {"NumPartitions": 0},
    "partitions-minus-1": {"NumPartitions": -1},
    "partitions-minus-2": {"NumPartitions": -2},
    "both-minus-1": {"NumPartitions": -1, "ReplicationFactor": -1},
    "assignment": {"NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [[0, 1], [1, 0]]},
    "assignment-and-partitions": {"Assignments": [[0]]},
    "assignment-unequal": {"NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [[0], [0, 1]]},
    "assignment-unknown-broker": {"NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [[99]]},
    "assignment-twice": {"NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [[0, 0]]},
    "assignment-empty": {"NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [[]]},
    "assignment-gap": {"NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [[0], None, [0]]},
    "unknown-config": {"Configs": {"no.such": "1"}},
    "bad-config": {"Configs": {"retention.ms": "soon"}},
    "config-out-of-range": {"Configs": {"min.insync.replicas": "0"}},
    "bad-list-config": {"Configs": {"cleanup.policy": "shred"}},
    "null-config": {"Configs": {"retention.ms": None}},
    "bad-boolean": {"Configs": {"preallocate": "maybe"}},
    "good-config": {"Configs": {"retention.ms": "1000", "cleanup.policy": "compact"}},
    "replication-over-min": {"Configs": {"min.insync.replicas": "5"}},
    "internal-name": {"Name": "__consumer_offsets"},
    "underscores": {"Name": "__mine"},
}


@each("create-topics", CREATE, texts=True)
def _(k, more):
    more, name = dict(more), k.name()
    if name and isinstance(more.get("Name"), int):
        more["Name"] = (name + "x" * 250)[: more["Name"]]
    if more.get("Name") == "__consumer_offsets":
        k.coordinator("g")
    if more.get("Name") == "__mine":
        more["Name"] = "__" + name
    rows = [
        {"PartitionIndex": i, "BrokerIds": [k.ids[b] if b < 9 else b for b in a]}
        for i, a in enumerate(more.pop("Assignments", []))
        if a is not None
    ]
    configs = [{"Name": n, "Value": v} for n, v in more.pop("Configs", {}).items()]
    topic = {"Name": name, **NEW, **more, "Assignments": rows, "Configs": configs}
    checked = k.create([topic], only=True) if k.version("CreateTopics") >= 1 else None
    got = k.create([topic])
    out = {"validate": listing(checked), "create": listing(got)}
    for key in out:
        for row in out[key]["Topics"] if isinstance(out[key], dict) else ():
            if isinstance(row.get("Configs"), dict) and more != {}:
                row["Configs"] = {n: c for n, c in row["Configs"].items() if "source=1" in c}
            row["TopicConfigErrorCode"] = row.get("TopicConfigErrorCode", 0)
            row.pop("TopicId", None)
    return out


@each(
    "create-topics",
    {
        "twice": 0,
        "collides": 1,
        "duplicate-in-request": 2,
        "not-controller": 3,
        "one-good-one-bad": 4,
        "every-version": 5,
        "none": 6,
        "collides-in-request": 7,
        "timeout-0": 8,
    },
    texts=True,
)
def _(k, what):
    name = k.name()
    new = {"Name": name, **NEW}
    if what == 0:
        k.create([new])
        return k.create([new], v=2 if k.version("CreateTopics") >= 2 else None)
    if what == 1:
        k.create([{**new, "Name": name + ".a_b"}], v=1)
        return [k.create([{**new, "Name": name + n}], v=1) for n in ("_a.b", ".a.b", "_a_b")]
    if what == 2:
        return listing(k.create([new, new, {**new, "Name": k.name()}], v=1))
    if what == 3:
        return k.ask(
            "CreateTopics",
            {"Topics": [new], "timeoutMs": 5000},
            v=1,
            to=next(i for i in k.ids if i != k.controller),
        )
    if what == 4:
        return listing(
            k.create([new, {**new, "Name": "b c"}, {**new, "Name": k.name(), "ReplicationFactor": 9}], v=1)
        )
    if what == 6:
        return k.create([], v=1)
    if what == 7:
        return sorted(
            t["ErrorCode"]
            for t in k.create([{**new, "Name": name + ".x"}, {**new, "Name": name + "_x"}], v=1)["Topics"]
        )
    if what == 8:
        return [
            k.ask(
                "CreateTopics",
                {"Topics": [{**new, "ReplicationFactor": 3}], "timeoutMs": 0},
                v=1,
                to=k.controller,
            ),
            k.settle(name),
            k.create([new], v=1),
        ]
    low, high = k.range("CreateTopics")
    return {
        f"v{v}": {
            **(g := k.create([{"Name": k.name(), **NEW}], v=v)),
            "Topics": [{**t, "Configs": len(t.get("Configs", [])) > 0} for t in g["Topics"]],
        }
        for v in range(low, high + 1)
    }


@check("create-topics.null-when-no-error-text")
def _(k):
    return {"null": k.create([{"Name": k.name(), **NEW}], v=1)["Topics"][0]["ErrorMessage"] is None}


@each(
    "delete-topics",
    {
        "existing": 0,
        "unknown": 1,
        "twice": 2,
        "not-controller": 3,
        "every-version": 4,
        "by-id": 5,
        "made-again": 6,
        "empty-name": 7,
    },
    texts=True,
)
def _(k, what):
    def delete(*names, v=None, to=None):
        got = k.ask(
            "DeleteTopics",
            {"TopicNames": list(names), "TimeoutMs": 5000},
            v=v,
            to=k.controller if to is None else to,
            timeout=10,
        )
        return listing(got)

    if what == 1:
        return delete(k.name())
    if what == 7:
        return delete("")
    topic = k.topic()
    if what == 6:
        k.produce(topic, plain(k))
        out, again, end = [delete(topic)], None, time.time() + 10
        while time.time() < end and (again is None or again["Topics"][0]["ErrorCode"] == 36):
            time.sleep(0.5)
            again = k.create([{"Name": topic, "NumPartitions": 2, "ReplicationFactor": 1}], v=1)
        k.settle(topic)
        return [
            *out,
            again,
            len(k.ask("Metadata", {"Topics": [{"Name": topic}]}, v=1)["Topics"][0]["Partitions"]),
        ]
    if what == 0:
        out = [delete(topic)]
        time.sleep(0.5)
        return out + [
            k.fetch(topic),
            (
                k.ask("Metadata", {"Topics": [{"Name": topic}], "AllowAutoTopicCreation": False}, v=4)[
                    "Topics"
                ]
                if k.range("Metadata")[1] >= 4
                else None
            ),
        ]
    if what == 2:
        return delete(topic, topic, k.name())
    if what == 3:
        return delete(topic, to=next(i for i in k.ids if i != k.controller))
    if what == 4:
        low, high = k.range("DeleteTopics")
        return {
            f"v{v}": k.ask(
                "DeleteTopics",
                (
                    {"Topics": [{"Name": k.topic()}], "TimeoutMs": 5000}
                    if v >= 6
                    else {"TopicNames": [k.topic()], "TimeoutMs": 5000}
                ),
                v=v,
                to=k.controller,
            )
            for v in range(low, high + 1)
        }
    known = k.ask("Metadata", {"Topics": [{"Name": topic}]}, v=10)["Topics"][0]["TopicId"]
    return [
        k.ask(
            "DeleteTopics",
            {"Topics": [{"Name": None, "TopicId": i}], "TimeoutMs": 5000},
            v=6,
            to=k.controller,
        )
        for i in (known, "11111111-1111-1111-1111-111111111111")
    ]


@each(
    "create-partitions",
    {
        "more": (3,),
        "same": (1,),
        "fewer": (0,),
        "negative": (-1,),
        "assigned": (2, [[1]]),
        "assigned-unknown-broker": (2, [[99]]),
        "assigned-wrong-count": (3, [[1]]),
        "assigned-other-factor": (2, [[0, 1]]),
        "assigned-twice": (2, [[0, 0]]),
        "unknown-topic": (3, None, 1),
        "not-controller": (3, None, 2),
        "validate-only": (3, None, 3),
        "topic-twice": (3, None, 4),
    },
    texts=True,
)
def _(k, count, rows=None, what=0):
    k.version("CreatePartitions")
    topic = k.name() if what == 1 else k.topic()
    new = {
        "Name": topic,
        "Count": count,
        "Assignments": rows and [{"BrokerIds": [k.ids[b] if b < 9 else b for b in r]} for r in rows],
    }
    got = k.ask(
        "CreatePartitions",
        {"Topics": [new] * (2 if what == 4 else 1), "TimeoutMs": 5000, "ValidateOnly": what == 3},
        to=next(i for i in k.ids if i != k.controller) if what == 2 else k.controller,
    )
    time.sleep(0.3)
    after = (
        k.ask("Metadata", {"Topics": [{"Name": topic}]}, v=1)["Topics"][0]
        if what != 1
        else {"Partitions": []}
    )
    return {"answer": got, "partitions": len(after["Partitions"])}
