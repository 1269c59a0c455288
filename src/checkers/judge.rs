//! The judge: reads a run beside its model, feeds every checker, and makes a judgement.

use crate::checkers::checker::Checker;
use crate::checkers::judgement::{ConsumerSummary, Latency, PartitionSummary, ProducerSummary};
use crate::checkers::{CHECKERS, Expectation, Judged, Judgement, Kind, Occurrence, Verdict};
use crate::history::{Fact, Life, Observation};
use crate::model::happened::Happened;
use crate::model::ledger::Producer;
use crate::model::{Fired, Model, Reader};
use crate::vocab::{Happening, NodeId, Time, TopicPartition};

/// All checkers of one run.
#[derive(Debug)]
pub struct Judge {
    checkers: Vec<Box<dyn Checker>>,
    /// The places of the checkers that read events of a kind.
    readers: Readers,
}

#[derive(Debug)]
struct Readers {
    client: Vec<usize>,
    broker: Vec<usize>,
    zookeeper: Vec<usize>,
    session: Vec<usize>,
}

impl Default for Judge {
    fn default() -> Self {
        let checkers: Vec<_> = CHECKERS.iter().map(|(_, checker)| checker()).collect();
        let of = |kind| {
            let readers = checkers.iter().enumerate();
            let readers = readers.filter(move |(_, checker)| checker.reads().contains(&kind));
            readers.map(|(place, _)| place).collect()
        };
        let readers = Readers {
            client: of(Kind::Client),
            broker: of(Kind::Broker),
            zookeeper: of(Kind::ZooKeeper),
            session: of(Kind::Session),
        };
        Self { checkers, readers }
    }
}

impl Judge {
    /// The judgement of a run that ended at `end` with this model.
    pub fn finish(self, mut model: Model, end: Time) -> Judgement {
        let producers = producers(&model, end);
        happened(&mut model.happened, &producers, end);
        let expectation = |expected| {
            let model = &model;
            move |&happening: &Happening| {
                let seen = model.happened.seen(happening);
                Expectation::judge(model, happening, expected, seen)
            }
        };
        let happens = model.terms.expected.iter().map(expectation(Occurrence::Happens));
        let never = model.terms.never.iter().map(expectation(Occurrence::NeverHappens));
        let counted = model.happened.wanted().iter();
        let counted = counted.map(|(wanted, seen)| Expectation::counted(&model, wanted, *seen));
        let expectations = happens.chain(never).chain(counted).collect();
        let verdicts = self.checkers.iter().map(|checker| checker.judge(&model, end));
        let verdicts = verdicts.map(|judged| looked_at(judged, &model)).collect();
        Judgement {
            verdicts,
            consumers: consumers(&model),
            producers,
            commands: model.commands.all().to_vec(),
            expectations,
            partitions: partitions(&model, end),
            happened: model.happened.all().clone(),
            not_followed: model.not_followed,
            faults: model.faults,
            timeline: model.timeline,
        }
    }
}

/// A verdict, with whether the property had anything to look at: where it should have had, it cannot be judged.
fn looked_at(judged: Judged, model: &Model) -> Judged {
    if judged.verdict != Verdict::Holds {
        return judged;
    }
    let subject = judged.property.looks_at;
    match subject.due_but_missing(model) {
        Some(why) => Judged { verdict: Verdict::Inconclusive(why), ..judged },
        None => Judged { nothing_to_judge: subject.missing(model), ..judged },
    }
}

/// What happened during the run, and what only its final log shows.
fn happened(happened: &mut Happened, producers: &[ProducerSummary], end: Time) {
    for producer in producers {
        happened.add(Happening::RecordLost, end, producer.lost.unwrap_or(0));
        happened.add(Happening::RecordDuplicated, end, producer.duplicated);
        happened.add(Happening::RecordReordered, end, producer.reordered);
    }
}

fn producers(model: &Model, end: Time) -> Vec<ProducerSummary> {
    let has_log = model.ledger.without_final_log().is_none();
    let accounts = model.ledger.accounts().iter().enumerate();
    let summary = accounts.map(|(producer, account)| ProducerSummary {
        name: account.name.clone(),
        is_external: account.terms.is_external,
        acks: account.terms.acks,
        sent: account.invoked.len(),
        acknowledged: account.acknowledged(),
        unconfirmed: account.unconfirmed(),
        failed: account.failed,
        unknown: account.unknown,
        unended: account.unended().len(),
        errors: account.errors.clone(),
        refused: account.refused.clone(),
        lost: has_log.then(|| account.lost()),
        lost_unconfirmed: has_log.then(|| account.lost_unconfirmed()),
        duplicated: account.duplicated,
        reordered: model.order.reordered(producer),
        // A client from outside may have had nothing to send.
        longest_gap: match account.terms.is_external {
            true => model.waits.longest(producer, end),
            false => model.availability.longest(&model.ledger, producer, end),
        },
        latency: latency(model, producer),
    });
    summary.collect()
}

