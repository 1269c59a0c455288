//! kcat and kafka-python.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use super::programs::{beside, kcat, python, run, said};
use super::server::Server;

#[test]
fn kcat_lists_brokers_at_their_real_addresses() {
    for scenario in ["calm.toml", "calm_1_0.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let listed = said(kcat(&["-b", server.address("b2"), "-L"]), "");
        for (id, (_, address)) in (1..=3).zip(server.addresses()) {
            assert!(listed.contains(&format!("  broker {id} at {address}")), "{listed}");
        }
        assert!(listed.contains("topic \"orders\" with 2 partitions:"), "{listed}");
        assert!(listed.contains("(controller)"), "{listed}");
        server.end().held_and_can_be_had_again();
    }
}

#[test]
fn kcat_loses_nothing_acknowledged_when_the_leader_crashes() {
    let server = Server::start(&beside("leader_crash.toml"), &["--speed", "2"]);
    let broker = server.address("b1");
    let mut producer = kcat(&["-b", broker, "-P", "-t", "orders", "-X", "acks=all"]);
    producer.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut process = producer.spawn().expect("it starts");
    let mut stdin = process.stdin.take().expect("a pipe");
    // For ten seconds: the leader crashes after four, and is back as a follower after six and a half.
    let sent: BTreeSet<String> = (0..400).map(|number| format!("record {number}")).collect();
    for line in &sent {
        writeln!(stdin, "{line}").expect("kcat goes on");
        std::thread::sleep(Duration::from_millis(25));
    }
    drop(stdin);
    // Without a failure everything was acknowledged.
    let ended = process.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{complaints}");
    assert!(!complaints.contains("Delivery failed"), "{complaints}");
    let read = said(kcat(&["-b", broker, "-C", "-t", "orders", "-e", "-q"]), "");
    let read: BTreeSet<String> = read.lines().map(str::to_owned).collect();
    let lost: Vec<&String> = sent.difference(&read).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let ended = server.end();
    assert!(ended.report.contains("is elected leader, epoch 1"), "{}", ended.report);
    ended.held_and_can_be_had_again();
}

#[test]
fn batches_are_kept_as_they_came_whatever_they_are_compressed_with() {
    let server = Server::start(&beside("calm.toml"), &[]);
    let broker = server.address("b3");
    let lines: String = (0..50).map(|number| format!("{number} {}\n", "x".repeat(200))).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let compression = format!("compression.codec={codec}");
        let topic = format!("compressed-{codec}");
        let produce = ["-b", broker, "-P", "-t", &topic, "-X", &compression];
        run(kcat(&produce), &lines);
        let read = said(kcat(&["-b", broker, "-C", "-t", &topic, "-e", "-q"]), "");
        assert_eq!(read, lines, "{codec}");
    }
    // The scenario's own consumer reads past what it cannot open.
    let beside_p0 = ["-b", broker, "-P", "-t", "orders", "-X", "compression.codec=gzip"];
    run(kcat(&beside_p0), &lines);
    run(kcat(&["-b", broker, "-P", "-t", "orders", "-p", "0"]), &lines);
    server.end().held_and_can_be_had_again();
}

#[test]
fn records_with_acks_0_are_written_without_an_answer() {
    let server = Server::start(&beside("calm.toml"), &[]);
    let broker = server.address("b1");
    // The first try of a new topic could be lost without a sign.
    run(kcat(&["-b", broker, "-P", "-t", "silent", "-X", "acks=all"]), "first\n");
    run(kcat(&["-b", broker, "-P", "-t", "silent", "-X", "acks=0"]), "second\n");
    let mut read = String::new();
    for _ in 0..50 {
        read = said(kcat(&["-b", broker, "-C", "-t", "silent", "-e", "-q"]), "");
        if read.ends_with("second\n") {
            break;
        }
    }
    assert_eq!(read, "first\nsecond\n");
    server.end().held_and_can_be_had_again();
}

#[test]
fn kafka_python_produces_and_consumes() {
    for scenario in ["calm.toml", "calm_1_0.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let printed = said(python("produce_consume.py", &[server.address("b1")]), "");
        assert_eq!(printed, "100 written, 100 read, none differs\n", "{scenario}");
        server.end().held_and_can_be_had_again();
    }
}

#[test]
fn clients_before_0_11_write_and_read_messages_of_their_formats() {
    let lines: String = (1..=20).map(|n| format!("{n}\n")).collect();
    for scenario in ["calm.toml", "calm_1_0.toml", "calm_3_9.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let broker = server.address("b1");
        let printed = said(python("old_format.py", &[broker]), "");
        assert_eq!(printed.lines().count(), 6, "{scenario}: {printed}");
        assert!(printed.lines().all(|line| line.ends_with(" as written")), "{scenario}: {printed}");
        for release in ["0.8.2.2", "0.10.0.0"] {
            let fallback = format!("broker.version.fallback={release}");
            let older = ["-X", "api.version.request=false", "-X", &fallback];
            for codec in ["none", "snappy", "lz4"] {
                let (topic, codec) =
                    (format!("{release}-{codec}"), format!("compression.codec={codec}"));
                let produce = ["-b", broker, "-P", "-t", &topic, "-X", &codec];
                run(kcat(&[&produce[..], &older].concat()), &lines);
                let consume = ["-b", broker, "-C", "-t", &topic, "-e", "-q"];
                let read = [&consume[..], &older].concat();
                assert_eq!(said(kcat(&read), ""), lines, "{scenario} {topic} in the old format");
                assert_eq!(said(kcat(&consume), ""), lines, "{scenario} {topic} in the new one");
            }
        }
        server.end().held_and_can_be_had_again();
    }
}

#[test]
fn a_groups_coordinator_is_named_with_its_real_address() {
    for scenario in ["calm.toml", "calm_1_0.toml", "calm_3_9.toml"] {
        let server = Server::start(&beside(scenario), &[]);
        let broker = server.address("b1");
        let printed = said(python("find_coordinator.py", &[broker]), "");
        let (id, address) = printed
            .trim_end()
            .strip_prefix("my-group is coordinated by broker ")
            .and_then(|rest| rest.split_once(" at "))
            .unwrap_or_else(|| panic!("{printed}"));
        assert_eq!(address, server.address(&format!("b{id}")), "{scenario}");
        // Java hashes its name to partition 12 of 50.
        let listed = said(kcat(&["-b", broker, "-L", "-t", "__consumer_offsets"]), "");
        assert!(listed.contains(&format!("    partition 12, leader {id}, ")), "{listed}");
        server.end().held_and_can_be_had_again();
    }
}
