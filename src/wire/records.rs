//! Record batches of format v2 (KIP-98), as they are stored, sent and checked.
//!
//! ```text
//! @0 base offset i64 · @8 length i32 · @12 partition leader epoch i32 · @16 magic i8 = 2 · @17 CRC-32C u32
//! @21 attributes i16 · @23 last offset delta i32 · @27 base timestamp i64 · @35 max timestamp i64
//! @43 producer id i64 · @51 producer epoch i16 · @53 base sequence i32 · @57 count i32 · @61 records
//! ```
//! The checksum covers everything from the attributes on, so that a leader can stamp base offset and leader
//! epoch without touching it.

use bytes::{BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::compressed::{Compressed, EachRecord, Fault, compress, decompress};
use crate::vocab::{LeaderEpoch, Offset};

/// Bytes of a batch before its records.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Most bytes that the batches of a request may decompress to. Kafka has no such bound; its producers fill batches of
/// `batch.size` = 16 KiB, and limit requests to a mebibyte.
pub const DECOMPRESSED_MAX: u64 = 64 << 20;
/// Bytes of a batch before what its length field counts.
const LENGTH_END: usize = 12;
const CRC_START: usize = 21;
/// The attribute of a batch that is part of a transaction.
const TRANSACTIONAL: u8 = 0b1_0000;

/// What is wrong with bytes that should be a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the header, or than the header announces.
    #[error("batch is not whole")]
    Incomplete,
    /// An older or unknown format.
    #[error("batch has magic {0}")]
    Magic(i8),
    /// The length field is below the size of a header.
    #[error("batch announces {0} bytes")]
    Length(i32),
    /// The checksum does not match.
    #[error("checksum of batch at offset {0} does not match")]
    Checksum(Offset),
    /// A record does not decode, or the count is wrong.
    #[error("records of batch at offset {0} do not decode")]
    Records(Offset),
    /// A compression type that does not exist.
    #[error("batch has compression type {0}")]
    Codec(u8),
    /// Its compressed records do not decompress.
    #[error("batch at offset {0} does not decompress")]
    Decompress(Offset),
    /// It decompresses to more than its request may.
    #[error("batch at offset {0} decompresses to too much")]
    Bomb(Offset),
    /// Compressed: stored as it came, and no simulated client opens it.
    #[error("batch at offset {0} is compressed")]
    Compressed(Offset),
}

/// One batch: a view of its bytes, with the fields that decide read out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// All bytes of the batch.
    pub bytes: Bytes,
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Leader epoch under which it was appended.
    pub leader_epoch: LeaderEpoch,
    /// Its CRC-32C.
    pub checksum: u32,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the range has N bytes")
}

impl Batch {
    /// The batch at the beginning of `bytes`. Its checksum is not looked at: see [`Batch::verify`].
    ///
    /// # Errors
    /// See [`BatchError`].
    pub fn first(bytes: &Bytes) -> Result<Self, BatchError> {
        if bytes.len() < BATCH_HEADER_BYTES {
            return Err(BatchError::Incomplete);
        }
        let length = i32::from_be_bytes(number(bytes, 8));
        let magic = i8::from_be_bytes(number(bytes, 16));
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let size = usize::try_from(length).map_err(|_| BatchError::Length(length))? + LENGTH_END;
        if size < BATCH_HEADER_BYTES {
            return Err(BatchError::Length(length));
        }
        if bytes.len() < size {
            return Err(BatchError::Incomplete);
        }
        let base_offset = i64::from_be_bytes(number(bytes, 0));
        let delta = i32::from_be_bytes(number(bytes, 23));
        if base_offset < 0 || delta < 0 {
            return Err(BatchError::Records(base_offset));
        }
        Ok(Self {
            base_offset,
            last_offset: base_offset.saturating_add(i64::from(delta)),
            leader_epoch: i32::from_be_bytes(number(bytes, 12)),
            checksum: u32::from_be_bytes(number(bytes, 17)),
            bytes: bytes.slice(..size),
        })
    }

