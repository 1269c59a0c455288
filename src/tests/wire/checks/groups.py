"""Group coordinators: members, offsets, listings."""

import time

from registry import answers, by_index, check, each
from schema import ERRORS, answer, frame


@each(
    "find-coordinator",
    {"group": 0, "txn": 1, "bad-type": 5, "empty-key": "", "every-version": None, "many": 4},
)
def _(k, what):
    if what in (1, 5):
        k.version("FindCoordinator", 1)
    key = k.name("g")
    k.coordinator(key)
    if what == 1:
        k.coordinator(key, 1)

    def found(got):
        return (
            got
            if isinstance(got, str)
            else {
                **got,
                **({"NodeId": got["NodeId"] in k.ids} if "NodeId" in got else {}),
                **(
                    {"Coordinators": [{**c, "NodeId": c["NodeId"] in k.ids} for c in got["Coordinators"]]}
                    if "Coordinators" in got
                    else {}
                ),
            }
        )

    if what is None:
        return answers(
            k, "FindCoordinator", lambda v: {"CoordinatorKeys": [key]} if v >= 4 else {"Key": key}, pick=found
        )
    if what == 4:
        return found(k.ask("FindCoordinator", {"CoordinatorKeys": ["a", "b", "", "a"], "KeyType": 0}, v=4))
    return found(
        k.ask(
            "FindCoordinator",
            {"Key": "" if what == "" else key, **({"KeyType": what} if what in (1, 5) else {})},
        )
    )


class Group:
    def __init__(self, k):
        self.k, self.id = k, k.name("g")
        self.to = k.coordinator(self.id)

    def join(
        self,
        member="",
        v=None,
        protocols=("range",),
        session=10000,
        rebalance=10000,
        instance=None,
        kind="consumer",
        conn=None,
        group=None,
        data="m",
    ):
        v = self.k.version("JoinGroup") if v is None else self.k.version("JoinGroup", v)
        body = {
            "GroupId": self.id if group is None else group,
            "SessionTimeoutMs": session,
            "RebalanceTimeoutMs": rebalance,
            "MemberId": member,
            "ProtocolType": kind,
            "Protocols": [{"Name": p, "Metadata": data.encode()} for p in protocols],
        }
        if instance is not None:
            body["GroupInstanceId"] = instance
        if conn:
            conn.send(frame("JoinGroup", v, body))
            return None
        return self.k.ask("JoinGroup", body, v=v, to=self.to, timeout=8)

    def enter(self, **more):
        """Joins, with the id that a first answer may demand."""
        got = self.join(**more)
        return (
            self.join(member=got["MemberId"], **more)
            if isinstance(got, dict) and got["ErrorCode"] == 79
            else got
        )

    def sync(self, got, assignments=None, **more):
        body = {
            "GroupId": self.id,
            "GenerationId": got["GenerationId"],
            "MemberId": got["MemberId"],
            "Assignments": [
                {"MemberId": m, "Assignment": a.encode()}
                for m, a in (assignments or {got["MemberId"]: "all"}).items()
            ],
            **more,
        }
        if self.k.version("SyncGroup") >= 5 and "ProtocolType" not in body:
            body.update(ProtocolType="consumer", ProtocolName="range")
        return self.k.ask("SyncGroup", body, to=self.to)

    def stable(self, **more):
        got = self.enter(**more)
        self.sync(got)
        return got

    def beat(self, got, **more):
        answer = self.k.ask(
            "Heartbeat",
            {"GroupId": self.id, "GenerationId": got["GenerationId"], "MemberId": got["MemberId"], **more},
            to=self.to,
        )
        return answer if isinstance(answer, str) else f"{answer['ErrorCode']} {ERRORS[answer['ErrorCode']]}"

    def leave(self, *members, v=None):
        v = self.k.version("LeaveGroup") if v is None else v
        body = {
            "GroupId": self.id,
            **(
                {"Members": [{"MemberId": m, "GroupInstanceId": i} for m, i in members]}
                if v >= 3
                else {"MemberId": members[0][0]}
            ),
        }
        return self.k.ask("LeaveGroup", body, v=v, to=self.to)

    def commit(self, topic, offset=5, v=None, partition=0, metadata="", **more):
        part = {"PartitionIndex": partition, "CommittedOffset": offset, "CommittedMetadata": metadata}
        got = self.k.ask(
            "OffsetCommit",
            {"GroupId": self.id, "Topics": [{"Name": topic, "Partitions": [part]}], **more},
            v=v,
            to=self.to,
        )
        return got if isinstance(got, str) else got["Topics"]

    def committed(self, topics, v=None, **more):
        rows = None if topics is None else [{"Name": t, "PartitionIndexes": [0]} for t in topics]
        return self.k.ask("OffsetFetch", {"GroupId": self.id, "Topics": rows, **more}, v=v, to=self.to)


