//! The in-sync replicas of a partition as its leader knows them.

use crate::vocab::BrokerId;

/// Committed in-sync replicas, and the change that is on its way, of which there is at most one (KIP-497).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isr {
    committed: Vec<BrokerId>,
    pending: Option<Vec<BrokerId>>,
}

impl Isr {
    /// As a LeaderAndIsr request, or a committed change, says.
    pub fn new(committed: Vec<BrokerId>) -> Self {
        Self { committed, pending: None }
    }

    /// What is written in ZooKeeper, as far as the leader knows.
    pub fn committed(&self) -> &[BrokerId] {
        &self.committed
    }

    /// All replicas that may be electable: a pending addition counts already, a pending removal not yet. The
    /// high watermark has to wait for all of them, however the change ends.
    pub fn maximal(&self) -> &[BrokerId] {
        match &self.pending {
            Some(pending) if pending.len() > self.committed.len() => pending,
            _ => &self.committed,
        }
    }

    /// The replicas as they will be if the change on its way is committed. Nothing may be decided over them;
    /// for a mutant.
    pub fn wanted(&self) -> &[BrokerId] {
        self.pending.as_deref().unwrap_or(&self.committed)
    }

    /// Whether a change is on its way.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Proposes the committed replicas and `replica`; returns the proposal.
    pub fn propose_with(&mut self, replica: BrokerId) -> Vec<BrokerId> {
        let mut proposal = self.committed.clone();
        proposal.push(replica);
        self.pending.insert(proposal).clone()
    }

    /// Proposes the committed replicas that `stays`; returns the proposal if it drops any.
    pub fn propose_only(&mut self, stays: impl Fn(BrokerId) -> bool) -> Option<Vec<BrokerId>> {
        if self.committed.iter().all(|replica| stays(*replica)) {
            return None;
        }
        let proposal = self.committed.iter().copied().filter(|replica| stays(*replica)).collect();
        Some(self.pending.insert(proposal).clone())
    }

    /// The change is refused: the committed replicas stay.
    pub fn refuse(&mut self) {
        self.pending = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [BrokerId; 3] = [BrokerId(1), BrokerId(2), BrokerId(3)];

    #[test]
    fn a_pending_change_only_ever_widens_the_maximal_isr() {
        let mut isr = Isr::new(ALL[..2].to_vec());
        assert_eq!(isr.propose_with(BrokerId(3)), ALL);
        assert_eq!((isr.committed(), isr.maximal()), (&ALL[..2], &ALL[..]));
        isr.refuse();
        assert_eq!(isr.maximal(), &ALL[..2]);
        assert_eq!(isr.propose_only(|replica| replica == BrokerId(1)), Some(ALL[..1].to_vec()));
        assert_eq!((isr.committed(), isr.maximal()), (&ALL[..2], &ALL[..2]));
        assert!(isr.is_pending());
        isr.refuse();
        assert_eq!(isr.propose_only(|_| true), None);
        assert!(!isr.is_pending());
    }
}
