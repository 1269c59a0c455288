//! All servers of the ZooKeeper ensemble go through one history.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ZooKeeperObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "zookeeper-histories-agree",
    statement: "a zxid is the same transaction on every server of the ZooKeeper ensemble, each \
                server applies all transactions in order, and servers that begin to serve at the \
                same transaction have the same tree",
    source: "ZAB: PrefixConsistency, Integrity, Agreement and TotalOrder (Z3, Z5)",
    leaves_out: "trees between those moments; what a server applied before it began to serve, \
                 which its tree then shows; what is more than 16,384 transactions old",
    looks_at: Subject::Ensemble,
    class: Class::Safety,
};

/// Looks at what servers log, apply, and begin to serve with.
#[derive(Debug)]
pub struct ZooKeeperHistoriesAgree;

impl Rule for ZooKeeperHistoriesAgree {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::ZooKeeper];

    fn zookeeper(event: &Event<'_>, did: &ZooKeeperObservation, found: &mut Cases) {
        let transactions = &event.model.transactions;
        let wrong = match (did, transactions.differs(), transactions.gap()) {
            (
                ZooKeeperObservation::Leading { zxid, .. }
                | ZooKeeperObservation::Following { zxid, .. },
                true,
                _,
            ) => format!("has another tree at {zxid} than an earlier server"),
            (
                ZooKeeperObservation::Logged { zxid, .. }
                | ZooKeeperObservation::Committed { zxid, .. },
                true,
                _,
            ) => format!("has another transaction {zxid} than an earlier server"),
            (ZooKeeperObservation::Committed { zxid, .. }, false, Some((last, before))) => {
                format!("applied {zxid} after {last} instead of after {before}")
            }
            _ => return,
        };
        found.forbidden(|| event.node_did(wrong));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects};
    use crate::vocab::Zxid;

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