    /// All batches of `bytes`, in order, up to the first that is not whole; what a fetch response holds may
    /// end within a batch.
    pub fn all(bytes: &Bytes) -> impl Iterator<Item = Result<Self, BatchError>> + use<> {
        let mut rest = bytes.clone();
        std::iter::from_fn(move || match Self::first(&rest) {
            Ok(batch) => {
                rest = rest.slice(batch.bytes.len()..);
                Some(Ok(batch))
            }
            Err(BatchError::Incomplete) => None,
            Err(other) => {
                rest = Bytes::new();
                Some(Err(other))
            }
        })
    }

    /// The offset behind the last whole batch of `bytes`; looks at lengths alone. `None` when there is none.
    pub fn end_of_all(bytes: &Bytes) -> Option<Offset> {
        let (mut at, mut end) = (0, None);
        while let Some(header) = bytes.get(at..at + BATCH_HEADER_BYTES) {
            let length = usize::try_from(i32::from_be_bytes(number(header, 8))).ok()?;
            at = at.checked_add(length)?.checked_add(LENGTH_END)?;
            if at > bytes.len() {
                break;
            }
            let base = i64::from_be_bytes(number(header, 0));
            let delta = i32::from_be_bytes(number(header, 23));
            end = Some(base.saturating_add(i64::from(delta)).saturating_add(1));
        }
        end
    }

    /// Checks the checksum.
    ///
    /// # Errors
    /// [`BatchError::Checksum`].
    pub fn verify(&self) -> Result<(), BatchError> {
        if crc32c::crc32c(&self.bytes[CRC_START..]) == self.checksum {
            Ok(())
        } else {
            Err(BatchError::Checksum(self.base_offset))
        }
    }

    /// How many records it holds, as announced.
    pub fn count(&self) -> i32 {
        i32::from_be_bytes(number(&self.bytes, 57))
    }

    /// The largest timestamp of its records, in milliseconds since 1970.
    pub fn max_timestamp_ms(&self) -> i64 {
        i64::from_be_bytes(number(&self.bytes, 35))
    }

