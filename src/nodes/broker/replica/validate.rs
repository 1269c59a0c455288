//! What a leader takes from a producer, and what it makes of it: `ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`.
//!
//! The log holds batches of format 2 only. Messages of formats 0 and 1 become one batch, as in every release since
//! 0.11; where the topic's format is older, what is lost in it is taken out of the batch, and Fetch gives it in that
//! format.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::settings::TopicSettings;
use crate::releases::{Change, KafkaVersion};
use crate::wire::message_set::up_convert;
use crate::wire::records::{Batch, BatchBuilder, BatchError, DECOMPRESSED_MAX, Record};

/// `CompressionType.ZSTD`, since 2.1 and Produce v7 (KIP-110).
const ZSTD: u8 = 4;
/// The first version of Produce whose clients may use it.
const WITH_ZSTD: i16 = 7;
/// The first version of Produce that is one batch of format 2.
const ONE_BATCH: i16 = 3;
/// Bytes of a batch up to its magic number, and before what its length field counts.
const TO_MAGIC: usize = 17;
const LENGTH_END: usize = 12;
/// The time of a message that has none.
const NO_TIMESTAMP: i64 = -1;
/// The least that a batch of any format counts.
const LEAST: i32 = 14;

/// A record that cannot be stored, of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its place in the batch.
    pub index: i32,
    /// What is wrong.
    pub why: String,
}

/// Why a batch is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Kafka's error.
    pub error: ResponseError,
    /// Whether the log was looked at, so that the answer says where it starts.
    pub reached_log: bool,
    /// Single records (2.4+).
    pub records: Vec<BadRecord>,
    /// A text.
    pub why: Option<String>,
}

impl From<ResponseError> for Refused {
    fn from(error: ResponseError) -> Self {
        Self { error, reached_log: false, records: Vec::new(), why: None }
    }
}

impl Refused {
    fn at_log(error: ResponseError) -> Self {
        Self { reached_log: true, ..error.into() }
    }
}

/// What begins the records of a partition (`ByteBufferLogInputStream`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// Nothing that is whole.
    Nothing,
    /// A batch that no release knows.
    Strange(i8),
    /// A batch of this format, and whether more follows.
    Batch { magic: i8, more: bool },
}

fn first(records: &[u8]) -> First {
    let (found, rest) = first_and_rest(records);
    match found {
        First::Batch { magic, .. } => {
            First::Batch { magic, more: first_and_rest(rest).0 != First::Nothing }
        }
        other => other,
    }
}

/// The first, as if no more followed, and what is behind it.
fn first_and_rest(records: &[u8]) -> (First, &[u8]) {
    if records.len() < TO_MAGIC {
        return (First::Nothing, &[]);
    }
    let length = i32::from_be_bytes(records[8..12].try_into().expect("4 bytes"));
    let magic = records[16] as i8;
    if length < LEAST || !(0..=2).contains(&magic) {
        return (First::Strange(magic), &[]);
    }
    match records.split_at_checked(length as usize + LENGTH_END) {
        Some((_, rest)) => (First::Batch { magic, more: false }, rest),
        None => (First::Nothing, &[]),
    }
}

/// Whether a Produce request in `api_version` with these records ends its connection: they are looked at where requests
/// are read.
pub fn ends_connection(records: Option<&Bytes>, version: KafkaVersion, api_version: i16) -> bool {
    if version.has(Change::RecordsCheckedApart) {
        return false;
    }
    let found = first(records.map_or(&[][..], |records| records));
    if version.has(Change::RecordsCheckedByPartition) {
        // The first batch of each partition is asked whether it is transactional.
        return matches!(found, First::Nothing | First::Strange(_));
    }
    let is_one = matches!(found, First::Batch { magic: 2, more: false });
    api_version >= ONE_BATCH && version.has(Change::BatchesOfFormat2) && !is_one
}

/// The topic and the moment of an append.
#[derive(Clone, Copy, Debug)]
pub struct Appending<'a> {
    /// The release.
    pub version: KafkaVersion,
    /// The version of Produce.
    pub api_version: i16,
    /// The topic's settings.
    pub settings: &'a TopicSettings,
    /// The wall clock.
    pub wall_ms: i64,
}

