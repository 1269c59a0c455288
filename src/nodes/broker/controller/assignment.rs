//! Which brokers get the replicas of a new topic, without regard to racks (`kafka/admin/AdminUtils.scala`).

use std::ops::Range;

use crate::vocab::{BrokerId, Stream};

/// Spreads `partitions` × `replication_factor` replicas over `brokers`, which are in ascending order.
///
/// The first replica goes round the brokers from a random start; the others follow at a shift that is random
/// too and grows with every round, so that the load of a dead broker spreads over all the others.
///
/// # Panics
/// When there are fewer brokers than replicas of a partition; the caller refuses that.
pub fn assign(
    brokers: &[BrokerId],
    partitions: usize,
    replication_factor: usize,
    stream: &mut Stream,
) -> Vec<Vec<BrokerId>> {
    let count = brokers.len();
    assert!((1..=count).contains(&replication_factor), "{count} brokers for {replication_factor}");
    let start = stream.below(count as u64) as usize;
    let shift = stream.below(count as u64) as usize;
    place(brokers, (start, shift), 0..partitions, replication_factor)
}

/// The replicas of `more` partitions of a topic that has `old` of them, the first on `first`: nothing is random.
/// Start and shift are both the place of the first broker that is not below partition 0's first replica
/// (`AdminZkClient.addPartitions`).
pub fn assign_more(
    brokers: &[BrokerId],
    first: &[BrokerId],
    old: usize,
    more: usize,
) -> Vec<Vec<BrokerId>> {
    let head = first.first().copied();
    let start = brokers.iter().position(|id| Some(*id) >= head).unwrap_or(0);
    place(brokers, (start, start), old..old + more, first.len())
}

fn place(
    brokers: &[BrokerId],
    (start, mut shift): (usize, usize),
    partitions: Range<usize>,
    replication_factor: usize,
) -> Vec<Vec<BrokerId>> {
    let count = brokers.len();
    let mut assignment = Vec::with_capacity(partitions.len());
    for partition in partitions {
        if partition > 0 && partition % count == 0 {
            shift += 1;
        }
        let first = (partition + start) % count;
        let mut replicas = vec![brokers[first]];
        for follower in 0..replication_factor - 1 {
            let distance = 1 + (shift + follower) % (count - 1);
            replicas.push(brokers[(first + distance) % count]);
        }
        assignment.push(replicas);
    }
    assignment
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::vocab::Seed;

    #[test]
    fn every_partition_gets_distinct_replicas_and_leaders_are_spread_evenly() {
        let brokers: Vec<_> = (0..5).map(BrokerId).collect();
        for seed in 0..20 {
            let assignment = assign(&brokers, 10, 3, &mut Seed(seed).stream("test"));
            let mut leaders = BTreeMap::new();
            for replicas in &assignment {
                assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), 3, "{replicas:?}");
                *leaders.entry(replicas[0]).or_insert(0) += 1;
            }
            assert_eq!(leaders.values().copied().collect::<Vec<_>>(), [2; 5]);
        }
    }

    #[test]
    fn a_later_round_uses_another_shift() {
        let brokers: Vec<_> = (0..4).map(BrokerId).collect();
        let assignment = assign(&brokers, 8, 2, &mut Seed(1).stream("test"));
        for partition in 0..4 {
            assert_eq!(assignment[partition][0], assignment[partition + 4][0]);
            assert_ne!(assignment[partition][1], assignment[partition + 4][1]);
        }
    }

    #[test]
    fn one_broker_takes_everything() {
        let assignment = assign(&[BrokerId(7)], 3, 1, &mut Seed(1).stream("test"));
        assert_eq!(assignment, vec![vec![BrokerId(7)]; 3]);
    }
}
