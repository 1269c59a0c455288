//! The group coordinator: the classic protocol of consumer groups, and their committed offsets
//! (`GroupCoordinator`, `GroupMetadata`, `GroupMetadataManager`).
//!
//! A group belongs to the leader of one partition of `__consumer_offsets`. What a coordinator decides it appends
//! there, and answers when all in-sync replicas have it; so the next leader of the partition goes on where the last
//! one was. Every release's rules are rows of [`crate::releases::Change`].
//!
//! | file | concern |
//! |---|---|
//! | `coordinator` | owns the groups; which group, whether this broker coordinates it |
//! | `state`, `member` | a group and its members: what they are, without what follows from it |
//! | `join`, `static_members`, `sync`, `membership` | JoinGroup, SyncGroup, Heartbeat and LeaveGroup |
//! | `rebalance` | from the first join of a generation to its last |
//! | `commit`, `fetch_offsets`, `offset_delete`, `expiry` | committed offsets |
//! | `transactions` | offsets that are committed in transactions |
//! | `admin` | DescribeGroups, ListGroups, DeleteGroups |
//! | `appends`, `stored` | what is written and when it is done; a group as it is stored |
//! | `deadlines` | what is due when |
//! | `loading`, `loads` | taking over a partition of `__consumer_offsets`, and giving it up |
//! | `answers` | responses of each version |
//! | `facts` | what the history gets to know |

mod admin;
mod answers;
mod appends;
mod commit;
mod coordinator;
mod deadlines;
mod expiry;
mod facts;
mod fetch_offsets;
mod join;
mod loading;
mod loads;
mod member;
mod membership;
mod offset_delete;
mod rebalance;
mod state;
mod static_members;
mod stored;
mod sync;
#[cfg(test)]
mod tests;
mod transactions;

pub use self::coordinator::{Client, GroupCoordinator, partition_of};
