//! Every exit code, through the binary.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kafka_sim::checkers::clients::acknowledged_is_in_the_final_log;
use kafka_sim::vocab::Mutant;

use crate::scratch::scratch;
use crate::source::root;

/// One broker and a producer: everything holds.
const HELD: &str = "kafka = \"2.8\"\nduration = \"5s\"\n[cluster]\nbrokers = 1\n\
    [[topic]]\nname = \"t\"\n[[producer]]\nname = \"p0\"\ntopic = \"t\"\nrate = \"20/s\"\n";

fn sim(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
    command
}

fn assert_exits(code: i32, said: &Output) {
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(code), "{out}\n{err}");
}

/// The output of `sim run` for a scenario with this text.
fn run(folder: &Path, text: &str) -> Output {
    fs::write(folder.join("x.toml"), text).expect("a scenario");
    sim(folder, &["run", "x.toml"]).output().expect("the binary starts")
}

#[test]
fn the_outcome_of_a_run_is_its_exit_code() {
    let folder = scratch("exit-codes");
    let happened = format!("{HELD}[expect]\nhappened = [\"truncated\"]\n");
    let crashed = format!("{HELD}[[fault]]\nat = \"2s\"\ncrash = \"b1\"\n");
    let never = format!("{HELD}[expect]\nnever = [\"broker-registered-again\"]\n");
    let lost = format!("{never}[[fault]]\nat = \"2s\"\ncrash = \"b1\"\nrestart-after = \"1s\"\n");
    for (code, text) in
        [(0, HELD), (4, &happened), (3, &crashed), (1, &lost), (6, "kafka = \"2.8\"")]
    {
        assert_exits(code, &run(&folder, text));
    }
    assert_exits(2, &sim(&folder, &["run"]).output().expect("the binary starts"));
}

/// Without this, everything else could pass because a run cannot fail.
#[test]
fn the_canary_mutant_fails_the_plain_scenario() {
    let mutant = Mutant::CanaryAcknowledgeWithoutAppend.name();
    let run = ["run", "scenarios/leader_crash.toml", "--no-report", "--mutant", mutant];
    let said = sim(&root(), &run).output().expect("the binary starts");
    assert_exits(1, &said);
    let text = String::from_utf8(said.stdout).expect("text");
    let property = acknowledged_is_in_the_final_log::PROPERTY.name;
    assert!(text.lines().any(|line| line.starts_with("violated") && line.contains(property)));
}

#[test]
fn two_runs_that_differ_are_not_deterministic() {
    let folder = scratch("not-deterministic");
    fs::write(folder.join("x.toml"), HELD).expect("a scenario");
    // Only the first of the two processes inherits stderr, here a scenario; that of the second is /dev/null.
    let scenario = OpenOptions::new().read(true).append(true).open(folder.join("x.toml"));
    let mut command = sim(&folder, &["determinism", "/dev/stderr"]);
    let said = command.stderr(scenario.expect("it was written")).output();
    let said = said.expect("the binary starts");
    assert_exits(5, &said);
    let text = String::from_utf8(said.stdout).expect("text");
    assert!(text.starts_with("not deterministic: line 1 differs\n"), "{text}");
    assert!(text.ends_with("\n  second  (ended)\n"), "{text}");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_bug() {
    // A full disk is not our bug, but a test cannot cause a real one.
    let full = || File::create("/dev/full").expect("this system has one");
    let folder = scratch("bug");
    fs::write(folder.join("x.toml"), HELD).expect("a scenario");
    for args in [&["properties"][..], &["run", "x.toml"], &["run", "x.toml", "--seeds", "1..2"]] {
        let said = sim(&folder, args).stdout(full()).output().expect("the binary starts");
        assert_exits(70, &said);
        let text = String::from_utf8(said.stderr).expect("text");
        assert!(text.starts_with("cannot write the answer: "), "{text}");
    }
}
