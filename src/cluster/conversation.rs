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
use crate::nodes::Effects;
use crate::nodes::clients::protocol::code;
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
        let mut asked = Asked { api, version, correlation_id, sent: BTreeMap::new() };
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
                self.fetch(&body);
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
                let batch = SentBatch { client, connection, to, at, acks, contents };
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
        let Asked { api, version, sent, .. } = asked;
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
                self.fetched(&body, accounts, effects);
            }
            _ => {}
        }
        Some(())
    }

    fn fetched(&mut self, body: &FetchResponse, accounts: &mut Accounts, effects: &mut Effects) {
        let Some(client) = self.client else { return };
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
        for batch in batches(&records, room) {
            let leader_epoch = batch.leader_epoch;
            if batch.is_control() || batch.last_offset < from {
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

/// The producer and the number that each record names, as those of a scenario's producers do; they compress nothing.
pub(super) fn of_workload(batch: &Batch) -> Vec<Option<(Arc<str>, u64)>> {
    let records = batch.records().unwrap_or_default();
    let known = |value: &Bytes| {
        let (producer, number) = workload::decode(value)?;
        Some((producer.into(), number))
    };
    records.iter().map(|record| record.value.as_ref().and_then(known)).collect()
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
