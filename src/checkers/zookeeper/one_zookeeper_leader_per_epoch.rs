//! One server of the ZooKeeper ensemble leads in each epoch.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ZooKeeperObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-zookeeper-leader-per-epoch",
    statement: "in each epoch of the ZooKeeper ensemble at most one server becomes leader, and \
                the epochs on a server's disk never decrease, acceptedEpoch never below \
                currentEpoch",
    source: "ZAB: Leadership1 and Leadership2 of the TLA+ specification (Z1, Z2)",
    leaves_out: "servers that consider themselves leader without a majority, as a paused one \
                 does, even one that reads its majority's answers when a newer epoch has begun; \
                 they commit nothing",
    looks_at: Subject::Ensemble,
    class: Class::Safety,
};

/// Looks at new leaders, and at the epochs that servers write.
#[derive(Debug)]
pub struct OneZooKeeperLeaderPerEpoch;

impl Rule for OneZooKeeperLeaderPerEpoch {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::ZooKeeper];

    fn zookeeper(event: &Event<'_>, did: &ZooKeeperObservation, found: &mut Cases) {
        let (holders, name, time) = (&event.model.epoch_holders, || event.name(), event.time);
        let wrong = match did {
            ZooKeeperObservation::Leading { epoch, .. } => {
                let Some(first) = holders.earlier() else { return };
                let (first, since) = (event.model.terms.name(first.node), first.since);
                format!(
                    "{} became leader of epoch {epoch} at {time:.3}; {first} became its leader \
                     at {since:.3}",
                    name()
                )
            }
            ZooKeeperObservation::EpochsWritten { accepted, current } => {
                let (old_accepted, old_current) = holders.written_before();
                if *accepted >= old_accepted && *current >= old_current && accepted >= current {
                    return;
                }
                format!(
                    "{} wrote acceptedEpoch {accepted} and currentEpoch {current} at \
                     {time:.3}, after {old_accepted} and {old_current}",
                    name()
                )
            }
            _ => return,
        };
        found.forbidden(|| event.case(wrong));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects};
    use crate::vocab::Zxid;

    fn leading(epoch: u32) -> ZooKeeperObservation {
        ZooKeeperObservation::Leading { epoch, zxid: Zxid(0), digest: 0 }
    }

    #[test]
    fn an_epoch_may_begin_when_no_server_is_left_in_it() {
        // ensemble_faults, seed 1808: the leader stood still while its majority's answers waited to be read.
        let mut story = Story::default();
        story.server(leading(2)).server(leading(1));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn epochs_that_rise_are_accepted() {
        let mut story = Story::default();
        story.server(ZooKeeperObservation::EpochsWritten { accepted: 1, current: 0 });
        story.server(ZooKeeperObservation::EpochsWritten { accepted: 1, current: 1 });
        story.server(leading(1)).server(leading(2));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn an_epoch_that_begins_twice_is_rejected() {
        let mut story = Story::default();
        story.server(leading(2)).server(leading(3)).server(leading(2));
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }

    #[test]
    fn a_disk_that_forgets_is_rejected() {
        let mut story = Story::default();
        story.server(ZooKeeperObservation::EpochsWritten { accepted: 2, current: 1 });
        story.server(ZooKeeperObservation::EpochsWritten { accepted: 2, current: 0 });
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }
}
