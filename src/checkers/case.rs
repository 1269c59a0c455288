//! The general form of evidence: the first case in a sentence, and what led to it.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::checkers::Verdict;
use crate::model::{Fired, Permission, Terms};
use crate::vocab::{NodeId, Offset, Time, TopicPartition};

fn as_text_if_any<S: Serializer>(
    at: &Option<TopicPartition>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// The first case of a violation, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The partition, if it is about one.
    #[serde(serialize_with = "as_text_if_any")]
    pub at: Option<TopicPartition>,
    /// When it was seen.
    #[serde(rename = "time_ns")]
    pub time: Time,
    /// The first offset that it is about, if it is about records.
    pub offset: Option<Offset>,
    /// The nodes that it is about, by name.
    pub nodes: Vec<Arc<str>>,
    /// What happened: one sentence without a full stop, with partition, offsets, nodes and time.
    pub what: String,
    /// What led to it, oldest first; each half a sentence, with its time.
    pub because: Vec<String>,
    /// The last faults before it; ends of faults are left out.
    pub faults: Vec<Fired>,
    /// How many cases there are.
    pub count: u64,
}

impl Case {
    /// A case at `time` in a partition.
    pub fn new(at: &TopicPartition, time: Time, what: String) -> Self {
        Self { at: Some(at.clone()), ..Self::of(time, what) }
    }

    /// A case at `time` that is about no partition.
    pub fn of(time: Time, what: String) -> Self {
        let (nodes, because, faults) = (Vec::new(), Vec::new(), Vec::new());
        Self { at: None, time, offset: None, nodes, what, because, faults, count: 1 }
    }

    /// Says which partition it is about.
    #[must_use]
    pub fn in_partition(mut self, at: &TopicPartition) -> Self {
        self.at = Some(at.clone());
        self
    }

    /// Says from which offset on.
    #[must_use]
    pub fn from_offset(mut self, offset: Offset) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Says which nodes it is about.
    #[must_use]
    pub fn about(mut self, terms: &Terms, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        self.nodes.extend(nodes.into_iter().map(|node| terms.name(node)));
        self
    }

    /// Says what led to it.
    #[must_use]
    pub fn because(mut self, why: impl IntoIterator<Item = String>) -> Self {
        self.because.extend(why);
        self
    }

    /// Adds the last faults before it.
    #[must_use]
    pub fn after_faults(mut self, faults: &[Fired]) -> Self {
        self.faults = Fired::last_until(faults, self.time);
        self
    }
}

/// Offsets from `from` to before `end`, with the verb and the pronoun that go with them.
pub(super) fn offsets(from: Offset, end: Offset) -> (String, &'static str, &'static str) {
    match end - 1 {
        last if last > from => (format!("offsets {from} to {last}"), "were", "them"),
        _ => (format!("offset {from}"), "was", "it"),
    }
}

/// The first cases of what is forbidden, and of what the configuration or the release permits.
#[derive(Clone, Debug, Default)]
pub struct Cases {
    forbidden: FirstCase,
    permitted: FirstCase,
}

impl Cases {
    /// Counts a case; the first one of its kind is described.
    pub fn found(&mut self, permission: Permission, describe: impl FnOnce() -> Case) {
        match permission {
            Permission::Forbidden => self.forbidden.found(describe),
            Permission::Permitted => self.permitted.found(describe),
        }
    }

    /// Counts a case that no configuration and no release permits.
    pub fn forbidden(&mut self, describe: impl FnOnce() -> Case) {
        self.forbidden.found(describe);
    }

    /// The verdict: on the forbidden cases, if there are any, else on the permitted ones.
    pub fn verdict(&self) -> (Permission, Verdict) {
        let permitted = self.permitted.evidence();
        match self.forbidden.evidence() {
            None if permitted.is_some() => {
                (Permission::Permitted, Verdict::from_evidence(permitted))
            }
            forbidden => (Permission::Forbidden, Verdict::from_evidence(forbidden)),
        }
    }
}

/// The first of several cases, and how many there are.
#[derive(Clone, Debug, Default)]
pub struct FirstCase {
    first: Option<Case>,
    count: u64,
}

impl FirstCase {
    /// Counts a case; the first one is described.
    pub fn found(&mut self, describe: impl FnOnce() -> Case) {
        self.count += 1;
        self.first.get_or_insert_with(describe);
    }

    /// The first case, with the count of all.
    pub fn evidence(&self) -> Option<super::Evidence> {
        let count = self.count;
        self.first.clone().map(|first| super::Evidence::Case(Case { count, ..first }))
    }
}
