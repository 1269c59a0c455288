//! Ten thousand connections that say nothing, and one client that does.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::programs::{beside, kcat, python, run, said};
use super::server::Server;

#[test]
fn ten_thousand_silent_connections_disturb_no_other() {
    let server = Server::start(&beside("calm.toml"), &[]);
    let (crowded, other) = (server.address("b1"), server.address("b2"));
    let mut crowd = python("crowd.py", &[crowded, "10000"]);
    crowd.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = crowd.spawn().expect("it starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("text");
    assert_eq!(line, "10000 connections were made\n");
    // One that was there before, or comes when some of them have been turned away, is served.
    let read = run(kcat(&["-b", other, "-C", "-t", "orders", "-c", "1", "-q"]), "");
    assert!(!read.stdout.is_empty());
    drop(process.stdin.take());
    assert!(process.wait().expect("it ends").success());
    let listed = said(kcat(&["-b", crowded, "-L"]), "");
    assert!(listed.contains(" 3 brokers:"), "{listed}");
    server.end().held_and_can_be_had_again();
}
