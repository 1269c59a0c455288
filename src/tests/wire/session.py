"""One run of the checks against one cluster: connections, questions, and what is left of an answer for comparison.

What may differ between two runs is normalised (`Session.tidy`): broker ids become B0, B1, B2 in order (the
controller's `broker`: it may be any); ids of producers, members, topics and sessions become numbered names; times
become `now` or `base+N`; an error's text becomes `text`, but for checks made with texts=True, which give a second
value NAME.text with the words that tools print to users.
"""

import json
import re
import socket
import struct
import time
import uuid

from records import read_batches
from registry import CHECKS, Skip
from schema import APIS, ERRORS, answer, frame

# Highest versions that checks take unless they are about a version: above them ids say what names say here.
CAP = {
    "Produce": 9,
    "Fetch": 12,
    "ListOffsets": 6,
    "Metadata": 11,
    "FindCoordinator": 3,
    "OffsetFetch": 7,
    "AddPartitionsToTxn": 3,
    "DeleteTopics": 5,
    "DescribeConfigs": 4,
    "OffsetCommit": 8,
    "DescribeGroups": 5,
    "ListGroups": 4,
    "InitProducerId": 4,
    "EndTxn": 3,
    "TxnOffsetCommit": 3,
    "JoinGroup": 9,
    "DescribeCluster": 0,
    "DescribeLogDirs": 4,
    "ListTransactions": 0,
}
BROKERS = {
    "NodeId",
    "ControllerId",
    "LeaderId",
    "BrokerId",
    "ReplicaNodes",
    "IsrNodes",
    "OfflineReplicas",
    "Replicas",
    "AddingReplicas",
    "RemovingReplicas",
    "CoordinatorId",
    "PreferredReadReplica",
}
ALIASES = {
    "ProducerId": "producer",
    "MemberId": "member",
    "Leader": "member",
    "TopicId": "topic-id",
    "SessionId": "session",
}
# Brokers lists these in no order that a client could know.
UNORDERED = {"Brokers", "Members"}
NO_ID = str(uuid.UUID(int=0))
DROPPED = {"ThrottleTimeMs", "ClusterId", "Host", "Port", "NodeEndpoints"}


