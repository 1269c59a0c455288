//! The words: ids, epochs, offsets, virtual time, ratios, the seed and its named streams.
//!
//! # Glossary
//!
//! Kafka's words where Kafka has them; one word per thing in code, files, command line and reports.
//!
//! | word | meaning |
//! |---|---|
//! | acknowledged | the client got the answer that it is written: for `acks=all`, committed; for `acks=1`, appended by the leader |
//! | append | to put record batches at the end of a replica's log |
//! | broker | one server of the Kafka cluster |
//! | broker epoch | czxid of the broker's registration znode; distinguishes two processes of one broker (KIP-380) |
//! | committed | below the high watermark of a leader: on every in-sync replica |
//! | controller | the broker that elects leaders; itself elected through `/controller` |
//! | czxid, mzxid | zxid that created, last modified, a znode |
//! | fault | what is injected into a run: a crash, a cut link, a slow disk |
//! | fetch | the request by which followers and consumers read from a leader |
//! | fingerprint | hash over every delivery, disk operation and observation of a run |
//! | follower | a replica that is not the leader |
//! | high watermark | first offset that is not yet committed, as far as one replica knows |
//! | in-sync replicas (ISR) | replicas that keep up with the leader; the only ones eligible for a clean election |
//! | leader | the replica of a partition that takes writes; in an ensemble, the server that commits transactions |
//! | learner, follower | in an ensemble: a server that joins a leader, one that serves with it |
//! | leader epoch | counts the elections of a partition |
//! | log end offset | offset the next record of a log will get |
//! | mutant | a known bug that is planted, to show that a checker finds it |
//! | node | any process of the simulated cluster: ZooKeeper server, broker, producer, consumer |
//! | observation | what a node adds to the history about itself |
//! | partition epoch | dataVersion of a partition's state znode (`zkVersion`) |
//! | plan | a scenario with nothing left to chance |
//! | platter, page cache | what a disk keeps across a power loss, across a process crash |
//! | seed, stream | the one number of a run; a named, independent sequence drawn from it |
//! | session | what ZooKeeper knows of one client, across connections; its ephemeral znodes end with it |
//! | violation | a property that does not hold in a run |
//! | znode | a node of ZooKeeper's data tree |
//! | ZooKeeper | an *ensemble* of *servers* that keep the data tree; a server alone is *standalone* |
//! | zxid | position in ZooKeeper's sequence of transactions: epoch ‖ counter |

mod acks;
mod again;
pub mod foreign;
mod happening;
mod ids;
mod mutant;
mod nearest;
pub mod page;
mod rope;
mod seed;
pub mod step;
mod time;
mod topic_pattern;
mod topics_command;

pub use acks::Acks;
pub use again::run_command;
pub use happening::{Happening, UnknownHappening, Wanted};
pub use ids::{
    BrokerEpoch, BrokerId, ConnId, ControllerEpoch, DiskOpId, LeaderEpoch, NodeId, NotAPartition,
    Offset, PartitionEpoch, Roster, TimerId, TopicPartition, Zxid,
};
pub use mutant::{Mutant, UnknownMutant};
pub use nearest::nearest;
pub use rope::Rope;
pub use seed::{NotASeed, Ratio, Seed, Stream};
pub use time::{Clock, Time, nanos};
pub use topic_pattern::TopicPattern;
pub use topics_command::{Shown, TopicsAction, TopicsCommand, Via};

/// Serialises a value as its text, for JSON documents.
///
/// # Errors
/// Those of the serializer.
pub fn as_text<T: std::fmt::Display, S: serde::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
