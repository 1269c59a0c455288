//! Reports of one made-up run that held and one that did not, pinned in `snapshots/`.

use std::collections::BTreeMap;

use super::{Files, Provenance, Style, replay_json, replay_text, sweep_json, sweep_text};
use crate::checkers::testing::{Story, orders};
use crate::checkers::{
    Expectation, Judgement, Latency, Occurrence, PartitionSummary, ProducerSummary, RunOutcome,
};
use crate::history::{BrokerObservation, Election, Fingerprint};
use crate::model::Permission;
use crate::model::availability::Gap;
use crate::model::happened::Seen;
use crate::releases::{Asked, KafkaVersion};
use crate::run::{Build, Comparison, Group, Panicked, PermittedLoss, Ran, Replayed, Sweep, Worst};
use crate::scenario::{self, Found, FoundViolation};
use crate::vocab::{Acks, Happening, Seed, Time, TopicPartition, Wanted};

/// A made-up build: the real commit is in no snapshot.
const BUILD: Build = Build { version: "0.3.0", commit: "9e1c2ab" };

fn about() -> Provenance {
    Provenance { build: BUILD, ..Provenance::default() }
}

fn text(outcome: &RunOutcome, style: Style) -> String {
    super::text(outcome, &about(), style)
}

fn json(outcome: &RunOutcome) -> String {
    super::json(outcome, &about())
}

fn outcome(scenario: &str, judgement: Judgement) -> RunOutcome {
    RunOutcome {
        scenario: scenario.into(),
        path: format!("scenarios/{scenario}.toml"),
        seed: Seed(42),
        kafka: KafkaVersion::new(2, 8),
        mutant: None,
        simulated: Time::from_millis(30_000),
        world_events: 654_321,
        asked: Asked::default(),
        events: 1_234_567,
        fingerprint: Fingerprint(0x5f0c_2e9a_11d0_4477),
        judgement,
    }
}

fn beginning() -> Story {
    let mut story = Story::default();
    story.at(1_200).controller(1, 1);
    story.at(1_300).created(&[2, 1, 3]).elected(2, 0, &[2, 1, 3], Election::New);
    story.at(1_302).became_leader(2, 0, 0);
    for record in 0..1_500 {
        story.at(2_000 + 4 * record).acknowledged(record, record as i64);
        story.consumed(record as i64, record);
    }
    story
}

fn held() -> RunOutcome {
    let mut story = beginning();
    story.terms.expected = vec![Happening::LeaderElected, Happening::IsrShrunk];
    story.terms.never = vec![Happening::UncleanLeaderElected];
    let (at, base, last, leader_epoch, checksum) = (orders(), 0, 1_500, 0, 7);
    let appended = BrokerObservation::Appended { at, base, last, leader_epoch, checksum };
    for broker in [1, 2, 3] {
        story.told_by(broker, appended.clone());
    }
    story.at(8_000).fault("crash leader(orders-0) = b2, restart after 5s");
    story.at(14_021).elected(1, 1, &[1, 3], Election::Offline).became_leader(1, 1, 1_500);
    story.isr_changed(&[2, 1, 3], &[1, 3]);
    story.at(14_204).sent(1_500).acknowledged(1_500, 1_500).consumed(1_500, 1_500);
    story.at(16_900).isr_changed(&[1, 3], &[1, 3, 2]).isr_known(1, &[1, 3, 2], 2);
    story.high_watermark(1, 1_501);
    story.at(30_000).final_log(0..1_501);
    outcome("leader_crash", story.judgement())
}

fn lost(permission: Permission) -> RunOutcome {
    let mut story = beginning();
    story.terms.acknowledged_loss = permission;
    story.terms.expected = vec![Happening::UncleanLeaderElected, Happening::SessionExpired];
    story.terms.never = vec![Happening::Truncated, Happening::LeaderLost];
    story.at(7_998).fault("isolate b1 b3");
    story.at(8_000).fault("crash leader(orders-0) = b2");
    story.at(14_021).leader_lost(1, &[2]);
    story.at(14_022).elected(1, 2, &[1], Election::Unclean).became_leader(1, 2, 1_490);
    story.sent(1_500).at(29_000).unknown(1_500);
    story.at(30_000).final_log(0..1_490).final_record(1_490, 1_489).final_record(1_491, 1_488);
    outcome("unclean_election", story.judgement())
}

