//! Watches of ZooKeeper: told once, in order, and before the change can be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::checkers::{Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::{
    SessionAnswer, SessionCall, SessionObservation, WatchKind, ZooKeeperObservation,
};
use crate::model::Model;
use crate::model::znodes::{Did, Known, Table, parent};
use crate::vocab::{NodeId, Time, Zxid};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "watches-are-told",
    statement: "a client of ZooKeeper is told of a change of what it watches before it is \
                answered by a server that has the change, of changes in their order, only of what \
                changed, and once for each time that it set the watch; also when it moved to \
                another server in between",
    source: "ZooKeeper Programmer's Guide: what ZooKeeper guarantees about watches (Z8); \
             ZOOKEEPER-1667 (row 79)",
    leaves_out: "an exists watch on a znode that was created and deleted while the client was not \
                 connected, which tells nothing, as documented; persistent watches; how often a \
                 znode changed",
    class: Class::Safety,
};

/// ZooKeeper's `NoNode`.
const NO_NODE: i32 = -101;

/// A watch that a client has set, and has not been told of.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// As of when.
    since: Zxid,
    /// Whether the znode was not there.
    absent: bool,
    /// The change that it has to tell of, once it has happened.
    due: Option<Zxid>,
}

type Watch = (Table, Arc<str>);

/// The watches of a client.
#[derive(Clone, Debug, Default)]
struct Client {
    session: i64,
    armed: BTreeMap<Watch, Armed>,
    due: BTreeSet<(Zxid, Watch)>,
    /// Whether a server is being told of the watches anew: what it tells meanwhile is in no order.
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

    /// From `due` on, there is something to tell; nothing if there is earlier.
    fn becomes_due(&mut self, watch: &Watch, due: Zxid) {
        let Some(armed) = self.armed.get_mut(watch) else { return };
        if armed.due.is_none() && due > armed.since {
            armed.due = Some(due);
            self.due.insert((due, watch.clone()));
        }
    }

    /// A watch that should have told by `zxid`; it is forgotten.
    fn overdue(&mut self, zxid: Zxid) -> Option<(Zxid, Watch)> {
        let (due, watch) = self.due.first().filter(|(due, _)| *due <= zxid).cloned()?;
        self.disarm(&watch);
        Some((due, watch))
    }
}

/// The watches of all clients, and the first that broke it.
#[derive(Clone, Debug, Default)]
pub struct WatchesAreTold {
    clients: BTreeMap<NodeId, Client>,
    /// Who watches what; some of them not any more.
    watchers: BTreeMap<Watch, BTreeSet<NodeId>>,
    first: FirstCase,
}

impl WatchesAreTold {
    fn wrong(&mut self, model: &Model, (time, node): (Time, NodeId), what: &str) {
        self.first.of_node(model, time, &model.sessions.pair(node), what);
    }

    /// Something changed that whoever watches it has to be told of.
    fn changed(&mut self, watch: &Watch, zxid: Zxid) {
        let Some(watchers) = self.watchers.get(watch) else { return };
        for node in watchers {
            if let Some(client) = self.clients.get_mut(node) {
                client.becomes_due(watch, zxid);
            }
        }
    }

