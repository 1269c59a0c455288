//! From the text to a [`Scenario`]: one reader per part of the file.
//!
//! A reader that meets a mistake reports it and goes on with a stand-in, so that one pass finds as
//! many mistakes as it can; what depends on the mistaken value is then not judged.

mod clients;
mod cluster;
mod expect;
mod faults;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeTable;

use super::Scenario;
use super::diagnostics::{Diagnostics, Place, Sink, Span};
use super::draw::TopicSpec;
use super::walk::Section;
use crate::vocab::KafkaVersion;

const TOP: &[&str] = &[
    "kafka",
    "mutant",
    "duration",
    "cluster",
    "broker",
    "coordinator",
    "topic",
    "producer",
    "consumer",
    "network",
    "disk",
    "fault",
    "expect",
];

/// What the parts of a file know of one another.
pub(super) struct Context<'s> {
    sink: &'s Sink,
    text: &'s str,
    /// The newest release when the file's is wrong: it has every property.
    version: KafkaVersion,
    /// `None` when the file's is wrong.
    duration: Option<Duration>,
    /// `None` when the file's is wrong.
    broker_count: Option<usize>,
    /// All nodes by name.
    nodes: BTreeMap<String, NodeKind>,
    topics: Vec<TopicSpec>,
    /// Names of topics that are there, but wrong: what refers to them is not judged.
    broken_topics: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeKind {
    Broker,
    Coordinator,
    Client,
}

impl Context<'_> {
    fn line(&self, span: &Span) -> usize {
        Place::of(self.text, span.start).number
    }

    /// Adds a node; reports a name that is taken.
    fn add_node(&mut self, name: String, kind: NodeKind, span: &Span) {
        if self.nodes.contains_key(&name) {
            let message = format!("there are two nodes named `{name}`");
            let hint =
                "brokers are b1, b2, …, coordinators z1, z2, …; clients need names of their own";
            return self.sink.error_with(span, message, hint);
        }
        self.nodes.insert(name, kind);
    }
}

/// Reads a scenario.
///
/// # Errors
/// With everything that was found wrong in the file.
pub fn parse(file_name: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let sink = Sink::default();
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        sink.error(&error.span().unwrap_or_default(), error.message().replace('\n', ", "));
    }
    let mut scenario = None;
    if syntax.is_empty() {
        let top = Section::new(&sink, "", 0..0, document.get_ref());
        scenario = Some(read(&sink, file_name, text, &top));
    }
    let list = sink.into_list();
    match scenario {
        Some(scenario) if list.is_empty() => Ok(scenario),
        _ => Err(Diagnostics::new(file_name, text, list)),
    }
}

fn read<'s>(sink: &'s Sink, file_name: &str, text: &'s str, top: &Section<'s, '_>) -> Scenario {
    let version = cluster::version(top);
    let mutant = cluster::mutant(top);
    let duration = cluster::duration(top);
    let mut context = Context {
        sink,
        text,
        version: version.unwrap_or(KafkaVersion::RANGE.1),
        duration,
        broker_count: None,
        nodes: BTreeMap::new(),
        topics: Vec::new(),
        broken_topics: Vec::new(),
    };
    let (brokers, coordinators) = cluster::nodes(&mut context, top);
    // A broker's properties are the defaults of topics even when the cluster's size is wrong.
    let broker_properties = cluster::broker_properties(&context, top);
    topics::read(&mut context, top, &broker_properties);
    let producers = clients::producers(&mut context, top);
    let consumers = clients::consumers(&mut context, top);
    let coordinator_properties = cluster::coordinator_properties(&context, top);
    let network = cluster::network(top);
    let disk = cluster::disk(top);
    let faults = faults::read(&context, top);
    let expect = expect::read(top);
    top.close(TOP, &[]);
    Scenario {
        file_name: file_name.to_owned(),
        about: about(text),
        kafka: context.version,
        mutant,
        duration: duration.unwrap_or_default(),
        brokers,
        coordinators,
        broker_properties,
        coordinator_properties,
        topics: context.topics,
        producers,
        consumers,
        network,
        disk,
        faults,
        expect,
    }
}

/// The comment at the start of the file, without its `#`s.
fn about(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix('#'));
    comment.map(str::trim).collect::<Vec<_>>().join("\n")
}
