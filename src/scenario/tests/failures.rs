//! Failures written, read back, edited and damaged.

use super::*;

/// Everything that a plan can have and no scenario of the repository has.
const RARE: &str = r#"
kafka = "1.0"
mutant = "elect-outside-isr"
duration = "2m"
[cluster]
brokers = 4
[broker]
"unclean.leader.election.enable" = true
[[topic]]
name = "a.b"
partitions = 5
replication-factor = 2
"unclean.leader.election.enable" = false
[[topic]]
name = "c"
assignment = [[4], [1]]
[[producer]]
name = "p"
count = 2
topic = "a.b"
acks = 1
rate = "3/2s"
record-size = "1KiB"
start = "1s..2s"
stop = "90s..100s"
discover = "zookeeper"
[[consumer]]
name = "c"
topics = ["a.b", "c"]
from = "end"
start = "10ms..20ms"
[[consumer]]
name = "m"
topics-matching = "a.*|c"
group = "g"
"isolation.level" = "read_committed"
[[zookeeper-client]]
name = "k"
count = 2
rate = "7/s"
znodes = 3
move-every = "1500ms"
start = "1s..2s"
stop = "90s..100s"
[[zookeeper-client]]
name = "still"
rate = "1/2s"
[network]
latency = "1500us"
loss = "1/1000"
bandwidth = "1.5KiB/s"
[disk]
write = "20us"
fsync = "1ms..3ms"
[[command]]
at = "1s..2s"
times = 2
every = "1s"
run = "kafka-topics --describe --topic a.b,c --zookeeper z1:2181"
[[command]]
at = "1s"
run = "bin/kafka-topics.sh --list"
[[fault]]
at = "10s..20s"
times = 3
every = "1s..2s"
pause = ["b1", "leader(c-1)"]
resume-after = "100ms..200ms"
[[fault]]
at = "30s..40s"
power-loss = "brokers"
[[fault]]
at = "10s..50s"
restart = ["b1", "b2"]
[[fault]]
at = "20s"
partition = "controller"
from = ["zookeepers", "p-1"]
direction = "out"
heal-after = "1s"
[[fault]]
at = "20s"
partition = "b3"
direction = "in"
[[fault]]
at = "21s"
cut = "follower(a.b-4, 1)"
to = "z1"
[[fault]]
at = "22s"
slow = "b1"
latency = "200ms"
[[fault]]
at = "22s"
slow = "b1"
to = "b2"
latency = "200ms"
heal-after = "1h"
[[fault]]
at = "23s"
reset = "b1"
[[fault]]
at = "23s"
reset = "b1"
to = "c"
[[fault]]
at = "24s"
slow-disk = "b1"
write = "1ms"
[[fault]]
at = "24s"
slow-disk = "b2"
fsync = "1ms..2ms"
heal-after = "5s"
[[fault]]
at = "25s"
clock = "b1"
step = "-5s"
[[fault]]
at = "26s"
shutdown = "b4"
restart-after = "1s"
[expect]
happened = ["leader-elected", "record-lost"]
never = ["truncated"]
acknowledged-loss = "permitted"
converge-within = "90s"
unavailable-at-most = "70s"
latency-at-most = {p50 = "1s", p99 = "20s", max = "70s"}
truncated = [{count = "..9", partition = "a.b-4", after = "1500ms", before = "90s"}, 7]
record-lost = "1.."
"#;

fn found() -> Found {
    Found {
        version: "0.1.0".into(),
        commit: "9e1c2ab-dirty".into(),
        fingerprint: Some(0x0f0c_2e9a_11d0_4477),
        panicked: None,
        violations: vec![FoundViolation {
            property: "acknowledged-is-in-the-final-log".into(),
            sentence: "orders-0@3, \"record\" 3\nof p\\0, is gone\t\u{1}é".into(),
        }],
    }
}

fn panicked() -> Found {
    let message = Some("two nodes named 'b1'".into());
    Found { fingerprint: None, panicked: message, violations: Vec::new(), ..found() }
}

