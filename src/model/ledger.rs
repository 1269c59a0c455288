//! The ledger: what each producer sent, how each operation ended, and what the final log holds of it.
//!
//! Bookkeeping that several properties are judged by; it decides nothing. Records are kept as
//! [`IntervalSet`]s per producer and topic, not per partition: a producer's numbers are in a row over all
//! partitions, not within one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::{ClientObservation, Outcome};
use crate::model::interval::IntervalSet;
use crate::model::{ProducerTerms, Terms};
use crate::vocab::{BrokerId, NodeId, Offset, Time, TopicPartition};

/// A producer's place in the ledger.
pub type Producer = usize;

/// What a producer has to do with one topic.
#[derive(Clone, Debug, Default)]
pub struct TopicAccount {
    /// Records acknowledged at an offset.
    pub acknowledged: IntervalSet,
    /// Records that ended well at no known offset (`acks=0`).
    pub unconfirmed: IntervalSet,
    /// Records of which the final logs hold at least one copy.
    pub in_log: IntervalSet,
    /// Records that were seen where the final logs had their beginnings deleted, by retention or on request.
    pub deleted: IntervalSet,
}

/// What is known of one producer.
#[derive(Clone, Debug)]
pub struct Account {
    /// The producer.
    pub terms: ProducerTerms,
    /// Its name.
    pub name: Arc<str>,
    /// Operations that began.
    pub invoked: IntervalSet,
    /// Operations that ended.
    pub ended: IntervalSet,
    /// Operations that certainly did nothing.
    pub failed: u64,
    /// Operations that may have done something.
    pub unknown: u64,
    /// How often each error ended an operation, by Kafka's name.
    pub errors: BTreeMap<Arc<str>, u64>,
    /// How often brokers answered its requests with each error, by Kafka's name, once for each partition of a request.
    pub refused: BTreeMap<Arc<str>, u64>,
    /// When the first operation began.
    pub first_invoked: Option<Time>,
    /// When the last operation ended.
    pub last_ended: Option<Time>,
    /// First operation that ended without being under way, when, and how many did.
    pub ended_wrongly: Option<(u64, Time, u64)>,
    /// Copies in the final logs beyond the first.
    pub duplicated: u64,
    /// What it has to do with each topic.
    pub topics: BTreeMap<Arc<str>, TopicAccount>,
}

impl Account {
    /// Operations that began and have not ended.
    pub fn unended(&self) -> IntervalSet {
        self.invoked.difference(&self.ended)
    }

    /// Records acknowledged at an offset, over all topics.
    pub fn acknowledged(&self) -> u64 {
        self.topics.values().map(|topic| topic.acknowledged.len()).sum()
    }

    /// Acknowledged records that the final logs lack.
    pub fn lost(&self) -> u64 {
        self.topics.values().map(|topic| Ledger::lost(topic).len()).sum()
    }

    /// Records that ended well at no known offset, and that the final logs lack.
    pub fn lost_unconfirmed(&self) -> u64 {
        let lost = |topic: &TopicAccount| topic.unconfirmed.difference(&topic.in_log).len();
        self.topics.values().map(lost).sum()
    }

    /// Records that ended well at no known offset, over all topics.
    pub fn unconfirmed(&self) -> u64 {
        self.topics.values().map(|topic| topic.unconfirmed.len()).sum()
    }
}

/// All producers' accounts.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Vec<Account>,
    by_node: BTreeMap<NodeId, Producer>,
    by_name: BTreeMap<Arc<str>, Producer>,
    /// Partitions that something was acknowledged in.
    written: BTreeSet<TopicPartition>,
    /// The leader of each final log.
    final_logs: BTreeMap<TopicPartition, Option<BrokerId>>,
}

impl Ledger {
    /// An empty account for each producer of `terms`.
    pub fn new(terms: &Terms) -> Self {
        let mut ledger = Self::default();
        for producer in &terms.producers {
            ledger.add(terms.name(producer.node), producer.clone());
        }
        ledger
    }

    /// An empty account for one more producer.
    pub fn add(&mut self, name: Arc<str>, terms: ProducerTerms) {
        self.by_node.insert(terms.node, self.accounts.len());
        self.by_name.insert(name.clone(), self.accounts.len());
        self.accounts.push(Account {
            terms,
            name,
            invoked: IntervalSet::default(),
            ended: IntervalSet::default(),
            failed: 0,
            unknown: 0,
            errors: BTreeMap::new(),
            refused: BTreeMap::new(),
            first_invoked: None,
            last_ended: None,
            ended_wrongly: None,
            duplicated: 0,
            topics: BTreeMap::new(),
        });
    }

    /// The producer that runs on `node`.
    pub fn at_node(&self, node: NodeId) -> Option<Producer> {
        self.by_node.get(&node).copied()
    }

