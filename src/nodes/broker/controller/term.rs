//! The term of an active controller.

use crate::vocab::ControllerEpoch;

/// The time between election and resignation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The controller epoch.
    pub epoch: ControllerEpoch,
    /// dataVersion of `/controller_epoch`, on which writes are fenced.
    pub epoch_version: i32,
}