@check("join.every-version")
def _(k):
    low, high = k.range("JoinGroup")
    return {f"v{v}": Group(k).join(v=v) for v in range(low, high + 1)}


@each(
    "join",
    {
        "session-too-short": {"session": 100},
        "session-too-long": {"session": 10**9},
        "unknown-member": {"member": "no"},
        "no-protocols": {"protocols": ()},
        "empty-protocol-type": {"kind": ""},
        "empty-group": {"group": ""},
        "rebalance-minus-1": {"rebalance": -1},
        "rebalance-0": {"rebalance": 0},
        "static": {"instance": "i1"},
        "static-empty-name": {"instance": ""},
        "static-bad-name": {"instance": "a b"},
        "static-unknown-member": {"instance": "i1", "member": "no"},
        "other-protocol-type": {"kind": "connect"},
    },
)
def _(k, more):
    if "instance" in more:
        k.version("JoinGroup", 5)
    if more.get("group") == "":
        return Group(k).join(**more)
    return Group(k).enter(**more)


@each(
    "join.second",
    {"inconsistent-protocols": {"protocols": ("other",)}, "inconsistent-type": {"kind": "connect"}},
)
def _(k, more):
    g = Group(k)
    first = g.stable()
    return {"second": g.enter(**more), "first": g.beat(first)}


@check("join.two-members")
def _(k):
    g = Group(k)
    a = g.stable(protocols=("range", "roundrobin"))
    probe = g.join() if k.version("JoinGroup") >= 4 else None
    conn = k.connect(g.to)
    g.join(member=probe["MemberId"] if probe else "", conn=conn)
    time.sleep(0.3)
    out = {"first join": a, "probe": probe, "beat": g.beat(a)}
    again = g.join(member=a["MemberId"], protocols=("range", "roundrobin"))
    b = answer("JoinGroup", k.version("JoinGroup"), conn.receive())
    out.update(again=again, second=b, **{"beat before sync": g.beat(again)})
    leader, other = (again, b) if again["Leader"] == again["MemberId"] else (b, again)
    conn.send(
        frame(
            "SyncGroup",
            0,
            {"GroupId": g.id, "GenerationId": other["GenerationId"], "MemberId": other["MemberId"]},
        )
    )
    early = conn.receive(0.3)
    out["leader sync"] = g.sync(leader, {leader["MemberId"]: "L", other["MemberId"]: "O"})
    out["other sync"] = answer("SyncGroup", 0, conn.receive()) if early == "silent" else early
    return {
        **out,
        "old generation": g.beat(a),
        "leave": g.leave((b["MemberId"], None)),
        "after": g.beat(again),
    }


@check("join.static-replaces")
def _(k):
    k.version("JoinGroup", 5)
    g = Group(k)
    a = g.enter(instance="one")
    g.sync(a, GroupInstanceId="one")
    b = g.join(instance="one")
    return {
        "first": a,
        "second": b,
        "first beats": g.beat(a, GroupInstanceId="one"),
        "second beats": g.beat(b, GroupInstanceId="one"),
        "without": g.beat(b),
        "other": g.beat(b, GroupInstanceId="two"),
        "leave": g.leave(("", "one"), ("", "no")),
    }


