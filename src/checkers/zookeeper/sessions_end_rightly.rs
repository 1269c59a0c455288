//! Sessions are given up only after a silence of their timeout, once, and for good.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::Model;
use crate::model::interval::IntervalSet;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "sessions-end-rightly",
    statement: "a ZooKeeper server gives a session up only when it did not hear of it for the \
                negotiated timeout, ends it once, gives no session id away twice, and no broker \
                is told of an expiry that no server decided",
    source: "ZooKeeper's guarantees: sessions; Programmer's Guide: the session is expired by the \
             ensemble, not by the client",
    leaves_out: "whether a server heard what was sent to it; how late a session is given up; what \
                 another server hears in the meantime",
    class: Class::Safety,
};

/// What can be wrong with a session.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// It was given up before it was silent for its timeout.
    TooEarly { silent_ms: u64, timeout_ms: i32 },
    /// It was given up, or ended, and was not there.
    NotThere,
    /// Its id was given away once more.
    Reused,
    /// A broker was told that it expired, which no server had decided.
    Lives,
}

/// The sessions in one server's tree.
#[derive(Clone, Debug, Default)]
struct Server {
    live: BTreeSet<i64>,
    opened: IntervalSet,
}

/// The sessions of all servers, and the first that broke it.
#[derive(Clone, Debug, Default)]
pub struct SessionsEndRightly {
    servers: BTreeMap<NodeId, Server>,
    /// The least timeout that was negotiated for each session that lives anywhere, in milliseconds.
    timeouts: BTreeMap<i64, i32>,
    /// Sessions that some server gave up or ended.
    gone: IntervalSet,
    first: FirstCase,
}

impl SessionsEndRightly {
    fn wrong(&mut self, model: &Model, (time, node): (Time, NodeId), session: i64, wrong: Wrong) {
        self.first.found(|| {
            let name = model.terms.name(node);
            let what = match wrong {
                Wrong::TooEarly { silent_ms, timeout_ms } => format!(
                    "{name} gave session {session:#x} up at {time:.3}, \
                     silent for {silent_ms}ms of {timeout_ms}ms"
                ),
                Wrong::NotThere => format!(
                    "{name} ended session {session:#x} at {time:.3}, which is no session of it"
                ),
                Wrong::Reused => {
                    format!("{name} opened session {session:#x} at {time:.3}, as it had before")
                }
                Wrong::Lives => format!(
                    "{name} was told at {time:.3} that session {session:#x} expired, \
                     which no server had said"
                ),
            };
            Case::of(time, what).about(&model.terms, [node]).after_faults(&model.faults)
        });
    }

    fn negotiated(&mut self, session: i64, timeout_ms: i32) {
        let least = self.timeouts.entry(session).or_insert(timeout_ms);
        *least = timeout_ms.min(*least);
    }

    /// What is wrong with giving a session up now.
    fn expired(&mut self, time: Time, node: NodeId, session: i64, heard: Time) -> Option<Wrong> {
        self.gone.insert(session as u64);
        if !self.servers.entry(node).or_default().live.contains(&session) {
            return Some(Wrong::NotThere);
        }
        let timeout_ms = self.timeouts.get(&session).copied().unwrap_or(0);
        let silent_ms = u64::try_from(time.since(heard).as_millis()).unwrap_or(u64::MAX);
        let enough = silent_ms >= u64::try_from(timeout_ms).unwrap_or(0);
        (!enough).then_some(Wrong::TooEarly { silent_ms, timeout_ms })
    }

    /// What is wrong with what a server told.
    fn server(
        &mut self,
        time: Time,
        node: NodeId,
        told: &ZooKeeperObservation,
    ) -> Option<(i64, Wrong)> {
        match told {
            ZooKeeperObservation::TreeLoaded { sessions, .. } => {
                self.servers.entry(node).or_default().live =
                    sessions.iter().map(|(session, _)| *session).collect();
                for &(session, timeout_ms) in sessions {
                    self.negotiated(session, timeout_ms);
                }
                None
            }
            ZooKeeperObservation::SessionOpened { session, timeout_ms } => {
                self.negotiated(*session, *timeout_ms);
                let server = self.servers.entry(node).or_default();
                server.live.insert(*session);
                let fresh = server.opened.insert(*session as u64);
                (!fresh).then_some((*session, Wrong::Reused))
            }
            ZooKeeperObservation::SessionAttached { session, timeout_ms } => {
                self.negotiated(*session, *timeout_ms);
                None
            }
            ZooKeeperObservation::SessionExpired { session, heard } => {
                Some((*session, self.expired(time, node, *session, *heard)?))
            }
            ZooKeeperObservation::SessionEnded { session } => {
                self.gone.insert(*session as u64);
                let was_live = self.servers.entry(node).or_default().live.remove(session);
                (!was_live).then_some((*session, Wrong::NotThere))
            }
            _ => None,
        }
    }
}

impl Checker for SessionsEndRightly {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::SessionExpired { session } = told else { return };
        if !self.gone.contains(*session as u64) {
            self.wrong(model, (time, node), *session, Wrong::Lives);
        }
    }

    fn zookeeper(&mut self, model: &Model, time: Time, node: NodeId, told: &ZooKeeperObservation) {
        if let Some((session, wrong)) = self.server(time, node, told) {
            self.wrong(model, (time, node), session, wrong);
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

    const SESSION: i64 = 0x100;
    const OPENED: ZooKeeperObservation =
        ZooKeeperObservation::SessionOpened { session: SESSION, timeout_ms: 6_000 };
    const ENDED: ZooKeeperObservation = ZooKeeperObservation::SessionEnded { session: SESSION };

    fn expired(heard_ms: u64) -> ZooKeeperObservation {
        let heard = Time::from_millis(heard_ms);
        ZooKeeperObservation::SessionExpired { session: SESSION, heard }
    }

    #[test]
    fn a_session_that_was_silent_for_its_timeout_may_end_and_its_broker_be_told() {
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(expired(1_000)).server(ENDED);
        story.session_expired(1, SESSION);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_session_that_was_heard_of_in_time_may_not_be_given_up() {
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(expired(1_001));
        let text = "z1 gave session 0x100 up at 7.000s, silent for 5999ms of 6000ms";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn the_timeout_that_was_negotiated_last_counts_when_it_is_shorter() {
        let attached =
            ZooKeeperObservation::SessionAttached { session: SESSION, timeout_ms: 4_000 };
        let mut story = Story::default();
        story.server(OPENED).server(attached).at(5_000).server(expired(1_000));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_session_neither_ends_nor_begins_twice() {
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(expired(0)).server(ENDED);
        let mut twice = story.clone();
        twice.server(ENDED);
        let text = "z1 ended session 0x100 at 7.000s, which is no session of it";
        assert_eq!(rejects(&twice, &PROPERTY).to_string(), text);
        story.server(OPENED);
        let text = "z1 opened session 0x100 at 7.000s, as it had before";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_broker_is_not_told_of_an_expiry_that_nobody_decided() {
        let mut story = Story::default();
        story.server(OPENED).at(3_000).session_expired(1, SESSION);
        let text = "b1 was told at 3.000s that session 0x100 expired, which no server had said";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_server_that_starts_again_goes_by_what_it_reads() {
        let sessions = vec![(SESSION, 6_000)];
        let loaded = ZooKeeperObservation::TreeLoaded { sessions, ephemerals: vec![] };
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(loaded).at(13_000).server(expired(7_000));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
