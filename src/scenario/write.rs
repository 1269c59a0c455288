//! A failure to TOML, in the language of scenarios: every property, time and assignment written out, so that
//! nothing is drawn when it is read again.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::failure::{Failure, Found, SCHEMA};
use super::faults::{Fault, Field, FieldValue, Target};
use super::plan::{
    BrokerPlan, CommandPlan, Commit, CommitEvery, ConsumerPlan, Discovery, DiskPlan, Expect,
    GroupPlan, NetworkPlan, OldConsumerPlan, Plan, ProducerPlan, QUANTILES, ReadFrom, START_UP,
    SUPERVISOR, TopicPlan, TransactionPlan, ZooKeeperClientPlan, ZooKeeperPlan,
};
use super::properties::{Properties, Value};
use super::quantity::{Latency, Rate, show};
use crate::vocab::{Happening, Seed, Time, Wanted};

/// The file of a failure, for people to read and to edit.
///
/// [`parse_failure`](super::parse_failure) gives the same failure back, for every plan that
/// [`Scenario::plan`](super::Scenario::plan) draws.
pub fn write(failure: &Failure) -> String {
    let mut toml = Toml::default();
    toml.head(&failure.plan);
    toml.found(&failure.found);
    toml.plan(&failure.plan);
    toml.out
}

