//! kazoo and ZooKeeper's shell.

use std::process::Command;

use super::programs::{beside, python, said, zk_cli};
use super::server::Server;

/// What the shell answers, without what it says of itself.
pub fn answer(command: Command) -> String {
    let output = said(command, "");
    let lines = output.lines().filter(|line| line.starts_with(['[', '{']));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn kazoo_creates_watches_and_reads() {
    let server = Server::start(&beside("calm.toml"), &[]);
    let printed = said(python("create_watch.py", &[server.address("z1")]), "");
    assert_eq!(printed, "created, changed, read, gone with its session\n");
    server.end().held_and_can_be_had_again();
}

#[test]
fn kazoo_asks_in_words_of_four_letters() {
    let server = Server::start(&beside("calm.toml"), &[]);
    let printed = said(python("words.py", &[server.address("z1")]), "");
    assert_eq!(printed, "(3, 5, 9)\nimok\nrw\nstandalone\n127.0.0.1\n");
    server.end().held_and_can_be_had_again();
}

/// The owner's notes show these two of a Kafka 1.0 cluster of March 2018.
#[test]
fn the_shell_prints_the_znodes_and_the_json_of_kafka() {
    let server = Server::start(&beside("calm_1_0.toml"), &[]);
    let at = server.address("z1");
    let root = answer(zk_cli(at, &["ls", "/"]));
    let names = root.trim().trim_start_matches('[').trim_end_matches(']');
    let mut names: Vec<&str> = names.split(", ").collect();
    names.sort_unstable();
    let kafka = [
        "admin",
        "brokers",
        "cluster",
        "config",
        "consumers",
        "controller",
        "controller_epoch",
        "isr_change_notification",
        "latest_producer_id_block",
        "log_dir_event_notification",
        "zookeeper",
    ];
    assert_eq!(names, kafka);
    let controller = answer(zk_cli(at, &["get", "/controller"]));
    let (broker, timestamp) = controller
        .trim()
        .strip_prefix(r#"{"version":1,"brokerid":"#)
        .and_then(|rest| rest.strip_suffix(r#""}"#))
        .and_then(|rest| rest.split_once(r#","timestamp":""#))
        .unwrap_or_else(|| panic!("{controller}"));
    assert!(["1", "2", "3"].contains(&broker), "{controller}");
    assert_eq!(timestamp.len(), 13, "{controller}");
    let registration = answer(zk_cli(at, &["get", "/brokers/ids/1"]));
    assert!(registration.contains(r#""host":"127.0.0.1""#), "{registration}");
    let own = format!(r#""endpoints":["EXTERNAL://{}","#, server.address("b1"));
    assert!(registration.contains(&own), "{registration}");
    server.end().held_and_can_be_had_again();
}
