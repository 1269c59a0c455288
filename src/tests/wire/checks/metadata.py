"""ApiVersions, Metadata and DescribeCluster."""

import re

from registry import answers, check, each
from schema import NAMES


@check("api-versions.table")
def _(k):
    return {NAMES.get(int(key), key): f"{low}-{high}" for key, (low, high) in k.api_versions().items()}


@each("api-versions", {"too-new": 99, "v0": 0, "v1": 1, "v2": 2, "v3": 3})
def _(k, v):
    if v != 99:
        k.version("ApiVersions", v)
    body = {"ClientSoftwareName": "wire", "ClientSoftwareVersion": "1"} if v >= 3 else {}
    got = k.connect().ask("ApiVersions", v, body)
    if isinstance(got, dict):
        got["ApiKeys"] = (
            [r for r in got["ApiKeys"] if r["ApiKey"] == 18] if v == 99 else len(got["ApiKeys"]) > 0
        )
        got = {f: got[f] for f in got if f in ("ErrorCode", "ApiKeys", "bytes too many")}
    return got


@check("api-versions.bad-client-name")
def _(k):
    return {
        n: k.ask("ApiVersions", {"ClientSoftwareName": n, "ClientSoftwareVersion": "1"}, v=3).get("ErrorCode")
        for n in ("", "a b", "-a", "a.b-c1")
    }


@each(
    "metadata.every-version",
    {
        "existing": 1,
        "missing": 0,
        "invalid-name": "a b",
        "empty-name": "",
        "too-long-name": "x" * 250,
        "dot": ".",
        "none": [],
        "all": None,
    },
)
def _(k, what):
    made = k.topic(2, on=[0, 1, 2])
    name = made if what == 1 else k.name() if what == 0 else what
    auto = {"AllowAutoTopicCreation": False}

    def ask(v):
        if isinstance(what, list) or what is None:
            return {"Topics": [] if what is not None or v == 0 else None, **auto}
        return {"Topics": [{"Name": name}], **auto}

    def pick(got):
        if what is None or what == []:
            return {**got, "Topics": len(got["Topics"]) > 0}
        for t in got["Topics"]:
            t["Partitions"].sort(key=lambda p: p["PartitionIndex"])
        return got

    if what in (0, "") or isinstance(what, str):
        if what == 0:
            k.version("Metadata", 4)
        low, high = k.range(
            "Metadata"
        )  # up to version 3 a request makes the topic: only from 4 can it be asked not to
        return {f"v{v}": k.ask("Metadata", ask(v), v=v) for v in range(4 if what == 0 else low, high + 1)}
    return answers(k, "Metadata", ask, pick=pick)


@check("metadata.auto-create")
def _(k):
    out = {}
    for who, to in {"controller": k.controller, "other": next(i for i in k.ids if i != k.controller)}.items():
        name = k.name()
        first = k.ask("Metadata", {"Topics": [{"Name": name}]}, v=1, to=to)
        k.settle(name)
        row = k.ask("Metadata", {"Topics": [{"Name": name}]}, v=1)["Topics"][0]
        out[who] = {
            "first": first["Topics"],
            "then": [
                row["ErrorCode"],
                row["IsInternal"],
                len(row["Partitions"]),
                len(row["Partitions"][0]["ReplicaNodes"]),
            ],
        }
    return out


@check("metadata.authorized-operations")
def _(k):
    got = k.ask(
        "Metadata",
        {
            "Topics": [{"Name": k.topic()}],
            "IncludeClusterAuthorizedOperations": True,
            "IncludeTopicAuthorizedOperations": True,
        },
        v=8,
    )
    return [got["ClusterAuthorizedOperations"], got["Topics"][0]["TopicAuthorizedOperations"]]


@check("metadata.controller-is-a-broker")
def _(k):
    got = [k.ask("Metadata", {"Topics": []}, v=1, to=b) for b in k.ids]
    return {
        "same everywhere": len({g["ControllerId"] for g in got}) == 1,
        "one of them": got[0]["ControllerId"] in k.ids,
        "rack": got[0]["Brokers"][0]["Rack"],
    }


@check("metadata.cluster-id")
def _(k):
    got = [k.ask("Metadata", {"Topics": []}, v=2, to=b)["ClusterId"] for b in k.ids]
    return {
        "same": len(set(got)) == 1,
        "length": len(got[0] or ""),
        "base64": bool(re.fullmatch(r"[\w-]{22}", got[0] or "")),
    }


@check("metadata.by-topic-id")
def _(k):
    known = k.ask("Metadata", {"Topics": [{"Name": k.topic()}]}, v=10)["Topics"][0]["TopicId"]
    return {
        label: k.ask("Metadata", {"Topics": [{"TopicId": i, "Name": None}]}, v=12).get("Topics")
        for label, i in {"known": known, "unknown": "11111111-1111-1111-1111-111111111111"}.items()
    }


@check("metadata.duplicates-and-order")
def _(k):
    a, b = k.topic(), k.topic()
    got = k.ask("Metadata", {"Topics": [{"Name": n} for n in (b, a, b)]}, v=1)
    return sorted(t["Name"].split("-")[0] for t in got["Topics"])


@check("describe-cluster", texts=True)
def _(k):
    return answers(
        k,
        "DescribeCluster",
        lambda v: {"IncludeClusterAuthorizedOperations": True, **({"EndpointType": 2} if v == 1 else {})},
        pick=lambda g: g,
    )
