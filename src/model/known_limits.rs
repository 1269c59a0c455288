//! What cannot come about in the end, however long one waits, as the simulated release has no way to it: each
//! excuse is shown by the history, and names its source.
//!
//! - A follower whose leader lost records with the power and led on in the same epoch has other records than it
//!   under that epoch. Once a batch of the leader spans the end of its log, what it is sent does not follow, and
//!   it gives the partition up until the next leader epoch (`UnexpectedAppendOffsetException`; marked as failed
//!   since 2.3, KIP-461; before, the fetcher ends, and with it all that it fetches).
//! - Before 2.2 a controller tells registrations apart by the broker's id alone. A broker whose session expires
//!   and that registers again before the controller looks was never away: nobody tells it what it leads and
//!   follows (KIP-380, KAFKA-7235).
//! - Before 2.1 a producer has no bound on how long it tries (`delivery.timeout.ms`, KIP-91): with many retries it
//!   waits for brokers that were stopped for good.
//! - Before 4.0 a client asks the live brokers of the last answer, and nobody else, for new ones (KIP-899).

use std::collections::BTreeMap;

use crate::history::{BrokerObservation, Life};
use crate::model::ledger::Producer;
use crate::model::replicas::{Partition, Replicas};
use crate::model::reported::ReportedState;
use crate::model::{Model, Terms};
use crate::releases::{Change, Truncation};
use crate::vocab::{Acks, BrokerId, NodeId, Offset, Time, TopicPartition};

/// A follower that fetches a partition no more.
#[derive(Clone, Copy, Debug)]
struct Failed {
    time: Time,
    leader: BrokerId,
    end: Offset,
    /// Whether the logs differ as the release lets them.
    explained: bool,
}

/// What the known_limits are made of.
#[derive(Clone, Debug, Default)]
pub struct KnownLimits {
    failed: BTreeMap<(NodeId, TopicPartition), Failed>,
    /// Fetchers that ended, by follower and leader, and whether that is explained.
    ended: BTreeMap<(NodeId, BrokerId), bool>,
    /// Logs that were shown to differ, and where they ended then: what lies far back cannot be compared later.
    parted: BTreeMap<(NodeId, TopicPartition), Offset>,
    /// Whom clients ask.
    asked: BTreeMap<NodeId, Vec<NodeId>>,
}

/// Whether a follower's log differs from its leader's as the release lets it: in records of one epoch, in which
/// somebody led on after it had lost its own with the power; before 2.1 (KIP-320) in any.
fn may_differ(terms: &Terms, partition: &Partition, node: NodeId, leader: BrokerId) -> bool {
    let own = partition.replicas.iter().find(|replica| replica.node == node);
    let Some(own) = own.and_then(|replica| replica.log) else { return false };
    let Some(theirs) = partition.replica(leader).and_then(|replica| replica.log) else {
        return false;
    };
    if terms.kafka.truncation() < Truncation::Kip320 {
        return partition.logs.common(own, theirs).end < own.end;
    }
    partition.part_in_reused_epoch(terms.kafka, own, theirs)
}

impl KnownLimits {
    /// Folds in what a broker told.
    pub fn broker(
        &mut self,
        terms: &Terms,
        replicas: &Replicas,
        (time, node): (Time, NodeId),
        told: &BrokerObservation,
    ) {
        match told {
            BrokerObservation::FetchingFailed { at, leader, end, refused } => {
                let place = (node, at.clone());
                let explained = if at == refused {
                    let partition = replicas.find(at);
                    let differs = partition.is_some_and(|p| may_differ(terms, p, node, *leader));
                    let explained = differs || self.parted.get(&place) == Some(end);
                    if explained {
                        self.parted.insert(place.clone(), *end);
                    }
                    self.ended.insert((node, *leader), explained);
                    explained
                } else {
                    self.ended.get(&(node, *leader)).copied().unwrap_or(false)
                };
                let failed = Failed { time, leader: *leader, end: *end, explained };
                self.failed.insert(place, failed);
            }
            BrokerObservation::BecameLeader { at, .. } if !self.failed.is_empty() => {
                self.failed.remove(&(node, at.clone()));
            }
            BrokerObservation::BecameFollower { at, leader, .. } if !self.failed.is_empty() => {
                let place = (node, at.clone());
                let same = self.failed.get(&place).is_some_and(|f| Some(f.leader) == *leader);
                // Before 2.1 a follower of the same leader goes on as it was (KAFKA-6880).
                if !same || terms.kafka.has(Change::FollowerRestartsInNewEpoch) {
                    self.failed.remove(&place);
                }
            }
            _ => {}
        }
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, node: NodeId, life: Life) {
        if life == Life::Started {
            self.failed.retain(|(other, _), _| *other != node);
            self.ended.retain(|(other, _), _| *other != node);
        }
    }