@each("member-calls", {n: n for n in ("sync", "heartbeat", "leave", "commit")})
def _(k, what):
    g, topic = Group(k), k.topic()
    a = g.stable()
    unknown = {**a, "MemberId": "no"}
    old = {**a, "GenerationId": a["GenerationId"] + 5}
    other = Group(k)
    if what == "sync":
        bad = (
            {
                "type": g.sync(a, ProtocolType="connect", ProtocolName="range"),
                "name": g.sync(a, ProtocolType="consumer", ProtocolName="no"),
            }
            if k.version("SyncGroup") >= 5
            else {}
        )
        return {
            "right again": g.sync(a),
            "unknown member": g.sync(unknown),
            "generation": g.sync(old),
            "no group": other.sync(a),
            **bad,
        }
    if what == "heartbeat":
        return {
            "right": g.beat(a),
            "unknown member": g.beat(unknown),
            "generation": g.beat(old),
            "no group": other.beat(a),
            "empty member": g.beat({**a, "MemberId": ""}),
        }
    if what == "leave":
        return {
            "unknown member": g.leave(("no", None)),
            "no group": other.leave(("no", None)),
            "right": g.leave((a["MemberId"], None)),
            "again": g.leave((a["MemberId"], None)),
            "old version": answers(
                k,
                "LeaveGroup",
                lambda v: {"GroupId": g.id, **({"Members": []} if v >= 3 else {"MemberId": "no"})},
                to=g.to,
            ),
        }
    return {
        "right": g.commit(topic, GenerationIdOrMemberEpoch=a["GenerationId"], MemberId=a["MemberId"]),
        "unknown": g.commit(topic, GenerationIdOrMemberEpoch=a["GenerationId"], MemberId="no"),
        "generation": g.commit(
            topic, GenerationIdOrMemberEpoch=a["GenerationId"] + 3, MemberId=a["MemberId"]
        ),
        "simple while members": g.commit(topic),
        "committed": g.committed([topic]),
        "no group": other.commit(topic, GenerationIdOrMemberEpoch=3, MemberId="no"),
    }


@check("member.session-expires")
def _(k):
    g = Group(k)
    a = g.stable(session=6000)
    time.sleep(7.5)
    return {"beat": g.beat(a), "describe": k.ask("DescribeGroups", {"Groups": [g.id]}, v=0, to=g.to)}


@check("commit.every-version")
def _(k):
    g, topic = Group(k), k.topic()
    low, high = k.range("OffsetCommit")
    return {
        f"v{v}": [g.commit(topic, v, v=v), g.committed([topic], v=1) if v else None]
        for v in range(max(1, low), high + 1)
    }


@each(
    "commit",
    {
        "metadata-4096": {"metadata": "x" * 4096},
        "metadata-4097": {"metadata": "x" * 4097},
        "null-metadata": {"metadata": None},
        "unknown-topic": {"topic": 1},
        "unknown-partition": {"partition": 7},
        "negative-offset": {"offset": -1},
        "negative-7": {"offset": -7},
        "wrong-coordinator": {"wrong": 1},
        "empty-group": {"GroupId": ""},
    },
)
def _(k, more):
    g, more = Group(k), dict(more)
    topic = k.name() if more.pop("topic", 0) else k.topic()
    if more.pop("wrong", 0):
        g.to = next(i for i in k.ids if i != g.to)
        return [
            g.commit(topic),
            g.committed([topic], v=1),
            g.join(),
            g.beat({"GenerationId": 1, "MemberId": "no"}),
            k.ask("DescribeGroups", {"Groups": [g.id]}, v=0, to=g.to),
        ]
    return {"commit": g.commit(topic, **more), "fetch": [] if "partition" in more else g.committed([topic])}


@check("offset-fetch.every-version")
def _(k):
    g, topic = Group(k), k.topic()
    g.commit(topic, 5, metadata="m")
    return (
        answers(
            k,
            "OffsetFetch",
            lambda v: (
                {
                    "Groups": [
                        {"GroupId": g.id, "Topics": [{"Name": topic, "PartitionIndexes": [0, 3]}]},
                        {"GroupId": "none", "Topics": None},
                    ]
                }
                if v >= 8
                else {"GroupId": g.id, "Topics": [{"Name": topic, "PartitionIndexes": [0, 3]}]}
            ),
            to=g.to,
        )
        if k.range("OffsetFetch")[0]
        else {
            f"v{v}": k.ask(
                "OffsetFetch",
                {"GroupId": g.id, "Topics": [{"Name": topic, "PartitionIndexes": [0, 3]}]},
                v=v,
                to=g.to,
            )
            for v in range(1, min(7, k.range("OffsetFetch")[1]) + 1)
        }
    )


