//! What differs between two releases.

use kafka_protocol::messages::ApiKey;

use super::apis::{APIS, highest};
use super::defaults::{
    ACKS, ADMIN, ASSIGNMENT, BROKER, CONSUMER, DefaultValue, MEMBER, OLD_CONSUMER, PRODUCER,
    Property, TRANSACTIONAL, in_force,
};
use super::{KafkaVersion, Row, TABLE};

/// All that differs between two releases.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Rows that only the second has.
    pub came: Vec<&'static Row>,
    /// Rows that only the first has.
    pub went: Vec<&'static Row>,
    /// APIs with their highest version in either.
    pub apis: Vec<(ApiKey, Option<i16>, Option<i16>)>,
    /// Properties with their owner and their default in either; `None` where there is no such property.
    pub defaults: Vec<ChangedDefault>,
}

/// A property whose default differs.
#[derive(Clone, Copy, Debug)]
pub struct ChangedDefault {
    /// The table of the scenario that it belongs to.
    pub owner: &'static str,
    /// Kafka's name.
    pub name: &'static str,
    /// In the first release.
    pub from: Option<DefaultValue>,
    /// In the second.
    pub to: Option<DefaultValue>,
}

/// What differs between `from` and `to`.
pub fn difference(from: KafkaVersion, to: KafkaVersion) -> Difference {
    let only = |has: KafkaVersion, lacks: KafkaVersion| {
        let only = |row: &&Row| row.period.contains(has) && !row.period.contains(lacks);
        TABLE.iter().filter(only).collect()
    };
    let apis = APIS.iter().map(|(api, _)| (*api, highest(from, *api), highest(to, *api)));
    let tables: [(_, &[Property]); 7] = [
        ("broker", BROKER),
        ("producer", PRODUCER),
        ("producer", TRANSACTIONAL),
        ("consumer", CONSUMER),
        ("consumer", MEMBER),
        ("old consumer", OLD_CONSUMER),
        ("admin", ADMIN),
    ];
    let defaults = tables.into_iter().flat_map(|(owner, table)| {
        table.iter().map(move |property| ChangedDefault {
            owner,
            name: property.name,
            from: property.default_in(from),
            to: property.default_in(to),
        })
    });
    let acks = ChangedDefault {
        owner: "producer",
        name: "acks",
        from: in_force(ACKS, from).map(DefaultValue::Text),
        to: in_force(ACKS, to).map(DefaultValue::Text),
    };
    let assignment = ChangedDefault {
        owner: "consumer",
        name: "partition.assignment.strategy",
        from: in_force(ASSIGNMENT, from).map(DefaultValue::Text),
        to: in_force(ASSIGNMENT, to).map(DefaultValue::Text),
    };
    Difference {
        came: only(to, from),
        went: only(from, to),
        apis: apis.filter(|(_, old, new)| old != new).collect(),
        defaults: defaults.chain([acks, assignment]).filter(|one| one.from != one.to).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> KafkaVersion {
        text.parse().unwrap()
    }

    #[test]
    fn a_release_does_not_differ_from_itself() {
        for release in KafkaVersion::every() {
            let same = difference(release, release);
            assert!(same.came.is_empty() && same.went.is_empty(), "{release}");
            assert!(same.apis.is_empty() && same.defaults.is_empty(), "{release}");
        }
    }

    #[test]
    fn rows_come_and_go_the_other_way_round_too() {
        let names = |rows: &[&Row]| rows.iter().map(|row| row.name).collect::<Vec<_>>();
        let there = difference(of("2.0.0"), of("2.0.1"));
        let came = [
            "epoch-stored-at-election",
            "isr-join-needs-epoch-start",
            "marker-hides-sequence",
            "pattern-refreshes-metadata",
            "offsets-await-loading",
        ];
        assert_eq!(names(&there.came), came);
        assert_eq!(names(&there.went), ["halt-on-shorter-leader"]);
        assert!(there.apis.is_empty() && there.defaults.is_empty());
        let back = difference(of("2.0.1"), of("2.0.0"));
        assert_eq!(
            (names(&back.came), names(&back.went)),
            (names(&there.went), names(&there.came))
        );
    }

    #[test]
    fn apis_and_defaults_are_compared() {
        let found = difference(of("2.8"), of("3.0"));
        assert!(found.apis.contains(&(ApiKey::FindCoordinator, Some(3), Some(4))));
        let acks = found.defaults.iter().find(|one| one.name == "acks").expect("it changed");
        assert_eq!(
            acks.from.zip(acks.to),
            Some((DefaultValue::Text("1"), DefaultValue::Text("all")))
        );
        let text = |name: &str| {
            let one = found.defaults.iter().find(|one| one.name == name).expect("it changed");
            one.from.zip(one.to).map(|(from, to)| format!("{from} {to}"))
        };
        assert_eq!(text("session.timeout.ms").as_deref(), Some("10000 45000"));
        let assignors = text("partition.assignment.strategy");
        assert_eq!(assignors.as_deref(), Some("range range,cooperative-sticky"));
    }
}
