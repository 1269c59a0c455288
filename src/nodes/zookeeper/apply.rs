//! From a committed proposal to the tree, the watches and the reply.

use super::database::Applied;
use super::observations;
use super::pipeline::Content;
use super::service::{Service, Serving};
use super::step::Step;
use super::tree::Changes;
use super::txn::Txn;
use crate::history::ZooKeeperObservation;
use crate::vocab::{ConnId, Mutant, Zxid};

/// Applies what is committed.
pub(super) struct Applier<'a> {
    pub(super) service: &'a mut Service,
    pub(super) serving: Serving,
}

impl Applier<'_> {
    /// Everything up to `zxid` is committed: it is applied and answered. Returns the learners that forwarded the
    /// syncs that are done with it.
    pub(super) fn commit(&mut self, step: &mut Step<'_>, zxid: Zxid) -> Vec<ConnId> {
        let mut synced = Vec::new();
        while let Some(proposal) = self.service.pipeline.pop(zxid) {
            let applied = match proposal.content {
                Content::Sync(path) => Applied::Created { path, stat: Default::default() },
                Content::LearnerSync(learner) => {
                    synced.push(learner);
                    continue;
                }
                Content::Txn(txn) => self.apply(step, &txn),
            };
            if let Some((conn, shape)) = proposal.origin {
                self.service.replies().answer_proposal(step, conn, shape, applied);
            }
        }
        synced
    }

    /// Applies one transaction, and sends the events of the watches that it triggers.
    pub(super) fn apply(&mut self, step: &mut Step<'_>, txn: &Txn) -> Applied {
        let mut changes = Changes::new();
        let db = &mut self.service.storage.db;
        let owned = observations::owned(&db.tree, txn);
        let applied = db.apply(txn, &mut changes);
        observations::stored(&db.tree, txn.zxid, &txn.record, step);
        observations::applied(db, txn, &owned, step);
        let is_leader = self.serving == Serving::Leader;
        if txn.cxid != 0 && is_leader && !matches!(applied, Applied::Failed(_)) {
            let (zxid, session, xid) = (txn.zxid, txn.session, txn.cxid);
            step.observe(ZooKeeperObservation::Written { zxid, session, xid });
        }
        self.service.pipeline.preparer.applied(txn);
        if step.config.is(Mutant::NoWatchEventForSessionEnd) && applied == Applied::SessionClosed {
            changes.clear();
        }
        for (kind, path) in changes {
            self.service.clients.notify(step, kind, &path);
        }
        match &applied {
            Applied::SessionOpened => self.session_opened(step, txn),
            Applied::SessionClosed => self.session_closed(step, txn),
            _ => {}
        }
        if self.serving != Serving::Nobody {
            self.service.storage.go_on_with_snapshot(step);
        }
        applied
    }

    fn session_opened(&mut self, step: &mut Step<'_>, txn: &Txn) {
        let session = txn.session;
        let opened = self.service.storage.db.sessions.get(session).expect("it was just opened");
        let timeout_ms = opened.timeout_ms;
        tracing::info!(session = format!("{session:#x}"), timeout_ms, "session opened");
        step.observe(ZooKeeperObservation::SessionOpened { session, timeout_ms });
    }

    fn session_closed(&mut self, step: &mut Step<'_>, txn: &Txn) {
        let session = txn.session;
        self.service.sessions.forget(session);
        let clients = &mut self.service.clients;
        let conn = clients.attached(session);
        // A client that closed its session waits for the reply; one whose session expired waits for nothing.
        let is_open = |conn: &ConnId| !clients.get(*conn).is_some_and(|it| it.ended);
        match conn.filter(is_open) {
            Some(conn) => clients.end(step, conn),
            None if txn.cxid != 0 && self.serving == Serving::Leader => {
                tracing::info!(session = format!("{session:#x}"), "session closed");
                step.observe(ZooKeeperObservation::SessionClosed { session });
            }
            None => {}
        }
    }
}
