//! The accounts of clients from outside: what they sent, and what they were answered.
//!
//! An operation is a record that a client sends, and it belongs to one life of the client: from its first connection
//! until it closes its last. A record is known again by its content (timestamp, key, value and headers), so that a
//! retry on another connection is the same operation, as long as no attempt was acknowledged; what is sent again after
//! an acknowledgement is another record, unless it is the same batch of an idempotent producer. An operation that is
//! not acknowledged ends with the life.

mod sequences;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::sequences::Sequences;
use self::transactions::Transactions;

use crate::history::{Call, ClientObservation, ExternalObservation, Observation, Outcome};
use crate::nodes::Effects;
use crate::nodes::clients::protocol::{certainly_not_written, code, error_name};
use crate::releases::KafkaVersion;
use crate::vocab::foreign::Foreign;
use crate::vocab::{Acks, NodeId, Offset, Roster, TopicPartition};

/// What is accounted for at most; the rest is counted and named.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Records of a run; about 120 bytes each.
    records: usize,
    /// Operations of the same content that are looked at.
    same: usize,
    /// Records read in a run.
    reads: u64,
    /// Clients with an account of their own; all others share one.
    clients: usize,
}

/// The limits of every run.
const LIMITS: Limits = Limits { records: 1 << 21, same: 256, reads: 1 << 24, clients: 64 };

/// The account of the others.
const OTHERS: &str = "other clients";
/// Most characters of a client's name that are shown.
const NAME_MAX: usize = 40;

/// A client's place in the accounts.
pub type Client = usize;
/// An operation's place in the accounts.
pub type OperationId = u32;

/// No further operation of the same content.
const LAST: OperationId = u32::MAX;

/// Programs that give themselves one name.
#[derive(Debug)]
struct ClientAccount {
    name: Arc<str>,
    /// Its connections that are open.
    connections: u32,
    /// Places of its producers, one for each `acks`.
    producers: Vec<usize>,
    has_read: bool,
    /// Its operations that have not ended.
    open: BTreeSet<OperationId>,
}

/// What a client sends with one setting of `acks`.
#[derive(Debug)]
struct ProducerAccount {
    name: Arc<str>,
    client: Client,
    acks: Acks,
    /// The transactional id that it sends with.
    transactional_id: Option<Arc<str>>,
    /// How many records it sent: the number of the next.
    records: u64,
}

#[derive(Debug)]
enum State {
    /// On its way, or refused and perhaps sent again.
    Open {
        attempt: Option<Attempt>,
        error: &'static str,
        maybe_written: bool,
    },
    /// The offset; −1 when the client does not know it.
    Acknowledged(Offset),
    Ended,
}

/// The connection of an attempt that has no answer yet.
type Attempt = u64;

#[derive(Debug)]
struct Operation {
    producer: usize,
    record: u64,
    content: u64,
    /// The next operation of the same content.
    next: OperationId,
    state: State,
}

/// A request's records for one partition.
#[derive(Debug)]
pub struct SentBatch<'a> {
    /// Who sent them.
    pub client: Client,
    /// The connection.
    pub connection: u64,
    /// The broker.
    pub to: NodeId,
    /// Where they are to go.
    pub at: &'a TopicPartition,
    /// What the client waits for.
    pub acks: Acks,
    /// The transactional id of its producer.
    pub transactional_id: Option<&'a str>,
    /// Id and epoch of its producer, and its first sequence, when that is idempotent.
    pub sequence: Option<(i64, i16, i32)>,
    /// Hashes of the records.
    pub contents: &'a [u64],
}

/// All accounts.
#[derive(Debug)]
pub struct Accounts {
    roster: Arc<Roster>,
    version: KafkaVersion,
    limits: Limits,
    clients: Vec<ClientAccount>,
    by_name: BTreeMap<Arc<str>, Client>,
    producers: Vec<ProducerAccount>,
    topics: BTreeMap<Arc<str>, u32>,
    operations: Vec<Operation>,
    /// By topic and content, the first operation.
    by_content: BTreeMap<(u32, u64), OperationId>,
    /// By topic, partition and offset, the operation that was acknowledged there last.
    by_place: BTreeMap<(u32, i32, Offset), OperationId>,
    read: u64,
    sequences: Sequences,
    transactions: Transactions,
}

