//! Draws scenarios that are right, from the lists of keys, properties and faults that their reader uses.

mod expect;
mod numbers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use kafka_sim::releases::defaults::Kind;
use kafka_sim::releases::{Change, KafkaVersion};
use kafka_sim::scenario::faults::{
    Action, Allowed, CleanShutdown, Describe, Field, FieldValue, Need, Undo,
};
use kafka_sim::scenario::{self, Table};
use kafka_sim::vocab::{Mutant, Stream};

/// A scenario, and the keys that it has, each with its table.
pub struct Drawn {
    pub text: String,
    pub keys: BTreeSet<(String, String)>,
}

/// How far from the ordinary a scenario is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Like {
    /// Settings near their defaults.
    Ordinary,
    /// Settings at the ends of their ranges.
    Wild,
    /// As ordinary, with a planted bug.
    Mutant,
}

/// The scenario, as far as it is written.
struct Writer<'s> {
    stream: &'s mut Stream,
    language: Vec<Table>,
    drawn: Drawn,
    /// What the keys that are written now are in.
    title: &'static str,
    like: Like,
    version: KafkaVersion,
    milliseconds: u64,
    brokers: u64,
    zookeepers: u64,
    /// Replicas of the topic that is written.
    replicas: u64,
    /// Name, partitions, replicas.
    topics: Vec<(String, u64, u64)>,
    clients: Vec<String>,
    /// Whether a process stays stopped: one is enough.
    has_dead: bool,
    /// Whether acknowledged records may not be lost, whatever the settings.
    forbids_loss: bool,
    /// Whether the producer that is written has a transactional id.
    is_transactional: bool,
}

/// Draws a scenario.
pub fn draw(stream: &mut Stream) -> Drawn {
    let like = match stream.below(20) {
        0 => Like::Mutant,
        1..=4 => Like::Wild,
        _ => Like::Ordinary,
    };
    let milliseconds = [1_000, 2_000, 4_000, 8_000][stream.below(4) as usize];
    let mut writer = Writer {
        stream,
        language: scenario::language(),
        drawn: Drawn { text: String::new(), keys: BTreeSet::new() },
        title: "",
        like,
        version: KafkaVersion::default(),
        milliseconds,
        brokers: 0,
        zookeepers: 0,
        replicas: 1,
        topics: Vec::new(),
        clients: Vec::new(),
        has_dead: false,
        forbids_loss: false,
        is_transactional: false,
    };
    writer.head();
    writer.cluster();
    writer.topics();
    writer.producers();
    writer.consumers();
    writer.zookeeper_clients();
    writer.world();
    writer.faults();
    writer.commands();
    writer.expect();
    // A process that stays stopped may have held the last replica of something; one whose clock was set back far may
    // not go on in time.
    let kind = match (writer.like, writer.has_dead) {
        (_, _) if writer.forbids_loss => "lossy".to_owned(),
        (Like::Ordinary, true) => "dead".to_owned(),
        (like, _) => format!("{like:?}").to_lowercase(),
    };
    writer.line(format_args!("# kind {kind}"));
    writer.drawn
}

