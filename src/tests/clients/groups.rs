//! Groups, idempotent producers and transactions: kcat, kafka-python and confluent-kafka.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use super::programs::{beside, kcat, python, run, said};
use super::server::Server;

#[test]
fn kafka_python_writes_and_reads_in_a_group_with_its_defaults() {
    for scenario in ["calm.toml", "calm_1_0.toml", "calm_3_9.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let printed = said(python("group.py", &[server.address("b1")]), "");
        assert_eq!(printed, "100 read, then 50: each once\n", "{scenario}");
        server.end().held_and_can_be_had_again();
    }
}

#[test]
fn kcat_goes_on_where_its_group_has_committed() {
    for scenario in ["calm.toml", "calm_1_0.toml", "calm_3_9.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let broker = server.address("b2");
        let write = |lines: &str| {
            let idempotent = "enable.idempotence=true";
            run(kcat(&["-b", broker, "-P", "-t", "lines", "-p", "0", "-X", idempotent]), lines);
        };
        let read = |count: &str| {
            let earliest = "auto.offset.reset=earliest";
            let group = ["-b", broker, "-G", "g", "-X", earliest, "-q", "-c", count, "lines"];
            said(kcat(&group), "")
        };
        write("1\n2\n3\n");
        assert_eq!(read("3"), "1\n2\n3\n", "{scenario}");
        write("4\n5\n");
        assert_eq!(read("2"), "4\n5\n", "{scenario}");
        server.end().held_and_can_be_had_again();
    }
}

#[test]
fn an_idempotent_producer_writes_each_record_once_when_the_leader_crashes() {
    let server = Server::start(&beside("leader_crash.toml"), &["--speed", "2"]);
    let broker = server.address("b1");
    let mut producer = kcat(&["-b", broker, "-P", "-t", "orders", "-X", "enable.idempotence=true"]);
    producer.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut process = producer.spawn().expect("it starts");
    let mut stdin = process.stdin.take().expect("a pipe");
    let sent: Vec<String> = (0..400).map(|number| format!("record {number}")).collect();
    for line in &sent {
        writeln!(stdin, "{line}").expect("kcat goes on");
        std::thread::sleep(Duration::from_millis(25));
    }
    drop(stdin);
    let ended = process.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let read = said(kcat(&["-b", broker, "-C", "-t", "orders", "-e", "-q"]), "");
    let read: Vec<&str> = read.lines().collect();
    assert_eq!(read, sent, "each once, in order");
    server.end().held_and_can_be_had_again();
}

#[test]
fn confluent_kafka_commits_and_aborts_transactions() {
    for scenario in ["calm.toml", "calm_1_0.toml", "calm_3_9.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let printed = said(python("transaction.py", &[server.address("b1")]), "");
        let right = "20 committed, 30 in all\n\
                     the member has what was committed\n\
                     aborted: offset -1, 0 processed\n\
                     committed: offset 32, 20 processed\n\
                     the producer before it is fenced: True\n\
                     30 committed in the end\n";
        assert_eq!(printed, right, "{scenario}");
        server.end().held_and_can_be_had_again();
    }
}
