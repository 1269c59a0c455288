//! Messages of formats 0 and 1, with which clients before 0.11 write and read. Logs hold batches of format 2: what such
//! a client sends is converted to it, and back for it (`LogValidator`, `RecordsUtil.downConvert`).
//!
//! ```text
//! offset i64 · size i32 · CRC-32 u32 · magic i8 · attributes i8 · timestamp i64 (format 1) · key · value
//! ```
//! Key and value have a length of four bytes; −1 is null. The checksum covers all behind it. Compressed messages are
//! the value of one around them, which has the offset of the last; in format 1 the offsets within are relative.

use bytes::{BufMut, Bytes, BytesMut};

use super::compressed::{Fault, compress, decompress};
use super::records::{BATCH_HEADER_BYTES, Batch, BatchBuilder, BatchError, Record};
use crate::vocab::Offset;

/// Bytes of offset and size.
const LOG_OVERHEAD: usize = 12;
/// Bytes of a message of format 0 behind offset and size, when key and value are null.
const MESSAGE_MIN: usize = 14;
const LZ4: u8 = 3;
/// Of a message without one.
const NO_TIMESTAMP: i64 = -1;

/// A format that clients before 0.11 know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// Before 0.10: without timestamps.
    V0 = 0,
    /// 0.10.
    V1 = 1,
}

impl Magic {
    fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::V0),
            1 => Some(Self::V1),
            _ => None,
        }
    }
}

/// Whether records begin with a message of format 0 or 1.
pub fn is_message_set(records: &[u8]) -> bool {
    records.get(16).is_some_and(|magic| Magic::of(*magic).is_some())
}

/// One message as it is on the wire.
struct Message {
    offset: Offset,
    magic: Magic,
    codec: u8,
    timestamp_ms: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
}

fn field(bytes: &mut Bytes) -> Option<Option<Bytes>> {
    let length = i32::from_be_bytes(*bytes.first_chunk()?);
    let _ = bytes.split_to(4);
    let Ok(length) = usize::try_from(length) else { return Some(None) };
    (length <= bytes.len()).then(|| Some(bytes.split_to(length)))
}

impl Message {
    /// The first message; `None` when it is not whole.
    fn take(bytes: &mut Bytes) -> Result<Option<Self>, BatchError> {
        let Some(head) = bytes.first_chunk::<LOG_OVERHEAD>() else { return Ok(None) };
        let offset = i64::from_be_bytes(*head.first_chunk().expect("twelve bytes"));
        let length = i32::from_be_bytes(*head.last_chunk().expect("twelve bytes"));
        let size = usize::try_from(length).map_err(|_| BatchError::Length(length))?;
        if size < MESSAGE_MIN {
            return Err(BatchError::Length(length));
        }
        if bytes.len() < LOG_OVERHEAD + size {
            return Ok(None);
        }
        let mut message = bytes.split_to(LOG_OVERHEAD + size).split_off(LOG_OVERHEAD);
        let checksum = u32::from_be_bytes(*message.first_chunk().expect("its least size"));
        let mut message = message.split_off(4);
        if crc32fast::hash(&message) != checksum {
            return Err(BatchError::Checksum(offset));
        }
        let (number, attributes) = (message[0], message[1]);
        let magic = Magic::of(number).ok_or(BatchError::Magic(number as i8))?;
        let error = BatchError::Records(offset);
        let mut rest = message.split_off(2);
        let timestamp_ms = match magic {
            Magic::V0 => NO_TIMESTAMP,
            Magic::V1 => {
                let timestamp = i64::from_be_bytes(*rest.first_chunk().ok_or(error)?);
                let _ = rest.split_to(8);
                timestamp
            }
        };
        let key = field(&mut rest).ok_or(error)?;
        let value = field(&mut rest).ok_or(error)?;
        if !rest.is_empty() {
            return Err(error);
        }
        Ok(Some(Self { offset, magic, codec: attributes & 0b111, timestamp_ms, key, value }))
    }

