//! Which partition a record goes to (`DefaultPartitioner`, `BuiltInPartitioner` of the Java client).

use crate::nodes::clients::metadata::Metadata;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::Stream;

/// MurmurHash2 in 32 bits with the seed that Kafka's Java client uses for keys.
pub fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ (key.len() as u32);
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        word = word.wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (at, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key: over all partitions, whether they have a leader or not.
pub fn of_key(key_hash: u32, partitions: usize) -> usize {
    (key_hash & 0x7fff_ffff) as usize % partitions
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Each record to the next partition (up to 2.3).
    RoundRobin,
    /// To one partition until a batch is full or closed (KIP-480, 2.4 to 3.2).
    StickyPerBatch,
    /// To one partition for `batch.size` bytes (KIP-794, 3.3+). The weighting by queue length is left out.
    StickyPerBytes,
}

/// State of the partitioner for one topic, for records without a key.
#[derive(Debug)]
pub struct Partitioner {
    kind: Kind,
    next: u64,
    sticky: Option<usize>,
    sticky_bytes: usize,
}

impl Partitioner {
    /// The partitioner of release `version`, its round-robin starting at a drawn place.
    pub fn new(version: KafkaVersion, stream: &mut Stream) -> Self {
        let kind = if version.has(Change::PartitionerByBytes) {
            Kind::StickyPerBytes
        } else if version.has(Change::StickyPartitioner) {
            Kind::StickyPerBatch
        } else {
            Kind::RoundRobin
        };
        Self { kind, next: stream.below(1 << 31), sticky: None, sticky_bytes: 0 }
    }

    /// The partition for the next record; only those with a leader unless none has one.
    pub fn choose(&mut self, topic: usize, metadata: &Metadata, stream: &mut Stream) -> usize {
        let partitions = metadata.partitions(topic);
        assert!(partitions > 0, "a topic without partitions has no place for a record");
        if self.kind == Kind::RoundRobin {
            let turn = self.next;
            self.next += 1;
            return nth_available(topic, metadata, turn);
        }
        if let Some(sticky) = self.sticky.filter(|&sticky| sticky < partitions) {
            return sticky;
        }
        let drawn = nth_available(topic, metadata, stream.bits32().into());
        self.sticky = Some(drawn);
        drawn
    }

    /// Whether a record that would begin a new batch looks for another partition first.
    pub fn moves_on_new_batch(&self) -> bool {
        self.kind == Kind::StickyPerBatch
    }

    /// Leaves the sticky partition; the next is another one if there is another with a leader.
    pub fn move_on(&mut self, topic: usize, metadata: &Metadata, stream: &mut Stream) -> usize {
        let old = self.sticky;
        let mut drawn = nth_available(topic, metadata, stream.bits32().into());
        if Some(drawn) == old {
            // The next after it, where Java draws again until it is another.
            let others = (1..metadata.partitions(topic))
                .map(|step| (drawn + step) % metadata.partitions(topic));
            drawn = others.into_iter().find(|&p| available(topic, metadata, p)).unwrap_or(drawn);
        }
        self.sticky = Some(drawn);
        drawn
    }

    /// A record of so many bytes went to the sticky partition.
    pub fn appended(&mut self, bytes: usize, batch_size: usize) {
        if self.kind == Kind::StickyPerBytes {
            self.sticky_bytes += bytes;
            if self.sticky_bytes >= batch_size {
                self.sticky_bytes = 0;
                self.sticky = None;
            }
        }
    }
}

fn available(topic: usize, metadata: &Metadata, partition: usize) -> bool {
    metadata.leader(topic, partition).is_some()
}

fn nth_available(topic: usize, metadata: &Metadata, n: u64) -> usize {
    let partitions = metadata.partitions(topic);
    if metadata.is_led_throughout(topic) {
        return (n % partitions as u64) as usize;
    }
    let with_leader = || (0..partitions).filter(|&p| available(topic, metadata, p));
    match with_leader().count() {
        0 => (n % partitions as u64) as usize,
        count => with_leader().nth((n % count as u64) as usize).expect("it is below the count"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_the_java_client() {
        // The vectors of Kafka's UtilsTest.testMurmur2.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn a_key_has_a_partition_whatever_the_sign_of_its_hash() {
        for key in 0..100u32 {
            assert!(of_key(murmur2(&key.to_be_bytes()), 7) < 7);
        }
    }
}