@check("offset-fetch.all-topics")
def _(k):
    k.version("OffsetFetch", 2)
    g, topic = Group(k), k.topic()
    empty = g.committed(None)
    g.commit(topic)
    return {"none": empty, "all": g.committed(None), "unknown topic": g.committed([k.name()])}


@check("groups.describe-and-list")
def _(k):
    g, h, topic = Group(k), Group(k), k.topic()
    a = g.enter()
    joined = k.ask("DescribeGroups", {"Groups": [g.id]}, v=0, to=g.to)
    g.sync(a)
    h.commit(topic)

    def tidy(got):
        for row in got.get("Groups", []):
            for m in row.get("Members", []):
                m["ClientHost"] = m["ClientHost"][:1]
        return got

    def listed(got):
        return {
            **got,
            "Groups": sorted(
                ([r for r in got["Groups"] if k.run in r["GroupId"] and "groups" in r["GroupId"]]),
                key=lambda r: r["GroupId"],
            ),
        }

    out = {
        "joined": tidy(joined),
        "stable": answers(k, "DescribeGroups", {"Groups": [g.id]}, to=g.to, pick=tidy),
        "simple": k.ask("DescribeGroups", {"Groups": [h.id, k.name("no"), ""]}, v=0, to=g.to),
        "list": answers(k, "ListGroups", {}, to=g.to, pick=listed),
    }
    if k.range("ListGroups")[1] >= 4:
        out["filter"] = {
            s: listed(k.ask("ListGroups", {"StatesFilter": [s]}, v=4, to=g.to))
            for s in ("Stable", "Empty", "Wrong")
        }
    if k.range("DescribeGroups")[1] >= 3:
        out["operations"] = tidy(
            k.ask("DescribeGroups", {"Groups": [g.id], "IncludeAuthorizedOperations": True}, v=3, to=g.to)
        )
    g.leave((a["MemberId"], None))
    return {**out, "left": k.ask("DescribeGroups", {"Groups": [g.id]}, v=0, to=g.to)}


@check("groups.delete")
def _(k):
    g, h, topic = Group(k), Group(k), k.topic()
    g.stable()
    h.commit(topic)
    out = {"answer": k.ask("DeleteGroups", {"GroupsNames": [g.id, h.id, k.name("no"), ""]}, to=g.to)}
    out["answer"]["Results"].sort(key=lambda r: r["GroupId"])
    return {
        **out,
        "offsets": h.committed([topic]),
        "other broker": k.ask(
            "DeleteGroups", {"GroupsNames": [g.id]}, to=next(i for i in k.ids if i != g.to)
        ),
    }


@check("groups.offset-delete")
def _(k):
    g, h, topic = Group(k), Group(k), k.topic()
    h.commit(topic)
    partitions = [{"PartitionIndex": 0}, {"PartitionIndex": 4}]

    def delete(group, to):
        body = {"GroupId": group, "Topics": [{"Name": topic, "Partitions": partitions}]}
        return by_index(k.ask("OffsetDelete", body, to=to))

    g.stable()
    return {
        "simple": delete(h.id, h.to),
        "then": h.committed([topic]),
        "unknown": delete(k.name("no"), h.to),
        "with members": delete(g.id, g.to),
    }


@check("groups.consumer-protocol-off")
def _(k):
    return {
        "beat": k.ask(
            "ConsumerGroupHeartbeat",
            {
                "GroupId": "g",
                "MemberEpoch": 0,
                "RebalanceTimeoutMs": 1000,
                "SubscribedTopicNames": ["t"],
                "TopicPartitions": [],
            },
        ),
        "describe": k.ask("ConsumerGroupDescribe", {"GroupIds": ["g"]}),
    }