fn pin(name: &str, report: String) {
    let settings = {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings.bind(|| insta::assert_snapshot!(name, report));
}

#[test]
fn the_text_of_a_run_that_held_is_pinned() {
    pin("report-held-text", text(&held(), Style::Plain));
}

#[test]
fn the_text_of_a_loss_is_pinned() {
    pin("report-lost-text", text(&lost(Permission::Forbidden), Style::Plain));
}

#[test]
fn the_text_of_a_permitted_loss_is_pinned() {
    pin("report-permitted-text", text(&lost(Permission::Permitted), Style::Plain));
}

#[test]
fn the_json_of_a_loss_is_pinned() {
    pin("report-lost-json", json(&lost(Permission::Forbidden)));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let outcome = lost(Permission::Forbidden);
    let coloured = text(&outcome, Style::Colour);
    assert!(coloured.contains("\x1b[1m\x1b[31mviolated"), "{coloured}");
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(plain, text(&outcome, Style::Plain));
}

#[test]
fn what_clients_bring_reaches_no_terminal_as_it_is() {
    let mut story = beginning();
    story.at(8_000).fault("crash \x1b[2J\x1b[31mb1\u{9b}\u{202e}");
    let outcome = outcome("x\nviolated  everything", story.judgement());
    for style in [Style::Plain, Style::Colour] {
        let text = text(&outcome, style);
        assert!(!text.contains(['\x1b', '\u{9b}', '\u{202e}']), "{text}");
        assert!(text.contains("crash \\u{1b}[2J\\u{1b}[31mb1\\u{9b}\\u{202e}"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("violated")), "{text}");
    }
    let document = json(&outcome);
    assert!(!document.contains(['\x1b', '\u{9b}', '\u{202e}']), "{document}");
    let value: serde_json::Value = serde_json::from_str(&document).expect("it is JSON");
    assert_eq!(value["faults"][0]["text"], "crash \x1b[2J\x1b[31mb1\u{9b}\u{202e}");
}

#[test]
fn json_keys_are_sorted_at_every_depth() {
    fn check(value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                assert!(map.keys().is_sorted(), "{:?}", map.keys().collect::<Vec<_>>());
                map.values().for_each(check);
            }
            serde_json::Value::Array(list) => list.iter().for_each(check),
            _ => {}
        }
    }
    let document = json(&lost(Permission::Forbidden));
    let value = serde_json::from_str(&document).expect("it is JSON");
    check(&value);
    assert_eq!(value["schema"], 1);
    assert_eq!(value["status"], "violated");
    let keys: Vec<_> = document.lines().filter(|line| line.starts_with("  \"")).collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn an_expectation_has_words_for_each_case() {
    let seen = |count| Some(Seen { count, first: Time::from_millis(1_500) });
    let case = |expected, seen| Expectation {
        happening: Happening::Truncated,
        expected,
        wanted: None,
        seen,
        nothing_to_judge: None,
    };
    let counted = |least, most, seen| Expectation {
        wanted: Some(Wanted {
            happening: Happening::Truncated,
            least,
            most,
            partition: Some(TopicPartition::new("orders", 0)),
            after: None,
            before: Some(Time::from_millis(20_000)),
        }),
        ..case(Occurrence::Counted, seen)
    };
    let judgement = Judgement {
        expectations: vec![
            case(Occurrence::Happens, seen(1)),
            case(Occurrence::Happens, seen(1_200)),
            case(Occurrence::Happens, None),
            case(Occurrence::NeverHappens, None),
            case(Occurrence::NeverHappens, seen(2)),
            counted(1, Some(3), seen(2)),
            counted(3, None, seen(2)),
            counted(1, Some(1), seen(2)),
            counted(1, None, None),
        ],
        ..Judgement::default()
    };
    let text = text(&outcome("x", judgement), Style::Plain);
    let lines: Vec<_> = text.lines().skip_while(|line| *line != "expected").skip(1).collect();
    assert_eq!(
        lines[..9],
        [
            "  happened      truncated  once, at 1.500s",
            "  happened      truncated  1,200 times, first at 1.500s",
            "  missing       truncated",
            "  never         truncated",
            "  happened      truncated  2 times, first at 1.500s, but must not happen",
            "  happened      truncated  2 times, first at 1.500s, \
             expected 1..3 of orders-0 before 20.000s",
            "  too few       truncated  2 times, first at 1.500s, \
             expected 3.. of orders-0 before 20.000s",
            "  too many      truncated  2 times, first at 1.500s, \
             expected 1 of orders-0 before 20.000s",
            "  too few       truncated  not once, expected 1.. of orders-0 before 20.000s",
        ]
    );
}

