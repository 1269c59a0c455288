//! What nodes observe about themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group::{GroupObservation, MemberObservation};
use super::session::SessionObservation;
use super::transaction::{TransactionObservation, TransactionalObservation};
use crate::vocab::{
    Acks, BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch,
    Time, TopicPartition, Zxid,
};

/// One fact about one node at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// Of a producer or consumer.
    Client(ClientObservation),
    /// Of a broker.
    Broker(BrokerObservation),
    /// Of a ZooKeeper server.
    ZooKeeper(ZooKeeperObservation),
    /// Of a client's session at ZooKeeper; brokers have one too.
    Session(SessionObservation),
    /// Of a client from outside.
    External(ExternalObservation),
}

/// What the connections of a client from outside show of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalObservation {
    /// The account: the client's name for itself, or one made of it.
    pub client: Arc<str>,
    /// What a producer's requests ask for; `None` of a reader.
    pub acks: Option<Acks>,
    /// What it did, or was answered.
    pub observation: ClientObservation,
}

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// A record was given to the producer. The operation's number is the record's own, counted from 0 for
    /// each producer, and is part of the record's value.
    Produce {
        /// The topic.
        topic: Arc<str>,
    },
}

/// How a client operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It happened. The offset is −1 when the client cannot know it (`acks=0`).
    Produced {
        /// Where the record went.
        at: TopicPartition,
        /// Its offset.
        offset: Offset,
    },
    /// It certainly did not happen.
    Failed {
        /// The reason, in Kafka's name for the error.
        error: Arc<str>,
    },
    /// It may have happened, or happen yet.
    Unknown {
        /// The reason, in Kafka's name for the error.
        error: Arc<str>,
    },
}

/// A producer or consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientObservation {
    /// An operation began.
    Invoked {
        /// Number of the operation, unique for the node.
        op: u64,
        /// What was asked.
        call: Call,
    },
    /// An operation ended.
    Completed {
        /// The operation.
        op: u64,
        /// How.
        outcome: Outcome,
    },
    /// A consumer was handed a record.
    Consumed {
        /// Where from.
        at: TopicPartition,
        /// The record's offset.
        offset: Offset,
        /// The leader epoch of its batch.
        leader_epoch: LeaderEpoch,
        /// Name of the producer that wrote it; empty when the value is not a workload's.
        producer: Arc<str>,
        /// Number of the record at that producer.
        record: u64,
    },
    /// A consumer's position moved by the reset policy, not by reading.
    PositionReset {
        /// The partition.
        at: TopicPartition,
        /// The position before, if there was one.
        from: Option<Offset>,
        /// The position now.
        to: Offset,
    },
    /// A consumer was sent what no leader may send: a batch that is damaged, or a record at or above the high
    /// watermark of the same answer. Nothing from there on was handed to the application.
    ProtocolError {
        /// The partition.
        at: TopicPartition,
        /// What is wrong, in a few words.
        why: Arc<str>,
    },
    /// It asked for leaders: a broker by a Metadata request, or a ZooKeeper server.
    LeadersAsked {
        /// The node that it asked.
        of: NodeId,
    },
    /// What it knows of a partition's leader changed.
    LeaderLearned {
        /// The partition.
        at: TopicPartition,
        /// The leader, if there is one.
        leader: Option<BrokerId>,
        /// The leader epoch; −1 when the answer did not have it.
        leader_epoch: LeaderEpoch,
    },
    /// A producer sent a batch, for the first time or again.
    BatchSent {
        /// Where it is to go.
        at: TopicPartition,
        /// The node that leads the partition, as far as the producer knows.
        to: NodeId,
        /// Numbers of its records.
        records: Vec<u64>,
        /// What the producer waits for.
        acks: Acks,
    },
    /// An operator's command was given.
    CommandGiven {
        /// The command, as it was written.
        command: Arc<str>,
    },
    /// An operator's command ended.
    CommandPrinted {
        /// What it printed, line by line.
        lines: Vec<Arc<str>>,
    },
    /// The nodes that it asks for metadata from now on: the live brokers of the last answer.
    BrokersLearned {
        /// Their nodes.
        nodes: Vec<NodeId>,
    },
    /// A consumer's position moved over records that it cannot hand to the application: compressed ones, which only
    /// clients from outside write.
    RecordsPassed {
        /// The partition.
        at: TopicPartition,
        /// The position now.
        to: Offset,
    },
    /// A broker answered a request with an error, for one partition of it.
    Refused {
        /// The partition.
        at: TopicPartition,
        /// Kafka's name for the error.
        error: Arc<str>,
    },
    /// A client from outside closed its last connection: what comes under its name from now on is another life.
    LifeEnded,
    /// Records of a client from outside that are in no account, because accounts hold no more.
    NotFollowed {
        /// How many.
        records: u64,
    },
    /// As a member of a group, or committing offsets to one.
    Member(MemberObservation),
    /// As a producer with a transactional id.
    Transactional(TransactionalObservation),
    /// A client from outside reads with another `isolation.level` than before; at first that is `read_uncommitted`.
    IsolationChanged {
        /// Whether that is `read_committed`.
        read_committed: bool,
    },
}

