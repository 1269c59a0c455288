//! Who leads: the strategies by which the controller chooses a leader and the in-sync replicas that go with
//! it (`kafka/controller/Election.scala` and `PartitionStateMachine.scala`; before 1.1
//! `PartitionLeaderSelector.scala`, whose rules are the same).
//!
//! Pure functions of what is known of a partition. "Live" is registered and not shutting down. The winner is
//! always the first eligible replica **in assignment order**, never the one with the longest log.

use crate::vocab::BrokerId;

/// By which rule a leader is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The leader is gone.
    Offline,
    /// The leader is gone, and an operator allows one that is not in sync.
    Unclean,
    /// The first replica of the assignment, if it can.
    Preferred,
    /// The leader is shutting down.
    ControlledShutdown,
    /// The leader is none of the replicas that the partition has from now on.
    Reassigned,
}

/// What an election chooses from.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    /// The assignment; its first is the preferred leader.
    pub assignment: &'a [BrokerId],
    /// The in-sync replicas in ZooKeeper.
    pub isr: &'a [BrokerId],
    /// Live brokers among the assignment and the in-sync replicas.
    pub live: &'a [BrokerId],
    /// Brokers of the assignment in a controlled shutdown, still registered.
    pub shutting_down: &'a [BrokerId],
}

/// A leader and what follows from the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The leader.
    pub leader: BrokerId,
    /// The in-sync replicas from now on.
    pub isr: Vec<BrokerId>,
    /// The brokers that get it with LeaderAndIsr.
    pub recipients: Vec<BrokerId>,
    /// Whether the leader was not in sync, so that committed records may be lost.
    pub unclean: bool,
}

