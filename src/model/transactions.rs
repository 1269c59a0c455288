//! The transactions of the ZooKeeper ensemble: what each zxid is, where each server is, what is durable where, and
//! what is committed.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::ZooKeeperObservation;
use crate::model::zookeeper_epochs::Epochs;
use crate::vocab::{NodeId, Zxid};

/// Transactions whose content is kept: many more than a server lags behind another one that serves.
const TRANSACTIONS_MAX: usize = 16_384;
/// Trees with which servers began to serve that are kept.
const TREES_MAX: usize = 256;
/// Transactions on disk that are kept of each server: enough for those in progress.
const DURABLE_MAX: usize = 4_096;

/// The contents of the last `MAX` zxids. Older ones are forgotten, and may have any content.
#[derive(Clone, Debug, Default)]
struct Contents<const MAX: usize> {
    known: BTreeMap<Zxid, u64>,
    forgotten: Option<Zxid>,
}

impl<const MAX: usize> Contents<MAX> {
    /// Whether a zxid has another content than before.
    fn differs(&mut self, zxid: Zxid, hash: u64) -> bool {
        if self.forgotten.is_some_and(|forgotten| zxid <= forgotten) {
            return false;
        }
        let differs = *self.known.entry(zxid).or_insert(hash) != hash;
        if self.known.len() > MAX {
            self.forgotten = self.known.pop_first().map(|(oldest, _)| oldest);
        }
        differs
    }
}

/// The last transactions on one server's disk. Older ones are forgotten, and count as being there.
#[derive(Clone, Debug, Default)]
struct Durable {
    known: BTreeSet<Zxid>,
    forgotten: Option<Zxid>,
}

impl Durable {
    fn logged(&mut self, zxid: Zxid) {
        self.known.insert(zxid);
        if self.known.len() > DURABLE_MAX {
            self.forgotten = self.forgotten.max(self.known.pop_first());
        }
    }

    fn has(&self, zxid: Zxid) -> bool {
        self.known.contains(&zxid) || self.forgotten.is_some_and(|forgotten| zxid <= forgotten)
    }

    /// Cuts what is behind `to`; the transactions that go, as far as they are known.
    fn truncate(&mut self, to: Zxid) -> BTreeSet<Zxid> {
        self.forgotten = self.forgotten.map(|forgotten| forgotten.min(to));
        self.known.split_off(&Zxid(to.0 + 1))
    }
}

/// What the event at hand shows.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    differs: bool,
    gap: Option<(Zxid, Zxid)>,
    copies: Option<usize>,
    left_out: Option<Zxid>,
}

/// All transactions.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    epochs: Epochs,
    contents: Contents<TRANSACTIONS_MAX>,
    trees: Contents<TREES_MAX>,
    /// The last transaction that each server applied.
    applied: BTreeMap<NodeId, Zxid>,
    servers: BTreeSet<NodeId>,
    durable: BTreeMap<NodeId, Durable>,
    last_committed: Zxid,
    shown: Shown,
}

impl Transactions {
    /// Whether the transaction, or the tree, of the event at hand is another one than on an earlier server.
    pub fn differs(&self) -> bool {
        self.shown.differs
    }

    /// When the transaction that is applied does not follow the last one that its server applied: that one, and
    /// the one before it in the history.
    pub fn gap(&self) -> Option<(Zxid, Zxid)> {
        self.shown.gap
    }

    /// How many servers had the transaction on disk that is committed for the first time.
    pub fn copies(&self) -> Option<usize> {
        self.shown.copies
    }

    /// The committed transaction that the event at hand leaves out: a commit, a new leader, or a truncation that leaves
    /// it on less than a majority of the disks.
    pub fn left_out(&self) -> Option<Zxid> {
        self.shown.left_out
    }

    /// How many servers the ensemble has, as far as they are known.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Folds in an event of a server.
    pub fn zookeeper(&mut self, node: NodeId, did: &ZooKeeperObservation) {
        self.shown = Shown::default();
        match did {
            ZooKeeperObservation::Looking { .. } => {
                self.servers.insert(node);
            }
            ZooKeeperObservation::Leading { epoch, zxid, digest } => {
                let last = self.last_committed;
                let kept = last == Zxid(0) || self.epochs.contains(*zxid, last);
                self.epochs.begins(*epoch, *zxid);
                self.serves(node, *zxid, *digest);
                self.shown.left_out = (!kept).then_some(last);
            }
            ZooKeeperObservation::Following { zxid, digest, .. } => {
                self.serves(node, *zxid, *digest);
            }
            ZooKeeperObservation::Logged { zxid, hash } => {
                self.shown.differs = self.contents.differs(*zxid, *hash);
                self.durable.entry(node).or_default().logged(*zxid);
            }
            ZooKeeperObservation::Committed { zxid, hash } => {
                self.shown.differs = self.contents.differs(*zxid, *hash);
                self.applies(node, *zxid);
                self.commits(*zxid);
            }
            ZooKeeperObservation::Truncated { to } => {
                let cut = self.durable.entry(node).or_default().truncate(*to);
                let (last, majority) = (self.last_committed, self.servers.len() / 2 + 1);
                let is_lost = |zxid: &Zxid| {
                    self.epochs.contains(last, *zxid) && self.copies_of(*zxid) < majority
                };
                self.shown.left_out = cut.into_iter().find(is_lost);
            }
            ZooKeeperObservation::Installed { .. } => {
                self.durable.insert(node, Durable::default());
            }
            _ => {}
        }
    }

    /// A server begins to serve with the tree as of `zxid`.
    fn serves(&mut self, node: NodeId, zxid: Zxid, digest: u64) {
        self.applied.insert(node, zxid);
        self.shown.differs = self.trees.differs(zxid, digest);
    }

    fn applies(&mut self, node: NodeId, zxid: Zxid) {
        let Some(applied) = self.applied.insert(node, zxid) else { return };
        let (last, before) = (self.epochs.transaction(applied), self.epochs.before(zxid));
        self.shown.gap = (last != before).then_some((last, before));
    }

    fn commits(&mut self, zxid: Zxid) {
        let (Some(newest), last) = (self.epochs.newest(), self.last_committed) else { return };
        if zxid <= last || zxid <= newest {
            let kept = self.epochs.contains(last, zxid) || self.epochs.contains(newest, zxid);
            self.shown.left_out = (!kept).then_some(last);
            return;
        }
        self.last_committed = zxid;
        self.shown.copies = Some(self.copies_of(zxid));
    }

    /// How many servers have a transaction on disk.
    fn copies_of(&self, zxid: Zxid) -> usize {
        self.durable.values().filter(|durable| durable.has(zxid)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_on_a_disk_counts_as_being_there_until_it_is_cut() {
        let mut durable = Durable::default();
        (1..=DURABLE_MAX as i64 + 10).for_each(|number| durable.logged(Zxid(number)));
        assert_eq!(durable.known.len(), DURABLE_MAX);
        assert!((1..=DURABLE_MAX as i64 + 10).all(|number| durable.has(Zxid(number))));
        durable.truncate(Zxid(5));
        assert!(durable.has(Zxid(5)) && !durable.has(Zxid(6)));
    }

    #[test]
    fn old_contents_are_forgotten() {
        let mut contents = Contents::<3>::default();
        assert!((1..=5).all(|number| !contents.differs(Zxid(number), 7)));
        assert_eq!(contents.known.len(), 3);
        assert!(contents.differs(Zxid(3), 8), "it is kept");
        assert!(!contents.differs(Zxid(2), 8), "it may be anything");
        assert_eq!(contents.known.len(), 3);
    }
}
