//! The judge: listens to a run, feeds every checker, and comes to a judgement.

use super::availability::{self, Availability};
use super::happened::{Expectation, Expected, Happened};
use super::judgement::{ConsumerSummary, Judged, ProducerSummary};
use super::ledger::{FinalRecord, Ledger};
use super::no_duplicates::{self, NoDuplicates};
use super::one_leader_per_epoch::{self, OneLeaderPerEpoch};
use super::order::{self, Order};
use super::reading::Reading;
use super::replicas_converge::{self, ReplicasConverge};
use super::{
    AckWindow, Fired, Judgement, Permission, Property, Reign, Terms, Timeline, Turn, Verdict,
    acknowledged_is_in_the_final_log, acknowledged_is_read, consumers_catch_up, ends_once,
    leader_in_isr, read_is_in_the_final_log, workload_completes,
};
use crate::history::Subscriber;
use crate::history::{BrokerObservation, ClientObservation, Fact, Life, Observation, Outcome};
use crate::vocab::{Happening, NodeId, Time};

/// Faults that are kept; more than a person plans, and a bound for what a machine draws.
const FAULTS_MAX: usize = 10_000;

/// All checkers of one run.
#[derive(Clone, Debug)]
pub struct Judge {
    terms: Terms,
    ledger: Ledger,
    window: AckWindow,
    reading: Reading,
    no_duplicates: NoDuplicates,
    order: Order,
    availability: Availability,
    one_leader_per_epoch: OneLeaderPerEpoch,
    leader_in_isr: leader_in_isr::LeaderInIsr,
    replicas: ReplicasConverge,
    happened: Happened,
    faults: Vec<Fired>,
    timeline: Timeline,
}

impl Judge {
    /// A judge that goes by `terms`.
    pub fn new(terms: Terms) -> Self {
        let ledger = Ledger::new(&terms);
        Self {
            window: AckWindow::default(),
            reading: Reading::new(&terms),
            no_duplicates: NoDuplicates::default(),
            order: Order::default(),
            availability: Availability::new(&ledger),
            one_leader_per_epoch: OneLeaderPerEpoch::default(),
            leader_in_isr: leader_in_isr::LeaderInIsr::default(),
            replicas: ReplicasConverge::default(),
            happened: Happened::default(),
            faults: Vec::new(),
            timeline: Timeline::default(),
            ledger,
            terms,
        }
    }

    /// The names and promises that it goes by.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether every operation that began has ended, so far.
    pub fn workload_is_complete(&self) -> bool {
        let accounts = self.ledger.accounts().iter();
        accounts.map(|account| account.invoked.len() - account.ended.len()).sum::<u64>() == 0
    }

    /// Whether every partition has a leader and all of its replicas in sync, so far.
    pub fn replicas_have_converged(&self) -> bool {
        self.replicas.first_not_converged().is_none()
    }

    fn client(&mut self, time: Time, node: NodeId, observation: &ClientObservation) {
        if let Some(producer) = self.ledger.at_node(node) {
            match observation {
                ClientObservation::Invoked { .. } => self.availability.invoked(time, producer),
                ClientObservation::Completed { op, outcome: Outcome::Produced { at, offset } } => {
                    self.availability.acknowledged(time, producer);
                    if *offset >= 0 {
                        self.window.acknowledged(time, producer, *op, at, *offset);
                    }
                }
                _ => {}
            }
            self.ledger.observe(time, node, observation);
        }
        self.reading.observe(&self.ledger, node, observation);
    }

