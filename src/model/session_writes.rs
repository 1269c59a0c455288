//! The last write of each ZooKeeper session, as the servers apply them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::history::{SessionObservation, ZooKeeperObservation};
use crate::vocab::Zxid;

/// A request of a session that became a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionWrite {
    /// The transaction.
    pub zxid: Zxid,
    /// The number of the request in its session.
    pub xid: i32,
}

impl SessionWrite {
    /// Whether requests and transactions of a session are in the same order. A leader that was paused reports
    /// late what other servers had already taken over from it, so this may be the earlier of the two.
    fn is_in_order_with(self, other: Self) -> bool {
        match self.zxid.cmp(&other.zxid) {
            Ordering::Greater => self.xid > other.xid,
            Ordering::Equal => self.xid == other.xid,
            Ordering::Less => self.xid < other.xid,
        }
    }
}

/// The last write of each session whose client is part of the scenario.
#[derive(Clone, Debug, Default)]
pub struct SessionWrites {
    last: BTreeMap<i64, SessionWrite>,
    out_of_order: Option<SessionWrite>,
}

impl SessionWrites {
    /// The earlier write of the session that the write at hand is not in order with.
    pub fn out_of_order(&self) -> Option<SessionWrite> {
        self.out_of_order
    }

    /// Folds in what a client saw of its session.
    pub fn session(&mut self, did: &SessionObservation) {
        if let SessionObservation::Attached { session, .. } = did {
            self.last.entry(*session).or_default();
        }
    }

    /// Folds in an event of a server.
    pub fn zookeeper(&mut self, did: &ZooKeeperObservation) {
        self.out_of_order = None;
        match did {
            ZooKeeperObservation::Written { zxid, session, xid } => {
                let Some(last) = self.last.get_mut(session) else { return };
                let write = SessionWrite { zxid: *zxid, xid: *xid };
                if !write.is_in_order_with(*last) {
                    self.out_of_order = Some(*last);
                } else if write.zxid > last.zxid {
                    *last = write;
                }
            }
            ZooKeeperObservation::SessionEnded { session } => {
                self.last.remove(session);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_in_order_when_requests_and_transactions_are() {
        let write = |zxid, xid| SessionWrite { zxid: Zxid(zxid), xid };
        let last = write(5, 2);
        assert!(write(6, 3).is_in_order_with(last) && write(4, 1).is_in_order_with(last));
        assert!(write(5, 2).is_in_order_with(last));
        for wrong in [write(6, 1), write(6, 2), write(5, 3), write(4, 2)] {
            assert!(!wrong.is_in_order_with(last), "{wrong:?}");
        }
    }
}
