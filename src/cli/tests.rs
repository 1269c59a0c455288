//! The verbs against made-up engines.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use super::{Cli, Engine, Exit, Streams, main_with};
use crate::checkers::testing::Story;
use crate::checkers::{RunOutcome, Status};
use crate::gateway::{GatewayError, RecordingError};
use crate::history::Fingerprint;
use crate::model::Permission;
use crate::releases::{Asked, KafkaVersion};
use crate::report::Style;
use crate::run::{self, Panicked, Ran, RunError, RunOptions, Stop};
use crate::scenario::{self, Plan, Scenario};
use crate::vocab::{Happening, Seed, Time};

/// A made-up scenario: its name says how its run ends.
fn load(path: &Path) -> Result<Scenario, RunError> {
    let name = path.display().to_string();
    match &*name {
        "wrong.toml" => Err(RunError::Scenario("wrong.toml:1:1: error: wrong\n".into())),
        "missing.toml" => {
            Err(RunError::Unreadable { path: name, source: io::ErrorKind::NotFound.into() })
        }
        _ => {
            let text = "kafka = \"2.8\"\nduration = \"1s\"\ncluster.brokers = 1\n";
            Ok(scenario::parse(&name, text).unwrap_or_else(|wrong| panic!("{wrong}")))
        }
    }
}

fn play(plan: Plan, mut options: RunOptions) -> Result<Ran, RunError> {
    if &*plan.scenario == "full.toml" {
        return Err(RunError::Events(io::ErrorKind::StorageFull.into()));
    }
    if let Some(events) = &mut options.events {
        writeln!(events, "an event").map_err(RunError::Events)?;
    }
    Ok(played(plan))
}

/// The outcome of a made-up run; that of `mixed.toml` depends on its seed.
fn played(plan: Plan) -> Ran {
    let mut story = Story::default();
    let last_digit = plan.seed.0 % 10;
    let kind = match (&*plan.scenario, last_digit) {
        ("mixed.toml", 3) => "panic.toml",
        ("mixed.toml", 4 | 5) => "violated.toml",
        ("mixed.toml", 6) => "not_converged.toml",
        ("mixed.toml", 7) => "inconclusive.toml",
        ("mixed.toml", 8) => "permitted.toml",
        ("mixed.toml", _) => "held.toml",
        // A name may hold more: see the test of what files bring.
        (other, _) => other.lines().last().unwrap_or(other),
    };
    match kind {
        "held.toml" => _ = story.acknowledged(0, 0).consumed(0, 0).final_log(0..1),
        "violated.toml" => _ = story.acknowledged(0, 0).final_log(0..0),
        "permitted.toml" => {
            story.terms.acknowledged_loss = Permission::Permitted;
            story.acknowledged(0, 0).final_log(0..0);
        }
        "not_converged.toml" => _ = story.sent(0),
        "inconclusive.toml" => story.terms.expected = vec![Happening::Truncated],
        "panic.toml" => {
            let message = "the made-up engine panics".into();
            return Ran { plan, outcome: Err(Panicked { message }) };
        }
        other => unreachable!("{other} is not made up"),
    }
    let outcome = RunOutcome {
        scenario: "made-up".into(),
        path: plan.scenario.clone(),
        seed: plan.seed,
        kafka: KafkaVersion::new(2, 8),
        mutant: None,
        simulated: Time::ZERO,
        world_events: 0,
        asked: Asked::default(),
        events: 0,
        fingerprint: Fingerprint(plan.seed.0),
        judgement: story.judgement(),
    };
    Ran { plan, outcome: Ok(outcome) }
}

/// The run of a made-up scenario.
pub(super) fn ran(scenario: &str, seed: u64) -> Ran {
    played(load(Path::new(scenario)).expect("a made-up scenario").plan(Seed(seed)))
}

