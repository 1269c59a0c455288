//! In which order a controller goes over replicas: that of Scala's collections, which is fixed by what they hold.
//!
//! The order shows in ZooKeeper: where all replicas of a partition go offline, it says when the leader is lost, and
//! which replica stays in the ISR. Up to 1.0 replicas are gone over one by one, as an immutable set has them. Since
//! then they are grouped by broker: in groups of up to four brokers a mutable map's order stays. The order was recorded
//! with three brokers; that of Scala 2.13 (since Kafka 2.7) is the order of ids there, and is taken to be so with more.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::context::Replica;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, TopicPartition};

/// Up to so many keys an immutable map keeps the order in which they came (`Map4`).
const SMALL_MAP: usize = 4;
/// The bits of the index into a mutable map of few keys: it has 16 bins.
const BIN_BITS: u32 = 4;
/// The seed of the hash of a case class.
const CASE_CLASS_SEED: u32 = 0xcafe_babe;
/// Levels of a trie: each takes five bits of the hash, the lowest first.
const LEVELS: usize = 7;

/// What goes offline together, in order: some partitions' replicas on one broker.
pub(super) fn by_broker(
    version: KafkaVersion,
    mut replicas: Vec<Replica>,
) -> Vec<(BrokerId, Vec<TopicPartition>)> {
    if !version.has(Change::ReplicasGroupedByBroker) {
        replicas.sort_by_key(|replica| trie_place(replica_hash(replica)));
        return runs(replicas);
    }
    let mut groups: BTreeMap<BrokerId, Vec<TopicPartition>> = BTreeMap::new();
    for (at, id) in replicas {
        groups.entry(id).or_default().push(at);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    if !version.has(Change::NewScalaCollections) {
        match groups.len() {
            0..=SMALL_MAP => groups.sort_by_key(|(id, _)| Reverse(bin(id.0 as u32))),
            _ => groups.sort_by_key(|(id, _)| trie_place(id.0 as u32)),
        }
    }
    groups
}

/// Neighbours on one broker, together and in the order of their names.
fn runs(replicas: Vec<Replica>) -> Vec<(BrokerId, Vec<TopicPartition>)> {
    let mut runs: Vec<(BrokerId, Vec<TopicPartition>)> = Vec::new();
    for (at, id) in replicas {
        match runs.last_mut() {
            Some((broker, partitions)) if *broker == id => partitions.push(at),
            _ => runs.push((id, vec![at])),
        }
    }
    runs.iter_mut().for_each(|(_, partitions)| partitions.sort());
    runs
}

/// The bin of a mutable map of 16 bins, up to Scala 2.12 (`HashTable.index`). Bins are gone over from the last.
fn bin(hash: u32) -> u32 {
    turned(hash) >> (u32::BITS - BIN_BITS)
}

/// A hash of which the highest bits name the bin.
fn turned(hash: u32) -> u32 {
    const FACTOR: u32 = 0x9e37_75cd;
    let mixed = hash.wrapping_mul(FACTOR).swap_bytes().wrapping_mul(FACTOR);
    // Turned by the number of bits that an index has in a new map.
    mixed.rotate_right(BIN_BITS)
}

/// The order in which a mutable map goes over numbers that were added one by one: from the last bin, in each from the
/// newest. It has twice as many bins when three quarters as many numbers are in it.
pub fn in_order_of_bins(numbers: impl IntoIterator<Item = i32>) -> Vec<i32> {
    let bin = |number: i32, bins: &[Vec<i32>]| {
        let bits = bins.len().trailing_zeros();
        (turned(number as u32) >> (u32::BITS - bits)) as usize
    };
    // The oldest first.
    let mut bins: Vec<Vec<i32>> = vec![Vec::new(); 1 << BIN_BITS];
    for (count, number) in (1..).zip(numbers) {
        let at = bin(number, &bins);
        bins[at].push(number);
        if count > bins.len() * 3 / 4 {
            let mut larger = vec![Vec::new(); 2 * bins.len()];
            for number in bins.into_iter().rev().flat_map(|bin| bin.into_iter().rev()) {
                let at = bin(number, &larger);
                larger[at].push(number);
            }
            bins = larger;
        }
    }
    bins.into_iter().rev().flat_map(|bin| bin.into_iter().rev()).collect()
}

/// The place in an immutable set or map, up to Scala 2.12 (`HashSet.improve`).
fn trie_place(hash: u32) -> [u8; LEVELS] {
    let mut hash = hash.wrapping_add(!(hash << 9));
    hash ^= hash >> 14;
    hash = hash.wrapping_add(hash << 4);
    hash ^= hash >> 10;
    std::array::from_fn(|level| (hash >> (5 * level) & 31) as u8)
}

/// The hash of `PartitionAndReplica` as it was up to 1.0: topic, partition, replica.
fn replica_hash((at, id): &Replica) -> u32 {
    let add = |all: u32, unit: u16| all.wrapping_mul(31).wrapping_add(unit.into());
    let topic = at.topic.encode_utf16().fold(0, add);
    let fields = [topic, at.partition as u32, id.0 as u32];
    let mut hash = fields.into_iter().fold(CASE_CLASS_SEED, mix) ^ fields.len() as u32;
    // The end of MurmurHash3.
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// One step of MurmurHash3.
fn mix(hash: u32, field: u32) -> u32 {
    let field = field.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (hash ^ field).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(version: &str, replicas: Vec<Replica>) -> Vec<i32> {
        let groups = by_broker(version.parse().unwrap(), replicas);
        groups.into_iter().map(|(id, _)| id.0).collect()
    }

    /// Recorded: the states that steps `delete-by-znode`, `delete` and `delete-while-down` write.
    #[test]
    fn replicas_go_offline_in_the_order_of_scalas_collections() {
        for (version, topic, order) in [
            ("0.11", "gone-zk", [2, 3, 1]),
            ("0.11", "gone-api", [1, 3, 2]),
            ("1.1", "gone-zk", [2, 1, 3]),
            ("1.1", "gone-api", [2, 1, 3]),
            ("2.0", "gone-api", [2, 1, 3]),
            ("2.4", "gone-zk", [2, 1, 3]),
            ("2.6", "gone-api", [2, 1, 3]),
            ("2.7", "gone-zk", [1, 2, 3]),
            ("2.8", "gone-api", [1, 2, 3]),
        ] {
            let replicas = [1, 2, 3].map(|id| (TopicPartition::new(topic, 0), BrokerId(id)));
            assert_eq!(brokers(version, replicas.into()), order, "{topic} in {version}");
        }
        for (version, order) in [("0.11", [2, 1]), ("1.1", [2, 1]), ("2.8", [1, 2])] {
            let replicas = [1, 2].map(|id| (TopicPartition::new("gone-late", 0), BrokerId(id)));
            assert_eq!(brokers(version, replicas.into()), order, "{version}");
        }
    }

    #[test]
    fn a_mutable_map_is_gone_over_from_its_last_bin() {
        // Recorded: the partitions of a topic that the Java client lists on 1.1.
        assert_eq!(in_order_of_bins(0..4), [2, 1, 3, 0]);
        for count in [1, 12, 13, 25, 100] {
            let mut all = in_order_of_bins(0..count);
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn the_partitions_of_one_broker_stay_together() {
        let replica = |partition| (TopicPartition::new("t", partition), BrokerId(1));
        for version in ["1.0", "1.1", "2.8"] {
            let replicas: Vec<_> = (0..9).map(replica).collect();
            let partitions: Vec<_> = replicas.iter().map(|(at, _)| at.clone()).collect();
            let all = by_broker(version.parse().unwrap(), replicas);
            assert_eq!(all, [(BrokerId(1), partitions)], "{version}");
        }
    }
}
