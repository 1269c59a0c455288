//! One server of the ZooKeeper ensemble leads in each epoch.

use std::collections::BTreeMap;

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::ZooKeeperObservation;
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-zookeeper-leader-per-epoch",
    statement: "in each epoch of the ZooKeeper ensemble one server at most begins to lead, and \
                what a server's disk holds of epochs never goes back, the accepted one never \
                below the current one",
    source: "ZAB: Leadership1 and Leadership2 of the TLA+ specification (Z1, Z2)",
    leaves_out: "servers that take themselves for the leader without a majority, as a paused one \
                 does, even one that reads its majority's answers when a newer epoch has begun; \
                 they decide nothing",
    class: Class::Safety,
};

/// Who led which epoch, what each disk holds, and the first that broke it.
#[derive(Clone, Debug, Default)]
pub struct OneZooKeeperLeaderPerEpoch {
    leaders: BTreeMap<u32, (NodeId, Time)>,
    /// `acceptedEpoch` and `currentEpoch` of each server.
    disks: BTreeMap<NodeId, (u32, u32)>,
    first: FirstCase,
}

impl OneZooKeeperLeaderPerEpoch {
    fn wrong(&mut self, model: &Model, time: Time, node: NodeId, what: String) {
        self.first
            .found(|| Case::of(time, what).about(&model.terms, [node]).after_faults(&model.faults));
    }
}

impl Checker for OneZooKeeperLeaderPerEpoch {
    fn zookeeper(&mut self, model: &Model, time: Time, node: NodeId, told: &ZooKeeperObservation) {
        let name = model.terms.name(node);
        match told {
            ZooKeeperObservation::Leading { epoch, .. } => {
                if let Some((other, since)) = self.leaders.get(epoch) {
                    let other = model.terms.name(*other);
                    let what = format!(
                        "{name} began to lead epoch {epoch} at {time:.3}, \
                         which {other} had begun at {since:.3}"
                    );
                    return self.wrong(model, time, node, what);
                }
                self.leaders.insert(*epoch, (node, time));
            }
            ZooKeeperObservation::EpochsWritten { accepted, current } => {
                let before = self.disks.insert(node, (*accepted, *current)).unwrap_or_default();
                if *accepted < before.0 || *current < before.1 || accepted < current {
                    let what = format!(
                        "{name} wrote accepted epoch {accepted} and current epoch {current} at \
                         {time:.3}, after {} and {}",
                        before.0, before.1
                    );
                    self.wrong(model, time, node, what);
                }
            }
            _ => {}
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
    use crate::vocab::Zxid;

    fn leading(epoch: u32) -> ZooKeeperObservation {
        ZooKeeperObservation::Leading { epoch, zxid: Zxid(0), digest: 0 }
    }

    #[test]
    fn an_epoch_may_begin_when_nobody_is_left_in_it() {
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