fn assert_survives(failure: &Failure) {
    let text = write(failure);
    let read = parse_failure("x.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
    assert_eq!(&read, failure, "{text}");
}

fn rare() -> Scenario {
    let text = RARE.replace("heal-after = \"1h\"", "heal-after = \"90s\"");
    parse("rare.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn every_plan_survives_being_written_as_a_failure() {
    for (name, text) in SCENARIOS {
        let scenario = parse(name, text).unwrap_or_else(|wrong| panic!("{wrong}"));
        for seed in (0..20).chain([u64::MAX, 1 << 63]) {
            assert_survives(&Failure { plan: scenario.plan(Seed(seed)), found: found() });
        }
    }
    for seed in 0..200 {
        let plan = rare().plan(Seed(seed));
        assert_survives(&Failure { plan, found: panicked() });
    }
}

#[test]
fn every_version_survives_being_written() {
    for version in KafkaVersion::ALL {
        let text = changed("kafka = \"2.8\"", &format!("kafka = \"{version}\""));
        assert_survives(&Failure { plan: plan(&text), found: found() });
    }
}

#[test]
fn a_failure_is_written_in_the_language_of_scenarios() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let failure = Failure { plan: rare().plan(Seed(3)), found: found() };
    settings.bind(|| insta::assert_snapshot!("failure-file", write(&failure)));
}

fn written() -> String {
    write(&Failure { plan: plan(EXAMPLE), found: found() })
}

#[test]
fn a_failure_can_be_edited_like_a_scenario() {
    let text = written().replace("at = \"8s\"", "at = \"9500ms\"");
    let failure = parse_failure("x.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(failure.plan.faults[0].at, Time::from_millis(9_500));
}

#[test]
fn mistakes_in_a_failure_are_pointed_at() {
    for (from, to, says) in [
        (
            "schema = 1",
            "schema = 2",
            "error: `schema` must be at most 1, not 2\n --> x.toml:3:10\n",
        ),
        ("schema = 1\n", "", "`schema` is missing at the top of the file"),
        ("seed = 1", "seed = -1", "`seed` must be at least 0, not -1"),
        ("seed = 1", "seed = \"0xg\"", "this is not a seed"),
        ("\"0f0c2e9a11d04477\"", "\"0f0c\"", "this is not a fingerprint"),
        ("\"0f0c2e9a11d04477\"", "\"+f0c2e9a11d04477\"", "this is not a fingerprint"),
        ("commit =", "comit =", "unknown key `comit` in [failure]"),
        ("property = \"a", "property = [\"a\"] #", "`property` must be a string, not a list"),
        ("crash = ", "crahs = ", "did you mean `crash`?"),
        ("[failure]", "[found]", "`version` is missing in [failure]"),
        (
            "property = \"a",
            "property = \"isr-of-coordinator-agrees\" #",
            "`isr-of-coordinator-agrees` is now called `zookeeper-isr-has-committed`",
        ),
        (
            "property = \"a",
            "property = \"one-coordinator-leader-per-epoch\" #",
            "`one-coordinator-leader-per-epoch` is now called `one-zookeeper-leader-per-epoch`",
        ),
        (
            "property = \"a",
            "property = \"coordinator-histories-agree\" #",
            "`coordinator-histories-agree` is now called `zookeeper-histories-agree`",
        ),
    ] {
        let text = written();
        assert!(text.contains(from), "{text}");
        let wrong = parse_failure("x.toml", &text.replacen(from, to, 1)).expect_err(to);
        assert!(wrong.render().contains(says), "{to}: {wrong}");
    }
    let nothing = parse_failure("x.toml", "").expect_err("there is nothing in it").render();
    assert!(nothing.contains("error: `kafka` is missing"), "{nothing}");
    assert!(nothing.contains(" --> x.toml:1:1\n"), "{nothing}");
}

#[test]
fn a_failure_and_a_scenario_are_not_mistaken_for_each_other() {
    let wrong = parse("x.toml", &written()).expect_err("no scenario").render();
    assert!(wrong.contains("this is a failure file, not a scenario"), "{wrong}");
    assert!(wrong.contains("hint: `sim replay` runs it"), "{wrong}");
    assert_eq!(wrong.matches("error:").count(), 1, "{wrong}");
    let wrong = parse_failure("x.toml", EXAMPLE).expect_err("no failure").render();
    assert!(wrong.contains("hint: a scenario has none: `sim run` runs it"), "{wrong}");
}

#[test]
fn no_damaged_failure_panics_the_reader() {
    let text = write(&Failure { plan: rare().plan(Seed(3)), found: found() });
    let mut wrong = 0;
    for at in (0..text.len()).step_by(7).filter(|&at| text.is_char_boundary(at)) {
        let (before, after) = text.split_at(at);
        let rest: String = after.chars().skip(1).collect();
        for damaged in [before.to_owned(), format!("{before}{rest}"), format!("{before}9{rest}")] {
            match parse_failure("x.toml", &damaged) {
                Ok(failure) => drop(write(&failure)),
                Err(found) => {
                    wrong += 1;
                    assert!(found.render().contains("--> x.toml:"), "{found}");
                }
            }
        }
    }
    assert!(wrong > text.len() / 14, "little of the damage was noticed");
}