#[test]
fn waits_refusals_and_clients_from_outside_are_shown() {
    let gap = |from, to| Gap { from: Time::from_millis(from), to: Time::from_millis(to) };
    let producer = |name: &str, is_external, refused: &[(&str, u64)]| ProducerSummary {
        name: name.into(),
        is_external,
        acks: Acks::Leader,
        sent: 400,
        acknowledged: 400,
        unconfirmed: 0,
        failed: 0,
        unknown: 0,
        unended: 0,
        errors: BTreeMap::new(),
        refused: refused.iter().map(|(error, count)| ((*error).into(), *count)).collect(),
        lost: Some(39),
        lost_unconfirmed: Some(0),
        duplicated: 0,
        reordered: 0,
        longest_gap: Some(gap(1_000, 2_500)),
        latency: (!is_external).then_some(Latency {
            p50: Time(1_210_000),
            p99: Time::from_millis(17),
            max: Time::from_millis(60_012),
        }),
    };
    let partition = |number, gap| PartitionSummary {
        at: TopicPartition::new("t", number),
        acknowledged: 1_200,
        longest_gap: gap,
    };
    let judgement = Judgement {
        producers: vec![
            producer("p0", false, &[("NOT_ENOUGH_REPLICAS", 1_490), ("REQUEST_TIMED_OUT", 1)]),
            producer("rdkafka", true, &[]),
        ],
        partitions: vec![partition(0, gap(10_000, 70_000)), partition(1, gap(1_000, 2_000))],
        not_followed: 7,
        ..Judgement::default()
    };
    let text = text(&outcome("x", judgement), Style::Plain);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(words).collect();
    for line in [
        "p0 1 400 400 0 39 0 1.500s at 1.000s",
        "rdkafka (outside) 1 400 400 0 39 0 1.500s at 1.000s",
        "p0 1.3ms 17.0ms 60.012s NOT_ENOUGH_REPLICAS 1,490, REQUEST_TIMED_OUT 1",
        "rdkafka (outside) - - -",
        "t-0 1,200 60.000s at 10.000s",
        "not judged 7 records of clients from outside: too many to follow",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line}: {text}");
    }
    // Its producers were without an acknowledgement for longer.
    assert!(!lines.iter().any(|line| line.starts_with("t-1")), "{text}");
}

fn group(status: Worst, name: &str, count: u64, seeds: &[u64]) -> Group {
    Group {
        status,
        name: name.into(),
        sentence: format!("what {name} says"),
        count,
        seeds: seeds.iter().copied().map(Seed).collect(),
        replay: format!("sim run scenarios/x.toml --seed {}", seeds[0]),
    }
}

fn sweep() -> Sweep {
    Sweep {
        path: "scenarios/x.toml".into(),
        first: Seed(1),
        last: Seed(1_000),
        ran: 1_000,
        held: 959,
        violated: 37,
        not_converged: 2,
        inconclusive: 1,
        panicked: 1,
        permitted_loss: PermittedLoss { seeds: 12, records: 3_456 },
        acknowledged: 5_900_000,
        groups: vec![
            group(Worst::Panicked, "panic", 1, &[800]),
            group(Worst::Violated, "no-duplicates", 36, &[7, 19, 23, 24, 25]),
            group(Worst::Violated, "order", 1, &[900]),
            group(Worst::NotConverged, "replicas-converge", 2, &[3, 5]),
            group(Worst::Inconclusive, "missing truncated", 1, &[4]),
        ],
    }
}

#[test]
fn the_text_of_a_sweep_is_pinned() {
    let written = (1..=20).map(|seed| format!("reports/x-{seed}.toml").into()).collect();
    let files = Files { written, left_out: 20 };
    pin("report-sweep-text", sweep_text(&sweep(), &files, BUILD, Style::Plain));
}

