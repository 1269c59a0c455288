//! `sim timeline`.

use std::sync::mpsc;

use super::chosen::Chosen;
use super::{Engine, Exit, Failure, Streams};
use crate::report;
use crate::report::story::{self, Filter, Kind, RecordId, Story};
use crate::run::RunOptions;
use crate::scenario::quantity;
use crate::vocab::{Time, TopicPartition};

/// Print the events of a run in order, one line each.
///
/// Without --kind and --record, events of single records are left out. --record follows one record: metadata,
/// sent, appended, fetched, committed, acknowledged, read.
///
/// Kinds: fault, process, session, controller, election, isr, role, truncation, error, group, transaction, metadata,
/// command; and of single records: request, queue, send, append, fetch, commit, ack, read, final.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Show only events of this node; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub node: Vec<String>,
    /// Show only events of this partition; may be repeated.
    #[arg(long, value_name = "TOPIC-N")]
    pub partition: Vec<TopicPartition>,
    /// Show only events of this kind; may be repeated.
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<Kind>,
    /// Follow one record, by its producer and its number, counted from 0.
    #[arg(long, value_name = "PRODUCER:N")]
    pub record: Option<RecordId>,
    /// Show only events between two times, as in 7s..9.5s.
    #[arg(long, value_name = "FROM..TO", value_parser = between)]
    pub between: Option<(Time, Time)>,
    /// List the differences between Kafka releases that the nodes asked for, instead of the events.
    #[arg(long, conflicts_with_all = ["node", "partition", "kind", "record", "between"])]
    pub releases: bool,
}

fn between(text: &str) -> Result<(Time, Time), String> {
    let range = quantity::duration_range(text).map_err(|error| error.to_string())?;
    Ok((Time::ZERO + range.low, Time::ZERO + range.high))
}

pub(super) fn timeline(
    args: &Args,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    if args.releases {
        return releases(args, engine, streams);
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
    streams.out.write_all(story::story(&shown, streams.out_style).as_bytes())?;
    if shown.is_empty() {
        writeln!(streams.err, "no event matches")?;
    }
    Ok(Exit::Held)
}

fn releases(args: &Args, engine: Engine, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let plan = args.chosen.plan(engine)?;
    let replay = plan.command();
    let ran = (engine.play)(plan, RunOptions::default())?;
    let outcome = ran.outcome.map_err(|_| Failure::Panic { replay })?;
    let text = report::releases_asked(outcome.kafka, outcome.asked, streams.out_style);
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
