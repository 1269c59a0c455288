//! From the text to a [`Scenario`]: one reader per part of the file.
//!
//! A reader that finds a mistake reports it and continues with some valid value, so that one pass finds as
//! many mistakes as it can. What depends on the wrong value is then not checked.

mod clients;
mod cluster;
mod commands;
mod context;
mod cost;
mod expect;
mod failure;
mod faults;
mod language;
mod members;
mod schedule;
mod targets;
mod topics;
mod transactions;

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Sink};
use super::draw::Scenario;
use super::failure::Failure;
use super::plan::Plan;
use super::walk::Section;
use context::Context;
pub use cost::memory;
pub use language::{Table, language};

const TOP: &[&str] = &[
    "kafka",
    "mutant",
    "duration",
    "cluster",
    "broker",
    "zookeeper",
    "topic",
    "producer",
    "consumer",
    "network",
    "disk",
    "fault",
    "command",
    "zookeeper-client",
    "expect",
];

/// Reads a scenario.
///
/// # Errors
/// With every mistake in the file.
pub fn parse(file_name: &str, text: &str) -> Result<Scenario, Diagnostics> {
    document(file_name, text, |sink, top| {
        failure::refuse(top);
        Some(read(sink, file_name, text, top, false))
    })
}

/// Reads a failure file, as [`write`](super::write) writes it: a scenario, and around it what ran and what was
/// found.
///
/// # Errors
/// With every mistake in the file.
pub fn parse_failure(file_name: &str, text: &str) -> Result<Failure, Diagnostics> {
    document(file_name, text, |sink, top| {
        let frame = failure::read(top);
        let scenario = read(sink, file_name, text, top, true);
        let failure::Frame { scenario: path, seed, found } = frame?;
        // What is wrong with the scenario is reported; it cannot be drawn from.
        let is_right = sink.is_empty();
        is_right.then(|| Failure { plan: Plan { scenario: path, ..scenario.plan(seed) }, found })
    })
}

/// Reads a TOML document: what `read` makes of it, unless something is wrong.
fn document<T>(
    file_name: &str,
    text: &str,
    read: impl FnOnce(&Sink, &Section<'_, '_>) -> Option<T>,
) -> Result<T, Diagnostics> {
    let sink = Sink::default();
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        sink.error(&error.span().unwrap_or_default(), error.message().replace('\n', ", "));
    }
    let mut found = None;
    if syntax.is_empty() {
        let top = Section::new(&sink, "", 0..0, document.get_ref());
        found = read(&sink, &top);
    }
    let (list, left_out) = sink.into_list();
    match found {
        Some(found) if list.is_empty() => Ok(found),
        _ => Err(Diagnostics::new(file_name, text, list, left_out)),
    }
}

fn read<'s>(
    sink: &'s Sink,
    file_name: &str,
    text: &str,
    top: &Section<'s, '_>,
    is_drawn: bool,
) -> Scenario {
    let version = cluster::version(top);
    let mutant = cluster::mutant(top);
    let duration = cluster::duration(top);
    let mut context = Context {
        sink,
        version: version.unwrap_or_default(),
        duration,
        broker_count: None,
        nodes: BTreeMap::new(),
        topics: Vec::new(),
        broken_topics: Vec::new(),
        groups: Vec::new(),
        transactional_ids: Vec::new(),
        is_drawn,
    };
    let cluster::Nodes { brokers, zookeepers, supervisor, start_up } =
        cluster::nodes(&mut context, top);
    // A broker's properties are the defaults of topics even when the cluster's size is wrong.
    let broker_properties = cluster::broker_properties(&context, top);
    topics::read(&mut context, top, &broker_properties);
    let producers = clients::producers(&mut context, top);
    let consumers = clients::consumers(&mut context, top);
    context.coordinated_are(&producers, &consumers);
    let zookeeper_properties = cluster::zookeeper_properties(&context, top);
    let network = cluster::network(top);
    let disk = cluster::disk(top);
    let commands = commands::read(&mut context, top);
    let zookeeper_clients = clients::of_zookeeper(&mut context, top);
    let faults = faults::read(&context, top);
    let of_producers = producers.iter().map(|producer| &producer.plan.properties);
    let timeouts = of_producers.map(|properties| properties.ms("request.timeout.ms"));
    let timeouts = timeouts.chain(consumers.iter().map(|consumer| clients::waits(&consumer.plan)));
    let open = producers.iter().map(|one| transactions::open_for(&one.plan, &broker_properties));
    let expect = expect::read(top, timeouts.chain(open).max().unwrap_or_default());
    let around: &[&str] = if is_drawn { failure::TOP } else { &[] };
    top.close(&[TOP, around].concat(), &[]);
    let scenario = Scenario {
        file_name: file_name.to_owned(),
        about: about(text),
        kafka: context.version,
        mutant,
        duration: duration.unwrap_or_default(),
        brokers,
        zookeepers,
        supervisor,
        start_up,
        broker_properties,
        zookeeper_properties,
        topics: context.topics,
        producers,
        consumers,
        network,
        disk,
        faults,
        commands,
        zookeeper_clients,
        expect,
    };
    if sink.is_empty() {
        cost::check(top, &scenario);
    }
    scenario
}

/// The comment at the start of the file, without its `#`s.
fn about(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix('#'));
    comment.map(str::trim).collect::<Vec<_>>().join("\n")
}
