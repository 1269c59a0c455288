//! What `acks` promises, over many seeds: the table that the simulator exists for.

use kafka_sim::checkers::RunOutcome;
use kafka_sim::report::{self, Provenance, Style};
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario::{self, Scenario};
use kafka_sim::vocab::{Happening, Seed, Time};

use crate::source::root;

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join("scenarios").join(name)).expect("the scenario is there")
}

fn parsed(text: &str) -> Scenario {
    scenario::parse("scenarios/leader_crash.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn outcome(scenario: &Scenario, seed: u64) -> RunOutcome {
    run::run_plan(scenario.plan(Seed(seed)), RunOptions::default()).expect("a run without files")
}

#[test]
fn all_in_sync_replicas_lose_nothing_and_one_loses_what_only_it_had() {
    let sweep =
        |name: &str| run::seeds(root().join("scenarios").join(name), 1..=40).expect("it runs");
    for outcome in sweep("leader_crash.toml") {
        assert!(outcome.held(), "{outcome}");
        assert_eq!(outcome.lost(), 0, "{outcome}");
    }
    let outcomes = sweep("leader_crash_acks1.toml");
    let losing = outcomes.iter().filter(|outcome| outcome.lost() > 0).count();
    assert!((1..40).contains(&losing), "{losing} of 40 seeds lose acknowledged records");
    for outcome in &outcomes {
        // The loss needs no replica to fall behind: all are in sync until the leader dies.
        let happened = &outcome.judgement.happened;
        let crash = outcome.judgement.faults[0].time;
        let shrunk = happened.get(&Happening::IsrShrunk).expect("the election drops the leader");
        assert!(shrunk.first > crash, "{outcome}");
        assert!(outcome.held(), "{outcome}");
    }
}

/// How long the producer is without an acknowledgement when the leader dies, with the version's own timings.
fn outage(version: &str) -> std::time::Duration {
    let text = text("leader_crash.toml")
        .replace("kafka = \"2.8\"", &format!("kafka = \"{version}\""))
        .replace("\"zookeeper.session.timeout.ms\" = 6000\n", "")
        .replace("duration = \"30s\"", "duration = \"60s\"")
        .replace("restart-after = \"5s\"", "restart-after = \"40s\"");
    let outcome = outcome(&parsed(&text), 42);
    let gap = outcome.judgement.producers[0].longest_gap.expect("it sent");
    assert!(gap.from > Time::from_millis(7_900), "the gap is the crash's: {gap:?}");
    gap.to.since(gap.from)
}

#[test]
fn the_outage_of_a_dead_leader_is_the_version_s_session_timeout() {
    // Sessions end 6 s (until 2.4) or 18 s after they were last heard of, on the next tick of 3 s. The last ping is as
    // old as a third of that when the leader dies.
    let (old, new) = (outage("1.0").as_secs_f64(), outage("2.8").as_secs_f64());
    assert!((4.0..11.0).contains(&old), "1.0 is without a leader for {old} s");
    assert!((12.0..23.0).contains(&new), "2.8 is without a leader for {new} s");
}

#[test]
fn the_report_of_leader_crash_is_pinned() {
    let path = root().join("scenarios/leader_crash.toml");
    let mut outcome = run::seed(path, 42).expect("it runs");
    outcome.path = "scenarios/leader_crash.toml".to_owned();
    let report = report::text(&outcome, &Provenance::default(), Style::Plain);
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false
    }, {
        insta::assert_snapshot!("leader_crash-42", report);
    });
}

/// Whether the consumer of `power_loss_all` on Kafka `version` reaches the end of the log in `within`.
fn catches_up(version: &str, within: &str) -> bool {
    let text = text("power_loss_all.toml")
        .replace("kafka = \"2.8\"", &format!("kafka = \"{version}\""))
        .replace("[expect]\n", &format!("[expect]\nconverge-within = \"{within}\"\n"));
    outcome(&parsed(&text), 3).held()
}

#[test]
fn before_2_0_a_consumer_waits_five_minutes_for_a_broker_that_forgot_its_connection() {
    // A host that lost its power resets nothing, and the fetch that it never saw has no answer. The
    // consumer gives up after request.timeout.ms: 305 s, and 30 s since 2.0 (KIP-266).
    assert!(!catches_up("1.0", "60s"));
    assert!(catches_up("1.0", "330s"));
    assert!(catches_up("2.0", "60s"));
}

#[test]
fn clients_of_the_oldest_release_create_topics_and_are_served() {
    let text = text("leader_crash.toml").replace("kafka = \"2.8\"", "kafka = \"0.10\"");
    let outcome = outcome(&parsed(&text), 0);
    assert!(outcome.held(), "{outcome}");
    assert!(outcome.acknowledged() > 1_000);
}