impl Appending<'_> {
    fn invalid(&self) -> ResponseError {
        match self.version.has(Change::InvalidRecordError) {
            true => ResponseError::InvalidRecord,
            false => ResponseError::CorruptMessage,
        }
    }

    /// The batch is not valid; since 2.4 the answer says where the log starts.
    fn invalid_batch(&self) -> Refused {
        let reached_log = self.version.has(Change::InvalidRecordError);
        Refused { reached_log, ..self.invalid().into() }
    }

    /// The batch to store; `None` when there is nothing to store, which is no error. `room` is how many bytes it may
    /// decompress to, and becomes less by what it does.
    ///
    /// # Errors
    /// Why it is not stored.
    pub fn batch(self, records: Option<&Bytes>, room: &mut u64) -> Result<Option<Batch>, Refused> {
        let empty = Bytes::new();
        let records = records.unwrap_or(&empty);
        let new_only = self.api_version >= ONE_BATCH;
        match first(records) {
            First::Nothing if new_only => Err(self.invalid().into()),
            First::Nothing => Ok(None),
            First::Strange(magic) => {
                let why = Some(format!("Invalid magic found in record: {magic}"));
                Err(Refused { why, ..ResponseError::CorruptMessage.into() })
            }
            First::Batch { magic: 0 | 1, .. } | First::Batch { more: true, .. } if new_only => {
                Err(self.invalid().into())
            }
            First::Batch { magic: 2, .. } => self.new_format(records, room).map(Some),
            First::Batch { .. } => self.old_format(records, room),
        }
    }

    fn new_format(self, records: &Bytes, room: &mut u64) -> Result<Batch, Refused> {
        let batch = Batch::first(records).map_err(|why| match why {
            // The checksum is looked at first.
            BatchError::Records(_) => self.invalid_batch(),
            _ => ResponseError::CorruptMessage.into(),
        })?;
        let codec = batch.compression_type();
        if codec == ZSTD && self.version.has(Change::Zstd) && self.api_version < WITH_ZSTD {
            return Err(ResponseError::UnsupportedCompressionType.into());
        }
        if batch.base_offset != 0 {
            return Err(self.invalid_batch());
        }
        self.check_size(&batch)?;
        batch.verify().map_err(|_| ResponseError::CorruptMessage)?;
        let last_codec = if self.version.has(Change::Zstd) { ZSTD } else { ZSTD - 1 };
        if codec > last_codec {
            return Err(Refused::at_log(ResponseError::UnknownServerError));
        }
        let whole = batch.bytes.len() == records.len();
        let counted = i64::from(batch.count()) == batch.last_offset - batch.base_offset + 1;
        let producer_id = batch.producer_id();
        let unsequenced = producer_id >= 0 && batch.base_sequence() < 0;
        if !whole || !counted || batch.is_control() || unsequenced {
            return Err(self.invalid_batch());
        }
        batch.check_records(room).map_err(|why| self.undecodable(why))?;
        let has_id = producer_id >= 0 || batch.is_transactional();
        if has_id && self.settings.magic < 2 {
            return Err(Refused::at_log(ResponseError::UnsupportedForMessageFormat));
        }
        self.check_each(&batch)?;
        self.finished(batch)
    }

    fn old_format(self, records: &Bytes, room: &mut u64) -> Result<Option<Batch>, Refused> {
        let batch = up_convert(records, room).map_err(|why| match why {
            BatchError::Bomb(_) | BatchError::Codec(_) | BatchError::Decompress(_) => {
                self.undecodable(why)
            }
            _ => ResponseError::CorruptMessage.into(),
        })?;
        let Some(batch) = batch else { return Ok(None) };
        self.check_each(&batch)?;
        let batch = self.finished(batch)?;
        // The size counts in the format that is stored.
        self.check_size(&batch)?;
        Ok(Some(batch))
    }

    fn check_size(&self, batch: &Batch) -> Result<(), Refused> {
        let limit = usize::try_from(self.settings.max_message_bytes).unwrap_or(0);
        if batch.bytes.len() > limit {
            return Err(ResponseError::MessageTooLarge.into());
        }
        Ok(())
    }

    fn undecodable(&self, why: BatchError) -> Refused {
        match why {
            // To Kafka an error that it did not expect.
            BatchError::Codec(_) | BatchError::Decompress(_) => {
                Refused::at_log(ResponseError::UnknownServerError)
            }
            // Kafka would accept it.
            BatchError::Bomb(_) => ResponseError::MessageTooLarge.into(),
            _ => self.invalid_batch(),
        }
    }

    fn has_time_bounds(&self) -> bool {
        let settings = self.settings;
        !settings.append_time
            && (settings.time_before_max_ms < i64::MAX || settings.time_after_max_ms < i64::MAX)
    }

    fn check_each(&self, batch: &Batch) -> Result<(), Refused> {
        let is_set = batch.has_append_time();
        if !self.settings.compacted && !self.has_time_bounds() && !is_set {
            return Ok(());
        }
        // What it decompresses to was counted before.
        let records = batch.open(&mut DECOMPRESSED_MAX.clone());
        let records: Vec<Record> = records.map_err(|why| self.undecodable(why))?;
        let bad = (0..).zip(&records).filter_map(|(index, record)| {
            let (error, why) = self.check_record(record, is_set)?;
            Some((error, BadRecord { index, why }))
        });
        let bad: Vec<(ResponseError, BadRecord)> = bad.collect();
        if bad.is_empty() {
            return Ok(());
        }
        let is_time = bad.iter().any(|(error, _)| *error == ResponseError::InvalidTimestamp);
        let records: Vec<BadRecord> = bad.into_iter().map(|(_, bad)| bad).collect();
        if !self.version.has(Change::InvalidRecordError) {
            let error = if is_time { ResponseError::InvalidTimestamp } else { self.invalid() };
            return Err(error.into());
        }
        let why = match is_time {
            true => "One or more records have been rejected due to invalid timestamp".to_owned(),
            false if self.version.has(Change::RejectedRecordsNamed) => named(&records),
            false => "One or more records have been rejected".to_owned(),
        };
        let error = if is_time { ResponseError::InvalidTimestamp } else { self.invalid() };
        Err(Refused { error, reached_log: true, records, why: Some(why) })
    }

    fn check_record(&self, record: &Record, set: bool) -> Option<(ResponseError, String)> {
        if self.settings.compacted && record.key.is_none() {
            let why = "Compacted topic cannot accept message without key in topic partition.";
            return Some((self.invalid(), why.to_owned()));
        }
        let (now, time) = (self.wall_ms, record.timestamp_ms);
        let (before, after) = (self.settings.time_before_max_ms, self.settings.time_after_max_ms);
        let is_timed = !self.settings.append_time && time != NO_TIMESTAMP;
        if is_timed && (now.saturating_sub(time) > before || time.saturating_sub(now) > after) {
            let (least, most) = (now.saturating_sub(before), now.saturating_add(after));
            let offset = record.offset;
            let why = format!(
                "Timestamp {time} of message with offset {offset} is out of range. The timestamp \
                 should be within [{least}, {most}]"
            );
            return Some((ResponseError::InvalidTimestamp, why));
        }
        if !set || is_timed && self.version.has(Change::AppendTimeBitCleared) {
            return None;
        }
        let why = "Invalid timestamp type in message. Producer should not set timestamp type to \
                   LogAppendTime.";
        Some((ResponseError::InvalidTimestamp, why.to_owned()))
    }

    /// The batch as it is stored: in the topic's codec, with the topic's kind of time, without what the topic's format
    /// does not have.
    fn finished(self, batch: Batch) -> Result<Batch, Refused> {
        let mut room = DECOMPRESSED_MAX;
        let codec = self.settings.codec.unwrap_or_else(|| batch.compression_type());
        let mut batch = batch;
        if self.settings.magic == 0 {
            batch = without_times(&batch, &mut room).map_err(|why| self.undecodable(why))?;
        }
        if codec != batch.compression_type() {
            let packed = batch.recompressed(codec, &mut room);
            batch = packed.map_err(|why| self.undecodable(why))?;
        }
        Ok(match self.settings.append_time && self.settings.magic > 0 {
            true => batch.at_append_time(self.wall_ms),
            false => batch.at_create_time(),
        })
    }
}

