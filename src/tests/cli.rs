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
        ("help-explain", &["explain", "--help"]),
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
fn explanations_are_pinned() {
    for (name, args) in [
        ("explain-setting", &["explain", "min.insync.replicas"][..]),
        ("explain-client-setting", &["explain", "request.timeout.ms", "2.4"]),
        ("explain-fault", &["explain", "crash"]),
        ("explain-property", &["explain", "committed-is-durable"]),
    ] {
        let said = output(args);
        assert_eq!(said.status.code(), Some(0), "{args:?}");
        pin(name, &said.stdout);
    }
    let said = output(&["explain", "min.insync.replica"]);
    assert_eq!(said.status.code(), Some(2));
    pin("mistake-explain", &said.stderr);
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
fn odd_terminals_change_nothing() {
    let said = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = sim(args);
        command.envs(variables.iter().copied());
        let said = command.output().expect("the binary starts");
        (said.status.code(), said.stdout, said.stderr)
    };
    let run = ["run", "scenarios/leader_crash.toml", "--seed", "1", "--no-report"];
    let mistake = ["run", "x.toml", "--sed", "1"];
    for args in [&["--help"][..], &["run", "--help"], &mistake, &["properties"], &run] {
        let usual = said(&[], args);
        for variables in [
            &[("COLUMNS", "0"), ("LINES", "0")][..],
            &[("COLUMNS", "1"), ("TERM", "dumb")],
            &[("COLUMNS", "99999999999999999999"), ("TERM", "")],
            &[("COLUMNS", "-1"), ("TERM", "no-such-terminal"), ("NO_COLOR", "1")],
            &[("COLUMNS", "x"), ("LANG", "C"), ("LC_ALL", "no_such")],
        ] {
            assert!(said(variables, args) == usual, "{variables:?} {args:?}");
        }
    }
}

/// What a terminal of this width shows.
fn on_a_terminal(columns: &str, args: &str) -> Option<Output> {
    let command = format!("stty cols {columns} rows 1; '{}' {args}", env!("CARGO_BIN_EXE_sim"));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(root()).stdin(Stdio::null());
    script.env("TERM", "xterm").output().ok()
}

#[test]
fn a_terminal_may_have_any_width() {
    for columns in ["0", "1", "7", "65535"] {
        let sweep = "run scenarios/last_replica.toml --seeds 42 --no-report";
        for (code, args) in [(1, sweep), (0, "run --help"), (2, "run x.toml --sed 1")] {
            // Where there is no such program, there is no terminal to try.
            let Some(said) = on_a_terminal(columns, args) else { return };
            let text = String::from_utf8_lossy(&said.stdout);
            assert_eq!(said.status.code(), Some(code), "{columns} {args}: {text}");
        }
    }
}

#[test]
fn arguments_and_names_may_be_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = crate::scratch::scratch("no-text");
    let name = OsStr::from_bytes(b"x\xff\x1b[2J.toml");
    std::fs::copy(folder.join("scenarios/leader_crash.toml"), folder.join(name)).expect("a copy");
    let said = |args: &[&OsStr]| {
        let said = sim(&[]).args(args).current_dir(&folder).output().expect("the binary starts");
        let text = [said.stdout, said.stderr].concat();
        assert!(!text.contains(&0x1b), "{args:?}: {}", String::from_utf8_lossy(&text));
        said.status.code()
    };
    let [run, check, replay, seed] = ["run", "check", "replay", "--seed"].map(OsStr::new);
    for verb in [run, check, replay] {
        assert_eq!(said(&[verb, name]), Some(6), "{verb:?}");
    }
    assert_eq!(said(&[name]), Some(2));
    assert_eq!(said(&[run, name, seed, name]), Some(2));
    let scenario = OsStr::new("scenarios/leader_crash.toml");
    assert_eq!(
        said(&[run, scenario, OsStr::new("--events"), OsStr::from_bytes(b"e\xff")]),
        Some(0)
    );
    assert!(folder.join(OsStr::from_bytes(b"e\xff")).exists());
}

#[test]
fn what_is_in_files_reaches_no_terminal_as_it_is() {
    let folder = crate::scratch::scratch("foreign");
    let evil = "\x1b[2J\u{9b}\u{202e}\nerror: evil";
    let toml = format!("\"{}\" = 1\n", evil.replace('\x1b', "\\u001b").replace('\n', "\\n"));
    std::fs::write(folder.join("key.toml"), &toml).expect("a scenario");
    std::fs::write(folder.join("raw.toml"), format!("a = {evil}\n")).expect("a scenario");
    std::fs::write(folder.join(format!("{evil}.toml")), &toml).expect("a scenario");
    let named = format!("{evil}.toml");
    let topic = format!(
        "kafka = \"2.8\"\nduration = \"1s\"\ncluster.brokers = 1\n[[topic]]\nname = {toml}"
    );
    std::fs::write(folder.join("topic.toml"), topic.replace(" = 1\n", "\n")).expect("a scenario");
    for file in ["key.toml", "raw.toml", "topic.toml", &named] {
        for colour in ["never", "always"] {
            let args = ["check", "--color", colour, file];
            let said = sim(&args).current_dir(&folder).output().expect("the binary starts");
            let text = String::from_utf8(said.stderr).expect("text");
            assert_eq!(said.status.code(), Some(6), "{text}");
            assert!(!text.contains(['\x1b', '\u{9b}', '\u{202e}']), "{text:?}");
            let forged = text.lines().any(|line| line.starts_with("error: evil"));
            assert!(!forged, "{text}");
        }
    }
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
