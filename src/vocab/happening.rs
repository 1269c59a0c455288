//! What a scenario can ask to have happened, so that a run in which the fault never bit is no pass.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Time, TopicPartition};

/// Something that a run shows or does not show; named in a scenario's `[expect] happened`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// The controller chose a leader for a partition that was not new.
    LeaderElected,
    /// The leader was chosen from outside the in-sync replicas.
    UncleanLeaderElected,
    /// The first replica of the assignment was given the lead back.
    PreferredLeaderElected,
    /// A partition had no leader.
    LeaderLost,
    /// A replica left the in-sync replicas.
    IsrShrunk,
    /// A replica joined the in-sync replicas.
    IsrExpanded,
    /// A broker became the controller after the cluster's first one.
    ControllerElected,
    /// A broker's session at ZooKeeper expired.
    SessionExpired,
    /// A broker registered that had been registered before.
    BrokerRegisteredAgain,
    /// A broker started on a disk that was not shut down cleanly.
    UncleanShutdownRecovered,
    /// A broker ended itself after a fatal error.
    BrokerHalted,
    /// A replica cut records off its log to agree with its leader.
    Truncated,
    /// A client's operation failed for certain.
    OperationFailed,
    /// A client's operation ended without its outcome being known.
    OperationUnknown,
    /// A consumer's position was moved by its reset policy, away from where it had read.
    PositionReset,
    /// An acknowledged record is not in the final log.
    RecordLost,
    /// The final log holds a record more than once.
    RecordDuplicated,
    /// The final log holds a producer's records in another order than they were sent.
    RecordReordered,
    /// A broker refused a request of a producer or consumer, with an error.
    RequestRefused,
    /// The ensemble of ZooKeeper got another leader, or its leader began another epoch.
    #[serde(rename = "zookeeper-leader-changed")]
    ZooKeeperLeaderChanged,
    /// A server of ZooKeeper started from a snapshot.
    #[serde(rename = "zookeeper-snapshot-read")]
    ZooKeeperSnapshotRead,
}

impl Happening {
    /// Every happening, in the order in which they are listed to a user.
    pub const ALL: &'static [Self] = &[
        Self::LeaderElected,
        Self::UncleanLeaderElected,
        Self::PreferredLeaderElected,
        Self::LeaderLost,
        Self::IsrShrunk,
        Self::IsrExpanded,
        Self::ControllerElected,
        Self::SessionExpired,
        Self::BrokerRegisteredAgain,
        Self::UncleanShutdownRecovered,
        Self::BrokerHalted,
        Self::Truncated,
        Self::OperationFailed,
        Self::OperationUnknown,
        Self::PositionReset,
        Self::RecordLost,
        Self::RecordDuplicated,
        Self::RecordReordered,
        Self::RequestRefused,
        Self::ZooKeeperLeaderChanged,
        Self::ZooKeeperSnapshotRead,
    ];

    /// The name that a scenario and a report use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeaderElected => "leader-elected",
            Self::UncleanLeaderElected => "unclean-leader-elected",
            Self::PreferredLeaderElected => "preferred-leader-elected",
            Self::LeaderLost => "leader-lost",
            Self::IsrShrunk => "isr-shrunk",
            Self::IsrExpanded => "isr-expanded",
            Self::ControllerElected => "controller-elected",
            Self::SessionExpired => "session-expired",
            Self::BrokerRegisteredAgain => "broker-registered-again",
            Self::UncleanShutdownRecovered => "unclean-shutdown-recovered",
            Self::BrokerHalted => "broker-halted",
            Self::Truncated => "truncated",
            Self::OperationFailed => "operation-failed",
            Self::OperationUnknown => "operation-unknown",
            Self::PositionReset => "position-reset",
            Self::RecordLost => "record-lost",
            Self::RecordDuplicated => "record-duplicated",
            Self::RecordReordered => "record-reordered",
            Self::RequestRefused => "request-refused",
            Self::ZooKeeperLeaderChanged => "zookeeper-leader-changed",
            Self::ZooKeeperSnapshotRead => "zookeeper-snapshot-read",
        }
    }
}

impl Happening {
    /// Whether it happens in a partition.
    pub const fn has_partition(self) -> bool {
        matches!(
            self,
            Self::LeaderElected
                | Self::UncleanLeaderElected
                | Self::PreferredLeaderElected
                | Self::LeaderLost
                | Self::IsrShrunk
                | Self::IsrExpanded
                | Self::Truncated
                | Self::PositionReset
                | Self::RequestRefused
        )
    }

    /// Whether it is known at the end of a run only, so that it has no time.
    pub const fn is_seen_at_the_end(self) -> bool {
        matches!(self, Self::RecordLost | Self::RecordDuplicated | Self::RecordReordered)
    }
}

/// How often something may happen, and which of it counts; a scenario's `[expect]` says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What.
    #[serde(with = "by_name")]
    pub happening: Happening,
    /// The fewest.
    pub least: u64,
    /// The most, if there is a limit.
    pub most: Option<u64>,
    /// The partition, if only one counts.
    pub partition: Option<TopicPartition>,
    /// From when on it counts, if not from the beginning.
    pub after: Option<Time>,
    /// Until when it counts, if not to the end.
    pub before: Option<Time>,
}

/// A happening by its name, so that a stored one does not depend on the order of the list.
mod by_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Happening;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub fn serialize<S: Serializer>(happening: &Happening, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(happening.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Happening, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl Wanted {
    /// Whether what happened at `time` in `partition` counts.
    pub fn counts(&self, time: Time, partition: Option<&TopicPartition>) -> bool {
        self.after.is_none_or(|after| time >= after)
            && self.before.is_none_or(|before| time < before)
            && self.partition.as_ref().is_none_or(|wanted| Some(wanted) == partition)
    }
}

impl fmt::Display for Wanted {
    /// `1..3 of orders-0 before 20s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, Some(most)) if least == most => write!(f, "{least}")?,
            (least, Some(most)) => write!(f, "{least}..{most}")?,
            (least, None) => write!(f, "{least}..")?,
        }
        self.partition.iter().try_for_each(|at| write!(f, " of {at}"))?;
        self.after.iter().try_for_each(|time| write!(f, " from {time:.3} on"))?;
        self.before.iter().try_for_each(|time| write!(f, " before {time:.3}"))
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no happening's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing called `{0}` can be expected to happen")]
pub struct UnknownHappening(pub String);

impl FromStr for Happening {
    type Err = UnknownHappening;

    fn from_str(text: &str) -> Result<Self, UnknownHappening> {
        let unknown = || UnknownHappening(text.to_owned());
        Self::ALL.iter().copied().find(|happening| happening.name() == text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_the_one_in_json() {
        for &happening in Happening::ALL {
            assert_eq!(happening.name().parse(), Ok(happening));
            let json = serde_json::to_value(happening).expect("a unit variant");
            assert_eq!(json, happening.name());
        }
    }

    #[test]
    fn the_list_is_in_the_order_of_the_variants_and_has_no_gap() {
        for (index, &happening) in Happening::ALL.iter().enumerate() {
            assert_eq!(happening as usize, index);
        }
        assert_eq!(Happening::ALL.len(), Happening::ZooKeeperSnapshotRead as usize + 1);
    }

    #[test]
    fn other_names_are_refused_by_name() {
        let refused = "leader_elected".parse::<Happening>();
        assert_eq!(refused, Err(UnknownHappening("leader_elected".into())));
    }
}
