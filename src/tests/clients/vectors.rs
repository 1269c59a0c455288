//! The 271 steps that were recorded from a real ZooKeeper 3.8.0, played to served clusters by the program that
//! recorded them: `../conformance/zk_vectors.py`, the owner's own file, byte for byte.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::programs::{beside, python, said};
use super::server::Server;

/// What a server answers to a word of four letters before it hangs up.
fn word(server: &Server, name: &str, word: &str) -> String {
    let mut stream = TcpStream::connect(server.address(name)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    stream.write_all(word.as_bytes()).expect("it takes the word");
    stream.shutdown(Shutdown::Write).expect("a socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and an end");
    answer
}

/// What a server calls itself.
fn mode(server: &Server, name: &str) -> String {
    let answer = word(server, name, "srvr");
    let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
    mode.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Plays every step to the first server that calls itself `wanted`. No tag is skipped.
fn no_step_differs(scenario: &str, wanted: &str) {
    let server = Server::start(&beside(scenario), &[]);
    let names: Vec<String> = server
        .addresses()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with('z'))
        .map(str::to_owned)
        .collect();
    let found = names.iter().find(|name| mode(&server, name) == wanted);
    let at = server.address(found.unwrap_or_else(|| panic!("no {wanted} among {names:?}")));
    let printed = said(python("../conformance/zk_vectors.py", &[at]), "");
    assert_eq!(printed, "271 steps compared, 0 differences\n");
    server.end().held_and_can_be_had_again();
}

#[test]
fn a_server_alone_answers_every_recorded_step_as_zookeeper() {
    no_step_differs("vectors_1.toml", "standalone");
}

#[test]
fn a_leader_answers_every_recorded_step_as_zookeeper() {
    no_step_differs("vectors_3.toml", "leader");
}

#[test]
fn a_follower_answers_every_recorded_step_as_zookeeper() {
    no_step_differs("vectors_3.toml", "follower");
}