    /// Its producer's id; −1 when the producer is not idempotent.
    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(number(&self.bytes, 43))
    }

    /// Its producer's epoch.
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(number(&self.bytes, 51))
    }

    /// The sequence of its first record at its producer.
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(number(&self.bytes, 53))
    }

    /// The sequence of its last record; behind 2³¹−1 comes 0. −1 when it has none.
    pub fn last_sequence(&self) -> i32 {
        let first = self.base_sequence();
        if first < 0 {
            return first;
        }
        let last = i64::from(first) + (self.last_offset - self.base_offset);
        i32::try_from(last % (1 << 31)).expect("it is below 2³¹")
    }

    /// A copy that is of an idempotent producer: what a producer does to a batch before each attempt.
    #[must_use]
    pub fn of_producer(&self, id: i64, epoch: i16, first_sequence: i32) -> Self {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[43..51].copy_from_slice(&id.to_be_bytes());
        bytes[51..53].copy_from_slice(&epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&first_sequence.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[CRC_START..]);
        bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
        Self { checksum, bytes: bytes.freeze(), ..*self }
    }

    /// A copy that is part of a transaction of its producer.
    #[must_use]
    pub fn of_transaction(&self, id: i64, epoch: i16, first_sequence: i32) -> Self {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[22] |= TRANSACTIONAL;
        Self { bytes: bytes.freeze(), ..*self }.of_producer(id, epoch, first_sequence)
    }

    /// A copy that begins at `base_offset` under `leader_epoch`: what a leader does to a batch.
    #[must_use]
    pub fn stamped(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        Self {
            last_offset: base_offset + (self.last_offset - self.base_offset),
            base_offset,
            leader_epoch,
            checksum: self.checksum,
            bytes: bytes.freeze(),
        }
    }

    /// Checks that its records decode, also when they are compressed.
    ///
    /// # Errors
    /// [`BatchError::Records`]; of a compressed batch also [`BatchError::Codec`], [`BatchError::Decompress`] and
    /// [`BatchError::Bomb`], when it has more than `room` bytes; else `room` becomes less by what it has.
    pub fn check_records(&self, room: &mut u64) -> Result<(), BatchError> {
        if self.is_compressed() {
            return self.check_compressed(room);
        }
        let error = BatchError::Records(self.base_offset);
        let mut reader = Reader { bytes: &self.bytes, at: BATCH_HEADER_BYTES };
        for _ in 0..self.count() {
            let record = reader.record(self.base_offset, 0).ok_or(error)?;
            if record.offset > self.last_offset {
                return Err(error);
            }
        }
        if reader.at == self.bytes.len() { Ok(()) } else { Err(error) }
    }

    fn check_compressed(&self, room: &mut u64) -> Result<(), BatchError> {
        self.pass_records(room, None)
    }

    fn pass_records(&self, room: &mut u64, each: Option<EachRecord<'_>>) -> Result<(), BatchError> {
        let records = Compressed {
            codec: self.compression_type(),
            body: &self.bytes[BATCH_HEADER_BYTES..],
            count: self.count(),
            last_delta: self.last_offset - self.base_offset,
        };
        records.check(room, each).map_err(|fault| self.fault(fault))
    }

    fn fault(&self, fault: Fault) -> BatchError {
        match fault {
            Fault::Records => BatchError::Records(self.base_offset),
            Fault::Codec => BatchError::Decompress(self.base_offset),
            Fault::Size => BatchError::Bomb(self.base_offset),
            Fault::UnknownCodec(codec) => BatchError::Codec(codec),
        }
    }

    /// Hands each record's offset to `each`, with a hash over its timestamp, key, value and headers: the same wherever
    /// the record is stored, and however it is compressed. As [`Batch::check_records`] otherwise.
    ///
    /// # Errors
    /// Those of [`Batch::check_records`]; `each` has got the records before then.
    pub fn hashes(
        &self,
        room: &mut u64,
        mut each: impl FnMut(Offset, u64),
    ) -> Result<(), BatchError> {
        let base = i64::from_be_bytes(number(&self.bytes, 27));
        self.pass_records(
            room,
            Some(&mut |offset, timestamp, fields| {
                let timestamp = base.wrapping_add(timestamp).to_le_bytes();
                let hash = xxh3_64_with_seed(&timestamp, fields);
                each(self.base_offset.saturating_add(offset), hash);
            }),
        )
    }

    /// How its records are compressed: 0 not at all, 1 gzip, 2 snappy, 3 lz4, 4 zstd (2.1+, KIP-110); others do not
    /// exist.
    pub fn compression_type(&self) -> u8 {
        self.bytes[22] & 0b111
    }

    /// Whether it holds a marker of a transaction instead of records.
    pub fn is_control(&self) -> bool {
        self.bytes[22] & 0b10_0000 != 0
    }

    /// Whether its records have the time of their append (`message.timestamp.type=LogAppendTime`).
    pub fn has_append_time(&self) -> bool {
        self.bytes[22] & 0b1000 != 0
    }

    fn is_compressed(&self) -> bool {
        self.compression_type() != 0
    }

    /// Its records.
    ///
    /// # Errors
    /// [`BatchError::Compressed`], or [`BatchError::Records`] when they do not decode.
    pub fn records(&self) -> Result<Vec<Record>, BatchError> {
        if self.is_compressed() {
            return Err(BatchError::Compressed(self.base_offset));
        }
        self.records_in(&self.bytes, BATCH_HEADER_BYTES)
    }

    /// Its records, decompressed if they are compressed.
    ///
    /// # Errors
    /// As [`Batch::check_records`], and with the same `room`.
    pub fn open(&self, room: &mut u64) -> Result<Vec<Record>, BatchError> {
        if !self.is_compressed() {
            return self.records();
        }
        let body = &self.bytes[BATCH_HEADER_BYTES..];
        let opened = decompress(self.compression_type(), body, *room);
        let opened = opened.map_err(|fault| self.fault(fault))?;
        *room -= opened.len() as u64;
        self.records_in(&opened.into(), 0)
    }

    /// The same records, compressed so; 0 is not at all.
    ///
    /// # Errors
    /// As [`Batch::check_records`], and with the same `room`.
    pub fn recompressed(&self, codec: u8, room: &mut u64) -> Result<Self, BatchError> {
        let body = &self.bytes[BATCH_HEADER_BYTES..];
        let opened = match self.compression_type() {
            0 => body.to_vec(),
            from => {
                let opened = decompress(from, body, *room).map_err(|fault| self.fault(fault))?;
                *room -= opened.len() as u64;
                opened
            }
        };
        let packed = if codec == 0 { opened } else { compress(codec, &opened) };
        let mut bytes = BytesMut::from(&self.bytes[..BATCH_HEADER_BYTES]);
        bytes.extend_from_slice(&packed);
        bytes[22] = (bytes[22] & !0b111) | codec;
        Ok(sealed(bytes, self.base_offset, self.last_offset, self.leader_epoch))
    }

    fn records_in(&self, bytes: &Bytes, at: usize) -> Result<Vec<Record>, BatchError> {
        let base_timestamp_ms = i64::from_be_bytes(number(&self.bytes, 27));
        let append_time = self.has_append_time().then(|| self.max_timestamp_ms());
        let error = BatchError::Records(self.base_offset);
        let mut reader = Reader { bytes, at };
        let mut records = Vec::new();
        for _ in 0..self.count() {
            let mut record = reader.record(self.base_offset, base_timestamp_ms).ok_or(error)?;
            record.timestamp_ms = append_time.unwrap_or(record.timestamp_ms);
            if record.offset > self.last_offset {
                return Err(error);
            }
            records.push(record);
        }
        if reader.at == bytes.len() { Ok(records) } else { Err(error) }
    }
}

