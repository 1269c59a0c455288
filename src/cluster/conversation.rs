//! What goes to and fro on a connection from outside to a broker, as far as accounts are kept of it.
//!
//! It is read at the client's end: what a client was answered is what arrived there. Bytes that a broker would not
//! take end the reading, not the connection.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, RequestKind, ResponseKind,
};

use super::accounts::{Accounts, Client, OperationId, ReadRecord, SentBatch};
use crate::history::CommittedOffset;
use crate::nodes::Effects;
use crate::nodes::clients::consumer::{AbortedFilter, named};
use crate::nodes::clients::protocol::code;
use crate::vocab::foreign::Foreign;
use crate::vocab::{Acks, NodeId, Offset, TopicPartition};
use crate::wire::foreign::decode_foreign_request;
use crate::wire::frames::Frames;
use crate::wire::kafka::{MAX_FRAME_BYTES, correlation_id, decode_response};
use crate::wire::message_set::{is_message_set, up_convert};
use crate::wire::records::{Batch, DECOMPRESSED_MAX};
use crate::wire::workload;

/// A request that has no answer yet.
#[derive(Debug)]
struct Asked {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    /// The operations of a Produce request; of a partition that it names twice, the last, as brokers take it.
    sent: BTreeMap<TopicPartition, Vec<OperationId>>,
    /// Whether a Fetch request asks for committed transactions alone.
    read_committed: bool,
    /// What it asks of a transactional id.
    transaction: Option<(Arc<str>, TransactionAsk)>,
}

/// What a request asks of a transactional id, whose answer says something.
#[derive(Clone, Copy, Debug)]
enum TransactionAsk {
    /// A producer id.
    Init,
    /// The end of its transaction: whether a commit.
    End(bool),
}

/// A connection from outside to a broker.
#[derive(Debug)]
pub struct Conversation {
    connection: u64,
    broker: NodeId,
    requests: Frames,
    answers: Frames,
    /// In the order of the answers.
    asked: VecDeque<Asked>,
    /// Who it is, once a request said so.
    client: Option<Client>,
    /// Where the client wants to read on.
    positions: BTreeMap<TopicPartition, Offset>,
    /// Whether all so far was understood.
    is_read: bool,
}

/// A partition, when its topic has a name that a topic can have.
fn partition(topic: &str, index: i32) -> Option<TopicPartition> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=249).contains(&topic.len()) && topic.bytes().all(is_legal);
    is_name.then(|| TopicPartition::new(topic, index))
}

/// The name of the client in a request's header, which has no varint before it in any version.
fn client_id(payload: &[u8]) -> Option<&str> {
    let length = i16::from_be_bytes(*payload.get(8..)?.first_chunk()?);
    let name = payload.get(10..)?.get(..usize::try_from(length).unwrap_or(0))?;
    std::str::from_utf8(name).ok()
}

impl Conversation {
    /// A new connection to `broker`.
    pub fn new(connection: u64, broker: NodeId) -> Self {
        Self {
            connection,
            broker,
            requests: Frames::new(MAX_FRAME_BYTES),
            answers: Frames::new(usize::MAX),
            asked: VecDeque::new(),
            client: None,
            positions: BTreeMap::new(),
            is_read: true,
        }
    }

    /// The client sent something.
    pub fn sent(&mut self, bytes: Bytes, accounts: &mut Accounts, effects: &mut Effects) {
        if !self.is_read {
            return;
        }
        self.requests.push(bytes);
        while let Some(payload) = self.requests.pop().unwrap_or_else(|_| {
            self.is_read = false;
            None
        }) {
            if self.request(payload, accounts, effects).is_none() {
                self.stop();
            }
        }
    }

    /// The broker's bytes arrived at the client.
    pub fn answered(&mut self, bytes: Bytes, accounts: &mut Accounts, effects: &mut Effects) {
        if !self.is_read {
            return;
        }
        self.answers.push(bytes);
        while let Ok(Some(payload)) = self.answers.pop() {
            if self.answer(payload, accounts, effects).is_none() {
                self.stop();
            }
        }
    }

