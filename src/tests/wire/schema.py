"""Kafka's requests and answers as bytes, by schema.txt: made by hand, so that they can be wrong."""

import pathlib
import re
import struct
import uuid

ERRORS = dict(enumerate("""
    NONE OFFSET_OUT_OF_RANGE CORRUPT_MESSAGE UNKNOWN_TOPIC_OR_PARTITION INVALID_FETCH_SIZE
    LEADER_NOT_AVAILABLE NOT_LEADER REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE REPLICA_NOT_AVAILABLE
    MESSAGE_TOO_LARGE STALE_CONTROLLER_EPOCH OFFSET_METADATA_TOO_LARGE NETWORK_EXCEPTION
    COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR INVALID_TOPIC
    RECORD_LIST_TOO_LARGE NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND INVALID_REQUIRED_ACKS
    ILLEGAL_GENERATION INCONSISTENT_GROUP_PROTOCOL INVALID_GROUP_ID UNKNOWN_MEMBER_ID
    INVALID_SESSION_TIMEOUT REBALANCE_IN_PROGRESS INVALID_COMMIT_OFFSET_SIZE TOPIC_AUTHORIZATION_FAILED
    GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED INVALID_TIMESTAMP UNSUPPORTED_SASL_MECHANISM
    ILLEGAL_SASL_STATE UNSUPPORTED_VERSION TOPIC_ALREADY_EXISTS INVALID_PARTITIONS
    INVALID_REPLICATION_FACTOR INVALID_REPLICA_ASSIGNMENT INVALID_CONFIG NOT_CONTROLLER INVALID_REQUEST
    UNSUPPORTED_FOR_MESSAGE_FORMAT POLICY_VIOLATION OUT_OF_ORDER_SEQUENCE DUPLICATE_SEQUENCE
    INVALID_PRODUCER_EPOCH INVALID_TXN_STATE INVALID_PRODUCER_ID_MAPPING INVALID_TRANSACTION_TIMEOUT
    CONCURRENT_TRANSACTIONS TRANSACTION_COORDINATOR_FENCED TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    SECURITY_DISABLED OPERATION_NOT_ATTEMPTED KAFKA_STORAGE_ERROR LOG_DIR_NOT_FOUND
    SASL_AUTHENTICATION_FAILED UNKNOWN_PRODUCER_ID REASSIGNMENT_IN_PROGRESS DELEGATION_TOKEN_AUTH_DISABLED
    DELEGATION_TOKEN_NOT_FOUND DELEGATION_TOKEN_OWNER_MISMATCH DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    DELEGATION_TOKEN_AUTHORIZATION_FAILED DELEGATION_TOKEN_EXPIRED INVALID_PRINCIPAL_TYPE NON_EMPTY_GROUP
    GROUP_ID_NOT_FOUND FETCH_SESSION_ID_NOT_FOUND INVALID_FETCH_SESSION_EPOCH LISTENER_NOT_FOUND
    TOPIC_DELETION_DISABLED FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH UNSUPPORTED_COMPRESSION_TYPE
    STALE_BROKER_EPOCH OFFSET_NOT_AVAILABLE MEMBER_ID_REQUIRED PREFERRED_LEADER_NOT_AVAILABLE
    GROUP_MAX_SIZE_REACHED FENCED_INSTANCE_ID ELIGIBLE_LEADERS_NOT_AVAILABLE ELECTION_NOT_NEEDED
    NO_REASSIGNMENT_IN_PROGRESS GROUP_SUBSCRIBED_TO_TOPIC INVALID_RECORD UNSTABLE_OFFSET_COMMIT
    THROTTLING_QUOTA_EXCEEDED PRODUCER_FENCED RESOURCE_NOT_FOUND DUPLICATE_RESOURCE UNACCEPTABLE_CREDENTIAL
    INCONSISTENT_VOTER_SET INVALID_UPDATE_VERSION FEATURE_UPDATE_FAILED PRINCIPAL_DESERIALIZATION_FAILURE
    SNAPSHOT_NOT_FOUND POSITION_OUT_OF_RANGE UNKNOWN_TOPIC_ID DUPLICATE_BROKER_REGISTRATION
    BROKER_ID_NOT_REGISTERED INCONSISTENT_TOPIC_ID INCONSISTENT_CLUSTER_ID TRANSACTIONAL_ID_NOT_FOUND
    FETCH_SESSION_TOPIC_ID_ERROR
    """.split()))
ERRORS[-1] = "UNKNOWN_SERVER_ERROR"


class Range:
    def __init__(self, text):
        low, dash, high = text.partition("-")
        self.low, self.high = (
            (1, 0)
            if text == "none"
            else (int(text[:-1]), 99) if text.endswith("+") else (int(low), int(high or low))
        )

    def __contains__(self, version):
        return self.low <= version <= self.high


class Field:
    def __init__(self, name):
        self.name, self.arrays, self.type, self.fields = name, 0, None, None
        self.versions = self.null = self.tagged = self.flexible = Range("none")
        self.tag, self.default = None, None


def parse(text, at=0):
    fields = []
    word = re.compile(r"[^@?#=!\s}]*")
    while at < len(text) and text[at] != "}":
        if text[at] == " ":
            at += 1
            continue
        colon = text.index(":", at)
        field, at = Field(text[at:colon]), colon + 1
        while text.startswith("[]", at):
            field.arrays, at = field.arrays + 1, at + 2
        if text[at] == "{":
            field.fields, at = parse(text, at + 1)
            at += 1
        else:
            field.type = word.match(text, at).group()
            at += len(field.type)
        while at < len(text) and text[at] in "@?#=!":
            mark, value = text[at], word.match(text, at + 1).group()
            at += 1 + len(value)
            if mark == "@" and field.tag is not None:
                field.tagged = Range(value)
            elif mark == "@":
                field.versions = Range(value)
            elif mark == "?":
                field.null = Range(value)
            elif mark == "#":
                field.tag = int(value)
            elif mark == "=":
                field.default = value
            else:
                field.flexible = Range(value)
        fields.append(field)
    return fields, at


