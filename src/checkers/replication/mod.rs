//! Replicas, in-sync replicas, high watermarks and leader epochs.

pub mod acknowledged_is_replicated;
pub mod committed_is_durable;
pub mod committed_is_not_truncated;
pub mod high_watermark_never_decreases;
pub mod leader_epochs_never_decrease;
pub mod leader_in_isr;
pub mod leader_isr_has_committed;
pub mod log_offsets_are_sequential;
pub mod logs_match;
pub mod one_leader_per_epoch;
pub mod producer_sequences_are_contiguous;
pub mod reads_are_committed;
pub mod replicas_join_isr_caught_up;
pub mod zookeeper_isr_has_committed;
