//! Settings of producers.

use Allowed::{Any, AtLeast, Between, Gzip, NonEmpty, OneOf};
use DefaultText::{Gone, Is, Null, Required};
use Dynamic::Never;

use super::super::{ANY, AT_LEAST_0, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{V0_10, V0_11, V1_1, V2_1, V2_5, V2_6, V2_7, V3_0, V3_3, V3_8};

settings! {
    PRODUCER;
    "acks": String, "", Never,
        &[(V0_10, Is("1")), (V3_0, Is("all"))], &[(V0_10, OneOf(&["all", "-1", "0", "1"]))],
        "How many replicas have to have a record before it is acknowledged: none, the leader, \
         or all in the ISR.";
    "batch.size": Int, "", Never,
        &[(V0_10, Is("16384"))], AT_LEAST_0,
        "Bytes after which a batch of a partition is sent without waiting for more.";
    "block.on.buffer.full": Boolean, "", Never,
        &[(V0_10, Is("false")), (V0_11, Gone)], ANY,
        "Whether send() waits while buffer.memory is full; replaced by max.block.ms.";
    "bootstrap.servers": List, "", Never,
        &[(V0_10, Required), (V1_1, Is(""))], ANY,
        "Brokers that are asked first for the cluster.";
    "buffer.memory": Long, "", Never,
        &[(V0_10, Is("33554432"))], AT_LEAST_0,
        "Bytes of records that may wait to be sent; send() blocks above it.";
    "compression.gzip.level": Int, "", Never,
        &[(V3_8, Is("-1"))], &[(V3_8, Gzip)],
        "Level of gzip.";
    "compression.lz4.level": Int, "", Never,
        &[(V3_8, Is("9"))], &[(V3_8, Between(1, 17))],
        "Level of lz4.";
    "compression.type": String, "", Never,
        &[(V0_10, Is("none"))],
        &[(V0_10, Any), (V3_3, OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]))],
        "Codec of batches.";
    "compression.zstd.level": Int, "", Never,
        &[(V3_8, Is("3"))], &[(V3_8, Between(-131072, 22))],
        "Level of zstd.";
    "connections.max.idle.ms": Long, "", Never,
        &[(V0_10, Is("540000"))], ANY,
        "Time after which an idle connection is closed.";
    "delivery.timeout.ms": Int, "", Never,
        &[(V2_1, Is("120000"))], AT_LEAST_0,
        "Longest time from send() to its outcome, with all retries.";
    "enable.idempotence": Boolean, "", Never,
        &[(V0_11, Is("false")), (V3_0, Is("true"))], ANY,
        "Whether each record is written once, in order, though requests are retried.";
    "interceptor.classes": List, "", Never,
        &[(V0_10, Null), (V1_1, Is(""))], ANY,
        "Classes that see each record as it is sent or read.";
    "internal.auto.downgrade.txn.commit": Boolean, "", Never,
        &[(V2_6, Is("false")), (V3_0, Gone)], ANY,
        "Kafka's own: whether offsets of transactions are committed without a member's name to \
         old brokers.";
    "key.serializer": Class, "", Never,
        &[(V0_10, Required)], ANY,
        "Class that writes keys.";
    "linger.ms": Long, "", Never,
        &[(V0_10, Is("0"))], AT_LEAST_0,
        "Time for which a batch waits for more records.";
    "max.block.ms": Long, "", Never,
        &[(V0_10, Is("60000"))], AT_LEAST_0,
        "Longest time that send() and the calls of transactions block.";
    "max.in.flight.requests.per.connection": Int, "", Never,
        &[(V0_10, Is("5"))], AT_LEAST_1,
        "Requests to a broker that may wait for their answers; more than one can reorder.";
    "max.request.size": Int, "", Never,
        &[(V0_10, Is("1048576"))], AT_LEAST_0,
        "Most bytes of a request, and of a record.";
    "metadata.fetch.timeout.ms": Long, "", Never,
        &[(V0_10, Is("60000")), (V0_11, Gone)], AT_LEAST_0,
        "Longest wait for metadata; replaced by max.block.ms.";
    "metadata.max.idle.ms": Long, "", Never,
        &[(V2_5, Is("300000"))], &[(V2_5, AtLeast(5000))],
        "Time after which a topic that is not written to is forgotten.";
    "metrics.recording.level": String, "", Never,
        &[(V0_11, Is("INFO"))],
        &[(V0_11, OneOf(&["INFO", "DEBUG"])), (V2_7, OneOf(&["INFO", "DEBUG", "TRACE"]))],
        "Which metrics are recorded.";
    "partitioner.adaptive.partitioning.enable": Boolean, "", Never,
        &[(V3_3, Is("true"))], ANY,
        "Whether quicker brokers get more of the records without keys.";
    "partitioner.availability.timeout.ms": Long, "", Never,
        &[(V3_3, Is("0"))], AT_LEAST_0,
        "Time without an answer after which a partition gets no records without keys.";
    "partitioner.class": Class, "", Never,
        &[
            (V0_10, Is("org.apache.kafka.clients.producer.internals.DefaultPartitioner")),
            (V3_3, Null),
        ],
        ANY,
        "Class that chooses a record's partition.";
    "partitioner.ignore.keys": Boolean, "", Never,
        &[(V3_3, Is("false"))], ANY,
        "Whether records with keys are spread as those without.";
    "receive.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("32768"))], &[(V0_10, AtLeast(-1))],
        "Receive buffer of a connection; -1 takes the system's.";
    "request.timeout.ms": Int, "", Never,
        &[(V0_10, Is("30000"))], AT_LEAST_0,
        "Longest wait for the answer to a request.";
    "retries": Int, "", Never,
        &[(V0_10, Is("0")), (V2_1, Is("2147483647"))], &[(V0_10, Between(0, 2_147_483_647))],
        "How often a request that failed for a passing reason is sent again.";
    "timeout.ms": Int, "", Never,
        &[(V0_10, Is("30000")), (V0_11, Gone)], AT_LEAST_0,
        "Longest wait of a broker for its followers; replaced by request.timeout.ms.";
    "transaction.timeout.ms": Int, "", Never,
        &[(V0_11, Is("60000"))], ANY,
        "Time after which the coordinator aborts a transaction.";
    "transactional.id": String, "", Never,
        &[(V0_11, Null)], &[(V0_11, NonEmpty)],
        "Name of a transactional producer, which fences its older lives.";
    "value.serializer": Class, "", Never,
        &[(V0_10, Required)], ANY,
        "Class that writes values.";
}
