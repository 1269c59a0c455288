//! ZooKeeper's writes are linearizable, and a session's view of the znodes never goes back.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::SessionObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "znodes-are-consistent",
    statement: "a write to ZooKeeper comes after every write that was answered before it was sent, \
                and gives the znode the next version; no session sees less than it has seen, also \
                at another server; a read shows the znode as the transactions up to its zxid made \
                it; after a sync a session sees everything committed by the time it sent the sync",
    source: "ZooKeeper's guarantees: linearizable writes, sequential consistency, single system \
             image, reliability (Z7, Z10)",
    leaves_out: "reads without a sync, which may be old; a sync at a server whose leader was \
                 replaced and does not know it (ZOOKEEPER-1675, row 81); names of children; what \
                 is in a new leader's history and was not applied by any server",
    looks_at: Subject::Sessions,
    class: Class::Safety,
};

/// Looks at the answers that clients get.
#[derive(Debug)]
pub struct ZnodesAreConsistent;

impl Rule for ZnodesAreConsistent {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Session];

    fn session(event: &Event<'_>, did: &SessionObservation, found: &mut Cases) {
        let SessionObservation::Answered { zxid, answer, .. } = did else { return };
        if let Some(wrong) = event.model.answer_error(*zxid, answer) {
            found.forbidden(|| event.client_did(wrong));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::{SessionAnswer, SessionCall, ZooKeeperObservation};
    use crate::model::znode_reads::NO_NODE;
    use crate::vocab::{NodeId, Zxid};

    /// A story of z1 and the sessions of b1 and c0.
    #[derive(Clone)]
    struct ZnodeStory {
        story: Story,
        xid: i32,
    }

    impl ZnodeStory {
        fn new() -> Self {
            let mut story = Story::default();
            for (session, node) in [(1, Story::B1), (2, Story::C0)] {
                let attached = SessionObservation::Attached { session, server: Story::Z1 };
                story.session(node, attached);
            }
            Self { story, xid: 0 }
        }

        fn stored(&mut self, zxid: i64, version: i32) -> &mut Self {
            let (zxid, path, data) = (Zxid(zxid), "/a".into(), "".into());
            self.story.server(ZooKeeperObservation::Stored { zxid, path, version, data });
            self
        }

        fn asks(&mut self, node: NodeId, call: SessionCall) -> i32 {
            self.xid += 1;
            self.story.session(node, SessionObservation::Asked { xid: self.xid, call });
            self.xid
        }

        fn answers(&mut self, node: NodeId, xid: i32, zxid: i64, answer: SessionAnswer) {
            let zxid = Zxid(zxid);
            self.story.session(node, SessionObservation::Answered { xid, zxid, answer });
        }

        fn call(&mut self, node: NodeId, call: SessionCall, zxid: i64, answer: SessionAnswer) {
            let xid = self.asks(node, call);
            self.answers(node, xid, zxid, answer);
        }

        fn holds(&self) -> bool {
            self.story.violation(&PROPERTY).is_none()
        }

        fn wrong(&self) -> String {
            rejects(&self.story, &PROPERTY).to_string()
        }
    }

    fn read() -> SessionCall {
        SessionCall::GetData { path: "/a".into(), watch: false }
    }

    fn set(version: i32) -> SessionCall {
        SessionCall::SetData { path: "/a".into(), version }
    }

    fn stat(mzxid: i64, version: i32) -> SessionAnswer {
        SessionAnswer::Stat { mzxid: Zxid(mzxid), version }
    }

    const MISSING: SessionAnswer = SessionAnswer::Failed { code: NO_NODE };

    fn created() -> ZnodeStory {
        let mut story = ZnodeStory::new();
        story.stored(1, 0);
        story
    }

    #[test]
    fn writes_in_order_and_reads_that_are_old_are_accepted() {
        let mut story = created();
        story.stored(2, 1).call(Story::B1, set(0), 2, stat(2, 1));
        story.call(Story::C0, read(), 1, stat(1, 0));
        story.call(Story::C0, SessionCall::Sync, 2, SessionAnswer::Done);
        story.call(Story::C0, read(), 2, stat(2, 1));
        assert!(story.holds());
        let removed = ZooKeeperObservation::Removed { zxid: Zxid(3), path: "/a".into() };
        story.story.server(removed);
        story.call(Story::B1, read(), 3, MISSING);
        assert!(story.holds());
    }

    #[test]
    fn a_view_that_goes_back_is_rejected() {
        let mut story = created();
        story.stored(2, 1).call(Story::C0, read(), 2, stat(2, 1));
        let attached = SessionObservation::Attached { session: 2, server: Story::Z1 };
        story.story.session(Story::C0, attached);
        story.call(Story::C0, read(), 1, stat(1, 0));
        let text = "c0 got the answer to `getData /a` at 0x1 after it had seen 0x2, at 0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn another_session_may_see_less() {
        let mut story = created();
        story.stored(2, 1).call(Story::C0, read(), 2, stat(2, 1));
        story.story.session(Story::C0, SessionObservation::Expired);
        let attached = SessionObservation::Attached { session: 3, server: Story::Z1 };
        story.story.session(Story::C0, attached);
        story.call(Story::C0, read(), 1, stat(1, 0));
        assert!(story.holds());
    }

    #[test]
    fn a_read_that_shows_what_never_was_is_rejected() {
        for (zxid, shown) in [(2, stat(1, 0)), (2, MISSING), (1, stat(1, 1)), (2, stat(3, 2))] {
            let mut story = created();
            story.stored(2, 1).call(Story::C0, read(), zxid, shown);
            assert_eq!(rejects(&story.story, &PROPERTY).count(), 1);
        }
    }

    #[test]
    fn two_writes_on_the_same_version_are_rejected() {
        let mut story = created();
        story.stored(2, 1).stored(3, 1).call(Story::B1, set(0), 2, stat(2, 1));
        story.call(Story::C0, set(0), 3, stat(3, 1));
        let text = "c0 set /a to version 1 at 0x3, but the version before was 1, at 0.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn a_write_before_one_that_was_known_is_rejected() {
        let mut story = created();
        story.stored(5, 1).call(Story::B1, set(0), 5, stat(5, 1));
        story.story.at(2_000);
        let delete = SessionCall::Delete { path: "/b".into() };
        story.call(Story::C0, delete, 4, SessionAnswer::Done);
        let text =
            "c0 saw `delete /b` succeed at 0x4, but 0x5 was acknowledged before 2.000s, at 2.000s";
        assert_eq!(story.wrong(), text);
    }

    #[test]
    fn a_sync_without_what_was_committed_is_rejected_unless_the_leader_was_replaced() {
        let leading = |epoch| ZooKeeperObservation::Leading { epoch, zxid: Zxid(0), digest: 0 };
        for replaced in [false, true] {
            let mut story = ZnodeStory::new();
            story.story.server(leading(1));
            story.stored(1, 0).stored(2, 1);
            if replaced {
                let leading = crate::history::Observation::ZooKeeper(leading(2));
                story.story.told_at(Story::P0, leading);
            }
            story.call(Story::C0, SessionCall::Sync, 1, SessionAnswer::Done);
            assert_eq!(story.holds(), replaced);
        }
    }
}
