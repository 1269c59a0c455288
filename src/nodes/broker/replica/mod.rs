//! Replication: the replicas on one broker, what it does as leader and as follower, and requests that wait.
//!
//! The source is Kafka's `ReplicaManager`, `Partition` and `AbstractFetcherThread`; which release is played
//! comes from the configured version. Each part owns its state; a handler borrows the parts that an operation
//! touches.
//!
//! | file | concern |
//! |---|---|
//! | `manager` | owns the parts, and hands them to the handlers |
//! | `partition`, `isr`, `settings` | the state of one replica |
//! | `replicas` | all of them, by topic and by slot |
//! | `log_manager` | loading, checkpoints, fsyncs, clean shutdown |
//! | `purgatory`, `acks` | requests that wait |
//! | `handlers`, `locks` | requests whose handlers are blocked at a partition's lock |
//! | `leader`, `high_watermark`, `isr_change` | the rules of a leader |
//! | `produce`, `fetch`, `read`, `offsets`, `delete_records` | requests of clients and followers |
//! | `markers`, `write_markers` | the ends of transactions |
//! | `transaction_facts` | what the history gets to know of transactions |
//! | `verify`, `verification` | whether a partition is in a transaction |
//! | `fetch_partitions`, `fetch_sessions` | what a fetch asks for, now or earlier (KIP-227) |
//! | `fetcher`, `truncation` | following a leader |
//! | `leadership` | LeaderAndIsr and StopReplica |
//! | `alarm` | many deadlines on one timer |

mod acks;
mod alarm;
mod delete_records;
mod fetch;
mod fetch_partitions;
mod fetch_sessions;
mod fetcher;
mod handlers;
mod high_watermark;
mod isr;
mod isr_change;
mod leader;
mod leadership;
mod locks;
mod log_manager;
mod log_start;
mod manager;
mod markers;
mod offsets;
mod partition;
mod produce;
mod purgatory;
mod read;
mod replicas;
mod settings;
#[cfg(test)]
mod tests;
mod transaction_facts;
mod truncation;
mod validate;
mod verification;
mod verify;
mod write_markers;

pub use self::alarm::{Alarm, Deadline};
pub use self::fetch::FETCH_WITH_IDS;
pub use self::fetch_partitions::name_of_unknown;
pub use self::manager::{PartitionStatus, ReplicaManager};