impl Accounts {
    /// No account yet. Clients get no name that is in `roster`.
    pub fn new(roster: Arc<Roster>, version: KafkaVersion) -> Self {
        Self {
            roster,
            version,
            limits: LIMITS,
            clients: Vec::new(),
            by_name: BTreeMap::new(),
            producers: Vec::new(),
            topics: BTreeMap::new(),
            operations: Vec::new(),
            by_content: BTreeMap::new(),
            by_place: BTreeMap::new(),
            read: 0,
            sequences: Sequences::default(),
            transactions: Transactions::default(),
        }
    }

    /// The first request on a connection named its client.
    pub fn connected(&mut self, client_id: &str) -> Client {
        let shown: String = Foreign(client_id).to_string().chars().take(NAME_MAX).collect();
        let shown = if shown.is_empty() { "no client id".to_owned() } else { shown };
        let client = match self.by_name.get(&*shown) {
            Some(client) => *client,
            None if self.clients.len() > self.limits.clients => self.by_name[OTHERS],
            None if self.clients.len() == self.limits.clients => self.add_client(OTHERS),
            None => self.add_client(&shown),
        };
        self.clients[client].connections += 1;
        client
    }

    fn add_client(&mut self, shown: &str) -> Client {
        let name = self.free_name(shown.to_owned());
        self.by_name.insert(shown.into(), self.clients.len());
        let (producers, open) = (Vec::new(), BTreeSet::new());
        let client = ClientAccount { name, connections: 0, producers, has_read: false, open };
        self.clients.push(client);
        self.clients.len() - 1
    }

    /// `name`, or something like it that no node and no other account has.
    fn free_name(&self, mut name: String) -> Arc<str> {
        let is_taken = |name: &str| {
            self.roster.find(name).is_some()
                || self.clients.iter().any(|client| *client.name == *name)
                || self.producers.iter().any(|producer| *producer.name == *name)
        };
        if is_taken(&name) {
            name.push_str(" (outside)");
        }
        while is_taken(&name) {
            name.push('-');
        }
        name.into()
    }

    /// A connection ended. Requests without an answer are lost; when it was the client that closed its last one, so is
    /// everything that it might have sent again.
    pub fn disconnected(
        &mut self,
        client: Client,
        lost: impl IntoIterator<Item = OperationId>,
        by_client: bool,
        effects: &mut Effects,
    ) {
        let error = error_name(self.version, code::NETWORK_EXCEPTION);
        lost.into_iter().for_each(|operation| self.attempt_failed(operation, error, true));
        self.clients[client].connections -= 1;
        if by_client && self.clients[client].connections == 0 {
            self.end_life(client, effects);
        }
    }

    /// No client sends anything more.
    pub fn end(&mut self, effects: &mut Effects) {
        (0..self.clients.len()).for_each(|client| self.end_life(client, effects));
    }

    fn end_life(&mut self, client: Client, effects: &mut Effects) {
        for id in std::mem::take(&mut self.clients[client].open) {
            let operation = &mut self.operations[id as usize];
            let State::Open { attempt, error, maybe_written } = operation.state else { continue };
            let maybe_written = maybe_written || attempt.is_some();
            operation.state = State::Ended;
            let (op, producer, error) = (operation.record, operation.producer, error.into());
            let outcome = match maybe_written {
                true => Outcome::Unknown { error },
                false => Outcome::Failed { error },
            };
            self.observe(producer, ClientObservation::Completed { op, outcome }, effects);
        }
        self.end_transactions(client, effects);
        if self.clients[client].has_read {
            self.observe_reader(client, ClientObservation::LifeEnded, effects);
        }
    }

    fn observe(&self, producer: usize, observation: ClientObservation, effects: &mut Effects) {
        let ProducerAccount { name, acks, .. } = &self.producers[producer];
        let (client, acks) = (name.clone(), Some(*acks));
        effects.observe(Observation::External(ExternalObservation { client, acks, observation }));
    }