    /// The messages within a compressed one.
    fn inner(&self, room: &mut u64) -> Result<Bytes, BatchError> {
        let body = self.value.as_deref().ok_or(BatchError::Records(self.offset))?;
        let fixed = (self.codec == LZ4 && self.magic == Magic::V0).then(|| lz4_mended(body));
        let body = fixed.as_deref().unwrap_or(body);
        let opened = decompress(self.codec, body, *room).map_err(|fault| match fault {
            Fault::Records => BatchError::Records(self.offset),
            Fault::Codec => BatchError::Decompress(self.offset),
            Fault::Size => BatchError::Bomb(self.offset),
            Fault::UnknownCodec(codec) => BatchError::Codec(codec),
        })?;
        *room -= opened.len() as u64;
        Ok(opened.into())
    }

    fn put(&self, appends: bool, buffer: &mut BytesMut) {
        let start = buffer.len();
        buffer.put_i64(self.offset);
        buffer.put_i32(0);
        buffer.put_u32(0);
        buffer.put_u8(self.magic as u8);
        let time_type = if appends && self.magic == Magic::V1 { 0b1000 } else { 0 };
        buffer.put_u8(self.codec | time_type);
        if self.magic == Magic::V1 {
            buffer.put_i64(self.timestamp_ms);
        }
        for field in [&self.key, &self.value] {
            match field {
                None => buffer.put_i32(-1),
                Some(field) => {
                    buffer.put_i32(i32::try_from(field.len()).expect("it came in a frame"));
                    buffer.put_slice(field);
                }
            }
        }
        let size = buffer.len() - start - LOG_OVERHEAD;
        let size = i32::try_from(size).expect("a message below 2 GiB");
        buffer[start + 8..start + LOG_OVERHEAD].copy_from_slice(&size.to_be_bytes());
        let checksum = crc32fast::hash(&buffer[start + 16..]);
        buffer[start + LOG_OVERHEAD..start + 16].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Where the checksum of an lz4 frame's head is: behind magic number, flags and block size.
const LZ4_HEAD: usize = 6;

fn with_head_checksum(frame: &[u8], covers: std::ops::Range<usize>) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame.len() > LZ4_HEAD {
        let hash = xxhash_rust::xxh32::xxh32(&frame[covers], 0);
        frame[LZ4_HEAD] = (hash >> 8) as u8;
    }
    frame
}

/// In format 0 the checksum of a frame's head also covers the magic number (KAFKA-3160); readers ignore it.
fn lz4_mended(frame: &[u8]) -> Vec<u8> {
    with_head_checksum(frame, 4..LZ4_HEAD)
}

fn lz4_as_in_v0(frame: &[u8]) -> Vec<u8> {
    with_head_checksum(frame, 0..LZ4_HEAD)
}

/// The messages of a set, those that are compressed opened, and their compression type. A message that is cut short at
/// the end is left out.
fn messages_of(records: &Bytes, room: &mut u64) -> Result<(Vec<Message>, u8), BatchError> {
    let (mut rest, mut all, mut codec) = (records.clone(), Vec::new(), 0);
    while let Some(message) = Message::take(&mut rest)? {
        if message.codec == 0 {
            all.push(message);
            continue;
        }
        codec = message.codec;
        let mut inner = message.inner(room)?;
        let before = all.len();
        while let Some(one) = Message::take(&mut inner)? {
            if one.codec != 0 || one.magic != message.magic {
                return Err(BatchError::Records(message.offset));
            }
            all.push(one);
        }
        if !inner.is_empty() || all.len() == before {
            return Err(BatchError::Records(message.offset));
        }
    }
    Ok((all, codec))
}

/// One batch of format 2 with the messages of a set, compressed as they were. `None` when there is none.
///
/// # Errors
/// See [`BatchError`]. `room` is as in [`Batch::check_records`].
pub fn up_convert(records: &Bytes, room: &mut u64) -> Result<Option<Batch>, BatchError> {
    let (messages, codec) = messages_of(records, room)?;
    let Some(first) = messages.first() else { return Ok(None) };
    let mut builder = BatchBuilder::new(first.timestamp_ms);
    for message in &messages {
        builder.push(message.timestamp_ms, message.key.as_deref(), message.value.as_deref());
    }
    let batch = builder.build();
    let batch = if codec == 0 { batch } else { batch.recompressed(codec, room)? };
    Ok(Some(batch))
}

/// One batch in an older format, from the record at `first_offset` on where records are messages of their own.
fn down_converted(
    batch: &Batch,
    to: Magic,
    first_offset: Offset,
    room: &mut u64,
) -> Result<BytesMut, BatchError> {
    let (codec, appends) = (batch.compression_type(), batch.has_append_time());
    let message = |record: Record, offset: Offset| Message {
        offset,
        magic: to,
        codec: 0,
        timestamp_ms: if appends { batch.max_timestamp_ms() } else { record.timestamp_ms },
        key: record.key,
        value: record.value,
    };
    let mut buffer = BytesMut::new();
    if batch.is_control() {
        return Ok(buffer);
    }
    let records = batch.open(room)?;
    if codec == 0 {
        for record in records.into_iter().filter(|record| record.offset >= first_offset) {
            let offset = record.offset;
            message(record, offset).put(appends, &mut buffer);
        }
        return Ok(buffer);
    }
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(buffer) };
    let (first, last) = (first.offset, last.offset);
    let mut inner = BytesMut::new();
    for record in records {
        let offset = if to == Magic::V0 { record.offset } else { record.offset - first };
        message(record, offset).put(appends, &mut inner);
    }
    let packed = compress(codec, &inner);
    let packed = if codec == LZ4 && to == Magic::V0 { lz4_as_in_v0(&packed) } else { packed };
    let around = Message {
        offset: last,
        magic: to,
        codec,
        timestamp_ms: batch.max_timestamp_ms(),
        key: None,
        value: Some(packed.into()),
    };
    around.put(appends, &mut buffer);
    Ok(buffer)
}

