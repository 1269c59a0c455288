//! Sessions expire only after a silence of their timeout, once, and for good.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ZooKeeperObservation};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "sessions-expire-only-when-silent",
    statement: "a ZooKeeper server expires a session only when it received nothing from it for the \
                negotiated timeout, ends it once, reuses no session id, and no broker sees an \
                expiry that no server decided",
    source: "ZooKeeper's guarantees: sessions; Programmer's Guide: the session is expired by the \
             ensemble, not by the client",
    leaves_out: "whether a server received what was sent to it; how late a session expires; what \
                 another server receives in the meantime; the silence of a session that expires \
                 before its creation is committed; local sessions, which are in no tree",
    looks_at: Subject::Sessions,
    class: Class::Safety,
};

/// Looks at sessions that servers open and end, and at those that brokers lose.
#[derive(Debug)]
pub struct SessionsExpireOnlyWhenSilent;

impl Rule for SessionsExpireOnlyWhenSilent {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker, Kind::ZooKeeper];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::SessionExpired { session } = did else { return };
        let trees = &event.model.server_trees;
        let may_be_local = event.model.terms.local_sessions && !trees.is_replicated(*session);
        if !trees.has_ended(*session) && !may_be_local {
            let (name, time) = (event.name(), event.time);
            let what = format!("{name} saw session {session:#x} expire at {time:.3}");
            found.forbidden(|| event.case(what + ", but no server had expired it"));
        }
    }

    fn zookeeper(event: &Event<'_>, did: &ZooKeeperObservation, found: &mut Cases) {
        let (trees, time) = (&event.model.server_trees, event.time);
        let wrong = match did {
            // A session is tracked before its creation is committed, so it may expire before that. Once its end
            // is applied, it may not.
            ZooKeeperObservation::SessionExpired { session, .. } if trees.had_ended() => {
                format!("expired session {session:#x} at {time:.3}, which had ended")
            }
            ZooKeeperObservation::SessionEnded { session } if !trees.had_session() => {
                format!("ended session {session:#x} at {time:.3}, which did not exist")
            }
            ZooKeeperObservation::SessionOpened { session, .. } if trees.had_opened() => {
                format!("opened session {session:#x} at {time:.3} a second time")
            }
            ZooKeeperObservation::SessionExpired { session, heard } => {
                let timeout_ms = trees.timeout_ms(*session);
                let silent_ms = time.since(*heard).as_millis();
                if silent_ms >= u128::from(timeout_ms) {
                    return;
                }
                format!(
                    "expired session {session:#x} at {time:.3} after {silent_ms}ms of \
                     silence; its timeout is {timeout_ms}ms"
                )
            }
            _ => return,
        };
        found.forbidden(|| event.case(format!("{} {wrong}", event.name())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects};
    use crate::vocab::Time;

    const SESSION: i64 = 0x100;
    const OPENED: ZooKeeperObservation =
        ZooKeeperObservation::SessionOpened { session: SESSION, timeout_ms: 6_000 };
    const ENDED: ZooKeeperObservation = ZooKeeperObservation::SessionEnded { session: SESSION };

    fn expired(heard_ms: u64) -> ZooKeeperObservation {
        let heard = Time::from_millis(heard_ms);
        ZooKeeperObservation::SessionExpired { session: SESSION, heard }
    }

    #[test]
    fn a_session_that_was_silent_for_its_timeout_may_expire_and_its_broker_see_it() {
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(expired(1_000)).server(ENDED);
        story.session_expired(1, SESSION);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_session_that_was_not_silent_may_not_expire() {
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(expired(1_001));
        let text =
            "z1 expired session 0x100 at 7.000s after 5999ms of silence; its timeout is 6000ms";
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
        let text = "z1 ended session 0x100 at 7.000s, which did not exist";
        assert_eq!(rejects(&twice, &PROPERTY).to_string(), text);
        story.server(OPENED);
        let text = "z1 opened session 0x100 at 7.000s a second time";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_session_may_expire_before_its_creation_is_committed_and_not_after_its_end() {
        let mut story = Story::default();
        story.at(15_000).server(expired(7_000)).at(17_000).server(OPENED).server(ENDED);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.server(expired(7_000));
        let text = "z1 expired session 0x100 at 17.000s, which had ended";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_local_session_ends_when_its_client_moves() {
        let mut story = Story::default();
        story.at(3_000).session_expired(1, SESSION);
        let text = "b1 saw session 0x100 expire at 3.000s, but no server had expired it";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
        story.terms.local_sessions = true;
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.server(OPENED).session_expired(1, SESSION);
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_broker_sees_no_expiry_that_no_server_decided() {
        let mut story = Story::default();
        story.server(OPENED).at(3_000).session_expired(1, SESSION);
        let text = "b1 saw session 0x100 expire at 3.000s, but no server had expired it";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_restarted_server_has_the_sessions_that_it_reads() {
        let sessions = vec![(SESSION, 6_000)];
        let loaded = ZooKeeperObservation::TreeLoaded { sessions, ephemerals: vec![] };
        let mut story = Story::default();
        story.server(OPENED).at(7_000).server(loaded).at(13_000).server(expired(7_000));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