    fn observe_reader(
        &self,
        client: Client,
        observation: ClientObservation,
        effects: &mut Effects,
    ) {
        let client = self.clients[client].name.clone();
        let external = ExternalObservation { client, acks: None, observation };
        effects.observe(Observation::External(external));
    }

    fn producer(&mut self, client: Client, acks: Acks) -> usize {
        let known = self.clients[client].producers.iter();
        if let Some(producer) = known.copied().find(|at| {
            self.producers[*at].acks == acks && self.producers[*at].transactional_id.is_none()
        }) {
            return producer;
        }
        let is_plain = |at: &usize| self.producers[*at].transactional_id.is_none();
        let name = match !self.clients[client].producers.iter().any(is_plain) {
            true => self.clients[client].name.clone(),
            false => self.free_name(format!("{} acks={acks}", self.clients[client].name)),
        };
        let transactional_id = None;
        self.producers.push(ProducerAccount { name, client, acks, transactional_id, records: 0 });
        self.clients[client].producers.push(self.producers.len() - 1);
        self.producers.len() - 1
    }

    fn topic(&mut self, name: &Arc<str>) -> u32 {
        if let Some(topic) = self.topics.get(name) {
            return *topic;
        }
        let topic = u32::try_from(self.topics.len()).expect("no more topics than records");
        self.topics.insert(name.clone(), topic);
        topic
    }

    /// Records were sent: their operations, new ones and those that this is another attempt of.
    pub fn sent(&mut self, batch: &SentBatch<'_>, effects: &mut Effects) -> Vec<OperationId> {
        let transactional = batch.transactional_id;
        let transactional =
            transactional.and_then(|id| self.transactional_producer(batch.client, id));
        let producer = transactional.unwrap_or_else(|| self.producer(batch.client, batch.acks));
        let topic = self.topic(&batch.at.topic);
        let place = |(id, epoch, first)| ((id, epoch, topic, batch.at.partition), first);
        let sequence = batch.sequence.map(place);
        let repeated = sequence.and_then(|(place, first)| self.sequences.find(place, first));
        let repeated = repeated.filter(|ids| self.are(ids, batch.contents)).map(<[_]>::to_vec);
        let is_repeated = repeated.is_some();
        let ids = match repeated {
            Some(ids) => self.tried_again(ids, batch.connection),
            None => self.operations_of(batch, (producer, topic), effects),
        };
        if let (Some((place, first)), false) = (sequence, is_repeated) {
            self.sequences.note(place, first, &ids);
        }
        let records = ids.iter().map(|id| self.operations[*id as usize].record).collect();
        let (at, to, acks) = (batch.at.clone(), batch.to, batch.acks);
        let sent = ClientObservation::BatchSent { at, to, records, acks };
        self.observe(producer, sent, effects);
        if ids.len() < batch.contents.len() {
            let records = (batch.contents.len() - ids.len()) as u64;
            self.observe(producer, ClientObservation::NotFollowed { records }, effects);
        }
        if batch.acks == Acks::None {
            self.succeeded(&ids, batch.at, -1, effects);
        }
        ids
    }

    /// The operations of a batch, new ones and those that this is another attempt of.
    fn operations_of(
        &mut self,
        batch: &SentBatch<'_>,
        (producer, topic): (usize, u32),
        effects: &mut Effects,
    ) -> Vec<OperationId> {
        let mut ids = Vec::with_capacity(batch.contents.len().min(self.limits.records));
        for &content in batch.contents {
            let again = self.unanswered(producer, (topic, content), batch.connection);
            let Some(id) = again.or_else(|| self.add_operation(producer, (topic, content))) else {
                break;
            };
            if let State::Open { attempt, .. } = &mut self.operations[id as usize].state {
                *attempt = Some(batch.connection);
            }
            if again.is_none() {
                let (op, topic) = (self.operations[id as usize].record, batch.at.topic.clone());
                let call = Call::Produce { topic };
                self.observe(producer, ClientObservation::Invoked { op, call }, effects);
            }
            ids.push(id);
        }
        ids
    }

