//! What the parts of a broker share during a step, and what they ask of one another.
//!
//! A broker is the replica manager, the controller (on every broker; active on one) and the server around
//! both. A part never calls another part: it leaves an [`Ask`] in the [`Outbox`], and the server carries it out
//! before the step ends. So no part has to be re-entered while it works.

use std::collections::VecDeque;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiKey, InitProducerIdRequest, RequestKind, ResponseKind, TopicName, TransactionalId,
    TxnOffsetCommitRequest,
};
use uuid::Uuid;

use crate::nodes::Effects;
use crate::nodes::channel::Channel;
use crate::vocab::{
    BrokerId, Clock, ConnId, LeaderEpoch, Offset, PartitionEpoch, Time, TimerId, TopicPartition,
};
use crate::wire::records::Batch;

/// A part of a broker. The highest byte of a timer's or a ZooKeeper request's number names its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Part {
    /// Registration, metadata, requests, shutdown.
    Server = 1,
    /// Logs, partitions, fetchers.
    Replicas = 2,
    /// Elections and control requests.
    Controller = 3,
    /// The session at ZooKeeper.
    Session = 4,
    /// Consumer groups.
    Groups = 5,
    /// The transaction coordinator.
    Transactions = 6,
}

impl Part {
    const SHIFT: u32 = 56;

    /// `number` marked as this part's.
    ///
    /// # Panics
    /// When the number needs the byte of the mark.
    pub fn mark(self, number: u64) -> u64 {
        assert!(number >> Self::SHIFT == 0, "the number leaves no room for the part's mark");
        (u64::from(self as u8) << Self::SHIFT) | number
    }

    /// The part of `marked`, and the number without the mark.
    ///
    /// # Panics
    /// When no part marked it.
    pub fn of(marked: u64) -> (Self, u64) {
        let part = match marked >> Self::SHIFT {
            1 => Self::Server,
            2 => Self::Replicas,
            3 => Self::Controller,
            4 => Self::Session,
            5 => Self::Groups,
            6 => Self::Transactions,
            other => panic!("no part of a broker has mark {other}"),
        };
        (part, marked & ((1 << Self::SHIFT) - 1))
    }
}

/// The place of a connection in requests of this broker to itself.
pub const OWN: ConnId = ConnId(u64::MAX);

/// Where the response to a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The connection it came from.
    pub conn: ConnId,
    /// The API.
    pub api: ApiKey,
    /// The version.
    pub version: i16,
    /// The request's own number.
    pub correlation_id: i32,
}

/// A change of in-sync replicas that a leader wants; written by the leader itself or by the controller,
/// depending on the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrChange {
    /// The partition.
    pub at: TopicPartition,
    /// The id of its topic; nil when it has none.
    pub topic_id: Uuid,
    /// Epoch of the leader that asks.
    pub leader_epoch: LeaderEpoch,
    /// The controller epoch of the LeaderAndIsr request that made it leader (kept in the state znode).
    pub controller_epoch: i32,
    /// The in-sync replicas it wants.
    pub isr: Vec<BrokerId>,
    /// The state znode's dataVersion that the change builds on.
    pub partition_epoch: PartitionEpoch,
}

/// How a wanted change of in-sync replicas ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsrOutcome {
    /// It is written to ZooKeeper; these are the in-sync replicas and the partition epoch now.
    Committed {
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
        /// Leader epoch of the state that was written.
        leader_epoch: LeaderEpoch,
        /// The znode's dataVersion.
        partition_epoch: PartitionEpoch,
    },
    /// It is refused for good; the committed in-sync replicas stay (ZooKeeper path: bad version;
    /// AlterPartition: INELIGIBLE_REPLICA, OPERATION_NOT_ATTEMPTED).
    Refused,
    /// There is a newer state: the change stays pending until a LeaderAndIsr request comes
    /// (FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, UNKNOWN_TOPIC_OR_PARTITION).
    Superseded,
}

/// A request to the controller, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Have in-sync replicas changed.
    AlterPartition,
    /// Create topics that clients asked Metadata for.
    CreateTopics,
    /// Have leaderships moved away before a shutdown.
    ControlledShutdown,
    /// Get ids for idempotent producers.
    AllocateProducerIds,
}

impl Purpose {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::AlterPartition,
        Self::CreateTopics,
        Self::ControlledShutdown,
        Self::AllocateProducerIds,
    ];

    /// The API of its requests.
    pub fn api(self) -> ApiKey {
        match self {
            Self::AlterPartition => ApiKey::AlterPartition,
            Self::CreateTopics => ApiKey::CreateTopics,
            Self::ControlledShutdown => ApiKey::ControlledShutdown,
            Self::AllocateProducerIds => ApiKey::AllocateProducerIds,
        }
    }
}

/// The part that made a connection to another broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnOwner {
    /// The fetcher of this leader.
    Fetcher(BrokerId),
    /// The controller: it sends control requests to this broker.
    ControlledBroker(BrokerId),
    /// The server: it sends requests of this purpose to the controller.
    Controller(Purpose),
    /// The transaction coordinator: it sends markers to this broker.
    Markers(BrokerId),
    /// The server: it asks this broker whether partitions are in a transaction.
    Verifier(BrokerId),
}

/// How the append of a marker ended.
#[derive(Debug)]
pub struct MarkerAppended {
    /// The number of its WriteTxnMarkers request.
    pub request: u64,
    /// The marker's place in it.
    pub marker: usize,
    /// The error for each partition of the marker; 0 is none.
    pub codes: Vec<i16>,
}

/// A question to a transaction coordinator: whether partitions are in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyTransaction {
    /// Given back with the answer.
    pub number: u64,
    /// Whose transaction.
    pub transactional_id: TransactionalId,
    /// The producer's id and epoch.
    pub producer: (i64, i16),
    /// The partitions.
    pub partitions: Vec<(TopicName, i32)>,
}

