//! What a coordinator waits for.

use crate::vocab::BrokerId;

/// What is due at a deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// The first partition that waits is loaded.
    Load,
    /// Look for transactions that are over their timeout
    /// (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
    Abort,
    /// Look for transactional ids that expired (`transaction.remove.expired.transaction.cleanup.interval.ms`).
    Expire,
    /// Markers have been without an answer of this broker for `request.timeout.ms`.
    MarkersTimeout(BrokerId),
    /// The connection to this broker may be tried again.
    Reconnect(BrokerId),
    /// Try again to have markers written that a leader refused.
    MarkersAgain,
    /// Try again to write that transactions are complete.
    CompleteAgain,
}
