//! What a topic may set for itself; the second column is the broker's setting that is its default.

use Allowed::{Any, AtLeast, Between, Gzip, OneOf, Release, Throttled};
use DefaultText::Is;
use Dynamic::Never;

use super::{
    ANY, AT_LEAST_0, AT_LEAST_1, Allowed, CODECS, DefaultText, Dynamic, MESSAGE_FORMATS,
    OLD_CODECS, Setting, settings,
};
use crate::releases::first::{V0_10, V0_11, V2_0, V2_1, V2_2, V2_3, V2_5, V3_3, V3_6, V3_8, V3_9};

settings! {
    TOPIC;
    "cleanup.policy": List, "log.cleanup.policy", Never,
        &[(V0_10, Is("delete"))], &[(V0_10, OneOf(&["compact", "delete"]))],
        "What is done with old segments: delete, compact or both.";
    "compression.gzip.level": Int, "compression.gzip.level", Never,
        &[(V3_8, Is("-1"))], &[(V0_10, Gzip)],
        "Level of gzip when a broker compresses.";
    "compression.lz4.level": Int, "compression.lz4.level", Never,
        &[(V3_8, Is("9"))], &[(V0_10, Between(1, 17))],
        "Level of lz4 when a broker compresses.";
    "compression.type": String, "compression.type", Never,
        &[(V0_10, Is("producer"))], &[(V0_10, OneOf(OLD_CODECS)), (V2_1, OneOf(CODECS))],
        "Codec in which a broker stores batches; producer keeps what was sent.";
    "compression.zstd.level": Int, "compression.zstd.level", Never,
        &[(V3_8, Is("3"))], &[(V0_10, Between(-131072, 22))],
        "Level of zstd when a broker compresses.";
    "delete.retention.ms": Long, "log.cleaner.delete.retention.ms", Never,
        &[(V0_10, Is("86400000"))], AT_LEAST_0,
        "Time for which tombstones of a compacted topic stay.";
    "file.delete.delay.ms": Long, "log.segment.delete.delay.ms", Never,
        &[(V0_10, Is("60000"))], AT_LEAST_0,
        "Time until files of deleted segments are removed.";
    "flush.messages": Long, "log.flush.interval.messages", Never,
        &[(V0_10, Is("9223372036854775807"))], &[(V0_10, AtLeast(0)), (V3_3, AtLeast(1))],
        "Records after which the log is flushed to the disk.";
    "flush.ms": Long, "log.flush.interval.ms", Never,
        &[(V0_10, Is("9223372036854775807"))], AT_LEAST_0,
        "Time after which the log is flushed to the disk.";
    "follower.replication.throttled.replicas": List, "", Never,
        &[(V0_10, Is(""))], &[(V0_10, Throttled)],
        "Replicas whose fetching counts for the quota of replication.";
    "index.interval.bytes": Int, "log.index.interval.bytes", Never,
        &[(V0_10, Is("4096"))], AT_LEAST_0,
        "Bytes between two entries of the offset index.";
    "leader.replication.throttled.replicas": List, "", Never,
        &[(V0_10, Is(""))], &[(V0_10, Throttled)],
        "Replicas whose answers count for the quota of replication.";
    "local.retention.bytes": Long, "log.local.retention.bytes", Never,
        &[(V3_6, Is("-2"))], &[(V0_10, AtLeast(-2))],
        "Bytes that stay on the broker when there is remote storage.";
    "local.retention.ms": Long, "log.local.retention.ms", Never,
        &[(V3_6, Is("-2"))], &[(V0_10, AtLeast(-2))],
        "Time for which segments stay on the broker when there is remote storage.";
    "max.compaction.lag.ms": Long, "log.cleaner.max.compaction.lag.ms", Never,
        &[(V2_3, Is("9223372036854775807"))], AT_LEAST_1,
        "Longest time for which a record stays uncompacted.";
    "max.message.bytes": Int, "message.max.bytes", Never,
        &[(V0_10, Is("1000012")), (V2_5, Is("1048588"))], AT_LEAST_0,
        "Most bytes of a batch of records.";
    "message.downconversion.enable": Boolean, "log.message.downconversion.enable", Never,
        &[(V2_0, Is("true"))], ANY,
        "Whether batches are converted for old consumers.";
    "message.format.version": String, "log.message.format.version", Never,
        MESSAGE_FORMATS,
        &[(V0_10, Any), (V2_1, Release)],
        "Release whose message format is stored.";
    "message.timestamp.after.max.ms": Long, "log.message.timestamp.after.max.ms", Never,
        &[(V3_6, Is("9223372036854775807"))], AT_LEAST_0,
        "How far a record's time may be ahead of the broker's.";
    "message.timestamp.before.max.ms": Long, "log.message.timestamp.before.max.ms", Never,
        &[(V3_6, Is("9223372036854775807"))], AT_LEAST_0,
        "How far a record's time may be behind the broker's.";
    "message.timestamp.difference.max.ms": Long, "log.message.timestamp.difference.max.ms", Never,
        &[(V0_10, Is("9223372036854775807"))], AT_LEAST_0,
        "How far a record's time may be from the broker's.";
    "message.timestamp.type": String, "log.message.timestamp.type", Never,
        &[(V0_10, Is("CreateTime"))],
        &[(V0_10, Any), (V2_0, OneOf(&["CreateTime", "LogAppendTime"]))],
        "Whether a record has its producer's time or that of the append.";
    "min.cleanable.dirty.ratio": Double, "log.cleaner.min.cleanable.ratio", Never,
        &[(V0_10, Is("0.5"))], &[(V0_10, Between(0, 1))],
        "Share of the log that has to be uncompacted before it is compacted.";
    "min.compaction.lag.ms": Long, "log.cleaner.min.compaction.lag.ms", Never,
        &[(V0_10, Is("0"))], AT_LEAST_0,
        "Shortest time for which a record stays uncompacted.";
    "min.insync.replicas": Int, "min.insync.replicas", Never,
        &[(V0_10, Is("1"))], AT_LEAST_1,
        "Replicas in sync without which acks=all is refused.";
    "preallocate": Boolean, "log.preallocate", Never,
        &[(V0_10, Is("false"))], ANY,
        "Whether files of segments are created in full size.";
    "remote.log.copy.disable": Boolean, "", Never,
        &[(V3_9, Is("false"))], ANY,
        "Whether nothing more is copied to remote storage.";
    "remote.log.delete.on.disable": Boolean, "", Never,
        &[(V3_9, Is("false"))], ANY,
        "Whether remote data is deleted when remote storage is switched off.";
    "remote.storage.enable": Boolean, "", Never,
        &[(V3_6, Is("false"))], ANY,
        "Whether the topic has remote storage.";
    "retention.bytes": Long, "log.retention.bytes", Never,
        &[(V0_10, Is("-1"))], ANY,
        "Bytes of a partition above which old segments are deleted.";
    "retention.ms": Long, "log.retention.ms", Never,
        &[(V0_10, Is("604800000"))], &[(V0_10, Any), (V2_2, AtLeast(-1))],
        "Time after which segments are deleted.";
    "segment.bytes": Int, "log.segment.bytes", Never,
        &[(V0_10, Is("1073741824"))], &[(V0_10, AtLeast(14))],
        "Most bytes of a segment.";
    "segment.index.bytes": Int, "log.index.size.max.bytes", Never,
        &[(V0_10, Is("10485760"))], &[(V0_10, AtLeast(0)), (V3_3, AtLeast(4))],
        "Most bytes of the offset index.";
    "segment.jitter.ms": Long, "log.roll.jitter.ms", Never,
        &[(V0_10, Is("0"))], AT_LEAST_0,
        "Most milliseconds by which a segment begins earlier, at random.";
    "segment.ms": Long, "log.roll.ms", Never,
        &[(V0_10, Is("604800000"))], &[(V0_10, AtLeast(0)), (V2_0, AtLeast(1))],
        "Time after which a new segment begins.";
    "unclean.leader.election.enable": Boolean, "unclean.leader.election.enable", Never,
        &[(V0_10, Is("true")), (V0_11, Is("false"))], ANY,
        "Whether a replica that is not in sync may become leader.";
}