/// Fetched batches in an older format. Since 2.0 (`keeps_size`) a broker converts while it sends and has announced the
/// size before: what is missing is filled with the head of a message that is not whole, what is too much is cut, unless
/// it is in the first batch (`LazyDownConversionRecords`).
///
/// # Errors
/// See [`BatchError`]. `room` is as in [`Batch::check_records`].
pub fn down_convert(
    records: &Bytes,
    to: Magic,
    first_offset: Offset,
    keeps_size: bool,
    room: &mut u64,
) -> Result<Bytes, BatchError> {
    let (mut all, mut first_size) = (BytesMut::new(), None);
    for batch in Batch::all(records) {
        all.unsplit(down_converted(&batch?, to, first_offset, room)?);
        first_size.get_or_insert(all.len());
    }
    if keeps_size && let Some(first_size) = first_size {
        let size = records.len().max(first_size);
        let missing = size.saturating_sub(all.len());
        if missing > 0 {
            let mut filler = BytesMut::zeroed(missing.max(LOG_OVERHEAD));
            filler[..8].copy_from_slice(&(-1i64).to_be_bytes());
            // More than is left, and never less than the head of a batch, which is more than clients take for damage.
            let beyond = i32::try_from((missing + 1).max(BATCH_HEADER_BYTES)).unwrap_or(i32::MAX);
            filler[8..LOG_OVERHEAD].copy_from_slice(&beyond.to_be_bytes());
            all.unsplit(filler);
        }
        all.truncate(size);
    }
    Ok(all.freeze())
}

