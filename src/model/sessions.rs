//! What clients of ZooKeeper wait for, and how far each has seen.
//!
//! Every request is kept from when it is sent until it is answered or the connection is gone, with what was
//! certain when it was sent: that is what its answer is held against.

use std::collections::{BTreeMap, VecDeque};

use super::ensemble::Ensemble;
use crate::history::{SessionAnswer, SessionCall, SessionObservation};
use crate::vocab::{NodeId, Time, Zxid};

/// A request that is not answered.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its number.
    pub xid: i32,
    /// What was asked for.
    pub call: SessionCall,
    /// When.
    pub since: Time,
    /// The last write that was answered by then.
    pub acknowledged: Zxid,
    /// What had been decided by then, when the server that was asked could learn of all that: when it is of the
    /// newest epoch. One that a deposed leader has not let go is not (ZOOKEEPER-1675).
    pub decided: Option<Zxid>,
}

/// A client.
#[derive(Clone, Debug)]
struct Client {
    session: i64,
    /// The server that it is, or was last, attached to.
    server: NodeId,
    /// The last transaction that it has seen.
    seen: Zxid,
    open: VecDeque<Open>,
}

/// What the observation at hand answers.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The request; `None` when another one was to be answered.
    pub open: Option<Open>,
    /// The last transaction that the client had seen before.
    pub seen: Zxid,
}

/// All clients.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    clients: BTreeMap<NodeId, Client>,
    acknowledged: Zxid,
    answered: Option<Answered>,
}

impl Sessions {
    /// A client, and the server that it is attached to.
    pub fn pair(&self, node: NodeId) -> Vec<NodeId> {
        let server = self.clients.get(&node).map(|client| client.server);
        std::iter::once(node).chain(server).collect()
    }

    /// What the observation at hand answers, if it is an answer.
    pub fn answered(&self) -> Option<&Answered> {
        self.answered.as_ref()
    }

    /// Folds in what a client reported; `last` is the last transaction that any server reported.
    pub fn observe(
        &mut self,
        (time, node): (Time, NodeId),
        did: &SessionObservation,
        last: Zxid,
        ensemble: &Ensemble,
    ) {
        self.answered = None;
        match did {
            SessionObservation::Attached { session, server } => {
                let (session, server) = (*session, *server);
                let before = self.clients.remove(&node).filter(|client| client.session == session);
                let seen = before.map_or(Zxid(0), |client| client.seen);
                let open = VecDeque::new();
                self.clients.insert(node, Client { session, server, seen, open });
            }
            SessionObservation::Asked { xid, call } => {
                let (xid, call, acknowledged) = (*xid, call.clone(), self.acknowledged);
                let Some(client) = self.clients.get_mut(&node) else { return };
                let decided = ensemble.is_of_newest_epoch(client.server).then_some(last);
                client.open.push_back(Open { xid, call, since: time, acknowledged, decided });
            }
            SessionObservation::Answered { xid, zxid, answer } => {
                let Some(client) = self.clients.get_mut(&node) else { return };
                let open = client.open.pop_front_if(|open| open.xid == *xid);
                let seen = client.seen;
                client.seen = seen.max(*zxid);
                let is_write = open.as_ref().is_some_and(|open| open.call.is_write());
                match answer {
                    // An answer without the write's own transaction may have the zxid of a later one.
                    SessionAnswer::Created { czxid: Some(own), .. }
                    | SessionAnswer::Stat { mzxid: own, .. }
                        if is_write =>
                    {
                        self.acknowledged = self.acknowledged.max(*own);
                    }
                    _ => {}
                }
                self.answered = Some(Answered { open, seen });
            }
            SessionObservation::Detached => {
                if let Some(client) = self.clients.get_mut(&node) {
                    client.open.clear();
                }
            }
            SessionObservation::Expired => {
                self.clients.remove(&node);
            }
            SessionObservation::Rearmed { .. } | SessionObservation::Notified { .. } => {}
        }
    }
}
