//! Elections and the controller itself.

pub mod elections_are_clean;
pub mod one_controller_per_epoch;
