//! The scenarios of the repository: each with a few seeds, pinned; and what the main ones are there to show.

use std::fmt::Write;
use std::path::PathBuf;

use kafka_sim::checkers::{RunOutcome, Status, Verdict};
use kafka_sim::report::{self, Provenance, Style};
use kafka_sim::run;

use crate::source::root;

/// Seeds of each scenario that are pinned: the first with its whole report, the others in a line.
const PINNED: std::ops::RangeInclusive<u64> = 1..=3;

fn names() -> Vec<String> {
    let files = std::fs::read_dir(root().join("scenarios")).expect("there are scenarios");
    let name = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> =
        files.filter_map(|file| name(file.expect("readable").path())).collect();
    names.sort();
    names
}

fn runs(name: &str, seeds: std::ops::RangeInclusive<u64>) -> Vec<RunOutcome> {
    let path = root().join("scenarios").join(name).with_extension("toml");
    let mut outcomes = run::seeds(path, seeds).unwrap_or_else(|wrong| panic!("{wrong}"));
    for outcome in &mut outcomes {
        outcome.path = format!("scenarios/{name}.toml");
    }
    outcomes
}

/// What the runs came to, without what is another after each commit.
fn summary(outcomes: &[RunOutcome]) -> String {
    let build = run::Build { version: "VERSION", commit: "COMMIT" };
    let about = Provenance { build, ..Provenance::default() };
    let mut text = report::text(&outcomes[0], &about, Style::Plain);
    for outcome in &outcomes[1..] {
        let (lost, fingerprint) = (outcome.lost(), outcome.fingerprint);
        writeln!(text, "\n{outcome}\n  {lost} lost, fingerprint {fingerprint}").expect("a string");
    }
    text
}

#[test]
fn every_scenario_is_pinned_with_a_few_seeds() {
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false,
        omit_expression => true
    }, {
        for name in names() {
            insta::assert_snapshot!(format!("scenario-{name}"), summary(&runs(&name, PINNED)));
        }
    });
}

#[test]
fn every_scenario_says_what_it_shows() {
    for name in names() {
        let path = root().join("scenarios").join(&name).with_extension("toml");
        let scenario = run::load(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(scenario.about().len() > 80, "{name} does not say what it shows");
    }
}

/// Asserts that every seed holds and loses nothing that was acknowledged.
fn assert_nothing_is_lost(name: &str) {
    for outcome in runs(name, 1..=10) {
        assert!(outcome.held(), "{outcome}");
        assert_eq!(outcome.lost(), 0, "{outcome}");
    }
}

#[test]
fn with_acks_all_nothing_acknowledged_is_lost_whatever_becomes_of_the_leader() {
    assert_nothing_is_lost("leader_power_loss");
    assert_nothing_is_lost("partitioned_leader");
    assert_nothing_is_lost("leader_cut_from_zookeeper");
}

#[test]
fn a_slow_follower_and_a_rolling_restart_cost_time_and_nothing_else() {
    assert_nothing_is_lost("slow_follower");
    assert_nothing_is_lost("rolling_restart");
}

#[test]
fn the_last_replica_in_sync_loses_what_others_still_hold() {
    let outcomes = runs("last_replica", 1..=20);
    let losing: Vec<_> = outcomes.iter().filter(|outcome| outcome.lost() > 0).collect();
    assert!(!losing.is_empty(), "no seed of 1..20 loses anything (KIP-966)");
    for outcome in losing {
        assert_eq!(outcome.judgement.status(), Status::Violated, "{outcome}");
        assert!(outcome.violates("committed-is-durable"), "{outcome}");
    }
}

/// Asserts that every seed holds, and that some show what the release cannot bring about and is permitted for.
fn assert_permitted(name: &str, property: &str) {
    let outcomes = runs(name, 1..=20);
    for outcome in &outcomes {
        assert!(outcome.held(), "{outcome}");
    }
    let shows = |outcome: &RunOutcome| {
        let mut judged = outcome.judgement.verdicts.iter();
        judged
            .any(|one| one.property.name == property && matches!(one.verdict, Verdict::Violated(_)))
    };
    assert!(outcomes.iter().any(shows), "no seed of 1..20 of {name} shows {property}");
}

#[test]
fn replicas_that_the_release_cannot_bring_back_are_reported_and_permitted() {
    assert_permitted("rewritten_epoch", "replicas-converge");
    assert_permitted("unseen_restart", "replicas-converge");
}