/// A string as TOML has it, in quotes and escaped.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(texts: impl IntoIterator<Item = impl Display>) -> String {
    let quoted: Vec<_> = texts.into_iter().map(|text| quoted(&text.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

/// One as itself, several as a list.
fn targets(targets: &[Target]) -> String {
    match targets {
        [one] => quoted(&one.to_string()),
        many => list(many),
    }
}

/// As a duration, since the start of the run.
fn since_start(time: Time) -> Duration {
    time.since(Time::ZERO)
}

/// The document as far as it is written.
#[derive(Default)]
struct Toml {
    out: String,
}

impl Toml {
    fn line(&mut self, line: impl Display) {
        writeln!(self.out, "{line}").expect("a string takes everything");
    }

    fn table(&mut self, header: &str) {
        self.line(format_args!("\n{header}"));
    }

    /// A value that is TOML already.
    fn raw(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    /// A value that is a string.
    fn text(&mut self, key: &str, value: impl Display) {
        self.raw(key, quoted(&value.to_string()));
    }

    fn span(&mut self, key: &str, span: Duration) {
        self.text(key, show(span));
    }

    fn head(&mut self, plan: &Plan) {
        let Plan { scenario, seed, kafka, mutant, duration, .. } = plan;
        self.line("# A run that failed, with everything that was drawn for it written out.");
        self.line(
            "# This is the language of scenarios: edit a copy, and run that by \
             `sim replay --edited`.",
        );
        self.raw("schema", SCHEMA);
        self.text("scenario", scenario);
        self.seed(*seed);
        self.text("kafka", kafka);
        self.span("duration", *duration);
        if let Some(mutant) = mutant {
            self.text("mutant", mutant);
        }
    }

    /// TOML's integers have 63 bits; a seed has 64.
    fn seed(&mut self, seed: Seed) {
        match i64::try_from(seed.0) {
            Ok(seed) => self.raw("seed", seed),
            Err(_) => self.text("seed", format_args!("{:#x}", seed.0)),
        }
    }

    fn found(&mut self, found: &Found) {
        let Found { version, commit, fingerprint, panicked, violations } = found;
        self.table("[failure]");
        self.text("version", version);
        self.text("commit", commit);
        if let Some(fingerprint) = fingerprint {
            self.text("fingerprint", format_args!("{fingerprint:016x}"));
        }
        if let Some(message) = panicked {
            self.text("panicked", message);
        }
        for violation in violations {
            self.table("[[failure.violated]]");
            self.text("property", &violation.property);
            self.text("sentence", &violation.sentence);
        }
    }

    /// Everything but the head. What a plan has must be named here: nothing is left out unseen.
    fn plan(&mut self, plan: &Plan) {
        let Plan {
            scenario: _,
            seed: _,
            kafka: _,
            mutant: _,
            duration: _,
            zookeepers,
            supervisor,
            start_up,
            brokers,
            topics,
            producers,
            consumers,
            network,
            disk,
            faults,
            commands,
            zookeeper_clients,
            expect,
        } = plan;
        self.nodes(brokers, zookeepers, *supervisor, *start_up);
        topics.iter().for_each(|topic| self.topic(topic));
        producers.iter().for_each(|producer| self.producer(producer));
        consumers.iter().for_each(|consumer| self.consumer(consumer));
        self.network(network);
        self.disk(disk);
        faults.iter().for_each(|fault| self.fault(fault));
        commands.iter().for_each(|command| self.command(command));
        zookeeper_clients.iter().for_each(|client| self.zookeeper_client(client));
        self.expect(expect);
    }

    fn nodes(
        &mut self,
        brokers: &[BrokerPlan],
        zookeepers: &[ZooKeeperPlan],
        supervisor: Option<Duration>,
        start_up: Latency,
    ) {
        self.table("[cluster]");
        self.raw("brokers", brokers.len());
        self.raw("zookeepers", zookeepers.len());
        if supervisor != Some(SUPERVISOR) {
            let supervisor =
                supervisor.map_or_else(|| "never".to_owned(), |span| show(span).to_string());
            self.text("supervisor", &supervisor);
        }
        if start_up != START_UP {
            self.text("start-up", start_up.to_string());
        }
        if let Some(zookeeper) = zookeepers.first() {
            self.table("[zookeeper]");
            self.properties(&zookeeper.properties);
        }
        if let Some(broker) = brokers.first() {
            self.table("[broker]");
            self.properties(&broker.properties);
        }
    }

    fn properties(&mut self, properties: &Properties) {
        properties.iter().for_each(|(name, value)| self.property(name, value));
    }

    /// What is unset is what the release has it unset to: it is not written.
    fn property(&mut self, name: &str, value: &Value) {
        let name = quoted(name);
        match value {
            Value::Number(number) => self.raw(&name, number),
            Value::Flag(flag) => self.raw(&name, flag),
            Value::Text(text) => self.text(&name, text),
            Value::Unset => {}
        }
    }

    fn topic(&mut self, topic: &TopicPlan) {
        let TopicPlan { name, assignment, overrides, properties } = topic;
        self.table("[[topic]]");
        self.text("name", name);
        let assignment: Vec<Vec<i32>> =
            assignment.iter().map(|replicas| replicas.iter().map(|id| id.0).collect()).collect();
        self.raw("assignment", format_args!("{assignment:?}"));
        // What it does not set itself is its brokers'.
        overrides.keys().for_each(|name| self.property(name, properties.get(name)));
    }

    fn producer(&mut self, producer: &ProducerPlan) {
        let ProducerPlan {
            name,
            topic,
            acks,
            rate: Rate { count, per },
            record_size,
            start,
            stop,
            discover,
            idempotence,
            transactions,
            properties,
        } = producer;
        self.table("[[producer]]");
        self.text("name", name);
        self.text("topic", topic);
        self.text("acks", acks);
        self.text("rate", format_args!("{count}/{}", show(*per)));
        self.raw("record-size", record_size);
        self.span("start", since_start(*start));
        self.span("stop", since_start(*stop));
        let discover = match discover {
            Discovery::Broker => "broker",
            Discovery::ZooKeeper => "zookeeper",
        };
        self.text("discover", discover);
        if *idempotence {
            self.raw("\"enable.idempotence\"", true);
        }
        if let Some(transactions) = transactions {
            self.transactions(transactions);
        }
        self.properties(properties);
    }

    fn transactions(&mut self, transactions: &TransactionPlan) {
        let TransactionPlan { id, commit_every, abort_rate, restart_when_fenced, properties } =
            transactions;
        self.text("\"transactional.id\"", id);
        match commit_every {
            CommitEvery::Records(count) => self.raw("commit-every", count),
            CommitEvery::Span(span) => self.span("commit-every", *span),
        }
        self.text("abort-rate", abort_rate);
        self.raw("restart-when-fenced", restart_when_fenced);
        self.properties(properties);
    }

    fn consumer(&mut self, consumer: &ConsumerPlan) {
        let ConsumerPlan { name, topics, matching, from, group, old, start, properties } = consumer;
        self.table("[[consumer]]");
        self.text("name", name);
        match matching {
            Some(pattern) => self.text("topics-matching", pattern),
            None => self.raw("topics", list(topics)),
        }
        let from = match from {
            ReadFrom::Beginning => "beginning",
            ReadFrom::End => "end",
        };
        match (group, old) {
            (Some(group), _) => self.group(group),
            (None, Some(OldConsumerPlan { group, properties })) => {
                self.text("api", "zookeeper");
                self.text("group", group);
                self.properties(properties);
            }
            (None, None) => self.text("from", from),
        }
        self.span("start", since_start(*start));
        self.properties(properties);
    }

    fn group(&mut self, group: &GroupPlan) {
        let GroupPlan { id, instance, strategies, commit, processing, properties } = group;
        self.text("group", id);
        if let Some(instance) = instance {
            self.text("\"group.instance.id\"", instance);
        }
        self.raw("\"partition.assignment.strategy\"", list(strategies));
        match commit {
            Commit::ByClient => {}
            Commit::BeforeProcessing => self.text("commit", "before-processing"),
            Commit::AfterProcessing => self.text("commit", "after-processing"),
        }
        self.span("processing", *processing);
        self.properties(properties);
    }

    fn network(&mut self, network: &NetworkPlan) {
        let NetworkPlan { latency, loss, bandwidth } = network;
        self.table("[network]");
        self.text("latency", latency);
        self.text("loss", loss);
        if let Some(bandwidth) = bandwidth {
            self.text("bandwidth", format_args!("{bandwidth}B/s"));
        }
    }

    fn disk(&mut self, disk: &DiskPlan) {
        let DiskPlan { write, fsync } = disk;
        self.table("[disk]");
        self.span("write", *write);
        self.text("fsync", fsync);
    }

    fn fault(&mut self, fault: &Fault) {
        let Fault { at, action, targets: hit, undo_after } = fault;
        let kind = action.kind();
        self.table("[[fault]]");
        self.span("at", since_start(*at));
        self.raw(kind.name, targets(hit));
        action.with_fields(|fields| fields.iter().for_each(|field| self.field(field)));
        if let (Some(after), Some(undo)) = (undo_after, kind.undone.by()) {
            self.span(undo.key(), *after);
        }
    }

    /// A field of a fault, unless it was left out.
    fn field(&mut self, field: &Field<'_>) {
        let toml = match &field.value {
            FieldValue::Targets(of) => of.get().map(|of| targets(of)),
            FieldValue::Duration(of) => of.get().map(|of| quoted(&show(*of).to_string())),
            FieldValue::Range(of) => of.get().map(|of| quoted(&of.to_string())),
            FieldValue::Millis(of) => of.get().map(|of| quoted(&format!("{of:+}ms"))),
            FieldValue::Keyword(of) => Some(quoted(of.word())),
        };
        if let Some(toml) = toml {
            self.raw(field.key, toml);
        }
    }

    fn command(&mut self, command: &CommandPlan) {
        // Its name follows from its place, and what it means from the line.
        let CommandPlan { name: _, at, run, command: _ } = command;
        self.table("[[command]]");
        self.span("at", since_start(*at));
        self.text("run", run);
    }

    fn zookeeper_client(&mut self, client: &ZooKeeperClientPlan) {
        let ZooKeeperClientPlan {
            name,
            rate: Rate { count, per },
            znodes,
            move_every,
            start,
            stop,
        } = client;
        self.table("[[zookeeper-client]]");
        self.text("name", name);
        self.text("rate", format_args!("{count}/{}", show(*per)));
        self.raw("znodes", znodes);
        if let Some(every) = move_every {
            self.span("move-every", *every);
        }
        self.span("start", since_start(*start));
        self.span("stop", since_start(*stop));
    }

    fn expect(&mut self, expect: &Expect) {
        let Expect { happened, never, acknowledged_loss_permitted, converge_within, .. } = expect;
        let names = |happenings: &[Happening]| list(happenings.iter().map(|one| one.name()));
        self.table("[expect]");
        self.raw("happened", names(happened));
        self.raw("never", names(never));
        let loss = if *acknowledged_loss_permitted { "permitted" } else { "forbidden" };
        self.text("acknowledged-loss", loss);
        self.span("converge-within", *converge_within);
        if let Some(limit) = expect.unavailable_at_most {
            self.span("unavailable-at-most", limit);
        }
        let quantiles = QUANTILES.iter().filter_map(|(name, share)| {
            let limits = expect.latency_at_most.iter();
            let (_, limit) = limits.clone().find(|(of, _)| of == share)?;
            Some(format!("{name} = \"{}\"", show(*limit)))
        });
        let quantiles: Vec<_> = quantiles.collect();
        if !quantiles.is_empty() {
            self.raw("latency-at-most", format_args!("{{ {} }}", quantiles.join(", ")));
        }
        for &happening in Happening::ALL {
            let of_it = expect.wanted.iter().filter(|wanted| wanted.happening == happening);
            let counts: Vec<_> = of_it.map(count).collect();
            if !counts.is_empty() {
                self.raw(happening.name(), format_args!("[{}]", counts.join(", ")));
            }
        }
    }
}

/// How often something may happen, as an inline table.
fn count(wanted: &Wanted) -> String {
    let most = wanted.most.map(|most| most.to_string()).unwrap_or_default();
    let mut text = format!("{{ count = \"{}..{most}\"", wanted.least);
    if let Some(at) = &wanted.partition {
        text += &format!(", partition = \"{at}\"");
    }
    for (key, time) in [("after", wanted.after), ("before", wanted.before)] {
        if let Some(time) = time {
            text += &format!(", {key} = \"{}\"", show(since_start(time)));
        }
    }
    text + " }"
}
