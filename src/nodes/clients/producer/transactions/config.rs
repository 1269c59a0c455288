//! The settings of a producer with a transactional id, and what its application makes of transactions.

use std::sync::Arc;
use std::time::Duration;

use crate::vocab::Ratio;

/// When the application ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitEvery {
    /// After so many records.
    Records(u64),
    /// This long after it began.
    Span(Duration),
}

/// The settings of a producer with a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// `transactional.id`
    pub id: Arc<str>,
    /// `transaction.timeout.ms`
    pub timeout: Duration,
    /// When the application ends a transaction.
    pub commit_every: CommitEvery,
    /// How many transactions the application aborts; it commits the others.
    pub abort_rate: Ratio,
    /// Whether the application starts another producer when its own is fenced, instead of ending.
    pub restart_when_fenced: bool,
}
