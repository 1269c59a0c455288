//! The judge: listens to a run, feeds every checker, and comes to a judgement.

use crate::checkers::checker::Checker;
use crate::checkers::clients::acknowledged_is_in_the_final_log;
use crate::checkers::judgement::{CommandSummary, ConsumerSummary, ProducerSummary};
use crate::checkers::{CHECKERS, Judgement};
use crate::history::{ClientObservation, Fact, Life, Observation, Subscriber};
use crate::model::Model;
use crate::model::happened::{Expectation, Expected, Happened};
use crate::model::ledger::FinalRecord;
use crate::model::{Fired, Terms, Timeline, Turn};
use crate::releases::unnoted;
use crate::vocab::{Happening, NodeId, Time};

/// Faults that are kept; more than a person plans, and a bound for what a machine draws.
const FAULTS_MAX: usize = 10_000;

/// All checkers of one run, and the model that they go by.
#[derive(Debug)]
pub struct Judge {
    model: Model,
    checkers: Vec<Box<dyn Checker>>,
    happened: Happened,
    timeline: Timeline,
    commands: Vec<CommandSummary>,
}

impl Judge {
    /// A judge that goes by `terms`.
    pub fn new(terms: Terms) -> Self {
        Self {
            checkers: CHECKERS.iter().map(|(_, checker)| checker()).collect(),
            happened: Happened::default(),
            timeline: Timeline::default(),
            commands: Vec::new(),
            model: Model::new(terms),
        }
    }

    /// The names and promises that it goes by.
    pub fn terms(&self) -> &Terms {
        &self.model.terms
    }

    /// Whether every operation that began has ended, so far.
    pub fn workload_is_complete(&self) -> bool {
        let accounts = self.model.ledger.accounts().iter();
        accounts.map(|account| account.invoked.len() - account.ended.len()).sum::<u64>() == 0
    }

    /// Comes to a judgement of a run that ended at `end`.
    pub fn finish(mut self, end: Time) -> Judgement {
        let producers = self.producers(end);
        self.count_what_the_final_log_shows(&producers, end);
        let terms = &self.model.terms;
        let expectation = |expected| {
            let happened = &self.happened;
            move |&happening: &Happening| Expectation {
                happening,
                expected,
                seen: happened.seen(happening),
            }
        };
        let happens = terms.expected.iter().map(expectation(Expected::Happens));
        let never = terms.never.iter().map(expectation(Expected::NeverHappens));
        let expectations = happens.chain(never).collect();
        let verdicts = self.checkers.iter().map(|checker| checker.judge(&self.model, end));
        Judgement {
            verdicts: verdicts.collect(),
            consumers: self.consumers(),
            producers,
            commands: self.commands,
            expectations,
            happened: self.happened.all().clone(),
            faults: self.model.faults,
            timeline: self.timeline,
        }
    }

    fn count_what_the_final_log_shows(&mut self, producers: &[ProducerSummary], end: Time) {
        for producer in producers {
            let happened = &mut self.happened;
            happened.add(Happening::RecordLost, end, producer.lost.unwrap_or(0));
            happened.add(Happening::RecordDuplicated, end, producer.duplicated);
            happened.add(Happening::RecordReordered, end, producer.reordered);
        }
    }

    fn producers(&self, end: Time) -> Vec<ProducerSummary> {
        let has_log = self.model.ledger.without_final_log().is_none();
        let accounts = self.model.ledger.accounts().iter().enumerate();
        let summary = accounts.map(|(producer, account)| ProducerSummary {
            name: account.name.clone(),
            acks: account.terms.acks,
            sent: account.invoked.len(),
            acknowledged: account.acknowledged(),
            unconfirmed: account.unconfirmed(),
            failed: account.failed,
            unknown: account.unknown,
            unended: account.unended().len(),
            lost: has_log.then(|| acknowledged_is_in_the_final_log::lost(account)),
            lost_unconfirmed: has_log
                .then(|| acknowledged_is_in_the_final_log::lost_unconfirmed(account)),
            duplicated: account.duplicated,
            reordered: self.model.order.reordered(producer),
            longest_gap: self.model.availability.longest(&self.model.ledger, producer, end),
        });
        summary.collect()
    }

