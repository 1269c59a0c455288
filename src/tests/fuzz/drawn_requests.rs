//! Draws Kafka requests that a broker decodes, of every API and version that it speaks.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use kafka_protocol::messages::ApiKey;
use kafka_sim::releases::KafkaVersion;
use kafka_sim::releases::apis::{highest, lowest};
use kafka_sim::vocab::Stream;
use kafka_sim::wire::message_set::{Magic, down_convert};
use kafka_sim::wire::records::{Batch, BatchBuilder};

use super::schema::{Length, Part, apis, parts, varint};

/// Stands for the id of the group's member, which is as long.
pub const MEMBER: &str = "fuzz-MMMMMMMM-MMMM-MMMM-MMMM-MMMMMMMMMMMM";

/// The parts of every API's body, by version.
pub type Schemas = BTreeMap<(i16, i16), Vec<Part>>;

/// Finds the parts of every API's body.
pub fn schemas() -> Schemas {
    apis().map(|(api, version)| ((api as i16, version), parts(api, version))).collect()
}

/// An array that is large, and what its elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// Which array, in the order of the request.
    pub array: usize,
    /// How many elements.
    pub count: usize,
    pub each: Each,
}

/// The elements of a large array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// They are the same, and name one thing of each kind.
    Same,
    /// They are the same, and have null for each array: all things of a kind.
    SameWithAll,
    /// Each has other texts and numbers than the one before.
    Distinct,
}

/// The versions of an API that a release speaks, in order.
pub fn versions(release: KafkaVersion, api: ApiKey) -> Vec<i16> {
    let highest = highest(release, api);
    highest.map_or_else(Vec::new, |highest| (lowest(release, api)..=highest).collect())
}

/// Draws a request that `release` speaks: a frame without its length.
pub fn draw(stream: &mut Stream, schemas: &Schemas, release: KafkaVersion) -> Vec<u8> {
    let spoken: Vec<_> = schemas
        .iter()
        .filter(|((key, version), _)| {
            let api = ApiKey::try_from(*key).expect("it is an API");
            versions(release, api).contains(version)
        })
        .collect();
    let (&(key, version), parts) = spoken[stream.below(spoken.len() as u64) as usize];
    let correlation_id = stream.below(1 << 31) as i32;
    let mut writer = Writer::new(Some(stream), None);
    writer.header(key, version, correlation_id);
    writer.parts(parts);
    writer.written
}

/// A request with one large array; the rest is what clients send.
pub fn bulk(schemas: &Schemas, api: ApiKey, version: i16, bulk: Bulk) -> Vec<u8> {
    let mut writer = Writer::new(None, Some(bulk));
    writer.header(api as i16, version, 7);
    writer.parts(&schemas[&(api as i16, version)]);
    writer.written
}

/// How many arrays there are among `parts`, and in them.
pub fn arrays(parts: &[Part]) -> usize {
    let of = |part: &Part| match part {
        Part::Array { element, .. } => 1 + arrays(element),
        _ => 0,
    };
    parts.iter().map(of).sum()
}

/// Writes a request.
struct Writer<'s> {
    /// Draws values; without it they are what clients send.
    stream: Option<&'s mut Stream>,
    bulk: Option<Bulk>,
    /// Arrays so far.
    arrays: usize,
    /// The number of the element that is written, in the large array.
    element: Option<usize>,
    /// Elements that may still be drawn: arrays within arrays grow fast.
    room: u64,
    written: Vec<u8>,
}

/// Numbers that are edges of something, cut to the size of their field.
const EDGES: [i64; 9] =
    [0, 1, -1, 2, i64::MAX, i64::MIN, i32::MAX as i64, i32::MIN as i64, i16::MAX as i64];

impl<'s> Writer<'s> {
    fn new(stream: Option<&'s mut Stream>, bulk: Option<Bulk>) -> Self {
        Self { stream, bulk, arrays: 0, element: None, room: 60, written: Vec::new() }
    }