APIS, NAMES = {}, {}
for line in (pathlib.Path(__file__).parent / "schema.txt").read_text().splitlines():
    key, name, kind, _, flexible, rest = (line + " ").split(" ", 5)
    APIS.setdefault(name, {"key": int(key), "flexible": Range(flexible)})[kind] = parse(rest)[0]
    NAMES[int(key)] = name

INTEGERS = {
    "int8": ">b",
    "int16": ">h",
    "int32": ">i",
    "int64": ">q",
    "uint16": ">H",
    "uint32": ">I",
    "float64": ">d",
    "bool": ">?",
}


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint((n << 1) ^ (n >> 63))


def default(field):
    d = field.default
    if field.arrays:
        return None if d == "null" else []
    if field.fields:
        return None if d == "null" else {}
    if field.type in INTEGERS:
        return d == "true" if field.type == "bool" else int(d or "0", 0)
    return {"uuid": "00000000-0000-0000-0000-000000000000"}.get(
        field.type, None if d == "null" else "" if field.type == "string" else b""
    )


def encode_value(field, value, v, flexible, depth=0):
    if field.arrays > depth:
        if value is None:
            return b"\0" if flexible else b"\xff\xff\xff\xff"
        head = varint(len(value) + 1) if flexible else struct.pack(">i", len(value))
        return head + b"".join(encode_value(field, item, v, flexible, depth + 1) for item in value)
    if field.fields:
        if field.null.high >= 0 and v in field.null and not depth:
            return b"\xff" if value is None else b"\1" + encode(field.fields, value, v, flexible)
        return encode(field.fields, value, v, flexible)
    if field.type in INTEGERS:
        return struct.pack(INTEGERS[field.type], value)
    if field.type == "uuid":
        return uuid.UUID(value).bytes
    data = value.encode() if isinstance(value, str) else value
    if flexible and field.flexible.low <= v or flexible and field.flexible.high == 0:
        return b"\0" if data is None else varint(len(data) + 1) + data
    size = ">h" if field.type == "string" else ">i"
    return struct.pack(size, -1) if data is None else struct.pack(size, len(data)) + data


def encode(fields, body, v, flexible):
    unknown = set(body) - {f.name for f in fields}
    assert not unknown, f"no field {unknown} among {[f.name for f in fields]}"
    out, tags = b"", {}
    for field in fields:
        value = body.get(field.name, default(field))
        if flexible and v in field.tagged:
            if field.name in body:
                tags[field.tag] = encode_value(field, value, v, flexible)
        elif v in field.versions:
            out += encode_value(field, value, v, flexible)
    if flexible:
        out += varint(len(tags)) + b"".join(varint(t) + varint(len(d)) + d for t, d in sorted(tags.items()))
    return out


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise ValueError(f"{n} bytes wanted at {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        shift = n = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    def value(self, field, v, flexible, depth=0):
        if field.arrays > depth:
            n = self.varint() - 1 if flexible else self.number(">i")
            return None if n < 0 else [self.value(field, v, flexible, depth + 1) for _ in range(n)]
        if field.fields:
            if v in field.null and not depth and self.number(">b") < 0:
                return None
            return self.fields(field.fields, v, flexible)
        if field.type in INTEGERS:
            return self.number(INTEGERS[field.type])
        if field.type == "uuid":
            return str(uuid.UUID(bytes=self.take(16)))
        if flexible and field.flexible.high == 0:
            n = self.varint() - 1
        else:
            n = self.number(">h" if field.type == "string" else ">i")
        data = None if n < 0 else self.take(n)
        return data.decode() if field.type == "string" and data is not None else data

    def fields(self, fields, v, flexible):
        out = {
            f.name: self.value(f, v, flexible)
            for f in fields
            if v in f.versions and not (flexible and v in f.tagged)
        }
        if flexible:
            known = {f.tag: f for f in fields if v in f.tagged}
            for _ in range(self.varint()):
                tag, data = self.varint(), Reader(self.take(self.varint()))
                if tag in known:
                    out[known[tag].name] = data.value(known[tag], v, flexible)
                else:
                    out[f"tag {tag}"] = data.data.hex()
        return out


def frame(api, v, body, correlation=1, client="wire"):
    known = APIS[api]
    flexible = v in known["flexible"]
    head = (
        struct.pack(">hhi", known["key"], v, correlation)
        + struct.pack(">h", len(client))
        + client.encode()
        + (b"\0" if flexible else b"")
    )
    return head + encode(known["request"], body, v, flexible)


def answer(api, v, data):
    reader, flexible = Reader(data), v in APIS[api]["flexible"]
    reader.number(">i")
    if api == "ApiVersions":
        try:
            return whole(reader, api, v, flexible)
        except ValueError:  # the answer to an unknown version comes in version 0
            reader, flexible, v = Reader(data[4:]), False, 0
    elif flexible:
        for _ in range(reader.varint()):
            reader.varint(), reader.take(reader.varint())
    return whole(reader, api, v, flexible)


def whole(reader, api, v, flexible):
    out = reader.fields(APIS[api]["response"], v, flexible)
    if reader.at < len(reader.data):
        if api == "ApiVersions":
            raise ValueError("more")
        out["bytes too many"] = len(reader.data) - reader.at
    return out