const ENGINE: Engine = Engine {
    load,
    read_failure: run::read_failure,
    play,
    play_back: |plan, _, inbound| {
        if inbound.ends_with("damaged") {
            let path = inbound.display().to_string();
            return Err(GatewayError::Recording { path, source: RecordingError::Checksum(7) });
        }
        Ok(played(plan).outcome.unwrap_or_else(|panic| panic!("{panic}")))
    },
    serve: |plan, _| Ok(played(plan).outcome.unwrap_or_else(|panic| panic!("{panic}"))),
    many: |plans, _, stop, each| {
        for plan in plans {
            if stop.is_asked() || each(played(plan)).is_break() {
                return;
            }
        }
    },
    stop: || Ok(Stop::default()),
    now: || (Time::ZERO, String::new()),
};

struct Said {
    exit: Exit,
    out: String,
    err: String,
}

/// Streams that are no terminals.
fn plain<'a>(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Streams<'a> {
    let (out_style, err_style) = (Style::Plain, Style::Plain);
    Streams { out, err, out_style, err_style, err_is_terminal: false }
}

fn said(args: &[&str]) -> Said {
    said_by(ENGINE, args)
}

fn said_by(engine: Engine, args: &[&str]) -> Said {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = plain(&mut out, &mut err);
    let args = ["sim"].iter().chain(args).map(OsString::from);
    let exit = main_with(args, engine, &mut streams);
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
        ("full.toml", Exit::Unwritten, 74),
    ] {
        let said = said(&["run", scenario, "--seed", "7", "--no-report"]);
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
    let bug = said(&["run", "panic.toml", "--seed", "7", "--no-report"]);
    assert!(bug.err.ends_with("\n  sim run panic.toml --seed 7\n"), "{}", bug.err);
}

#[test]
fn a_recording_is_played_where_one_is_named() {
    let held = said(&["run", "held.toml", "--inbound", "good"]);
    assert_eq!(held.exit, Exit::Held, "{}", held.err);
    assert!(held.out.contains("sim run held.toml --seed 0 --inbound good\n"), "{}", held.out);
    let bad = said(&["run", "held.toml", "--inbound", "damaged"]);
    assert_eq!(bad.exit, Exit::BadFile);
    assert_eq!(bad.err, "damaged: it was damaged: the checksum of line 7 does not match\n");
    let bug = said(&["run", "panic.toml", "--inbound", "good"]);
    assert_eq!(bug.exit, Exit::Bug);
    assert!(bug.err.ends_with("\n  sim run panic.toml --seed 0 --inbound good\n"), "{}", bug.err);
}

#[test]
fn json_is_one_document() {
    let said = said(&["run", "violated.toml", "--no-report", "--format", "json"]);
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
        let line = format!("\n  {:>3}  {}", exit as u8, exit.meaning());
        assert!(help.out.contains(&line), "{line:?} is not in {}", help.out);
    }
}

#[test]
fn the_verdict_decides_also_when_the_reader_goes_away() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let violated = ["sim", "run", "violated.toml", "--no-report"];
    let sweep = [&violated[..], &["--seeds", "1..3"]].concat();
    let not_converged = ["sim", "run", "not_converged.toml", "--no-report", "--format", "json"];
    for (args, code) in [
        (&violated[..], Exit::Violated),
        (&sweep, Exit::Violated),
        (&not_converged, Exit::NotConverged),
        (&["sim", "run", "held.toml"], Exit::Held),
        (&["sim", "--help"], Exit::Held),
        (&["sim", "properties"], Exit::Held),
        (&["sim", "releases"], Exit::Held),
    ] {
        let mut err = Vec::new();
        let mut gone = Gone;
        let mut streams = plain(&mut gone, &mut err);
        let exit = main_with(args.iter().map(OsString::from), ENGINE, &mut streams);
        assert_eq!((exit, &*err), (code, &b""[..]), "{args:?}");
    }
}

/// The sum of a sweep of `mixed.toml`, as JSON.
fn swept(seeds: &str) -> (Exit, serde_json::Value) {
    let said = said(&["run", "mixed.toml", "--seeds", seeds, "--no-report", "--format", "json"]);
    assert_eq!(said.err, "", "progress is for terminals");
    (said.exit, serde_json::from_str(&said.out).expect("one document"))
}