    /// The watch that an answer sets.
    fn arm(&mut self, model: &Model, node: NodeId, watch: Watch, zxid: Zxid, absent: bool) {
        self.watchers.entry(watch.clone()).or_default().insert(node);
        let client = self.clients.entry(node).or_default();
        let armed = Armed { since: zxid, absent, due: None };
        client.armed.entry(watch.clone()).or_insert(armed);
        if let Some(due) = model.znodes.first_change(watch.0, &watch.1, zxid) {
            client.becomes_due(&watch, due);
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

    /// A client was answered by a server that had applied everything up to `zxid`.
    fn answered(&mut self, model: &Model, at: (Time, NodeId), zxid: Zxid, answer: &SessionAnswer) {
        while let Some((due, watch)) =
            self.clients.get_mut(&at.1).and_then(|client| client.overdue(zxid))
        {
            self.unwatch(at.1, &watch);
            let what = format!(
                "was answered at {zxid} and had not been told that {} changed at {due}",
                watch.1
            );
            self.wrong(model, at, &what);
        }
        let open = model.sessions.answered().and_then(|answered| answered.open.as_ref());
        let Some(open) = open else { return };
        let missing = matches!(answer, SessionAnswer::Failed { code: NO_NODE });
        let found = !matches!(answer, SessionAnswer::Failed { .. });
        match &open.call {
            SessionCall::Exists { path, watch: true } if found || missing => {
                self.arm(model, at.1, (Table::Data, path.clone()), zxid, missing);
            }
            SessionCall::GetData { path, watch: true } if found => {
                self.arm(model, at.1, (Table::Data, path.clone()), zxid, false);
            }
            SessionCall::GetChildren { path, watch: true } if found => {
                self.arm(model, at.1, (Table::Child, path.clone()), zxid, false);
            }
            _ => {}
        }
    }

    /// Another server has the watches of a client now, and has told of all that they missed.
    fn rearmed(&mut self, model: &Model, at: (Time, NodeId), zxid: Zxid) {
        let Some(client) = self.clients.get_mut(&at.1) else { return };
        client.rearming = false;
        let mut missed = Vec::new();
        while let Some((due, watch)) = client.due.first().filter(|(due, _)| *due <= zxid).cloned() {
            let Some(armed) = client.disarm(&watch) else { break };
            // What came and went meanwhile is not told of, and is watched on.
            let is_there = matches!(model.znodes.at(&watch.1, zxid), Known::There(..));
            if armed.absent && watch.0 == Table::Data && !is_there {
                client.armed.insert(watch.clone(), Armed { since: zxid, due: None, ..armed });
                if let Some(next) = model.znodes.first_change(watch.0, &watch.1, zxid) {
                    client.becomes_due(&watch, next);
                }
            } else {
                missed.push((due, watch));
            }
        }
        for armed in client.armed.values_mut() {
            armed.since = armed.since.max(zxid);
        }
        for (due, watch) in missed {
            self.unwatch(at.1, &watch);
            let what = format!(
                "set its watches again at {zxid} and was not told that {} changed at {due}",
                watch.1
            );
            self.wrong(model, at, &what);
        }
    }

    /// A client was told that something changed.
    fn notified(&mut self, model: &Model, at: (Time, NodeId), kind: WatchKind, path: &Arc<str>) {
        let tables: &[Table] = match kind {
            WatchKind::Created | WatchKind::DataChanged => &[Table::Data],
            WatchKind::Deleted => &[Table::Data, Table::Child],
            WatchKind::ChildrenChanged => &[Table::Child],
        };
        let client = self.clients.entry(at.1).or_default();
        let is_rearming = client.rearming;
        let mut fired: Option<Armed> = None;
        for &table in tables {
            let armed = client.disarm(&(table, path.clone()));
            // Both tables of a znode may have something to tell; the earlier is what this is about.
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
            self.unwatch(at.1, &(table, path.clone()));
        }
        if is_rearming {
            return;
        }
        let Some(fired) = fired else {
            let what = format!("was told that {path} {kind}, which it did not watch");
            return self.wrong(model, at, &what);
        };
        if model.znodes.touched(path) <= fired.since {
            let what = format!("was told that {path} {kind}, and nothing happened to it");
            return self.wrong(model, at, &what);
        }
        if let (Some(due), Some((before, watch))) = (fired.due, earlier)
            && before < due
        {
            let what = format!(
                "was told that {path} {kind} at {due} before it was told that {} changed at \
                 {before}",
                watch.1
            );
            self.wrong(model, at, &what);
        }
    }
}

impl Checker for WatchesAreTold {
    fn session(&mut self, model: &Model, time: Time, node: NodeId, told: &SessionObservation) {
        let at = (time, node);
        match told {
            SessionObservation::Attached { session, .. } => {
                if self.clients.get(&node).is_some_and(|client| client.session != *session) {
                    self.forget(node);
                }
                let client = self.clients.entry(node).or_default();
                client.session = *session;
                client.rearming = !client.armed.is_empty();
            }
            SessionObservation::Answered { zxid, answer, .. } => {
                self.answered(model, at, *zxid, answer);
            }
            SessionObservation::Rearmed { zxid } => self.rearmed(model, at, *zxid),
            SessionObservation::Notified { kind, path } => self.notified(model, at, *kind, path),
            SessionObservation::Expired => self.forget(node),
            SessionObservation::Asked { .. } | SessionObservation::Detached => {}
        }
    }

    fn zookeeper(&mut self, model: &Model, _: Time, _: NodeId, told: &ZooKeeperObservation) {
        let (ZooKeeperObservation::Stored { path, .. }
        | ZooKeeperObservation::Removed { path, .. }) = told
        else {
            return;
        };
        let Some(change) = model.znodes.fresh() else { return };
        self.changed(&(Table::Data, path.clone()), change.zxid);
        if change.did == Did::Deleted {
            self.changed(&(Table::Child, path.clone()), change.zxid);
        }
        if change.did != Did::Set && !self.watchers.is_empty() {
            self.changed(&(Table::Child, parent(path).into()), change.zxid);
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

    /// A story, told by z1 and by the session of b1.
    struct Told {
        story: Story,
        xid: i32,
    }

    impl Told {
        fn new() -> Self {
            let mut told = Self { story: Story::default(), xid: 0 };
            told.attaches();
            told.stored(1, "/a", 0);
            told
        }

        fn attaches(&mut self) {
            self.session(SessionObservation::Attached { session: 1, server: Story::Z1 });
        }

        fn session(&mut self, told: SessionObservation) {
            self.story.session(Story::B1, told);
        }

        fn stored(&mut self, zxid: i64, path: &str, version: i32) {
            let (zxid, path, data) = (Zxid(zxid), path.into(), "".into());
            self.story.server(ZooKeeperObservation::Stored { zxid, path, version, data });
        }

        fn removed(&mut self, zxid: i64, path: &str) {
            let (zxid, path) = (Zxid(zxid), path.into());
            self.story.server(ZooKeeperObservation::Removed { zxid, path });
        }

        fn call(&mut self, call: SessionCall, zxid: i64, answer: SessionAnswer) {
            self.xid += 1;
            let (xid, zxid) = (self.xid, Zxid(zxid));
            self.session(SessionObservation::Asked { xid, call });
            self.session(SessionObservation::Answered { xid, zxid, answer });
        }

        /// Reads `/a`, and watches it.
        fn watches(&mut self, zxid: i64, mzxid: i64, version: i32) {
            let stat = SessionAnswer::Stat { mzxid: Zxid(mzxid), version };
            self.call(SessionCall::GetData { path: "/a".into(), watch: true }, zxid, stat);
        }

        fn watches_for(&mut self, path: &str, zxid: i64) {
            let missing = SessionAnswer::Failed { code: NO_NODE };
            self.call(SessionCall::Exists { path: path.into(), watch: true }, zxid, missing);
        }

        fn is_told(&mut self, kind: WatchKind, path: &str) {
            self.session(SessionObservation::Notified { kind, path: path.into() });
        }

        fn syncs(&mut self, zxid: i64) {
            self.call(SessionCall::Sync, zxid, SessionAnswer::Done);
        }

        /// Is elsewhere from now on.
        fn moves(&mut self) {
            self.session(SessionObservation::Detached);
            self.attaches();
        }

        fn rearmed(&mut self, zxid: i64) {
            self.session(SessionObservation::Rearmed { zxid: Zxid(zxid) });
        }

        fn holds(&self) {
            assert_eq!(self.story.violation(&PROPERTY), None);
        }

        fn wrong(&self) -> String {
            rejects(&self.story, &PROPERTY).to_string()
        }
    }

    #[test]
    fn a_change_that_is_told_before_it_can_be_seen_is_accepted() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.stored(2, "/a", 1);
        told.syncs(1);
        told.is_told(WatchKind::DataChanged, "/a");
        told.syncs(2);
        told.watches(2, 2, 1);
        told.removed(3, "/a");
        told.is_told(WatchKind::Deleted, "/a");
        told.syncs(3);
        told.holds();
    }

    #[test]
    fn a_change_that_can_be_seen_before_it_is_told_is_rejected() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.stored(2, "/a", 1);
        told.syncs(2);
        let text = "b1 was answered at 0x2 and had not been told that /a changed at 0x2, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn a_watch_that_is_set_behind_the_times_tells_of_what_came_meanwhile() {
        let mut told = Told::new();
        told.stored(2, "/a", 1);
        told.watches(1, 1, 0);
        told.syncs(2);
        assert!(told.wrong().contains("had not been told that /a changed at 0x2"));
    }

    #[test]
    fn children_come_and_go() {
        let children = |zxid| (SessionCall::GetChildren { path: "/a".into(), watch: true }, zxid);
        let mut told = Told::new();
        let (call, zxid) = children(1);
        told.call(call, zxid, SessionAnswer::Done);
        told.stored(2, "/a/b", 0);
        told.is_told(WatchKind::ChildrenChanged, "/a");
        let (call, zxid) = children(2);
        told.call(call, zxid, SessionAnswer::Done);
        told.stored(3, "/a/b", 1);
        told.syncs(3);
        told.holds();
        told.removed(4, "/a/b");
        told.syncs(4);
        assert!(told.wrong().contains("had not been told that /a changed at 0x4"));
    }

    #[test]
    fn a_watch_tells_once() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.stored(2, "/a", 1);
        told.is_told(WatchKind::DataChanged, "/a");
        told.stored(3, "/a", 2);
        told.is_told(WatchKind::DataChanged, "/a");
        let text = "b1 was told that /a was set, which it did not watch, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn a_watch_tells_of_nothing_that_did_not_happen() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.is_told(WatchKind::DataChanged, "/a");
        let text = "b1 was told that /a was set, and nothing happened to it, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn changes_are_told_in_order() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.watches_for("/b", 1);
        told.stored(2, "/a", 1);
        told.stored(3, "/b", 0);
        told.is_told(WatchKind::Created, "/b");
        let text = "b1 was told that /b was created at 0x3 before it was told that /a changed at \
                    0x2, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn what_was_missed_is_told_by_the_next_server() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.stored(2, "/a", 1);
        told.moves();
        told.is_told(WatchKind::DataChanged, "/a");
        told.rearmed(2);
        told.syncs(2);
        told.holds();
        told.watches(2, 2, 1);
        told.stored(3, "/a", 2);
        told.moves();
        told.rearmed(3);
        let text =
            "b1 set its watches again at 0x3 and was not told that /a changed at 0x3, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn what_came_and_went_meanwhile_may_be_missed_and_is_watched_on() {
        let mut told = Told::new();
        told.watches_for("/b", 1);
        told.stored(2, "/b", 0);
        told.removed(3, "/b");
        told.moves();
        told.rearmed(3);
        told.syncs(3);
        told.holds();
        told.stored(4, "/b", 0);
        told.syncs(4);
        assert!(told.wrong().contains("had not been told that /b changed at 0x4"));
    }

    #[test]
    fn watches_end_with_their_session() {
        let mut told = Told::new();
        told.watches(1, 1, 0);
        told.session(SessionObservation::Expired);
        told.session(SessionObservation::Attached { session: 2, server: Story::Z1 });
        told.stored(2, "/a", 1);
        told.syncs(2);
        told.holds();
    }
}
