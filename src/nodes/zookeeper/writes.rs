//! Writes: from a proposal through the log to the tree, the watches and the reply.

use std::sync::Arc;

use bytes::Bytes;

use super::acl::AuthId;
use super::connection::Waiting;
use super::prepare::{Requester, Write};
use super::state::Applied;
use super::tree::{Changes, Tree};
use super::txn::{PASSWORD, Record, Txn};
use super::{Effects, Running, Step, telling};
use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::{ConnId, Mutant, Zxid};
use crate::wire::zookeeper::{
    Code, ConnectResponse, MultiOp, MultiResult, Reply, Request, RequestError, encode_event, op,
};

/// What is under way through the pipeline, in the order of zxids.
#[derive(Debug)]
pub(super) struct Proposal {
    /// Up to where must be committed for it to be done.
    zxid: Zxid,
    what: What,
    /// Who hears of its end.
    origin: Option<(ConnId, Shape)>,
}

#[derive(Debug)]
enum What {
    /// A transaction.
    Txn(Box<Txn>),
    /// A marker behind everything proposed before it.
    Sync(Arc<str>),
    /// The same, for a client of the learner that is connected there.
    LearnerSync(ConnId),
}

/// What a reply looks like.
#[derive(Debug)]
pub(super) enum Shape {
    /// Of the handshake.
    Connect { timeout_ms: i32, password: [u8; PASSWORD], read_only: Option<bool> },
    /// Of a request of operation `op`.
    Request { xid: i32, op: i32 },
    /// Of a multi; `creates` tells create from create2 where an operation creates.
    Multi { xid: i32, creates: Vec<i32> },
}

impl Shape {
    /// The shape of the reply to `request`.
    pub(super) fn of(request: &Request, xid: i32) -> Self {
        let created = |op: &MultiOp| match op {
            MultiOp::Create(create) => create.op,
            _ => 0,
        };
        match request {
            Request::Multi(ops) => Self::Multi { xid, creates: ops.iter().map(created).collect() },
            other => Self::Request { xid, op: other.op() },
        }
    }
}

/// What a request asks for.
pub(super) enum Asked {
    /// A write.
    Write(Write),
    /// Something else.
    Other(Request),
}

/// The write that a request is, if it is one.
pub(super) fn write_of(request: Request) -> Asked {
    Asked::Write(match request {
        Request::Create(create) => Write::Create(create),
        Request::Delete(delete) => Write::Delete(delete),
        Request::SetData(set) => Write::SetData(set),
        Request::SetAcl { path, acl, aversion } => Write::SetAcl { path, acl, aversion },
        Request::Multi(ops) => Write::Multi(ops),
        Request::CloseSession => Write::CloseSession,
        // It takes a zxid all the same.
        Request::Reconfig { .. } => Write::Refused(Code::RECONFIG_DISABLED),
        other => return Asked::Other(other),
    })
}

/// What a request that cannot be decoded comes to when it is refused as a transaction, in its turn and with a
/// zxid of its own; `None` when it is refused at once.
pub(super) fn refused_write(op: i32, error: RequestError) -> Option<Write> {
    let code = match (error, op) {
        (
            RequestError::Body(_),
            op::CREATE
            | op::CREATE2
            | op::CREATE_CONTAINER
            | op::CREATE_TTL
            | op::DELETE
            | op::SET_DATA
            | op::SET_ACL
            | op::MULTI,
        ) => Code::MARSHALLING_ERROR,
        // Meant for the leader's own use. ZooKeeper takes the whole message for a path, and so finds a NUL.
        (RequestError::UnknownOp(_), op::DELETE_CONTAINER) => Code::BAD_ARGUMENTS,
        _ => return None,
    };
    Some(Write::Refused(code))
}

impl Running {
    /// Makes the transaction of a write and sends it on its way.
    pub(super) fn propose(
        &mut self,
        at: &mut Step<'_>,
        origin: Option<(ConnId, Shape)>,
        session: i64,
        cxid: i32,
        write: Write,
    ) {
        let ignores_moves = at.config.is(Mutant::WriteForMovedSession);
        let write = self.check_owner(session, None, write, ignores_moves);
        let conn = origin.as_ref().map(|(conn, _)| *conn);
        let mut connection = conn.and_then(|conn| self.connections.get_mut(&conn));
        if let Some(connection) = &mut connection {
            connection.wait(Waiting::Proposal);
        }
        let ids = connection.as_ref().map_or(&[][..], |connection| &connection.ids);
        let (is_local, time_ms) = (self.local.has(session), at.clock.wall_ms);
        let by = Requester { session, cxid, ids, time_ms, is_local };
        let txn = self.preparer.write(&self.state, by, write);
        self.enter(at, txn, origin);
    }

