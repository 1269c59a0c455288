//! A rebalance: who is in the group, what each gets, and how a member takes its share (`ZKRebalancerListener`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tracing::{debug, info};

use super::asks::Ask;
use super::registry::{Wants, partitions, ranges, threads, wanted};
use super::{Phase, ZookeeperConsumer};
use crate::nodes::Effects;
use crate::vocab::{Clock, Offset, TopicPartition};
use crate::wire::zookeeper::{Code, Reply};

/// What one try of a rebalance has read.
#[derive(Debug, Default)]
pub(super) struct View {
    brokers: usize,
    /// The data of each registration.
    registrations: BTreeMap<Arc<str>, Bytes>,
    topics: Vec<Arc<str>>,
    partitions: BTreeMap<Arc<str>, Vec<i32>>,
    /// What it gets, with the offset that is read next, if the group has committed one.
    share: BTreeMap<TopicPartition, Option<Offset>>,
    /// What it has claimed.
    claimed: Vec<TopicPartition>,
    /// Whether something was not there, or belonged to another.
    has_failed: bool,
}

impl View {
    /// The members with what they want, by their ids; `None` when a registration cannot be read.
    fn members(&self) -> Option<Vec<(Arc<str>, Wants)>> {
        let members = self.registrations.iter();
        members.map(|(id, data)| Some((id.clone(), wanted(data, &self.topics)?))).collect()
    }

    /// The topics that a member wants.
    fn wanted_topics(&self) -> Vec<Arc<str>> {
        let mut topics: Vec<Arc<str>> = Vec::new();
        for (_, wants) in self.members().unwrap_or_default() {
            topics.extend(wants.into_iter().map(|(topic, _)| topic));
        }
        topics.sort();
        topics.dedup();
        topics
    }

    /// What the member with the thread `own` gets.
    fn share_of(&self, own: &str) -> Vec<TopicPartition> {
        let members = self.members().unwrap_or_default();
        let mut share = Vec::new();
        for (topic, partitions) in &self.partitions {
            let runs = ranges(partitions, &threads(&members, topic));
            let mine = runs.into_iter().filter(|(_, thread)| thread == own);
            share.extend(mine.map(|(index, _)| TopicPartition::new(topic.clone(), index)));
        }
        share
    }
}

impl ZookeeperConsumer {
    /// Takes the next step when nothing is under way. Whether it took one.
    pub(super) fn advance(&mut self, clock: Clock, effects: &mut Effects) -> bool {
        match self.phase {
            Phase::Settled if self.is_triggered => self.begin_rebalance(clock, effects),
            Phase::Waiting(until) if until <= clock.now => self.try_again(clock, effects),
            Phase::New | Phase::Settled | Phase::Waiting(_) | Phase::Closing => return false,
            Phase::Registering => self.begin_rebalance(clock, effects),
            Phase::Committing => self.release(clock, effects),
            Phase::Releasing => self.read_group(clock, effects),
            Phase::Reading => self.read_topics(clock, effects),
            Phase::Positioning => self.claim(clock, effects),
            Phase::Claiming => self.end_try(clock, effects),
            Phase::Yielding => self.fail(clock),
            Phase::Leaving => {
                self.phase = Phase::Closing;
                self.session.close(clock, effects);
                self.digest(clock, effects);
            }
        }
        true
    }

    fn begin_rebalance(&mut self, clock: Clock, effects: &mut Effects) {
        self.is_triggered = false;
        self.failures = 0;
        self.try_again(clock, effects);
    }

    /// One of `rebalance.max.retries` tries: it reads no more, and commits how far it has come.
    fn try_again(&mut self, clock: Clock, effects: &mut Effects) {
        debug!(id = %self.id, failures = self.failures, "a rebalance begins");
        self.phase = Phase::Committing;
        self.commit(clock, effects);
        self.reader.unassign_all();
    }

    fn release(&mut self, clock: Clock, effects: &mut Effects) {
        self.phase = Phase::Releasing;
        for at in std::mem::take(&mut self.owned) {
            self.ask(clock, Ask::Release(at), effects);
        }
    }

    fn read_group(&mut self, clock: Clock, effects: &mut Effects) {
        self.phase = Phase::Reading;
        self.view = View::default();
        for ask in [Ask::Brokers(false), Ask::Topics, Ask::Ids] {
            self.ask(clock, ask, effects);
        }
    }

    /// The members are known: of their topics it reads the partitions, and then the offsets of its share.
    fn read_topics(&mut self, clock: Clock, effects: &mut Effects) {
        if self.view.has_failed || self.view.members().is_none() {
            return self.fail(clock);
        }
        if self.view.brokers == 0 {
            info!(id = %self.id, "no brokers found when trying to rebalance");
            self.phase = Phase::Settled;
            return self.ask(clock, Ask::Brokers(true), effects);
        }
        let unread: Vec<Arc<str>> = self.view.wanted_topics();
        let unread = unread.into_iter().filter(|topic| !self.view.partitions.contains_key(topic));
        for topic in unread.collect::<Vec<_>>() {
            self.ask(clock, Ask::Topic(topic), effects);
        }
        if self.asked.values().any(|ask| matches!(ask, Ask::Topic(_))) {
            return;
        }
        self.phase = Phase::Positioning;
        for at in self.view.share_of(&self.own(clock).thread()) {
            self.view.share.insert(at.clone(), None);
            self.ask(clock, Ask::Offset(at), effects);
        }
    }