impl Writer<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.stream.below(bound)
    }

    /// Once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    fn line(&mut self, line: impl Display) {
        self.drawn.text.push_str(&format!("{line}\n"));
    }

    fn table(&mut self, title: &'static str) {
        self.title = title;
        self.line(title);
        let key = title.trim_matches(['[', ']']);
        self.drawn.keys.insert((String::new(), key.to_owned()));
    }

    fn raw(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("\"{key}\" = {value}"));
        self.drawn.keys.insert((self.title.to_owned(), key.to_owned()));
    }

    fn text(&mut self, key: &str, value: impl Display) {
        self.raw(key, format_args!("\"{value}\""));
    }

    fn list(&mut self, key: &str, values: &[String]) {
        let values: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
        self.raw(key, format_args!("[{}]", values.join(", ")));
    }

    /// A moment before the end, or a range of them.
    fn moment(&mut self, end: u64) -> (String, u64) {
        let (one, other) = (self.below(end), self.below(end));
        let (low, high) = (one.min(other), one.max(other));
        match self.once_in(2) {
            true => (format!("{low}ms..{high}ms"), high),
            false => (format!("{low}ms"), low),
        }
    }

    fn head(&mut self) {
        let seed = self.below(1 << 32);
        self.line(format_args!("# seed {seed}"));
        let version = match self.once_in(4) {
            true => {
                let every: Vec<String> = KafkaVersion::every().map(|v| v.to_string()).collect();
                self.one(&every)
            }
            false => self.one(&KafkaVersion::lines()),
        };
        self.version = version.parse().expect("it is one of the releases");
        self.text("kafka", version);
        let milliseconds = self.milliseconds;
        self.text("duration", format_args!("{milliseconds}ms"));
        if self.like == Like::Mutant {
            let mutant = self.one(Mutant::ALL);
            self.text("mutant", mutant.name());
        }
    }

    fn cluster(&mut self) {
        self.brokers = self.one(&[1, 2, 3, 3, 3, 4]);
        self.zookeepers = self.one(&[1, 1, 3, 5]);
        self.table("[cluster]");
        let (brokers, zookeepers) = (self.brokers, self.zookeepers);
        self.raw("brokers", brokers);
        if zookeepers > 1 || self.once_in(2) {
            self.raw("zookeepers", zookeepers);
        }
        if self.once_in(4) {
            // A broker that is not started again may be the only one with a record.
            let spans = if self.like == Like::Wild {
                &["never", "0s", "90ms"]
            } else {
                &["20ms", "1s", "7s"]
            };
            let span = self.one(spans);
            self.text("supervisor", span);
            self.text("start-up", if span == "1s" { "0s" } else { "50ms..6s" });
        }
        // Offsets need a topic that so few brokers can hold.
        if !self.once_in(4) || self.brokers < 3 {
            self.table("[broker]");
            self.properties();
        }
        if self.once_in(2) {
            self.table("[zookeeper]");
            self.properties();
        }
    }

    /// Some of the properties of the table that is written.
    fn properties(&mut self) {
        let table = self.language.iter().find(|table| table.title == self.title);
        let properties = table.expect("it is of the language").properties.clone();
        let mut numbers: BTreeMap<&str, i64> = BTreeMap::new();
        for property in &properties {
            let Some(default) = property.default_in(self.version) else { continue };
            if !self.once_in(6) {
                continue;
            }
            match property.kind {
                Kind::Flag => {
                    // Brokers have ephemeral znodes, which local sessions have not.
                    let is_local = property.name.starts_with("localSessions");
                    if is_local && self.like != Like::Wild {
                        continue;
                    }
                    // An application that commits excludes the client's commits.
                    let flag = self.once_in(2) && property.name != "enable.auto.commit";
                    self.raw(property.name, flag);
                }
                Kind::Choice(words) => {
                    let word = self.one(words);
                    // A consumer that is to go nowhere when its place is gone stays there.
                    if word == "none" && self.like != Like::Wild {
                        continue;
                    }
                    self.text(property.name, word);
                }
                Kind::Number { unit, .. } => {
                    let number = self.number(property, unit, default);
                    numbers.insert(property.name, number);
                }
            }
        }
        if self.title == "[zookeeper]" && self.like != Like::Wild && self.once_in(4) {
            self.raw("localSessionsEnabled", true);
            self.raw("localSessionsUpgradingEnabled", true);
        }
        self.order(&mut numbers);
        for (name, number) in numbers {
            self.raw(name, number);
        }
    }

    fn topics(&mut self) {
        for number in 0..=self.below(3) {
            let name = format!("t{number}");
            self.table("[[topic]]");
            self.text("name", &name);
            let partitions = 1 + self.below(4);
            let brokers = self.brokers;
            let replicas = if self.once_in(3) { 1 + self.below(brokers) } else { brokers.min(3) };
            if self.once_in(4) {
                let first = self.below(brokers);
                let of = |partition: u64| {
                    let ids = (0..replicas).map(|k| 1 + (first + partition + k) % brokers);
                    format!("[{}]", ids.map(|id| id.to_string()).collect::<Vec<_>>().join(", "))
                };
                let all: Vec<String> = (0..partitions).map(of).collect();
                self.raw("assignment", format_args!("[{}]", all.join(", ")));
            } else {
                self.raw("partitions", partitions);
                self.raw("replication-factor", replicas);
            }
            self.replicas = replicas;
            self.properties();
            self.topics.push((name, partitions, replicas));
        }
        // One that is as the brokers' settings say.
        if self.once_in(6) {
            self.table("[[topic]]");
            self.text("name", "plain.topic_1");
            self.topics.push(("plain.topic_1".to_owned(), 1, 1));
        }
    }

    /// The name of clients, with how many they are.
    fn client(&mut self, name: String) {
        self.text("name", &name);
        if !self.once_in(4) {
            return self.clients.push(name);
        }
        let count = 1 + self.below(3);
        self.raw("count", count);
        self.clients.extend((0..count).map(|index| format!("{name}-{index}")));
    }

    fn start_and_stop(&mut self, stops: bool) {
        let (start, end) = (self.milliseconds / 2, self.milliseconds);
        if self.once_in(3) {
            let (moment, _) = self.moment(start);
            self.text("start", moment);
        }
        if stops && self.once_in(3) {
            let stop = start + 1 + self.below(end - start);
            self.text("stop", format_args!("{stop}ms"));
        }
    }

    fn producers(&mut self) {
        for number in 0..self.one(&[0, 1, 1, 1, 2, 3]) {
            self.table("[[producer]]");
            self.client(format!("p{number}"));
            let topics = self.topics.clone();
            let (topic, ..) = self.one(&topics);
            self.text("topic", topic);
            let rate = self.one(&["20/s", "100/s", "1/250ms", "300/s"]);
            self.text("rate", rate);
            let is_transactional = self.version.has(Change::IdempotentProducers) && self.once_in(4);
            if is_transactional {
                self.transactions(number);
            } else if self.once_in(2) {
                let acks = self.one(&["\"all\"", "0", "1", "\"-1\""]);
                self.raw("acks", acks);
            }
            if self.once_in(3) {
                let size = self.one(&["0", "10", "\"2KiB\"", "1000"]);
                self.raw("record-size", size);
            }
            if self.once_in(3) {
                let way = self.one(&["broker", "zookeeper"]);
                self.text("discover", way);
            }
            self.start_and_stop(true);
            self.is_transactional = is_transactional;
            self.properties();
            self.is_transactional = false;
        }
    }

    fn transactions(&mut self, number: u64) {
        // Two producers may fence each other, over and over.
        let id = if self.once_in(4) { "t".to_owned() } else { format!("t{number}") };
        self.text("transactional.id", id);
        if self.once_in(2) {
            let every = self.one(&["1", "5", "\"20ms\"", "\"1s\""]);
            self.raw("commit-every", every);
        }
        if self.once_in(2) {
            let rate = self.one(&["0", "1/3", "1/1"]);
            self.text("abort-rate", rate);
        }
        if self.once_in(2) {
            let restarts = self.once_in(2);
            self.raw("restart-when-fenced", restarts);
        }
        let title = std::mem::replace(&mut self.title, "transactional");
        self.properties();
        self.title = title;
    }

    fn consumers(&mut self) {
        for number in 0..self.one(&[0, 1, 1, 2]) {
            self.table("[[consumer]]");
            self.client(format!("c{number}"));
            let mut names: Vec<_> = self.topics.iter().map(|(name, ..)| name.clone()).collect();
            names.truncate(1 + self.below(names.len() as u64) as usize);
            let is_member = self.once_in(4);
            match is_member && names.len() > 1 {
                true => self.text("topics-matching", names.join("|")),
                false => self.list("topics", &names),
            }
            self.text("api", "kafka");
            if is_member {
                self.member();
            } else if self.once_in(2) {
                let from = self.one(&["beginning", "end"]);
                self.text("from", from);
            }
            self.start_and_stop(false);
            self.properties();
        }
    }

    fn member(&mut self) {
        let group = self.one(&["g", "h"]);
        self.text("group", group);
        if self.once_in(3) {
            // With the first, what a member had when it crashed is not processed.
            let ways = ["before-processing", "after-processing"];
            let commit = self.one(if self.like == Like::Wild { &ways[..] } else { &ways[1..] });
            self.text("commit", commit);
        }
        if self.once_in(3) {
            let processing = self.one(&["0ms", "100us", "2ms"]);
            self.text("processing", processing);
        }
        if self.version.has(Change::StaticMembers) && self.once_in(4) {
            let instance = format!("i{}", self.drawn.text.len());
            self.text("group.instance.id", instance);
        }
        if self.once_in(3) {
            self.list("partition.assignment.strategy", &["roundrobin".into(), "range".into()]);
        }
        let title = std::mem::replace(&mut self.title, "group");
        self.properties();
        self.title = title;
    }

    fn zookeeper_clients(&mut self) {
        for number in 0..self.one(&[0, 0, 0, 1, 2]) {
            self.table("[[zookeeper-client]]");
            self.client(format!("k{number}"));
            let rate = self.one(&["5/s", "50/s", "200/s"]);
            self.text("rate", rate);
            if self.once_in(2) {
                let znodes = self.one(&[1, 2, 20]);
                self.raw("znodes", znodes);
            }
            if self.once_in(2) {
                let every = self.one(&["100ms", "1s"]);
                self.text("move-every", every);
            }
            self.start_and_stop(true);
        }
    }

    fn world(&mut self) {
        if self.once_in(3) {
            self.table("[network]");
            if self.once_in(2) {
                let latency = self.one(&["100us", "1ms..5ms", "10ms..40ms"]);
                self.text("latency", latency);
            }
            if self.once_in(3) {
                let loss = self.one(&["0", "1/1000", "1/50"]);
                self.text("loss", loss);
            }
            if self.once_in(3) {
                let bandwidth = self.one(&["1MiB/s", "100MiB/s"]);
                self.text("bandwidth", bandwidth);
            }
        }
        if self.once_in(3) {
            self.table("[disk]");
            if self.once_in(2) {
                let write = self.one(&["0s", "100us", "2ms"]);
                self.text("write", write);
            }
            if self.once_in(2) {
                let fsync = self.one(&["0s", "1ms..20ms", "50ms"]);
                self.text("fsync", fsync);
            }
        }
    }

    /// A node or a role.
    fn target(&mut self, allowed: Allowed) -> String {
        let (brokers, zookeepers) = (self.brokers, self.zookeepers);
        let topics = self.topics.clone();
        let (topic, partitions, replicas) = self.one(&topics);
        let partition = self.below(partitions);
        let broker = format!("b{}", 1 + self.below(brokers));
        match self.below(12) {
            0 => "brokers".to_owned(),
            1 => "zookeepers".to_owned(),
            2 | 3 => format!("z{}", 1 + self.below(zookeepers)),
            4 if zookeepers > 1 => {
                format!("follower(zookeeper, {})", 1 + self.below(zookeepers - 1))
            }
            5 => "leader(zookeeper)".to_owned(),
            6 => "controller".to_owned(),
            7 | 8 => format!("leader({topic}-{partition})"),
            9 if replicas > 1 => {
                format!("follower({topic}-{partition}, {})", 1 + self.below(replicas - 1))
            }
            10 if allowed == Allowed::Any && !self.clients.is_empty() => {
                let clients = self.clients.clone();
                self.one(&clients)
            }
            _ => broker,
        }
    }

    /// One or two targets, none of which is among `not`.
    fn targets(&mut self, allowed: Allowed, not: &[String]) -> Vec<String> {
        let mut targets = Vec::new();
        for _ in 0..self.one(&[1, 1, 1, 2]) {
            let target = self.target(allowed);
            if !not.contains(&target) && !targets.contains(&target) {
                targets.push(target);
            }
        }
        if targets.is_empty() {
            // Groups and nodes differ by their words alone.
            let spare = ["b1", "z1"].iter().find(|spare| !not.contains(&(**spare).to_owned()));
            targets.push((*spare.unwrap_or(&"zookeepers")).to_owned());
        }
        targets
    }

    fn targets_of(&mut self, key: &str, targets: &[String]) {
        match targets {
            [one] => self.text(key, one),
            many => self.list(key, many),
        }
    }

    fn faults(&mut self) {
        for _ in 0..self.one(&[0, 1, 1, 2, 3, 5]) {
            let action = self.one(&Action::blanks());
            if action.kind().allowed == Allowed::Ended {
                self.stop_and_start(action);
            } else {
                self.fault(action);
            }
        }
    }

    /// A fault that starts processes, behind one that ends them.
    fn stop_and_start(&mut self, action: Action) {
        let number = 1 + self.below(self.brokers);
        let ends = Action::blanks().into_iter().map(|blank| blank.kind());
        let ends: Vec<_> = ends.filter(|kind| kind.undone.by() == Some(Undo::Restart)).collect();
        let kind = self.one(&ends);
        let at = self.below(self.milliseconds / 2);
        // A shutdown may go on when the process is to be started, which then does nothing.
        self.has_dead |= kind.name == CleanShutdown::KIND.name;
        self.table("[[fault]]");
        self.text("at", format_args!("{at}ms"));
        self.text(kind.name, format_args!("b{number}"));
        self.table("[[fault]]");
        let later = at + 1 + self.below(self.milliseconds - at - 1);
        self.text("at", format_args!("{later}ms"));
        self.text(action.kind().name, format_args!("b{number}"));
    }

    fn fault(&mut self, mut action: Action) {
        let kind = action.kind();
        self.table("[[fault]]");
        let last = self.schedule();
        let targets = self.targets(kind.allowed, &[]);
        self.targets_of(kind.name, &targets);
        let mut has_one = false;
        for Field { key, need, value, .. } in action.fields() {
            let skipped = match need {
                Need::Must => false,
                Need::May => self.once_in(2),
                Need::OneOf => has_one && self.once_in(2),
            };
            has_one |= need == Need::OneOf;
            if !skipped {
                self.field(key, &targets, value);
            }
        }
        let Some(undo) = kind.undone.by() else { return };
        // What is not started again is dead: not ZooKeeper, without whose majority nothing goes on, and one node.
        let is_node = |target: &String| target.starts_with('b') && target != "brokers";
        let may_die = targets.iter().all(is_node) && targets.len() == 1 && !self.has_dead;
        let is_left = match undo {
            Undo::Restart => may_die && self.once_in(6),
            Undo::Resume | Undo::Heal => self.once_in(3),
        };
        match is_left {
            true => self.has_dead |= undo == Undo::Restart,
            false => {
                let (after, _) = self.moment(self.milliseconds - last + 1);
                self.text(undo.key(), after);
            }
        }
    }

    fn field(&mut self, key: &str, targets: &[String], value: FieldValue<'_>) {
        match value {
            FieldValue::Targets(_) => {
                let others = self.targets(Allowed::Any, targets);
                self.targets_of(key, &others);
            }
            FieldValue::Duration(_) => {
                let span = self.one(&["1ms", "50ms", "300ms"]);
                self.text(key, span);
            }
            FieldValue::Range(_) => {
                let range = self.one(&["5ms", "1ms..100ms", "200ms..400ms"]);
                self.text(key, range);
            }
            FieldValue::Millis(_) => {
                let step = self.one(&["+500ms", "-250ms", "+1h", "-10m", "-8000h"]);
                // What waits by the wall clock, as Kafka's clients and channels do, waits for as long as that.
                self.has_dead |= matches!(step, "-10m" | "-8000h");
                self.text(key, step);
            }
            FieldValue::Keyword(word) => {
                let words: Vec<&str> = word.words().to_vec();
                let word = self.one(&words);
                self.text(key, word);
            }
        }
    }

    /// When it happens; gives the latest moment.
    fn schedule(&mut self) -> u64 {
        if self.once_in(5) {
            let times = 2 + self.below(2);
            let every = 1 + self.below(self.milliseconds / 4);
            let (at, last) = self.moment(self.milliseconds / 4);
            self.text("at", at);
            self.raw("times", times);
            self.text("every", format_args!("{every}ms"));
            return last + every * (times - 1);
        }
        let (at, last) = self.moment(self.milliseconds);
        self.text("at", at);
        last
    }

    fn commands(&mut self) {
        if !self.once_in(4) {
            return;
        }
        self.table("[[command]]");
        self.schedule();
        let options = self.language.iter().find(|table| table.title == "run");
        let options = options.expect("command lines are of the language").keys.clone();
        let action = self.one(&["--list", "--describe"]);
        let mut words = vec![action.to_owned()];
        let filters: Vec<&str> = options
            .iter()
            .copied()
            .filter(|option| {
                !["--list", "--describe", "--topic", "--zookeeper", "--bootstrap-server"]
                    .contains(option)
            })
            .collect();
        if action == "--describe" && self.once_in(2) {
            words.push(self.one(&filters).to_owned());
        }
        if self.once_in(2) {
            let topics = self.topics.clone();
            words.push(format!("--topic {}", self.one(&topics).0));
        }
        let asks_brokers = self.version.has(Change::TopicsToolAsksBrokers);
        let asks_zookeeper = self.version.has(Change::TopicsToolReadsZooKeeper);
        match self.below(3) {
            0 if asks_brokers => words.push("--bootstrap-server localhost:9092".to_owned()),
            1 if asks_zookeeper => words.push("--zookeeper z1:2181".to_owned()),
            _ => {}
        }
        for word in &words {
            let option = word.split(' ').next().expect("a word").to_owned();
            self.drawn.keys.insert(("run".to_owned(), option));
        }
        self.text("run", format_args!("kafka-topics {}", words.join(" ")));
    }
}