    fn consumers(&self) -> Vec<ConsumerSummary> {
        let readers = self.model.reading.readers().iter();
        let summary = readers.map(|reader| ConsumerSummary {
            name: reader.name.clone(),
            read: reader.read,
            duplicates: reader.duplicates,
            skipped: reader.skipped.len(),
            behind: reader.behind.len(),
        });
        summary.collect()
    }
}

impl Judge {
    fn fired(&mut self, fired: Fired) {
        self.timeline.push(fired.time, Turn::Fault { text: fired.text.clone() });
        for checker in &mut self.checkers {
            checker.fault(&self.model, &fired);
        }
        if self.model.faults.len() < FAULTS_MAX {
            self.model.faults.push(fired);
        }
    }

    /// Keeps what an operator saw.
    fn command(&mut self, time: Time, node: NodeId, told: &ClientObservation) {
        let node = self.model.terms.name(node);
        match told {
            ClientObservation::CommandGiven { command } => {
                let command = command.clone();
                let output = Vec::new();
                self.commands.push(CommandSummary { node, time, ended: None, command, output });
            }
            ClientObservation::CommandPrinted { lines } => {
                let mut given = self.commands.iter_mut().rev();
                if let Some(given) = given.find(|given| given.node == node) {
                    (given.ended, given.output) = (Some(time), lines.clone());
                }
            }
            _ => {}
        }
    }

    fn final_record(&mut self, record: &FinalRecord<'_>) {
        let first = self.model.final_record(record);
        for checker in &mut self.checkers {
            checker.final_record(&self.model, record, first);
        }
    }
}

impl Judge {
    fn observe(&mut self, time: Time, node: NodeId, observation: &Observation) {
        let Self { model, checkers, .. } = self;
        match observation {
            Observation::Client(
                told @ (ClientObservation::CommandGiven { .. }
                | ClientObservation::CommandPrinted { .. }),
            ) => return self.command(time, node, told),
            Observation::Client(client) => {
                model.client(time, node, client);
                checkers.iter_mut().for_each(|checker| checker.client(model, time, node, client));
            }
            Observation::Broker(broker) => {
                model.broker(time, node, broker);
                checkers.iter_mut().for_each(|checker| checker.broker(model, time, node, broker));
            }
            Observation::ZooKeeper(server) => {
                model.zookeeper(time, node, server);
                let checkers = checkers.iter_mut();
                checkers.for_each(|checker| checker.zookeeper(model, time, node, server));
            }
            Observation::Session(told) => {
                model.sessions.observe(time, node, told, model.znodes.last());
                checkers.iter_mut().for_each(|checker| checker.session(model, time, node, told));
            }
        }
        self.happened.observe(time, node, observation);
        self.timeline.observe(&self.model.terms, time, node, observation);
    }
}

/// What a judge asks of a release is not what the run depended on, so it is not noted.
impl Subscriber for Judge {
    fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        unnoted(|| self.observe(time, node, observation));
    }

    fn fault(&mut self, time: Time, text: &str, _: &[NodeId]) {
        self.fired(Fired { time, text: text.into(), undoes: false });
    }

    fn undone(&mut self, time: Time, text: &str, _: &[NodeId]) {
        self.fired(Fired { time, text: text.into(), undoes: true });
    }

    fn life(&mut self, time: Time, node: NodeId, life: Life) {
        self.model.replicas.life(node, life);
        self.model.ending.life(&self.model.terms, time, node, life);
        self.model.known_limits.life(node, life);
        for checker in &mut self.checkers {
            checker.life(&self.model, time, node, life);
        }
        self.timeline.life(&self.model.terms, time, node, life);
    }

    fn fact(&mut self, _: Time, fact: &Fact) {
        unnoted(|| self.model.fact(fact));
        // Records of nobody that is judged are nobody's loss.
        if let Fact::FinalRecord { at, offset, producer, record } = fact
            && let Some(producer) = self.model.ledger.named(producer)
        {
            let (offset, record) = (*offset, *record);
            unnoted(|| self.final_record(&FinalRecord { at, offset, producer, record }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::PROPERTIES;
    use crate::checkers::testing::Story;
    use crate::history::Outcome;

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
        let mut judge = Judge::new(Story::default().terms);
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
        assert!(judge.workload_is_complete());
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
