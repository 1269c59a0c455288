//! The requests of a ZooKeeper session take effect, and are answered, in the order in which they were sent.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{SessionAnswer, SessionObservation, ZooKeeperObservation};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "session-requests-are-in-order",
    statement: "the requests of a ZooKeeper session are answered in the order in which they were \
                sent, a write that succeeds comes after everything that its session has seen, and \
                writes take effect once each, in the order of sending, also when the client moves \
                to another server",
    source: "ZooKeeper's guarantees: sequential consistency, FIFO client order (Z6); \
             ZOOKEEPER-417, 710, 2886 (row 78)",
    leaves_out: "external clients, whose own side is not recorded; whether requests without an \
                 answer took effect",
    looks_at: Subject::Sessions,
    class: Class::Safety,
};

/// Looks at the answers to clients, and at the writes of servers.
#[derive(Debug)]
pub struct SessionRequestsAreInOrder;

impl Rule for SessionRequestsAreInOrder {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::ZooKeeper, Kind::Session];

    fn session(event: &Event<'_>, did: &SessionObservation, found: &mut Cases) {
        let SessionObservation::Answered { xid, zxid, answer } = did else { return };
        let Some(answered) = event.model.sessions.answered() else { return };
        let Some(open) = &answered.open else {
            let what = format!("received the answer to request {xid} out of order");
            return found.forbidden(|| event.client_did(what));
        };
        let (succeeded, seen) = (!matches!(answer, SessionAnswer::Failed { .. }), answered.seen);
        if open.call.is_write() && succeeded && *zxid <= seen {
            let what = format!("saw `{}` succeed at {zxid} after it had seen {seen}", open.call);
            found.forbidden(|| event.client_did(what));
        }
    }

    fn zookeeper(event: &Event<'_>, did: &ZooKeeperObservation, found: &mut Cases) {
        let ZooKeeperObservation::Written { zxid, session, xid } = did else { return };
        let Some(last) = event.model.session_writes.out_of_order() else { return };
        found.forbidden(|| {
            event.node_did(format!(
                "applied request {xid} of session {session:#x} at {zxid}, but request {} at {}",
                last.xid, last.zxid
            ))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::SessionCall;
    use crate::vocab::Zxid;

    const SESSION: i64 = 0x100;

    fn attached() -> SessionObservation {
        SessionObservation::Attached { session: SESSION, server: Story::Z1 }
    }

    fn asked(xid: i32) -> SessionObservation {
        SessionObservation::Asked { xid, call: SessionCall::Delete { path: "/a".into() } }
    }

    fn answered(xid: i32, zxid: i64) -> SessionObservation {
        SessionObservation::Answered { xid, zxid: Zxid(zxid), answer: SessionAnswer::Done }
    }

    fn written(xid: i32, zxid: i64) -> ZooKeeperObservation {
        ZooKeeperObservation::Written { zxid: Zxid(zxid), session: SESSION, xid }
    }

    fn attached_story() -> Story {
        let mut story = Story::default();
        story.session(Story::B1, attached());
        story
    }

    #[test]
    fn writes_that_are_answered_in_order_are_accepted_also_by_another_server() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, asked(2));
        story.server(written(1, 5)).session(Story::B1, answered(1, 5));
        // The second is lost on the way; the third goes through another server.
        story.session(Story::B1, SessionObservation::Detached).session(Story::B1, attached());
        story.session(Story::B1, asked(3)).server(written(3, 6)).session(Story::B1, answered(3, 6));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_write_through_the_former_server_may_not_come_later() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, SessionObservation::Detached);
        story.session(Story::B1, attached()).session(Story::B1, asked(2));
        story.server(written(2, 5)).at(3_000).server(written(1, 6));
        let text = "z1 applied request 1 of session 0x100 at 0x6, but request 2 at 0x5, at 3.000s";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_write_that_its_leader_reports_late_is_accepted() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, SessionObservation::Detached);
        story.session(Story::B1, attached()).session(Story::B1, asked(2));
        story.server(written(2, 6)).server(written(1, 5));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn no_write_happens_twice() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).server(written(1, 5)).server(written(1, 6));
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }

    #[test]
    fn an_answer_out_of_order_is_rejected() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, asked(2));
        story.session(Story::B1, answered(2, 5));
        let text = "b1 received the answer to request 2 out of order, at 0.000s";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_write_before_what_its_session_knows_is_rejected() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, asked(2));
        story.session(Story::B1, answered(1, 5)).session(Story::B1, answered(2, 5));
        let text = "b1 saw `delete /a` succeed at 0x5 after it had seen 0x5, at 0.000s";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn requests_of_external_clients_are_not_judged() {
        let mut story = Story::default();
        story.server(written(2, 5)).server(written(1, 6));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
