//! The connections of elections: one between each two servers, asked for by the one with the higher id, as
//! `QuorumCnxManager` keeps them.
//!
//! A server with the lower id connects, says who it is and hangs up, whereupon the other connects to it. Of what
//! is to be sent to a server that is not connected only the last message is kept; it is sent (again) on every new
//! connection.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::nodes::zookeeper::Effects;
use crate::vocab::{ConnId, NodeId, Time};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::ensemble::{Hello, MAX_ENSEMBLE_FRAME, Notification, ServerId};

/// How long a connection may take (`zookeeper.cnxTimeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum State {
    Down,
    /// Asked for; given up at that time, when somebody wants to send.
    Connecting(ConnId, Time),
    Up(ConnId, Frames),
}

#[derive(Debug)]
struct Link {
    node: NodeId,
    state: State,
    last: Option<Bytes>,
}

impl Link {
    fn conn(&self) -> Option<ConnId> {
        match &self.state {
            State::Down => None,
            State::Connecting(conn, _) | State::Up(conn, _) => Some(*conn),
        }
    }

    fn hang_up(&mut self, fx: &mut Effects) {
        if let Some(conn) = self.conn() {
            fx.close(conn);
        }
        self.state = State::Down;
    }

    fn connect(&mut self, now: Time, fx: &mut Effects) {
        match self.state {
            State::Up(..) => return,
            State::Connecting(_, until) if now < until => return,
            _ => self.hang_up(fx),
        }
        self.state = State::Connecting(fx.connect(self.node), now + CONNECT_TIMEOUT);
    }

    fn up(&mut self, conn: ConnId, frames: Frames, fx: &mut Effects) {
        self.state = State::Up(conn, frames);
        if let Some(last) = &self.last {
            fx.send(conn, last.clone());
        }
    }
}

/// One server's election connections.
#[derive(Debug)]
pub struct Links {
    me: ServerId,
    links: BTreeMap<ServerId, Link>,
}

impl Links {
    /// No connection yet, of server `me` to `others`.
    pub fn new(me: ServerId, others: impl Iterator<Item = (ServerId, NodeId)>) -> Self {
        let link = |node| Link { node, state: State::Down, last: None };
        Self { me, links: others.map(|(id, node)| (id, link(node))).collect() }
    }

    /// Sends to one server, connecting to it if need be.
    pub fn send(&mut self, now: Time, to: ServerId, told: &Notification, fx: &mut Effects) {
        let Some(link) = self.links.get_mut(&to) else { return };
        let bytes = told.encode();
        link.last = Some(bytes.clone());
        match &link.state {
            State::Up(conn, _) => fx.send(*conn, bytes),
            _ => link.connect(now, fx),
        }
    }

    /// Sends to all.
    pub fn send_all(&mut self, now: Time, told: &Notification, fx: &mut Effects) {
        let ids: Vec<ServerId> = self.links.keys().copied().collect();
        ids.into_iter().for_each(|to| self.send(now, to, told, fx));
    }

    /// Whether this is one of them; if so, a connection that was asked for stands.
    pub fn opened(&mut self, conn: ConnId, fx: &mut Effects) -> bool {
        let Some((&id, link)) = self.links.iter_mut().find(|(_, link)| link.conn() == Some(conn))
        else {
            return false;
        };
        fx.send(conn, Hello { from: self.me }.encode());
        if id > self.me {
            // The other connects back.
            link.hang_up(fx);
        } else {
            link.up(conn, Frames::new(MAX_ENSEMBLE_FRAME), fx);
        }
        true
    }

    /// A server connected and said who it is; `frames` holds what it said behind that.
    pub fn greeted(
        &mut self,
        now: Time,
        conn: ConnId,
        hello: Hello,
        frames: Frames,
        fx: &mut Effects,
    ) {
        let Some(link) = self.links.get_mut(&hello.from) else { return fx.close(conn) };
        link.hang_up(fx);
        if hello.from < self.me {
            fx.close(conn);
            link.connect(now, fx);
        } else {
            link.up(conn, frames, fx);
        }
    }

    /// Bytes arrived on one of them; `None` when it is none of them.
    pub fn received(&mut self, conn: ConnId, bytes: Bytes) -> Option<ServerId> {
        let up = self.links.iter_mut().find_map(|(id, link)| match &mut link.state {
            State::Up(up, frames) if *up == conn => Some((*id, frames)),
            _ => None,
        });
        let (id, frames) = up?;
        frames.push(bytes);
        Some(id)
    }

    /// The next vote that arrived from a server. One that does not decode ends the connection.
    pub fn next(&mut self, from: ServerId, fx: &mut Effects) -> Option<Notification> {
        let link = self.links.get_mut(&from)?;
        let State::Up(_, frames) = &mut link.state else { return None };
        match frames.pop().map(|frame| frame.map(Notification::decode)) {
            Ok(None) => None,
            Ok(Some(Ok(notification))) => Some(notification),
            Ok(Some(Err(_))) | Err(_) => {
                tracing::warn!(from, "a server sent a vote that does not decode");
                link.hang_up(fx);
                None
            }
        }
    }

    /// Whether this was one of them; if so, it is gone.
    pub fn closed(&mut self, conn: ConnId) -> bool {
        let link = self.links.values_mut().find(|link| link.conn() == Some(conn));
        link.map(|link| link.state = State::Down).is_some()
    }
}