    /// Folds in whom a client asks from now on.
    pub fn learned(&mut self, client: NodeId, nodes: &[NodeId]) {
        self.asked.insert(client, nodes.to_vec());
    }
}

impl Model {
    /// Why the controller does not know that a broker restarted: before 2.2 it never will.
    pub fn unnoticed(&self, broker: BrokerId) -> Option<String> {
        let node = self.terms.node_of(broker)?;
        let (known, own) = self.brokers.missed_registration(node, broker)?;
        (!self.terms.kafka.has(Change::BrokerEpochs)).then(|| {
            format!(
                "the controller takes {}, registered at {own}, for the one of {known} (KIP-380)",
                self.terms.name(node)
            )
        })
    }

    /// Why a replica whose broker runs cannot join the in-sync replicas before the next leader epoch.
    pub fn stays_out(&self, at: &TopicPartition, broker: BrokerId) -> Option<String> {
        let node = self.terms.node_of(broker)?;
        let failed = self.known_limits.failed.get(&(node, at.clone()));
        let failed = failed.filter(|failed| failed.explained).map(|failed| {
            let (name, leader) = (self.terms.name(node), self.terms.broker(failed.leader));
            let Failed { time, end, .. } = failed;
            format!(
                "{name} fetches no more since {time:.3}: what {leader} sends does not follow on \
                 its log, which ends at {end} (KIP-461)"
            )
        });
        failed.or_else(|| self.unnoticed(broker))
    }

    /// Why a leader changes the in-sync replicas no more: its controller denied a change that was written.
    pub fn denied(&self, at: &TopicPartition) -> Option<String> {
        let since = self.reported.of(at)?.denied()?;
        Some(format!("its controller wrote that change twice, and denied it at {since:.3}"))
    }

    /// Why all replicas that are missing from the in-sync replicas stay out; `None` when one may yet join.
    fn nobody_joins(&self, at: &TopicPartition, state: &ReportedState) -> Option<String> {
        let mut missing = self.assignment(at).iter().filter(|id| !state.isr.contains(id));
        let stays = |id: &BrokerId| !self.runs(*id) || self.stays_out(at, *id).is_some();
        missing.all(stays).then(|| {
            let isr = self.terms.broker_names(&state.isr).join(" ");
            format!("no replica can join {isr} in the in-sync replicas of {at}")
        })
    }

    /// Why a partition takes no record of a producer, and never will.
    fn takes_nothing(&self, at: &TopicPartition, acks: Acks) -> Option<String> {
        let state = self.reported.of(at)?;
        if state.leader.is_none() && state.is_isr_down(|id| self.runs(id)) {
            return Some(format!("no in-sync replica of {at} runs"));
        }
        if let Some(why) = state.leader.and_then(|leader| self.unnoticed(leader)) {
            return Some(why);
        }
        let least = self.terms.topic(&at.topic)?.min_insync_replicas as usize;
        if acks != Acks::All || state.isr.len() >= least {
            return None;
        }
        self.nobody_joins(at, state)
    }