#[test]
fn a_sweep_stops_at_nothing_and_sums_up() {
    let (exit, document) = swept("1..30");
    assert_eq!(exit, Exit::Bug);
    for (key, count) in [
        ("schema", 1),
        ("ran", 30),
        ("held", 15),
        ("violated", 6),
        ("not_converged", 3),
        ("inconclusive", 3),
        ("panicked", 3),
        ("first", 1),
        ("last", 30),
    ] {
        assert_eq!(document[key], count, "{key} in {document:#}");
    }
    assert_eq!(document["permitted_loss"], serde_json::json!({ "seeds": 3, "records": 3 }));
    let groups = document["groups"].as_array().expect("a list");
    let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().expect("text")).collect();
    let lost = "acknowledged-is-in-the-final-log";
    assert_eq!(names, ["panic", lost, "workload-completes", "missing truncated"]);
    assert_eq!(groups[1]["seeds"], serde_json::json!([4, 5, 14, 15, 24]));
    assert_eq!(groups[1]["count"], 6);
    assert_eq!(groups[1]["replay"], "sim run mixed.toml --seed 4");
    assert_eq!(groups[0]["sentence"], "the made-up engine panics");
}

#[test]
fn a_sweep_exits_like_its_worst_seed() {
    for (seeds, exit) in [
        ("1..2", Exit::Held),
        ("8", Exit::Held),
        ("7..8", Exit::Inconclusive),
        ("6..8", Exit::NotConverged),
        ("4..8", Exit::Violated),
        ("3..8", Exit::Bug),
    ] {
        assert_eq!(swept(seeds).0, exit, "{seeds}");
    }
}

#[test]
fn a_sweep_that_is_stopped_says_what_it_knows() {
    fn stopped() -> io::Result<Stop> {
        let stop = Stop::default();
        stop.ask();
        Ok(stop)
    }
    let engine = Engine { stop: stopped, ..ENGINE };
    let sweep = ["run", "violated.toml", "--seeds", "1..9"];
    let text = said_by(engine, &sweep);
    assert_eq!(text.exit, Exit::Stopped);
    assert!(text.out.contains("\nstopped after 0 of 9 seeds\n"), "{}", text.out);
    let json = said_by(engine, &[&sweep[..], &["--format", "json"]].concat());
    let document: serde_json::Value = serde_json::from_str(&json.out).expect("one document");
    assert_eq!((&document["ran"], &document["not_run"]), (&0.into(), &9.into()));
    let matrix = said_by(engine, &["matrix", "--seeds", "1..2"]);
    assert_eq!(matrix.exit, Exit::Stopped);
    assert!(matrix.out.ends_with("\noutcome  stopped after 0 of 30 runs\n"), "{}", matrix.out);
}

#[test]
fn what_files_bring_reaches_no_terminal_as_it_is() {
    let name = "\x1b[2J\u{202e}\nviolated.toml";
    for colour in ["always", "never"] {
        let said = said(&["run", name, "--color", colour, "--no-report"]);
        for text in [said.out, said.err] {
            assert!(!text.contains("\x1b[2J") && !text.contains('\u{202e}'), "{text:?}");
            assert!(!text.lines().any(|line| line.starts_with("violated.toml")), "{text:?}");
        }
    }
}

#[test]
fn one_seed_and_many_are_not_mixed() {
    for args in [
        &["run", "held.toml", "--seed", "1", "--seeds", "1..2"][..],
        &["run", "held.toml", "--seeds", "2..1"],
        &["run", "held.toml", "--seeds", "1..2", "--events", "-"],
        &["run", "held.toml", "--seeds", "1..2", "-v"],
        &["run", "held.toml", "--seeds", "1..2", "--jobs", "0"],
        &["run", "held.toml", "--jobs", "2"],
        &["run", "held.toml", "--reports", "x", "--no-report"],
        &["replay"],
    ] {
        assert_eq!(said(args).exit, Exit::Usage, "{args:?}");
    }
}

#[test]
fn clap_finds_nothing_wrong_with_the_command_line() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}
