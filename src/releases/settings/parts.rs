//! Settings of a broker's parts: coordinators, quotas, metrics, remote storage, KRaft's quorum.

use Allowed::{AtLeast, Between, NonEmpty, OneOf};
use DefaultText::{Gone, Is, Null};
use Dynamic::{Never, Since};

use super::{ANY, AT_LEAST_0, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{
    V0_10, V0_11, V1_1, V2_0, V2_1, V2_2, V2_3, V2_5, V2_7, V3_0, V3_3, V3_4, V3_6, V3_7, V3_8,
    V3_9,
};

settings! {
    PARTS;
    "alter.log.dirs.replication.quota.window.num": Int, "", Never,
        &[(V1_1, Is("11"))], AT_LEAST_1,
        "Number of samples kept for the quota of moves between log directories.";
    "alter.log.dirs.replication.quota.window.size.seconds": Int, "", Never,
        &[(V1_1, Is("1"))], AT_LEAST_1,
        "Length of a sample for the quota of moves between log directories.";
    "client.quota.callback.class": Class, "", Never,
        &[(V2_0, Null)], ANY,
        "Class that decides about quotas of clients.";
    "controller.quorum.append.linger.ms": Int, "", Never,
        &[(V3_0, Is("25"))], ANY,
        "Time for which the active controller gathers writes, with KRaft.";
    "controller.quorum.bootstrap.servers": List, "", Never,
        &[(V3_9, Is(""))], &[(V0_10, NonEmpty)],
        "Endpoints from which the controllers are found, with KRaft.";
    "controller.quorum.election.backoff.max.ms": Int, "", Never,
        &[(V3_0, Is("1000"))], ANY,
        "Longest pause before another election, with KRaft.";
    "controller.quorum.election.timeout.ms": Int, "", Never,
        &[(V3_0, Is("1000"))], ANY,
        "Time for an election before it starts again, with KRaft.";
    "controller.quorum.fetch.timeout.ms": Int, "", Never,
        &[(V3_0, Is("2000"))], ANY,
        "Time without an answer to Fetch after which a leader is given up, with KRaft.";
    "controller.quorum.request.timeout.ms": Int, "", Never,
        &[(V3_0, Is("2000"))], ANY,
        "Longest wait for an answer in the quorum, with KRaft.";
    "controller.quorum.retry.backoff.ms": Int, "", Never,
        &[(V3_0, Is("20"))], ANY,
        "Pause before a request in the quorum is repeated, with KRaft.";
    "controller.quorum.voters": List, "", Never,
        &[(V3_0, Is(""))], &[(V0_10, NonEmpty)],
        "The voters as id@host:port, with KRaft.";
    "controller.quota.window.num": Int, "", Never,
        &[(V2_7, Is("11"))], AT_LEAST_1,
        "Number of samples kept for quotas of topic creation and the like.";
    "controller.quota.window.size.seconds": Int, "", Never,
        &[(V2_7, Is("1"))], AT_LEAST_1,
        "Length of a sample for quotas of topic creation and the like.";
    "group.consumer.assignors": List, "", Never,
        &[(V3_7, Is("org.apache.kafka.coordinator.group.assignor.UniformAssignor,org.apache.\
         kafka.coordinator.group.assignor.RangeAssignor"))],
        ANY,
        "Assignors of the new group protocol, as classes.";
    "group.consumer.heartbeat.interval.ms": Int, "", Never,
        &[(V3_7, Is("5000"))], AT_LEAST_1,
        "Time between heartbeats of members of the new group protocol.";
    "group.consumer.max.heartbeat.interval.ms": Int, "", Never,
        &[(V3_7, Is("15000"))], AT_LEAST_1,
        "Largest group.consumer.heartbeat.interval.ms that a group may have.";
    "group.consumer.max.session.timeout.ms": Int, "", Never,
        &[(V3_7, Is("60000"))], AT_LEAST_1,
        "Largest session timeout of the new group protocol.";
    "group.consumer.max.size": Int, "", Never,
        &[(V3_7, Is("2147483647"))], AT_LEAST_1,
        "Most members of a group of the new protocol.";
    "group.consumer.min.heartbeat.interval.ms": Int, "", Never,
        &[(V3_7, Is("5000"))], AT_LEAST_1,
        "Smallest heartbeat interval of the new group protocol.";
    "group.consumer.min.session.timeout.ms": Int, "", Never,
        &[(V3_7, Is("45000"))], AT_LEAST_1,
        "Smallest session timeout of the new group protocol.";
    "group.consumer.session.timeout.ms": Int, "", Never,
        &[(V3_7, Is("45000"))], AT_LEAST_1,
        "Time without heartbeats after which a member of the new protocol is removed.";
    "group.coordinator.append.linger.ms": Int, "", Never,
        &[(V3_8, Is("10"))], AT_LEAST_0,
        "Time for which the new coordinator gathers writes.";
    "group.coordinator.rebalance.protocols": List, "", Never,
        &[(V3_7, Is("classic"))],
        &[(V0_10, OneOf(&["consumer", "classic"])),
          (V3_8, OneOf(&["consumer", "classic", "unknown"])),
          (V3_9, OneOf(&["consumer", "classic", "share", "unknown"]))],
        "Group protocols that are offered.";
    "group.coordinator.threads": Int, "", Never,
        &[(V3_7, Is("1"))], AT_LEAST_1,
        "Threads of the new coordinator.";
    "group.initial.rebalance.delay.ms": Int, "", Never,
        &[(V0_11, Is("3000"))], ANY,
        "Time for which an empty group waits for more members.";
    "group.max.session.timeout.ms": Int, "", Never,
        &[(V0_10, Is("300000")), (V2_3, Is("1800000"))], ANY,
        "Largest session timeout that a member may ask for.";
    "group.max.size": Int, "", Never,
        &[(V2_2, Is("2147483647"))], AT_LEAST_1,
        "Most members of a group.";
    "group.min.session.timeout.ms": Int, "", Never,
        &[(V0_10, Is("6000"))], ANY,
        "Smallest session timeout that a member may ask for.";
    "group.share.delivery.count.limit": Int, "", Never,
        &[(V3_9, Is("5"))], &[(V0_10, Between(2, 10))],
        "Most times that a share group gets a record.";
    "group.share.heartbeat.interval.ms": Int, "", Never,
        &[(V3_9, Is("5000"))], AT_LEAST_1,
        "Time between heartbeats of members of share groups.";
    "group.share.max.groups": Short, "", Never,
        &[(V3_9, Is("10"))], &[(V0_10, Between(1, 100))],
        "Most share groups.";
    "group.share.max.heartbeat.interval.ms": Int, "", Never,
        &[(V3_9, Is("15000"))], AT_LEAST_1,
        "Largest heartbeat interval of share groups.";
    "group.share.max.record.lock.duration.ms": Int, "", Never,
        &[(V3_9, Is("60000"))], &[(V0_10, Between(30000, 3600000))],
        "Longest lock on a record of a share group.";
    "group.share.max.session.timeout.ms": Int, "", Never,
        &[(V3_9, Is("60000"))], AT_LEAST_1,
        "Largest session timeout of share groups.";
    "group.share.max.size": Short, "", Never,
        &[(V3_9, Is("200"))], &[(V0_10, Between(10, 1000))],
        "Most members of a share group.";
    "group.share.min.heartbeat.interval.ms": Int, "", Never,
        &[(V3_9, Is("5000"))], AT_LEAST_1,
        "Smallest heartbeat interval of share groups.";
    "group.share.min.record.lock.duration.ms": Int, "", Never,
        &[(V3_9, Is("15000"))], &[(V0_10, Between(1000, 30000))],
        "Shortest lock on a record of a share group.";
    "group.share.min.session.timeout.ms": Int, "", Never,
        &[(V3_9, Is("45000"))], AT_LEAST_1,
        "Smallest session timeout of share groups.";
    "group.share.partition.max.record.locks": Int, "", Never,
        &[(V3_9, Is("200"))], &[(V0_10, Between(100, 10000))],
        "Most locked records of a partition of a share group.";
    "group.share.record.lock.duration.ms": Int, "", Never,
        &[(V3_9, Is("30000"))], &[(V0_10, Between(1000, 60000))],
        "Lock on a record of a share group.";
    "group.share.session.timeout.ms": Int, "", Never,
        &[(V3_9, Is("45000"))], AT_LEAST_1,
        "Time without heartbeats after which a member of a share group is removed.";
    "kafka.metrics.polling.interval.secs": Int, "", Never,
        &[(V2_1, Is("10"))], AT_LEAST_1,
        "Time between collections of Yammer metrics.";
    "kafka.metrics.reporters": List, "", Never,
        &[(V2_1, Is(""))], ANY,
        "Classes that report Yammer metrics.";
    "metadata.log.dir": String, "", Never,
        &[(V3_0, Null)], ANY,
        "Directory of the metadata log, with KRaft.";
    "metadata.log.max.record.bytes.between.snapshots": Long, "", Never,
        &[(V3_0, Is("20971520"))], AT_LEAST_1,
        "Bytes of the metadata log between snapshots, with KRaft.";
    "metadata.log.max.snapshot.interval.ms": Long, "", Never,
        &[(V3_4, Is("3600000"))], AT_LEAST_0,
        "Longest time between snapshots, with KRaft.";
    "metadata.log.segment.bytes": Int, "", Never,
        &[(V3_0, Is("1073741824"))], &[(V0_10, AtLeast(12))],
        "Most bytes of a segment of the metadata log, with KRaft.";
    "metadata.log.segment.ms": Long, "", Never,
        &[(V3_0, Is("604800000"))], ANY,
        "Time after which the metadata log begins a segment, with KRaft.";
    "metadata.max.idle.interval.ms": Int, "", Never,
        &[(V3_3, Is("500"))], AT_LEAST_0,
        "Time between records that keep the metadata log moving, with KRaft.";
    "metadata.max.retention.bytes": Long, "", Never,
        &[(V3_0, Is("-1")), (V3_4, Is("104857600"))], ANY,
        "Bytes of the metadata log above which old parts are deleted, with KRaft.";
    "metadata.max.retention.ms": Long, "", Never,
        &[(V3_0, Is("604800000"))], ANY,
        "Time for which parts of the metadata log are kept, with KRaft.";
    "metric.reporters": List, "", Since(V1_1),
        &[(V0_10, Is(""))], ANY,
        "Classes that report metrics.";
    "metrics.num.samples": Int, "", Never,
        &[(V0_10, Is("2"))], AT_LEAST_1,
        "Samples of which a metric is made.";
    "metrics.recording.level": String, "", Never,
        &[(V0_10, Is("INFO"))], ANY,
        "Which metrics are recorded.";
    "metrics.sample.window.ms": Long, "", Never,
        &[(V0_10, Is("30000"))], AT_LEAST_1,
        "Length of a sample of a metric.";
    "offset.metadata.max.bytes": Int, "", Never,
        &[(V0_10, Is("4096"))], ANY,
        "Most bytes that may be stored with a committed offset.";
    "offsets.commit.required.acks": Short, "", Never,
        &[(V0_10, Is("-1"))], ANY,
        "Acks of writes of committed offsets.";
    "offsets.commit.timeout.ms": Int, "", Never,
        &[(V0_10, Is("5000"))], AT_LEAST_1,
        "Longest wait until a committed offset is replicated.";
    "offsets.load.buffer.size": Int, "", Never,
        &[(V0_10, Is("5242880"))], AT_LEAST_1,
        "Bytes that are read at once when committed offsets are loaded.";
    "offsets.retention.check.interval.ms": Long, "", Never,
        &[(V0_10, Is("600000"))], AT_LEAST_1,
        "Time between looks for expired offsets.";
    "offsets.retention.minutes": Int, "", Never,
        &[(V0_10, Is("1440")), (V2_0, Is("10080"))], AT_LEAST_1,
        "Time for which offsets of groups without members are kept.";
    "offsets.topic.compression.codec": Int, "", Never,
        &[(V0_10, Is("0"))], ANY,
        "Codec of the offsets topic.";
    "offsets.topic.num.partitions": Int, "", Never,
        &[(V0_10, Is("50"))], AT_LEAST_1,
        "Partitions of the offsets topic.";
    "offsets.topic.replication.factor": Short, "", Never,
        &[(V0_10, Is("3"))], AT_LEAST_1,
        "Replicas of the offsets topic.";
    "offsets.topic.segment.bytes": Int, "", Never,
        &[(V0_10, Is("104857600"))], AT_LEAST_1,
        "Most bytes of a segment of the offsets topic.";
    "producer.id.expiration.ms": Int, "", Since(V3_4),
        &[(V3_4, Is("86400000"))], AT_LEAST_1,
        "Time after which a silent producer's sequence numbers are forgotten.";
    "producer.purgatory.purge.interval.requests": Int, "", Never,
        &[(V0_10, Is("1000"))], ANY,
        "Finished waits of Produce after which they are cleared away.";
    "quota.consumer.default": Long, "", Never,
        &[(V0_10, Is("9223372036854775807")), (V3_0, Gone)], AT_LEAST_1,
        "Most bytes that a client may fetch in a second.";
    "quota.producer.default": Long, "", Never,
        &[(V0_10, Is("9223372036854775807")), (V3_0, Gone)], AT_LEAST_1,
        "Most bytes that a client may write in a second.";
    "quota.window.num": Int, "", Never,
        &[(V0_10, Is("11"))], AT_LEAST_1,
        "Number of samples kept for quotas of clients.";
    "quota.window.size.seconds": Int, "", Never,
        &[(V0_10, Is("1"))], AT_LEAST_1,
        "Length of a sample for quotas of clients.";
    "remote.fetch.max.wait.ms": Int, "", Since(V3_8),
        &[(V3_8, Is("500"))], AT_LEAST_1,
        "Longest wait for records from remote storage.";
    "remote.log.index.file.cache.total.size.bytes": Long, "", Since(V3_7),
        &[(V3_7, Is("1073741824"))], AT_LEAST_1,
        "Memory for indexes from remote storage.";
    "remote.log.manager.copier.thread.pool.size": Int, "", Never,
        &[(V3_9, Is("-1"))], ANY,
        "Threads that copy segments to remote storage.";
    "remote.log.manager.copy.max.bytes.per.second": Long, "", Since(V3_8),
        &[(V3_8, Is("9223372036854775807"))], AT_LEAST_1,
        "Most bytes copied to remote storage in a second.";
    "remote.log.manager.copy.quota.window.num": Int, "", Never,
        &[(V3_8, Is("11"))], AT_LEAST_1,
        "Number of samples kept for the quota of copies to remote storage.";
    "remote.log.manager.copy.quota.window.size.seconds": Int, "", Never,
        &[(V3_8, Is("1"))], AT_LEAST_1,
        "Length of a sample for the quota of copies to remote storage.";
    "remote.log.manager.expiration.thread.pool.size": Int, "", Never,
        &[(V3_9, Is("-1"))], ANY,
        "Threads that delete from remote storage.";
    "remote.log.manager.fetch.max.bytes.per.second": Long, "", Since(V3_8),
        &[(V3_8, Is("9223372036854775807"))], AT_LEAST_1,
        "Most bytes read from remote storage in a second.";
    "remote.log.manager.fetch.quota.window.num": Int, "", Never,
        &[(V3_8, Is("11"))], AT_LEAST_1,
        "Number of samples kept for the quota of reads from remote storage.";
    "remote.log.manager.fetch.quota.window.size.seconds": Int, "", Never,
        &[(V3_8, Is("1"))], AT_LEAST_1,
        "Length of a sample for the quota of reads from remote storage.";
    "remote.log.manager.task.interval.ms": Long, "", Never,
        &[(V3_6, Is("30000"))], AT_LEAST_1,
        "Time between rounds of work for remote storage.";
    "remote.log.manager.thread.pool.size": Int, "", Never,
        &[(V3_6, Is("10"))], AT_LEAST_1,
        "Threads for remote storage.";
    "remote.log.metadata.custom.metadata.max.bytes": Int, "", Never,
        &[(V3_6, Is("128"))], AT_LEAST_0,
        "Most bytes that remote storage may keep with a segment.";
    "remote.log.metadata.manager.class.name": String, "", Never,
        &[(V3_6, Is("org.apache.kafka.server.log.remote.metadata.storage.\
         TopicBasedRemoteLogMetadataManager"))],
        &[(V0_10, NonEmpty)],
        "Class that knows which segments are in remote storage.";
    "remote.log.metadata.manager.class.path": String, "", Never,
        &[(V3_6, Null)], ANY,
        "Class path of remote.log.metadata.manager.class.name.";
    "remote.log.metadata.manager.impl.prefix": String, "", Never,
        &[(V3_6, Is("rlmm.config."))], &[(V0_10, NonEmpty)],
        "Prefix of the settings of remote.log.metadata.manager.class.name.";
    "remote.log.metadata.manager.listener.name": String, "", Never,
        &[(V3_6, Null)], &[(V0_10, NonEmpty)],
        "Listener that remote.log.metadata.manager.class.name uses.";
    "remote.log.reader.max.pending.tasks": Int, "", Never,
        &[(V3_6, Is("100"))], AT_LEAST_1,
        "Most waiting reads from remote storage.";
    "remote.log.reader.threads": Int, "", Never,
        &[(V3_6, Is("10"))], AT_LEAST_1,
        "Threads that read from remote storage.";
    "remote.log.storage.manager.class.name": String, "", Never,
        &[(V3_6, Null)], &[(V0_10, NonEmpty)],
        "Class that stores segments remotely.";
    "remote.log.storage.manager.class.path": String, "", Never,
        &[(V3_6, Null)], ANY,
        "Class path of remote.log.storage.manager.class.name.";
    "remote.log.storage.manager.impl.prefix": String, "", Never,
        &[(V3_6, Is("rsm.config."))], &[(V0_10, NonEmpty)],
        "Prefix of the settings of remote.log.storage.manager.class.name.";
    "remote.log.storage.system.enable": Boolean, "", Never,
        &[(V3_6, Is("false"))], ANY,
        "Whether there is remote storage.";
    "replication.quota.window.num": Int, "", Never,
        &[(V0_10, Is("11"))], AT_LEAST_1,
        "Number of samples kept for quotas of replication.";
    "replication.quota.window.size.seconds": Int, "", Never,
        &[(V0_10, Is("1"))], AT_LEAST_1,
        "Length of a sample for quotas of replication.";
    "telemetry.max.bytes": Int, "", Never,
        &[(V3_7, Is("1048576"))], AT_LEAST_1,
        "Most bytes of metrics that a client may push.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int, "", Never,
        &[(V0_11, Is("60000")), (V2_5, Is("10000"))], AT_LEAST_1,
        "Time between looks for transactions that are over their timeout.";
    "transaction.max.timeout.ms": Int, "", Never,
        &[(V0_11, Is("900000"))], AT_LEAST_1,
        "Largest transaction.timeout.ms that a producer may ask for.";
    "transaction.partition.verification.enable": Boolean, "", Since(V3_6),
        &[(V3_6, Is("true"))], ANY,
        "Whether a partition is checked to be part of the transaction at the first write.";
    "transaction.remove.expired.transaction.cleanup.interval.ms": Int, "", Never,
        &[(V0_11, Is("3600000"))], AT_LEAST_1,
        "Time between looks for transactional ids that expired.";
    "transaction.state.log.load.buffer.size": Int, "", Never,
        &[(V0_11, Is("5242880"))], AT_LEAST_1,
        "Bytes that are read at once when transactions are loaded.";
    "transaction.state.log.min.isr": Int, "", Never,
        &[(V0_11, Is("2"))], AT_LEAST_1,
        "min.insync.replicas of the transaction topic.";
    "transaction.state.log.num.partitions": Int, "", Never,
        &[(V0_11, Is("50"))], AT_LEAST_1,
        "Partitions of the transaction topic.";
    "transaction.state.log.replication.factor": Short, "", Never,
        &[(V0_11, Is("3"))], AT_LEAST_1,
        "Replicas of the transaction topic.";
    "transaction.state.log.segment.bytes": Int, "", Never,
        &[(V0_11, Is("104857600"))], AT_LEAST_1,
        "Most bytes of a segment of the transaction topic.";
    "transactional.id.expiration.ms": Int, "", Never,
        &[(V0_11, Is("604800000"))], AT_LEAST_1,
        "Time after which a silent transactional id is forgotten.";
}
