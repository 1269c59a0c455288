//! The node through which clients from outside come in: the other end of their connections.
//!
//! To the simulated network it is a host like any other, so that latency, cuts, resets and crashes reach the
//! clients behind it. It decides nothing: [`ExternalClients::let_in`] takes what comes in, and
//! [`ExternalClients::take_news`] hands out what leaves. It reads what goes through it, for the clients' accounts.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::accounts::Accounts;
use super::conversation::Conversation;
use crate::nodes::Effects;
use crate::vocab::step::{Closed, Input};
use crate::vocab::{ConnId, NodeId};

/// A connection from outside; numbers are never used again within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visitor(pub u64);

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A client connected.
    Open {
        /// The new connection.
        visitor: Visitor,
        /// The server that it wants.
        server: NodeId,
    },
    /// A client sent something.
    Bytes {
        /// The connection.
        visitor: Visitor,
        /// The next bytes of the stream.
        bytes: Bytes,
    },
    /// A client closed its connection, or is gone.
    Close {
        /// The connection.
        visitor: Visitor,
    },
}

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The server sent something.
    Bytes(Bytes),
    /// The server's end is gone.
    Closed(Closed),
}

#[derive(Debug)]
struct Visit {
    conn: ConnId,
    server: NodeId,
    is_open: bool,
    /// What came before the connection stood.
    waiting: Vec<Bytes>,
    /// What is said on it, if the server is a broker.
    conversation: Option<Conversation>,
}

/// The node.
#[derive(Debug)]
pub struct ExternalClients {
    brokers: BTreeSet<NodeId>,
    accounts: Accounts,
    visits: BTreeMap<Visitor, Visit>,
    by_conn: BTreeMap<ConnId, Visitor>,
    news: Vec<(Visitor, News)>,
}