    /// Whether operations are those of records with these contents.
    fn are(&self, ids: &[OperationId], contents: &[u64]) -> bool {
        let known = ids.iter().map(|id| self.operations[*id as usize].content);
        known.eq(contents.iter().copied())
    }

    /// Operations are tried again, unless they have ended.
    fn tried_again(&mut self, ids: Vec<OperationId>, connection: u64) -> Vec<OperationId> {
        for id in &ids {
            if let State::Open { attempt, .. } = &mut self.operations[*id as usize].state {
                *attempt = Some(connection);
            }
        }
        ids
    }

    /// An operation of that content whose last attempt failed, or is on its way on another connection.
    fn unanswered(
        &self,
        producer: usize,
        content: (u32, u64),
        connection: u64,
    ) -> Option<OperationId> {
        self.with_content(content).find(|id| {
            let operation = &self.operations[*id as usize];
            let is_open = matches!(
                operation.state,
                State::Open { attempt, .. } if attempt != Some(connection)
            );
            is_open && operation.producer == producer
        })
    }

    fn with_content(&self, content: (u32, u64)) -> impl Iterator<Item = OperationId> {
        let mut next = self.by_content.get(&content).copied().unwrap_or(LAST);
        let all = std::iter::from_fn(move || {
            let id = next;
            next = self.operations.get(id as usize)?.next;
            Some(id)
        });
        all.take(self.limits.same)
    }

    /// A new operation; `None` when there are as many as are followed.
    fn add_operation(&mut self, producer: usize, content: (u32, u64)) -> Option<OperationId> {
        if self.operations.len() == self.limits.records {
            return None;
        }
        let id = u32::try_from(self.operations.len()).expect("no more than the limit");
        let ProducerAccount { client, records, .. } = &mut self.producers[producer];
        let (record, client) = (*records, *client);
        *records += 1;
        // The newest first: the list of what is sent over and over is not walked to its end.
        let next = self.by_content.insert(content, id).unwrap_or(LAST);
        let error = error_name(self.version, code::NETWORK_EXCEPTION);
        let state = State::Open { attempt: None, error, maybe_written: false };
        self.operations.push(Operation { producer, record, content: content.1, next, state });
        self.clients[client].open.insert(id);
        Some(id)
    }

    /// Records were acknowledged from `base` on; −1 with `acks=0`.
    fn succeeded(
        &mut self,
        ids: &[OperationId],
        at: &TopicPartition,
        base: Offset,
        effects: &mut Effects,
    ) {
        let topic = self.topic(&at.topic);
        for (n, &id) in (0..).zip(ids) {
            let operation = &mut self.operations[id as usize];
            let State::Open { .. } = operation.state else { continue };
            let offset = if base < 0 { -1 } else { base.saturating_add(n) };
            operation.state = State::Acknowledged(offset);
            if offset >= 0 {
                self.by_place.insert((topic, at.partition, offset), id);
            }
            let (op, producer) = (operation.record, operation.producer);
            let client = self.producers[producer].client;
            self.clients[client].open.remove(&id);
            let outcome = Outcome::Produced { at: at.clone(), offset };
            self.observe(producer, ClientObservation::Completed { op, outcome }, effects);
        }
    }

    /// A broker answered for the records of one partition.
    pub fn answered(
        &mut self,
        ids: &[OperationId],
        at: &TopicPartition,
        (error, base): (i16, Offset),
        effects: &mut Effects,
    ) {
        if error == code::NONE {
            return self.succeeded(ids, at, base, effects);
        }
        let name = error_name(self.version, error);
        for &id in ids {
            self.attempt_failed(id, name, !certainly_not_written(error));
        }
        if let Some(&id) = ids.first() {
            let refused = ClientObservation::Refused { at: at.clone(), error: name.into() };
            self.observe(self.operations[id as usize].producer, refused, effects);
        }
    }

    fn attempt_failed(&mut self, id: OperationId, name: &'static str, written: bool) {
        if let State::Open { attempt, error, maybe_written } =
            &mut self.operations[id as usize].state
        {
            *attempt = None;
            *error = name;
            *maybe_written |= written;
        }
    }

