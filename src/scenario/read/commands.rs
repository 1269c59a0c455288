//! `[[command]]`: what an operator types.

use super::super::diagnostics::{Span, did_you_mean};
use super::super::draw::{CommandSpec, shell};
use super::super::walk::{Item, Section};
use super::context::{Context, NodeKind};
use super::schedule::{self, schedule};
use crate::releases::Change;
use crate::vocab::{Shown, TopicsAction, TopicsCommand, Via};

/// The keys besides those of a schedule.
pub(super) const KEYS: &[&str] = &["run"];

/// Options without a value.
const FLAGS: &[(&str, TopicsAction)] =
    &[("--list", TopicsAction::List), ("--describe", TopicsAction::Describe(Shown::Everything))];
const SHOWN: &[(&str, Shown)] = &[
    ("--under-replicated-partitions", Shown::UnderReplicated),
    ("--unavailable-partitions", Shown::Unavailable),
    ("--topics-with-overrides", Shown::Overridden),
];
/// Options with a value.
const VALUED: [&str; 3] = ["--topic", "--zookeeper", "--bootstrap-server"];
/// What the real tool has and this one does not.
const NOT_SIMULATED: &[(&str, &str)] = &[
    ("--create", "a [[topic]] is created before clients start"),
    ("--alter", "topics stay as their [[topic]] says"),
    ("--delete", "topics stay to the end"),
    ("--exclude-internal", "there are no internal topics: leave it out"),
    ("--under-min-isr-partitions", "--under-replicated-partitions is"),
    ("--at-min-isr-partitions", "--under-replicated-partitions is"),
    ("--topic-id", "name the topic: --topic orders"),
    ("--if-exists", "leave it out"),
    ("--command-config", "leave it out"),
];

/// Reads all commands, in the order of the file, and gives each a node.
pub(super) fn read(context: &mut Context<'_>, top: &Section<'_, '_>) -> Vec<CommandSpec> {
    let mut number = 0;
    let mut all = Vec::new();
    for section in top.tables("command", "[[command]]") {
        let schedule = schedule(context, &section);
        let run = section.need("run", "\"kafka-topics --describe --topic orders\"");
        let command = run.as_ref().and_then(|item| {
            let line = item.text()?;
            Some((line.to_owned(), Line::new(context, item, line).read()?))
        });
        section.close(&[schedule::KEYS, KEYS].concat(), &[]);
        let Some(schedule) = schedule else { continue };
        if !context.has_room_for(schedule.times as usize, &section.span) {
            continue;
        }
        for _ in 0..schedule.times {
            number += 1;
            _ = context.add_node(shell(number), NodeKind::Client, &section.span);
        }
        if let Some((run, command)) = command {
            all.push(CommandSpec { schedule, run, command });
        }
    }
    all
}

/// Every option of a command line.
pub(super) fn options() -> Vec<&'static str> {
    let flags = FLAGS.iter().map(|(name, _)| *name);
    flags.chain(SHOWN.iter().map(|(name, _)| *name)).chain(VALUED).collect()
}

/// A word of a command line, and its place in the file.
#[derive(Clone)]
struct Word<'t> {
    text: &'t str,
    span: Span,
}

/// A command line, while it is read.
struct Line<'c, 's, 't> {
    context: &'c Context<'s>,
    item: &'c Item<'s, 't>,
    words: Vec<Word<'c>>,
}

