//! What a client asks ZooKeeper for takes effect, and is answered, in the order in which it asked.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::checkers::{Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::{SessionAnswer, SessionObservation, ZooKeeperObservation};
use crate::model::Model;
use crate::vocab::{NodeId, Time, Zxid};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "sessions-are-served-in-order",
    statement: "the requests of a session at ZooKeeper are answered in the order in which \
                they were sent, a write that succeeds comes after everything that its session was \
                told of before, and writes take effect in the order of sending, each once, also \
                when the client has moved to another server in between",
    source: "ZooKeeper's guarantees: sequential consistency, FIFO client order (Z6); \
             ZOOKEEPER-417, 710, 2886 (row 78)",
    leaves_out: "clients from outside, whose own side is not seen; whether what was not answered \
                 happened",
    class: Class::Safety,
};

/// The last write of each session, and the first that broke it.
#[derive(Clone, Debug, Default)]
pub struct SessionsAreServedInOrder {
    /// Sessions of clients whose side is seen, and the last request of each that became a transaction.
    written: BTreeMap<i64, (Zxid, i32)>,
    first: FirstCase,
}

impl Checker for SessionsAreServedInOrder {
    fn session(&mut self, model: &Model, time: Time, node: NodeId, told: &SessionObservation) {
        match told {
            SessionObservation::Attached { session, .. } => {
                self.written.entry(*session).or_default();
            }
            SessionObservation::Answered { xid, zxid, answer } => {
                let Some(answered) = model.sessions.answered() else { return };
                let Some(open) = &answered.open else {
                    let what = format!("was answered request {xid} out of turn");
                    let nodes = model.sessions.pair(node);
                    return self.first.of_node(model, time, &nodes, what);
                };
                let succeeded = !matches!(answer, SessionAnswer::Failed { .. });
                if open.call.is_write() && succeeded && *zxid <= answered.seen {
                    let what = format!(
                        "was told that `{}` happened at {zxid}, when it had been told of {}",
                        open.call, answered.seen
                    );
                    self.first.of_node(model, time, &model.sessions.pair(node), what);
                }
            }
            _ => {}
        }
    }

    fn zookeeper(&mut self, model: &Model, time: Time, node: NodeId, told: &ZooKeeperObservation) {
        match told {
            ZooKeeperObservation::Written { zxid, session, xid } => {
                let Some(last) = self.written.get_mut(session) else { return };
                let before = *last;
                // A leader that stood still tells late what others had taken over from it.
                let in_order = match zxid.cmp(&before.0) {
                    Ordering::Greater => *xid > before.1,
                    Ordering::Equal => *xid == before.1,
                    Ordering::Less => *xid < before.1,
                };
                if *zxid > before.0 && in_order {
                    *last = (*zxid, *xid);
                }
                if !in_order {
                    let what = format!(
                        "let request {xid} of session {session:#x} happen at {zxid}, \
                         request {} having happened at {}",
                        before.1, before.0
                    );
                    self.first.of_node(model, time, &[node], what);
                }
            }
            ZooKeeperObservation::SessionEnded { session } => {
                self.written.remove(session);
            }
            _ => {}
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
    use crate::history::SessionCall;

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
    fn writes_that_are_answered_in_turn_are_accepted_also_by_another_server() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, asked(2));
        story.server(written(1, 5)).session(Story::B1, answered(1, 5));
        // The second is lost on the way; the third goes through another server.
        story.session(Story::B1, SessionObservation::Detached).session(Story::B1, attached());
        story.session(Story::B1, asked(3)).server(written(3, 6)).session(Story::B1, answered(3, 6));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_write_that_was_left_behind_may_not_overtake() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, SessionObservation::Detached);
        story.session(Story::B1, attached()).session(Story::B1, asked(2));
        story.server(written(2, 5)).at(3_000).server(written(1, 6));
        let text = "z1 let request 1 of session 0x100 happen at 0x6, \
                    request 2 having happened at 0x5, at 3.000s";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_write_that_its_leader_tells_of_late_is_accepted() {
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
    fn an_answer_out_of_turn_is_rejected() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, asked(2));
        story.session(Story::B1, answered(2, 5));
        let text = "b1 was answered request 2 out of turn, at 0.000s";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_write_before_what_its_session_knows_is_rejected() {
        let mut story = attached_story();
        story.session(Story::B1, asked(1)).session(Story::B1, asked(2));
        story.session(Story::B1, answered(1, 5)).session(Story::B1, answered(2, 5));
        let text = "b1 was told that `delete /a` happened at 0x5, when it had been told of 0x5, \
                    at 0.000s";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn requests_of_strangers_are_not_judged() {
        let mut story = Story::default();
        story.server(written(2, 5)).server(written(1, 6));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
