//! What a server tells of its tree: who owns ephemeral znodes, what is deleted, and that a session is gone.
//!
//! Told as the tree shows it, before and after a transaction is applied, not as the transaction says it: what
//! a transaction forgot is what a judge has to see.

use std::sync::Arc;

use super::Effects;
use super::state::State;
use super::tree::Tree;
use super::txn::{Lifetime, Record, Txn};
use crate::history::{Observation, ZooKeeperObservation};

/// The sessions and ephemeral znodes of a tree that came from elsewhere than from transactions.
pub(super) fn loaded(state: &State) -> ZooKeeperObservation {
    let sessions = state.sessions.iter().map(|(id, session)| (id, session.timeout_ms)).collect();
    ZooKeeperObservation::TreeLoaded { sessions, ephemerals: state.tree.all_ephemerals() }
}

/// The ephemeral znodes that a transaction may remove, with their owners.
pub(super) fn owned(tree: &Tree, txn: &Txn) -> Vec<(Arc<str>, i64)> {
    let mut owned = Vec::new();
    each(&txn.record, &mut |record| match record {
        Record::Delete { path } => owned.extend(owner(tree, path).map(|by| (path.clone(), by))),
        Record::CloseSession { .. } => {
            owned.extend(tree.ephemerals(txn.session).map(|path| (path.clone(), txn.session)));
        }
        _ => {}
    });
    owned
}

/// Tells what a transaction came to; `owned` is of before it.
pub(super) fn applied(state: &State, txn: &Txn, owned: &[(Arc<str>, i64)], fx: &mut Effects) {
    let mut tell = |observation| fx.observe(Observation::ZooKeeper(observation));
    for (path, session) in owned {
        if owner(&state.tree, path) != Some(*session) {
            let (path, session) = (path.clone(), *session);
            tell(ZooKeeperObservation::EphemeralDeleted { path, session });
        }
    }
    each(&txn.record, &mut |record| match record {
        Record::Create { path, lifetime: Lifetime::Ephemeral { .. }, .. } => {
            let znode = state.tree.get(path).filter(|znode| znode.czxid == txn.zxid);
            let session = znode.map_or(0, |znode| znode.lifetime.owner());
            if session != 0 {
                tell(ZooKeeperObservation::EphemeralCreated { path: path.clone(), session });
            }
        }
        Record::Delete { path } if state.tree.get(path).is_none() => {
            tell(ZooKeeperObservation::Removed { zxid: txn.zxid, path: path.clone() });
        }
        Record::CloseSession { .. } => {
            let gone = owned.iter().filter(|(path, _)| state.tree.get(path).is_none());
            for (path, _) in gone {
                tell(ZooKeeperObservation::Removed { zxid: txn.zxid, path: path.clone() });
            }
            if state.sessions.get(txn.session).is_none() {
                tell(ZooKeeperObservation::SessionEnded { session: txn.session });
            }
        }
        _ => {}
    });
}

/// The session that owns a znode, if it is ephemeral.
fn owner(tree: &Tree, path: &str) -> Option<i64> {
    tree.get(path).map(|znode| znode.lifetime.owner()).filter(|&owner| owner != 0)
}

/// Does `to` every record, also within a multi.
fn each(record: &Record, to: &mut impl FnMut(&Record)) {
    match record {
        Record::Multi(records) => records.iter().for_each(to),
        record => to(record),
    }
}
