//! The Kafka version that a cluster behaves like, and the behaviours that changed between versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kafka release, as `major.minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KafkaVersion {
    /// The first number.
    pub major: u8,
    /// The second number.
    pub minor: u8,
}

/// How a follower finds out where its log parts from its leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truncation {
    /// Cut to the follower's own high watermark (before 0.11).
    HighWatermark,
    /// Ask for the end offset of the last epoch, by offset alone (KIP-101, 0.11–1.x).
    Kip101,
    /// Ask by epoch and offset until both sides agree (KIP-279, 2.0).
    Kip279,
    /// KIP-279 with the current leader epoch in every request (KIP-320, 2.1–2.6).
    Kip320,
    /// The leader reports divergence in the fetch response itself (KIP-595 in 2.7+).
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

impl Default for KafkaVersion {
    /// The newest release.
    fn default() -> Self {
        Self::RANGE.1
    }
}

impl KafkaVersion {
    /// The oldest and the newest release that can be chosen.
    pub const RANGE: (Self, Self) = (Self::new(0, 10), Self::new(3, 9));
    /// Every release that can be chosen.
    pub const ALL: &'static [Self] = &[
        Self::new(0, 10),
        Self::new(0, 11),
        Self::new(1, 0),
        Self::new(1, 1),
        Self::new(2, 0),
        Self::new(2, 1),
        Self::new(2, 2),
        Self::new(2, 3),
        Self::new(2, 4),
        Self::new(2, 5),
        Self::new(2, 6),
        Self::new(2, 7),
        Self::new(2, 8),
        Self::new(3, 0),
        Self::new(3, 1),
        Self::new(3, 2),
        Self::new(3, 3),
        Self::new(3, 4),
        Self::new(3, 5),
        Self::new(3, 6),
        Self::new(3, 7),
        Self::new(3, 8),
        Self::new(3, 9),
    ];

    /// The release `major.minor`.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// Whether this is release `major.minor` or a later one.
    pub const fn at_least(self, major: u8, minor: u8) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }

    /// How followers truncate.
    pub const fn truncation(self) -> Truncation {
        if self.at_least(2, 7) {
            Truncation::OnFetch
        } else if self.at_least(2, 1) {
            Truncation::Kip320
        } else if self.at_least(2, 0) {
            Truncation::Kip279
        } else if self.at_least(0, 11) {
            Truncation::Kip101
        } else {
            Truncation::HighWatermark
        }
    }

    /// Who writes a changed ISR.
    pub const fn isr_path(self) -> IsrPath {
        if self.at_least(2, 7) { IsrPath::AlterPartition } else { IsrPath::ZooKeeper }
    }

    /// Whether a replica must have reached the start of the leader's epoch to join the ISR (KAFKA-7128,
    /// 2.1 and 2.0.1; here 2.1).
    pub const fn expansion_needs_epoch_start(self) -> bool {
        self.at_least(2, 1)
    }

    /// Whether the controller is elected and fenced by `multi` on `/controller_epoch` (KAFKA-6082, 2.1).
    pub const fn fences_controller(self) -> bool {
        self.at_least(2, 1)
    }

    /// Whether brokers have epochs (KIP-380).
    pub const fn has_broker_epochs(self) -> bool {
        self.at_least(2, 2)
    }

    /// Whether the controller keeps finalized features in `/feature` (KIP-584, 2.7+).
    pub const fn has_features(self) -> bool {
        self.at_least(2, 7)
    }

    /// Whether topics have ids (KIP-516, 2.8+).
    pub const fn has_topic_ids(self) -> bool {
        self.at_least(2, 8)
    }

    /// Whether `kafka-topics` asks brokers (`--bootstrap-server`, KIP-377, 2.2+).
    pub const fn has_topics_command_of_brokers(self) -> bool {
        self.at_least(2, 2)
    }

    /// Whether `kafka-topics` reads ZooKeeper (`--zookeeper`, gone in 3.0).
    pub const fn has_topics_command_of_zookeeper(self) -> bool {
        !self.at_least(3, 0)
    }

    /// Whether the high watermark stands still while the ISR is below `min.insync.replicas` (KAFKA-15583).
    pub const fn holds_high_watermark_below_min_isr(self) -> bool {
        self.at_least(3, 7)
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A version that cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no simulated Kafka version `{0}`")]
pub struct UnknownVersion(pub String);

impl FromStr for KafkaVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let unknown = || UnknownVersion(text.to_owned());
        Self::ALL.iter().copied().find(|version| version.to_string() == text).ok_or_else(unknown)
    }
}
