//! The ZooKeeper ensemble: its sessions, znodes, watches and transactions.

pub mod decided_transactions_stay;
pub mod ephemerals_have_owners;
pub mod one_zookeeper_leader_per_epoch;
pub mod sessions_are_served_in_order;
pub mod sessions_end_rightly;
pub mod watches_are_told;
pub mod znodes_are_consistent;
pub mod zookeeper_histories_agree;
