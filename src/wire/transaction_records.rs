//! Records of `__transaction_state`: what a transaction coordinator writes, and what the next one reads
//! (`TransactionLog`; since 2.8 generated from `TransactionLogKey.json` and `TransactionLogValue.json`).
//!
//! Text is an i16 length and UTF-8, an array an i32 count; −1 is null. Key and value begin with their version: all
//! releases here write 0.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

use super::group_records::{Reader, put_text};

/// The one version of keys and values.
const VERSION: i16 = 0;

/// The state of a transactional id, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionValue {
    /// The producer id.
    pub producer_id: i64,
    /// The epoch of the producer.
    pub producer_epoch: i16,
    /// `transaction.timeout.ms` of the producer.
    pub timeout_ms: i32,
    /// The state's number.
    pub state: i8,
    /// The partitions of the transaction by topic; `None` in the state Empty.
    pub partitions: Option<Vec<(StrBytes, Vec<i32>)>>,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
    /// When the transaction began; −1 when there was none.
    pub start_ms: i64,
}

/// The key of a transactional id, as it is stored.
pub fn encode_key(id: &str) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    put_text(&mut out, id);
    out.freeze()
}

/// The transactional id of a key; `None` when it is cut short or of another version.
pub fn decode_key(mut bytes: Bytes) -> Option<StrBytes> {
    let mut reader = Reader(&mut bytes);
    (reader.i16()? == VERSION).then(|| reader.text())?
}

fn count(length: usize) -> i32 {
    i32::try_from(length).expect("fewer than 2³¹ partitions")
}

impl TransactionValue {
    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(VERSION);
        out.put_i64(self.producer_id);
        out.put_i16(self.producer_epoch);
        out.put_i32(self.timeout_ms);
        out.put_i8(self.state);
        match &self.partitions {
            None => out.put_i32(-1),
            Some(topics) => {
                out.put_i32(count(topics.len()));
                for (topic, partitions) in topics {
                    put_text(&mut out, topic);
                    out.put_i32(count(partitions.len()));
                    partitions.iter().for_each(|partition| out.put_i32(*partition));
                }
            }
        }
        out.put_i64(self.updated_ms);
        out.put_i64(self.start_ms);
        out.freeze()
    }

    /// Reads a value; `None` when it is cut short or of another version.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let mut reader = Reader(&mut bytes);
        if reader.i16()? != VERSION {
            return None;
        }
        let mut value = Self {
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            timeout_ms: reader.i32()?,
            state: reader.i8()?,
            ..Self::default()
        };
        if let Ok(topics) = usize::try_from(reader.i32()?) {
            let mut all = Vec::new();
            for _ in 0..topics {
                let topic = reader.text()?;
                let mut partitions = Vec::new();
                for _ in 0..reader.i32()? {
                    partitions.push(reader.i32()?);
                }
                all.push((topic, partitions));
            }
            value.partitions = Some(all);
        }
        value.updated_ms = reader.i64()?;
        value.start_ms = reader.i64()?;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_laid_out_as_in_kafka() {
        // `TransactionLog.keyToBytes` and `valueToBytes` of 2.8.
        let key = [0, 0, 0, 1, b'x'];
        assert_eq!(encode_key("x")[..], key);
        assert_eq!(decode_key(Bytes::copy_from_slice(&key)).as_deref(), Some("x"));
        assert_eq!(decode_key(Bytes::from_static(&[0, 1, 0, 1, b'x'])), None);
        assert_eq!(decode_key(Bytes::from_static(&[0, 0, 0, 9, b'x'])), None);
        let value = TransactionValue {
            producer_id: 7,
            producer_epoch: 2,
            timeout_ms: 60_000,
            state: 1,
            partitions: Some(vec![(StrBytes::from_static_str("t"), vec![0, 3])]),
            updated_ms: 9,
            start_ms: 8,
        };
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 0, 0, 0xea, 0x60, 1];
        bytes.extend([0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8]);
        assert_eq!(value.encode()[..], bytes);
        assert_eq!(TransactionValue::decode(value.encode()), Some(value.clone()));
        let empty = TransactionValue { state: 0, partitions: None, start_ms: -1, ..value };
        assert_eq!(empty.encode()[17..21], [255; 4]);
        assert_eq!(TransactionValue::decode(empty.encode()), Some(empty.clone()));
        let short = empty.encode().slice(..30);
        assert_eq!(TransactionValue::decode(short), None);
    }
}
