//! What is left of a recording when serving ends otherwise than by Ctrl-C.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::scratch::scratch;
use crate::source::root;

fn sim() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

const CLUSTER: &str = "src/gateway/tests/cluster.toml";

#[test]
fn a_recording_survives_its_process_up_to_the_last_second() {
    let record = scratch("killed-serving").join("inbound");
    let mut command = sim();
    command.args(["serve", CLUSTER, "--seed", "42", "--port", "0", "--keep-running", "--record"]);
    let mut serving = command.arg(&record).stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(serving.stdout.take().expect("a pipe")).lines();
    let lines = lines.map(|line| line.expect("text")).take_while(|line| line != "ready");
    let lines: Vec<String> = lines.collect();
    let line = lines.iter().find(|line| line.starts_with("broker b2 ")).expect("its address");
    let address = line.rsplit(' ').next().expect("a word");
    // ApiVersions v0.
    let mut client = TcpStream::connect(address).expect("it listens");
    client.write_all(b"\0\0\0\x0e\0\x12\0\0\0\0\0\x07\0\x04test").expect("it takes a request");
    client.read_exact(&mut [0; 8]).expect("an answer");
    std::thread::sleep(Duration::from_secs(1));
    serving.kill().expect("it runs");
    serving.wait().expect("it ends");
    let mut again = sim();
    again.args(["run", CLUSTER, "--seed", "42", "--inbound"]).arg(&record);
    let said = again.output().expect("it starts");
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(0), "{out}\n{err}");
    assert!(err.contains(" was cut short: it is played until "), "{err}");
    let text = std::fs::read_to_string(&record).expect("it is text");
    let lines = text.lines().filter(|line| line.contains(" bytes 1 AAAADgASAAAAAAAHAAR0ZXN0"));
    assert_eq!(lines.count(), 1, "{text}");
}

#[test]
fn a_full_disk_ends_serving_and_is_named() {
    let mut command = sim();
    command.args(["serve", CLUSTER, "--port", "0", "--keep-running", "--record", "/dev/full"]);
    let said = command.output().expect("it starts");
    let err = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(74), "{err}");
    assert!(err.contains("cannot write /dev/full: No space left on device"), "{err}");
}
