//! What groups wait for, and until when.

use kafka_protocol::protocol::StrBytes;

use crate::vocab::Time;

/// A deadline that was set, until it is due or cleared.
pub type Deadline = (Time, u64);

/// What is due at a deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// A member (group, member) was silent for its session timeout.
    Session(StrBytes, StrBytes),
    /// A client did not join with the id that it was given.
    Pending(StrBytes, StrBytes),
    /// The members of a group had the time to join.
    Join(StrBytes),
    /// They had the time to ask for their assignments.
    Sync(StrBytes),
    /// The first partition that waits is loaded.
    Load,
    /// Look for offsets that have expired (`offsets.retention.check.interval.ms`).
    Expire,
}