/// One record, its bytes shared with its batch. Headers are skipped: no workload writes any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
}

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn varint(&mut self) -> Option<i64> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }

    fn field(&mut self, length: i64) -> Option<Option<Bytes>> {
        if length < 0 {
            return Some(None);
        }
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        if end > self.bytes.len() {
            return None;
        }
        let field = self.bytes.slice(self.at..end);
        self.at = end;
        Some(Some(field))
    }

    fn record(&mut self, base_offset: Offset, base_timestamp_ms: i64) -> Option<Record> {
        let length = usize::try_from(self.varint()?).ok()?;
        let end = self.at.checked_add(length)?;
        if end > self.bytes.len() || length == 0 {
            return None;
        }
        self.at += 1;
        let timestamp_ms = base_timestamp_ms.checked_add(self.varint()?)?;
        let offset = base_offset.checked_add(self.varint()?)?;
        let key = self.varint().and_then(|length| self.field(length))?;
        let value = self.varint().and_then(|length| self.field(length))?;
        for _ in 0..self.varint()? {
            for _ in 0..2 {
                let length = self.varint()?;
                self.field(length)?;
            }
        }
        (self.at == end).then_some(Record { offset, timestamp_ms, key, value })
    }
}

fn put_varint(buffer: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        buffer.put_u8((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest as u8);
}

fn varint_bytes(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

fn field_bytes(field: Option<&[u8]>) -> usize {
    field.map_or(1, |field| varint_bytes(field.len() as i64) + field.len())
}

fn put_field(buffer: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => put_varint(buffer, -1),
        Some(field) => {
            put_varint(buffer, field.len() as i64);
            buffer.put_slice(field);
        }
    }
}

/// Fills a batch, as a producer does: base offset 0, leader epoch −1.
#[derive(Debug)]
pub struct BatchBuilder {
    buffer: BytesMut,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    count: i32,
    /// Id, epoch and first sequence.
    producer: (i64, i16, i32),
    attributes: u8,
}

impl BatchBuilder {
    /// An empty batch whose first record will have this timestamp.
    pub fn new(base_timestamp_ms: i64) -> Self {
        let mut buffer = BytesMut::with_capacity(256);
        buffer.put_bytes(0, BATCH_HEADER_BYTES);
        Self {
            buffer,
            base_timestamp_ms,
            max_timestamp_ms: base_timestamp_ms,
            count: 0,
            producer: (-1, -1, -1),
            attributes: 0,
        }
    }

    /// Makes it a batch of an idempotent producer.
    #[must_use]
    pub fn of_producer(self, id: i64, epoch: i16, first_sequence: i32) -> Self {
        Self { producer: (id, epoch, first_sequence), ..self }
    }

    /// Makes it a batch of a transaction, or the marker of its end.
    #[must_use]
    pub fn of_transaction(self, is_marker: bool) -> Self {
        Self { attributes: if is_marker { 0b11_0000 } else { 0b1_0000 }, ..self }
    }

    /// Adds a record.
    pub fn push(&mut self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        let timestamp_delta = timestamp_ms - self.base_timestamp_ms;
        let offset_delta = i64::from(self.count);
        let length = 1
            + varint_bytes(timestamp_delta)
            + varint_bytes(offset_delta)
            + field_bytes(key)
            + field_bytes(value)
            + 1;
        let buffer = &mut self.buffer;
        put_varint(buffer, length as i64);
        buffer.put_i8(0);
        put_varint(buffer, timestamp_delta);
        put_varint(buffer, offset_delta);
        put_field(buffer, key);
        put_field(buffer, value);
        put_varint(buffer, 0);
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        self.count += 1;
    }

    /// How many records were added.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the batch so far.
    pub fn size_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The finished batch.
    ///
    /// # Panics
    /// When it has no record.
    pub fn build(self) -> Batch {
        assert!(self.count > 0, "a batch has a record");
        let mut bytes = self.buffer;
        bytes[12..16].copy_from_slice(&(-1i32).to_be_bytes());
        bytes[16] = 2;
        bytes[22] = self.attributes;
        bytes[23..27].copy_from_slice(&(self.count - 1).to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp_ms.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp_ms.to_be_bytes());
        let (id, epoch, sequence) = self.producer;
        bytes[43..51].copy_from_slice(&id.to_be_bytes());
        bytes[51..53].copy_from_slice(&epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.count.to_be_bytes());
        sealed(bytes, 0, i64::from(self.count - 1), -1)
    }
}

/// A batch of these bytes, to which length and checksum are added.
fn sealed(mut bytes: BytesMut, base_offset: Offset, last: Offset, epoch: LeaderEpoch) -> Batch {
    let length = i32::try_from(bytes.len() - LENGTH_END).expect("a batch below 2 GiB");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[CRC_START..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    Batch { base_offset, last_offset: last, leader_epoch: epoch, checksum, bytes: bytes.freeze() }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchDecoder;

    use super::*;

    fn batch(values: &[&str]) -> Batch {
        let mut builder = BatchBuilder::new(1_000);
        for (n, value) in values.iter().enumerate() {
            builder.push(1_000 + n as i64, Some(b"k"), Some(value.as_bytes()));
        }
        builder.build()
    }

    #[test]
    fn built_batches_decode_here_and_in_the_published_crate() {
        let batch = batch(&["one", "two", ""]).stamped(412, 3);
        assert_eq!(Batch::first(&batch.bytes), Ok(batch.clone()));
        assert_eq!(batch.verify(), Ok(()));
        let records = batch.records().unwrap();
        assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), [412, 413, 414]);
        assert_eq!(records[1].value.as_deref(), Some(&b"two"[..]));
        let theirs = RecordBatchDecoder::decode(&mut batch.bytes.clone()).unwrap();
        let theirs: Vec<_> = theirs.records.iter().map(|r| (r.offset, r.value.clone())).collect();
        assert_eq!(theirs, records.iter().map(|r| (r.offset, r.value.clone())).collect::<Vec<_>>());
    }

    #[test]
    fn stamping_keeps_the_checksum_valid_and_damage_breaks_it() {
        let stamped = batch(&["one"]).stamped(7, 1);
        assert_eq!(stamped.verify(), Ok(()));
        let mut bytes = BytesMut::from(&stamped.bytes[..]);
        *bytes.last_mut().unwrap() ^= 1;
        let damaged = Batch::first(&bytes.freeze()).unwrap();
        assert_eq!(damaged.verify(), Err(BatchError::Checksum(7)));
    }

    #[test]
    fn a_torn_batch_is_no_batch() {
        let whole = batch(&["one", "two"]).bytes;
        for length in 0..whole.len() {
            assert_eq!(Batch::first(&whole.slice(..length)), Err(BatchError::Incomplete));
        }
        let two = Bytes::from([&whole[..], &whole[..whole.len() - 1]].concat());
        assert_eq!(Batch::all(&two).count(), 1);
    }

    #[test]
    fn damaged_records_are_errors_and_not_panics() {
        let whole = batch(&["one", "two"]);
        for at in BATCH_HEADER_BYTES..whole.bytes.len() {
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut bytes = BytesMut::from(&whole.bytes[..]);
                bytes[at] = value;
                let _may_be_either = Batch::first(&bytes.freeze()).unwrap().records();
            }
        }
    }
}
