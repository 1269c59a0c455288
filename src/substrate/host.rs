//! One host: its power, its process's state, its wall clock and the speed of its disk.

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::disk::Disk;
use super::link::nanos_range;
use super::network::Arrival;
use crate::vocab::step::DiskRequest;
use crate::vocab::{ConnId, DiskOpId, NodeId, Seed, Stream, Time, TimerId, nanos};

/// How fast disks are unless a fault says otherwise.
#[derive(Clone, Debug)]
pub struct DiskConfig {
    /// How long a write takes. With more than zero, what a node sends behind a write waits for it, unless its
    /// process waits for its appends itself ([`super::Process::awaits_appends`]).
    pub write: Duration,
    /// How long an fsync takes, all values equally likely.
    pub fsync: RangeInclusive<Duration>,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self { write: Duration::ZERO, fsync: Duration::from_micros(500)..=Duration::from_millis(4) }
    }
}

/// What leaves a node, and is held while a disk write before it is not done.
#[derive(Debug)]
pub enum Outgoing {
    /// The wish to connect.
    Connect {
        /// The connection that this becomes.
        conn: ConnId,
        /// The node to reach.
        to: NodeId,
    },
    /// Bytes.
    Send {
        /// Where.
        conn: ConnId,
        /// What.
        bytes: Bytes,
        /// How long the process works on it, in nanoseconds.
        after_ns: u64,
    },
    /// The end of a connection.
    Close(ConnId),
    /// The end of the process, and when it is started again.
    Exit {
        /// Counted from the end.
        start_after: Option<Duration>,
    },
}

/// What waits for a paused process to run again.
#[derive(Debug)]
pub enum Held {
    /// Something came over the network.
    Arrival(Arrival),
    /// The kernel accepted a connection.
    Accepted {
        /// The connection.
        conn: ConnId,
        /// The node that connected.
        peer: NodeId,
    },
    /// A timer was due.
    Timer {
        /// Which.
        id: TimerId,
        /// What the node said when it set the timer.
        token: u64,
    },
    /// An fsync ended.
    DiskDone(DiskOpId),
    /// The process was asked to end.
    Shutdown,
    /// The process has come up.
    Boot,
}

/// A wall clock that may be off and drift.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// Shown at the start of the run if nothing is off, in milliseconds since 1970.
    epoch_ms: i64,
    offset_ms: i64,
    drift_ppm: i64,
    drift_since: Time,
    drifted_before_ns: i64,
}

impl WallClock {
    /// A clock that is right.
    pub fn new(epoch_ms: i64) -> Self {
        Self { epoch_ms, offset_ms: 0, drift_ppm: 0, drift_since: Time::ZERO, drifted_before_ns: 0 }
    }

    /// Steps the clock so that it is off by `offset_ms`, not counting drift.
    pub fn set_offset(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
    }

    /// Lets the clock gain `ppm` microseconds per second from `now` on; what it gained so far
    /// stays.
    pub fn set_drift(&mut self, now: Time, ppm: i64) {
        self.drifted_before_ns = self.drifted_ns(now);
        self.drift_since = now;
        self.drift_ppm = ppm;
    }

    /// What the clock shows, in milliseconds since 1970.
    pub fn at(&self, now: Time) -> i64 {
        let drifted_ns =
            if self.drift_ppm == 0 { self.drifted_before_ns } else { self.drifted_ns(now) };
        self.epoch_ms + self.offset_ms + (now.0 as i64 + drifted_ns) / 1_000_000
    }

    fn drifted_ns(&self, now: Time) -> i64 {
        let span_ns = i128::from(now.0 - self.drift_since.0);
        self.drifted_before_ns + (span_ns * i128::from(self.drift_ppm) / 1_000_000) as i64
    }
}

/// A host and what the world knows of its process.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it has power.
    pub has_power: bool,
    /// Whether a process runs.
    pub is_running: bool,
    /// Whether the process has decided to end, and only waits for its disk.
    pub is_exiting: bool,
    /// Whether the process is paused.
    pub is_paused: bool,
    /// Whether the process comes up: nothing can be asked of it yet.
    pub is_booting: bool,
    /// Whether the process was killed, and the kernel has not closed its connections yet.
    pub is_dying: bool,
    /// Whether the process takes connections.
    pub listens: bool,
    /// How long a process takes to come up when it starts again, in nanoseconds.
    pub start_up_ns: RangeInclusive<u64>,
    life_stream: Stream,
    /// Counts the starts of its process: nothing of an older one reaches the present one.
    pub incarnation: u32,
    /// Its wall clock.
    pub wall: WallClock,
    /// Its disk.
    pub disk: Disk,
    /// Whether its process waits for its appends itself, and gets their ends.
    pub awaits_appends: bool,
    /// How long a write takes, in nanoseconds.
    pub write_ns: u64,
    /// How long an fsync takes, in nanoseconds.
    pub fsync_ns: RangeInclusive<u64>,
    disk_stream: Stream,
    writes_done_at: Time,
    fsyncs_done_at: Time,
    /// What waits for disk writes, each with the time when they are done.
    pub outbox: VecDeque<(Time, Outgoing)>,
    /// Connections whose closing waits in the outbox: the process wants to hear no more of them.
    pub closing: BTreeSet<ConnId>,
    /// What waits for the process to run again.
    pub held: VecDeque<Held>,
}

