//! `sim timeline` through the binary: synchronous and asynchronous replication, step by step.

use std::process::{Command, Stdio};

use crate::source::root;

fn timeline(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.arg("timeline").args(args).current_dir(root()).stdin(Stdio::null());
    let said = command.output().expect("the binary starts");
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("text")
}

fn pin(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false,
        omit_expression => true
    }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Asserts that lines with each of `steps` come in this order.
fn assert_in_order(story: &str, steps: &[&str]) {
    let mut lines = story.lines();
    for step in steps {
        assert!(lines.any(|line| line.contains(step)), "{step:?} is not there in order:\n{story}");
    }
}

#[test]
fn the_differences_between_releases_that_a_run_asked_for_are_listed() {
    let listed =
        timeline(&["scenarios/exits_rather_than_truncate.toml", "--seed", "1", "--releases"]);
    assert!(listed.contains("  yes  high-watermark-at-every-fetch "), "{listed}");
    assert!(listed.contains("  no   isr-join-needs-epoch-start "), "{listed}");
    assert!(!listed.contains("topics-tool"), "nothing ran kafka-topics:\n{listed}");
    pin("timeline-releases", &listed);
}

#[test]
fn synchronous_replication_answers_when_all_in_sync_followers_have_acknowledged() {
    let story = timeline(&["scenarios/sync_replication.toml", "--seed", "1", "--record", "p0:0"]);
    assert_in_order(
        &story,
        &[
            "p0  -         requests metadata from z1",
            "p0  orders-0  sends record 0 to b1, acks=all",
            "b1  orders-0  appends offset 0",
            "b1  orders-0  b2 fetches from offset 0",
            "  orders-0  appends offset 0",
            "b1  orders-0  b2 fetched up to offset 1",
            "b1  orders-0  high watermark 1",
            "p0  orders-0  record 0 is acknowledged at offset 0",
        ],
    );
    pin("timeline-sync_replication", &story);
}

#[test]
fn asynchronous_replication_answers_after_the_leader_s_own_append() {
    let story = timeline(&["scenarios/async_replication.toml", "--seed", "1", "--record", "p0:0"]);
    assert_in_order(
        &story,
        &[
            "b1  orders-0  appends offset 0",
            "b1  orders-0  acknowledges up to offset 1, acks=1",
            "b1  orders-0  b2 fetched up to offset 1",
        ],
    );
    pin("timeline-async_replication", &story);
}

#[test]
fn a_run_is_printed_by_its_turning_points() {
    let story = timeline(&["scenarios/leader_crash.toml", "--seed", "42"]);
    assert_in_order(&story, &["fault: crash", "crashed", "fault undone: restart", "elects"]);
    pin("timeline-leader_crash-42", &story);
    let isr = timeline(&[
        "scenarios/leader_crash.toml",
        "--seed",
        "42",
        "--kind",
        "isr",
        "--kind",
        "role",
    ]);
    // Columns are as wide as what is shown needs.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let all: Vec<_> = story.lines().map(words).collect();
    assert!((1..all.len()).contains(&isr.lines().count()));
    assert!(isr.lines().all(|line| all.contains(&words(line))), "{isr}");
}
