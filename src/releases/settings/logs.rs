//! Settings of brokers: the logs.

use Allowed::{Any, AtLeast, Between, Gzip, OneOf, Release};
use DefaultText::{Is, Null};
use Dynamic::{BySynonym, Never, Since};

use super::{
    ANY, AT_LEAST_0, AT_LEAST_1, Allowed, CODECS, DefaultText, Dynamic, MESSAGE_FORMATS, Setting,
    settings,
};
use crate::releases::first::{V0_10, V0_11, V1_1, V2_0, V2_1, V2_3, V2_5, V3_3, V3_6, V3_8};

settings! {
    LOGS;
    "compression.gzip.level": Int, "", Since(V3_8),
        &[(V3_8, Is("-1"))], &[(V0_10, Gzip)],
        "Level of gzip when a broker compresses.";
    "compression.lz4.level": Int, "", Since(V3_8),
        &[(V3_8, Is("9"))], &[(V0_10, Between(1, 17))],
        "Level of lz4 when a broker compresses.";
    "compression.type": String, "", Since(V1_1),
        &[(V0_10, Is("producer"))], &[(V0_10, Any), (V3_3, OneOf(CODECS))],
        "Codec in which a broker stores batches; producer keeps what was sent.";
    "compression.zstd.level": Int, "", Since(V3_8),
        &[(V3_8, Is("3"))], &[(V0_10, Between(-131072, 22))],
        "Level of zstd when a broker compresses.";
    "log.cleaner.backoff.ms": Long, "", Since(V1_1),
        &[(V0_10, Is("15000"))], AT_LEAST_0,
        "Pause of a cleaner that found nothing to compact.";
    "log.cleaner.dedupe.buffer.size": Long, "", Since(V1_1),
        &[(V0_10, Is("134217728"))], ANY,
        "Memory of all cleaners for keys.";
    "log.cleaner.delete.retention.ms": Long, "", Since(V1_1),
        &[(V0_10, Is("86400000"))], &[(V0_10, Any), (V3_3, AtLeast(0))],
        "Time for which tombstones of compacted topics stay.";
    "log.cleaner.enable": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether logs are compacted.";
    "log.cleaner.io.buffer.load.factor": Double, "", Since(V1_1),
        &[(V0_10, Is("0.9"))], ANY,
        "Share of the memory for keys that is filled.";
    "log.cleaner.io.buffer.size": Int, "", Since(V1_1),
        &[(V0_10, Is("524288"))], AT_LEAST_0,
        "Memory of all cleaners for reading and writing.";
    "log.cleaner.io.max.bytes.per.second": Double, "", Since(V1_1),
        &[(V0_10, Is("1.7976931348623157E308"))], ANY,
        "Most bytes that cleaners read and write in a second.";
    "log.cleaner.max.compaction.lag.ms": Long, "", Since(V2_3),
        &[(V2_3, Is("9223372036854775807"))], &[(V0_10, Any), (V3_3, AtLeast(1))],
        "Longest time for which a record stays uncompacted.";
    "log.cleaner.min.cleanable.ratio": Double, "", Since(V1_1),
        &[(V0_10, Is("0.5"))], &[(V0_10, Any), (V3_3, Between(0, 1))],
        "Share of a log that has to be uncompacted before it is compacted.";
    "log.cleaner.min.compaction.lag.ms": Long, "", Since(V1_1),
        &[(V0_10, Is("0"))], &[(V0_10, Any), (V3_3, AtLeast(0))],
        "Shortest time for which a record stays uncompacted.";
    "log.cleaner.threads": Int, "", Since(V1_1),
        &[(V0_10, Is("1"))], AT_LEAST_0,
        "Threads that compact logs.";
    "log.cleanup.policy": List, "", Since(V1_1),
        &[(V0_10, Is("delete"))], &[(V0_10, OneOf(&["compact", "delete"]))],
        "What is done with old segments: delete, compact or both.";
    "log.dir": String, "", Never,
        &[(V0_10, Is("/tmp/kafka-logs"))], ANY,
        "Directory of the logs, if log.dirs names none.";
    "log.dir.failure.timeout.ms": Long, "", Never,
        &[(V3_8, Is("30000"))], AT_LEAST_1,
        "Time for telling the controller of a failed log directory, with KRaft.";
    "log.dirs": String, "log.dir", Never,
        &[(V0_10, Null)], ANY,
        "Directories of the logs.";
    "log.flush.interval.messages": Long, "", Since(V1_1),
        &[(V0_10, Is("9223372036854775807"))], AT_LEAST_1,
        "Records after which a log is flushed to the disk.";
    "log.flush.interval.ms": Long, "log.flush.scheduler.interval.ms", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Time after which a log is flushed to the disk.";
    "log.flush.offset.checkpoint.interval.ms": Int, "", Never,
        &[(V0_10, Is("60000"))], AT_LEAST_0,
        "Time between writes of the recovery points.";
    "log.flush.scheduler.interval.ms": Long, "", Never,
        &[(V0_10, Is("9223372036854775807"))], ANY,
        "Time between looks for logs to flush.";
    "log.flush.start.offset.checkpoint.interval.ms": Int, "", Never,
        &[(V0_11, Is("60000"))], AT_LEAST_0,
        "Time between writes of the log start offsets.";
    "log.index.interval.bytes": Int, "", Since(V1_1),
        &[(V0_10, Is("4096"))], AT_LEAST_0,
        "Bytes between two entries of the offset index.";
    "log.index.size.max.bytes": Int, "", Since(V1_1),
        &[(V0_10, Is("10485760"))], &[(V0_10, AtLeast(4))],
        "Most bytes of the offset index.";
    "log.local.retention.bytes": Long, "", Since(V3_6),
        &[(V3_6, Is("-2"))], &[(V0_10, AtLeast(-2))],
        "Bytes that stay on the broker of a log with remote storage.";
    "log.local.retention.ms": Long, "", Since(V3_6),
        &[(V3_6, Is("-2"))], &[(V0_10, AtLeast(-2))],
        "Time for which segments of a log with remote storage stay on the broker.";
    "log.message.downconversion.enable": Boolean, "", Since(V2_0),
        &[(V2_0, Is("true"))], ANY,
        "Whether batches are converted for old consumers.";
    "log.message.format.version": String, "", Never,
        MESSAGE_FORMATS,
        &[(V0_10, Any), (V2_1, Release)],
        "Release whose message format is stored.";
    "log.message.timestamp.after.max.ms": Long, "", Since(V3_6),
        &[(V3_6, Is("9223372036854775807"))], AT_LEAST_0,
        "How far a record's time may be ahead of the broker's.";
    "log.message.timestamp.before.max.ms": Long, "", Since(V3_6),
        &[(V3_6, Is("9223372036854775807"))], AT_LEAST_0,
        "How far a record's time may be behind the broker's.";
    "log.message.timestamp.difference.max.ms": Long, "", Since(V1_1),
        &[(V0_10, Is("9223372036854775807"))],
        &[(V0_10, AtLeast(0)), (V0_11, Any), (V3_3, AtLeast(0))],
        "How far a record's time may be from the broker's.";
    "log.message.timestamp.type": String, "", Since(V1_1),
        &[(V0_10, Is("CreateTime"))], &[(V0_10, OneOf(&["CreateTime", "LogAppendTime"]))],
        "Whether a record has its producer's time or that of the append.";
    "log.preallocate": Boolean, "", Since(V1_1),
        &[(V0_10, Is("false"))], ANY,
        "Whether files of segments are created in full size.";
    "log.retention.bytes": Long, "", Since(V1_1),
        &[(V0_10, Is("-1"))], ANY,
        "Bytes of a partition above which old segments are deleted.";
    "log.retention.check.interval.ms": Long, "", Never,
        &[(V0_10, Is("300000"))], AT_LEAST_1,
        "Time between looks for segments to delete.";
    "log.retention.hours": Int, "", BySynonym,
        &[(V0_10, Is("168"))], ANY,
        "Hours after which segments are deleted.";
    "log.retention.minutes": Int, "log.retention.hours", BySynonym,
        &[(V0_10, Null)], ANY,
        "Minutes after which segments are deleted, before log.retention.hours.";
    "log.retention.ms": Long, "log.retention.minutes", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Milliseconds after which segments are deleted, before log.retention.minutes.";
    "log.roll.hours": Int, "", BySynonym,
        &[(V0_10, Is("168"))], AT_LEAST_1,
        "Hours after which a new segment begins.";
    "log.roll.jitter.hours": Int, "", BySynonym,
        &[(V0_10, Is("0"))], AT_LEAST_0,
        "Most hours by which a new segment begins earlier, at random.";
    "log.roll.jitter.ms": Long, "log.roll.jitter.hours", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Most milliseconds by which a new segment begins earlier, at random.";
    "log.roll.ms": Long, "log.roll.hours", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Milliseconds after which a new segment begins.";
    "log.segment.bytes": Int, "", Since(V1_1),
        &[(V0_10, Is("1073741824"))], &[(V0_10, AtLeast(14))],
        "Most bytes of a segment.";
    "log.segment.delete.delay.ms": Long, "", Since(V1_1),
        &[(V0_10, Is("60000"))], AT_LEAST_0,
        "Time until files of deleted segments are removed.";
    "message.max.bytes": Int, "", Since(V1_1),
        &[(V0_10, Is("1000012")), (V2_5, Is("1048588"))], AT_LEAST_0,
        "Most bytes of a batch of records.";
}
