//! An ephemeral znode exists only as long as the session that owns it.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ZooKeeperObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "ephemerals-have-live-sessions",
    statement: "in every ZooKeeper server's tree, an ephemeral znode belongs to a session that \
                exists; when the end of a session is applied, its znodes are gone, and none is \
                created afterwards",
    source: "ZooKeeper's guarantees: ephemeral nodes exist as long as the session that created \
             them is active",
    leaves_out: "whether the session should exist, see sessions-expire-only-when-silent; znodes \
                 that are deleted too early",
    looks_at: Subject::Sessions,
    class: Class::Safety,
};

/// Looks at each server's tree.
#[derive(Debug)]
pub struct EphemeralsHaveLiveSessions;

impl Rule for EphemeralsHaveLiveSessions {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::ZooKeeper];

    fn zookeeper(event: &Event<'_>, did: &ZooKeeperObservation, found: &mut Cases) {
        let (trees, time) = (&event.model.server_trees, event.time);
        let mut has_owner = |path: &str, session: i64| {
            if !trees.has_session(event.node, session) {
                found.forbidden(|| {
                    event.case(format!(
                        "{} has {path} of session {session:#x} at {time:.3}, but no such session",
                        event.name()
                    ))
                });
            }
        };
        match did {
            ZooKeeperObservation::TreeLoaded { ephemerals, .. } => {
                ephemerals.iter().for_each(|(path, session)| has_owner(path, *session));
            }
            ZooKeeperObservation::EphemeralCreated { path, session } => has_owner(path, *session),
            ZooKeeperObservation::SessionEnded { session } => {
                let Some(path) = trees.ephemeral_of(event.node, *session) else { return };
                let name = event.name();
                let what =
                    format!("{name} ended session {session:#x} at {time:.3} but kept {path}");
                found.forbidden(|| event.case(what));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects};

    const OWNER: i64 = 0x100;

    fn created(path: &str) -> ZooKeeperObservation {
        ZooKeeperObservation::EphemeralCreated { path: path.into(), session: OWNER }
    }

    fn deleted(path: &str) -> ZooKeeperObservation {
        ZooKeeperObservation::EphemeralDeleted { path: path.into(), session: OWNER }
    }

    fn with_owner() -> Story {
        let mut story = Story::default();
        story.server(ZooKeeperObservation::SessionOpened { session: OWNER, timeout_ms: 6_000 });
        story
    }

    #[test]
    fn znodes_that_go_before_their_session_are_accepted() {
        let mut story = with_owner();
        story.server(created("/brokers/ids/1")).server(created("/controller"));
        story.server(deleted("/controller")).server(deleted("/brokers/ids/1"));
        story.server(ZooKeeperObservation::SessionEnded { session: OWNER });
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_znode_that_outlives_its_session_is_rejected() {
        let mut story = with_owner();
        story.server(created("/controller")).at(9_000);
        story.server(ZooKeeperObservation::SessionEnded { session: OWNER });
        let text = "z1 ended session 0x100 at 9.000s but kept /controller";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_znode_that_appears_without_its_session_is_rejected() {
        let mut story = with_owner();
        story.server(ZooKeeperObservation::SessionEnded { session: OWNER });
        story.at(9_000).server(created("/controller"));
        let text = "z1 has /controller of session 0x100 at 9.000s, but no such session";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_tree_from_the_disk_replaces_what_was_known() {
        let loaded = |sessions| ZooKeeperObservation::TreeLoaded {
            sessions,
            ephemerals: vec![("/controller".into(), OWNER)],
        };
        let mut story = Story::default();
        story.server(loaded(vec![(OWNER, 6_000)])).server(created("/brokers/ids/1"));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.server(loaded(vec![]));
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }
}
