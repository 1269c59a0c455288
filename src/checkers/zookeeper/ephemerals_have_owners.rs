//! An ephemeral znode is there only as long as the session that owns it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::ZooKeeperObservation;
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "ephemerals-have-owners",
    statement: "in every ZooKeeper server's tree, an ephemeral znode belongs to a session that \
                is there; when the end of a session is applied, none of its znodes is left, and \
                none appears afterwards",
    source: "ZooKeeper's guarantees: ephemeral nodes exist as long as the session that created \
             them is active",
    leaves_out: "whether the session should live, see sessions-end-rightly; znodes that are gone \
                 too early",
    class: Class::Safety,
};

/// One server's tree, as far as sessions go.
#[derive(Clone, Debug, Default)]
struct Tree {
    sessions: BTreeSet<i64>,
    /// By path.
    owners: BTreeMap<Arc<str>, i64>,
}

/// The trees of all servers, and the first znode that broke it.
#[derive(Clone, Debug, Default)]
pub struct EphemeralsHaveOwners {
    trees: BTreeMap<NodeId, Tree>,
    first: FirstCase,
}

impl EphemeralsHaveOwners {
    /// A znode without its session.
    fn orphan(
        &mut self,
        model: &Model,
        (time, node): (Time, NodeId),
        (path, session): (&Arc<str>, i64),
    ) {
        self.first.found(|| {
            let what = format!(
                "{} has {path} of session {session:#x} at {time:.3}, which is no session of it",
                model.terms.name(node)
            );
            Case::of(time, what).about(&model.terms, [node]).after_faults(&model.faults)
        });
    }

    /// A session without the end of its znode.
    fn left_behind(
        &mut self,
        model: &Model,
        (time, node): (Time, NodeId),
        (path, session): (&Arc<str>, i64),
    ) {
        self.first.found(|| {
            let what = format!(
                "{} still has {path} of session {session:#x} at {time:.3}, when that has ended",
                model.terms.name(node)
            );
            Case::of(time, what).about(&model.terms, [node]).after_faults(&model.faults)
        });
    }
}

impl Checker for EphemeralsHaveOwners {
    fn zookeeper(&mut self, model: &Model, time: Time, node: NodeId, told: &ZooKeeperObservation) {
        let tree = self.trees.entry(node).or_default();
        match told {
            ZooKeeperObservation::TreeLoaded { sessions, ephemerals } => {
                tree.sessions = sessions.iter().map(|(session, _)| *session).collect();
                tree.owners = ephemerals.iter().cloned().collect();
                let sessions = &tree.sessions;
                let orphans = ephemerals.iter().filter(|(_, owner)| !sessions.contains(owner));
                for (path, owner) in orphans.cloned().collect::<Vec<_>>() {
                    self.orphan(model, (time, node), (&path, owner));
                }
            }
            ZooKeeperObservation::SessionOpened { session, .. } => {
                tree.sessions.insert(*session);
            }
            ZooKeeperObservation::EphemeralCreated { path, session } => {
                tree.owners.insert(path.clone(), *session);
                if !tree.sessions.contains(session) {
                    self.orphan(model, (time, node), (path, *session));
                }
            }
            ZooKeeperObservation::EphemeralDeleted { path, .. } => {
                tree.owners.remove(path);
            }
            ZooKeeperObservation::SessionEnded { session } => {
                tree.sessions.remove(session);
                let left = tree.owners.iter().find(|(_, owner)| *owner == session);
                if let Some(path) = left.map(|(path, _)| path.clone()) {
                    self.left_behind(model, (time, node), (&path, *session));
                }
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
        let text = "z1 still has /controller of session 0x100 at 9.000s, when that has ended";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_znode_that_appears_without_its_session_is_rejected() {
        let mut story = with_owner();
        story.server(ZooKeeperObservation::SessionEnded { session: OWNER });
        story.at(9_000).server(created("/controller"));
        let text = "z1 has /controller of session 0x100 at 9.000s, which is no session of it";
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