impl ExternalClients {
    /// No client yet; accounts are kept of what is said to `brokers`.
    pub fn new(brokers: impl IntoIterator<Item = NodeId>, accounts: Accounts) -> Self {
        Self {
            brokers: brokers.into_iter().collect(),
            accounts,
            visits: BTreeMap::new(),
            by_conn: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// What clients sent, and were answered.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// No client comes any more: what has no answer will have none.
    pub fn end(&mut self, effects: &mut Effects) {
        self.accounts.end(effects);
    }

    /// Lets something in. What is for a connection that is not open any more is lost, as on a real one.
    pub fn let_in(&mut self, inbound: Inbound, effects: &mut Effects) {
        match inbound {
            Inbound::Open { visitor, server } => {
                let conn = effects.connect(server);
                self.by_conn.insert(conn, visitor);
                let is_broker = self.brokers.contains(&server);
                let conversation = is_broker.then(|| Conversation::new(visitor.0, server));
                let (is_open, waiting) = (false, Vec::new());
                let visit = Visit { conn, server, is_open, waiting, conversation };
                let before = self.visits.insert(visitor, visit);
                assert!(before.is_none(), "{visitor:?} came twice");
            }
            Inbound::Bytes { visitor, bytes } => {
                let Some(visit) = self.visits.get_mut(&visitor) else { return };
                if let Some(conversation) = &mut visit.conversation {
                    conversation.sent(bytes.clone(), &mut self.accounts, effects);
                }
                match visit.is_open {
                    true => effects.send(visit.conn, bytes),
                    false => visit.waiting.push(bytes),
                }
            }
            Inbound::Close { visitor } => {
                if let Some(visit) = self.visits.remove(&visitor) {
                    self.by_conn.remove(&visit.conn);
                    effects.close(visit.conn);
                    self.ended(visit, true, effects);
                }
            }
        }
    }

    fn ended(&mut self, visit: Visit, by_client: bool, effects: &mut Effects) {
        if let Some(conversation) = visit.conversation {
            conversation.ended(by_client, &mut self.accounts, effects);
        }
    }

    /// Moves what is to go out behind `news`.
    pub fn take_news(&mut self, news: &mut Vec<(Visitor, News)>) {
        news.append(&mut self.news);
    }

    /// The connection, the server and the bytes that wait for the connection to open; `None` when either end is
    /// gone.
    pub fn visit(&self, visitor: Visitor) -> Option<(ConnId, NodeId, usize)> {
        let visit = self.visits.get(&visitor)?;
        Some((visit.conn, visit.server, visit.waiting.iter().map(Bytes::len).sum()))
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input, effects: &mut Effects) {
        match input {
            Input::Opened(conn) => {
                if let Some(visit) =
                    self.by_conn.get(&conn).and_then(|visitor| self.visits.get_mut(visitor))
                {
                    visit.is_open = true;
                    visit.waiting.drain(..).for_each(|bytes| effects.send(conn, bytes));
                }
            }
            Input::Received { conn, bytes } => {
                if let Some(&visitor) = self.by_conn.get(&conn) {
                    let visit = self.visits.get_mut(&visitor);
                    let conversation = visit.and_then(|visit| visit.conversation.as_mut());
                    if let Some(conversation) = conversation {
                        conversation.answered(bytes.clone(), &mut self.accounts, effects);
                    }
                    self.news.push((visitor, News::Bytes(bytes)));
                }
            }
            Input::Closed { conn, why } => {
                if let Some(visitor) = self.by_conn.remove(&conn) {
                    if let Some(visit) = self.visits.remove(&visitor) {
                        self.ended(visit, false, effects);
                    }
                    self.news.push((visitor, News::Closed(why)));
                }
            }
            Input::Shutdown => effects.exit(),
            Input::Start(_) | Input::Accepted { .. } | Input::Timer { .. } | Input::DiskDone(_) => {
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::releases::KafkaVersion;
    use crate::vocab::step::Effect;

    const VISITOR: Visitor = Visitor(7);

    fn outside() -> ExternalClients {
        ExternalClients::new([], Accounts::new(Arc::default(), KafkaVersion::default()))
    }

    fn open(outside: &mut ExternalClients, effects: &mut Effects) -> ConnId {
        outside.let_in(Inbound::Open { visitor: VISITOR, server: NodeId(3) }, effects);
        let Some(Effect::Connect { conn, to: NodeId(3) }) = effects.drain().next() else {
            panic!("it connects")
        };
        conn
    }

    fn bytes(text: &'static str) -> Inbound {
        Inbound::Bytes { visitor: VISITOR, bytes: text.into() }
    }

    #[test]
    fn what_comes_before_the_connection_is_open_waits_for_it() {
        let (mut outside, mut effects) = (outside(), Effects::default());
        let conn = open(&mut outside, &mut effects);
        outside.let_in(bytes("a"), &mut effects);
        outside.let_in(bytes("b"), &mut effects);
        assert!(effects.as_slice().is_empty());
        assert_eq!(outside.visit(VISITOR), Some((conn, NodeId(3), 2)));
        outside.step(Input::Opened(conn), &mut effects);
        assert_eq!(outside.visit(VISITOR), Some((conn, NodeId(3), 0)));
        outside.let_in(bytes("c"), &mut effects);
        let sent: Vec<_> = effects
            .drain()
            .map(|effect| match effect {
                Effect::Send { bytes, .. } => bytes,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sent, ["a", "b", "c"]);
    }

    #[test]
    fn what_servers_send_and_their_end_go_out_in_order() {
        let (mut outside, mut effects) = (outside(), Effects::default());
        let conn = open(&mut outside, &mut effects);
        outside.step(Input::Opened(conn), &mut effects);
        outside.step(Input::Received { conn, bytes: "x".into() }, &mut effects);
        outside.step(Input::Closed { conn, why: Closed::Reset }, &mut effects);
        outside.let_in(bytes("late"), &mut effects);
        outside.let_in(Inbound::Close { visitor: VISITOR }, &mut effects);
        assert!(effects.as_slice().is_empty(), "nobody is there any more");
        let mut news = Vec::new();
        outside.take_news(&mut news);
        let wanted = [News::Bytes("x".into()), News::Closed(Closed::Reset)];
        assert_eq!(news, wanted.map(|news| (VISITOR, news)));
        assert!(outside.visits.is_empty() && outside.by_conn.is_empty());
    }
}
