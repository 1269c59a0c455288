//! The watches of ZooKeeper's clients: when each was set, and when it has to fire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::{
    SessionAnswer, SessionCall, SessionObservation, WatchKind, ZooKeeperObservation,
};
use crate::model::sessions::Sessions;
use crate::model::znode_reads::NO_NODE;
use crate::model::znodes::{Did, FirstChange, Known, Table, Znodes, parent};
use crate::vocab::{NodeId, Zxid};

/// How a watch went wrong, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchError {
    /// The client got an answer from a server that had the change, before the event.
    Late {
        /// The last transaction of the server that answered.
        zxid: Zxid,
        /// The znode.
        path: Arc<str>,
        /// The change.
        due: Zxid,
    },
    /// The client set its watches at another server, which sent no event for an earlier change.
    Missed {
        /// The last transaction of that server.
        zxid: Zxid,
        /// The znode.
        path: Arc<str>,
        /// The change.
        due: Zxid,
    },
    /// The client had set no watch for the event.
    NotWatched {
        /// The event.
        kind: WatchKind,
        /// The znode.
        path: Arc<str>,
    },
    /// The znode had not changed since the client set the watch.
    NothingChanged {
        /// The event.
        kind: WatchKind,
        /// The znode.
        path: Arc<str>,
    },
    /// Another change was earlier, and its event was still due.
    OutOfOrder {
        /// The event.
        kind: WatchKind,
        /// The znode.
        path: Arc<str>,
        /// The change.
        due: Zxid,
        /// The znode that changed earlier.
        earlier: Arc<str>,
        /// The earlier change.
        earlier_due: Zxid,
    },
}

/// A watch that a client has set, and that has not fired.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// The transaction as of which it was set.
    since: Zxid,
    /// Whether the znode did not exist.
    absent: bool,
    /// The change that it has to fire for, once that has happened.
    due: Option<Zxid>,
    /// Whether changes since then are forgotten: when it has to fire is not known.
    is_unjudged: bool,
}

type Watch = (Table, Arc<str>);

/// The watches of a client.
#[derive(Clone, Debug, Default)]
struct Client {
    session: i64,
    armed: BTreeMap<Watch, Armed>,
    due: BTreeSet<(Zxid, Watch)>,
    /// Whether the client is setting its watches at another server: events in the meantime are in no order.
    rearming: bool,
}

impl Client {
    fn disarm(&mut self, watch: &Watch) -> Option<Armed> {
        let armed = self.armed.remove(watch)?;
        if let Some(due) = armed.due {
            self.due.remove(&(due, watch.clone()));
        }
        Some(armed)
    }

    /// A change that a watch has to fire for; an earlier one counts if there is one.
    fn becomes_due(&mut self, watch: &Watch, due: Zxid) {
        let Some(armed) = self.armed.get_mut(watch) else { return };
        if armed.due.is_none() && due > armed.since && !armed.is_unjudged {
            armed.due = Some(due);
            self.due.insert((due, watch.clone()));
        }
    }

    /// What happened since a watch was set: its first change, or that it is forgotten.
    fn catches_up(&mut self, znodes: &Znodes, watch: &Watch) {
        let Some(armed) = self.armed.get_mut(watch) else { return };
        match znodes.first_change(watch.0, &watch.1, armed.since) {
            FirstChange::None => {}
            FirstChange::At(due) => self.becomes_due(watch, due),
            FirstChange::Forgotten => armed.is_unjudged |= armed.due.is_none(),
        }
    }

    /// The first watch that should have fired by `zxid`.
    fn overdue(&self, zxid: Zxid) -> Option<(Zxid, Watch)> {
        self.due.first().filter(|(due, _)| *due <= zxid).cloned()
    }
}

/// The watches of all clients.
#[derive(Clone, Debug, Default)]
pub struct Watches {
    clients: BTreeMap<NodeId, Client>,
    /// Which clients watch what.
    watchers: BTreeMap<Watch, BTreeSet<NodeId>>,
    errors: Vec<WatchError>,
}

impl Watches {
    /// What the event at hand shows to be wrong.
    pub fn errors(&self) -> &[WatchError] {
        &self.errors
    }

    /// Folds in what a client saw of its session.
    pub fn session(
        &mut self,
        (znodes, sessions): (&Znodes, &Sessions),
        node: NodeId,
        did: &SessionObservation,
    ) {
        self.errors.clear();
        match did {
            SessionObservation::Attached { session, .. } => {
                if self.clients.get(&node).is_some_and(|client| client.session != *session) {
                    self.forget(node);
                }
                let client = self.clients.entry(node).or_default();
                client.session = *session;
                client.rearming = !client.armed.is_empty();
            }
            SessionObservation::Answered { zxid, answer, .. } => {
                self.answered(node, *zxid);
                let open = sessions.answered().and_then(|answered| answered.open.as_ref());
                if let Some(open) = open {
                    self.called(znodes, node, &open.call, (*zxid, answer));
                }
            }
            SessionObservation::Rearmed { zxid } => self.rearmed(znodes, node, *zxid),
            SessionObservation::Notified { kind, path } => {
                self.notified(znodes, node, (*kind, path));
            }
            SessionObservation::Expired => self.forget(node),
            SessionObservation::Asked { .. } | SessionObservation::Detached => {}
        }
    }

