//! Experiments that were done on real brokers, with the figures that were seen there.
//!
//! A row's figures are the recorded ones, with room for the time that a machine takes and for phases that the
//! experiment did not choose. The scenarios are in `src/tests/recorded`.

use std::ops::RangeInclusive;

use kafka_sim::checkers::RunOutcome;
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario;
use kafka_sim::vocab::Seed;

use crate::source::root;

fn run(name: &str, release: &str, seed: u64) -> RunOutcome {
    let path = root().join("src/tests/recorded").join(name).with_extension("toml");
    let text = std::fs::read_to_string(&path).expect("the scenario is there");
    let own = text.lines().find(|line| line.starts_with("kafka = ")).expect("it names a release");
    let text = text.replace(own, &format!("kafka = \"{release}\""));
    let parsed = scenario::parse(name, &text).unwrap_or_else(|wrong| panic!("{wrong}"));
    run::run_plan(parsed.plan(Seed(seed)), RunOptions::default()).expect("a run without files")
}

/// The longest time, in seconds, that the producer was without an acknowledgement.
fn gap(outcome: &RunOutcome) -> f64 {
    let gap = outcome.judgement.producers[0].longest_gap.expect("it sent something");
    gap.to.since(gap.from).as_secs_f64()
}

fn assert_gaps(name: &str, release: &str, seeds: &[u64], recorded: RangeInclusive<f64>) {
    for seed in seeds {
        let outcome = run(name, release, *seed);
        let gap = gap(&outcome);
        assert!(recorded.contains(&gap), "{name} {release} seed {seed}: {gap:.3} s");
        assert_eq!(outcome.lost(), 0, "{name} {release} seed {seed}");
    }
}

#[test]
fn a_shrink_does_not_end_the_wait_from_2_7_to_3_0() {
    // 2.6.3: 4.4 to 5.7 s; 2.7.2 and 2.8.2: 9.01 to 9.04 s; 3.9.1: 4.3 to 5.5 s.
    let seeds = [1, 2, 4, 7];
    for release in ["2.6.3", "3.9.1"] {
        assert_gaps("follower_stands_still", release, &seeds, 4.0..=6.1);
    }
    for release in ["2.7.2", "2.8.2"] {
        assert_gaps("follower_stands_still", release, &seeds, 9.0..=9.1);
    }
}

#[test]
fn the_channel_to_the_controller_keeps_to_the_one_it_found() {
    // 3.9.1: 35.6 s. In these seeds the silent controller neither leads nor follows, and does not follow it in office.
    assert_gaps("silent_controller", "3.9.1", &[4, 7, 11], 34.9..=36.0);
}

#[test]
fn kafka_3143_before_2_3_a_new_controller_leaves_dead_replicas_in_the_isr() {
    // 2.2.2: 13.5 s, when the leader notices; 2.4.1: 7.7 s, with the new controller.
    let seeds = [1, 2, 3];
    assert_gaps("controller_follower_dies", "2.2.2", &seeds, 10.0..=15.1);
    assert_gaps("controller_follower_dies", "2.4.1", &seeds, 4.0..=9.0);
}

/// When a broker's process ended, in seconds.
fn exited(name: &str, release: &str, broker: &str) -> Option<f64> {
    let path = root().join("src/tests/recorded").join(name).with_extension("toml");
    let text = std::fs::read_to_string(path).expect("the scenario is there");
    let own = text.lines().find(|line| line.starts_with("kafka = ")).expect("it names a release");
    let text = text.replace(own, &format!("kafka = \"{release}\""));
    let folder = crate::scratch::scratch(&format!("recorded-{name}-{release}"));
    let file = folder.join("scenario.toml");
    std::fs::write(&file, text).expect("a file");
    let mut sim = std::process::Command::new(env!("CARGO_BIN_EXE_sim"));
    let shown = sim.args(["run", "--seed", "1", "--no-report"]).arg(&file).output();
    let shown = String::from_utf8(shown.expect("it runs").stdout).expect("text");
    let line = shown.lines().find(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(broker) && words.next() == Some("exited")
    })?;
    let time = line.split_whitespace().next().expect("a time");
    Some(time.trim_end_matches('s').parse().expect("seconds"))
}

#[test]
fn a_shutdown_does_not_pause_after_its_last_try_since_3_1() {
    // 3.9.1 asks at 0.1, 5.2 and 10.2 s, and closes its sockets at 10.3 s.
    let name = "shutdown_of_a_lone_leader";
    let ended = |release| exited(name, release, "b1").expect("it ends") - 40.0;
    assert!((10.0..10.4).contains(&ended("3.9.1")), "{}", ended("3.9.1"));
    assert!((15.0..15.4).contains(&ended("3.0")), "{}", ended("3.0"));
}

#[test]
fn a_shutdown_finds_the_controller_in_the_metadata_since_3_0() {
    // 3.9.1: three requests of 30 s with two pauses of 5 s, sockets closed at 100.2 s.
    let name = "shutdown_without_zookeeper";
    let ended = |release| exited(name, release, "b3").expect("it ends") - 15.0;
    assert!((99.9..100.6).contains(&ended("3.9.1")), "{}", ended("3.9.1"));
    // ZooKeeper is back after 165 s.
    assert!(ended("2.8.2") > 165.0, "{}", ended("2.8.2"));
}