    /// Something is not understood: what is asked has no answer that could be read.
    fn stop(&mut self) {
        self.is_read = false;
        self.requests = Frames::new(0);
        self.answers = Frames::new(0);
    }

    /// The connection ended, by the client's will or not.
    pub fn ended(self, by_client: bool, accounts: &mut Accounts, effects: &mut Effects) {
        let lost = self.asked.into_iter().flat_map(|asked| asked.sent);
        let lost = lost.flat_map(|(_, operations)| operations);
        if let Some(client) = self.client {
            accounts.disconnected(client, lost, by_client, effects);
        }
    }

    fn request(
        &mut self,
        payload: Bytes,
        accounts: &mut Accounts,
        effects: &mut Effects,
    ) -> Option<()> {
        let start = payload.first_chunk::<8>()?;
        let key = i16::from_be_bytes([start[0], start[1]]);
        let version = i16::from_be_bytes([start[2], start[3]]);
        let correlation_id = i32::from_be_bytes([start[4], start[5], start[6], start[7]]);
        let api = ApiKey::try_from(key).ok()?;
        let client = match self.client {
            Some(client) => client,
            None => accounts.connected(client_id(&payload)?),
        };
        self.client = Some(client);
        let (sent, read_committed, transaction) = (BTreeMap::new(), false, None);
        let mut asked = Asked { api, version, correlation_id, sent, read_committed, transaction };
        match api {
            ApiKey::Produce => {
                let RequestKind::Produce(body) = decode_foreign_request(payload).ok()?.body else {
                    return None;
                };
                asked.sent = self.produce(client, &body, accounts, effects);
                if body.acks == 0 {
                    // There is no answer.
                    return Some(());
                }
            }
            ApiKey::Fetch => {
                let RequestKind::Fetch(body) = decode_foreign_request(payload).ok()?.body else {
                    return None;
                };
                asked.read_committed = body.isolation_level == 1;
                self.fetch(&body);
            }
            ApiKey::InitProducerId
            | ApiKey::AddPartitionsToTxn
            | ApiKey::AddOffsetsToTxn
            | ApiKey::TxnOffsetCommit
            | ApiKey::EndTxn => {
                let body = decode_foreign_request(payload).ok()?.body;
                asked.transaction = asked_of_transaction(client, &body, accounts, effects);
            }
            _ => {}
        }
        self.asked.push_back(asked);
        Some(())
    }

    fn produce(
        &mut self,
        client: Client,
        body: &ProduceRequest,
        accounts: &mut Accounts,
        effects: &mut Effects,
    ) -> BTreeMap<TopicPartition, Vec<OperationId>> {
        let acks = match body.acks {
            0 => Acks::None,
            1 => Acks::Leader,
            -1 => Acks::All,
            _ => return BTreeMap::new(),
        };
        let (mut sent, mut room) = (BTreeMap::new(), DECOMPRESSED_MAX);
        for topic in &body.topic_data {
            for data in &topic.partition_data {
                let Some(at) = partition(&topic.name, data.index) else { continue };
                let contents = contents(data, &mut room);
                let (connection, to) = (self.connection, self.broker);
                let (at, contents) = (&at, &contents[..]);
                let transactional_id = body.transactional_id.as_ref().map(|id| id.as_str());
                let batch = SentBatch {
                    client,
                    connection,
                    to,
                    at,
                    acks,
                    transactional_id,
                    sequence: sequence(data),
                    contents,
                };
                let ids = accounts.sent(&batch, effects);
                sent.insert(at.clone(), ids);
            }
        }
        sent
    }

    fn fetch(&mut self, body: &FetchRequest) {
        for topic in &body.topics {
            for data in &topic.partitions {
                if let Some(at) = partition(&topic.topic, data.partition) {
                    self.positions.insert(at, data.fetch_offset);
                }
            }
        }
    }