    fn broker(&mut self, time: Time, node: NodeId, observation: &BrokerObservation) {
        self.replicas.observe(observation);
        match observation {
            BrokerObservation::BecameLeader { at, leader_epoch, start, .. } => {
                let (leader_epoch, start) = (*leader_epoch, *start);
                let reign = Reign { time, leader: node, leader_epoch, start };
                self.window.became_leader(at, reign);
                let checker = &mut self.one_leader_per_epoch;
                checker.became_leader(&self.terms, time, node, at, leader_epoch);
            }
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } => {
                let elected = (*leader, *leader_epoch);
                self.leader_in_isr.elected(&self.terms, time, at, elected, isr);
            }
            _ => {}
        }
    }

    fn final_record(&mut self, record: &FinalRecord<'_>) {
        self.reading.final_record(&self.ledger, record);
        if self.ledger.final_record(record.at, record.producer, record.record) {
            self.order.first_copy(&self.ledger, record);
        } else {
            self.no_duplicates.copy(&self.ledger, record);
        }
    }

    /// Comes to a judgement of a run that ended at `end`.
    pub fn finish(mut self, end: Time) -> Judgement {
        let producers = self.producers(end);
        self.count_what_the_final_log_shows(&producers, end);
        let expectation = |expected| {
            let happened = &self.happened;
            move |&happening: &Happening| Expectation {
                happening,
                expected,
                seen: happened.seen(happening),
            }
        };
        let happens = self.terms.expected.iter().map(expectation(Expected::Happens));
        let never = self.terms.never.iter().map(expectation(Expected::NeverHappens));
        let expectations = happens.chain(never).collect();
        Judgement {
            verdicts: self.verdicts(end),
            consumers: self.consumers(),
            producers,
            expectations,
            happened: self.happened.all().clone(),
            faults: self.faults,
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

    fn verdicts(&self, end: Time) -> Vec<Judged> {
        let Self { terms, ledger, reading, .. } = self;
        let forbidden = |property: &'static Property, verdict: Verdict| Judged {
            property,
            permission: Permission::Forbidden,
            verdict,
        };
        let loss = |property: &'static Property, verdict: Verdict| Judged {
            property,
            permission: terms.acknowledged_loss,
            verdict,
        };
        let given = |property: &'static Property, (permission, verdict): (Permission, Verdict)| {
            Judged { property, permission, verdict }
        };
        let in_final_log =
            acknowledged_is_in_the_final_log::judge(terms, ledger, &self.window, &self.faults);
        let available = self.availability.judge(terms, ledger, end);
        vec![
            loss(&acknowledged_is_in_the_final_log::PROPERTY, in_final_log),
            loss(&acknowledged_is_read::PROPERTY, acknowledged_is_read::judge(ledger, reading)),
            loss(
                &read_is_in_the_final_log::PROPERTY,
                read_is_in_the_final_log::judge(ledger, reading),
            ),
            given(&no_duplicates::PROPERTY, self.no_duplicates.judge(ledger)),
            given(&order::PROPERTY, self.order.judge(ledger)),
            forbidden(&one_leader_per_epoch::PROPERTY, self.one_leader_per_epoch.judge()),
            forbidden(&leader_in_isr::PROPERTY, self.leader_in_isr.judge()),
            forbidden(&ends_once::PROPERTY, ends_once::judge(ledger)),
            forbidden(&workload_completes::PROPERTY, workload_completes::judge(ledger)),
            forbidden(&replicas_converge::PROPERTY, self.replicas.judge(terms)),
            forbidden(&consumers_catch_up::PROPERTY, consumers_catch_up::judge(ledger, reading)),
            forbidden(&availability::PROPERTY, available),
        ]
    }

    fn producers(&self, end: Time) -> Vec<ProducerSummary> {
        let has_log = self.ledger.without_final_log().is_none();
        let accounts = self.ledger.accounts().iter().enumerate();
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
            reordered: self.order.reordered(producer),
            longest_gap: self.availability.longest(&self.ledger, producer, end),
        });
        summary.collect()
    }

    fn consumers(&self) -> Vec<ConsumerSummary> {
        let readers = self.reading.readers().iter();
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
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fired);
        }
    }
}

impl Subscriber for Judge {
    fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        match observation {
            Observation::Client(client) => self.client(time, node, client),
            Observation::Broker(broker) => self.broker(time, node, broker),
            Observation::Coordinator(_) => {}
        }
        self.happened.observe(time, node, observation);
        self.timeline.observe(&self.terms, time, node, observation);
    }

    fn fault(&mut self, time: Time, text: &str, _: &[NodeId]) {
        self.fired(Fired { time, text: text.into(), undoes: false });
    }

    fn undone(&mut self, time: Time, text: &str, _: &[NodeId]) {
        self.fired(Fired { time, text: text.into(), undoes: true });
    }

    fn life(&mut self, time: Time, node: NodeId, life: Life) {
        self.timeline.life(&self.terms, time, node, life);
    }

    fn fact(&mut self, _: Time, fact: &Fact) {
        match fact {
            Fact::FinalLog { at, leader, .. } => self.ledger.final_log(at, *leader),
            Fact::FinalRecord { at, offset, producer, record } => {
                // Records of nobody that is judged are nobody's loss.
                if let Some(producer) = self.ledger.named(producer) {
                    let (offset, record) = (*offset, *record);
                    self.final_record(&FinalRecord { at, offset, producer, record });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::PROPERTIES;
    use crate::checkers::testing::Story;

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
        let account = &judge.ledger.accounts()[0];
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
