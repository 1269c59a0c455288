"""Configs, log directories, elections, reassignments, quotas; ACLs and SASL without either."""

import time

from checks.fetch import filled
from registry import answers, check, each


def configs(k, kind, name, keys=None, v=None, to=None):
    got = k.ask(
        "DescribeConfigs",
        {"Resources": [{"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}]},
        v=v,
        to=to,
    )
    for result in got["Results"] if isinstance(got, dict) else ():
        result["ResourceName"] = "id" if kind in (4, 8) else result["ResourceName"]
        rows = sorted(result["Configs"] or [], key=lambda c: c["Name"])
        result["Configs"] = {
            c["Name"]: {
                "value": c["Value"],
                "ro": c["ReadOnly"],
                "default": c.get("IsDefault"),
                "source": c.get("ConfigSource"),
                "sensitive": c["IsSensitive"],
                "type": c.get("ConfigType"),
            }
            for c in rows
        }
    return got


VARIES = (
    "advertised.",
    "listener",
    "port",
    "host.name",
    "zookeeper.connect",
    "log.dir",
    "broker.id",
    "log.cleaner.dedupe",
    "group.initial",
    "num.partitions",
    "log.message.timestamp.difference",
    "offsets.topic",
    "transaction.state.log",
)


@check("configs.topic-all-names")
def _(k):
    return sorted(configs(k, 2, k.topic())["Results"][0]["Configs"])


@check("configs.topic-all")
def _(k):
    return configs(k, 2, k.topic(), v=0)


@check("configs.topic-all-sources-and-types")
def _(k):
    k.version("DescribeConfigs", 1)
    return configs(k, 2, k.topic(configs={"retention.ms": "5000"}))


@check("configs.broker-all-names")
def _(k):
    return sorted(configs(k, 4, str(k.ids[0]))["Results"][0]["Configs"])


@check("configs.broker-defaults")
def _(k):
    rows = configs(k, 4, str(k.ids[0]), v=0)["Results"][0]["Configs"]
    return {n: r for n, r in rows.items() if not n.startswith(VARIES)}


@check("configs.broker-sources-and-types")
def _(k):
    k.version("DescribeConfigs", 1)
    rows = configs(k, 4, str(k.ids[0]))["Results"][0]["Configs"]
    return {
        n: [r["source"], r["type"], r["ro"], r["sensitive"]]
        for n, r in rows.items()
        if not n.startswith(VARIES)
    }


@each(
    "configs.describe",
    {
        "unknown-topic": (2, "missing"),
        "invalid-topic": (2, "a b"),
        "broker-other": (4, "1"),
        "broker-not-a-number": (4, "x"),
        "broker-unknown": (4, "77"),
        "broker-empty": (4, ""),
        "type-1": (1, "x"),
        "logger": (8, "0"),
        "some-keys": (2, "keys"),
        "unknown-keys": (2, "nokeys"),
        "no-keys": (2, "none"),
        "group": (32, "g"),
        "empty-topic": (2, ""),
    },
    texts=True,
)
def _(k, kind, name):
    keys = {"keys": ["retention.ms", "cleanup.policy"], "nokeys": ["no.such"], "none": []}.get(name)
    who = (
        k.name()
        if name == "missing"
        else (
            k.topic()
            if "key" in name or name == "none"
            else str(k.ids[int(name)]) if name in ("0", "1") else name
        )
    )
    got = configs(k, kind, who, keys)
    for r in got["Results"] if isinstance(got, dict) else ():
        r["Configs"] = len(r["Configs"]) > 0 if keys is None else r["Configs"]
    return got


@check("configs.synonyms-and-documentation")
def _(k):
    got = k.ask(
        "DescribeConfigs",
        {
            "Resources": [
                {
                    "ResourceType": 2,
                    "ResourceName": k.topic(configs={"retention.ms": "7"}),
                    "ConfigurationKeys": ["retention.ms", "min.insync.replicas", "segment.bytes"],
                }
            ],
            "IncludeSynonyms": True,
            "IncludeDocumentation": True,
        },
        v=min(3, k.version("DescribeConfigs", 1) + 2 if k.range("DescribeConfigs")[1] >= 3 else 1),
    )
    for row in got["Results"][0]["Configs"] if isinstance(got, dict) else ():
        row["Documentation"] = bool(row.get("Documentation"))
    return got if isinstance(got, str) else sorted(got["Results"][0]["Configs"], key=lambda c: c["Name"])


def kept(k, topic):
    rows = configs(
        k,
        2,
        topic,
        ["retention.ms", "cleanup.policy", "segment.bytes"],
        v=1 if k.range("DescribeConfigs")[1] >= 1 else 0,
    )
    return (
        {n: r["value"] for n, r in rows["Results"][0]["Configs"].items()} if isinstance(rows, dict) else rows
    )


@each(
    "configs.alter",
    {
        "good": {"retention.ms": "99"},
        "unknown": {"no.such": "1"},
        "bad-value": {"retention.ms": "soon"},
        "null": {"retention.ms": None},
        "empty-value": {"retention.ms": ""},
        "out-of-range": {"segment.bytes": "-5"},
        "unknown-topic": {"T": 0},
        "validate-only": {"retention.ms": "99", "V": 1},
        "nothing": {},
        "broker-read-only": {"B": "log.dirs"},
        "broker-dynamic": {"B": "log.cleaner.threads"},
        "type-1": {"T": 1},
    },
    texts=True,
)
def _(k, what):
    k.version("AlterConfigs")
    what, topic = dict(what), k.topic(configs={"cleanup.policy": "compact"})
    validate, where, broker = what.pop("V", 0), what.pop("T", None), what.pop("B", None)
    resource = {
        "ResourceType": 4 if broker else 1 if where == 1 else 2,
        "ResourceName": str(k.ids[0]) if broker else k.name() if where == 0 else topic,
        "Configs": [{"Name": n, "Value": v} for n, v in ({broker: "2"} if broker else what).items()],
    }
    got = k.ask(
        "AlterConfigs", {"Resources": [resource], "ValidateOnly": bool(validate or broker)}, to=k.ids[0]
    )
    time.sleep(0.3)
    for r in got["Responses"] if isinstance(got, dict) else ():
        r["ResourceName"] = "id" if broker else r["ResourceName"]
    return {"answer": got, "then": kept(k, topic)}


@each(
    "configs.incremental",
    {
        "set": [("retention.ms", 0, "99")],
        "delete": [("cleanup.policy", 1, None)],
        "delete-unset": [("retention.ms", 1, None)],
        "append": [("cleanup.policy", 2, "delete")],
        "append-same": [("cleanup.policy", 2, "compact")],
        "subtract": [("cleanup.policy", 3, "compact")],
        "append-to-number": [("retention.ms", 2, "1")],
        "bad-operation": [("retention.ms", 9, "1")],
        "twice": [("retention.ms", 0, "1"), ("retention.ms", 0, "2")],
        "unknown": [("no.such", 0, "1")],
        "bad-value": [("retention.ms", 0, "soon")],
        "null": [("retention.ms", 0, None)],
    },
    texts=True,
)
def _(k, changes):
    k.version("IncrementalAlterConfigs")
    topic = k.topic(configs={"cleanup.policy": "compact"})
    rows = [{"Name": n, "ConfigOperation": o, "Value": v} for n, o, v in changes]
    got = k.ask(
        "IncrementalAlterConfigs",
        {"Resources": [{"ResourceType": 2, "ResourceName": topic, "Configs": rows}]},
    )
    time.sleep(0.3)
    return {"answer": got, "then": kept(k, topic)}


@check("log-dirs")
def _(k):
    topic = filled(k, 2)

    def pick(got):
        for r in got["Results"]:
            r["LogDir"] = r["LogDir"][:1]
            r["Topics"] = [t for t in r["Topics"] if t["Name"] == topic]
            for f in ("TotalBytes", "UsableBytes"):
                if f in r:
                    r[f] = r[f] > 0
        return got

    out = {
        "one": answers(k, "DescribeLogDirs", {"Topics": [{"Topic": topic, "Partitions": [0, 4]}]}, pick=pick),
        "all": answers(k, "DescribeLogDirs", {"Topics": None}, pick=pick),
    }
    out["alter"] = [
        k.ask("AlterReplicaLogDirs", {"Dirs": [{"Path": p, "Topics": [{"Name": n, "Partitions": [0]}]}]})
        for p, n in (("/no/such", topic), ("relative", topic), ("/no/such", "none"))
    ]
    return out


@each(
    "elect-leaders",
    {
        "not-needed": (0, 0, 0),
        "unclean-not-needed": (1, 0, 0),
        "unknown-partition": (0, 5, 0),
        "unknown-topic": (0, 0, 1),
        "not-controller": (0, 0, 2),
        "bad-type": (7, 0, 0),
        "all": (0, 0, 3),
        "every-version": (0, 0, 4),
    },
    texts=True,
)
def _(k, kind, partition, what):
    k.version("ElectLeaders")
    topic = k.name() if what == 1 else k.topic(on=[0, 1])
    body = {
        "TopicPartitions": None if what == 3 else [{"Topic": topic, "Partitions": [partition]}],
        "TimeoutMs": 5000,
    }
    to = next(i for i in k.ids if i != k.controller) if what == 2 else k.controller
    if what == 4:
        return answers(k, "ElectLeaders", body, to=to)
    got = k.ask(
        "ElectLeaders", body if k.version("ElectLeaders") < 1 else {**body, "ElectionType": kind}, to=to
    )
    return (
        got
        if what != 3 or isinstance(got, str)
        else {**got, "ReplicaElectionResults": len(got["ReplicaElectionResults"])}
    )


@each(
    "reassign",
    {
        "move": ([1],),
        "grow": ([0, 1],),
        "same": ([0],),
        "empty": ([],),
        "unknown-broker": ([99],),
        "twice": ([1, 1],),
        "cancel-none": (None,),
        "negative": ([-1],),
        "unknown-topic": ([1], 1),
        "not-controller": ([1], 2),
        "unknown-partition": ([1], 3),
    },
    texts=True,
)
def _(k, replicas, what=0):
    k.version("AlterPartitionReassignments")
    topic = k.name() if what == 1 else k.topic()
    part = {
        "PartitionIndex": 6 if what == 3 else 0,
        "Replicas": replicas if replicas is None else [k.ids[r] if 0 <= r < 9 else r for r in replicas],
    }
    to = next(i for i in k.ids if i != k.controller) if what == 2 else k.controller
    got = k.ask(
        "AlterPartitionReassignments",
        {"TimeoutMs": 5000, "Topics": [{"Name": topic, "Partitions": [part]}]},
        to=to,
    )
    time.sleep(2)
    rows = (
        k.ask("Metadata", {"Topics": [{"Name": topic}]}, v=1, to=to)["Topics"][0]["Partitions"]
        if what != 1
        else []
    )
    return {
        "answer": got,
        "then": [r["ReplicaNodes"] for r in rows]
        and [
            {"ReplicaNodes": r["ReplicaNodes"], "IsrNodes": sorted(r["IsrNodes"]), "LeaderId": r["LeaderId"]}
            for r in rows
        ],
        "list": k.ask(
            "ListPartitionReassignments",
            {"TimeoutMs": 5000, "Topics": [{"Name": topic, "PartitionIndexes": [0]}]},
            to=to,
        ),
        "all": k.ask("ListPartitionReassignments", {"TimeoutMs": 5000, "Topics": None}, to=to),
    }


@check("acls-without-authorizer", texts=True)
def _(k):
    rule = {
        "ResourceType": 2,
        "ResourceName": "t",
        "Principal": "User:a",
        "Host": "*",
        "Operation": 3,
        "PermissionType": 3,
        "ResourcePatternType": 3,
    }
    any_of = {"ResourceTypeFilter": 1, "PatternTypeFilter": 1, "Operation": 1, "PermissionType": 1}
    return {
        "describe": k.ask("DescribeAcls", any_of),
        "create": k.ask("CreateAcls", {"Creations": [rule]}),
        "delete": k.ask("DeleteAcls", {"Filters": [any_of]}),
    }


@check("sasl-without-sasl")
def _(k):
    out = {
        f"handshake v{v}": k.ask("SaslHandshake", {"Mechanism": "PLAIN"}, v=v, fresh=True)
        for v in range(k.range("SaslHandshake")[1] + 1)
    }
    if k.apis.get("36"):
        out["authenticate"] = k.ask("SaslAuthenticate", {"AuthBytes": b"\0a\0b"}, fresh=True)
    return out


@check("quotas", texts=True)
def _(k):
    k.version("AlterClientQuotas")
    who = {"Entity": [{"EntityType": "client-id", "EntityName": k.name("c")}]}

    def alter(key, value, entity=who, **more):
        got = k.ask(
            "AlterClientQuotas",
            {"Entries": [{**entity, "Ops": [{"Key": key, "Value": value, **more}]}]},
            to=k.controller,
        )
        return got

    def found():
        time.sleep(0.3)
        return k.ask(
            "DescribeClientQuotas",
            {
                "Components": [
                    {"EntityType": "client-id", "MatchType": 0, "Match": who["Entity"][0]["EntityName"]}
                ],
                "Strict": True,
            },
        )

    return {
        "none": found(),
        "set": alter("producer_byte_rate", 1000.0),
        "one": found(),
        "bad key": alter("no_such", 1.0),
        "bad type": alter("producer_byte_rate", 1.0, {"Entity": [{"EntityType": "no", "EntityName": "x"}]}),
        "no entity": alter("producer_byte_rate", 1.0, {"Entity": []}),
        "remove": alter("producer_byte_rate", 0.0, Remove=True),
        "gone": found(),
    }