fn latency(model: &Model, producer: Producer) -> Option<Latency> {
    let latencies = model.waits.latencies(producer)?;
    let of = |per_thousand| latencies.quantile(per_thousand);
    Some(Latency { p50: of(500)?, p99: of(990)?, max: of(1_000)? })
}

fn partitions(model: &Model, end: Time) -> Vec<PartitionSummary> {
    let all = model.waits.partitions(end);
    let summary = |(at, acknowledged, longest_gap): (&TopicPartition, _, _)| PartitionSummary {
        at: at.clone(),
        acknowledged,
        longest_gap,
    };
    all.map(summary).collect()
}

fn consumers(model: &Model) -> Vec<ConsumerSummary> {
    let readers = model.reading.readers().iter();
    let summary = readers.map(|reader| ConsumerSummary {
        name: reader.name.clone(),
        is_external: reader.is_external,
        refused: reader.refused.clone(),
        read: reader.read,
        duplicates: reader.duplicates,
        skipped: reader.skipped.count(),
        behind: reader.behind.count(),
    });
    summary.collect()
}

impl Reader for Judge {
    fn observed(&mut self, model: &Model, time: Time, node: NodeId, observation: &Observation) {
        let Self { checkers, readers } = self;
        match observation {
            Observation::Client(client) => {
                let readers = readers.client.iter();
                readers.for_each(|at| checkers[*at].client(model, time, node, client));
            }
            Observation::External(external) => {
                let (node, client) = (model.external_node(external), &external.observation);
                let readers = readers.client.iter();
                readers.for_each(|at| checkers[*at].client(model, time, node, client));
            }
            Observation::Broker(broker) => {
                readers
                    .broker
                    .iter()
                    .for_each(|at| checkers[*at].broker(model, time, node, broker));
            }
            Observation::ZooKeeper(server) => {
                let readers = readers.zookeeper.iter();
                readers.for_each(|at| checkers[*at].zookeeper(model, time, node, server));
            }
            Observation::Session(session) => {
                let readers = readers.session.iter();
                readers.for_each(|at| checkers[*at].session(model, time, node, session));
            }
        }
    }

    fn fault(&mut self, _: &Model, _: &Fired, _: &[NodeId]) {}

    fn life(&mut self, _: &Model, _: Time, _: NodeId, _: Life) {}

    fn fact(&mut self, _: &Model, _: Time, _: &Fact) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::PROPERTIES;
    use crate::checkers::testing::Story;
    use crate::history::{ClientObservation, Outcome, Subscriber};
    use crate::model::Modelled;

    #[test]
    fn every_property_is_judged_once_in_the_order_of_the_table() {
        let judgement = Story::default().judgement();
        let judged: Vec<_> = judgement.verdicts.iter().map(|judged| judged.property.name).collect();
        let listed: Vec<_> = PROPERTIES.iter().map(|property| property.name).collect();
        assert_eq!(judged, listed);
    }

    #[test]
    fn a_history_ten_times_as_long_takes_no_more_memory() {
        // What grows is the sets; in a history without gaps each is one run, however long.
        let mut judge = Modelled::new(Story::default().terms, Judge::default());
        let at = crate::vocab::TopicPartition::new("orders", 0);
        for record in 0..100_000 {
            let call = crate::history::Call::Produce { topic: "orders".into() };
            let outcome = Outcome::Produced { at: at.clone(), offset: record as i64 };
            let invoked = ClientObservation::Invoked { op: record, call };
            let completed = ClientObservation::Completed { op: record, outcome };
            for observation in [invoked, completed] {
                judge.observed(Time(record), Story::P0, &Observation::Client(observation));
            }
        }
        let account = &judge.model.ledger.accounts()[0];
        assert_eq!(account.acknowledged(), 100_000);
        let topic = &account.topics["orders"];
        for set in [&account.invoked, &account.ended, &topic.acknowledged] {
            assert_eq!(set.runs().count(), 1);
        }
        assert!(account.unended().is_empty());
    }

    #[test]
    fn nodes_and_producers_that_are_not_judged_are_ignored() {
        let mut story = Story::default();
        story.final_log(0..0).foreign_record(0, "stranger", 7).acknowledged_by(Story::B1, 3, 3);
        let judgement = story.judgement();
        assert_eq!(judgement.producers[0].sent, 0);
        assert_eq!(judgement.status(), crate::checkers::Status::Held);
    }
}
