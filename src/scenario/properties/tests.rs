//! The property tables, and how a plan's properties are resolved from them.

use super::*;

fn version(text: &str) -> KafkaVersion {
    text.parse().expect("a version")
}

fn defaults(table: &[Property], of: &str) -> Properties {
    Properties::resolve(table, version(of), &BTreeMap::new())
}

#[test]
fn defaults_follow_the_version() {
    for (name, expected) in [
        ("zookeeper.session.timeout.ms", [6_000, 6_000, 18_000, 18_000]),
        ("replica.lag.time.max.ms", [10_000, 10_000, 30_000, 30_000]),
        ("message.max.bytes", [1_000_012, 1_000_012, 1_048_588, 1_048_588]),
        ("replica.high.watermark.checkpoint.interval.ms", [5_000; 4]),
        ("log.flush.interval.messages", [i64::MAX; 4]),
    ] {
        let found = ["1.0", "2.4", "2.8", "3.8"].map(|of| defaults(BROKER, of).int(name));
        assert_eq!(found, expected, "{name}");
    }
    let unclean = |of| defaults(BROKER, of).bool("unclean.leader.election.enable");
    assert_eq!(["0.10", "0.11", "1.0"].map(unclean), [true, false, false]);
}

#[test]
fn client_defaults_follow_the_version() {
    let versions = ["1.0", "2.0", "2.1", "3.8"];
    let max = i64::from(i32::MAX);
    let retries = versions.map(|of| defaults(PRODUCER, of).int("retries"));
    assert_eq!(retries, [0, 0, max, max]);
    let delivery = versions.map(|of| defaults(PRODUCER, of).optional_int("delivery.timeout.ms"));
    assert_eq!(delivery, [None, None, Some(120_000), Some(120_000)]);
    let backoff = versions.map(|of| defaults(PRODUCER, of).optional_int("retry.backoff.max.ms"));
    assert_eq!(backoff, [None, None, None, Some(1_000)]);
    let request = versions.map(|of| defaults(CONSUMER, of).int("request.timeout.ms"));
    assert_eq!(request, [305_000, 30_000, 30_000, 30_000]);
    let session = ["2.8", "3.0"].map(|of| defaults(MEMBER, of).int("session.timeout.ms"));
    assert_eq!(session, [10_000, 45_000]);
    let acks = ["2.8", "3.0"].map(|of| in_force(ACKS, version(of)));
    assert_eq!(acks, [Some("1"), Some("all")]);
}

#[test]
fn a_topic_takes_what_it_does_not_set_from_its_broker() {
    let set = BTreeMap::from([("min.insync.replicas".to_owned(), Value::Number(2))]);
    let topic = Properties::of_topic(&defaults(BROKER, "0.10"), &set);
    assert_eq!(topic.int("min.insync.replicas"), 2);
    assert!(topic.bool("unclean.leader.election.enable"));
    assert_eq!(topic.optional_ms("flush.ms"), None);
}

#[test]
fn never_is_a_duration_that_no_run_sees_the_end_of() {
    let set = BTreeMap::from([("log.flush.interval.ms".to_owned(), Value::Number(i64::MAX))]);
    let broker = Properties::resolve(BROKER, version("2.8"), &set);
    let never = broker.optional_ms("log.flush.interval.ms").expect("it is set");
    assert!((crate::vocab::Time::ZERO + never).is_never());
    assert_eq!(broker.optional_ms("replica.fetch.wait.max.ms"), Some(Duration::from_millis(500)));
}

#[test]
#[should_panic(expected = "no property `replica.lag`")]
fn a_name_that_is_no_property_is_a_programmers_mistake() {
    defaults(BROKER, "2.8").int("replica.lag");
}

#[test]
fn tables_are_sound() {
    for table in [BROKER, PRODUCER, TRANSACTIONAL, CONSUMER, MEMBER, OLD_CONSUMER, ZOOKEEPER] {
        for (index, property) in table.iter().enumerate() {
            let name = property.name;
            assert!(table[..index].iter().all(|p| p.name != name), "{name} is listed twice");
            assert!(property.defaults.is_sorted_by_key(|(since, _)| *since), "{name}");
            for (_, default) in property.defaults {
                let fits = match (property.kind, default) {
                    (Kind::Number { min, max, .. }, DefaultValue::Is(n)) => (min..=max).contains(n),
                    (Kind::Number { .. }, DefaultValue::Unset) => true,
                    (Kind::Flag, DefaultValue::On | DefaultValue::Off) => true,
                    (Kind::Choice(words), DefaultValue::Text(word)) => words.contains(word),
                    _ => false,
                };
                assert!(fits, "{name} cannot be {default:?}");
            }
        }
    }
    for (topic, broker) in TOPIC {
        assert!(BROKER.iter().any(|p| p.name == *broker), "{topic} falls back on {broker}");
    }
}

#[test]
fn settings_of_clients_that_nothing_obeys_are_refused_by_name() {
    let text = include_str!("../../../scenarios/leader_crash.toml");
    let said = |section: &str, name: &str| {
        let set = text.replacen(section, &format!("{section}\n\"{name}\" = 1"), 1);
        assert_ne!(set, text);
        crate::scenario::parse("x.toml", &set).unwrap_err().render()
    };
    for (section, name) in [
        ("[[producer]]", "compression.type"),
        ("[[producer]]", "partitioner.availability.timeout.ms"),
        ("[[consumer]]", "check.crcs"),
        ("[[consumer]]", "ssl.protocol"),
    ] {
        let said = said(section, name);
        assert!(said.contains(&format!("`{name}` is not simulated")), "{said}");
    }
    // The other kind of client has it.
    assert!(said("[[consumer]]", "linger.ms").contains("unknown property"));
}