fn named(records: &[BadRecord]) -> String {
    let count = records.len();
    let shown = records.iter().take(3).map(|BadRecord { index, why }| {
        format!("RecordError(batchIndex={index}, message='{why}')")
    });
    let shown: Vec<_> = shown.collect();
    format!(
        "One or more records have been rejected due to {count} record errors in total, and only \
         showing the first three errors at most: [{}]",
        shown.join(", ")
    )
}

/// Messages of format 0 have no times, and no headers.
fn without_times(batch: &Batch, room: &mut u64) -> Result<Batch, BatchError> {
    let mut builder = BatchBuilder::new(NO_TIMESTAMP);
    for record in batch.open(room)? {
        builder.push(NO_TIMESTAMP, record.key.as_deref(), record.value.as_deref());
    }
    builder.build().recompressed(batch.compression_type(), room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::broker::TopicOverrides;
    use crate::nodes::testing::settings::broker;

    const NOW_MS: i64 = 1_000_000;

    /// One look behind the first message is enough: a request can hold more of them than a stack has frames.
    #[test]
    fn a_million_old_messages_are_looked_at_once() {
        let mut message = [0; 26];
        message[11] = 14;
        let many = message.repeat(1_000_000);
        assert_eq!(first(&many), First::Batch { magic: 0, more: true });
        assert_eq!(first(&many[..26]), First::Batch { magic: 0, more: false });
        assert_eq!(first(&many[..25]), First::Nothing);
    }

    fn settings(version: &str, own: &[(&str, &str)]) -> TopicSettings {
        let config = broker(1, version.parse().unwrap(), Vec::new());
        let own: TopicOverrides =
            own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicSettings::new(&config, &own)
    }

    fn batch(keys: &[Option<&[u8]>]) -> Batch {
        let mut builder = BatchBuilder::new(NOW_MS - 3_600);
        for key in keys {
            builder.push(NOW_MS - 3_600, *key, Some(b"a"));
        }
        builder.build()
    }

    fn append(
        version: &str,
        api_version: i16,
        own: &[(&str, &str)],
        records: &[u8],
    ) -> Result<Option<Batch>, Refused> {
        let settings = settings(version, own);
        let version = version.parse().unwrap();
        let appending = Appending { version, api_version, settings: &settings, wall_ms: NOW_MS };
        let records = Bytes::copy_from_slice(records);
        appending.batch(Some(&records), &mut DECOMPRESSED_MAX.clone())
    }

    /// The error's number, whether the log was reached, the bad records and whether they have a text.
    fn refusal(
        version: &str,
        own: &[(&str, &str)],
        records: &[u8],
    ) -> (i16, bool, Vec<i32>, Option<String>) {
        let refused = append(version, 3, own, records).expect_err("it is refused");
        let bad = refused.records.iter().map(|bad| bad.index).collect();
        (refused.error.code(), refused.reached_log, bad, refused.why)
    }

    #[test]
    fn what_is_no_batch_ends_the_connection_or_is_refused() {
        let one = batch(&[None]).bytes;
        let two = [&one[..], &one[..]].concat();
        let cut = &one[..one.len() - 5];
        let mut strange = one.to_vec();
        strange[16] = 3;
        // As real brokers of these releases answered; -9 is a closed connection.
        for (name, records, codes) in [
            ("empty", &b""[..], [-9, -9, -9, 87]),
            ("five bytes", b"abcde", [-9, -9, -9, 87]),
            ("cut short", cut, [-9, -9, -9, 87]),
            ("magic 3", &strange, [-9, -9, -9, 2]),
            ("two batches", &two, [-9, 87, 87, 87]),
        ] {
            let code = |version: &str| {
                let release = version.parse().unwrap();
                match ends_connection(Some(&Bytes::copy_from_slice(records)), release, 3) {
                    true => -9,
                    false => refusal(version, &[], records).0,
                }
            };
            assert_eq!(["2.0", "2.4", "2.6", "2.8"].map(code), codes, "{name}");
        }
        let nothing = append("2.8", 2, &[], b"");
        assert_eq!(nothing, Ok(None), "an old client may send nothing");
    }

    #[test]
    fn batches_that_contradict_themselves_are_refused() {
        let mut base = batch(&[None]).bytes.to_vec();
        base[7] = 77;
        assert_eq!(refusal("2.8", &[], &base), (87, true, vec![], None));
        assert_eq!(refusal("1.1", &[], &base), (2, false, vec![], None));
        let mut damaged = batch(&[None]).bytes.to_vec();
        damaged[17] ^= 1;
        assert_eq!(refusal("2.8", &[], &damaged), (2, false, vec![], None));
    }

    #[test]
    fn records_that_cannot_be_stored_are_named() {
        let compact = &[("cleanup.policy", "compact")];
        let records = batch(&[Some(b"k"), None]).bytes;
        assert_eq!(refusal("1.1", compact, &records), (2, false, vec![], None));
        let text = Some("One or more records have been rejected".to_owned());
        assert_eq!(refusal("2.4", compact, &records), (87, true, vec![1], text.clone()));
        assert_eq!(refusal("2.8", compact, &records), (87, true, vec![1], text));
        let (.., named) = refusal("3.3", compact, &records);
        let named = named.expect("it has a text");
        assert!(named.contains("1 record errors in total"), "{named}");
        let bound = &[("message.timestamp.difference.max.ms", "1000")];
        let text =
            Some("One or more records have been rejected due to invalid timestamp".to_owned());
        assert_eq!(refusal("2.8", bound, &records), (32, true, vec![0, 1], text));
        assert_eq!(refusal("1.1", bound, &records), (32, false, vec![], None));
        let before = &[("message.timestamp.before.max.ms", "1000")];
        assert_eq!(refusal("3.9", before, &records).0, 32);
        assert!(append("3.9", 3, &[("message.timestamp.after.max.ms", "1")], &records).is_ok());
    }

    #[test]
    fn the_bit_of_the_append_time_is_not_the_producers() {
        let says_so = batch(&[None]).at_append_time(NOW_MS).bytes;
        for (version, code) in [("1.1", Some(32)), ("3.3", Some(32)), ("3.9", None)] {
            let found = append(version, 3, &[], &says_so);
            let refused = found.as_ref().err().map(|refused| refused.error.code());
            assert_eq!(refused, code, "{version}");
            let stored = found.ok().flatten().map(|batch| batch.has_append_time());
            assert_eq!(stored, code.is_none().then_some(false), "{version}");
        }
        let topic = &[("message.timestamp.type", "LogAppendTime")];
        let stored = append("2.8", 3, topic, &batch(&[None]).bytes).unwrap().unwrap();
        assert_eq!((stored.has_append_time(), stored.max_timestamp_ms()), (true, NOW_MS));
    }

    #[test]
    fn a_topics_codec_is_that_of_what_is_stored() {
        let codec = |name: &str, records: &Batch| {
            let own = &[("compression.type", name)];
            append("2.8", 9, own, &records.bytes).unwrap().unwrap().compression_type()
        };
        let plain = batch(&[None]);
        let gzip = plain.recompressed(1, &mut DECOMPRESSED_MAX.clone()).unwrap();
        let names = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];
        assert_eq!(names.map(|name| codec(name, &plain)), [0, 1, 2, 3, 4]);
        assert_eq!(names.map(|name| codec(name, &gzip)), [0, 1, 2, 3, 4]);
        assert_eq!((codec("producer", &plain), codec("producer", &gzip)), (0, 1));
    }

    #[test]
    fn messages_of_old_formats_are_taken_and_kept() {
        // A message of format 1 with the value `a`, as a client of 0.10 sends it.
        let body = [&[1, 0][..], &7_i64.to_be_bytes(), &[0xff; 4], &[0, 0, 0, 1], b"a"].concat();
        let checksum = crc32fast::hash(&body).to_be_bytes();
        let size = (body.len() as i32 + 4).to_be_bytes();
        let message = [&[0; 8][..], &size, &checksum, &body].concat();
        for version in ["0.10", "1.1", "3.9"] {
            let stored = append(version, 2, &[], &message).unwrap().expect("a record");
            let records = stored.records().unwrap();
            assert_eq!(records[0].value.as_deref(), Some(&b"a"[..]), "{version}");
            assert_eq!(records[0].timestamp_ms, 7, "{version}");
        }
        assert_eq!(refusal("2.8", &[], &message).0, 87, "not since v3");
        let formats = ["0.10", "0.11", "3.9"].map(|version| settings(version, &[]).magic);
        assert_eq!(formats, [1, 2, 2]);
    }

    #[test]
    fn a_topic_may_have_an_older_format_up_to_2_8() {
        let magic =
            |version, format| settings(version, &[("message.format.version", format)]).magic;
        assert_eq!(["0.9.0", "0.10.2", "1.0"].map(|format| magic("2.8", format)), [0, 1, 2]);
        assert_eq!(magic("3.0", "0.9.0"), 2);
        let own = &[("message.format.version", "0.9.0")];
        let stored = append("2.8", 3, own, &batch(&[None]).bytes).unwrap().unwrap();
        assert_eq!(stored.records().unwrap()[0].timestamp_ms, NO_TIMESTAMP);
    }
}