    /// Folds in an event of a server.
    pub fn zookeeper(&mut self, znodes: &Znodes, did: &ZooKeeperObservation) {
        let (ZooKeeperObservation::Stored { path, .. }
        | ZooKeeperObservation::Removed { path, .. }) = did
        else {
            return;
        };
        let Some(change) = znodes.fresh() else { return };
        self.changed(&(Table::Data, path.clone()), change.zxid);
        if change.did == Did::Deleted {
            self.changed(&(Table::Child, path.clone()), change.zxid);
        }
        if change.did != Did::Set && !self.watchers.is_empty() {
            self.changed(&(Table::Child, parent(path).into()), change.zxid);
        }
    }

    /// A change for which watches have to fire.
    fn changed(&mut self, watch: &Watch, zxid: Zxid) {
        let Some(watchers) = self.watchers.get(watch) else { return };
        for node in watchers {
            if let Some(client) = self.clients.get_mut(node) {
                client.becomes_due(watch, zxid);
            }
        }
    }

    fn forget(&mut self, node: NodeId) {
        let Some(client) = self.clients.remove(&node) else { return };
        for watch in client.armed.keys() {
            self.unwatch(node, watch);
        }
    }

    fn unwatch(&mut self, node: NodeId, watch: &Watch) {
        if let Some(watchers) = self.watchers.get_mut(watch) {
            watchers.remove(&node);
            if watchers.is_empty() {
                self.watchers.remove(watch);
            }
        }
    }

    /// A client got an answer from a server that had applied everything up to `zxid`.
    fn answered(&mut self, node: NodeId, zxid: Zxid) {
        while let Some(client) = self.clients.get_mut(&node)
            && let Some((due, watch)) = client.overdue(zxid)
        {
            client.disarm(&watch);
            self.unwatch(node, &watch);
            self.errors.push(WatchError::Late { zxid, path: watch.1, due });
        }
    }

    /// The answer to a call may set a watch.
    fn called(
        &mut self,
        znodes: &Znodes,
        node: NodeId,
        call: &SessionCall,
        (zxid, answer): (Zxid, &SessionAnswer),
    ) {
        let missing = matches!(answer, SessionAnswer::Failed { code: NO_NODE });
        let found = !matches!(answer, SessionAnswer::Failed { .. });
        let (table, path) = match call {
            SessionCall::Exists { path, watch: true } if found || missing => (Table::Data, path),
            SessionCall::GetData { path, watch: true } if found => (Table::Data, path),
            SessionCall::GetChildren { path, watch: true } if found => (Table::Child, path),
            _ => return,
        };
        let watch = (table, path.clone());
        self.watchers.entry(watch.clone()).or_default().insert(node);
        let client = self.clients.entry(node).or_default();
        let armed = Armed { since: zxid, absent: missing, due: None, is_unjudged: false };
        client.armed.entry(watch.clone()).or_insert(armed);
        client.catches_up(znodes, &watch);
    }

    /// Another server has the watches of a client now, and has sent the events that they missed.
    fn rearmed(&mut self, znodes: &Znodes, node: NodeId, zxid: Zxid) {
        let Some(client) = self.clients.get_mut(&node) else { return };
        client.rearming = false;
        let mut missed = Vec::new();
        while let Some((due, watch)) = client.overdue(zxid) {
            let Some(armed) = client.disarm(&watch) else { break };
            // A znode that was created and deleted in the meantime fires no event, and stays watched.
            let exists = matches!(znodes.at(&watch.1, zxid), Known::There(..));
            if armed.absent && watch.0 == Table::Data && !exists {
                client.armed.insert(watch.clone(), Armed { since: zxid, due: None, ..armed });
                client.catches_up(znodes, &watch);
            } else {
                missed.push((due, watch));
            }
        }
        for armed in client.armed.values_mut() {
            armed.since = armed.since.max(zxid);
        }
        for (due, watch) in missed {
            self.unwatch(node, &watch);
            self.errors.push(WatchError::Missed { zxid, path: watch.1, due });
        }
    }

    /// A client got a watch event.
    fn notified(&mut self, znodes: &Znodes, node: NodeId, (kind, path): (WatchKind, &Arc<str>)) {
        let tables: &[Table] = match kind {
            WatchKind::Created | WatchKind::DataChanged => &[Table::Data],
            WatchKind::Deleted => &[Table::Data, Table::Child],
            WatchKind::ChildrenChanged => &[Table::Child],
        };
        let client = self.clients.entry(node).or_default();
        let is_rearming = client.rearming;
        let mut fired: Option<Armed> = None;
        for &table in tables {
            let armed = client.disarm(&(table, path.clone()));
            // Watches of both tables of a znode may be due; the event is about the earlier one.
            fired = match (fired, armed) {
                (Some(one), Some(other)) => Some(Armed {
                    since: one.since.min(other.since),
                    due: one.due.into_iter().chain(other.due).min(),
                    ..one
                }),
                (one, other) => one.or(other),
            };
        }
        let earlier = client.due.first().cloned();
        for &table in tables {
            self.unwatch(node, &(table, path.clone()));
        }
        if is_rearming {
            return;
        }
        let path = path.clone();
        match (fired, earlier) {
            (None, _) => self.errors.push(WatchError::NotWatched { kind, path }),
            (Some(fired), _) if znodes.touched(&path) <= fired.since => {
                self.errors.push(WatchError::NothingChanged { kind, path });
            }
            (Some(Armed { due: Some(due), .. }), Some((earlier_due, (_, earlier))))
                if earlier_due < due =>
            {
                let error = WatchError::OutOfOrder { kind, path, due, earlier, earlier_due };
                self.errors.push(error);
            }
            _ => {}
        }
    }
}