    /// The same for a write that a learner forwarded; it answers its client itself.
    pub(super) fn propose_forwarded(
        &mut self,
        at: &mut Step<'_>,
        learner: ConnId,
        session: i64,
        cxid: i32,
        ids: &[AuthId],
        write: Write,
    ) {
        let ignores_moves = at.config.is(Mutant::WriteForMovedSession);
        let write = self.check_owner(session, Some(learner), write, ignores_moves);
        let time_ms = at.clock.wall_ms;
        let by = Requester { session, cxid, ids, time_ms, is_local: false };
        let txn = self.preparer.write(&self.state, by, write);
        self.enter(at, txn, None);
    }

    fn enter(&mut self, at: &mut Step<'_>, txn: Txn, origin: Option<(ConnId, Shape)>) {
        if let Record::CreateSession { timeout_ms, .. } = txn.record {
            self.expiry.track(at.clock.now, txn.session, timeout_ms);
        }
        let (zxid, bytes) = (txn.zxid, txn.encode());
        self.log.append(zxid, &bytes);
        self.stats.proposals.add(bytes.len());
        self.propose_to_learners(at.clock.now, zxid, bytes);
        self.proposals.push_back(Proposal { zxid, what: What::Txn(Box::new(txn)), origin });
    }

    /// A sync that a learner forwarded.
    pub(super) fn propose_learner_sync(&mut self, at: &mut Step<'_>, learner: ConnId) {
        let (zxid, what) = (self.preparer.last_zxid(), What::LearnerSync(learner));
        self.proposals.push_back(Proposal { zxid, what, origin: None });
        let last = self.last_zxid();
        self.commit(at, last);
    }

    /// A sync is answered behind everything proposed before it; it is no transaction.
    pub(super) fn propose_sync(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        path: Arc<str>,
    ) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.wait(Waiting::Proposal);
        }
        let zxid = self.preparer.last_zxid();
        let origin = Some((conn, Shape::Request { xid, op: op::SYNC }));
        self.proposals.push_back(Proposal { zxid, what: What::Sync(path), origin });
        let last = self.last_zxid();
        self.commit(at, last);
    }

    /// How many syncs wait for what was proposed before them.
    pub(super) fn pending_syncs(&self) -> usize {
        let is_sync = |next: &&Proposal| !matches!(next.what, What::Txn(_));
        self.proposals.iter().filter(is_sync).count()
    }

    /// Everything up to `zxid` is decided: it is applied, told to watches, and answered.
    pub(super) fn commit(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        while let Some(proposal) = self.proposals.pop_front_if(|next| next.zxid <= zxid) {
            let result = match proposal.what {
                What::Sync(path) => Applied::Created { path, stat: Default::default() },
                What::LearnerSync(learner) => {
                    self.answer_sync(learner);
                    continue;
                }
                What::Txn(txn) => self.apply(at, &txn),
            };
            if let Some((conn, shape)) = proposal.origin {
                self.answer_proposal(at, conn, shape, result);
            }
        }
    }

    pub(super) fn apply(&mut self, at: &mut Step<'_>, txn: &Txn) -> Applied {
        let mut changes = Changes::new();
        let owned = telling::owned(&self.state.tree, txn);
        let applied = self.state.apply(txn, &mut changes);
        tell_stored(&self.state.tree, txn.zxid, &txn.record, at.fx);
        telling::applied(&self.state, txn, &owned, at.fx);
        if txn.cxid != 0 && self.leads() && !matches!(applied, Applied::Failed(_)) {
            let (zxid, session, xid) = (txn.zxid, txn.session, txn.cxid);
            let written = ZooKeeperObservation::Written { zxid, session, xid };
            at.fx.observe(Observation::ZooKeeper(written));
        }
        self.preparer.applied(txn);
        if at.config.is(Mutant::TellNobodyOfSessionEnd) && applied == Applied::SessionClosed {
            changes.clear();
        }
        for (kind, path) in changes {
            let told = self.watches.trigger(kind, &path);
            if told.is_empty() {
                continue;
            }
            let event = encode_event(kind, &path);
            if at.config.is(Mutant::TellWatchesLate) {
                self.late_events.extend(told.into_iter().map(|conn| (conn, event.clone())));
                continue;
            }
            told.into_iter().for_each(|conn| self.send(at, conn, event.clone()));
        }
        match &applied {
            Applied::SessionOpened => self.session_opened(at, txn),
            Applied::SessionClosed => self.session_closed(at, txn),
            _ => {}
        }
        self.go_on_with_snapshot(at);
        applied
    }

    fn session_opened(&mut self, at: &mut Step<'_>, txn: &Txn) {
        let Some(session) = self.state.sessions.get(txn.session) else { return };
        let timeout_ms = session.timeout_ms;
        tracing::info!(session = format!("{:#x}", txn.session), timeout_ms, "session opened");
        let session = txn.session;
        let observation = ZooKeeperObservation::SessionOpened { session, timeout_ms };
        at.fx.observe(Observation::ZooKeeper(observation));
    }

    fn session_closed(&mut self, at: &mut Step<'_>, txn: &Txn) {
        let session = txn.session;
        self.forget_session(session);
        // A client that closed its session waits for the reply; one that was silent waits for nothing.
        let by_client =
            self.attached.get(&session).copied().filter(|conn| {
                self.connections.get(conn).is_some_and(|connection| connection.ended)
            });
        match (by_client, self.attached.get(&session).copied()) {
            (None, Some(conn)) => self.end_connection(at, conn),
            _ if txn.cxid != 0 && self.leads() => {
                tracing::info!(session = format!("{session:#x}"), "session closed");
                let observation = ZooKeeperObservation::SessionClosed { session };
                at.fx.observe(Observation::ZooKeeper(observation));
            }
            _ => {}
        }
    }

    pub(super) fn answer_proposal(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        shape: Shape,
        applied: Applied,
    ) {
        let Some(connection) = self.connections.get(&conn) else { return };
        if applied == Applied::Failed(Code::SESSION_MOVED) {
            // Its client is connected elsewhere now; whatever it does here is too late.
            return self.end_connection(at, conn);
        }
        let session = connection.session.unwrap_or(0);
        match shape {
            Shape::Connect { timeout_ms, password, read_only } => {
                let response = ConnectResponse {
                    protocol_version: 0,
                    timeout_ms,
                    session,
                    password: Some(Bytes::copy_from_slice(&password)),
                    read_only: read_only.map(|_| false),
                };
                self.send(at, conn, response.encode());
            }
            Shape::Request { xid, op } => {
                self.reply(at, conn, xid, reply_of(applied, op));
                if op == op::CLOSE_SESSION {
                    return self.end_connection(at, conn);
                }
            }
            Shape::Multi { xid, creates } => {
                let result = match applied {
                    Applied::Multi(items) => {
                        Ok(Reply::Multi(items.into_iter().zip(creates).map(multi_result).collect()))
                    }
                    other => reply_of(other, op::MULTI),
                };
                self.reply(at, conn, xid, result);
            }
        }
        self.answer_waiting(at, conn);
    }
}

