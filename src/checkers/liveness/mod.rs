//! What must come about once all faults are over.

pub mod acknowledged_is_seen;
pub mod brokers_register_again;
pub mod consumers_catch_up;
pub mod converges;
pub mod final_logs_agree;
pub mod high_watermark_reaches_the_end;
pub mod partitions_are_led;
pub mod replicas_converge;
pub mod workload_completes;

#[cfg(test)]
mod known_limits_tests;