/// Offsets that were committed in a transaction count from now on, or never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionCompleted {
    /// The producer.
    pub producer_id: i64,
    /// Partitions of `__consumer_offsets`.
    pub partitions: Vec<i32>,
    /// Whether the transaction was committed.
    pub commit: bool,
}

/// What one part asks of the broker.
#[derive(Debug)]
pub enum Ask {
    /// Answer a request.
    Reply {
        /// Which.
        to: ReplyTo,
        /// With what.
        body: Box<ResponseKind>,
    },
    /// Answer nothing, and go on with the connection's next request (Produce with `acks=0`).
    NoReply(ReplyTo),
    /// Close a client's connection (an error of Produce with `acks=0`).
    Close(ConnId),
    /// Replicas → server: have the in-sync replicas changed; the answer comes as
    /// `ReplicaManager::isr_change_done`.
    ChangeIsr(IsrChange),
    /// From now on, what comes on a connection is for this owner.
    Own(ConnId, ConnOwner),
    /// The owner closed the connection.
    Disown(ConnId),
    /// Groups → replicas: append a batch to a partition of `__consumer_offsets`.
    AppendOffsets {
        /// The partition.
        partition: i32,
        /// What is appended.
        batch: Batch,
        /// Given back with [`Ask::OffsetsAppended`] when all in-sync replicas have it; without a number nothing waits.
        number: Option<u64>,
    },
    /// Replicas → groups: an append ended.
    OffsetsAppended {
        /// Which.
        number: u64,
        /// Its first offset, or why it failed.
        result: Result<Offset, ResponseError>,
    },
    /// Replicas → replicas: a marker of a WriteTxnMarkers request is appended everywhere, or is not.
    MarkerAppended(MarkerAppended),
    /// Replicas → server: ask a transaction coordinator; the answer comes as `ReplicaManager::verified`.
    VerifyTransaction(VerifyTransaction),
    /// Replicas → groups: the transaction of a TxnOffsetCommit is verified.
    CommitVerified(ReplyTo, TxnOffsetCommitRequest),
    /// Replicas → groups: the marker of a transaction is in partitions of `__consumer_offsets`.
    TransactionCompleted(TransactionCompleted),
    /// Replicas → groups: this broker leads a partition of `__consumer_offsets`, or does not.
    OffsetsLeader {
        /// The partition.
        partition: i32,
        /// The leader epoch; `None` when the replica is deleted.
        leader_epoch: Option<LeaderEpoch>,
        /// Whether it leads.
        leads: bool,
    },
    /// Transactions → replicas: append a batch to a partition of `__transaction_state`.
    AppendTransactions {
        /// The partition.
        partition: i32,
        /// What is appended.
        batch: Batch,
        /// Given back with [`Ask::TransactionsAppended`] when all in-sync replicas have it.
        number: u64,
        /// How long these are waited for.
        timeout: Duration,
    },
    /// Replicas → transactions: an append ended.
    TransactionsAppended {
        /// Which.
        number: u64,
        /// Why it failed, if it did.
        result: Result<(), ResponseError>,
    },
    /// Replicas → transactions: this broker leads a partition of `__transaction_state`, or does not.
    TransactionsLeader {
        /// The partition.
        partition: i32,
        /// The leader epoch; `None` when the replica is deleted.
        leader_epoch: Option<LeaderEpoch>,
        /// Whether it leads.
        leads: bool,
    },
    /// Transactions → server: take a request of this broker to itself.
    RequestOfOwn {
        /// Its place; the connection is [`OWN`].
        to: ReplyTo,
        /// The request.
        body: Box<RequestKind>,
    },
    /// Server → server: an InitProducerId that waited for producer ids goes on.
    InitProducerId(ReplyTo, InitProducerIdRequest),
    /// End the process, after a fatal error.
    Halt(String),
}

/// What was asked during the step and not carried out yet.
#[derive(Debug, Default)]
pub struct Outbox {
    /// In the order in which it was asked.
    pub asks: VecDeque<Ask>,
}

/// What a part works with during a step.
#[derive(Debug)]
pub struct Context<'a> {
    /// What the broker's clocks show.
    pub clock: Clock,
    /// Effects on the outside.
    pub effects: &'a mut Effects,
    /// Asks of other parts.
    pub outbox: &'a mut Outbox,
}

impl Context<'_> {
    /// Answers a request.
    pub fn reply(&mut self, to: ReplyTo, body: ResponseKind) {
        self.outbox.asks.push_back(Ask::Reply { to, body: Box::new(body) });
    }

    /// Sends a request on a channel of `owner`. `tag` comes back with the response.
    pub fn send(
        &mut self,
        owner: ConnOwner,
        channel: &mut Channel,
        (api, version): (ApiKey, i16),
        body: &RequestKind,
        tag: u64,
    ) {
        if let Some(conn) = channel.send(self.effects, api, version, body, tag) {
            self.ask(Ask::Own(conn, owner));
        }
    }

    /// Closes a channel, whose connection has no owner from now on.
    pub fn disconnect(&mut self, channel: &mut Channel) {
        if let Some(conn) = channel.conn() {
            self.ask(Ask::Disown(conn));
        }
        channel.disconnect(self.effects);
    }

    /// Asks for something.
    pub fn ask(&mut self, ask: Ask) {
        self.outbox.asks.push_back(ask);
    }

    /// Sets a timer of `part`; `number` comes back when it is due.
    pub fn timer(&mut self, part: Part, at: Time, number: u64) -> TimerId {
        self.effects.timer(at, part.mark(number))
    }
}
