//! The connections of elections: one between each two servers, made by the one with the higher id, as
//! `QuorumCnxManager` keeps them.
//!
//! A server with the lower id connects, sends its id and closes the connection; then the other one connects to it.
//! Of what is to be sent to a server that is not connected only the last message is kept; it is sent (again) on
//! every new connection.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::nodes::zookeeper::step::{Route, Step};
use crate::vocab::{ConnId, NodeId, Time};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::ensemble::{Hello, MAX_ENSEMBLE_FRAME, Notification, ServerId};

/// How long a connection may take (`zookeeper.cnxTimeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum LinkState {
    Down,
    /// Asked for; when there is something to send after this time, another one is asked for.
    Connecting(ConnId, Time),
    Up(ConnId, Frames),
}

#[derive(Debug)]
struct Link {
    id: ServerId,
    node: NodeId,
    state: LinkState,
    /// The last message, which goes out on every new connection.
    last: Option<Bytes>,
}

impl Link {
    fn conn(&self) -> Option<ConnId> {
        match &self.state {
            LinkState::Down => None,
            LinkState::Connecting(conn, _) | LinkState::Up(conn, _) => Some(*conn),
        }
    }

    fn hang_up(&mut self, step: &mut Step<'_>) {
        if let Some(conn) = self.conn() {
            step.close(conn);
        }
        self.state = LinkState::Down;
    }

    fn connect(&mut self, step: &mut Step<'_>) {
        let now = step.clock.now;
        match self.state {
            LinkState::Up(..) => return,
            LinkState::Connecting(_, until) if now < until => return,
            _ => self.hang_up(step),
        }
        let conn = step.connect(self.node, Route::Election(self.id));
        self.state = LinkState::Connecting(conn, now + CONNECT_TIMEOUT);
    }

    fn up(&mut self, conn: ConnId, frames: Frames, step: &mut Step<'_>) {
        self.state = LinkState::Up(conn, frames);
        if let Some(last) = &self.last {
            step.fx.send(conn, last.clone());
        }
    }
}

/// One server's election connections.
#[derive(Debug)]
pub(in super::super) struct Links {
    me: ServerId,
    links: BTreeMap<ServerId, Link>,
}

impl Links {
    /// No connection yet, of server `me` to `others`.
    pub(super) fn new(me: ServerId, others: impl Iterator<Item = (ServerId, NodeId)>) -> Self {
        let link = |id, node| Link { id, node, state: LinkState::Down, last: None };
        Self { me, links: others.map(|(id, node)| (id, link(id, node))).collect() }
    }

    fn link(&mut self, id: ServerId) -> &mut Link {
        self.links.get_mut(&id).expect("election connections are to members")
    }

    /// Sends to one server, connecting to it if need be.
    pub(super) fn send(&mut self, step: &mut Step<'_>, to: ServerId, notification: &Notification) {
        let link = self.link(to);
        let bytes = notification.encode();
        link.last = Some(bytes.clone());
        match &link.state {
            LinkState::Up(conn, _) => step.fx.send(*conn, bytes),
            _ => link.connect(step),
        }
    }

    /// Sends to all.
    pub(super) fn send_all(&mut self, step: &mut Step<'_>, notification: &Notification) {
        let ids: Vec<ServerId> = self.links.keys().copied().collect();
        ids.into_iter().for_each(|to| self.send(step, to, notification));
    }

    /// The connection to server `id` that was asked for is open.
    pub(super) fn opened(&mut self, step: &mut Step<'_>, id: ServerId, conn: ConnId) {
        step.fx.send(conn, Hello { from: self.me }.encode());
        let me = self.me;
        let link = self.link(id);
        if id > me {
            // The other connects back.
            link.hang_up(step);
        } else {
            link.up(conn, Frames::new(MAX_ENSEMBLE_FRAME), step);
        }
    }

    /// A server connected and sent its id; `frames` holds what it sent behind that.
    pub(super) fn greeted(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        hello: Hello,
        frames: Frames,
    ) {
        // Not a member of the ensemble.
        let Some(link) = self.links.get_mut(&hello.from) else { return step.close(conn) };
        link.hang_up(step);
        if hello.from < self.me {
            step.close(conn);
            link.connect(step);
        } else {
            step.routes.insert(conn, Route::Election(hello.from));
            link.up(conn, frames, step);
        }
    }

    /// Bytes arrived from server `id`.
    pub(super) fn received(&mut self, id: ServerId, bytes: Bytes) {
        match &mut self.link(id).state {
            LinkState::Up(_, frames) => frames.push(bytes),
            state => panic!("bytes on a connection that is not open: {state:?}"),
        }
    }

    /// The next vote that arrived from a server. One that does not decode ends the connection.
    pub(super) fn next(&mut self, step: &mut Step<'_>, from: ServerId) -> Option<Notification> {
        let link = self.links.get_mut(&from)?;
        // An undecodable vote ended it.
        let LinkState::Up(_, frames) = &mut link.state else { return None };
        match frames.pop().map(|frame| frame.map(Notification::decode)) {
            Ok(None) => None,
            Ok(Some(Ok(notification))) => Some(notification),
            Ok(Some(Err(_))) | Err(_) => {
                tracing::warn!(from, "a server sent a vote that does not decode");
                link.hang_up(step);
                None
            }
        }
    }

    /// The connection to server `id` has ended.
    pub(super) fn closed(&mut self, id: ServerId) {
        self.link(id).state = LinkState::Down;
    }
}