    fn header(&mut self, key: i16, version: i16, correlation_id: i32) {
        self.written.extend(key.to_be_bytes());
        self.written.extend(version.to_be_bytes());
        self.written.extend(correlation_id.to_be_bytes());
        // One that is as long as a name can be has no room for what a coordinator adds.
        let client = if self.once_in(60) { "y".repeat(32_760) } else { "fuzz".to_owned() };
        self.written.extend((client.len() as i16).to_be_bytes());
        self.written.extend(client.as_bytes());
        let api = ApiKey::try_from(key).expect("it is an API");
        if api.request_header_version(version) >= 2 {
            self.written.push(0);
        }
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Plain { field, size } => self.plain(field, *size),
                Part::Text { field, length } => self.text(field, *length),
                Part::Array { count, element } => self.array(*count, element),
                Part::Tags => self.tags(),
            }
        }
    }

    /// One of `all` with `stream`, else the first.
    fn one<T: Clone>(&mut self, all: &[T]) -> T {
        let at = self.stream.as_mut().map_or(0, |stream| stream.below(all.len() as u64));
        all[at as usize].clone()
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.stream.as_mut().is_some_and(|stream| stream.below(times) == 0)
    }

    fn tags(&mut self) {
        if !self.once_in(20) {
            return self.written.push(0);
        }
        // One that no release knows.
        self.written.push(1);
        varint(77, &mut self.written);
        self.written.extend([3, 1, 2, 3]);
    }

    fn array(&mut self, count: Length, element: &[Part]) {
        let here = self.arrays;
        self.arrays += 1;
        let large = self.bulk.filter(|bulk| bulk.array == here);
        if self.has_all() {
            self.arrays += arrays(element);
            return count.write(None, &mut self.written);
        }
        let number = match (large, &mut self.stream) {
            (Some(bulk), _) => bulk.count,
            (None, Some(stream)) => {
                let most = if stream.below(30) == 0 { 60 } else { 4 };
                let number = stream.below(most).min(self.room);
                self.room -= number;
                number as usize
            }
            (None, None) => 1,
        };
        if number == 0 && self.once_in(2) {
            return count.write(None, &mut self.written);
        }
        count.write(Some(number), &mut self.written);
        let inner = self.arrays;
        for index in 0..number {
            // An element's arrays have the same numbers in each.
            self.arrays = inner;
            if large.is_some() {
                self.element = Some(index);
            }
            self.parts(element);
        }
        if number == 0 {
            self.arrays += arrays(element);
        }
        if large.is_some() {
            self.element = None;
        }
    }

    /// Whether arrays are to be null.
    fn has_all(&self) -> bool {
        self.element.is_some() && self.bulk.is_some_and(|bulk| bulk.each == Each::SameWithAll)
    }

    /// The number of the element, if each is to be another.
    fn distinct(&self) -> Option<usize> {
        self.element.filter(|_| self.bulk.is_some_and(|bulk| bulk.each == Each::Distinct))
    }

    fn plain(&mut self, field: &str, size: usize) {
        let usual: &[i64] = match field {
            "acks" | "replica_id" | "replication_factor" | "log_start_offset" => &[-1, -1, -1, 1],
            "isolation_level" => &[0, 1],
            "session_id" | "key_type" | "coordinator_type" => &[0, 0, 1],
            "session_epoch" => &[-1, 0, 1],
            "max_wait_ms" | "timeout_ms" | "timeout" => &[100, 0, 1_000, 40_000],
            "session_timeout_ms" | "rebalance_timeout_ms" => &[10_000, 6_000, 300_000],
            "transaction_timeout_ms" => &[60_000, 1_000],
            "max_bytes" | "partition_max_bytes" => &[1 << 20, 1 << 10, 50 << 20],
            "generation_id" | "generation_id_or_member_epoch" => &[-1, 1, 0, 2],
            "resource_type" => &[4, 2, 8],
            "producer_id" => &[0, -1, 1, 1_000],
            "num_partitions" => &[1, 3, -1],
            "count" => &[4, 3, 5],
            "current_leader_epoch" | "leader_epoch" => &[-1, 0, 1],
            "timestamp" => &[-1, -2, -3, 1_000],
            "partition_index" | "partition" | "partitions" | "partition_indexes" => &[0, 1, 2, 7],
            "max_num_offsets" => &[1, 100],
            _ => &[0, 1, -1],
        };
        let drawn = match self.distinct() {
            // As many partitions as there are topics would be their square.
            Some(index) if size >= 4 && field != "num_partitions" => index as i64,
            _ if self.once_in(8) => self.one(&EDGES),
            _ => self.one(usual),
        };
        let bytes = i128::from(drawn).to_be_bytes();
        self.written.extend(bytes.iter().cycle().skip(16 - size.min(16)).take(size));
    }

    fn text(&mut self, field: &str, length: Length) {
        // Null is possible in few places.
        if self.once_in(25) {
            return length.write(None, &mut self.written);
        }
        let bytes: Bytes = match field {
            "records" => self.records(),
            "metadata" | "assignment" if length == Length::Fixed(4) => {
                self.one(&[Bytes::from_static(b"bytes"), Bytes::new(), vec![7; 2_000].into()])
            }
            _ => self.name(field).into(),
        };
        length.write(Some(bytes.len()), &mut self.written);
        self.written.extend(bytes);
    }

    fn name(&mut self, field: &str) -> String {
        if let Some(index) = self.distinct() {
            return format!("x{index}");
        }
        let usual: &[&str] = match field {
            _ if field.contains("group_instance") => &["i", "j", ""],
            _ if field.contains("group") => &["g", "g", "h", ""],
            "key" | "coordinator_keys" | "keys" => &["g", "h", "t", ""],
            _ if field.contains("member") => &[MEMBER, MEMBER, "", "stranger"],
            "transactional_id" => &["t", "u", ""],
            "protocol_type" => &["consumer", "connect", ""],
            "protocol_name" => &["range", "roundrobin", ""],
            "config_name" | "configuration_keys" => &["retention.ms", "cleanup.policy", "no"],
            "value" => &["1", "compact", ""],
            "resource_name" => &["1", "orders", "2", "spare", ""],
            _ => &["orders", "orders", "spare", "new", "__consumer_offsets", "range", "", "a b"],
        };
        match self.once_in(30) {
            true => "y".repeat(self.one(&[249, 250, 5_000, 32_767])),
            false => self.one(usual).to_owned(),
        }
    }

    /// Records of a Produce request: right ones, cut ones, old ones, nested ones, several.
    fn records(&mut self) -> Bytes {
        let id = self.one(&[-1, -1, 0, 1_000]);
        let count = self.one(&[1, 1, 5, 300]);
        let batch = self.batch(id, count);
        let kinds = if self.stream.is_some() { 8 } else { 1 };
        match self.one(&(0..kinds).collect::<Vec<_>>()) {
            1 => batch.bytes.slice(..batch.bytes.len() / 2),
            2 => Bytes::new(),
            3 => [batch.bytes.clone(), batch.bytes].concat().into(),
            4 => nested(self.one(&[1, 2, 50])),
            kind @ (5 | 6) => {
                let magic = if kind == 5 { Magic::V0 } else { Magic::V1 };
                let old = down_convert(&batch.bytes, magic, 0, false, &mut (1 << 20));
                old.unwrap_or(batch.bytes)
            }
            7 => {
                let codec = self.one(&[1, 2, 3, 4]);
                let packed = batch.recompressed(codec, &mut (1 << 20));
                packed.map_or(batch.bytes, |batch| batch.bytes)
            }
            _ => batch.bytes,
        }
    }

    fn batch(&mut self, producer_id: i64, count: usize) -> Batch {
        let time = self.one(&[0, -1, i64::MAX]);
        let sequence = self.one(&[0, -1, i32::MAX]);
        let mut builder = BatchBuilder::new(0);
        if producer_id >= 0 {
            builder = builder.of_producer(producer_id, 0, sequence);
        }
        for number in 0..count {
            let time = if number == 0 { time } else { 0 };
            builder.push(time, None, Some(b"value"));
        }
        builder.build()
    }
}

/// A message of format 1 in so many others, each compressed with gzip.
pub fn nested(depth: usize) -> Bytes {
    let mut inner = message(b"value", 0);
    for _ in 0..depth {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&inner).expect("a vector takes all");
        inner = message(&packed.finish().expect("a vector takes all"), 1);
    }
    inner.into()
}

/// A message of format 1 without a key.
fn message(value: &[u8], codec: u8) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("a small value").to_be_bytes();
    let body = [&[1, codec][..], &[0; 8], &(-1i32).to_be_bytes(), &length, value].concat();
    let size = u32::try_from(body.len() + 4).expect("a small message").to_be_bytes();
    [&[0; 8][..], &size, &crc32fast::hash(&body).to_be_bytes(), &body].concat()
}
