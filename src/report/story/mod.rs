//! A run as an ordered story: one line for each event that matters, or only those of one node, one
//! partition, one kind, or one record.
//!
//! A [`Story`] listens to a run beside its judge and sends every [`Moment`]. Which of them are shown is decided
//! after the run: only then it is known at which offset a record was appended.

mod kind;
mod tell;
mod trace;

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::Sender;

pub use kind::{Kind, UnknownKind};
pub use trace::RecordId;

use super::style::{Paint, Style, page};
use crate::history::{Fact, Life, Observation};
use crate::model::{Fired, Model, Reader, Terms};
use crate::vocab::{BrokerId, NodeId, Time, TopicPartition};

/// One line of a story, and its source.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub time: Time,
    /// The node's name; none for a fault of the network.
    pub node: Option<Arc<str>>,
    /// The partition, if it is about one.
    pub at: Option<TopicPartition>,
    /// Its kind.
    pub kind: Kind,
    /// What happened, in a few words.
    pub text: String,
    source: Source,
}

/// The source of a moment.
#[derive(Clone, Debug)]
enum Source {
    Fault,
    Life,
    Observed(Observation),
    Fact(Fact),
}

/// Which moments are shown. An empty list selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of these nodes.
    pub nodes: Vec<String>,
    /// Only those of these partitions.
    pub partitions: Vec<TopicPartition>,
    /// Only these kinds; when empty, those that are [not of single records](Kind::is_of_records).
    pub kinds: Vec<Kind>,
    /// From when, up to when, both included.
    pub between: Option<(Time, Time)>,
    /// Only the story of this record.
    pub record: Option<RecordId>,
}

impl Filter {
    /// The moments of a story that this filter shows.
    pub fn apply(&self, mut moments: Vec<Moment>) -> Vec<Moment> {
        if let Some(record) = &self.record {
            moments = trace::of_record(record, moments);
        }
        moments.retain(|moment| self.shows(moment));
        moments
    }

    fn shows(&self, moment: &Moment) -> bool {
        let kind = if self.kinds.is_empty() {
            self.record.is_some() || !moment.kind.is_of_records()
        } else {
            self.kinds.contains(&moment.kind)
        };
        let node = self.nodes.is_empty()
            || self.nodes.iter().any(|name| moment.node.as_deref() == Some(name));
        let partition = self.partitions.is_empty()
            || moment.at.as_ref().is_some_and(|at| self.partitions.contains(at));
        let (from, to) = self.between.unwrap_or((Time::ZERO, Time::MAX));
        kind && node && partition && (from..=to).contains(&moment.time)
    }
}

/// Listens to a run, and sends every moment of it.
#[derive(Debug)]
pub struct Story {
    terms: Terms,
    to: Sender<Moment>,
}

impl Story {
    /// A story that sends to `to`, with the names in the run's `terms`.
    pub fn new(terms: Terms, to: Sender<Moment>) -> Self {
        Self { terms, to }
    }

    fn moment(&mut self, moment: Moment) {
        // A receiver that is gone misses the rest.
        let _ = self.to.send(moment);
    }

    fn injected(&mut self, time: Time, text: String, targets: &[NodeId]) {
        let node = match targets {
            [one] => self.name(*one),
            _ => None,
        };
        let (kind, source) = (Kind::Fault, Source::Fault);
        self.moment(Moment { time, node, at: None, kind, text, source });
    }

    fn name(&self, node: NodeId) -> Option<Arc<str>> {
        Some(self.terms.name(node))
    }

    fn broker(&self, id: BrokerId) -> Arc<str> {
        self.terms.broker(id)
    }
}

impl Reader for Story {
    fn observed(&mut self, _: &Model, time: Time, node: NodeId, observation: &Observation) {
        if let Some((kind, at, text)) = tell::observation(self, observation) {
            let (node, source) = (self.name(node), Source::Observed(observation.clone()));
            self.moment(Moment { time, node, at, kind, text, source });
        }
    }

    fn fault(&mut self, _: &Model, fired: &Fired, targets: &[NodeId]) {
        let verb = if fired.undoes { "fault undone" } else { "fault" };
        self.injected(fired.time, format!("{verb}: {}", fired.text), targets);
    }

    fn life(&mut self, _: &Model, time: Time, node: NodeId, life: Life) {
        let (node, text) = (self.name(node), life.to_string());
        let (kind, source) = (Kind::Process, Source::Life);
        self.moment(Moment { time, node, at: None, kind, text, source });
    }

    fn fact(&mut self, _: &Model, time: Time, fact: &Fact) {
        let (at, node, text) = tell::fact(self, fact);
        let (kind, source) = (Kind::Final, Source::Fact(fact.clone()));
        self.moment(Moment { time, node, at, kind, text, source });
    }
}

/// The lines of a story: time, node, partition, what.
pub fn story(moments: &[Moment], style: Style) -> String {
    page(style, |out, style| lines(out, moments, style))
}

fn lines(out: &mut String, moments: &[Moment], style: Style) -> fmt::Result {
    let node = |moment: &Moment| moment.node.as_deref().unwrap_or("-").to_owned();
    let at = |moment: &Moment| moment.at.as_ref().map_or_else(|| "-".into(), ToString::to_string);
    let width = |cell: &dyn Fn(&Moment) -> String| {
        moments.iter().map(|moment| cell(moment).chars().count()).max().unwrap_or(0)
    };
    let (nodes, partitions) = (width(&node), width(&at));
    for moment in moments {
        let time = style.paint(Paint::Faint, format!("{:>12}", format!("{:.6}", moment.time)));
        let text = match moment.kind {
            Kind::Fault => style.paint(Paint::Bad, &*moment.text).to_string(),
            Kind::Election | Kind::Truncation => {
                style.paint(Paint::Warning, &*moment.text).to_string()
            }
            _ => moment.text.clone(),
        };
        let (node, at) = (node(moment), at(moment));
        writeln!(out, "{time}  {node:<nodes$}  {at:<partitions$}  {text}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