#[test]
fn the_text_of_a_sweep_in_which_all_held_is_short() {
    let held = Sweep { groups: Vec::new(), permitted_loss: PermittedLoss::default(), ..sweep() };
    let held =
        Sweep { held: 1_000, violated: 0, not_converged: 0, inconclusive: 0, panicked: 0, ..held };
    assert_eq!(
        sweep_text(&held, &Files::default(), BUILD, Style::Plain),
        "x  seeds 1..1000  5,900,000 acknowledged records\n\n\
         held                1,000\n\
         violated                0\n"
    );
}

#[test]
fn the_json_of_a_sweep_has_all_that_the_text_has() {
    let files = Files { written: vec!["reports/x-7.toml".into()], left_out: 20 };
    let document = sweep_json(&sweep(), &files, BUILD);
    let value: serde_json::Value = serde_json::from_str(&document).expect("it is JSON");
    assert_eq!(value["schema"], 1);
    assert_eq!(value["groups"][1]["status"], "violated");
    assert_eq!(value["groups"][3]["status"], "not-converged");
    assert_eq!(value["reports"], serde_json::json!(["reports/x-7.toml"]));
    assert_eq!(value["reports_left_out"], 20);
    assert_eq!(value["sim"], serde_json::json!({ "version": "0.3.0", "commit": "9e1c2ab" }));
}

fn replayed(outcome: Result<RunOutcome, Panicked>, found: Found) -> Replayed {
    let text = "kafka = \"2.8\"\nduration = \"1s\"\ncluster.brokers = 1\n";
    let plan = scenario::parse("x.toml", text).expect("a scenario").plan(Seed(42));
    let ran = Ran { plan, outcome };
    let comparison = Comparison::of(&ran, &found);
    Replayed { ran, found, comparison }
}

fn found(property: &str, fingerprint: u64) -> Found {
    let property = property.to_owned();
    let sentence = "what was seen".to_owned();
    Found {
        version: "0.2.0".into(),
        commit: "0123456".into(),
        fingerprint: Some(fingerprint),
        panicked: None,
        violations: vec![FoundViolation { property, sentence }],
    }
}

/// The end of the text of a replay: what was recorded, and the new run.
fn compared(outcome: Result<RunOutcome, Panicked>, found: Found) -> String {
    let replayed = replayed(outcome, found);
    let text = replay_text(&replayed, &about(), Style::Plain);
    let document = replay_json(&replayed, &about());
    let value: serde_json::Value = serde_json::from_str(&document).expect("it is JSON");
    assert_eq!(value["comparison"], serde_json::to_value(replayed.comparison).expect("a name"));
    let at = text.find("recorded  ").expect("what was recorded");
    text[at..].to_owned()
}

#[test]
fn a_replay_says_how_the_two_runs_compare() {
    let (gone, lost_property) = (|| Ok(held()), "acknowledged-is-in-the-final-log");
    let lost = || Ok(lost(Permission::Forbidden));
    let panic = |message: &str| Err(Panicked { message: message.into() });
    let panicked = Found {
        fingerprint: None,
        panicked: Some("boom".into()),
        violations: Vec::new(),
        ..found("", 0)
    };
    let same = 0x5f0c_2e9a_11d0_4477;
    for (outcome, found, says) in [
        (lost(), found(lost_property, same), "the same violation, the same run"),
        (lost(), found(lost_property, 1), "the same violation, on another path"),
        (lost(), found("order", 1), "gone, but the run fails in another way"),
        (gone(), found(lost_property, 1), "gone"),
        (gone(), found(lost_property, same), "gone"),
        (panic("boom"), panicked.clone(), "the same panic, the same run"),
        (panic("bang"), panicked.clone(), "the same panic, on another path"),
        (gone(), panicked, "gone"),
        (panic("boom"), found(lost_property, 1), "gone, but the run fails in another way"),
    ] {
        let text = compared(outcome, found);
        assert!(text.contains(&format!("\nreplayed  {says}\n")), "{says}: {text}");
    }
    assert_eq!(
        compared(lost(), found(lost_property, 1)),
        "recorded  acknowledged-is-in-the-final-log   what was seen\n      \
         by  sim 0.2.0, 0123456, fingerprint 0000000000000001\n\
         replayed  the same violation, on another path\n      \
         by  sim 0.3.0, 9e1c2ab, fingerprint 5f0c2e9a11d04477\n"
    );
}