impl<'c, 's, 't> Line<'c, 's, 't> {
    /// Words, with `--option=value` as two.
    fn new(context: &'c Context<'s>, item: &'c Item<'s, 't>, line: &'c str) -> Self {
        // A place in the line is a place in the file, unless something is escaped.
        let is_plain = item.span.len() == line.len() + 2;
        let word = |text: &'c str| {
            let at = text.as_ptr().addr() - line.as_ptr().addr() + item.span.start + 1;
            let span = if is_plain { at..at + text.len() } else { item.span.clone() };
            Word { text, span }
        };
        let split = |text: &'c str| match text.split_once('=') {
            Some((option, value)) if option.starts_with("--") => vec![option, value],
            _ => vec![text],
        };
        let words = line.split_whitespace().flat_map(split).map(word).collect();
        Self { context, item, words }
    }

    fn error<T>(
        &self,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.context.sink.error_with(span, message, hint);
        None
    }

    fn read(&self) -> Option<TopicsCommand> {
        let mut words = self.words.iter();
        self.program(words.next())?;
        let mut actions: Vec<(&Word<'_>, TopicsAction)> = Vec::new();
        let mut shown: Vec<(&Word<'_>, Shown)> = Vec::new();
        let mut values: Vec<(&Word<'_>, &Word<'_>)> = Vec::new();
        while let Some(word) = words.next() {
            let text = word.text;
            if let Some((_, action)) = FLAGS.iter().find(|(name, _)| *name == text) {
                actions.push((word, *action));
            } else if let Some((_, filter)) = SHOWN.iter().find(|(name, _)| *name == text) {
                shown.push((word, *filter));
            } else if VALUED.contains(&text) {
                let value = words.next().filter(|value| !value.text.starts_with("--"));
                let Some(value) = value else {
                    let hint = "for example: --topic orders, --zookeeper z1:2181";
                    return self.error(&word.span, format!("`{text}` needs a value"), hint);
                };
                if values.iter().any(|(option, _)| option.text == text) {
                    let message = format!("`{text}` is given twice");
                    return self.error(&word.span, message, "several topics: --topic orders,bills");
                }
                values.push((word, value));
            } else {
                return self.unknown(word);
            }
        }
        let action = self.action(&actions, &shown)?;
        let value = |name: &str| values.iter().find(|(option, _)| option.text == name);
        let topics = match value("--topic") {
            None => None,
            Some((_, value)) => Some(self.topics(value)?),
        };
        let (via, hosts) = self.via(value("--zookeeper"), value("--bootstrap-server"))?;
        Some(TopicsCommand { action, topics, via, hosts })
    }

    fn program(&self, word: Option<&Word<'_>>) -> Option<()> {
        let hint = "commands: kafka-topics";
        let Some(word) = word else {
            return self.item.error("the command line is empty", hint);
        };
        let name = word.text.rsplit('/').next().unwrap_or_default();
        if name.strip_suffix(".sh").unwrap_or(name) != "kafka-topics" {
            return self.error(&word.span, format!("there is no command `{}`", word.text), hint);
        }
        Some(())
    }

    fn unknown(&self, word: &Word<'_>) -> Option<TopicsCommand> {
        let text = word.text;
        if let Some((_, hint)) = NOT_SIMULATED.iter().find(|(name, _)| *name == text) {
            return self.error(&word.span, format!("`{text}` is not simulated"), *hint);
        }
        let hint = did_you_mean(text, "options", options());
        self.error(&word.span, format!("kafka-topics has no option `{text}`"), hint)
    }

    /// What is done: exactly one thing, as the tool requires.
    fn action(
        &self,
        actions: &[(&Word<'_>, TopicsAction)],
        shown: &[(&Word<'_>, Shown)],
    ) -> Option<TopicsAction> {
        let action = match actions {
            [(_, action)] => *action,
            [] => {
                let message = "the command does not say what to do";
                return self.item.error(message, "for example: kafka-topics --describe");
            }
            [_, (second, _), ..] => {
                let hint = "exactly one of --list and --describe; write a second [[command]]";
                return self.error(
                    &second.span,
                    format!("`{}` is one too many", second.text),
                    hint,
                );
            }
        };
        match (action, shown) {
            (action, []) => Some(action),
            (TopicsAction::Describe(_), [(_, shown)]) => Some(TopicsAction::Describe(*shown)),
            (TopicsAction::List, [(word, _), ..]) => {
                let message = format!("`{}` does not go with `--list`", word.text);
                self.error(&word.span, message, "it goes with --describe")
            }
            (_, [_, (second, _), ..]) => {
                let hint = "kafka-topics takes one of them at a time";
                self.error(&second.span, format!("`{}` is one too many", second.text), hint)
            }
        }
    }

    fn topics(&self, value: &Word<'_>) -> Option<String> {
        let known: Vec<&str> =
            self.context.topics.iter().map(|topic| topic.name.as_str()).collect();
        let broken = self.context.broken_topics.iter().map(String::as_str);
        let all: Vec<&str> = known.iter().copied().chain(broken).collect();
        for name in value.text.split([',', '|']) {
            if !all.contains(&name) {
                let hint = did_you_mean(name, "topics", all.iter().copied());
                return self.error(&value.span, format!("there is no topic `{name}`"), hint);
            }
        }
        Some(value.text.to_owned())
    }

    /// Whether it asks ZooKeeper or brokers, which depends on the release, and which of them.
    fn via(
        &self,
        zookeeper: Option<&(&Word<'_>, &Word<'_>)>,
        bootstrap: Option<&(&Word<'_>, &Word<'_>)>,
    ) -> Option<(Via, Vec<String>)> {
        let version = self.context.version;
        match (zookeeper, bootstrap) {
            (None, None) if version.has(Change::TopicsToolAsksBrokers) => {
                Some((Via::Brokers, Vec::new()))
            }
            (None, None) => Some((Via::ZooKeeper, Vec::new())),
            (Some(_), Some((option, _))) => {
                let message = "only one of `--zookeeper` and `--bootstrap-server` can be given";
                self.error(&option.span, message, "leave one out")
            }
            (Some((option, _)), None) if !version.has(Change::TopicsToolReadsZooKeeper) => {
                let message = format!("kafka-topics of Kafka {version} has no `--zookeeper`");
                self.error(
                    &option.span,
                    message,
                    "Kafka 3.0 removed it: use --bootstrap-server b1:9092",
                )
            }
            (None, Some((option, _))) if !version.has(Change::TopicsToolAsksBrokers) => {
                let message =
                    format!("kafka-topics of Kafka {version} has no `--bootstrap-server`");
                self.error(&option.span, message, "it came in Kafka 2.2: use --zookeeper z1:2181")
            }
            (Some((_, value)), None) => {
                let hosts = self.hosts(value, NodeKind::ZooKeeper, "z1:2181", "2181")?;
                Some((Via::ZooKeeper, hosts))
            }
            (None, Some((_, value))) => {
                let hosts = self.hosts(value, NodeKind::Broker, "b1:9092", "9092")?;
                Some((Via::Brokers, hosts))
            }
        }
    }

    /// Names of nodes; none for `localhost`, at which every node of the kind answers.
    fn hosts(
        &self,
        value: &Word<'_>,
        kind: NodeKind,
        example: &str,
        port: &str,
    ) -> Option<Vec<String>> {
        let mut hosts = Vec::new();
        for place in value.text.split(',') {
            let (host, stated) = place.split_once(':').unwrap_or((place, port));
            if stated != port {
                let message = format!("no server listens on port `{stated}` of `{host}`");
                return self.error(&value.span, message, format!("for example: {example}"));
            }
            if host == "localhost" {
                return Some(Vec::new());
            }
            if self.context.nodes.get(host) != Some(&kind) {
                let nodes = self.context.nodes.iter().filter(|(_, of)| **of == kind);
                let hint = did_you_mean(host, "hosts", nodes.map(|(name, _)| name.as_str()));
                return self.error(&value.span, format!("there is no host `{host}` to ask"), hint);
            }
            hosts.push(host.to_owned());
        }
        Some(hosts)
    }
}
