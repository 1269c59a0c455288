//! The session with real clients that the README shows, had again.

use std::process::Command;

use super::programs::{root, said};
use super::server::Server;
use super::zookeeper::answer;

/// What is typed, and what is printed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Turn {
    command: String,
    printed: String,
}

/// The turns of all blocks with a prompt.
fn turns(text: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut in_session = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            in_session = true;
            turns.push(Turn { command: command.to_owned(), printed: String::new() });
        } else if line.starts_with("```") {
            in_session = false;
        } else if let Some(turn) = turns.last_mut().filter(|_| in_session) {
            turn.printed.push_str(line);
            turn.printed.push('\n');
        }
    }
    turns
}

/// Without what another run of the same session may print otherwise: the broker that kcat asked, and a moment of
/// the wall clock that moves with every change to what brokers do first.
fn normalised(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let line = match line.split_once(" (from broker ") {
            Some((before, _)) => before,
            None => line,
        };
        let (before, after) = line.split_once(r#""timestamp":""#).unwrap_or((line, ""));
        let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
        lines.push_str(&format!("{before}{after}\n"));
    }
    lines
}

#[test]
fn turns_are_found() {
    let text = "```sh\ncargo build\n```\n```text\n$ a b\nc\n$ d\n```\ne\n";
    let turn = |command: &str, printed: &str| Turn {
        command: command.to_owned(),
        printed: printed.to_owned(),
    };
    assert_eq!(turns(text), [turn("a b", "c\n"), turn("d", "")]);
}

#[test]
fn the_session_in_the_readme_can_be_had_again() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let mut turns = turns(&text).into_iter();
    let served = turns.next().expect("a session");
    let mut words = served.command.split(' ');
    assert_eq!((words.next(), words.next()), (Some("sim"), Some("serve")), "{served:?}");
    let scenario = words.next().expect("a scenario");
    let server = Server::start(scenario.as_ref(), &[]);
    // The README has ports where the test has those that were free.
    let documented = served.printed.lines().filter_map(|line| line.rsplit_once(' '));
    let documented: Vec<&str> = documented.map(|(_, address)| address).collect();
    let real: Vec<&str> = server.addresses().map(|(_, address)| address).collect();
    assert_eq!(documented.len(), real.len(), "{served:?}");
    let exchange = |text: &str, from: &[&str], to: &[&str]| {
        // In two steps, as a real port may be the documented one of another server.
        let mark = |index: usize| format!("<{index}>");
        let marked = from
            .iter()
            .enumerate()
            .fold(text.to_owned(), |text, (index, from)| text.replace(from, &mark(index)));
        to.iter().enumerate().fold(marked, |text, (index, to)| text.replace(&mark(index), to))
    };
    let mut had = 0;
    for turn in turns {
        let line = exchange(&turn.command, &documented, &real);
        let path = "PATH=\"$PATH:/usr/share/zookeeper/bin\"; ";
        let mut command = Command::new("timeout");
        command.args(["120", "sh", "-c", &format!("{path}{line}")]);
        let is_shell = turn.command.starts_with("zkCli.sh");
        let printed = if is_shell { answer(command) } else { said(command, "") };
        let printed = exchange(&printed, &real, &documented);
        assert_eq!(normalised(&printed), normalised(&turn.printed), "{}", turn.command);
        had += 1;
    }
    assert!(had >= 2, "the README shows a session with kcat");
    server.end();
}
