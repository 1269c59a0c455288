//! The value of a workload's record: its producer, and its number.
//!
//! `p0:417:` followed by filling up to the record size; readable in any Kafka tool.

use bytes::{BufMut, Bytes, BytesMut};

/// The value of record `record` of producer `producer`, filled up with dots to `size_bytes`.
pub fn encode(producer: &str, record: u64, size_bytes: usize) -> Bytes {
    let mut value = BytesMut::with_capacity(size_bytes.max(32));
    value.put_slice(producer.as_bytes());
    value.put_u8(b':');
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = record;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    value.put_slice(&digits[at..]);
    value.put_u8(b':');
    if value.len() < size_bytes {
        value.put_bytes(b'.', size_bytes - value.len());
    }
    value.freeze()
}

/// The producer and record number that a value names; `None` when no workload wrote it.
pub fn decode(value: &[u8]) -> Option<(&str, u64)> {
    let mut parts = value.splitn(3, |&byte| byte == b':');
    let producer = std::str::from_utf8(parts.next()?).ok()?;
    let digits = parts.next()?;
    parts.next()?;
    let mut record = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        record = record.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    (!digits.is_empty()).then_some((producer, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_name_their_record_at_any_size() {
        for record in [0, 9, 10, 12_345, u64::MAX] {
            for size in [0, 10, 100] {
                let value = encode("p0", record, size);
                assert_eq!(decode(&value), Some(("p0", record)));
                assert!(value.len() >= size);
            }
        }
    }

    #[test]
    fn foreign_values_name_nothing() {
        for value in ["", "p0", "p0:", "p0:1", "p0:x:", "p0::", "a:99999999999999999999999:"] {
            assert_eq!(decode(value.as_bytes()), None, "{value:?}");
        }
    }
}
