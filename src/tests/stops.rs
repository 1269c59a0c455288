//! A command that is stopped prints what it knows, and leaves nothing behind.
#![expect(clippy::disallowed_types, reason = "signals take real time")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::scratch;

/// Far more than any of this takes, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ten hours: a run that no test waits for.
const LONG: &str = "kafka = \"2.8\"\nduration = \"10h\"\n[cluster]\nbrokers = 1\n\
    [[topic]]\nname = \"t\"\n[[producer]]\nname = \"p0\"\ntopic = \"t\"\nrate = \"100/s\"\n";

/// A run that takes no time.
const SHORT: &str = "kafka = \"2.8\"\nduration = \"1s\"\n[cluster]\nbrokers = 1\n";

fn start(folder: &Path, args: &[&str]) -> Child {
    // A shell starts what runs in the background with SIGINT ignored, and that is passed on.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_sim")]);
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.expect("there is kill").success(), "{name} {process}");
}

/// Until `is_so`, looked at again and again.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How a process ends.
fn ended(mut child: Child) -> Output {
    let process = child.id();
    wait_until(&format!("the end of {process}"), || child.try_wait().expect("ours").is_some());
    child.wait_with_output().expect("it has ended")
}

fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count)
}

/// Processes that `parent` started.
fn children(parent: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let list = list.unwrap_or_default();
    list.split_whitespace().map(|process| process.parse().expect("a number")).collect()
}

fn is_running(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // A process without a parent that waits for it stays as a zombie.
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[test]
fn a_sweep_that_is_stopped_prints_what_it_knows() {
    let folder = scratch("stop-sweep");
    fs::write(folder.join("x.toml"), SHORT).expect("a scenario");
    for name in ["-INT", "-TERM"] {
        // More seeds than any machine runs before the signal comes.
        let child =
            start(&folder, &["run", "x.toml", "--seeds", "1..100000000", "--format", "json"]);
        // Two runs, and the one that waits for signals.
        wait_until("runs", || threads(child.id()) > 2);
        std::thread::sleep(Duration::from_secs(1));
        signal(child.id(), name);
        let said = ended(child);
        let err = String::from_utf8_lossy(&said.stderr);
        assert_eq!((said.status.code(), &*err), (Some(130), ""));
        let document: serde_json::Value = serde_json::from_slice(&said.stdout).expect("JSON");
        let number = |key: &str| document[key].as_u64().expect("a number");
        assert!(number("ran") > 0, "{document:#}");
        assert_eq!(number("ran") + number("not_run"), 100_000_000);
        assert_eq!(number("held"), number("ran"));
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = scratch("stop-twice");
    fs::write(folder.join("x.toml"), LONG).expect("a scenario");
    // A reader that has stopped reading: what is known cannot be printed.
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&[0; 1 << 16]).expect("as much as a pipe holds");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(["run", "x.toml", "--seeds", "1..9"]).current_dir(&folder).stdout(writer);
    let mut child = command.stdin(Stdio::null()).spawn().expect("the binary starts");
    wait_until("runs", || threads(child.id()) > 2);
    signal(child.id(), "-INT");
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().expect("ours").is_none(), "it waits for its reader");
    signal(child.id(), "-INT");
    assert_eq!(ended(child).status.code(), Some(130));
}

#[test]
fn runs_that_take_long_are_not_waited_for() {
    let folder = scratch("stop-long");
    fs::write(folder.join("x.toml"), LONG).expect("a scenario");
    for (args, says) in [
        (&["run", "x.toml", "--seeds", "1..9"][..], "\nstopped after 0 of 9 seeds\n"),
        (&["matrix", "--seeds", "1..100000"], "\noutcome  stopped after "),
        (&["mutants", "--table", "--seeds", "1000"], "\nstopped after "),
    ] {
        // The mutants' scenarios are those of the repository.
        let child = start(&folder, args);
        wait_until("runs", || threads(child.id()) > 2);
        signal(child.id(), "-INT");
        let said = ended(child);
        let out = String::from_utf8_lossy(&said.stdout);
        assert_eq!(said.status.code(), Some(130), "{out}{}", String::from_utf8_lossy(&said.stderr));
        assert!(out.contains(says), "{args:?}: {out}");
    }
}

#[test]
fn children_end_with_their_parent_whatever_ends_it() {
    let folder = scratch("stop-children");
    fs::write(folder.join("x.toml"), LONG).expect("a scenario");
    for name in ["-KILL", "-TERM", "-INT"] {
        let child = start(&folder, &["determinism", "x.toml"]);
        wait_until("two children", || children(child.id()).len() == 2);
        let children = children(child.id());
        signal(child.id(), name);
        let said = ended(child);
        assert_ne!(said.status.code(), Some(0));
        for one in children {
            wait_until(&format!("{name}: the end of child {one}"), || !is_running(one));
        }
    }
}

#[test]
fn a_run_that_is_stopped_leaves_no_half_of_a_file() {
    let folder = scratch("stop-events");
    fs::write(folder.join("x.toml"), LONG).expect("a scenario");
    let hidden = || {
        let entries =
            fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("readable"));
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".e.")).count()
    };
    let child = start(&folder, &["run", "x.toml", "--events", "e"]);
    wait_until("events", || hidden() == 1 && threads(child.id()) > 2);
    signal(child.id(), "-TERM");
    let said = ended(child);
    assert_eq!(said.status.code(), None, "the signal ended it");
    assert_eq!((hidden(), folder.join("e").exists()), (0, false));
}

#[test]
fn memory_bounds_the_jobs() {
    let folder = scratch("stop-memory");
    // Hardly a machine holds two such runs, and none a thousand.
    let text = LONG.replace("10h", "1h").replace("100/s", "8000/s");
    fs::write(folder.join("x.toml"), text).expect("a scenario");
    let child = start(&folder, &["run", "x.toml", "--seeds", "1..9", "--jobs", "1000"]);
    wait_until("runs", || threads(child.id()) > 2);
    signal(child.id(), "-INT");
    let err = String::from_utf8(ended(child).stderr).expect("text");
    assert!(err.contains(" at a time instead of 1000: one may take "), "{err}");
}