impl Host {
    /// A host that has power and runs nothing.
    pub fn new(seed: Seed, name: &str, disk: &DiskConfig, wall_epoch_ms: i64) -> Self {
        Self {
            name: name.into(),
            has_power: true,
            is_running: false,
            is_exiting: false,
            is_paused: false,
            is_booting: false,
            is_dying: false,
            listens: false,
            start_up_ns: 0..=0,
            life_stream: seed.stream(&format!("life/{name}")),
            incarnation: 0,
            wall: WallClock::new(wall_epoch_ms),
            disk: Disk::default(),
            awaits_appends: false,
            write_ns: nanos(disk.write),
            fsync_ns: nanos_range(&disk.fsync),
            disk_stream: seed.stream(&format!("disk/{name}")),
            writes_done_at: Time::ZERO,
            fsyncs_done_at: Time::ZERO,
            outbox: VecDeque::new(),
            closing: BTreeSet::new(),
            held: VecDeque::new(),
        }
    }

    /// Whether appends take time that its process waits for.
    pub fn appends_take_time(&self) -> bool {
        self.awaits_appends && self.write_ns > 0
    }

    /// Does a disk request at `now`; for an fsync, and for an append that its process waits for, when its end is to
    /// be reported.
    pub fn use_disk(&mut self, now: Time, op: DiskOpId, request: DiskRequest) -> Option<Time> {
        let is_append = matches!(request, DiskRequest::Append { .. });
        if self.disk.apply(op, request) {
            let begins = now.max(self.writes_done_at);
            let ends = begins.after_nanos(self.disk_stream.within(self.fsync_ns.clone()));
            // One after the other, so that they end in order however the queue breaks ties.
            self.fsyncs_done_at = ends.max(self.fsyncs_done_at.after_nanos(1));
            return Some(self.fsyncs_done_at);
        }
        if self.write_ns > 0 {
            self.writes_done_at = now.max(self.writes_done_at).after_nanos(self.write_ns);
            return (is_append && self.awaits_appends).then_some(self.writes_done_at);
        }
        None
    }

    /// The disk is faster from `now` on: what is under way ends as if it had begun now, unless it ends before.
    /// `under_way` are the operations that are to be reported, in order; their ends are changed.
    pub fn speed_up(&mut self, now: Time, under_way: &mut [(Time, DiskOpId)]) {
        let (mut writes, mut fsyncs) = (now, now);
        for (ends, op) in under_way {
            let before = match self.disk.is_syncing(*op) {
                true => {
                    let begins = writes.max(now);
                    let takes = self.disk_stream.within(self.fsync_ns.clone());
                    fsyncs = begins.after_nanos(takes).max(fsyncs.after_nanos(1));
                    &mut fsyncs
                }
                false => {
                    writes = writes.after_nanos(self.write_ns.max(1));
                    &mut writes
                }
            };
            *before = (*before).min(*ends);
            *ends = *before;
        }
        let fastest = now.max(writes).after_nanos(self.write_ns);
        self.writes_done_at = self.writes_done_at.min(fastest);
        self.fsyncs_done_at = self.fsyncs_done_at.min(fsyncs.max(now));
        for (ready, _) in &mut self.outbox {
            *ready = (*ready).min(self.writes_done_at);
        }
    }

    /// When the writes so far are done, if something has to wait for that.
    pub fn waits_until(&self, now: Time) -> Option<Time> {
        let is_held = self.writes_done_at > now && !self.awaits_appends;
        (is_held || !self.outbox.is_empty()).then(|| self.writes_done_at.max(now))
    }

    /// How long the process that starts takes to come up, in nanoseconds. One that starts with the run is up.
    pub fn start_up(&mut self) -> u64 {
        match self.incarnation {
            0 => 0,
            _ => self.life_stream.within(self.start_up_ns.clone()),
        }
    }

    /// How long the kernel takes to close the connections of a process that was killed, in nanoseconds.
    pub fn death(&mut self, range_ns: &RangeInclusive<u64>) -> u64 {
        self.life_stream.within(range_ns.clone())
    }

    /// The process is gone, and with it all that waited for it or for the disk to go out.
    pub fn process_ended(&mut self) {
        self.is_running = false;
        self.is_exiting = false;
        self.is_paused = false;
        self.is_booting = false;
        self.is_dying = false;
        self.listens = false;
        self.outbox.clear();
        self.closing.clear();
        self.held.clear();
    }

    /// The host loses power.
    pub fn power_lost(&mut self, now: Time) {
        self.process_ended();
        self.has_power = false;
        self.disk.power_loss(&mut self.disk_stream);
        self.writes_done_at = now;
        self.fsyncs_done_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_may_be_off_and_drift() {
        let mut wall = WallClock::new(1_000_000);
        assert_eq!(wall.at(Time::from_millis(5)), 1_000_005);
        wall.set_offset(-200);
        assert_eq!(wall.at(Time::from_millis(5)), 999_805);
        wall.set_drift(Time::from_millis(1_000), 500);
        assert_eq!(wall.at(Time::from_millis(3_000)), 1_000_000 - 200 + 3_000 + 1);
        wall.set_drift(Time::from_millis(3_000), 0);
        assert_eq!(wall.at(Time::from_millis(9_000)), 1_000_000 - 200 + 9_000 + 1);
    }
}