    fn answer(
        &mut self,
        payload: Bytes,
        accounts: &mut Accounts,
        effects: &mut Effects,
    ) -> Option<()> {
        let asked = self.asked.pop_front()?;
        if correlation_id(&payload) != Some(asked.correlation_id) {
            self.asked.push_front(asked);
            return None;
        }
        let Asked { api, version, sent, read_committed, transaction, .. } = asked;
        match api {
            ApiKey::Produce => {
                let Ok(ResponseKind::Produce(body)) = decode_response(api, version, payload) else {
                    return None;
                };
                produced(&body, &sent, accounts, effects);
            }
            ApiKey::Fetch => {
                let Ok(ResponseKind::Fetch(body)) = decode_response(api, version, payload) else {
                    return None;
                };
                self.fetched(&body, read_committed, accounts, effects);
            }
            _ => {
                if let (Some((id, ask)), Some(client)) = (transaction, self.client) {
                    let body = decode_response(api, version, payload).ok()?;
                    answered((client, &id), ask, &body, accounts, effects);
                }
            }
        }
        Some(())
    }

    fn fetched(
        &mut self,
        body: &FetchResponse,
        read_committed: bool,
        accounts: &mut Accounts,
        effects: &mut Effects,
    ) {
        let Some(client) = self.client else { return };
        accounts.reads(client, read_committed, effects);
        let mut room = DECOMPRESSED_MAX;
        for topic in &body.responses {
            for data in &topic.partitions {
                let Some(at) = partition(&topic.topic, data.partition_index) else { continue };
                if data.error_code != code::NONE {
                    accounts.read_refused(client, &at, data.error_code, effects);
                    continue;
                }
                self.read(client, (&at, data, &mut room), accounts, effects);
            }
        }
    }

    /// Hands out the records at and behind the position that was asked for.
    fn read(
        &mut self,
        client: Client,
        (at, data, room): (&TopicPartition, &PartitionData, &mut u64),
        accounts: &mut Accounts,
        effects: &mut Effects,
    ) {
        let from = self.positions.get(at).copied().unwrap_or(0);
        let records = data.records.clone().unwrap_or_default();
        // Only an answer to a reader of committed transactions names aborted ones.
        let aborted = named(data);
        let mut aborted = AbortedFilter::new(&aborted);
        for batch in batches(&records, room) {
            let leader_epoch = batch.leader_epoch;
            let is_aborted = aborted.leaves_out(&batch).unwrap_or(false);
            if is_aborted || batch.is_control() || batch.last_offset < from {
                continue;
            }
            let known = of_workload(&batch);
            let mut known = known.into_iter();
            // What a broker serves has been checked; a batch that is too large now is left out.
            let _: Result<(), _> = batch.hashes(room, |offset, content| {
                let known = known.next().flatten();
                if offset >= from {
                    let at = at.clone();
                    let record = ReadRecord { at, offset, leader_epoch, known, content };
                    accounts.read(client, record, effects);
                }
            });
            self.positions.insert(at.clone(), batch.last_offset.saturating_add(1));
        }
    }
}

/// The batches of an answer. Of messages in an older format only those that are not compressed: what is in the others
/// has no offsets of its own.
fn batches(records: &Bytes, room: &mut u64) -> Vec<Batch> {
    if !is_message_set(records) {
        return Batch::all(records).map_while(Result::ok).collect();
    }
    let first = records.first_chunk().map(|offset| i64::from_be_bytes(*offset));
    let batch = up_convert(records, room).ok().flatten();
    let batch = batch.filter(|batch| batch.compression_type() == 0);
    batch.zip(first).map(|(batch, first)| batch.stamped(first, -1)).into_iter().collect()
}

/// The hashes of the records for one partition; of what no broker would take, none.
fn contents(data: &PartitionProduceData, room: &mut u64) -> Vec<u64> {
    let mut contents = Vec::new();
    let records = data.records.clone().unwrap_or_default();
    if is_message_set(&records) {
        if let Ok(Some(batch)) = up_convert(&records, room) {
            let _: Result<(), _> = batch.hashes(room, |_, content| contents.push(content));
        }
        return contents;
    }
    for batch in Batch::all(&records) {
        let Ok(batch) = batch else { return Vec::new() };
        if batch.hashes(room, |_, content| contents.push(content)).is_err() {
            return Vec::new();
        }
    }
    contents
}