/// Tells of the znodes whose data a transaction set, as the tree has them now.
fn tell_stored(tree: &Tree, zxid: Zxid, record: &Record, fx: &mut Effects) {
    match record {
        Record::Multi(records) => {
            records.iter().for_each(|record| tell_stored(tree, zxid, record, fx));
        }
        Record::Create { path, .. } | Record::SetData { path, .. } => {
            let Some(znode) = tree.get(path).filter(|znode| znode.mzxid == zxid) else { return };
            let data = String::from_utf8_lossy(znode.data.as_deref().unwrap_or_default());
            let (path, version, data) = (path.clone(), znode.version, data.into());
            let stored = ZooKeeperObservation::Stored { zxid, path, version, data };
            fx.observe(Observation::ZooKeeper(stored));
        }
        _ => {}
    }
}

fn reply_of(applied: Applied, op: i32) -> Result<Reply, Code> {
    Ok(match applied {
        Applied::Created { path, .. } if op == op::CREATE || op == op::SYNC => Reply::Path(path),
        Applied::Created { path, stat } => Reply::Created { path, stat },
        Applied::DataSet(stat) | Applied::AclSet(stat) => Reply::Stat(stat),
        Applied::Deleted | Applied::Checked | Applied::SessionOpened | Applied::SessionClosed => {
            Reply::Empty
        }
        Applied::Failed(code) => return Err(code),
        Applied::Multi(_) => return Err(Code::SYSTEM_ERROR),
    })
}

fn multi_result((applied, op): (Applied, i32)) -> MultiResult {
    match applied {
        // Until 3.8.3 a create2 in a multi is answered as a create.
        Applied::Created { path, .. } if matches!(op, op::CREATE | op::CREATE2) => {
            MultiResult::Create { path }
        }
        Applied::Created { path, stat } => MultiResult::Create2 { path, stat },
        Applied::Deleted => MultiResult::Delete,
        Applied::DataSet(stat) | Applied::AclSet(stat) => MultiResult::SetData(stat),
        Applied::Failed(code) => MultiResult::Error(code),
        _ => MultiResult::Check,
    }
}
