//! Reports of one made-up run that held and one that did not, pinned in `snapshots/`.

use super::{Style, json, text};
use crate::checkers::happened::{Expectation, Expected, Seen};
use crate::checkers::testing::Story;
use crate::checkers::{Judgement, Permission, RunOutcome};
use crate::history::{Election, Fingerprint};
use crate::vocab::{Happening, KafkaVersion, Seed, Time};

fn outcome(scenario: &str, judgement: Judgement) -> RunOutcome {
    RunOutcome {
        scenario: scenario.into(),
        path: format!("scenarios/{scenario}.toml"),
        seed: Seed(42),
        kafka: KafkaVersion::new(2, 8),
        mutant: None,
        simulated: Time::from_millis(30_000),
        world_events: 654_321,
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
    story.at(8_000).fault("crash leader(orders-0) = b2, restart after 5s");
    story.at(14_021).elected(1, 1, &[1, 3], Election::Offline).became_leader(1, 1, 1_500);
    story.isr_changed(&[2, 1, 3], &[1, 3]);
    story.at(14_204).sent(1_500).acknowledged(1_500, 1_500).consumed(1_500, 1_500);
    story.at(16_900).isr_changed(&[1, 3], &[1, 3, 2]);
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
    assert!(coloured.contains("\x1b[1;31mviolated"), "{coloured}");
    let mut plain = String::new();
    let mut rest = &*coloured;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').expect("the end of an escape sequence").1;
    }
    plain.push_str(rest);
    assert_eq!(plain, text(&outcome, Style::Plain));
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
fn an_expectation_is_told_in_words_for_each_case() {
    let seen = |count| Some(Seen { count, first: Time::from_millis(1_500) });
    let case = |expected, seen| Expectation { happening: Happening::Truncated, expected, seen };
    let judgement = Judgement {
        expectations: vec![
            case(Expected::Happens, seen(1)),
            case(Expected::Happens, seen(1_200)),
            case(Expected::Happens, None),
            case(Expected::NeverHappens, None),
            case(Expected::NeverHappens, seen(2)),
        ],
        ..Judgement::default()
    };
    let text = text(&outcome("x", judgement), Style::Plain);
    let lines: Vec<_> = text.lines().skip_while(|line| *line != "expected").skip(1).collect();
    assert_eq!(
        lines[..5],
        [
            "  happened      truncated  once, at 1.500s",
            "  happened      truncated  1,200 times, first at 1.500s",
            "  missing       truncated",
            "  never         truncated",
            "  happened      truncated  2 times, first at 1.500s, but must not",
        ]
    );
}
