//! The README, compared with the code: its commands run, its outputs are printed, its lists of files are complete.

use std::path::Path;
use std::process::{Command, Stdio};

use kafka_sim::scenario;

use crate::scratch::{scratch, without_commit};
use crate::source::root;

/// About two hundred lines, and the failure that it begins with.
const LINES_MAX: usize = 220;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("there is a README")
}

/// A command as the README shows it. Pipes and quotes would need a shell; the README does without.
fn sim(folder: &Path, command: &str) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_sim"));
    process.args(command.split_whitespace().skip(1)).current_dir(folder).stdin(Stdio::null());
    process
}

/// A command and its exit code. A row of a table has both: ``| do this | `sim run x.toml` exits 1 |``.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    command: String,
    exit: i32,
}

/// The commands in the last cells of tables.
fn commands(text: &str) -> Vec<Line> {
    let rows = text.lines().filter_map(|line| line.strip_suffix(" |")?.split_once(" | `sim "));
    rows.map(|(_, rest)| {
        let (command, exit) = rest.split_once('`').expect("the end of a command");
        let exit = exit.strip_prefix(" exits ").unwrap_or("0");
        let exit = exit.parse().expect("an exit code after `exits`");
        Line { command: format!("sim {command}"), exit }
    })
    .collect()
}

#[test]
fn commands_are_found_with_their_exit_codes() {
    let text = "sim not this\n| a | `sim run a.toml` |\n| `sim` | not this |\n\
                | b | `sim run b.toml` exits 1 |\n";
    let line = |command: &str, exit| Line { command: command.into(), exit };
    assert_eq!(commands(text), [line("sim run a.toml", 0), line("sim run b.toml", 1)]);
}

#[test]
fn every_command_runs_and_exits_as_stated() {
    let text = readme();
    let lines = commands(&text);
    assert!(lines.len() >= 10, "the README shows ten things to do: {lines:?}");
    let folder = scratch("readme-commands");
    // The failure at the top leaves the file that is replayed.
    for (command, _) in outputs(&text) {
        sim(&folder, command).output().expect("the binary starts");
    }
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
fn every_output_is_as_printed() {
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
fn it_is_short_and_says_where_the_rest_is() {
    let text = readme();
    let lines = text.lines().count();
    assert!(lines <= LINES_MAX, "the README has {lines} lines, more than {LINES_MAX}");
    for command in ["`sim --help`", "`sim properties`"] {
        assert!(text.contains(command), "the README does not name {command}");
    }
}

/// The blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let pieces = text.split(&*fence).skip(1);
    pieces.map(|piece| piece.split_once("```\n").expect("the end of a block").0).collect()
}

#[test]
fn the_first_command_installs_the_binary_that_examples_call() {
    let text = readme();
    let first = blocks(&text, "sh")[0].lines().next();
    assert_eq!(first, Some("cargo install --path . --profile max-speed"));
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("it is TOML");
    assert!(manifest["profile"].get("max-speed").is_some());
    assert_eq!(manifest["bin"][0]["name"].as_str(), Some("sim"));
}

#[test]
fn a_crate_that_depends_on_this_one_needs_what_the_readme_says() {
    let text = readme();
    let config = std::fs::read_to_string(root().join(".cargo/config.toml")).expect("settings");
    let flags = config.lines().find(|line| line.starts_with("rustflags")).expect("the flag");
    assert!(text.contains(flags), "the README lacks `{flags}`");
}

#[test]
fn the_scenario_is_right() {
    let text = readme();
    let blocks = blocks(&text, "toml");
    let scenario = blocks.iter().find(|block| block.starts_with("kafka = ")).expect("a scenario");
    scenario::parse("README.toml", scenario).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn every_layer_is_listed() {
    let text = readme();
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("the crate's root");
    let layers = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for layer in layers {
        let row = text.lines().find(|line| {
            let first = line.strip_prefix("| ").and_then(|line| line.split(" | ").next());
            first.is_some_and(|cell| cell.contains(&format!("`{layer}`")))
        });
        assert!(row.is_some(), "no row of the README has `{layer}`");
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