/// At most `limit` bytes of messages, but the first one as a whole if `first_whole`.
pub fn cut(messages: Bytes, limit: usize, first_whole: bool) -> Bytes {
    let size = messages.get(8..LOG_OVERHEAD).and_then(|size| size.first_chunk());
    let size = size.map_or(0, |size| i32::from_be_bytes(*size));
    let first = LOG_OVERHEAD + usize::try_from(size).unwrap_or(0);
    let least = if first_whole { first } else { 0 };
    let end = limit.max(least).min(messages.len());
    messages.slice(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::records::DECOMPRESSED_MAX;

    fn message(offset: Offset, magic: Magic, value: &str) -> Message {
        let timestamp_ms = if magic == Magic::V0 { NO_TIMESTAMP } else { 1_000 + offset };
        let (key, value) = (Some(Bytes::from_static(b"k")), Some(value.to_owned().into()));
        Message { offset, magic, codec: 0, timestamp_ms, key, value }
    }

    fn set(magic: Magic, values: &[&str]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for (offset, value) in (0..).zip(values) {
            message(offset, magic, value).put(false, &mut bytes);
        }
        bytes
    }

    /// A set within one compressed message.
    fn packed(magic: Magic, codec: u8, values: &[&str]) -> Bytes {
        let mut body = compress(codec, &set(magic, values));
        if codec == LZ4 && magic == Magic::V0 {
            body = lz4_as_in_v0(&body);
        }
        let mut bytes = BytesMut::new();
        let last = message(values.len() as i64 - 1, magic, "");
        Message { codec, key: None, value: Some(body.into()), ..last }.put(false, &mut bytes);
        bytes.freeze()
    }

    fn up(records: &Bytes) -> Result<Option<Batch>, BatchError> {
        up_convert(records, &mut { DECOMPRESSED_MAX })
    }

    fn values(batch: &Batch) -> Vec<(Offset, i64, String)> {
        let records = batch.open(&mut { DECOMPRESSED_MAX }).unwrap();
        let text =
            |record: &Record| String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap();
        records.iter().map(|record| (record.offset, record.timestamp_ms, text(record))).collect()
    }

    fn down(records: &Bytes, to: Magic, from: Offset, keeps_size: bool) -> Bytes {
        down_convert(records, to, from, keeps_size, &mut { DECOMPRESSED_MAX }).unwrap()
    }

    #[test]
    fn a_message_is_laid_out_as_kafka_does() {
        // From a 0.9 producer: offset 0, key null, value "a".
        let bytes = b"\0\0\0\0\0\0\0\0\0\0\0\x0f\x75\x70\x2a\x4e\0\0\xff\xff\xff\xff\0\0\0\x01a";
        let mut fixed = bytes.to_vec();
        let checksum = crc32fast::hash(&fixed[16..]);
        fixed[12..16].copy_from_slice(&checksum.to_be_bytes());
        let batch = up(&fixed.into()).unwrap().unwrap();
        assert_eq!(values(&batch), [(0, NO_TIMESTAMP, "a".to_owned())]);
    }

    #[test]
    fn sets_become_one_batch_and_back() {
        for magic in [Magic::V0, Magic::V1] {
            for codec in 0..=3 {
                let records = match codec {
                    0 => set(magic, &["a", "b", "c"]).freeze(),
                    _ => packed(magic, codec, &["a", "b", "c"]),
                };
                assert!(is_message_set(&records));
                let batch = up(&records).unwrap().unwrap();
                assert_eq!((batch.verify(), batch.compression_type()), (Ok(()), codec));
                let time = |n: i64| if magic == Magic::V0 { NO_TIMESTAMP } else { 1_000 + n };
                let expected = (0..3).zip(["a", "b", "c"]).map(|(n, v)| (n, time(n), v.to_owned()));
                assert_eq!(values(&batch), expected.collect::<Vec<_>>(), "{magic:?} {codec}");
                let stored = batch.stamped(10, 3);
                let back = down(&stored.bytes, magic, 0, false);
                let (messages, codec_again) =
                    messages_of(&back, &mut { DECOMPRESSED_MAX }).unwrap();
                assert_eq!((messages.len(), codec_again), (3, codec));
                let first = if codec == 0 || magic == Magic::V0 { 10 } else { 0 };
                assert_eq!(messages[0].offset, first, "relative within a message of format 1");
            }
        }
    }

    #[test]
    fn messages_are_cut_but_for_the_first() {
        // Three messages of 28 bytes.
        let messages = set(Magic::V0, &["a", "b", "c"]).freeze();
        for (limit, first_whole, left) in
            [(0, true, 28), (0, false, 0), (10, false, 10), (30, true, 30), (100, true, 84)]
        {
            assert_eq!(cut(messages.clone(), limit, first_whole), messages.slice(..left));
        }
        assert_eq!(cut(Bytes::new(), 5, true), Bytes::new());
    }

    #[test]
    fn damage_is_an_error() {
        let good = set(Magic::V1, &["a", "b"]).freeze();
        let mut flipped = BytesMut::from(&good[..]);
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(up(&flipped.freeze()), Err(BatchError::Checksum(1)));
        let cut = good.slice(..good.len() - 1);
        assert_eq!(up(&cut).unwrap().unwrap().count(), 1, "what is cut short does not count");
        assert_eq!(up(&Bytes::new()), Ok(None));
        let bomb = "x".repeat(5_000);
        let bomb = packed(Magic::V1, 1, &[&bomb]);
        assert!(matches!(up_convert(&bomb, &mut 1_000), Err(BatchError::Bomb(_))));
    }

    /// Java's client before 0.11 fails at a message of less than 14 bytes (`Record.RECORD_OVERHEAD_V0`), even at one
    /// that is not whole.
    #[test]
    fn what_fills_an_announced_size_is_no_damaged_message() {
        // Two messages lack some 23 bytes to the size of their batch.
        for (batches, records) in [(1, 1), (1, 2), (2, 2), (1, 3), (3, 1)] {
            let mut builder = BatchBuilder::new(1_000);
            (0..records).for_each(|_| builder.push(1_000, None, Some(b"v")));
            let stored = Bytes::from(builder.build().bytes.repeat(batches));
            let whole = down(&stored, Magic::V0, 0, false).len();
            let kept = down(&stored, Magic::V0, 0, true);
            if let Some(size) = kept.get(whole + 8..whole + LOG_OVERHEAD) {
                let size = i32::from_be_bytes(size.try_into().unwrap());
                let left = kept.len() - whole;
                assert!(size >= 61 && size as usize > left, "{size} bytes where {left} are");
            }
        }
    }

    #[test]
    fn an_announced_size_is_kept() {
        let mut builder = BatchBuilder::new(1_000);
        for value in [b"a", b"b"] {
            builder.push(1_000, None, Some(value));
        }
        let batch = builder.build();
        let stored = [batch.stamped(0, 1).bytes, batch.stamped(2, 1).bytes].concat();
        let stored = Bytes::from(stored);
        // Three messages of 27 bytes: offsets 1, 2 and 3.
        let eager = down(&stored, Magic::V0, 1, false);
        assert_eq!(eager.len(), 3 * 27);
        let lazy = down(&stored, Magic::V0, 1, true);
        assert_eq!(lazy.len(), stored.len());
        assert_eq!(lazy[..eager.len()], eager[..]);
        let (messages, _) = messages_of(&lazy, &mut { DECOMPRESSED_MAX }).unwrap();
        assert_eq!(messages.len(), 3, "the filler is not whole");
        // A single batch may be larger than it was.
        let mut builder = BatchBuilder::new(1_000);
        for _ in 0..9 {
            builder.push(1_000, None, Some(b"v"));
        }
        let many = builder.build().bytes;
        assert_eq!(down(&many, Magic::V1, 0, true).len(), 9 * 35);
    }
}