class Conn:
    """One connection: requests in Kafka's frames."""

    def __init__(self, address, timeout):
        self.socket, self.timeout = socket.create_connection(address, timeout), timeout

    def send(self, data):
        self.socket.sendall(struct.pack(">i", len(data)) + data)

    def bytes(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def receive(self, timeout=None):
        self.socket.settimeout(timeout or self.timeout)
        try:
            return self.bytes(struct.unpack(">i", self.bytes(4))[0])
        except (ConnectionError, BrokenPipeError):
            return "closed"
        except TimeoutError:
            return "silent"

    def ask(self, api, v, body, timeout=None):
        try:
            self.send(frame(api, v, body))
        except (ConnectionError, BrokenPipeError):
            return "closed"
        data = self.receive(timeout)
        if isinstance(data, str):
            return data
        try:
            return answer(api, v, data)
        except (ValueError, struct.error, UnicodeDecodeError) as why:
            return f"undecodable: {why}"

    def close(self):
        self.socket.close()


class Session:
    """One run against one cluster."""

    def __init__(self, bootstrap, apis, timeout, patience=20, hopeless=None):
        self.run, self.timeout, self.apis = uuid.uuid4().hex[:6], timeout, apis
        self.patience = patience
        self.base = int(time.time() * 1000) - 3_600_000
        self.hopeless = set() if hopeless is None else hopeless  # kinds of coordinator that there are not
        end = time.time() + 60
        while True:  # until all three are there
            first = self.connect_to(bootstrap[0])
            metadata = first.ask("Metadata", 1, {"Topics": []})
            first.close()
            if isinstance(metadata, dict) and len(metadata["Brokers"]) > 2 and metadata["ControllerId"] >= 0:
                break
            if time.time() > end:
                raise SystemExit(f"not three brokers with a controller: {metadata}")
            time.sleep(0.5)
        self.brokers = {
            b["NodeId"]: (b["Host"], b["Port"])
            for b in sorted(metadata["Brokers"], key=lambda b: b["NodeId"])
        }
        self.ids = list(self.brokers)
        self.controller = metadata["ControllerId"]
        self.offered = self.api_versions()
        self.apis = apis or self.offered
        self.fresh("")

    def fresh(self, check):
        self.check, self.count, self.aliases, self.conns, self.open, self.words, self.lacks = (
            check,
            0,
            {},
            {},
            [],
            [],
            set(),
        )

    def api_versions(self):
        rows = Conn(self.brokers[self.ids[0]], self.timeout).ask("ApiVersions", 0, {})["ApiKeys"]
        return {str(r["ApiKey"]): [r["MinVersion"], r["MaxVersion"]] for r in rows}

    def connect_to(self, address):
        return Conn(address, self.timeout)

    def connect(self, broker=None):
        conn = self.connect_to(self.brokers[self.ids[0] if broker is None else broker])
        self.open.append(conn)
        return conn

    def done(self):
        for conn in self.open + list(self.conns.values()):
            conn.close()

    def range(self, api):
        row = self.apis.get(str(APIS[api]["key"]))
        if not row:
            raise Skip(api)
        return row

    def version(self, api, v=None):
        low, high = self.range(api)
        if v is not None and not low <= v <= high:
            raise Skip(f"{api} {v}")
        return min(high, CAP.get(api, 99)) if v is None else v

    def ask(self, api, body=None, v=None, to=None, timeout=None, fresh=False):
        """One request on a connection that is kept; the answer, or `closed` or `silent`."""
        v = self.version(api, v)
        if str(APIS[api]["key"]) not in self.offered:
            self.lacks.add(api)
        to = self.ids[0] if to is None else to
        if fresh or to not in self.conns:
            self.conns[to] = self.connect(to)
        got = self.conns[to].ask(api, v, body or {}, timeout)
        if isinstance(got, str):
            self.conns.pop(to)
        return got

    def name(self, label="t"):
        self.count += 1
        return f"{label}{self.count}-{self.run}-{re.sub('[^a-zA-Z0-9]+', '-', self.check)}"[:200]

    def create(self, topics, v=None, only=False):
        return self.ask(
            "CreateTopics",
            {"Topics": topics, "timeoutMs": 5000, "validateOnly": only},
            v=v,
            to=self.controller,
            timeout=15,
        )

    def topic(self, partitions=1, replicas=None, configs=None, on=None):
        """Makes a topic with replicas on the first broker, or on `on` (indices); all brokers know its leaders."""
        name, nodes = self.name(), [self.ids[i] for i in (on or [0])]
        made = self.create(
            [
                {
                    "Name": name,
                    "NumPartitions": -1,
                    "ReplicationFactor": -1,
                    "Assignments": [{"PartitionIndex": p, "BrokerIds": nodes} for p in range(partitions)],
                    "Configs": [{"Name": k, "Value": v} for k, v in (configs or {}).items()],
                }
            ]
        )
        assert isinstance(made, dict) and made["Topics"][0]["ErrorCode"] == 0, f"no topic: {made}"
        self.settle(name)
        return name

    def settle(self, name, seconds=10):
        end = time.time() + seconds
        for broker in self.ids:
            while time.time() < end:
                got = self.ask("Metadata", {"Topics": [{"Name": name}]}, v=1, to=broker)
                rows = got["Topics"][0]["Partitions"] if isinstance(got, dict) else []
                if rows and all(r["ErrorCode"] == 0 and r["LeaderId"] in self.ids for r in rows):
                    break
                time.sleep(0.05)

    def produce(
        self, topic, records, acks=-1, v=None, partition=0, to=None, txn=None, timeout=5000, wait=None
    ):
        body = {
            "Acks": acks,
            "TimeoutMs": timeout,
            "TopicData": [{"Name": topic, "PartitionData": [{"Index": partition, "Records": records}]}],
        }
        if txn:
            body["TransactionalId"] = txn
        got = self.ask("Produce", body, v=v, to=to, timeout=wait)
        return (
            got
            if isinstance(got, str)
            else got["Responses"][0]["PartitionResponses"][0] if got["Responses"] else got
        )

    def fetch(
        self,
        topic,
        offset=0,
        v=None,
        partition=0,
        to=None,
        most=1 << 20,
        part_most=1 << 20,
        isolation=0,
        wait=0,
        least=1,
        replica=-1,
        epoch=-1,
        more=None,
    ):
        part = {
            "Partition": partition,
            "FetchOffset": offset,
            "PartitionMaxBytes": part_most,
            "CurrentLeaderEpoch": epoch,
        }
        body = {
            "ReplicaId": replica,
            "MaxWaitMs": wait,
            "MinBytes": least,
            "MaxBytes": most,
            "IsolationLevel": isolation,
            "SessionEpoch": -1,
            "Topics": [{"Topic": topic, "Partitions": [part]}],
        }
        body.update(more or {})
        got = self.ask("Fetch", body, v=v, to=to)
        if isinstance(got, str) or got.get("ErrorCode") or not got["Responses"]:
            return got
        return self.read(got["Responses"][0]["Partitions"][0])

    def read(self, row):
        return {**row, "Records": read_batches(row["Records"])}

    def offsets(
        self, topic, timestamp, v=None, partition=0, to=None, isolation=0, replica=-1, epoch=-1, most=1
    ):
        part = {
            "PartitionIndex": partition,
            "Timestamp": timestamp,
            "CurrentLeaderEpoch": epoch,
            "MaxNumOffsets": most,
        }
        got = self.ask(
            "ListOffsets",
            {
                "ReplicaId": replica,
                "IsolationLevel": isolation,
                "Topics": [{"Name": topic, "Partitions": [part]}],
            },
            v=v,
            to=to,
        )
        return got if isinstance(got, str) else got["Topics"][0]["Partitions"][0]

    def coordinator(self, key, kind=0):
        """The coordinator of a group, or with kind 1 of a transactional id. Waited for once where there is none."""
        end = time.time() + (0 if kind in self.hopeless else self.patience)
        while True:
            got = self.ask(
                "FindCoordinator", {"Key": key, "KeyType": kind} if kind else {"Key": key}, v=1 if kind else 0
            )
            if isinstance(got, dict) and got["ErrorCode"] == 0 and got["NodeId"] >= 0:
                return got["NodeId"]
            if isinstance(got, str) or time.time() > end:
                self.hopeless.add(kind)
                self.lacks.add("transaction coordinator" if kind else "group coordinator")
                raise AssertionError(f"no coordinator: {got if isinstance(got, str) else got['ErrorCode']}")
            time.sleep(0.1)

    def tidy(self, value, field=""):
        """What is left when all is gone that may vary."""
        if isinstance(value, dict):
            return {k: self.tidy(v, str(k)) for k, v in value.items() if k not in DROPPED}
        if isinstance(value, (list, tuple)):
            rows = [self.tidy(item, field) for item in value]
            return sorted(rows, key=json.dumps) if field in UNORDERED else rows
        if isinstance(value, (bytes, bytearray)):
            return value.hex()
        if isinstance(value, bool) or value is None and not field.endswith("ErrorMessage"):
            return value
        if field.endswith("ErrorCode") and isinstance(value, int):
            return f"{value} {ERRORS.get(value, '?')}"
        if field.endswith("ErrorMessage"):
            if value:  # null or empty: told apart by one check of its own
                self.words.append(self.tidy(value))
            return "text" if value else ""
        if field in BROKERS and value in self.ids:
            return "broker" if field == "ControllerId" else f"B{self.ids.index(value)}"
        if field in ALIASES and (
            len(value) > 9 and value != NO_ID
            if isinstance(value, str)
            else value > 0 or field == "ProducerId" and value == 0
        ):
            return self.aliases.setdefault(
                value,
                f"{ALIASES[field]} {1 + sum(a.startswith(ALIASES[field]) for a in self.aliases.values())}",
            )
        if isinstance(value, int):
            for shown, near in (("base", 100_000),):
                if abs(value - self.base) < near:
                    return f"{shown}+{value - self.base}"
            return "now" if abs(value - self.base - 3_600_000) < 3_000_000 else value
        if isinstance(value, str):
            value = value.replace(self.run, "RUN")
            for alias in sorted(map(str, self.aliases), key=len, reverse=True):
                if len(alias) > 8:
                    value = value.replace(alias, "ID")
        return value


def perform(session, name):
    """The values of a check by name: its own, and its texts."""
    function, texts = CHECKS[name]
    session.fresh(name)
    try:
        value = json.loads(json.dumps(session.tidy(function(session))))
    except Skip:
        return {}
    except (
        AssertionError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OSError,
        ValueError,
        struct.error,
    ) as why:
        value = f"could not be asked: {type(why).__name__}: {session.tidy(str(why))}"[:300]
    finally:
        session.done()
    return {name: value, **({name + ".text": session.words} if texts and session.words else {})}