    /// A broker refused a read.
    pub fn read_refused(
        &mut self,
        client: Client,
        at: &TopicPartition,
        error: i16,
        effects: &mut Effects,
    ) {
        self.clients[client].has_read = true;
        let error = error_name(self.version, error).into();
        let refused = ClientObservation::Refused { at: at.clone(), error };
        self.observe_reader(client, refused, effects);
    }

    /// A client was handed a record: of one of our producers, or with this content.
    pub fn read(&mut self, client: Client, mut record: ReadRecord, effects: &mut Effects) {
        if self.read == self.limits.reads {
            return;
        }
        self.read += 1;
        self.clients[client].has_read = true;
        if self.read == self.limits.reads {
            let last = ClientObservation::NotFollowed { records: 1 };
            return self.observe_reader(client, last, effects);
        }
        let known = self
            .identify(&record.at, record.offset, record.content)
            .or_else(|| record.known.take().filter(|(name, _)| self.is_node(name)));
        let (producer, number) = known.unwrap_or_else(|| ("".into(), 0));
        let consumed = ClientObservation::Consumed {
            at: record.at,
            offset: record.offset,
            leader_epoch: record.leader_epoch,
            producer,
            record: number,
        };
        self.observe_reader(client, consumed, effects);
    }

    /// The account and the number of a record: of several of that content the one that was acknowledged there, or else
    /// the oldest of which the place is not known, or else the oldest.
    pub fn identify(
        &self,
        at: &TopicPartition,
        offset: Offset,
        content: u64,
    ) -> Option<(Arc<str>, u64)> {
        let topic = *self.topics.get(&at.topic)?;
        if let Some(&id) = self.by_place.get(&(topic, at.partition, offset))
            && self.operations[id as usize].content == content
        {
            return Some(self.named(id));
        }
        let (mut oldest, mut unplaced) = (None, None);
        for id in self.with_content((topic, content)) {
            oldest = Some(id);
            let state = &self.operations[id as usize].state;
            if !matches!(state, State::Acknowledged(0..)) {
                unplaced = Some(id);
            }
        }
        unplaced.or(oldest).map(|id| self.named(id))
    }

    /// Whether a node of the scenario has that name: records can name any producer.
    pub fn is_node(&self, name: &str) -> bool {
        self.roster.find(name).is_some()
    }

    fn named(&self, id: OperationId) -> (Arc<str>, u64) {
        let Operation { producer, record, .. } = self.operations[id as usize];
        (self.producers[producer].name.clone(), record)
    }
}

/// A record that a client was handed.
#[derive(Debug)]
pub struct ReadRecord {
    /// Where from.
    pub at: TopicPartition,
    /// Its offset.
    pub offset: Offset,
    /// The leader epoch of its batch.
    pub leader_epoch: i32,
    /// The producer of the scenario that its value names, and its number.
    pub known: Option<(Arc<str>, u64)>,
    /// The hash of its content.
    pub content: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::step::Effect;

    fn accounts(limits: Limits) -> Accounts {
        Accounts { limits, ..Accounts::new(Arc::default(), KafkaVersion::default()) }
    }

