//! ZooKeeper watches fire once, in order, and before the client can see the change.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::SessionObservation;
use crate::model::watches::WatchError;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "watches-fire",
    statement: "a ZooKeeper client gets the event for a change that it watches before any answer \
                from a server that has the change, in the order of the changes, only for what \
                changed, and once for each time that it set the watch; also when it moves to \
                another server",
    source: "ZooKeeper Programmer's Guide: what ZooKeeper guarantees about watches (Z8); \
             ZOOKEEPER-1667 (row 79)",
    leaves_out: "an exists watch on a znode that was created and deleted while the client was not \
                 connected, which does not fire, as documented; persistent watches; how often a \
                 znode changed",
    looks_at: Subject::Sessions,
    class: Class::Safety,
};

/// Looks at the answers and watch events that clients get.
#[derive(Debug)]
pub struct WatchesFire;

impl Rule for WatchesFire {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Session];

    fn session(event: &Event<'_>, _: &SessionObservation, found: &mut Cases) {
        for error in event.model.watches.errors() {
            let what = match error {
                WatchError::Late { zxid, path, due } => {
                    format!("got an answer at {zxid} before the event for {path}, due at {due}")
                }
                WatchError::Missed { zxid, path, due } => {
                    format!("set its watches again at {zxid} without an event for {path} at {due}")
                }
                WatchError::NotWatched { kind, path } => {
                    format!("got an event that {path} {kind}, which it did not watch")
                }
                WatchError::NothingChanged { kind, path } => {
                    format!("got an event that {path} {kind}, but nothing had changed")
                }
                WatchError::OutOfOrder { kind, path, due, earlier, earlier_due } => format!(
                    "got the event that {path} {kind} at {due} before the event for {earlier} at \
                     {earlier_due}"
                ),
            };
            found.forbidden(|| event.client_did(what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::SessionAnswer;
    use crate::history::SessionCall;
    use crate::history::WatchKind;
    use crate::history::ZooKeeperObservation;
    use crate::model::znode_reads::NO_NODE;
    use crate::vocab::Zxid;

    /// A story of z1 and the session of b1.
    struct WatchStory {
        story: Story,
        xid: i32,
    }

    impl WatchStory {
        fn new() -> Self {
            let mut story = Self { story: Story::default(), xid: 0 };
            story.attaches();
            story.stored(1, "/a", 0);
            story
        }

        fn attaches(&mut self) {
            self.session(SessionObservation::Attached { session: 1, server: Story::Z1 });
        }

        fn session(&mut self, did: SessionObservation) {
            self.story.session(Story::B1, did);
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

        fn gets(&mut self, kind: WatchKind, path: &str) {
            self.session(SessionObservation::Notified { kind, path: path.into() });
        }

        fn syncs(&mut self, zxid: i64) {
            self.call(SessionCall::Sync, zxid, SessionAnswer::Done);
        }

        /// Connects to another server.
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
    fn a_watch_that_fires_before_the_change_can_be_seen_is_accepted() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.stored(2, "/a", 1);
        story.syncs(1);
        story.gets(WatchKind::DataChanged, "/a");
        story.syncs(2);
        story.watches(2, 2, 1);
        story.removed(3, "/a");
        story.gets(WatchKind::Deleted, "/a");
        story.syncs(3);
        story.holds();
    }

    #[test]
    fn a_change_that_can_be_seen_before_its_event_is_rejected() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.stored(2, "/a", 1);
        story.syncs(2);
        let text = "b1 got an answer at 0x2 before the event for /a, due at 0x2, at 0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn a_watch_that_is_set_at_a_server_behind_fires_for_later_changes() {
        let mut story = WatchStory::new();
        story.stored(2, "/a", 1);
        story.watches(1, 1, 0);
        story.syncs(2);
        assert!(story.wrong().contains("before the event for /a, due at 0x2"));
    }

    #[test]
    fn children_come_and_go() {
        let children = |zxid| (SessionCall::GetChildren { path: "/a".into(), watch: true }, zxid);
        let mut story = WatchStory::new();
        let (call, zxid) = children(1);
        story.call(call, zxid, SessionAnswer::Done);
        story.stored(2, "/a/b", 0);
        story.gets(WatchKind::ChildrenChanged, "/a");
        let (call, zxid) = children(2);
        story.call(call, zxid, SessionAnswer::Done);
        story.stored(3, "/a/b", 1);
        story.syncs(3);
        story.holds();
        story.removed(4, "/a/b");
        story.syncs(4);
        assert!(story.wrong().contains("before the event for /a, due at 0x4"));
    }

    #[test]
    fn a_watch_fires_once() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.stored(2, "/a", 1);
        story.gets(WatchKind::DataChanged, "/a");
        story.stored(3, "/a", 2);
        story.gets(WatchKind::DataChanged, "/a");
        let text = "b1 got an event that /a was changed, which it did not watch, at 0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn a_watch_fires_only_for_a_change() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.gets(WatchKind::DataChanged, "/a");
        let text = "b1 got an event that /a was changed, but nothing had changed, at 0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn watches_fire_in_order() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.watches_for("/b", 1);
        story.stored(2, "/a", 1);
        story.stored(3, "/b", 0);
        story.gets(WatchKind::Created, "/b");
        let text = "b1 got the event that /b was created at 0x3 before the event for /a at 0x2, at \
                    0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn missed_events_come_from_the_next_server() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.stored(2, "/a", 1);
        story.moves();
        story.gets(WatchKind::DataChanged, "/a");
        story.rearmed(2);
        story.syncs(2);
        story.holds();
        story.watches(2, 2, 1);
        story.stored(3, "/a", 2);
        story.moves();
        story.rearmed(3);
        let text = "b1 set its watches again at 0x3 without an event for /a at 0x3, at 0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn what_was_created_and_deleted_in_between_fires_no_event_and_stays_watched() {
        let mut story = WatchStory::new();
        story.watches_for("/b", 1);
        story.stored(2, "/b", 0);
        story.removed(3, "/b");
        story.moves();
        story.rearmed(3);
        story.syncs(3);
        story.holds();
        story.stored(4, "/b", 0);
        story.syncs(4);
        assert!(story.wrong().contains("before the event for /b, due at 0x4"));
    }

    #[test]
    fn watches_end_with_their_session() {
        let mut story = WatchStory::new();
        story.watches(1, 1, 0);
        story.session(SessionObservation::Expired);
        story.session(SessionObservation::Attached { session: 2, server: Story::Z1 });
        story.stored(2, "/a", 1);
        story.syncs(2);
        story.holds();
    }
}