    /// The producer called `name`.
    pub fn named(&self, name: &str) -> Option<Producer> {
        self.by_name.get(name).copied()
    }

    /// All accounts; a [`Producer`] is an index.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Whether `record` was acknowledged at an offset.
    pub fn is_acknowledged(&self, producer: Producer, topic: &str, record: u64) -> bool {
        let topic = self.accounts[producer].topics.get(topic);
        topic.is_some_and(|topic| topic.acknowledged.contains(record))
    }

    /// Folds in what a client observed.
    pub fn observe(&mut self, time: Time, node: NodeId, observation: &ClientObservation) {
        let Some(producer) = self.at_node(node) else { return };
        match observation {
            ClientObservation::Invoked { op, .. } => {
                let account = &mut self.accounts[producer];
                account.invoked.insert(*op);
                account.first_invoked.get_or_insert(time);
            }
            ClientObservation::Completed { op, outcome } => {
                self.completed(time, producer, *op, outcome);
            }
            ClientObservation::Refused { error, .. } => {
                let refused = &mut self.accounts[producer].refused;
                *refused.entry(error.clone()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// A process began: its producer's earlier operations, which it knows nothing of, end as unknown.
    pub fn started(&mut self, node: NodeId) {
        let Some(producer) = self.at_node(node) else { return };
        let account = &mut self.accounts[producer];
        let unended = account.unended();
        if !unended.is_empty() {
            account.unknown += unended.len();
            account.ended = account.invoked.clone();
        }
    }

    fn completed(&mut self, time: Time, producer: Producer, op: u64, outcome: &Outcome) {
        let account = &mut self.accounts[producer];
        account.last_ended = Some(time);
        if !account.invoked.contains(op) || !account.ended.insert(op) {
            account.ended_wrongly.get_or_insert((op, time, 0)).2 += 1;
            return;
        }
        match outcome {
            Outcome::Failed { error } => {
                account.failed += 1;
                *account.errors.entry(error.clone()).or_default() += 1;
            }
            Outcome::Unknown { error } => {
                account.unknown += 1;
                *account.errors.entry(error.clone()).or_default() += 1;
            }
            Outcome::Produced { at, offset } => {
                if !account.topics.contains_key(&at.topic) {
                    account.topics.insert(at.topic.clone(), TopicAccount::default());
                }
                let topic = account.topics.get_mut(&at.topic).expect("just inserted");
                let known = *offset >= 0;
                let set = if known { &mut topic.acknowledged } else { &mut topic.unconfirmed };
                set.insert(op);
                if !self.written.contains(at) {
                    self.written.insert(at.clone());
                }
            }
        }
    }

    /// Folds in whose log of `at` counts.
    pub fn final_log(&mut self, at: &TopicPartition, leader: Option<BrokerId>) {
        self.final_logs.insert(at.clone(), leader);
    }

    /// Folds in that a final log had this record, and that its beginning was deleted.
    pub fn deleted(&mut self, topic: &Arc<str>, producer: Producer, record: u64) {
        self.accounts[producer].topics.entry(topic.clone()).or_default().deleted.insert(record);
    }

    /// Folds in a record of a final log; whether it is the first copy.
    pub fn final_record(&mut self, at: &TopicPartition, producer: Producer, record: u64) -> bool {
        let account = &mut self.accounts[producer];
        if !account.topics.contains_key(&at.topic) {
            account.topics.insert(at.topic.clone(), TopicAccount::default());
        }
        let topic = account.topics.get_mut(&at.topic).expect("just inserted");
        let first = topic.in_log.insert(record);
        account.duplicated += u64::from(!first);
        first
    }

    /// Why nothing can be said of what the final logs lack, if so.
    pub fn without_final_log(&self) -> Option<String> {
        let leaderless = self.final_logs.iter().find(|(_, leader)| leader.is_none());
        if let Some((at, _)) = leaderless {
            return Some(format!("{at} has no leader at the end"));
        }
        let unread = self.written.iter().find(|at| !self.final_logs.contains_key(at));
        unread.map(|at| format!("the final log of {at} was not read"))
    }

    /// Acknowledged records that the final logs lack, of one producer in one topic.
    pub fn lost(topic: &TopicAccount) -> IntervalSet {
        topic.acknowledged.difference(&topic.in_log).difference(&topic.deleted)
    }
}

/// A record of a final log: its place, and its producer.
#[derive(Clone, Copy, Debug)]
pub struct FinalRecord<'a> {
    /// The partition.
    pub at: &'a TopicPartition,
    /// The offset.
    pub offset: Offset,
    /// Who wrote it.
    pub producer: Producer,
    /// Its number at that producer.
    pub record: u64,
}
