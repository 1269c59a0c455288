//! What happened, and how often.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::history::{
    BrokerObservation, ClientObservation, Election, Observation, Outcome, ZooKeeperObservation,
};
use crate::vocab::{BrokerId, Happening, NodeId, Time, TopicPartition, Wanted};

/// How often something happened, and when first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// When first; the end of the run for what only the final log shows.
    #[serde(rename = "first_ns")]
    pub first: Time,
}

/// Counts what happens.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    seen: BTreeMap<Happening, Seen>,
    had_controller: bool,
    had_zookeeper: bool,
    registered: BTreeSet<NodeId>,
    /// What a scenario limits, and what of it happened.
    wanted: Vec<(Wanted, Option<Seen>)>,
    /// The in-sync replicas of each partition, as last written.
    in_sync: BTreeMap<TopicPartition, Vec<BrokerId>>,
}

impl Happened {
    /// Nothing happened yet; `wanted` is counted apart.
    pub fn new(wanted: &[Wanted]) -> Self {
        let wanted = wanted.iter().map(|wanted| (wanted.clone(), None)).collect();
        Self { wanted, ..Self::default() }
    }

    /// What a scenario limits, and what of it happened.
    pub fn wanted(&self) -> &[(Wanted, Option<Seen>)] {
        &self.wanted
    }

    /// Counts what a node observed.
    pub fn observe(&mut self, time: Time, node: NodeId, observation: &Observation) {
        match observation {
            Observation::Client(client) => self.client(time, client),
            Observation::External(external) => self.client(time, &external.observation),
            Observation::Broker(broker) => self.broker(time, node, broker),
            Observation::ZooKeeper(ZooKeeperObservation::Leading { .. }) => {
                let again = std::mem::replace(&mut self.had_zookeeper, true);
                self.add(Happening::ZooKeeperLeaderChanged, time, u64::from(again));
            }
            // Of sessions, brokers' own are meant; brokers report them themselves.
            Observation::ZooKeeper(ZooKeeperObservation::SnapshotRead { .. }) => {
                self.add(Happening::ZooKeeperSnapshotRead, time, 1);
            }
            Observation::ZooKeeper(_) | Observation::Session(_) => {}
        }
    }

    fn client(&mut self, time: Time, observation: &ClientObservation) {
        match observation {
            ClientObservation::Completed { outcome: Outcome::Failed { .. }, .. } => {
                self.add(Happening::OperationFailed, time, 1);
            }
            ClientObservation::Completed { outcome: Outcome::Unknown { .. }, .. } => {
                self.add(Happening::OperationUnknown, time, 1);
            }
            ClientObservation::PositionReset { at, from: Some(_), .. } => {
                self.add_in(Some(at), Happening::PositionReset, time, 1);
            }
            ClientObservation::Refused { at, .. } => {
                self.add_in(Some(at), Happening::RequestRefused, time, 1);
            }
            _ => {}
        }
    }

    fn broker(&mut self, time: Time, node: NodeId, observation: &BrokerObservation) {
        match observation {
            BrokerObservation::LeaderElected { at, election, isr, .. } => {
                self.in_sync_after_election(time, at, isr);
                self.elected(time, at, *election);
            }
            BrokerObservation::LeaderLost { at, isr, .. } => {
                self.in_sync_after_election(time, at, isr);
                self.add_in(Some(at), Happening::LeaderLost, time, 1);
            }
            BrokerObservation::IsrChanged { at, from, to, .. } => {
                self.isr_changed(time, at, from, to);
                self.in_sync.insert(at.clone(), to.clone());
            }
            BrokerObservation::ControllerElected { .. } => {
                let again = std::mem::replace(&mut self.had_controller, true);
                self.add(Happening::ControllerElected, time, u64::from(again));
            }
            BrokerObservation::SessionExpired { .. } => {
                self.add(Happening::SessionExpired, time, 1);
            }
            BrokerObservation::Registered { .. } => {
                let again = !self.registered.insert(node);
                self.add(Happening::BrokerRegisteredAgain, time, u64::from(again));
            }
            BrokerObservation::Recovered { clean: false, .. } => {
                self.add(Happening::UncleanShutdownRecovered, time, 1);
            }
            BrokerObservation::Truncated { at, from, to } if to < from => {
                self.add_in(Some(at), Happening::Truncated, time, 1);
            }
            BrokerObservation::Halted { .. } => self.add(Happening::BrokerHalted, time, 1),
            _ => {}
        }
    }

    fn elected(&mut self, time: Time, at: &TopicPartition, election: Election) {
        let kind = match election {
            Election::New => return,
            Election::Unclean => Some(Happening::UncleanLeaderElected),
            Election::Preferred => Some(Happening::PreferredLeaderElected),
            Election::Offline | Election::ControlledShutdown | Election::Reassigned => None,
        };
        for happening in kind.into_iter().chain([Happening::LeaderElected]) {
            self.add_in(Some(at), happening, time, 1);
        }
    }

    /// An election writes the in-sync replicas too, without those that are gone: a shrink as well.
    fn in_sync_after_election(&mut self, time: Time, at: &TopicPartition, isr: &[BrokerId]) {
        if let Some(before) = self.in_sync.insert(at.clone(), isr.to_vec()) {
            self.isr_changed(time, at, &before, isr);
        }
    }

    fn isr_changed(&mut self, time: Time, at: &TopicPartition, from: &[BrokerId], to: &[BrokerId]) {
        if from.iter().any(|broker| !to.contains(broker)) {
            self.add_in(Some(at), Happening::IsrShrunk, time, 1);
        }
        if to.iter().any(|broker| !from.contains(broker)) {
            self.add_in(Some(at), Happening::IsrExpanded, time, 1);
        }
    }

    /// Counts `count` more of what happened at `time`; nothing when there is none.
    pub fn add(&mut self, happening: Happening, time: Time, count: u64) {
        self.add_in(None, happening, time, count);
    }

    /// The same of what happened in a partition.
    fn add_in(
        &mut self,
        at: Option<&TopicPartition>,
        happening: Happening,
        time: Time,
        count: u64,
    ) {
        if count == 0 {
            return;
        }
        let none = Seen { count: 0, first: time };
        self.seen.entry(happening).or_insert(none).count += count;
        for (wanted, seen) in &mut self.wanted {
            if wanted.happening == happening && wanted.counts(time, at) {
                seen.get_or_insert(none).count += count;
            }
        }
    }

    /// Whether and when something happened.
    pub fn seen(&self, happening: Happening) -> Option<Seen> {
        self.seen.get(&happening).copied()
    }

    /// Everything that happened.
    pub fn all(&self) -> &BTreeMap<Happening, Seen> {
        &self.seen
    }
}
