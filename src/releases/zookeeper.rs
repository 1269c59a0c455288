//! Releases of ZooKeeper, and what differs between them.
//!
//! A cluster has the one that its Kafka release ships with, unless the scenario names another
//! (`[zookeeper] version`). Kafka's own client of ZooKeeper is always of the release that Kafka ships with.

use super::KafkaVersion;
use super::defaults::{DefaultValue, in_force};
use super::first::{V0_10, V0_11, V2_0, V2_3, V2_4, V3_0, V3_6, V3_7};

/// A release of ZooKeeper that is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZooKeeperVersion {
    major: u8,
    minor: u8,
    patch: u8,
}

const fn release(major: u8, minor: u8, patch: u8) -> ZooKeeperVersion {
    ZooKeeperVersion { major, minor, patch }
}

/// The releases that Kafka 0.10.2 to 3.9 ship with, and the first ones in which committed transactions survive
/// (ZOOKEEPER-4643), each with when it was built, as its `srvr` says.
const BUILT: &[(ZooKeeperVersion, &str)] = &[
    (release(3, 4, 9), "08/23/2016 06:50 GMT"),
    (release(3, 4, 10), "03/23/2017 10:13 GMT"),
    (release(3, 4, 13), "06/29/2018 04:05 GMT"),
    (release(3, 4, 14), "03/06/2019 16:18 GMT"),
    (release(3, 5, 6), "10/08/2019 20:18 GMT"),
    (release(3, 5, 7), "02/10/2020 11:30 GMT"),
    (release(3, 5, 8), "05/04/2020 15:53 GMT"),
    (release(3, 5, 9), "01/06/2021 20:03 GMT"),
    (release(3, 6, 3), "04/08/2021 16:35 GMT"),
    (release(3, 6, 4), "12/18/2022 18:10 GMT"),
    (release(3, 8, 2), "2023-07-05 19:24 UTC"),
    (release(3, 8, 3), "2023-10-05 10:34 UTC"),
    (release(3, 8, 4), "2024-02-12 22:16 UTC"),
    (release(3, 9, 3), "2024-10-17 23:21 UTC"),
];

/// Their names, as scenarios write them.
pub const NAMES: &[&str] = &[
    "3.4.9", "3.4.10", "3.4.13", "3.4.14", "3.5.6", "3.5.7", "3.5.8", "3.5.9", "3.6.3", "3.6.4",
    "3.8.2", "3.8.3", "3.8.4", "3.9.3",
];

/// What Kafka releases ship with (`gradle/dependencies.gradle` at their tags).
pub const SHIPPED: &[(KafkaVersion, DefaultValue)] = {
    use DefaultValue::Text;
    &[
        (V0_10, Text("3.4.9")),
        (V0_11, Text("3.4.10")),
        (V2_0, Text("3.4.13")),
        (V2_3, Text("3.4.14")),
        (V2_4, Text("3.5.6")),
        (KafkaVersion::patched(2, 4, 1), Text("3.5.7")),
        (KafkaVersion::patched(2, 5, 1), Text("3.5.8")),
        (KafkaVersion::patched(2, 6, 2), Text("3.5.9")),
        (KafkaVersion::patched(2, 7, 0), Text("3.5.8")),
        (KafkaVersion::patched(2, 7, 1), Text("3.5.9")),
        (V3_0, Text("3.6.3")),
        (KafkaVersion::patched(3, 4, 1), Text("3.6.4")),
        (V3_6, Text("3.8.2")),
        (KafkaVersion::patched(3, 6, 1), Text("3.8.3")),
        (KafkaVersion::patched(3, 6, 2), Text("3.8.4")),
        (V3_7, Text("3.8.3")),
        (KafkaVersion::patched(3, 7, 1), Text("3.8.4")),
    ]
};

/// A behaviour that differs between releases of ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZooKeeperChange {
    /// Servers and clients measure time on the monotonic clock; before, on the wall clock (ZOOKEEPER-1366; in 3.4
    /// since 3.4.11).
    MonotonicClock,
    /// `dirs` is a word, `conf` has the sizes of directories and the ensemble, and `dump` shows connections (3.5).
    DirectorySizes,
    /// `srvr` and `stat` of a leader have the sizes of proposals, and so has `mntr` (ZOOKEEPER-1346).
    ProposalSizes,
    /// Average latencies are fractions, `mntr` begins with the server's state and has more keys (ZOOKEEPER-3288).
    MetricsFramework,
}

impl ZooKeeperVersion {
    /// The release with that name.
    pub fn named(name: &str) -> Option<Self> {
        let index = NAMES.iter().position(|one| *one == name)?;
        Some(BUILT[index].0)
    }

    /// The release that a release of Kafka ships with.
    pub fn shipped_with(kafka: KafkaVersion) -> Self {
        match in_force(SHIPPED, kafka) {
            Some(DefaultValue::Text(name)) => Self::named(name).expect("a release of the table"),
            other => unreachable!("every Kafka release ships with ZooKeeper, not {other:?}"),
        }
    }

    /// When it was built, as it says itself.
    pub fn built(self) -> &'static str {
        let row = BUILT.iter().find(|(release, _)| *release == self);
        row.expect("a release of the table").1
    }

    /// Whether it behaves so.
    pub fn has(self, change: ZooKeeperChange) -> bool {
        match change {
            ZooKeeperChange::MonotonicClock => self >= release(3, 4, 11),
            ZooKeeperChange::DirectorySizes | ZooKeeperChange::ProposalSizes => {
                self >= release(3, 5, 0)
            }
            ZooKeeperChange::MetricsFramework => self >= release(3, 6, 0),
        }
    }
}

impl Default for ZooKeeperVersion {
    /// What the newest Kafka release ships with.
    fn default() -> Self {
        Self::shipped_with(KafkaVersion::default())
    }
}

impl std::fmt::Display for ZooKeeperVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_releases_are_the_same_in_order() {
        let names: Vec<String> = BUILT.iter().map(|(release, _)| release.to_string()).collect();
        assert_eq!(names, NAMES);
        assert!(BUILT.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(SHIPPED.is_sorted_by(|(one, _), (next, _)| one < next));
        for kafka in KafkaVersion::every() {
            assert!(!ZooKeeperVersion::shipped_with(kafka).built().is_empty());
        }
    }

    #[test]
    fn kafka_ships_with_the_zookeeper_of_its_build_file() {
        for (kafka, zookeeper) in [
            ("0.10.2.2", "3.4.9"),
            ("1.1.1", "3.4.10"),
            ("2.0.1", "3.4.13"),
            ("2.4.1", "3.5.7"),
            ("2.6.3", "3.5.9"),
            ("2.8.2", "3.5.9"),
            ("3.3.2", "3.6.3"),
            ("3.6.2", "3.8.4"),
            ("3.9", "3.8.4"),
        ] {
            let kafka: KafkaVersion = kafka.parse().unwrap();
            assert_eq!(ZooKeeperVersion::shipped_with(kafka).to_string(), zookeeper, "{kafka}");
        }
    }
}