    fn sent_batch<'a>(
        client: Client,
        connection: u64,
        at: &'a TopicPartition,
        contents: &'a [u64],
    ) -> SentBatch<'a> {
        let (to, acks) = (NodeId(0), Acks::Leader);
        let (transactional_id, sequence) = (None, None);
        SentBatch { client, connection, to, at, acks, transactional_id, sequence, contents }
    }

    fn send(accounts: &mut Accounts, client: Client, contents: &[u64]) -> Vec<ClientObservation> {
        let at = TopicPartition::new("t", 0);
        let batch = sent_batch(client, 1, &at, contents);
        let mut effects = Effects::default();
        let ids = accounts.sent(&batch, &mut effects);
        accounts.answered(&ids, &at, (code::NONE, 0), &mut effects);
        observed(&mut effects)
    }

    fn observed(effects: &mut Effects) -> Vec<ClientObservation> {
        let external = effects.drain().filter_map(|effect| match effect {
            Effect::Observe(Observation::External(external)) => Some(external.observation),
            _ => None,
        });
        external.collect()
    }

    fn not_followed(seen: &[ClientObservation]) -> u64 {
        let counts = seen.iter().map(|one| match one {
            ClientObservation::NotFollowed { records } => *records,
            _ => 0,
        });
        counts.sum()
    }

    #[test]
    fn records_beyond_the_limit_are_counted_and_not_followed() {
        let mut accounts = accounts(Limits { records: 3, ..LIMITS });
        let client = accounts.connected("a");
        let ended = |seen: &[ClientObservation]| {
            seen.iter().filter(|one| matches!(one, ClientObservation::Completed { .. })).count()
        };
        let seen = send(&mut accounts, client, &[1, 2]);
        assert_eq!((ended(&seen), not_followed(&seen)), (2, 0));
        let seen = send(&mut accounts, client, &[3, 4, 5]);
        assert_eq!((ended(&seen), not_followed(&seen)), (1, 2));
        let seen = send(&mut accounts, client, &[6]);
        assert_eq!((ended(&seen), not_followed(&seen)), (0, 1));
    }

    #[test]
    fn what_is_read_beyond_the_limit_is_told_once() {
        let mut accounts = accounts(Limits { reads: 3, ..LIMITS });
        let client = accounts.connected("a");
        let mut effects = Effects::default();
        for offset in 0..6 {
            let at = TopicPartition::new("t", 0);
            let record = ReadRecord { at, offset, leader_epoch: 0, known: None, content: 7 };
            accounts.read(client, record, &mut effects);
        }
        let seen = observed(&mut effects);
        assert_eq!((seen.len(), not_followed(&seen)), (3, 1));
        assert!(matches!(seen[2], ClientObservation::NotFollowed { .. }));
    }

    #[test]
    fn clients_beyond_the_limit_share_an_account() {
        let mut accounts = accounts(Limits { clients: 2, ..LIMITS });
        let all: Vec<Client> = ["a", "b", "c", "d", "a"].map(|id| accounts.connected(id)).into();
        assert_eq!(all, [0, 1, 2, 2, 0]);
        assert_eq!(&*accounts.clients[2].name, OTHERS);
        assert_eq!(accounts.clients[2].connections, 2);
    }

    /// What is sent over and over does not cost more each time: an operation that lies far back is not found.
    #[test]
    fn only_the_newest_operations_of_a_content_are_looked_at() {
        let mut accounts = accounts(Limits { same: 2, ..LIMITS });
        let client = accounts.connected("a");
        let at = TopicPartition::new("t", 0);
        let mut effects = Effects::default();
        let mut sent = |connection, contents: &[u64]| {
            let batch = sent_batch(client, connection, &at, contents);
            accounts.sent(&batch, &mut effects)
        };
        assert_eq!(sent(1, &[7, 7, 7]), [0, 1, 2]);
        // Retries on another connection: the two newest are known again, and the third is another record.
        assert_eq!(sent(2, &[7, 7, 7]), [2, 1, 3]);
    }

    /// A batch of an idempotent producer is one, however often it is sent, and whether it was acknowledged or not.
    #[test]
    fn a_batch_with_a_known_sequence_is_no_new_record() {
        let mut accounts = accounts(LIMITS);
        let client = accounts.connected("a");
        let at = TopicPartition::new("t", 0);
        let mut effects = Effects::default();
        let mut sent = |sequence, contents: &[u64]| {
            let sequence = Some((7, 0, sequence));
            let batch = SentBatch { sequence, ..sent_batch(client, 1, &at, contents) };
            let ids = accounts.sent(&batch, &mut effects);
            accounts.answered(&ids, &at, (code::NONE, 0), &mut effects);
            ids
        };
        assert_eq!(sent(0, &[5, 5]), [0, 1]);
        assert_eq!(sent(0, &[5, 5]), [0, 1]);
        assert_eq!(sent(2, &[5]), [2]);
        // A part of a batch is not the batch.
        assert_eq!(sent(0, &[5]), [3]);
        let ended = observed(&mut effects);
        let ended = ended.iter().filter(|one| matches!(one, ClientObservation::Completed { .. }));
        assert_eq!(ended.count(), 4);
    }
}
