//! The ZooKeeper ensemble: its sessions, znodes, watches and transactions.

pub mod committed_transactions_are_durable;
pub mod ephemerals_have_live_sessions;
pub mod one_zookeeper_leader_per_epoch;
pub mod session_requests_are_in_order;
pub mod sessions_expire_only_when_silent;
pub mod watches_fire;
pub mod znodes_are_consistent;
pub mod zookeeper_histories_agree;