/// The producer's id and epoch, and the first sequence of what it sends to a partition, if it is idempotent.
fn sequence(data: &PartitionProduceData) -> Option<(i64, i16, i32)> {
    let records = data.records.as_ref().filter(|records| !is_message_set(records))?;
    let batch = Batch::first(records).ok()?;
    let known = (batch.producer_id(), batch.producer_epoch(), batch.base_sequence());
    (known.0 >= 0 && known.2 >= 0).then_some(known)
}

/// The producer and the number that each record names, as those of a scenario's producers do; they compress nothing.
pub(super) fn of_workload(batch: &Batch) -> Vec<Option<(Arc<str>, u64)>> {
    let records = batch.records().unwrap_or_default();
    let known = |value: &Bytes| {
        let (producer, number) = workload::decode(value)?;
        Some((producer.into(), number))
    };
    records.iter().map(|record| record.value.as_ref().and_then(known)).collect()
}

/// What a request says of a transaction; what its answer is to say, if anything.
fn asked_of_transaction(
    client: Client,
    body: &RequestKind,
    accounts: &mut Accounts,
    effects: &mut Effects,
) -> Option<(Arc<str>, TransactionAsk)> {
    match body {
        RequestKind::InitProducerId(body) => {
            let id = body.transactional_id.as_ref()?;
            Some((id.as_str().into(), TransactionAsk::Init))
        }
        RequestKind::AddPartitionsToTxn(body) => {
            let id = &body.v3_and_below_transactional_id;
            if !id.is_empty() {
                accounts.added(client, id, effects);
            }
            None
        }
        RequestKind::AddOffsetsToTxn(body) => {
            accounts.added(client, &body.transactional_id, effects);
            None
        }
        RequestKind::TxnOffsetCommit(body) => {
            let offsets = body.topics.iter().flat_map(|topic| {
                topic.partitions.iter().filter_map(|row| {
                    let at = partition(&topic.name, row.partition_index)?;
                    let (offset, leader_epoch) = (row.committed_offset, row.committed_leader_epoch);
                    Some(CommittedOffset { at, offset, leader_epoch })
                })
            });
            let group = Foreign(&body.group_id).to_string().into();
            let of = (client, body.transactional_id.as_str());
            accounts.offsets_sent(of, group, offsets.collect(), effects);
            None
        }
        RequestKind::EndTxn(body) => {
            accounts.end_asked(client, &body.transactional_id, body.committed, effects);
            let id = body.transactional_id.as_str().into();
            Some((id, TransactionAsk::End(body.committed)))
        }
        _ => None,
    }
}

/// The answer to a request about a transactional id.
fn answered(
    (client, id): (Client, &Arc<str>),
    ask: TransactionAsk,
    body: &ResponseKind,
    accounts: &mut Accounts,
    effects: &mut Effects,
) {
    match (ask, body) {
        (TransactionAsk::Init, ResponseKind::InitProducerId(body))
            if body.error_code == code::NONE =>
        {
            let producer = (body.producer_id.0, body.producer_epoch);
            accounts.initialized((client, id), producer, effects);
        }
        (TransactionAsk::End(commit), ResponseKind::EndTxn(body)) => {
            accounts.end_answered((client, id), (commit, body.error_code), effects);
        }
        _ => {}
    }
}

/// The answer to a Produce request.
fn produced(
    body: &ProduceResponse,
    sent: &BTreeMap<TopicPartition, Vec<OperationId>>,
    accounts: &mut Accounts,
    effects: &mut Effects,
) {
    for topic in &body.responses {
        for answer in &topic.partition_responses {
            let at = partition(&topic.name, answer.index);
            let Some((at, ids)) = at.as_ref().and_then(|at| sent.get_key_value(at)) else {
                continue;
            };
            accounts.answered(ids, at, (answer.error_code, answer.base_offset), effects);
        }
    }
}
