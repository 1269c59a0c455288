//! From a write to a transaction on its way: prepared, appended to the log, sent to the learners.

use std::sync::Arc;

use super::acl::AuthId;
use super::apply::Applier;
use super::connection::Waiting;
use super::ensemble::leader::Leader;
use super::pipeline::Content;
use super::prepare::{Requester, Write};
use super::replies::Shape;
use super::service::{Service, Serving};
use super::step::Step;
use super::txn::{Record, Txn};
use crate::vocab::ConnId;
use crate::wire::zookeeper::op;

/// Makes transactions, on a standalone server or a leader that serves.
pub(super) struct Proposer<'a> {
    pub(super) service: &'a mut Service,
    /// `None` on a standalone server.
    pub(super) leader: Option<&'a mut Leader>,
}

impl Proposer<'_> {
    /// Proposes a write. `origin` is the client of this server that waits for the answer; `None` when the server
    /// itself wants the write.
    pub(super) fn propose(
        &mut self,
        step: &mut Step<'_>,
        origin: Option<(ConnId, Shape)>,
        session: i64,
        cxid: i32,
        write: Write,
    ) {
        let Service { storage, pipeline, sessions, clients, .. } = &mut *self.service;
        let write = sessions.check_owner(step.config, session, None, write);
        let conn = origin.as_ref().map(|(conn, _)| *conn);
        let mut connection = conn.and_then(|conn| clients.get_mut(conn));
        if let Some(connection) = &mut connection {
            connection.wait(Waiting::Proposal);
        }
        let ids = connection.as_ref().map_or(&[][..], |connection| &connection.ids);
        let (is_local, time_ms) = (sessions.local.has(session), step.clock.wall_ms);
        let by = Requester { session, cxid, ids, time_ms, is_local };
        let txn = pipeline.preparer.write(&storage.db, by, write);
        self.enter(step, txn, origin);
    }

    /// The same for a write that a learner forwarded; the learner answers its client.
    pub(super) fn propose_forwarded(
        &mut self,
        step: &mut Step<'_>,
        learner: ConnId,
        session: i64,
        cxid: i32,
        ids: &[AuthId],
        write: Write,
    ) {
        let Service { storage, pipeline, sessions, .. } = &mut *self.service;
        let write = sessions.check_owner(step.config, session, Some(learner), write);
        let time_ms = step.clock.wall_ms;
        let by = Requester { session, cxid, ids, time_ms, is_local: false };
        let txn = pipeline.preparer.write(&storage.db, by, write);
        self.enter(step, txn, None);
    }

    fn enter(&mut self, step: &mut Step<'_>, txn: Txn, origin: Option<(ConnId, Shape)>) {
        let Service { storage, pipeline, sessions, clients, .. } = &mut *self.service;
        if let Record::CreateSession { timeout_ms, .. } = txn.record {
            sessions.expiry.track(step.clock.now, txn.session, timeout_ms);
        }
        let (zxid, bytes) = (txn.zxid, txn.encode());
        storage.log.append(zxid, &bytes);
        clients.stats.proposals.add(bytes.len());
        if let Some(leader) = &mut self.leader {
            storage.history().push(zxid, bytes.clone());
            leader.propose(step.clock.now, zxid, bytes);
        }
        pipeline.push_txn(txn, origin);
    }

    /// A sync of a client of this server.
    pub(super) fn propose_sync(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        path: Arc<str>,
    ) {
        if let Some(connection) = self.service.clients.get_mut(conn) {
            connection.wait(Waiting::Proposal);
        }
        let origin = Some((conn, Shape::Request { xid, op: op::SYNC }));
        self.sync(step, Content::Sync(path), origin);
    }

    /// A sync that a learner forwarded.
    pub(super) fn propose_learner_sync(&mut self, step: &mut Step<'_>, learner: ConnId) {
        self.sync(step, Content::LearnerSync(learner), None);
    }

    fn sync(&mut self, step: &mut Step<'_>, content: Content, origin: Option<(ConnId, Shape)>) {
        self.service.pipeline.push_sync(content, origin);
        let last = self.service.storage.last_zxid();
        let mut applier = Applier { service: self.service, serving: Serving::Leader };
        for learner in applier.commit(step, last) {
            let leader = self.leader.as_mut().expect("only a leader has learners");
            leader.answer_sync(learner);
        }
    }
}
