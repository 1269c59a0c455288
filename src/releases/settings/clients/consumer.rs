//! Settings of consumers.

use Allowed::{Any, AtLeast, NonEmpty, OneOf};
use DefaultText::{Is, Null, Required};
use Dynamic::Never;

use super::super::{ANY, AT_LEAST_0, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{V0_10, V0_11, V1_1, V2_0, V2_2, V2_3, V2_6, V2_7, V3_0, V3_3, V3_7};

settings! {
    CONSUMER;
    "allow.auto.create.topics": Boolean, "", Never,
        &[(V2_3, Is("true"))], ANY,
        "Whether a subscription may create topics that there are not, as far as brokers do \
         that.";
    "auto.commit.interval.ms": Int, "", Never,
        &[(V0_10, Is("5000"))], AT_LEAST_0,
        "Time between two commits of offsets, with enable.auto.commit.";
    "auto.offset.reset": String, "", Never,
        &[(V0_10, Is("latest"))], &[(V0_10, OneOf(&["latest", "earliest", "none"]))],
        "Where a partition is read from that has no committed offset, or one that is not in the \
         log.";
    "bootstrap.servers": List, "", Never,
        &[(V0_10, Required), (V1_1, Is(""))], ANY,
        "Brokers that are asked first for the cluster.";
    "check.crcs": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether the checksums of what is read are checked.";
    "client.rack": String, "", Never,
        &[(V2_3, Is(""))], ANY,
        "Rack of the client, for reading from a replica nearby.";
    "connections.max.idle.ms": Long, "", Never,
        &[(V0_10, Is("540000"))], ANY,
        "Time after which an idle connection is closed.";
    "default.api.timeout.ms": Int, "", Never,
        &[(V2_0, Is("60000"))], AT_LEAST_0,
        "Longest time of a call that is given no time of its own.";
    "enable.auto.commit": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether offsets are committed from time to time and at the end.";
    "exclude.internal.topics": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether a pattern leaves out internal topics.";
    "fetch.max.bytes": Int, "", Never,
        &[(V0_10, Is("52428800"))], AT_LEAST_0,
        "Most bytes of an answer to a fetch; the first batch comes whole.";
    "fetch.max.wait.ms": Int, "", Never,
        &[(V0_10, Is("500"))], AT_LEAST_0,
        "Longest time that a broker waits for fetch.min.bytes.";
    "fetch.min.bytes": Int, "", Never,
        &[(V0_10, Is("1"))], AT_LEAST_0,
        "Bytes that a broker waits for before it answers a fetch.";
    "group.id": String, "", Never,
        &[(V0_10, Is("")), (V2_2, Null)], ANY,
        "Name of the group; without one there are no commits.";
    "group.instance.id": String, "", Never,
        &[(V2_3, Null)], &[(V2_3, Any), (V3_3, NonEmpty)],
        "Name of a static member, which keeps its partitions across a restart.";
    "group.protocol": String, "", Never,
        &[(V3_7, Is("classic"))], &[(V3_7, OneOf(&["CLASSIC", "CONSUMER"]))],
        "Protocol of the group: that of joining and syncing, or KIP-848's.";
    "group.remote.assignor": String, "", Never,
        &[(V3_7, Null)], ANY,
        "Assignor on the coordinator, with KIP-848.";
    "heartbeat.interval.ms": Int, "", Never,
        &[(V0_10, Is("3000"))], ANY,
        "Time between two heartbeats of a member.";
    "interceptor.classes": List, "", Never,
        &[(V0_10, Null), (V1_1, Is(""))], ANY,
        "Classes that see each record as it is sent or read.";
    "internal.leave.group.on.close": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Kafka's own: whether a member leaves the group when it is closed.";
    "internal.throw.on.fetch.stable.offset.unsupported": Boolean, "", Never,
        &[(V2_6, Is("false"))], ANY,
        "Kafka's own: whether it fails where a broker cannot answer stable offsets.";
    "isolation.level": String, "", Never,
        &[(V0_11, Is("read_uncommitted"))],
        &[(V0_11, OneOf(&["read_committed", "read_uncommitted"]))],
        "Whether records of open and aborted transactions are read.";
    "key.deserializer": Class, "", Never,
        &[(V0_10, Required)], ANY,
        "Class that reads keys.";
    "max.partition.fetch.bytes": Int, "", Never,
        &[(V0_10, Is("1048576"))], AT_LEAST_0,
        "Most bytes of a partition in a fetch; the first batch comes whole.";
    "max.poll.interval.ms": Int, "", Never,
        &[(V0_10, Is("300000"))], AT_LEAST_1,
        "Longest time between two poll() calls before the member leaves the group.";
    "max.poll.records": Int, "", Never,
        &[(V0_10, Is("500"))], AT_LEAST_1,
        "Most records that a poll() returns.";
    "metrics.recording.level": String, "", Never,
        &[(V0_10, Is("INFO"))],
        &[(V0_10, OneOf(&["INFO", "DEBUG"])), (V2_7, OneOf(&["INFO", "DEBUG", "TRACE"]))],
        "Which metrics are recorded.";
    "partition.assignment.strategy": List, "", Never,
        &[
            (V0_10, Is("org.apache.kafka.clients.consumer.RangeAssignor")),
            (V3_0, Is("org.apache.kafka.clients.consumer.RangeAssignor,\
                org.apache.kafka.clients.consumer.CooperativeStickyAssignor")),
        ],
        ANY,
        "Assignors that a member offers to its group, the best first.";
    "receive.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("65536"))], &[(V0_10, AtLeast(-1))],
        "Receive buffer of a connection; -1 takes the system's.";
    "request.timeout.ms": Int, "", Never,
        &[(V0_10, Is("305000")), (V2_0, Is("30000"))], AT_LEAST_0,
        "Longest wait for the answer to a request.";
    "session.timeout.ms": Int, "", Never,
        &[(V0_10, Is("10000")), (V3_0, Is("45000"))], ANY,
        "Time without heartbeats after which a member is out of its group.";
    "value.deserializer": Class, "", Never,
        &[(V0_10, Required)], ANY,
        "Class that reads values.";
}
