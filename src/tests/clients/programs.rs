//! The programs, and how they are run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file beside these tests.
pub fn beside(name: &str) -> PathBuf {
    root().join("src/tests/clients").join(name)
}

/// The `sim` that is tested.
pub fn sim() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// A program that has to be there.
fn program(path: &Path, package: &str) -> Command {
    program_within("120", path, package)
}

/// The same, ended after so many seconds.
pub fn program_within(seconds: &str, path: &Path, package: &str) -> Command {
    let found = Command::new("sh").arg("-c").arg("command -v \"$0\"").arg(path).output();
    let is_there = found.is_ok_and(|found| found.status.success());
    assert!(is_there, "{} is missing; .ci/clients installs {package}", path.display());
    // What hangs shall not hang the tests.
    let mut command = Command::new("timeout");
    command.arg(seconds).arg(path);
    command
}

/// kcat, with librdkafka.
pub fn kcat(arguments: &[&str]) -> Command {
    let mut command = program(Path::new("kcat"), "Debian's package kcat");
    command.args(arguments);
    command
}

/// valgrind; a program in it is some fifty times slower.
pub fn valgrind(arguments: &[&str]) -> Command {
    let mut command = program_within("1800", Path::new("valgrind"), "Debian's package valgrind");
    command.args(arguments);
    command
}

/// What `.ci/clients` put into its folder.
pub fn installed(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_sim")).parent().and_then(Path::parent);
    target.expect("a folder of a profile").join("clients").join(path)
}

/// A script beside these tests, with kafka-python and kazoo at hand.
pub fn python(script: &str, arguments: &[&str]) -> Command {
    let mut command = program(&installed("bin/python"), "kafka-python and kazoo");
    command.arg(beside(script)).args(arguments);
    command
}

/// One command of ZooKeeper's shell.
pub fn zk_cli(server: &str, words: &[&str]) -> Command {
    let shell = Path::new("/usr/share/zookeeper/bin/zkCli.sh");
    let mut command = program(shell, "Debian's package zookeeper");
    command.args(["-server", server]).args(words);
    command
}

/// Runs a program to its end, with `input`; it has to succeed. What it printed.
pub fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that reads nothing closes the pipe.
    let _: std::io::Result<()> = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    output
}

/// What [`run`] got on stdout.
pub fn said(command: Command, input: &str) -> String {
    String::from_utf8(run(command, input).stdout).expect("text")
}