    /// Why a producer's operations need not end, though nothing holds them up but the cluster.
    pub fn never_ends(&self, producer: Producer) -> Option<String> {
        let account = &self.ledger.accounts()[producer].terms;
        if self.terms.kafka.has(Change::DeliveryTimeout) {
            return None;
        }
        let partitions = self.partitions().filter(|at| at.topic == account.topic);
        let mut stuck = partitions.filter_map(|at| self.takes_nothing(&at, account.acks));
        stuck.next().or_else(|| self.asks_nobody(account.node))
    }

    /// Why a client does not learn of other brokers any more.
    pub fn asks_nobody(&self, client: NodeId) -> Option<String> {
        let asked = self.known_limits.asked.get(&client)?;
        let nobody = !asked.is_empty() && !asked.iter().any(|node| self.lives.runs(*node));
        nobody.then(|| {
            let names: Vec<_> = asked.iter().map(|node| self.terms.name(*node)).collect();
            let name = self.terms.name(client);
            format!("{name} knows only {}, of which none runs (KIP-899)", names.join(" "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::liveness::consumers_catch_up;
    use crate::checkers::liveness::partitions_are_led;
    use crate::checkers::liveness::replicas_converge;
    use crate::checkers::liveness::workload_completes;
    use crate::checkers::testing::{Story, leading, replica};
    use crate::checkers::{Property, Verdict};
    use crate::history::{ClientObservation, Observation};
    use crate::model::Permission;

    fn at() -> TopicPartition {
        TopicPartition::new("orders", 0)
    }

    fn release(story: &mut Story, text: &str) {
        story.terms.kafka = text.parse().expect("a version");
    }

    /// What is said of a property that does not hold.
    fn permission(story: &Story, property: &Property) -> Permission {
        let judgement = story.judgement();
        assert!(matches!(judgement.verdict(property), Verdict::Violated(_)), "{}", property.name);
        judgement.judged(property).permission
    }

    /// b1 leads epoch 0 with b2 in sync; b1 lost its second record, and has written another in its place.
    /// b2 has `records` of the former log, and gave up.
    fn leads_on_after_a_loss(text: &str) -> Story {
        let mut story = Story::replicated();
        release(&mut story, text);
        story.elected(1, 0, &[1, 2, 3], crate::history::Election::New);
        for offset in 0..3 {
            story.appended(1, offset, 0).appended(2, offset, 0);
        }
        story.loaded(1, 1).became_leader(1, 0, 1);
        let spanning = BrokerObservation::Appended {
            at: at(),
            base: 1,
            last: 4,
            leader_epoch: 0,
            checksum: 9,
        };
        story.told_by(1, spanning).isr_changed(&[1, 2, 3], &[1, 3]).final_replica(2, replica(3, 0));
        story
    }

    fn failed(story: &mut Story, refused: &str) {
        let (leader, end, refused) = (BrokerId(1), 3, TopicPartition::new(refused, 0));
        story.told_by(2, BrokerObservation::FetchingFailed { at: at(), leader, end, refused });
    }

    #[test]
    fn a_follower_with_other_records_of_the_same_epoch_need_not_come_back() {
        let property = &replicas_converge::PROPERTY;
        for text in ["1.0", "2.1", "3.9"] {
            let mut story = leads_on_after_a_loss(text);
            assert_eq!(permission(&story, property), Permission::Forbidden, "{text}: gave up?");
            failed(&mut story, "orders");
            assert_eq!(permission(&story, property), Permission::Permitted, "{text}");
            story.became_follower(2, 1, 1);
            let stays = if text == "1.0" { Permission::Permitted } else { Permission::Forbidden };
            assert_eq!(permission(&story, property), stays, "{text}: a new epoch of b1");
            story.life(2, Life::Started);
            assert_eq!(permission(&story, property), Permission::Forbidden, "{text}: begins anew");
        }
    }

    #[test]
    fn a_follower_that_gives_up_a_log_that_matches_has_no_excuse() {
        for text in ["1.0", "3.9"] {
            let mut story = Story::replicated();
            release(&mut story, text);
            story.elected(1, 0, &[1, 3], crate::history::Election::New);
            story.appended(1, 0, 0).appended(2, 0, 0).appended(1, 1, 0);
            failed(&mut story, "orders");
            let property = &replicas_converge::PROPERTY;
            assert_eq!(permission(&story, property), Permission::Forbidden, "{text}");
        }
    }

    #[test]
    fn a_fetcher_that_ended_excuses_its_other_partitions_as_far_as_that_is_explained() {
        let property = &replicas_converge::PROPERTY;
        let mut story = leads_on_after_a_loss("1.0");
        failed(&mut story, "payments");
        assert_eq!(permission(&story, property), Permission::Forbidden, "nothing is known of it");
        failed(&mut story, "orders");
        failed(&mut story, "payments");
        assert_eq!(permission(&story, property), Permission::Permitted);
    }

    /// The controller knows b2 by its first registration.
    fn bounced(text: &str) -> Story {
        let mut story = Story::default();
        release(&mut story, text);
        let brokers = [1, 2, 3].map(|id| (BrokerId(id), i64::from(id))).to_vec();
        story.created(&[2, 1, 3]).registered(2, 2);
        story.told_by(1, BrokerObservation::BrokersKnown { epoch: 1, brokers });
        story.elected(2, 0, &[1, 3], crate::history::Election::New);
        story.life(2, Life::Crashed).life(2, Life::Started).registered(2, 9);
        story.final_replica(2, replica(3, 0));
        story
    }

    #[test]
    fn a_restart_that_the_controller_did_not_see_is_an_excuse_before_2_2() {
        for property in [&replicas_converge::PROPERTY, &partitions_are_led::PROPERTY] {
            assert_eq!(permission(&bounced("2.1"), property), Permission::Permitted);
            assert_eq!(permission(&bounced("2.2"), property), Permission::Forbidden);
            let mut seen = bounced("2.1");
            let brokers = vec![(BrokerId(2), 9)];
            seen.told_by(1, BrokerObservation::BrokersKnown { epoch: 1, brokers });
            assert_eq!(permission(&seen, property), Permission::Forbidden, "it was seen");
            let brokers = vec![(BrokerId(2), 2)];
            seen.told_by(3, BrokerObservation::BrokersKnown { epoch: 0, brokers });
            assert_eq!(permission(&seen, property), Permission::Forbidden, "an old controller");
        }
    }

    #[test]
    fn what_too_few_replicas_keep_waiting_need_not_end_before_2_1() {
        let property = &workload_completes::PROPERTY;
        let stuck = |text: &str| {
            let mut story = Story::default();
            release(&mut story, text);
            story.created(&[1, 2]).elected(1, 0, &[1], crate::history::Election::Offline).sent(0);
            story
        };
        let mut story = stuck("2.0");
        assert_eq!(permission(&story, property), Permission::Forbidden, "b2 may join");
        story.life(2, Life::Exited);
        assert_eq!(permission(&story, property), Permission::Permitted);
        story.terms.producers[0].acks = Acks::Leader;
        assert_eq!(permission(&story, property), Permission::Forbidden, "one is enough");
        let mut story = stuck("2.1");
        story.life(2, Life::Exited);
        assert_eq!(permission(&story, property), Permission::Forbidden, "delivery.timeout.ms");
    }

    #[test]
    fn a_client_that_knows_only_stopped_brokers_is_not_waited_for() {
        let mut story = Story::default();
        let learned = ClientObservation::BrokersLearned { nodes: vec![NodeId(1), NodeId(2)] };
        story.told_by_node(Story::C0, Observation::Client(learned));
        story.final_log(0..0).final_replica(1, leading(5, 5, &[1])).position(Some(3));
        story.life(2, Life::Exited);
        let property = &consumers_catch_up::PROPERTY;
        assert_eq!(permission(&story, property), Permission::Forbidden, "b3 runs");
        story.life(3, Life::Exited);
        assert_eq!(permission(&story, property), Permission::Permitted);
    }
}
