//! The cluster's side of a served run, and the playback of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Arrived, Exchange, Order};
use super::limits::Limits;
use super::recording::{RecordError, Recording, RecordingError, Writer};
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

/// How often the recording is handed to the operating system, in real time: what a killed process loses.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// What serving needs.
pub struct Serving {
    /// The way to the sockets.
    pub exchange: Arc<Exchange>,
    /// The names of the servers, in the order of their listeners.
    pub servers: Vec<String>,
    /// What each lets its clients have.
    pub limits: Vec<Limits>,
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

/// A connection that is open at both ends.
struct Open {
    server: usize,
    /// Bytes of the client that were let in.
    total: u64,
    /// When there was traffic last.
    heard: Time,
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
    /// Connections with requests that are not answered.
    asking: BTreeSet<Visitor>,
    /// Connections that are open at both ends.
    open: BTreeMap<Visitor, Open>,
    /// When a connection may have had no traffic for as long as its server allows.
    idle: BTreeSet<(Time, Visitor)>,
    /// Connections whose clients send no more, by the time at which they are closed.
    lingering: BTreeSet<(Time, Visitor)>,
    news: Vec<(Visitor, News)>,
    orders: Vec<(Visitor, Order)>,
    is_ready: bool,
    /// Whether it was said that the recording is full.
    is_full: bool,
}

impl Serving {
    /// Serves the cluster to its end. The second result is how writing the recording ended.
    pub fn play<R: Reader>(self, mut live: Live<'_, R>) -> (Played<R>, Result<(), RecordError>) {
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
            asking: BTreeSet::new(),
            open: BTreeMap::new(),
            idle: BTreeSet::new(),
            lingering: BTreeSet::new(),
            news: Vec::new(),
            orders: Vec::new(),
            is_ready: false,
            is_full: false,
        };
        let written = served.serve();
        drop(served);
        // The rest of the scenario, and convergence, run without external clients.
        (live.finish(), written)
    }
}

impl<R: Reader> Served<'_, '_, R> {
    fn serve(&mut self) -> Result<(), RecordError> {
        let mut saved = Duration::ZERO;
        let duration = Time::ZERO + self.live.duration();
        loop {
            let inbox = self.serving.exchange.wait();
            let target = self.serving.pace.target(inbox.elapsed, self.live.now());
            self.run_until(if self.serving.keep_running { target } else { target.min(duration) });
            self.let_in_all(inbox.arrived);
            self.close_lingering();
            self.close_idle();
            self.hand_out();
            if inbox.elapsed >= saved + SAVE_EVERY {
                saved = inbox.elapsed;
                self.save()?;
            }
            let is_over = !self.serving.keep_running && self.live.now() >= duration;
            if inbox.stop || is_over {
                return self.end();
            }
        }
    }

    /// Saves what was recorded. An error ends serving: what is not recorded cannot be had again.
    fn save(&mut self) -> Result<(), RecordError> {
        let now = self.live.now();
        let Some(recording) = &mut self.serving.recording else { return Ok(()) };
        if let Err(why) = recording.save(now) {
            // At once: the rest of the scenario is simulated before the error is returned.
            let notices = &mut self.serving.notices;
            let _: io::Result<()> =
                writeln!(notices, "{why}: serving ends").and_then(|()| notices.flush());
            return Err(why);
        }
        if recording.is_full() && !std::mem::replace(&mut self.is_full, true) {
            let notices = &mut self.serving.notices;
            // A reader that is gone does not need it.
            let _: io::Result<()> =
                writeln!(notices, "the recording is full: nothing after {now} is recorded")
                    .and_then(|()| notices.flush());
        }
        Ok(())
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
                    let now = self.live.now();
                    self.open.insert(visitor, Open { server, total: 0, heard: now });
                    if let Some(limit) = self.idle_limit(visitor) {
                        self.idle.insert((now + limit, visitor));
                    }
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
        let (Inbound::Open { visitor, .. }
        | Inbound::Bytes { visitor, .. }
        | Inbound::Close { visitor }) = &inbound;
        let Some(open) = self.open.get_mut(visitor) else { return };
        match &inbound {
            Inbound::Open { .. } => {}
            Inbound::Bytes { bytes, .. } => {
                open.total += bytes.len() as u64;
                open.heard = self.live.now();
                *self.unread.entry(*visitor).or_default() += bytes.len();
                self.asking.insert(*visitor);
            }
            Inbound::Close { .. } => {
                self.open.remove(visitor);
                self.unread.remove(visitor);
                self.asking.remove(visitor);
            }
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

    /// How long a connection may have no traffic.
    fn idle_limit(&self, visitor: Visitor) -> Option<Duration> {
        let open = self.open.get(&visitor)?;
        let limits = &self.serving.limits[open.server];
        if open.total == 0 { limits.silent.or(limits.idle) } else { limits.idle }
    }

    /// Closes connections without traffic. Their servers would do it, at most a moment later.
    fn close_idle(&mut self) {
        let now = self.live.now();
        while let Some(&(at, visitor)) = self.idle.first()
            && at <= now
        {
            self.idle.pop_first();
            let Some(limit) = self.idle_limit(visitor) else { continue };
            let due = self.open[&visitor].heard + limit;
            if due > now {
                self.idle.insert((due, visitor));
                continue;
            }
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
            } else if let Some(open) = self.open.get_mut(&visitor) {
                open.heard = self.live.now();
            }
            let order = match news {
                News::Bytes(bytes) => Order::Send(bytes),
                News::Closed(Closed::Eof) => Order::Close,
                News::Closed(Closed::Reset | Closed::Refused) => Order::Reset,
            };
            self.orders.push((visitor, order));
        }
        self.send_read();
        self.send_answered();
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

    /// Reports whose requests are all answered, so that the next are let in.
    fn send_answered(&mut self) {
        let (live, open, orders) = (&*self.live, &self.open, &mut self.orders);
        self.asking.retain(|visitor| {
            let Some(open) = open.get(visitor) else { return false };
            let is_answered = live.is_answered(*visitor);
            if is_answered {
                orders.push((*visitor, Order::Answered(open.total)));
            }
            !is_answered
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
    fn end(&mut self) -> Result<(), RecordError> {
        for visitor in self.open.keys().copied().collect::<Vec<_>>() {
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
