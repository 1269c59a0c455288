//! The verbs against made-up engines.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use super::{Cli, Engine, Exit, Streams, main_with, seed};
use crate::checkers::testing::Story;
use crate::checkers::{RunOutcome, Status};
use crate::history::Fingerprint;
use crate::run::{RunError, RunOptions};
use crate::vocab::{Happening, KafkaVersion, Seed, Time};

/// Stands for a scenario: its name says what its run comes to.
fn run(path: &Path, seed: Option<Seed>, mut options: RunOptions) -> Result<RunOutcome, RunError> {
    let mut story = Story::default();
    let path = path.display().to_string();
    match &*path {
        "held.toml" => _ = story.acknowledged(0, 0).consumed(0, 0).final_log(0..1),
        "violated.toml" => _ = story.acknowledged(0, 0).final_log(0..0),
        "not_converged.toml" => _ = story.sent(0),
        "inconclusive.toml" => story.terms.expected = vec![Happening::Truncated],
        "panic.toml" => panic!("the made-up engine panics"),
        "wrong.toml" => return Err(RunError::Scenario("wrong.toml:1:1: error: wrong\n".into())),
        "pipe.toml" => return Err(RunError::Events(io::ErrorKind::BrokenPipe.into())),
        "full.toml" => return Err(RunError::Events(io::ErrorKind::StorageFull.into())),
        _ => {
            let source = io::ErrorKind::NotFound.into();
            return Err(RunError::Unreadable { path, source });
        }
    }
    if let Some(events) = &mut options.events {
        writeln!(events, "an event").map_err(RunError::Events)?;
    }
    Ok(RunOutcome {
        scenario: "made-up".into(),
        path,
        seed: seed.unwrap_or(Seed(1)),
        kafka: KafkaVersion::new(2, 8),
        mutant: None,
        simulated: Time::ZERO,
        world_events: 0,
        events: 0,
        fingerprint: Fingerprint::default(),
        judgement: story.judgement(),
    })
}

fn check(path: &Path) -> Result<(), RunError> {
    run(path, None, RunOptions::default()).map(drop)
}

const ENGINE: Engine = Engine { run, check, now: || (Time::ZERO, String::new()) };

struct Said {
    exit: Exit,
    out: String,
    err: String,
}

fn said(args: &[&str]) -> Said {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams { out: &mut out, err: &mut err, out_is_terminal: false };
    let args = ["sim"].iter().chain(args).map(OsString::from);
    let exit = main_with(args, ENGINE, &mut streams);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { exit, out: text(out), err: text(err) }
}

#[test]
fn every_status_has_its_exit_code() {
    for (scenario, exit, code) in [
        ("held.toml", Exit::Held, 0),
        ("violated.toml", Exit::Violated, 1),
        ("not_converged.toml", Exit::NotConverged, 3),
        ("inconclusive.toml", Exit::Inconclusive, 4),
        ("wrong.toml", Exit::BadFile, 6),
        ("missing.toml", Exit::BadFile, 6),
        ("panic.toml", Exit::Bug, 70),
        ("pipe.toml", Exit::Held, 0),
        ("full.toml", Exit::Bug, 70),
    ] {
        let said = said(&["run", scenario, "--seed", "7"]);
        assert_eq!(said.exit, exit, "{scenario}: {}", said.err);
        assert_eq!(exit as u8, code);
    }
    assert_eq!(Exit::from(Status::Held), Exit::Held);
}

#[test]
fn the_answer_goes_to_stdout_and_a_failure_to_stderr() {
    let held = said(&["run", "held.toml", "--seed", "0x10"]);
    assert!(held.out.contains("sim run held.toml --seed 16"), "{}", held.out);
    assert_eq!(held.err, "");
    let wrong = said(&["run", "wrong.toml"]);
    assert_eq!((&*wrong.out, &*wrong.err), ("", "wrong.toml:1:1: error: wrong\n"));
    let bug = said(&["run", "panic.toml", "--seed", "7"]);
    assert!(bug.err.ends_with("\n  sim run panic.toml --seed 7\n"), "{}", bug.err);
}

#[test]
fn json_is_one_document() {
    let said = said(&["run", "violated.toml", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("one document");
    assert_eq!(document["status"], "violated");
}

#[test]
fn colour_is_asked_for_or_not_there() {
    assert!(!said(&["run", "held.toml"]).out.contains('\x1b'));
    assert!(!said(&["run", "held.toml", "--color", "never"]).out.contains('\x1b'));
    assert!(said(&["--color", "always", "run", "held.toml"]).out.contains('\x1b'));
}

#[test]
fn check_reads_all_files_and_remembers_the_bad_one() {
    let said = said(&["check", "held.toml", "wrong.toml", "violated.toml"]);
    assert_eq!(said.exit, Exit::BadFile);
    assert_eq!(said.out, "held.toml: ok\nviolated.toml: ok\n");
    assert_eq!(said.err, "wrong.toml:1:1: error: wrong\n");
}

#[test]
fn a_command_line_that_is_wrong_is_usage() {
    for args in [&[][..], &["jump"], &["run"], &["run", "x", "--seed", "x"], &["check"]] {
        let said = said(args);
        assert_eq!(said.exit, Exit::Usage, "{args:?}");
        assert_eq!(said.out, "");
        assert_ne!(said.err, "");
    }
}

#[test]
fn help_lists_every_exit_code() {
    let help = said(&["--help"]);
    assert_eq!(help.exit, Exit::Held);
    for &exit in Exit::ALL {
        let line = format!("\n  {:>2}  {}", exit as u8, exit.meaning());
        assert!(help.out.contains(&line), "{line:?} is not in {}", help.out);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for args in [&["sim", "run", "violated.toml"][..], &["sim", "--help"], &["sim", "properties"]] {
        let mut err = Vec::new();
        let mut streams = Streams { out: &mut Gone, err: &mut err, out_is_terminal: false };
        let exit = main_with(args.iter().map(OsString::from), ENGINE, &mut streams);
        assert_eq!((exit, &*err), (Exit::Held, &b""[..]), "{args:?}");
    }
}

#[test]
fn seeds_are_decimal_or_hexadecimal() {
    assert_eq!(seed("42"), Ok(Seed(42)));
    assert_eq!(seed("0xff"), Ok(Seed(255)));
    for text in ["", "-1", "ff", "0x", "18446744073709551616"] {
        assert!(seed(text).is_err(), "{text:?}");
    }
}

#[test]
fn clap_finds_nothing_wrong_with_the_command_line() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}
