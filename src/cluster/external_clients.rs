//! The node through which clients from outside come in: the other end of their connections.
//!
//! To the simulated network it is a host like any other, so that latency, cuts, resets and crashes reach the
//! clients behind it. It decides nothing: [`ExternalClients::let_in`] takes what comes in, and
//! [`ExternalClients::take_news`] hands out what leaves.

use std::collections::BTreeMap;

use bytes::Bytes;

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
}

/// The node.
#[derive(Debug, Default)]
pub struct ExternalClients {
    visits: BTreeMap<Visitor, Visit>,
    by_conn: BTreeMap<ConnId, Visitor>,
    news: Vec<(Visitor, News)>,
}

impl ExternalClients {
    /// Lets something in. What is for a connection that is not open any more is lost, as on a real one.
    pub fn let_in(&mut self, inbound: Inbound, effects: &mut Effects) {
        match inbound {
            Inbound::Open { visitor, server } => {
                let conn = effects.connect(server);
                self.by_conn.insert(conn, visitor);
                let visit = Visit { conn, server, is_open: false, waiting: Vec::new() };
                let before = self.visits.insert(visitor, visit);
                assert!(before.is_none(), "{visitor:?} came twice");
            }
            Inbound::Bytes { visitor, bytes } => match self.visits.get_mut(&visitor) {
                Some(visit) if visit.is_open => effects.send(visit.conn, bytes),
                Some(visit) => visit.waiting.push(bytes),
                None => {}
            },
            Inbound::Close { visitor } => {
                if let Some(visit) = self.visits.remove(&visitor) {
                    self.by_conn.remove(&visit.conn);
                    effects.close(visit.conn);
                }
            }
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
                    self.news.push((visitor, News::Bytes(bytes)));
                }
            }
            Input::Closed { conn, why } => {
                if let Some(visitor) = self.by_conn.remove(&conn) {
                    self.visits.remove(&visitor);
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
    use super::*;
    use crate::vocab::step::Effect;

    const VISITOR: Visitor = Visitor(7);

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
        let (mut outside, mut effects) = (ExternalClients::default(), Effects::default());
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
        let (mut outside, mut effects) = (ExternalClients::default(), Effects::default());
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
