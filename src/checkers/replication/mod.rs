//! Replicas, in-sync replicas, high watermarks and leader epochs.

pub mod acknowledged_is_replicated;
pub mod committed_is_durable;
pub mod committed_is_not_truncated;
pub mod epochs_only_grow;
pub mod high_watermark_only_grows;
pub mod isr_in_zookeeper_agrees;
pub mod isr_of_leader_agrees;
pub mod joins_isr_caught_up;
pub mod leader_in_isr;
pub mod logs_are_whole;
pub mod logs_match;
pub mod one_leader_per_epoch;
pub mod reads_are_committed;
