//! The turning points of a run, in order: faults, lives, elections, changes of the in-sync replicas.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::sync::Arc;

use serde::Serialize;

use crate::history::{BrokerObservation, ClientObservation, Election, Life, Observation, Outcome};
use crate::model::Terms;
use crate::vocab::{ControllerEpoch, LeaderEpoch, NodeId, Offset, Time, TopicPartition, as_text};

/// Entries that are kept; a timeline is for a person to read.
const ENTRIES_MAX: usize = 1_000;

/// A turning point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    #[serde(rename = "time_ns")]
    pub time: Time,
    /// What.
    #[serde(flatten)]
    pub turn: Turn,
}

/// What can turn. Brokers and nodes are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of the observations that they come from")]
pub enum Turn {
    /// A fault was injected or healed.
    Fault { text: Arc<str> },
    /// A process began, ended or stopped running.
    Life {
        node: Arc<str>,
        #[serde(serialize_with = "as_text")]
        life: Life,
    },
    /// A leader was chosen.
    LeaderElected {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        leader: Arc<str>,
        leader_epoch: LeaderEpoch,
        isr: Vec<Arc<str>>,
        #[serde(serialize_with = "as_text")]
        election: Election,
    },
    /// A partition has no leader.
    LeaderLost {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        leader_epoch: LeaderEpoch,
        isr: Vec<Arc<str>>,
    },
    /// The in-sync replicas changed.
    IsrChanged {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        from: Vec<Arc<str>>,
        to: Vec<Arc<str>>,
    },
    /// A broker became the controller.
    ControllerElected { broker: Arc<str>, controller_epoch: ControllerEpoch },
    /// A broker's session expired.
    SessionExpired { broker: Arc<str> },
    /// A broker that came back cannot register while its former session lives.
    RegistrationBlocked { broker: Arc<str> },
    /// A replica cut its log.
    Truncated {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        broker: Arc<str>,
        from: Offset,
        to: Offset,
    },
    /// A follower fetches no more, as its leader's records do not follow on its log.
    FetchingFailed {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        broker: Arc<str>,
        leader: Arc<str>,
        end: Offset,
    },
    /// A broker loaded logs that were not shut down cleanly.
    UncleanShutdownRecovered { broker: Arc<str>, truncated_bytes: u64 },
    /// A broker ended itself.
    Halted { broker: Arc<str>, why: Arc<str> },
    /// A client's request was refused, as none was before, or none since the partition answered as it should.
    Refused {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        client: Arc<str>,
        error: Arc<str>,
    },
}

/// The turning points of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The first ones, in order.
    pub entries: Vec<Entry>,
    /// How many more there were.
    pub omitted: u64,
    /// Which client is refused with which error, since no request of its for that partition was answered as it should
    /// be.
    #[serde(skip)]
    refusing: BTreeMap<(Arc<str>, Arc<str>), TopicPartition>,
    /// Brokers that cannot register, and are started again and again: shown once.
    #[serde(skip)]
    retrying: BTreeSet<NodeId>,
}

impl Timeline {
    /// Adds a turning point, if there is room.
    pub fn push(&mut self, time: Time, turn: Turn) {
        if self.entries.len() == ENTRIES_MAX {
            self.omitted += 1;
        } else {
            self.entries.push(Entry { time, turn });
        }
    }

    /// Adds a turn in a node's life, other than its beginning with the run.
    pub fn life(&mut self, terms: &Terms, time: Time, node: NodeId, life: Life) {
        // What an operator runs comes and goes: it is reported with what it prints.
        let is_command = terms.commands.contains(&node);
        if matches!(life, Life::Crashed | Life::PowerLost) {
            self.retrying.remove(&node);
        } else if self.retrying.contains(&node) {
            return;
        }
        if !is_command && (life != Life::Started || time > Time::ZERO) {
            self.push(time, Turn::Life { node: terms.name(node), life });
        }
    }

    /// Adds what a node observed, if it is a turning point.
    pub fn observe(&mut self, terms: &Terms, time: Time, node: NodeId, observation: &Observation) {
        let observation = match observation {
            Observation::Broker(broker) => broker,
            Observation::Client(client) => return self.client(time, &terms.name(node), client),
            Observation::External(external) => {
                return self.client(time, &external.client, &external.observation);
            }
            Observation::ZooKeeper(_) | Observation::Session(_) => return,
        };
        let broker = || terms.name(node);
        let turn = match observation {
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, election } => {
                Turn::LeaderElected {
                    at: at.clone(),
                    leader: terms.broker(*leader),
                    leader_epoch: *leader_epoch,
                    isr: terms.broker_names(isr),
                    election: *election,
                }
            }
            BrokerObservation::LeaderLost { at, leader_epoch, isr } => Turn::LeaderLost {
                at: at.clone(),
                leader_epoch: *leader_epoch,
                isr: terms.broker_names(isr),
            },
            BrokerObservation::IsrChanged { at, from, to, .. } => Turn::IsrChanged {
                at: at.clone(),
                from: terms.broker_names(from),
                to: terms.broker_names(to),
            },
            BrokerObservation::ControllerElected { epoch } => {
                Turn::ControllerElected { broker: broker(), controller_epoch: *epoch }
            }
            BrokerObservation::SessionExpired { .. } => Turn::SessionExpired { broker: broker() },
            BrokerObservation::RegistrationBlocked { .. } => {
                if !self.retrying.insert(node) {
                    return;
                }
                Turn::RegistrationBlocked { broker: broker() }
            }
            BrokerObservation::Registered { .. } if self.retrying.remove(&node) => {
                Turn::Life { node: broker(), life: Life::Started }
            }
            BrokerObservation::Truncated { at, from, to } if to < from => {
                Turn::Truncated { at: at.clone(), broker: broker(), from: *from, to: *to }
            }
            BrokerObservation::FetchingFailed { at, leader, end, .. } => Turn::FetchingFailed {
                at: at.clone(),
                broker: broker(),
                leader: terms.broker(*leader),
                end: *end,
            },
            BrokerObservation::Recovered { clean: false, truncated_bytes } => {
                let truncated_bytes = *truncated_bytes;
                Turn::UncleanShutdownRecovered { broker: broker(), truncated_bytes }
            }
            BrokerObservation::Halted { why } => {
                Turn::Halted { broker: broker(), why: why.clone() }
            }
            _ => return,
        };
        self.push(time, turn);
    }

    /// Adds that a request was refused, unless the client's were before for the same reason.
    fn client(&mut self, time: Time, name: &Arc<str>, observation: &ClientObservation) {
        match observation {
            ClientObservation::Refused { at, error } => {
                let key = (name.clone(), error.clone());
                if let btree_map::Entry::Vacant(first) = self.refusing.entry(key) {
                    first.insert(at.clone());
                    let (at, client, error) = (at.clone(), name.clone(), error.clone());
                    self.push(time, Turn::Refused { at, client, error });
                }
            }
            ClientObservation::Completed { outcome: Outcome::Produced { at, .. }, .. }
            | ClientObservation::Consumed { at, .. }
                if !self.refusing.is_empty() =>
            {
                self.refusing.retain(|(client, _), refused| client != name || refused != at);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_bounded_and_says_so() {
        let mut timeline = Timeline::default();
        for second in 0..ENTRIES_MAX as u64 + 3 {
            timeline.push(Time(second), Turn::Fault { text: "cut b1".into() });
        }
        assert_eq!((timeline.entries.len(), timeline.omitted), (ENTRIES_MAX, 3));
        assert_eq!(timeline.entries[0].time, Time(0));
    }
}
