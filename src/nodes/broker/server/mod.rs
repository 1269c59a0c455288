//! A broker as a whole: the session at ZooKeeper, the replicas, the controller, and everything that is neither:
//! registration, client connections, metadata, settings, ISR changes, shutdown.
//!
//! Every input has one owner, found by connection, by the mark in a timer's number, or by the number of a request to
//! ZooKeeper. After each input the asks that the parts left are carried out, until none is left.
//!
//! | file | concern |
//! |---|---|
//! | `broker` | owns the parts, and finds the one that an input is for |
//! | `asks` | what the parts ask of one another |
//! | `connections`, `timers` | the owners of connections and timers |
//! | `requests`, `zk_answers` | the part that a request, or an answer of ZooKeeper, is for |
//! | `zk_requests`, `controller_channel` | requests to ZooKeeper and to the controller |
//! | `registration`, `shutdown` | becoming a broker of the cluster, and leaving it |
//! | `group_requests`, `transaction_requests` | requests of consumer groups, and about transactions |
//! | `old_offsets` | offsets of old clients, which are in ZooKeeper |
//! | `current_leaders` | the leader in answers that refuse a partition |
//! | `deletions`, `log_dirs`, `refusals` | DeleteTopics, log directories, requests about security |
//! | `describe_producers`, `verifier` | the producers of a partition, and whether it is in a transaction |
//! | `admin_work`, `admin_calls` | work of administration that waits for ZooKeeper |
//! | `partitions`, `growths` | CreatePartitions |
//! | `alter_configs`, `incremental`, `dynamic` | AlterConfigs and IncrementalAlterConfigs |
//! | `features` | UpdateFeatures |
//! | `quotas`, `quota_names`, `quota_work` | quotas of users, clients and addresses |
//! | `scram`, `scram_credentials` | SCRAM credentials of users |
//! | `producer_ids` | ids of idempotent producers |
//! | `control`, `topic_configs` | control requests, settings of topics |
//! | `isr` | changes of the ISR that leaders propose |
//! | `metadata`, `metadata_requests`, `auto_creation`, `find_coordinator`, `describe` | what clients ask |

mod admin_calls;
mod admin_work;
mod alter_configs;
mod asks;
mod auto_creation;
mod broker;
mod connections;
mod control;
mod controller_channel;
mod current_leaders;
mod deletions;
mod describe;
mod describe_producers;
mod dynamic;
mod features;
mod find_coordinator;
mod group_requests;
mod growths;
mod incremental;
mod isr;
mod log_dirs;
mod metadata;
mod metadata_requests;
mod old_offsets;
mod owners;
mod partitions;
mod producer_ids;
mod quota_names;
mod quota_work;
mod quotas;
mod refusals;
mod registration;
mod requests;
mod scram;
mod scram_credentials;
mod shutdown;
#[cfg(test)]
mod tests;
mod timers;
mod topic_configs;
mod transaction_requests;
mod unwritable;
mod verifier;
mod zk_answers;
mod zk_requests;

pub use self::broker::Broker;
