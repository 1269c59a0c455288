//! The table: every behaviour that differs between releases is one row.
//!
//! Where a source does not name the patch, the release was read from the tags of Kafka's repository. To add a row:
//! write it into the file of its subject, ask for it with `kafka.has(Change::…)`, and name what shows it.

mod admin;
mod answers;
mod assignors;
mod clients;
mod controller;
mod groups;
mod idempotence;
mod records;
mod replication;
mod tools;
mod topics;
mod transactions;
mod znodes;

use super::KafkaVersion;
use super::asked;

/// What shows a row at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A scenario, by the name of its file without `.toml`.
    Scenario(&'static str),
    /// A test, by the name of its function.
    Test(&'static str),
}

/// The releases that have a behaviour: from the first to the last, or to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first release; the oldest one when all earlier Kafka releases behave so too.
    pub first: KafkaVersion,
    /// The last release, if the behaviour went away.
    pub last: Option<KafkaVersion>,
}

impl Period {
    /// Whether `release` behaves so.
    #[inline]
    pub const fn contains(self, release: KafkaVersion) -> bool {
        let is_over = match self.last {
            Some(last) => !last.at_least(release),
            None => false,
        };
        release.at_least(self.first) && !is_over
    }
}

/// One difference between releases.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What code asks for.
    pub change: Change,
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// The releases that have it.
    pub period: Period,
    /// The KIP, the JIRA issue or the pull request that brought it or took it away.
    pub source: &'static str,
    /// What it is, and what was before or after.
    pub sentence: &'static str,
    /// What shows it.
    pub shown: Shown,
}

const OLDEST: KafkaVersion = KafkaVersion::patched(0, 10, 0);

const fn since(major: u8, minor: u8, patch: u8) -> Period {
    Period { first: KafkaVersion::patched(major, minor, patch), last: None }
}

const fn until(major: u8, minor: u8, patch: u8) -> Period {
    Period { first: OLDEST, last: Some(KafkaVersion::patched(major, minor, patch)) }
}

const fn between(first: (u8, u8, u8), last: (u8, u8, u8)) -> Period {
    Period {
        first: KafkaVersion::patched(first.0, first.1, first.2),
        last: Some(KafkaVersion::patched(last.0, last.1, last.2)),
    }
}

macro_rules! table {
    ($(
        $change:ident: $name:literal, $period:expr,
        $source:literal, $shown:expr,
        $sentence:literal;
    )*) => {
        /// A behaviour that differs between releases: a row of [`TABLE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Change {
            $(#[doc = $sentence] $change,)*
        }

        /// Every row, in the order of [`Change`].
        pub const TABLE: &[Row] = {
            use Shown::{Scenario, Test};
            &[$(Row {
                change: Change::$change,
                name: $name,
                period: $period,
                source: $source,
                sentence: $sentence,
                shown: $shown,
            },)*]
        };
    };
}

/// Asks one file after the other for its rows, and makes the table of them.
macro_rules! collect {
    ([$next:ident $($others:ident)*] $($rows:tt)*) => {
        $next::rows! { [$($others)*] $($rows)* }
    };
    ([] $($rows:tt)*) => {
        table! { $($rows)* }
    };
}

collect! {
    [replication answers idempotence groups transactions topics records controller
     znodes clients assignors tools admin]
}

impl Change {
    /// The row.
    #[inline]
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// How a follower finds out where its log parts from its leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truncation {
    /// Truncate to the follower's own high watermark (before 0.11).
    HighWatermark,
    /// Ask for the end offset of the last epoch, by offset alone (KIP-101, 0.11–1.x).
    Kip101,
    /// Ask by epoch and offset until both sides agree (KIP-279, 2.0).
    Kip279,
    /// KIP-279 with the current leader epoch in every request (KIP-320, 2.1–2.6).
    Kip320,
    /// The leader reports divergence in the fetch response itself (KIP-595, 2.7+).
    OnFetch,
}

/// Who writes a changed ISR to ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsrPath {
    /// The partition's leader (up to 2.6).
    ZooKeeper,
    /// The controller, asked by the leader with AlterPartition (KIP-497, 2.7+).
    AlterPartition,
}

impl KafkaVersion {
    /// Whether this release behaves so.
    #[inline]
    pub fn has(self, change: Change) -> bool {
        asked::note(change);
        change.row().period.contains(self)
    }

    /// How followers truncate.
    pub fn truncation(self) -> Truncation {
        if self.has(Change::DivergenceInFetch) {
            Truncation::OnFetch
        } else if self.has(Change::EpochInReplicaRequests) {
            Truncation::Kip320
        } else if self.has(Change::TruncationComparesEpochs) {
            Truncation::Kip279
        } else if self.has(Change::TruncationByEpoch) {
            Truncation::Kip101
        } else {
            Truncation::HighWatermark
        }
    }

    /// Who writes a changed ISR.
    pub fn isr_path(self) -> IsrPath {
        match self.has(Change::IsrByAlterPartition) {
            true => IsrPath::AlterPartition,
            false => IsrPath::ZooKeeper,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut names = BTreeSet::new();
        for (index, row) in TABLE.iter().enumerate() {
            let Row { change, name, period, source, sentence, .. } = row;
            assert_eq!(*change as usize, index, "{name} is not where its change says");
            assert!(names.insert(*name), "{name} is there twice");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(is_plain), "{name} is not kebab-case");
            assert!(period.last.is_none_or(|last| period.first < last), "{name}");
            let is_everywhere = period.first == OLDEST && period.last.is_none();
            assert!(!is_everywhere, "{name} does not differ between releases");
            let known = ["KIP-", "KAFKA-", "apache/kafka#"];
            assert!(known.iter().any(|start| source.starts_with(start)), "{name}: {source}");
            assert!(sentence.ends_with('.') && sentence.len() > 20, "{name}: {sentence}");
        }
    }

    #[test]
    fn a_row_ends_with_its_last_release() {
        let halts =
            |text: &str| text.parse::<KafkaVersion>().unwrap().has(Change::HaltOnShorterLeader);
        assert_eq!(["0.10.2.0", "1.1", "2.0.0"].map(halts), [true; 3]);
        assert_eq!(["2.0.1", "2.0", "2.1.0", "3.9"].map(halts), [false; 4]);
        let joins =
            |text: &str| text.parse::<KafkaVersion>().unwrap().has(Change::IsrJoinNeedsEpochStart);
        assert_eq!(
            ["1.1", "2.0.0", "2.0.1", "2.0", "3.9"].map(joins),
            [false, false, true, true, true]
        );
    }

    #[test]
    fn truncation_has_five_steps() {
        use Truncation::{HighWatermark, Kip101, Kip279, Kip320, OnFetch};
        for (text, expected) in [
            ("0.10", HighWatermark),
            ("0.11.0.0", Kip101),
            ("1.1", Kip101),
            ("2.0.0", Kip279),
            ("2.1.0", Kip320),
            ("2.6", Kip320),
            ("2.7.0", OnFetch),
            ("3.9", OnFetch),
        ] {
            let release: KafkaVersion = text.parse().unwrap();
            assert_eq!(release.truncation(), expected, "{text}");
            let path =
                if expected == OnFetch { IsrPath::AlterPartition } else { IsrPath::ZooKeeper };
            assert_eq!(release.isr_path(), path, "{text}");
        }
    }
}
