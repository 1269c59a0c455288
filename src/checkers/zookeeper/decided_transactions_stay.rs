//! What the ZooKeeper ensemble has decided is durable on a majority, and stays.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkers::{Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::ZooKeeperObservation;
use crate::model::Model;
use crate::model::zookeeper_epochs::Epochs;
use crate::vocab::{NodeId, Time, Zxid};

/// How many transactions are remembered of each server: enough for what is under way.
const REMEMBERED: usize = 4_096;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "decided-transactions-stay",
    statement: "a transaction of the ZooKeeper ensemble is decided only when a majority of its \
                servers has it on disk; every later leader begins with it, no server cuts it \
                off, and nothing is decided that later leaders' history leaves out",
    source: "ZAB: PrimaryIntegrity; ZooKeeper's guarantees: reliability (Z4, Z10)",
    leaves_out: "transactions that a new leader's history decides without a word, before they are \
                 applied by it",
    class: Class::Safety,
};

/// What is durable where, what is decided, and the first that broke it.
#[derive(Clone, Debug, Default)]
pub struct DecidedTransactionsStay {
    epochs: Epochs,
    servers: BTreeSet<NodeId>,
    durable: BTreeMap<NodeId, BTreeSet<Zxid>>,
    last_decided: Zxid,
    first: FirstCase,
}

impl DecidedTransactionsStay {
    fn decides(&mut self, zxid: Zxid) -> Option<String> {
        let newest = self.epochs.newest()?;
        let last = self.last_decided;
        if zxid <= last || zxid <= newest {
            let kept = self.epochs.contains(last, zxid) || self.epochs.contains(newest, zxid);
            return (!kept).then(|| format!("decided {zxid} when {last} was decided without it"));
        }
        self.last_decided = zxid;
        let have = self.durable.values().filter(|durable| durable.contains(&zxid)).count();
        let servers = self.servers.len();
        (have <= servers / 2).then(|| format!("decided {zxid}, which {have} of {servers} have"))
    }

    fn leads(&mut self, epoch: u32, zxid: Zxid) -> Option<String> {
        let last = self.last_decided;
        let kept = last == Zxid(0) || self.epochs.contains(zxid, last);
        self.epochs.begins(epoch, zxid);
        (!kept).then(|| format!("began epoch {epoch} with {zxid} and without {last}"))
    }

    fn told(&mut self, node: NodeId, told: &ZooKeeperObservation) -> Option<String> {
        match told {
            ZooKeeperObservation::Looking { .. } => {
                self.servers.insert(node);
                None
            }
            ZooKeeperObservation::Logged { zxid, .. } => {
                let durable = self.durable.entry(node).or_default();
                durable.insert(*zxid);
                if durable.len() > REMEMBERED {
                    durable.pop_first();
                }
                None
            }
            ZooKeeperObservation::Committed { zxid, .. } => self.decides(*zxid),
            ZooKeeperObservation::Leading { epoch, zxid, .. } => self.leads(*epoch, *zxid),
            ZooKeeperObservation::Truncated { to } => {
                let cut = self.durable.entry(node).or_default().split_off(&Zxid(to.0 + 1));
                let last = self.last_decided;
                let lost = cut.iter().find(|&&zxid| self.epochs.contains(last, zxid));
                lost.map(|zxid| format!("cut off {zxid}, which was decided"))
            }
            ZooKeeperObservation::Installed { .. } => {
                self.durable.entry(node).or_default().clear();
                None
            }
            _ => None,
        }
    }
}

impl Checker for DecidedTransactionsStay {
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

    const FIRST: Zxid = Zxid(0x1_0000_0001);

    fn leading(epoch: u32, zxid: Zxid) -> ZooKeeperObservation {
        ZooKeeperObservation::Leading { epoch, zxid, digest: zxid.0 as u64 }
    }

    fn begun() -> Story {
        let mut story = Story::default();
        story.server(ZooKeeperObservation::Looking { round: 1, zxid: Zxid(0) });
        story.server(leading(1, Zxid(0)));
        story
    }

    fn decided() -> Story {
        let mut story = begun();
        story.server(ZooKeeperObservation::Logged { zxid: FIRST, hash: 1 });
        story.server(ZooKeeperObservation::Committed { zxid: FIRST, hash: 1 });
        story
    }

    #[test]
    fn what_is_logged_first_and_kept_is_accepted() {
        let mut story = decided();
        story.server(leading(2, FIRST));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn what_is_decided_before_it_is_durable_is_rejected() {
        let mut story = begun();
        story.server(ZooKeeperObservation::Committed { zxid: FIRST, hash: 1 });
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }

    #[test]
    fn a_leader_without_it_and_a_cut_through_it_are_rejected() {
        for wrong in [leading(2, Zxid(0)), ZooKeeperObservation::Truncated { to: Zxid(0) }] {
            let mut story = decided();
            story.server(wrong);
            assert_eq!(rejects(&story, &PROPERTY).count(), 1);
        }
    }
}
