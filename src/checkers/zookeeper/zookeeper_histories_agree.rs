//! All servers of the ZooKeeper ensemble go through one history.

use std::collections::BTreeMap;

use crate::checkers::{Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::ZooKeeperObservation;
use crate::model::Model;
use crate::model::zookeeper_epochs::Epochs;
use crate::vocab::{NodeId, Time, Zxid};

/// How many transactions are remembered: many more than a server lags behind another one that serves.
const REMEMBERED: usize = 16_384;
/// How many trees with which servers began to serve are remembered.
const TREES: usize = 256;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "zookeeper-histories-agree",
    statement: "a zxid means the same transaction on every server of ZooKeeper's \
                ensemble, each server applies transactions without leaving one out, and servers \
                that begin to serve at the same transaction have the same tree",
    source: "ZAB: PrefixConsistency, Integrity, Agreement and TotalOrder (Z3, Z5)",
    leaves_out: "trees between those moments; what a server applied before it began to serve, \
                 which its tree then shows; what is 16,384 transactions old",
    class: Class::Safety,
};

/// What the last `MAX` zxids that were spoken of mean. What is older is forgotten, and may mean anything.
#[derive(Clone, Debug, Default)]
struct Meanings<const MAX: usize> {
    known: BTreeMap<Zxid, u64>,
    forgotten: Option<Zxid>,
}

impl<const MAX: usize> Meanings<MAX> {
    /// Whether a zxid means what it meant before, if it did.
    fn is(&mut self, zxid: Zxid, hash: u64) -> bool {
        if self.forgotten.is_some_and(|forgotten| zxid <= forgotten) {
            return true;
        }
        let is = *self.known.entry(zxid).or_insert(hash) == hash;
        if self.known.len() > MAX {
            self.forgotten = self.known.pop_first().map(|(oldest, _)| oldest);
        }
        is
    }
}

/// What each zxid means, where each server is, and the first that broke it.
#[derive(Clone, Debug, Default)]
pub struct ZooKeeperHistoriesAgree {
    epochs: Epochs,
    transactions: Meanings<REMEMBERED>,
    trees: Meanings<TREES>,
    applied: BTreeMap<NodeId, Zxid>,
    first: FirstCase,
}

impl ZooKeeperHistoriesAgree {
    fn begins(&mut self, node: NodeId, zxid: Zxid, digest: u64) -> Option<String> {
        self.applied.insert(node, zxid);
        (!self.trees.is(zxid, digest))
            .then(|| format!("has another tree at {zxid} than a server before it"))
    }

    fn means(&mut self, zxid: Zxid, hash: u64) -> Option<String> {
        (!self.transactions.is(zxid, hash))
            .then(|| format!("has another transaction {zxid} than a server before it"))
    }

    fn applies(&mut self, node: NodeId, zxid: Zxid) -> Option<String> {
        let applied = self.applied.insert(node, zxid)?;
        let (last, before) = (self.epochs.transaction(applied), self.epochs.before(zxid));
        (last != before).then(|| format!("applied {zxid} behind {last}, not behind {before}"))
    }

    fn told(&mut self, node: NodeId, told: &ZooKeeperObservation) -> Option<String> {
        match told {
            ZooKeeperObservation::Leading { epoch, zxid, digest } => {
                self.epochs.begins(*epoch, *zxid);
                self.begins(node, *zxid, *digest)
            }
            ZooKeeperObservation::Following { zxid, digest, .. } => {
                self.begins(node, *zxid, *digest)
            }
            ZooKeeperObservation::Logged { zxid, hash } => self.means(*zxid, *hash),
            ZooKeeperObservation::Committed { zxid, hash } => {
                let gap = self.applies(node, *zxid);
                self.means(*zxid, *hash).or(gap)
            }
            _ => None,
        }
    }
}

impl Checker for ZooKeeperHistoriesAgree {
    fn zookeeper(&mut self, model: &Model, time: Time, node: NodeId, told: &ZooKeeperObservation) {
        if let Some(wrong) = self.told(node, told) {
            self.first.of_node(model, time, &[node], wrong);
        }
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};

    fn leading(epoch: u32, zxid: Zxid, digest: u64) -> ZooKeeperObservation {
        ZooKeeperObservation::Leading { epoch, zxid, digest }
    }

    fn committed(zxid: Zxid, hash: u64) -> ZooKeeperObservation {
        ZooKeeperObservation::Committed { zxid, hash }
    }

    fn begun() -> Story {
        let mut story = Story::default();
        story.server(leading(1, Zxid(0), 7)).server(committed(Zxid::new(1, 1), 11));
        story
    }

    #[test]
    fn transactions_that_follow_on_each_other_are_accepted() {
        let mut story = begun();
        story.server(committed(Zxid::new(1, 2), 12)).server(leading(2, Zxid::new(1, 2), 8));
        story.server(committed(Zxid::new(2, 1), 21));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut meanings = Meanings::<3>::default();
        assert!((1..=5).all(|number| meanings.is(Zxid(number), 7)));
        assert_eq!(meanings.known.len(), 3);
        assert!(!meanings.is(Zxid(3), 8), "it is remembered");
        assert!(meanings.is(Zxid(2), 8), "it may mean anything");
        assert_eq!(meanings.known.len(), 3);
    }

    #[test]
    fn a_gap_another_meaning_and_another_tree_are_rejected() {
        for wrong in [
            committed(Zxid::new(1, 3), 13),
            ZooKeeperObservation::Logged { zxid: Zxid::new(1, 1), hash: 99 },
            leading(2, Zxid(0), 8),
        ] {
            let mut story = begun();
            story.server(wrong);
            assert_eq!(rejects(&story, &PROPERTY).count(), 1);
        }
    }
}