impl Candidates<'_> {
    fn is_live(&self, id: BrokerId) -> bool {
        self.live.contains(&id)
    }

    fn live_assigned(&self) -> Vec<BrokerId> {
        self.assignment.iter().copied().filter(|&id| self.is_live(id)).collect()
    }

    /// Whether a clean election is out of the question: no in-sync replica lives.
    pub fn has_no_live_isr(&self) -> bool {
        !self.isr.iter().any(|&id| self.is_live(id))
    }

    /// The leader is gone. `unclean` is the topic's `unclean.leader.election.enable`, and counts only when no
    /// in-sync replica is live. `None` when no replica can lead.
    pub fn offline(&self, unclean: bool) -> Option<Choice> {
        let recipients = self.live_assigned();
        let clean = recipients.iter().copied().find(|id| self.isr.contains(id));
        if let Some(leader) = clean {
            let isr = self.isr.iter().copied().filter(|&id| self.is_live(id)).collect();
            return Some(Choice { leader, isr, recipients, unclean: false });
        }
        if !unclean || !self.has_no_live_isr() {
            return None;
        }
        let leader = *recipients.first()?;
        Some(Choice { leader, isr: vec![leader], recipients, unclean: true })
    }

    /// The head of the assignment, if it lives and is in sync; the in-sync replicas stay.
    pub fn preferred(&self) -> Option<Choice> {
        let leader = *self.assignment.first()?;
        let eligible = self.is_live(leader) && self.isr.contains(&leader);
        eligible.then(|| Choice {
            leader,
            isr: self.isr.to_vec(),
            recipients: self.assignment.to_vec(),
            unclean: false,
        })
    }

    /// The leader is shutting down: another replica takes over, and it leaves the ISR.
    pub fn controlled_shutdown(&self) -> Option<Choice> {
        let leaving = |id: BrokerId| self.shutting_down.contains(&id);
        let can_lead = |id: &BrokerId| self.is_live(*id) && self.isr.contains(id) && !leaving(*id);
        let leader = self.assignment.iter().copied().find(can_lead)?;
        let isr = self.isr.iter().copied().filter(|&id| !leaving(id)).collect();
        let is_sent_to = |id: &BrokerId| self.is_live(*id) || leaving(*id);
        let recipients = self.assignment.iter().copied().filter(is_sent_to).collect();
        Some(Choice { leader, isr, recipients, unclean: false })
    }

    /// The first replica that lives and is in sync; the in-sync replicas stay (`leaderForReassign`).
    pub fn reassigned(&self) -> Option<Choice> {
        let live = self.live_assigned();
        let leader = live.iter().copied().find(|id| self.isr.contains(id))?;
        let (isr, recipients) = (self.isr.to_vec(), self.assignment.to_vec());
        Some(Choice { leader, isr, recipients, unclean: false })
    }

    /// A new partition: the first live replica leads, and every live replica is in sync.
    pub fn new_partition(&self) -> Option<Choice> {
        let live = self.live_assigned();
        let leader = *live.first()?;
        Some(Choice { leader, isr: live.clone(), recipients: live, unclean: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    /// The leader and the new in-sync replicas.
    type Wanted = Option<(i32, &'static [i32])>;

    fn check(row: &str, choice: Option<Choice>, wanted: Wanted) {
        let got = choice.map(|choice| (choice.leader, choice.isr));
        assert_eq!(got, wanted.map(|(leader, isr)| (BrokerId(leader), ids(isr))), "{row}");
    }

    #[test]
    fn offline_elections_follow_the_strategy_table() {
        // assignment, ISR, live, unclean allowed, result
        type Row = (&'static [i32], &'static [i32], &'static [i32], bool, Wanted);
        let rows: &[Row] = &[
            (&[1, 2, 3], &[1, 2, 3], &[2, 3], false, Some((2, &[2, 3]))),
            // Assignment order decides, not the order of the in-sync replicas.
            (&[1, 2, 3], &[3, 2], &[2, 3], false, Some((2, &[3, 2]))),
            // A live replica that is not in sync is passed over ...
            (&[1, 2, 3], &[1, 3], &[2, 3], false, Some((3, &[3]))),
            // ... even when unclean elections are allowed.
            (&[1, 2, 3], &[1, 3], &[2, 3], true, Some((3, &[3]))),
            (&[1, 2, 3], &[1], &[2, 3], false, None),
            (&[1, 2, 3], &[1], &[2, 3], true, Some((2, &[2]))),
            (&[1, 2, 3], &[1], &[], true, None),
            // An ISR that was left empty (0.x, 1.0) can only be led uncleanly.
            (&[1, 2, 3], &[], &[3], false, None),
            (&[1, 2, 3], &[], &[3], true, Some((3, &[3]))),
        ];
        for (row, &(assignment, isr, live, unclean, wanted)) in rows.iter().enumerate() {
            let (assignment, isr, live) = (ids(assignment), ids(isr), ids(live));
            let candidates =
                Candidates { assignment: &assignment, isr: &isr, live: &live, shutting_down: &[] };
            check(&format!("row {row}"), candidates.offline(unclean), wanted);
        }
    }

    #[test]
    fn only_an_unclean_leader_is_called_unclean() {
        let (assignment, isr, live) = (ids(&[1, 2]), ids(&[1]), ids(&[2]));
        let mut candidates =
            Candidates { assignment: &assignment, isr: &isr, live: &live, shutting_down: &[] };
        assert!(candidates.offline(true).unwrap().unclean);
        candidates.isr = &assignment;
        assert!(!candidates.offline(true).unwrap().unclean);
    }

    #[test]
    fn preferred_elections_take_the_head_of_the_assignment_or_no_replica() {
        let rows: &[(&[i32], &[i32], Wanted)] = &[
            (&[2, 1, 3], &[1, 2, 3], Some((1, &[2, 1, 3]))),
            (&[2, 3], &[1, 2, 3], None),
            (&[1, 2, 3], &[2, 3], None),
        ];
        for (row, &(isr, live, wanted)) in rows.iter().enumerate() {
            let (assignment, isr, live) = (ids(&[1, 2, 3]), ids(isr), ids(live));
            let candidates =
                Candidates { assignment: &assignment, isr: &isr, live: &live, shutting_down: &[] };
            check(&format!("row {row}"), candidates.preferred(), wanted);
            if let Some(choice) = candidates.preferred() {
                assert_eq!(choice.recipients, assignment, "all assigned replicas get it");
            }
        }
    }

    #[test]
    fn a_controlled_shutdown_moves_the_leader_and_the_leaving_one_gets_the_request() {
        let (assignment, isr, live) = (ids(&[1, 2, 3]), ids(&[1, 3, 2]), ids(&[2, 3]));
        let leaving = ids(&[1]);
        let mut candidates =
            Candidates { assignment: &assignment, isr: &isr, live: &live, shutting_down: &leaving };
        let choice = candidates.controlled_shutdown().unwrap();
        assert_eq!((choice.leader, choice.isr), (BrokerId(2), ids(&[3, 2])));
        assert_eq!(choice.recipients, ids(&[1, 2, 3]));
        candidates.isr = &leaving;
        assert_eq!(
            candidates.controlled_shutdown(),
            None,
            "the last in-sync replica keeps leading"
        );
    }

    #[test]
    fn a_new_partition_has_all_live_replicas_in_sync() {
        let (assignment, live) = (ids(&[3, 1, 2]), ids(&[1, 2]));
        let candidates =
            Candidates { assignment: &assignment, isr: &[], live: &live, shutting_down: &[] };
        check("new", candidates.new_partition(), Some((1, &[1, 2])));
        let none = Candidates { live: &[], ..candidates };
        assert_eq!(none.new_partition(), None);
    }
}
