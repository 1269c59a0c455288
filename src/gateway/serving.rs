//! The cluster's side of a served run, and the playback of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Arrived, Exchange, Order};
use super::recording::{Recording, RecordingError, Writer};
use super::wall::Pace;
use crate::cluster::{Inbound, Live, News, Played, Visitor};
use crate::model::Reader;
use crate::vocab::step::Closed;
use crate::vocab::{NodeId, Time};

/// Answers of servers are handed out at least this often, in virtual time.
const SLICE: Duration = Duration::from_millis(10);
/// How long a connection stays open whose client sends no more: long enough for an answer, as to
/// `echo ruok | nc HOST PORT`. The simulated network has no connections that are closed on one side only.
const LINGER: Duration = Duration::from_millis(500);

/// What serving needs.
pub struct Serving {
    /// The way to the sockets.
    pub exchange: Arc<Exchange>,
    /// The names of the servers, in the order of their listeners.
    pub servers: Vec<String>,
    /// How fast time passes.
    pub pace: Pace,
    /// Whether to go on after the plan's duration.
    pub keep_running: bool,
    /// The recording of what arrives.
    pub recording: Option<Writer>,
    /// Gets a line when the cluster is ready.
    pub notices: Box<dyn Write + Send>,
}

/// Ends the sockets' side, however the cluster's side ends.
struct Ending(Arc<Exchange>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A cluster that is being served.
struct Served<'a, 'p, R: Reader> {
    live: &'a mut Live<'p, R>,
    serving: Serving,
    servers: Vec<NodeId>,
    /// Whether each server listens.
    listening: Vec<bool>,
    /// Connections with bytes that their server has not read, and how many those were at the last report.
    unread: BTreeMap<Visitor, usize>,
    /// Connections that are open at both ends.
    open: BTreeSet<Visitor>,
    /// Connections whose clients send no more, by the time at which they are closed.
    lingering: BTreeSet<(Time, Visitor)>,
    news: Vec<(Visitor, News)>,
    orders: Vec<(Visitor, Order)>,
    is_ready: bool,
}

impl Serving {
    /// Serves the cluster to its end. The second result is how writing the recording ended.
    pub fn play<R: Reader>(self, mut live: Live<'_, R>) -> (Played<R>, io::Result<()>) {
        let _ending = Ending(self.exchange.clone());
        let roster = live.roster().clone();
        let node =
            |name: &String| roster.find(name).expect("listeners are those of the plan's servers");
        let servers: Vec<NodeId> = self.servers.iter().map(node).collect();
        let mut served = Served {
            live: &mut live,
            serving: self,
            listening: vec![true; servers.len()],
            servers,
            unread: BTreeMap::new(),
            open: BTreeSet::new(),
            lingering: BTreeSet::new(),
            news: Vec::new(),
            orders: Vec::new(),
            is_ready: false,
        };
        let written = served.serve();
        drop(served);
        // The rest of the scenario, and convergence, run without external clients.
        (live.finish(), written)
    }
}

impl<R: Reader> Served<'_, '_, R> {
    fn serve(&mut self) -> io::Result<()> {
        let duration = Time::ZERO + self.live.duration();
        loop {
            let inbox = self.serving.exchange.wait();
            let target = self.serving.pace.target(inbox.elapsed, self.live.now());
            self.run_until(if self.serving.keep_running { target } else { target.min(duration) });
            self.let_in_all(inbox.arrived);
            self.close_lingering();
            self.hand_out();
            let is_over = !self.serving.keep_running && self.live.now() >= duration;
            if inbox.stop || is_over {
                return self.end();
            }
        }
    }

    /// Advances time in slices, so that answers are handed out in between.
    fn run_until(&mut self, until: Time) {
        while self.live.now() < until {
            let slice = self.live.now() + SLICE;
            self.live.run_until(until.min(slice));
            self.hand_out();
        }
        if !self.is_ready && self.live.is_ready() {
            self.is_ready = true;
            let notices = &mut self.serving.notices;
            // A reader that is gone does not need it.
            let _: io::Result<()> = writeln!(notices, "ready").and_then(|()| notices.flush());
        }
    }

    fn let_in_all(&mut self, arrived: Vec<(Visitor, Arrived)>) {
        for (visitor, arrived) in arrived {
            match arrived {
                Arrived::Open(server) => {
                    self.let_in(Inbound::Open { visitor, server: self.servers[server] });
                }
                Arrived::Bytes(bytes) => self.let_in(Inbound::Bytes { visitor, bytes }),
                Arrived::HalfClosed => {
                    self.lingering.insert((self.live.now() + LINGER, visitor));
                }
                Arrived::Gone => self.let_in(Inbound::Close { visitor }),
            }
        }
    }

    /// Lets something in, unless the server has closed that connection already. Nothing happens between two inputs of
    /// the same time, neither here nor when the recording is played.
    fn let_in(&mut self, inbound: Inbound) {
        let is_open = match &inbound {
            Inbound::Open { visitor, .. } => self.open.insert(*visitor),
            Inbound::Bytes { visitor, .. } => self.open.contains(visitor),
            Inbound::Close { visitor } => self.open.remove(visitor),
        };
        if !is_open {
            return;
        }
        match &inbound {
            Inbound::Open { .. } => {}
            Inbound::Bytes { visitor, bytes } => {
                *self.unread.entry(*visitor).or_default() += bytes.len();
            }
            Inbound::Close { visitor } => _ = self.unread.remove(visitor),
        }
        let (now, roster) = (self.live.now(), self.live.roster());
        if let Some(recording) = &mut self.serving.recording {
            recording.add(now, &inbound, roster);
        }
        self.live.let_in(inbound);
    }

    fn close_lingering(&mut self) {
        let now = self.live.now();
        while let Some(&(at, visitor)) = self.lingering.first()
            && at <= now
        {
            self.lingering.pop_first();
            self.let_in(Inbound::Close { visitor });
            self.orders.push((visitor, Order::Close));
        }
    }

    /// Hands out what servers sent.
    fn hand_out(&mut self) {
        self.live.take_news(&mut self.news);
        for (visitor, news) in self.news.drain(..) {
            if matches!(news, News::Closed(_)) {
                self.open.remove(&visitor);
            }
            let order = match news {
                News::Bytes(bytes) => Order::Send(bytes),
                News::Closed(Closed::Eof) => Order::Close,
                News::Closed(Closed::Reset | Closed::Refused) => Order::Reset,
            };
            self.orders.push((visitor, order));
        }
        self.send_read();
        self.send_listening();
        if !self.orders.is_empty() {
            self.serving.exchange.order(&mut self.orders);
        }
    }

    /// Reports how much servers have read, so that no more is let in than a connection holds.
    fn send_read(&mut self) {
        let (live, orders) = (&*self.live, &mut self.orders);
        self.unread.retain(|&visitor, unread| {
            let now = live.unread(visitor);
            if now < *unread {
                orders.push((visitor, Order::Took(*unread - now)));
                *unread = now;
            }
            *unread > 0
        });
    }

    /// Opens and closes listeners as servers start and stop.
    fn send_listening(&mut self) {
        for (index, (server, listening)) in self.servers.iter().zip(&mut self.listening).enumerate()
        {
            let listens = !self.live.refuses(*server);
            if listens != *listening {
                *listening = listens;
                self.serving.exchange.set_listening(index, listens);
            }
        }
    }

    /// Closes all connections of external clients, and the recording.
    fn end(&mut self) -> io::Result<()> {
        for visitor in self.open.clone() {
            self.let_in(Inbound::Close { visitor });
        }
        let now = self.live.now();
        self.serving.recording.take().map_or(Ok(()), |recording| recording.finish(now))
    }
}

/// Plays the cluster to its end, with the inputs of `recording`.
pub fn play_back<R: Reader>(
    mut live: Live<'_, R>,
    recording: &Recording,
) -> (Played<R>, Result<(), RecordingError>) {
    let played = let_in_recorded(&mut live, recording);
    (live.finish(), played)
}

fn let_in_recorded<R: Reader>(
    live: &mut Live<'_, R>,
    recording: &Recording,
) -> Result<(), RecordingError> {
    let roster = live.roster().clone();
    let mut unread = Vec::new();
    for (time, entry) in &recording.entries {
        live.run_until(*time);
        live.let_in(entry.inbound(&roster)?);
        // There is no client to send it to.
        live.take_news(&mut unread);
        unread.clear();
    }
    live.run_until(recording.end);
    Ok(())
}
