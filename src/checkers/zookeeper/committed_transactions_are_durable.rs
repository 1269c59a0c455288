//! A committed transaction of the ZooKeeper ensemble is on the disks of a majority, and is never lost.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ZooKeeperObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "committed-transactions-are-durable",
    statement: "a transaction of the ZooKeeper ensemble is committed only when a majority of its \
                servers has it on disk, which keeps it; every later leader starts with it, and \
                nothing is committed that a later leader's history lacks",
    source: "ZAB: PrimaryIntegrity; ZooKeeper's guarantees: reliability (Z4, Z10)",
    leaves_out: "transactions that a new leader commits with its history, before it applies them; \
                 a server that comes back cuts what its leader had not committed when it came, \
                 and gets it again",
    looks_at: Subject::Ensemble,
    class: Class::Safety,
};

/// Looks at commits, new leaders and truncations.
#[derive(Debug)]
pub struct CommittedTransactionsAreDurable;

impl Rule for CommittedTransactionsAreDurable {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::ZooKeeper];

    fn zookeeper(event: &Event<'_>, did: &ZooKeeperObservation, found: &mut Cases) {
        let transactions = &event.model.transactions;
        let (lost, servers) = (transactions.left_out(), transactions.servers());
        let wrong = match did {
            ZooKeeperObservation::Committed { zxid, .. } => match (lost, transactions.copies()) {
                (Some(last), _) => format!("committed {zxid}, but {last} was committed without it"),
                (None, Some(have)) if have <= servers / 2 => {
                    format!("committed {zxid}, which {have} of {servers} servers have on disk")
                }
                _ => return,
            },
            ZooKeeperObservation::Leading { epoch, zxid, .. } => {
                let Some(lost) = lost else { return };
                format!("began epoch {epoch} at {zxid} without committed transaction {lost}")
            }
            ZooKeeperObservation::Truncated { .. } => {
                let Some(lost) = lost else { return };
                format!("truncated committed transaction {lost}")
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
    use crate::history::Observation;
    use crate::vocab::Zxid;

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

    fn committed() -> Story {
        let mut story = begun();
        story.server(ZooKeeperObservation::Logged { zxid: FIRST, hash: 1 });
        story.server(ZooKeeperObservation::Committed { zxid: FIRST, hash: 1 });
        story
    }

    #[test]
    fn what_is_logged_first_and_kept_is_accepted() {
        let mut story = committed();
        story.server(leading(2, FIRST));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn what_is_committed_before_it_is_durable_is_rejected() {
        let mut story = begun();
        story.server(ZooKeeperObservation::Committed { zxid: FIRST, hash: 1 });
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }

    #[test]
    fn a_truncation_on_a_server_whose_copy_no_majority_needs_is_accepted() {
        // Its leader has proposed what it cuts, and commits it while the order to cut is on its way
        // (LearnerHandler.syncFollower: TRUNC to maxCommittedLog, and then the outstanding proposals).
        let mut story = begun();
        for node in [Story::B1, Story::P0, Story::Z1] {
            let looking = ZooKeeperObservation::Looking { round: 1, zxid: Zxid(0) };
            let logged = ZooKeeperObservation::Logged { zxid: FIRST, hash: 1 };
            for did in [looking, logged] {
                story.told_by_node(node, Observation::ZooKeeper(did));
            }
        }
        story.server(ZooKeeperObservation::Committed { zxid: FIRST, hash: 1 });
        let cut = ZooKeeperObservation::Truncated { to: Zxid(0) };
        story.server(cut.clone());
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.told_by_node(Story::P0, Observation::ZooKeeper(cut));
        assert_eq!(rejects(&story, &PROPERTY).count(), 1, "one of three has it");
    }

    #[test]
    fn a_leader_without_it_and_a_truncation_of_it_are_rejected() {
        for wrong in [leading(2, Zxid(0)), ZooKeeperObservation::Truncated { to: Zxid(0) }] {
            let mut story = committed();
            story.server(wrong);
            assert_eq!(rejects(&story, &PROPERTY).count(), 1);
        }
    }
}
