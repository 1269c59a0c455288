//! Clients in Python, JavaScript, Go, Java and C, new and old: they write with their defaults and read in groups.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::programs::{beside, installed, kcat, program_within, said};
use super::server::Server;

/// A client, which is also the name of its topic and of its group.
struct Client {
    name: &'static str,
    /// Its producer is idempotent unless it is configured otherwise.
    idempotent: bool,
    /// What runs it; `client.py` says which arguments follow.
    program: fn(&'static str) -> Command,
}

const CLIENTS: [Client; 11] = [
    Client { name: "kcat", idempotent: false, program: python },
    Client { name: "confluent-kafka", idempotent: false, program: python },
    Client { name: "kafka-python", idempotent: true, program: python },
    Client { name: "kafka-python-0.10", idempotent: false, program: python },
    Client { name: "aiokafka", idempotent: false, program: python },
    Client { name: "kafkajs", idempotent: false, program: node },
    Client { name: "sarama", idempotent: false, program: go },
    Client { name: "franz-go", idempotent: true, program: go },
    Client { name: "java-0.10.2.2", idempotent: false, program: java },
    Client { name: "java-2.8.2", idempotent: false, program: java },
    Client { name: "java-3.9.1", idempotent: true, program: java },
];

fn python(name: &'static str) -> Command {
    let mut command = program_within("120", &installed("bin/python"), "the Python clients");
    command.arg(beside("client.py")).arg(name);
    command
}

fn node(name: &'static str) -> Command {
    let mut command = program_within("120", Path::new("node"), "Node.js and kafkajs");
    command.env("NODE_PATH", installed("js/node_modules")).arg(beside("client.js")).arg(name);
    command
}

fn go(name: &'static str) -> Command {
    let mut command = program_within("120", &installed("go-clients"), "the Go clients");
    command.arg(name);
    command
}

fn java(name: &'static str) -> Command {
    let release = name.strip_prefix("java-").expect("its release is in its name");
    let folder = installed("java").join(release).display().to_string();
    let mut command = program_within("120", Path::new("java"), "Java and its clients");
    command.args(["-cp", &format!("{folder}:{folder}/*"), "Client"]);
    command
}

impl Client {
    /// Writes `count` numbers from `first` on, a pause in milliseconds after each, until all are acknowledged.
    fn write(&self, brokers: &str, first: u32, count: u32, pause: u32) {
        let mut command = (self.program)(self.name);
        command.args(["write", brokers, self.name]);
        command.args([first, count, pause].map(|number| number.to_string()));
        said(command, "");
    }

    /// Reads in its group until it has `count` different numbers, commits and leaves. What it read, sorted: one that
    /// is not idempotent may have several requests on their way.
    fn read(&self, brokers: &str, count: u32) -> Vec<u32> {
        let mut command = (self.program)(self.name);
        command.args(["read", brokers, self.name, self.name, &count.to_string()]);
        let mut read = numbers(&said(command, ""));
        read.sort_unstable();
        read
    }

    /// What lies in its topic.
    fn log(&self, brokers: &str) -> Vec<u32> {
        numbers(&said(kcat(&["-b", brokers, "-C", "-t", self.name, "-e", "-q"]), ""))
    }

    /// Writes and reads, and again where its group has committed.
    fn goes_on_where_it_committed(&self, brokers: &str) {
        self.write(brokers, 0, 50, 1);
        assert_eq!(self.read(brokers, 50), (0..50).collect::<Vec<_>>(), "{}", self.name);
        self.write(brokers, 50, 20, 1);
        assert_eq!(self.read(brokers, 20), (50..70).collect::<Vec<_>>(), "{}", self.name);
    }

    /// The same, with a writer and a reader at work while every broker crashes once.
    fn goes_on_across_crashes(&self, brokers: &str) {
        let name = self.name;
        self.write(brokers, 0, 50, 1);
        assert_eq!(self.read(brokers, 50), (0..50).collect::<Vec<_>>(), "{name}");
        let read = thread::scope(|scope| {
            let reader = scope.spawn(|| self.read(brokers, 400));
            self.write(brokers, 50, 400, 100);
            reader.join().expect("it reads to the end")
        });
        let distinct: BTreeSet<u32> = read.into_iter().collect();
        assert_eq!(distinct, (50..450).collect(), "{name}: what was committed, or acknowledged");
        self.write(brokers, 450, 20, 1);
        assert_eq!(self.read(brokers, 20), (450..470).collect::<Vec<_>>(), "{name}");
        let log = self.log(brokers);
        let lost: Vec<u32> = (0..470).filter(|number| !log.contains(number)).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?}");
        if self.idempotent {
            assert_eq!(log, (0..470).collect::<Vec<_>>(), "{name}: each once, in order");
        }
    }
}

fn numbers(lines: &str) -> Vec<u32> {
    lines.lines().map(|line| line.parse().expect("a number")).collect()
}

/// These clients at the same time.
fn all(clients: &[Client], server: &Server, act: fn(&Client, &str)) {
    let brokers = ["b1", "b2", "b3"].map(|name| server.address(name)).join(",");
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| act(client, &brokers));
        }
    });
}

#[test]
fn clients_in_five_languages_go_on_where_their_groups_committed() {
    let text = std::fs::read_to_string(beside("languages.toml")).expect("a scenario");
    for release in ["1.0", "3.9"] {
        let of_release = text.replace("kafka = \"2.8\"", &format!("kafka = \"{release}\""));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let scenario = folder.join(format!("languages-{release}.toml"));
        std::fs::write(&scenario, of_release).expect("a writable folder");
        let server = Server::start(&scenario, &[]);
        all(&CLIENTS, &server, Client::goes_on_where_it_committed);
        server.end().held_and_can_be_had_again();
    }
}

#[test]
fn clients_in_five_languages_lose_nothing_when_leaders_and_coordinators_crash() {
    let server = Server::start(&beside("languages_crashes.toml"), &["--speed", "2"]);
    // kcat gives up once each broker was lost, though two are back.
    let others = CLIENTS.split_first().expect("kcat is the first").1;
    all(others, &server, Client::goes_on_across_crashes);
    // The clients have judged themselves. The accounts of clients from outside take an idempotent producer's retry for
    // another record, and reading from a follower (since 2.4) for a violation.
    server.end().can_be_had_again();
}
