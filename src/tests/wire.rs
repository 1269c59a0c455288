//! Answers on the wire, compared with what real brokers of nine releases answered.
//!
//! `wire/wire.py` asks a served cluster what real ones were asked; `wire/recorded` has their answers, and
//! `wire/waiting.toml` names the checks that do not get them yet. A check that differs without being named there fails
//! its release's test, and so does one that is named and does not differ.
#![expect(clippy::disallowed_methods, reason = "tests start programs, and live in real time")]

#[path = "clients/programs.rs"]
#[expect(dead_code, reason = "the tests with real clients use the rest of it")]
mod programs;
#[path = "clients/server.rs"]
#[expect(dead_code, reason = "the tests with real clients use the rest of it")]
mod server;

use std::path::Path;

use programs::{program_within, root, said};
use server::Server;

/// What serves a release: three brokers where nothing goes wrong.
fn scenario(release: &str) -> String {
    let folder = root().join("src/tests/wire");
    let text = std::fs::read_to_string(folder.join("three.toml")).expect("a scenario");
    let (line, _) = release.rsplit_once('.').expect("three numbers");
    let line = if line.starts_with("0.") { &release[..4] } else { line };
    let of_release = text.replace("kafka = \"3.9\"", &format!("kafka = \"{line}\""));
    assert!(of_release.contains(&format!("\"{line}\"")), "the release is in the scenario");
    // 0.10 waits for no further members of a group, so it has no setting for how long; and it has no transactions.
    let is_later = |row: &&str| row.contains("initial.rebalance") || row.contains("transaction");
    let is_kept = |row: &&str| line != "0.10" || !is_later(row);
    of_release.lines().filter(is_kept).flat_map(|row| [row, "\n"]).collect()
}

/// Asks a served cluster of the release everything that was asked of the real one.
fn compare(release: &str) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wire-{release}.toml"));
    std::fs::write(&file, scenario(release)).expect("a writable folder");
    let server = Server::start(&file, &[]);
    let mut python = program_within("300", Path::new("python3"), "Debian's package python3");
    // Without `__pycache__` in the source tree.
    python.arg("-B").arg(root().join("src/tests/wire/wire.py"));
    python.args(["compare", release, "--bootstrap", server.address("b1")]);
    let printed = said(python, "");
    assert!(printed.contains(" right, "), "{printed}");
    // What the checks send is no client's account of what it did: only that the run is the same again is judged.
    server.end().can_be_had_again();
}

/// A test for each recorded release.
macro_rules! releases {
    ($($name:ident $release:literal)*) => {
        /// The releases that are compared.
        const RELEASES: &[&str] = &[$($release),*];

        $(#[test]
        fn $name() {
            compare($release);
        })*
    };
}

releases! {
    answers_of_0_10 "0.10.2.2"
    answers_of_0_11 "0.11.0.3"
    answers_of_1_1 "1.1.1"
    answers_of_2_0 "2.0.1"
    answers_of_2_4 "2.4.1"
    answers_of_2_6 "2.6.3"
    answers_of_2_8 "2.8.2"
    answers_of_3_3 "3.3.2"
    answers_of_3_9 "3.9.1"
}

#[test]
fn every_recorded_release_has_its_test() {
    let recorded = root().join("src/tests/wire/recorded/releases.jsonl");
    let recorded = std::fs::read_to_string(recorded).expect("the recording");
    let named = |line: &str| line.split('"').nth(3).expect("a release").to_owned();
    let recorded: Vec<_> = recorded.lines().map(named).collect();
    assert_eq!(recorded, RELEASES);
}
