//! `sim timeline`.

use std::sync::mpsc;

use super::chosen::Chosen;
use super::{Engine, Exit, Failure, Streams};
use crate::report::story::{self, Filter, Kind, RecordId, Story};
use crate::report::{self, Style};
use crate::run::RunOptions;
use crate::scenario::quantity;
use crate::vocab::{Time, TopicPartition};

/// Tell a run as an ordered story, one line for each event that matters.
///
/// Without --kind and --record, what happens to every single record is left out. --record follows one record: who
/// leads, sent, appended, pulled, acknowledged, committed, answered, read.
///
/// Kinds: fault, process, session, controller, election, isr, role, truncation, trouble, leader, command; and of
/// single records: ask, record, send, append, fetch, commit, answer, read, fact.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Show only what is about this node; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub node: Vec<String>,
    /// Show only what is about this partition; may be repeated.
    #[arg(long, value_name = "TOPIC-N")]
    pub partition: Vec<TopicPartition>,
    /// Show only this kind; may be repeated.
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<Kind>,
    /// Follow one record, by its producer and its number there, counted from 0.
    #[arg(long, value_name = "PRODUCER:N")]
    pub record: Option<RecordId>,
    /// Show only what happens between two times, as in 7s..9.5s.
    #[arg(long, value_name = "FROM..TO", value_parser = between)]
    pub between: Option<(Time, Time)>,
    /// Show which differences between Kafka releases the run depended on, instead of the story.
    #[arg(long, conflicts_with_all = ["node", "partition", "kind", "record", "between"])]
    pub releases: bool,
}

fn between(text: &str) -> Result<(Time, Time), String> {
    let range = quantity::duration_range(text).map_err(|error| error.to_string())?;
    Ok((Time::ZERO + range.low, Time::ZERO + range.high))
}

pub(super) fn timeline(
    args: &Args,
    style: Style,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    if args.releases {
        return releases(args, style, engine, streams);
    }
    let (to, moments) = mpsc::channel();
    let options = RunOptions {
        watcher: Some(Box::new(|terms| Box::new(Story::new(terms.clone(), to)))),
        ..RunOptions::default()
    };
    let plan = args.chosen.plan(engine)?;
    let replay = plan.command();
    (engine.play)(plan, options)?.outcome.map_err(|_| Failure::Panic { replay })?;
    let filter = Filter {
        nodes: args.node.clone(),
        partitions: args.partition.clone(),
        kinds: args.kind.clone(),
        between: args.between,
        record: args.record.clone(),
    };
    let shown = filter.apply(moments.into_iter().collect());
    streams.out.write_all(story::story(&shown, style).as_bytes())?;
    if shown.is_empty() {
        writeln!(streams.err, "nothing of the kind happened")?;
    }
    Ok(Exit::Held)
}

fn releases(
    args: &Args,
    style: Style,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let plan = args.chosen.plan(engine)?;
    let replay = plan.command();
    let ran = (engine.play)(plan, RunOptions::default())?;
    let outcome = ran.outcome.map_err(|_| Failure::Panic { replay })?;
    let text = report::releases_asked(outcome.kafka, outcome.asked, style);
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
