//! Replies to clients: what they look like, and that they leave in the order of the requests.

use bytes::Bytes;

use super::clients::Clients;
use super::connection::{Heard, Waiting};
use super::database::{Applied, Database};
use super::local::LocalSessions;
use super::reads::Reads;
use super::step::Step;
use super::txn::PASSWORD;
use crate::vocab::ConnId;
use crate::wire::zookeeper::{Code, ConnectResponse, MultiOp, MultiResult, Reply, Request, op};

/// The form of a reply.
#[derive(Debug)]
pub(super) enum Shape {
    /// Of the handshake.
    Connect { timeout_ms: i32, password: [u8; PASSWORD], read_only: Option<bool> },
    /// Of a request of operation `op`.
    Request { xid: i32, op: i32 },
    /// Of a multi; `creates` has the number (create or create2) of each operation that creates, else 0.
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

/// Answers clients from the applied state.
pub(super) struct Replies<'a> {
    pub(super) db: &'a Database,
    pub(super) clients: &'a mut Clients,
    pub(super) local: &'a mut LocalSessions,
}

impl Replies<'_> {
    fn reply(&mut self, step: &mut Step<'_>, conn: ConnId, xid: i32, result: Result<Reply, Code>) {
        self.clients.reply(step, conn, xid, self.db.last_zxid, result);
    }

    /// Refuses a request in its turn; then the connection is closed, if `close`.
    pub(super) fn refuse(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        code: Code,
        close: bool,
    ) {
        if close && let Some(connection) = self.clients.get_mut(conn) {
            connection.ended = true;
        }
        self.wait_or_answer(step, conn, Waiting::Refusal { xid, code, close });
    }

    /// Answers the request that was read last, at once if no earlier one waits.
    pub(super) fn wait_or_answer(&mut self, step: &mut Step<'_>, conn: ConnId, waiting: Waiting) {
        let connection = self.clients.get_mut(conn).expect("its request was just read");
        if connection.waiting.is_empty() {
            let heard = connection.heard;
            self.answer(step, conn, heard, waiting);
        } else {
            connection.wait(waiting);
        }
    }

    fn answer(&mut self, step: &mut Step<'_>, conn: ConnId, heard: Heard, waiting: Waiting) {
        self.clients.answered(conn, heard, step.clock.now, self.db.last_zxid);
        match waiting {
            Waiting::Proposal => {}
            Waiting::Read { xid, request } => {
                Reads { db: self.db, clients: self.clients, conn }.read(step, xid, request);
            }
            Waiting::LocalClose { xid } => {
                self.local.forget(self.clients.session(conn));
                self.reply(step, conn, xid, Ok(Reply::Empty));
                self.clients.end(step, conn);
            }
            Waiting::Refusal { xid, code, close } => {
                self.reply(step, conn, xid, Err(code));
                if close {
                    self.clients.end(step, conn);
                }
            }
        }
    }

    /// The proposal at the front was answered: so is everything behind it that waited only for it.
    fn answer_waiting(&mut self, step: &mut Step<'_>, conn: ConnId) {
        let connection = self.clients.get_mut(conn).expect("it was just answered");
        let Some((heard, Waiting::Proposal)) = connection.waiting.pop_front() else {
            panic!("replies are in the order of requests")
        };
        self.clients.answered(conn, heard, step.clock.now, self.db.last_zxid);
        while let Some(connection) = self.clients.get_mut(conn)
            && let Some((heard, next)) =
                connection.waiting.pop_front_if(|(_, next)| !matches!(next, Waiting::Proposal))
        {
            self.answer(step, conn, heard, next);
        }
    }

    /// Answers a write or a sync that is done, and what waited behind it.
    pub(super) fn answer_proposal(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        shape: Shape,
        applied: Applied,
    ) {
        // The client may have gone while its write was under way.
        let Some(connection) = self.clients.get(conn) else { return };
        if applied == Applied::Failed(Code::SESSION_MOVED) {
            // Its client is connected to another server now.
            return self.clients.end(step, conn);
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
                self.clients.send(step, conn, response.encode());
            }
            Shape::Request { xid, op } => {
                self.reply(step, conn, xid, reply_of(applied, op));
                if op == op::CLOSE_SESSION {
                    return self.clients.end(step, conn);
                }
            }
            Shape::Multi { xid, creates } => {
                let result = match applied {
                    Applied::Multi(items) => {
                        Ok(Reply::Multi(items.into_iter().zip(creates).map(multi_result).collect()))
                    }
                    other => reply_of(other, op::MULTI),
                };
                self.reply(step, conn, xid, result);
            }
        }
        self.answer_waiting(step, conn);
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
