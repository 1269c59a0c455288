//! The README, held against the binary: its commands run, its tables are the code's.

use std::path::Path;
use std::process::{Command, Stdio};

use kafka_sim::checkers::PROPERTIES;
use kafka_sim::cli::Exit;

use crate::scratch::{scratch, without_commit};
use crate::source::root;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("there is a README")
}

/// A command as the README shows it. Pipes and quotes would need a shell; the README does without.
fn sim(folder: &Path, command: &str) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_sim"));
    process.args(command.split_whitespace().skip(1)).current_dir(folder).stdin(Stdio::null());
    process
}

/// A line of a ```` ```sh ```` block, and the exit code that it is to have: `sim run x.toml  # exits 1`.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    command: String,
    exit: i32,
}

/// The lines of all `sh` blocks that begin with `sim `.
fn commands(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => in_block = language == "sh",
            None if in_block && line.starts_with("sim ") => {
                let (command, exit) = line.split_once("  # exits ").unwrap_or((line, "0"));
                let exit = exit.trim().parse().expect("an exit code after `# exits`");
                lines.push(Line { command: command.trim().to_owned(), exit });
            }
            None => {}
        }
    }
    lines
}

#[test]
fn commands_are_found_with_their_exit_codes() {
    let text = "sim not this\n```sh\nsim run a.toml\ncargo build\nsim run b.toml  # exits 1\n```\n\
                ```toml\nsim not this\n```\n";
    let line = |command: &str, exit| Line { command: command.into(), exit };
    assert_eq!(commands(text), [line("sim run a.toml", 0), line("sim run b.toml", 1)]);
}

#[test]
fn every_command_runs_and_exits_as_stated() {
    let lines = commands(&readme());
    assert!(!lines.is_empty(), "the README shows no command");
    let folder = scratch("readme-commands");
    for Line { command, exit } in lines {
        let said = sim(&folder, &command).output().expect("the binary starts");
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(exit), "{command}\n{stderr}");
    }
}

/// Commands with the output that the README shows: a comment names the command, a `text` block follows.
fn outputs(text: &str) -> Vec<(&str, &str)> {
    let pieces = text.split("<!-- output of: ").skip(1);
    pieces
        .map(|piece| {
            let (command, rest) = piece.split_once(" -->\n```text\n").expect("a text block");
            (command, rest.split_once("```\n").expect("its end").0)
        })
        .collect()
}

#[test]
fn every_output_shown_is_what_is_said() {
    let text = readme();
    let shown = outputs(&text);
    assert!(!shown.is_empty(), "the README shows no output");
    let folder = scratch("readme-outputs");
    for (command, shown) in shown {
        let said = sim(&folder, command).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&said.stdout);
        assert_eq!(without_commit(&said), without_commit(shown), "{command}");
    }
}

#[test]
fn exit_codes_are_those_of_the_code() {
    let text = readme();
    for &exit in Exit::ALL {
        let row = format!("| {} | {} |", exit as u8, exit.meaning());
        assert!(text.contains(&row), "the README lacks `{row}`");
    }
}

#[test]
fn properties_are_those_of_the_code() {
    let text = readme();
    for property in PROPERTIES {
        let row = format!("| `{}` | {} |", property.name, property.statement);
        assert!(text.contains(&row), "the README lacks `{row}`");
    }
}

#[test]
fn files_that_are_linked_are_there() {
    let text = readme();
    for (at, _) in text.match_indices("](") {
        let target = &text[at + 2..];
        let target = &target[..target.find(')').expect("a closed link")];
        let file = target.split('#').next().expect("at least one piece");
        if !target.contains("://") && !file.is_empty() {
            assert!(root().join(file).exists(), "the README links to {target}");
        }
    }
}
