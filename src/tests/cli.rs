//! The binary as a user meets it: help, mistakes, streams, exit codes.

use std::io::Read;
use std::process::{Command, Output, Stdio};

use crate::source::root;

fn sim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command
}

fn output(args: &[&str]) -> Output {
    sim(args).output().expect("the binary starts")
}

fn pin(name: &str, text: &[u8]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let text = String::from_utf8(text.to_vec()).expect("text");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn help_is_pinned() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help-short", &["-h"]),
        ("help-run", &["run", "--help"]),
        ("help-serve", &["serve", "--help"]),
        ("help-check", &["check", "--help"]),
        ("help-replay", &["replay", "--help"]),
        ("help-determinism", &["determinism", "--help"]),
        ("help-properties", &["properties", "--help"]),
        ("help-releases", &["releases", "--help"]),
        ("help-timeline", &["timeline", "--help"]),
        ("help-mutants", &["mutants", "--help"]),
        ("help-matrix", &["matrix", "--help"]),
    ] {
        let said = output(args);
        assert_eq!(said.status.code(), Some(0), "{args:?}");
        assert!(said.stderr.is_empty(), "{args:?}");
        pin(name, &said.stdout);
    }
}

#[test]
fn mistakes_on_the_command_line_are_pinned() {
    for (name, args) in [
        ("mistake-verb", &["rum", "x.toml"][..]),
        ("mistake-option", &["run", "x.toml", "--sed", "1"]),
        ("mistake-seed", &["run", "x.toml", "--seed", "many"]),
        ("mistake-no-scenario", &["run"]),
        ("mistake-seeds", &["run", "x.toml", "--seeds", "9..1"]),
        ("mistake-seed-and-seeds", &["run", "x.toml", "--seed", "1", "--seeds", "1..9"]),
        ("mistake-mutant", &["run", "x.toml", "--mutant", "elect-outside-irs"]),
    ] {
        let said = output(args);
        assert_eq!(said.status.code(), Some(2), "{args:?}");
        assert!(said.stdout.is_empty(), "{args:?}");
        pin(name, &said.stderr);
    }
}

#[test]
fn a_scenario_that_is_not_there_is_a_bad_file() {
    for verb in ["run", "check", "determinism"] {
        let said = output(&[verb, "no/such.toml"]);
        let text = String::from_utf8(said.stderr).expect("text");
        assert_eq!(said.status.code(), Some(6), "{verb}: {text}");
        assert!(text.starts_with("cannot read no/such.toml: "), "{verb}: {text}");
        assert!(said.stdout.is_empty(), "{verb}");
    }
}

#[test]
fn properties_are_pinned() {
    let said = output(&["properties"]);
    assert_eq!(said.status.code(), Some(0));
    pin("properties", &said.stdout);
}

#[test]
fn releases_are_pinned() {
    for (name, args) in [
        ("releases", &["releases"][..]),
        ("releases-2.0-2.8", &["releases", "2.0", "2.8"]),
        ("releases-2.0.0-2.0.1", &["releases", "2.0.0", "2.0.1"]),
        ("releases-2.8.1-2.8.2", &["releases", "2.8.1", "2.8.2"]),
    ] {
        let said = output(args);
        assert_eq!(said.status.code(), Some(0), "{args:?}");
        pin(name, &said.stdout);
    }
    let said = output(&["releases", "2.8.7", "3.0"]);
    assert_eq!(said.status.code(), Some(2));
    pin("mistake-release", &said.stderr);
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let mut child = sim(&["properties"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("a first byte");
    drop(stdout);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_wrong_scenario_is_pointed_at() {
    for verb in ["run", "check"] {
        let said = output(&[verb, "src/tests/wrong/typo.toml"]);
        assert_eq!(said.status.code(), Some(6), "{verb}");
        assert!(said.stdout.is_empty(), "{verb}");
        pin("wrong-scenario", &said.stderr);
    }
}