/// Why the controller chose a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Election {
    /// A new partition.
    New,
    /// The leader is gone; the first live in-sync replica in assignment order leads.
    Offline,
    /// The leader is gone and no in-sync replica lives (`unclean.leader.election.enable`).
    Unclean,
    /// The first replica of the assignment leads again.
    Preferred,
    /// The leader is shutting down.
    ControlledShutdown,
    /// The leader is none of the replicas that the partition has from now on.
    Reassigned,
}

/// A record batch of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendedBatch {
    /// First offset.
    pub base: Offset,
    /// Last offset.
    pub last: Offset,
    /// Leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C of the batch; does not cover base offset and leader epoch.
    pub checksum: u32,
}

/// A batch of an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerBatch {
    /// The producer's id.
    pub producer: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of the first record.
    pub first_sequence: i32,
    /// The sequence of the last record.
    pub last_sequence: i32,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BrokerObservation {
    /// Its logs are loaded.
    Recovered {
        /// Whether the last shutdown was clean.
        clean: bool,
        /// Bytes cut off the logs' ends because they were torn or not whole.
        truncated_bytes: u64,
    },
    /// It registered at ZooKeeper.
    Registered {
        /// Its broker epoch.
        epoch: BrokerEpoch,
    },
    /// ZooKeeper answered that its session has expired.
    SessionExpired {
        /// The session.
        session: i64,
    },
    /// It became the controller.
    ControllerElected {
        /// The new controller epoch.
        epoch: ControllerEpoch,
    },
    /// It stopped being the controller.
    ControllerResigned {
        /// The epoch that it had.
        epoch: ControllerEpoch,
    },
    /// As controller: a leader was chosen and written to ZooKeeper.
    LeaderElected {
        /// The partition.
        at: TopicPartition,
        /// The new leader.
        leader: BrokerId,
        /// Its epoch.
        leader_epoch: LeaderEpoch,
        /// The in-sync replicas, in assignment order.
        isr: Vec<BrokerId>,
        /// Why.
        election: Election,
    },
    /// As controller: a partition has no leader now.
    LeaderLost {
        /// The partition.
        at: TopicPartition,
        /// The epoch of being leaderless.
        leader_epoch: LeaderEpoch,
        /// What is left of the in-sync replicas.
        isr: Vec<BrokerId>,
    },
    /// The in-sync replicas as written to ZooKeeper changed, other than by an election.
    IsrChanged {
        /// The partition.
        at: TopicPartition,
        /// The in-sync replicas before.
        from: Vec<BrokerId>,
        /// The in-sync replicas now.
        to: Vec<BrokerId>,
        /// dataVersion of the state znode now.
        partition_epoch: PartitionEpoch,
    },
    /// As controller: it refuses a leader's change of the in-sync replicas although it is written. The write
    /// was sent again when its answer was lost with a connection, and failed because of the first attempt.
    IsrChangeDenied {
        /// The partition.
        at: TopicPartition,
        /// dataVersion of the state znode that holds the change.
        partition_epoch: PartitionEpoch,
    },
    /// As controller: a topic got its partitions.
    TopicCreated {
        /// The topic.
        topic: Arc<str>,
        /// Replicas of each partition.
        assignment: Vec<Vec<BrokerId>>,
    },
    /// It leads a partition from now on.
    BecameLeader {
        /// The partition.
        at: TopicPartition,
        /// The epoch.
        leader_epoch: LeaderEpoch,
        /// Its log end offset, where the epoch starts.
        start: Offset,
        /// The high watermark it knows.
        high_watermark: Offset,
    },
    /// It follows from now on.
    BecameFollower {
        /// The partition.
        at: TopicPartition,
        /// The epoch.
        leader_epoch: LeaderEpoch,
        /// The leader that it follows, if there is one.
        leader: Option<BrokerId>,
    },
    /// A batch was appended to its log.
    Appended {
        /// The partition.
        at: TopicPartition,
        /// First offset of the batch.
        base: Offset,
        /// Last offset of the batch.
        last: Offset,
        /// Leader epoch of the batch.
        leader_epoch: LeaderEpoch,
        /// CRC-32C of the batch; does not cover base offset and leader epoch.
        checksum: u32,
    },
    /// Its log was cut.
    Truncated {
        /// The partition.
        at: TopicPartition,
        /// Log end offset before.
        from: Offset,
        /// Log end offset now.
        to: Offset,
    },
    /// The high watermark it knows moved.
    HighWatermark {
        /// The partition.
        at: TopicPartition,
        /// Where to.
        offset: Offset,
    },
    /// As leader: it hands a follower records that the follower pulls.
    HandedToFollower {
        /// The partition.
        at: TopicPartition,
        /// The receiver.
        follower: BrokerId,
        /// The first offset that was asked for.
        from: Offset,
    },
    /// As leader: a follower fetched from another offset than before, and so has everything below it.
    FollowerFetched {
        /// The partition.
        at: TopicPartition,
        /// The fetcher.
        follower: BrokerId,
        /// From where.
        offset: Offset,
    },
    /// A fatal error; the process ends.
    Halted {
        /// One sentence.
        why: Arc<str>,
    },
    /// As new controller: a partition's state as it read it from ZooKeeper. The node that wrote it
    /// last may have died before it got, and observed, the answer.
    StateFound {
        /// The partition.
        at: TopicPartition,
        /// The leader, if there is one.
        leader: Option<BrokerId>,
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
        /// dataVersion of the state znode.
        partition_epoch: PartitionEpoch,
    },
    /// A log was loaded when the process started. Everything else about it is as the former process left it.
    LogLoaded {
        /// The partition.
        at: TopicPartition,
        /// First offset.
        start: Offset,
        /// Log end offset.
        end: Offset,
        /// The high watermark of the last checkpoint.
        high_watermark: Offset,
        /// Where `batches` begin: nothing below it can have changed.
        from: Offset,
        /// Its batches from there on, when the former process did not end cleanly.
        batches: Vec<AppendedBatch>,
    },
    /// As leader: its in-sync replicas, when it begins to lead and with every change.
    IsrKnown {
        /// The partition.
        at: TopicPartition,
        /// Those that are written in ZooKeeper, as far as it knows.
        committed: Vec<BrokerId>,
        /// Those that may be written there, whether the change that is under way succeeds or not.
        maximal: Vec<BrokerId>,
        /// The least number for `acks=all`, as this release reckons it.
        min: u32,
    },
    /// As leader: it is about to acknowledge the records of a producer.
    Acknowledging {
        /// The partition.
        at: TopicPartition,
        /// The offset behind the last record.
        end: Offset,
        /// What the producer waits for; −1, as on the wire, is `acks=all`.
        acks: i16,
    },
    /// As leader: it is about to hand records to a consumer.
    Serving {
        /// The partition.
        at: TopicPartition,
        /// The offset behind the last record.
        end: Offset,
    },
    /// It cannot register: the registration of its former process exists until that one's session expires.
    RegistrationBlocked {
        /// The session that owns the registration.
        session: i64,
    },
    /// As follower: it does not fetch a partition any more until it becomes a follower again, because what its leader
    /// sent does not fit its own log (Kafka: a partition is marked as failed; before 2.3 the fetcher ends).
    FetchingFailed {
        /// The partition.
        at: TopicPartition,
        /// The leader that it follows.
        leader: BrokerId,
        /// Its log end offset.
        end: Offset,
        /// The partition whose records were refused: another one when the fetcher ended for all of them.
        refused: TopicPartition,
    },
    /// As controller: the live brokers that it knows, when it begins, and with every change.
    BrokersKnown {
        /// Its epoch.
        epoch: ControllerEpoch,
        /// Each broker, and czxid of the registration by which it became known.
        brokers: Vec<(BrokerId, BrokerEpoch)>,
    },
    /// As coordinator of a group.
    Group(GroupObservation),
    /// As leader: the batch that it appended last is of an idempotent producer.
    ProducerAppended {
        /// The partition.
        at: TopicPartition,
        /// First offset of the batch.
        base: Offset,
        /// Leader epoch of the batch.
        leader_epoch: LeaderEpoch,
        /// Whose it is, and which of theirs.
        batch: ProducerBatch,
    },
    /// Its log knows the sequences of these producers no longer: they were silent for long.
    ProducersExpired {
        /// The partition.
        at: TopicPartition,
        /// Their ids.
        producers: Vec<i64>,
    },
    /// As controller: a reassignment is through, and the partition has these replicas from now on (KIP-455).
    PartitionReassigned {
        /// The partition.
        at: TopicPartition,
        /// Its replicas, the preferred leader first.
        replicas: Vec<BrokerId>,
    },
    /// As coordinator of a transactional id, or as leader of a partition that a transaction writes to.
    Transaction(TransactionObservation),
    /// The beginning of its log was deleted: by retention, for a client, or as its leader's was.
    BeginningDeleted {
        /// The partition.
        at: TopicPartition,
        /// First offset now.
        start: Offset,
    },
}

