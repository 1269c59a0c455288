//! What a server observes of its tree: the data of znodes, the owners of ephemeral znodes, deletions, the end of
//! sessions.
//!
//! The source is the tree before and after a transaction is applied, and not the transaction: checkers have to see
//! what a transaction left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::database::Database;
use super::step::Step;
use super::tree::Tree;
use super::txn::{Lifetime, Record, Txn};
use crate::history::ZooKeeperObservation;
use crate::vocab::Zxid;

/// The sessions and ephemeral znodes of a tree that was read from a disk or came from a leader.
pub(super) fn loaded(db: &Database) -> ZooKeeperObservation {
    let sessions = db.sessions.iter().map(|(id, session)| (id, session.timeout_ms)).collect();
    ZooKeeperObservation::TreeLoaded { sessions, ephemerals: db.tree.all_ephemerals() }
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

/// Observes what a transaction changed; `owned` is what [`owned`] returned before it was applied.
pub(super) fn applied(db: &Database, txn: &Txn, owned: &[(Arc<str>, i64)], step: &mut Step<'_>) {
    for (path, session) in owned {
        if owner(&db.tree, path) != Some(*session) {
            let (path, session) = (path.clone(), *session);
            step.observe(ZooKeeperObservation::EphemeralDeleted { path, session });
        }
    }
    each(&txn.record, &mut |record| match record {
        Record::Create { path, lifetime: Lifetime::Ephemeral { .. }, .. } => {
            let znode = db.tree.get(path).filter(|znode| znode.czxid == txn.zxid);
            let session = znode.map_or(0, |znode| znode.lifetime.owner());
            if session != 0 {
                step.observe(ZooKeeperObservation::EphemeralCreated {
                    path: path.clone(),
                    session,
                });
            }
        }
        Record::Delete { path } if db.tree.get(path).is_none() => {
            step.observe(ZooKeeperObservation::Removed { zxid: txn.zxid, path: path.clone() });
        }
        Record::CloseSession { .. } => {
            let gone = owned.iter().filter(|(path, _)| db.tree.get(path).is_none());
            for (path, _) in gone {
                step.observe(ZooKeeperObservation::Removed { zxid: txn.zxid, path: path.clone() });
            }
            if db.sessions.get(txn.session).is_none() {
                step.observe(ZooKeeperObservation::SessionEnded { session: txn.session });
            }
        }
        _ => {}
    });
}

/// Observes the znodes whose data a transaction set, as the tree has them now. What a later operation of the same multi
/// sets again is not in the tree: it is observed as the transaction has it.
pub(super) fn stored(tree: &Tree, zxid: Zxid, record: &Record, step: &mut Step<'_>) {
    let records = match record {
        Record::Multi(records) => &records[..],
        one => std::slice::from_ref(one),
    };
    let mut sets: BTreeMap<&str, i32> = BTreeMap::new();
    for record in records {
        if let Record::SetData { path, .. } = record {
            *sets.entry(path).or_default() += 1;
        }
    }
    for record in records {
        let (path, set) = match record {
            Record::Create { path, data, .. } => (path, data),
            Record::SetData { path, data, .. } => {
                *sets.get_mut(&**path).expect("it was just counted") -= 1;
                (path, data)
            }
            _ => continue,
        };
        // A later operation of the same multi may have deleted it, and a mutant may not have stored it.
        let Some(znode) = tree.get(path).filter(|znode| znode.mzxid == zxid) else { continue };
        let again = sets.get(&**path).copied().unwrap_or_default();
        let data = if again == 0 { znode.data.as_deref() } else { set.as_deref() };
        let data = String::from_utf8_lossy(data.unwrap_or_default()).into();
        let version = znode.version - again;
        let path = path.clone();
        step.observe(ZooKeeperObservation::Stored { zxid, path, version, data });
    }
}

/// The session that owns a znode, if it is ephemeral.
fn owner(tree: &Tree, path: &str) -> Option<i64> {
    tree.get(path).map(|znode| znode.lifetime.owner()).filter(|&owner| owner != 0)
}

/// Calls `to` for every record, also for those of a multi.
fn each(record: &Record, to: &mut impl FnMut(&Record)) {
    match record {
        Record::Multi(records) => records.iter().for_each(to),
        record => to(record),
    }
}
