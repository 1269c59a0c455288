//! What a leader makes of a batch before it appends it: the kind of time that the topic has.

use bytes::BytesMut;

use super::records::Batch;

/// Where the checksum is, and where what it covers begins.
const CRC: std::ops::Range<usize> = 17..21;
const COVERED: usize = 21;
const ATTRIBUTES: usize = 22;
const MAX_TIMESTAMP: std::ops::Range<usize> = 35..43;
const APPEND_TIME_BIT: u8 = 0b1000;
const TRANSACTION_BIT: u8 = 0b1_0000;

impl Batch {
    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.bytes[ATTRIBUTES] & TRANSACTION_BIT != 0
    }

    /// A copy whose records were appended at this time.
    #[must_use]
    pub fn at_append_time(&self, wall_ms: i64) -> Self {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[ATTRIBUTES] |= APPEND_TIME_BIT;
        bytes[MAX_TIMESTAMP].copy_from_slice(&wall_ms.to_be_bytes());
        self.with_checksum(bytes)
    }

    /// The same with the producer's times.
    #[must_use]
    pub fn at_create_time(self) -> Self {
        if !self.has_append_time() {
            return self;
        }
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[ATTRIBUTES] &= !APPEND_TIME_BIT;
        self.with_checksum(bytes)
    }

    fn with_checksum(&self, mut bytes: BytesMut) -> Self {
        let checksum = crc32c::crc32c(&bytes[COVERED..]);
        bytes[CRC].copy_from_slice(&checksum.to_be_bytes());
        Self { bytes: bytes.freeze(), checksum, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::BatchBuilder;

    #[test]
    fn the_time_of_the_append_is_the_time_of_all_records() {
        let mut builder = BatchBuilder::new(1_000);
        builder.push(1_000, Some(b"k"), Some(b"one"));
        builder.push(1_007, None, Some(b"two"));
        let appended = builder.build().at_append_time(5_000);
        assert_eq!((appended.verify(), appended.max_timestamp_ms()), (Ok(()), 5_000));
        let records = appended.records().unwrap();
        let times: Vec<_> = records.iter().map(|record| record.timestamp_ms).collect();
        assert_eq!(times, [5_000, 5_000]);
        let created = appended.at_create_time();
        assert!(!created.has_append_time() && created.verify().is_ok());
    }
}