/// A ZooKeeper server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZooKeeperObservation {
    /// Its tree is loaded.
    Recovered {
        /// The last transaction that it has.
        zxid: Zxid,
    },
    /// A session was made.
    SessionOpened {
        /// The session.
        session: i64,
        /// The negotiated timeout, in milliseconds.
        timeout_ms: i32,
    },
    /// A session expired: its client was not heard for the timeout.
    SessionExpired {
        /// The session.
        session: i64,
        /// When this server last heard its client, or began to track the session.
        heard: Time,
    },
    /// A session was closed by its client.
    SessionClosed {
        /// The session.
        session: i64,
    },
    /// A transaction created a znode, or set its data, and is applied here.
    Stored {
        /// The transaction.
        zxid: Zxid,
        /// The znode.
        path: Arc<str>,
        /// dataVersion now; 0 when it was created.
        version: i32,
        /// Its data, as far as it is text.
        data: Arc<str>,
    },
    /// A client attached to its session again.
    SessionAttached {
        /// The session.
        session: i64,
        /// The timeout as negotiated this time, in milliseconds.
        timeout_ms: i32,
    },
    /// The end of a session is applied: this server's tree knows it no more. Its ephemeral znodes went before.
    SessionEnded {
        /// The session.
        session: i64,
    },
    /// An ephemeral znode is in this server's tree.
    EphemeralCreated {
        /// Its path.
        path: Arc<str>,
        /// The session that owns it.
        session: i64,
    },
    /// An ephemeral znode is gone from this server's tree.
    EphemeralDeleted {
        /// Its path.
        path: Arc<str>,
        /// The session that owned it.
        session: i64,
    },
    /// This server's tree is one that was read from its disk, or sent by another server, and no more what it
    /// was.
    TreeLoaded {
        /// The sessions in it, with their timeouts in milliseconds.
        sessions: Vec<(i64, i32)>,
        /// The ephemeral znodes in it, with their owners.
        ephemerals: Vec<(Arc<str>, i64)>,
    },
    /// A fatal error; the process ends.
    Halted {
        /// One sentence.
        why: Arc<str>,
    },
    /// It looks for a leader. This and the ones below only in an ensemble.
    Looking {
        /// The round of elections.
        round: i64,
        /// The last transaction that it has, decided or not.
        zxid: Zxid,
    },
    /// It leads: a majority has taken over its history.
    Leading {
        /// The epoch that begins.
        epoch: u32,
        /// The last transaction of that history.
        zxid: Zxid,
        /// A hash over its state.
        digest: u64,
    },
    /// It follows, and serves clients.
    Following {
        /// The leader's epoch.
        epoch: u32,
        /// The leader's id.
        leader: u8,
        /// The last transaction that it has applied.
        zxid: Zxid,
        /// A hash over the state that it has then.
        digest: u64,
    },
    /// Its epochs, as they are on its disk now.
    EpochsWritten {
        /// `acceptedEpoch`.
        accepted: u32,
        /// `currentEpoch`.
        current: u32,
    },
    /// A transaction is durable in its log.
    Logged {
        /// Its place.
        zxid: Zxid,
        /// A hash over its bytes.
        hash: u64,
    },
    /// A transaction is decided, and applied here.
    Committed {
        /// Its place.
        zxid: Zxid,
        /// A hash over its bytes.
        hash: u64,
    },
    /// The end of its log was no part of the leader's history and was cut off.
    Truncated {
        /// The last transaction that stays.
        to: Zxid,
    },
    /// A leader's snapshot replaced all that it had.
    Installed {
        /// As of when.
        zxid: Zxid,
    },
    /// A snapshot is on its platter, one that it took itself.
    SnapshotTaken {
        /// The last transaction that was applied when it began: all up to it are in it.
        zxid: Zxid,
        /// The last transaction that was applied when it ended: something of those between is in it.
        contains: Zxid,
    },
    /// It started from a snapshot.
    SnapshotRead {
        /// All transactions up to this one are in it.
        zxid: Zxid,
        /// Something of those up to this one is in it.
        contains: Zxid,
    },
    /// A transaction deleted a znode, and is applied here.
    Removed {
        /// The transaction.
        zxid: Zxid,
        /// The znode.
        path: Arc<str>,
    },
    /// As leader, or alone: a client's write took effect.
    Written {
        /// The transaction that it became.
        zxid: Zxid,
        /// The client's session.
        session: i64,
        /// The number that the client gave its request.
        xid: i32,
    },
}