    fn claim(&mut self, clock: Clock, effects: &mut Effects) {
        self.phase = Phase::Claiming;
        for at in self.view.share.keys().cloned().collect::<Vec<_>>() {
            self.ask(clock, Ask::Claim(at), effects);
        }
    }

    fn end_try(&mut self, clock: Clock, effects: &mut Effects) {
        if self.view.has_failed {
            self.phase = Phase::Yielding;
            for at in std::mem::take(&mut self.view.claimed) {
                self.ask(clock, Ask::Release(at), effects);
            }
            return;
        }
        info!(id = %self.id, partitions = self.view.share.len(), "a rebalance has succeeded");
        self.phase = Phase::Settled;
        self.committed.clear();
        for (at, offset) in std::mem::take(&mut self.view.share) {
            self.reader.assign(&at, offset, effects);
            self.committed.extend(offset.map(|offset| (at.clone(), offset)));
            self.owned.insert(at);
        }
        self.reader.go_on(clock, effects);
    }

    /// This try has failed: it waits for the next one, or for the next change.
    fn fail(&mut self, clock: Clock) {
        self.failures += 1;
        debug!(id = %self.id, failures = self.failures, "the rebalance failed");
        self.phase = if self.failures < self.config.rebalance_max_retries {
            Phase::Waiting(clock.now + self.config.rebalance_backoff)
        } else {
            info!(id = %self.id, "it cannot rebalance, and waits for the next change");
            Phase::Settled
        };
    }

    /// An answer of ZooKeeper.
    pub(super) fn read(
        &mut self,
        clock: Clock,
        ask: Ask,
        result: Result<Reply, Code>,
        effects: &mut Effects,
    ) {
        match (ask, result) {
            (Ask::Commit(at, offset), Err(Code::NO_NODE)) => {
                self.create(clock, Ask::FirstCommit(at, offset), effects);
            }
            (ask @ (Ask::Register | Ask::Claim(_)), Err(Code::NO_NODE)) => {
                self.create(clock, ask, effects);
            }
            (Ask::Register, Err(Code::NODE_EXISTS)) => {
                self.ask(clock, Ask::OwnRegistration, effects);
            }
            (Ask::FirstCommit(at, offset), Err(Code::NODE_EXISTS)) => {
                self.ask(clock, Ask::Commit(at, offset), effects);
            }
            (Ask::Claim(at), Err(Code::NODE_EXISTS)) => self.ask(clock, Ask::Owner(at), effects),
            (Ask::Claim(at), Ok(_)) => self.view.claimed.push(at),
            // The claim was heard although its answer was lost.
            (Ask::Owner(at), Ok(Reply::Data { data, .. })) => {
                let own = self.own(clock).thread();
                match data.as_deref() == Some(own.as_bytes()) {
                    true => self.view.claimed.push(at),
                    false => self.view.has_failed = true,
                }
            }
            (Ask::Brokers(_), Ok(Reply::Children(ids))) => self.view.brokers = ids.len(),
            (Ask::Topics, Ok(Reply::Children(topics))) => self.view.topics = topics,
            (Ask::Ids, Ok(Reply::Children(members))) => {
                for member in members {
                    self.ask(clock, Ask::Registration(member), effects);
                }
            }
            (Ask::Registration(member), Ok(Reply::Data { data, .. })) => {
                self.view.registrations.insert(member, data.unwrap_or_default());
            }
            (Ask::Topic(topic), Ok(Reply::Data { data, .. })) => {
                let partitions = partitions(&data.unwrap_or_default());
                self.view.has_failed |= partitions.is_none();
                self.view.partitions.insert(topic, partitions.unwrap_or_default());
            }
            (Ask::Offset(at), Ok(Reply::Data { data, .. })) => {
                let text = data.as_deref().and_then(|data| std::str::from_utf8(data).ok());
                self.view.share.insert(at, text.and_then(|text| text.parse().ok()));
            }
            (Ask::Ids | Ask::Registration(_) | Ask::Topic(_) | Ask::Owner(_), Err(_)) => {
                self.view.has_failed = true;
            }
            // Of an offset that nobody has committed, of what is deleted already, of a parent that is there.
            _ => {}
        }
    }

    /// Creates a znode once more, after those above it.
    fn create(&mut self, clock: Clock, ask: Ask, effects: &mut Effects) {
        let path = self.own(clock).path(&ask);
        for parent in super::registry::parents(&path) {
            self.ask(clock, Ask::Parent(parent), effects);
        }
        self.ask(clock, ask, effects);
    }
}
