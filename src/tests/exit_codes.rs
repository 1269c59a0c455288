//! Every exit code, through the binary.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
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

/// Every write to it fails, as on a full disk, which a test cannot cause.
fn full() -> File {
    File::create("/dev/full").expect("this system has one")
}

#[test]
fn what_cannot_be_written_is_no_bug() {
    let folder = scratch("full");
    fs::write(folder.join("x.toml"), HELD).expect("a scenario");
    for args in [
        &["properties"][..],
        &["--help"],
        &["run", "x.toml"],
        &["run", "x.toml", "--events", "-"],
        &["run", "x.toml", "--seeds", "1..2"],
        &["timeline", "x.toml"],
    ] {
        let said = sim(&folder, args).stdout(full()).output().expect("the binary starts");
        assert_exits(74, &said);
        let text = String::from_utf8(said.stderr).expect("text");
        assert!(text.starts_with("cannot write to stdout: No space left on device"), "{text}");
    }
    let events = ["run", "x.toml", "--events", "/dev/full"];
    let said = sim(&folder, &events).output().expect("the binary starts");
    assert_exits(74, &said);
    let text = String::from_utf8(said.stderr).expect("text");
    assert!(text.starts_with("cannot write /dev/full: No space left on device"), "{text}");
    // With stderr full as well, the exit code is all there is.
    let both = sim(&folder, &["check", "no/such.toml"]).stdout(full()).stderr(full()).output();
    assert_exits(6, &both.expect("the binary starts"));
}

/// How a command ends whose reader takes one byte and goes.
fn read_a_byte(mut command: Command) -> Output {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("a first byte");
    drop(stdout);
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_verdict_decides_also_when_the_reader_has_gone() {
    let folder = scratch("gone");
    let never = format!("{HELD}[expect]\nnever = [\"broker-registered-again\"]\n");
    let fails = format!("{never}[[fault]]\nat = \"2s\"\ncrash = \"b1\"\nrestart-after = \"1s\"\n");
    fs::write(folder.join("x.toml"), fails).expect("a scenario");
    fs::write(folder.join("held.toml"), HELD).expect("a scenario");
    for (code, args) in [
        (0, &["run", "held.toml", "--events", "-"][..]),
        (0, &["timeline", "x.toml", "--kind", "send"]),
        (1, &["run", "x.toml", "--events", "-"]),
        (1, &["run", "x.toml", "--seeds", "1..2"]),
        (1, &["replay", "reports/x-0.toml", "--events", "-"]),
        (0, &["releases"]),
    ] {
        let said = read_a_byte(sim(&folder, args));
        assert_exits(code, &said);
        assert_eq!(String::from_utf8_lossy(&said.stderr), "", "{args:?}");
    }
    // Nobody has ever read, or can.
    for redirection in [">&-", "2>&-", "<&-", ">&- 2>&- <&-"] {
        let script = format!("'{}' run x.toml {redirection}", env!("CARGO_BIN_EXE_sim"));
        let said = Command::new("sh").args(["-c", &script]).current_dir(&folder).output();
        assert_exits(1, &said.expect("a shell"));
    }
}

#[test]
fn events_replace_events_and_nothing_else() {
    let folder = scratch("events");
    fs::write(folder.join("x.toml"), HELD).expect("a scenario");
    let run = |path: &str| {
        let said = sim(&folder, &["run", "x.toml", "--events", path]).output();
        said.expect("the binary starts")
    };
    let said = run("x.toml");
    assert_exits(2, &said);
    let text = String::from_utf8(said.stderr).expect("text");
    assert_eq!(text, "x.toml is there and holds no events: it stays as it is\n");
    assert_eq!(fs::read_to_string(folder.join("x.toml")).expect("it is there"), HELD);
    let recorded = sim(&folder, &["serve", "x.toml", "--port", "0", "--record", "x.toml"]).output();
    let recorded = recorded.expect("the binary starts");
    assert_exits(2, &recorded);
    let text = String::from_utf8(recorded.stderr).expect("text");
    assert_eq!(text, "x.toml is there and holds no recording: it stays as it is\n");
    assert_eq!(fs::read_to_string(folder.join("x.toml")).expect("it is there"), HELD);
    assert_exits(2, &run("scenarios"));
    assert_exits(2, &run("no/such/folder/e"));
    fs::write(folder.join("empty"), "").expect("a file");
    std::os::unix::fs::symlink("empty", folder.join("link")).expect("a link");
    assert_exits(0, &run("link"));
    let link = folder.join("link");
    assert!(link.symlink_metadata().expect("it is there").is_symlink());
    let events = fs::read_to_string(&link).expect("it leads to events");
    assert!(events.starts_with("[s 0.000000000 e 1] ") && events.ends_with('\n'));
    assert_exits(0, &run("empty"));
    assert_exits(0, &run("/dev/null"));
    assert_eq!(fs::read_to_string(&link).expect("it leads to events"), events);
    let left = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("readable"));
    let left = left.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(left.count(), 0);
}
