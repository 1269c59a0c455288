//! The event log: one line per event, the same in every run of the same plan and seed.
//!
//! `[s 8.204113042 e 12345] b2 delivered 812 bytes from p0 on 17, 5f0c2e9a11d04477`: virtual seconds,
//! the event's number from 1, the node, what happened. Nothing of the machine it ran on.

use std::io::{self, Write};

use super::event::{Event, EventKind};
use crate::vocab::step::Closed;
use crate::vocab::{NodeId, Roster};

/// Writes events as lines.
pub struct EventLog {
    out: Box<dyn Write>,
    roster: Roster,
    /// The first error of the writer; after it, nothing more is written.
    error: Option<io::Error>,
}

impl EventLog {
    /// Writes to `out`, naming nodes as `roster` does. `out` should be buffered.
    pub fn new(out: Box<dyn Write>, roster: Roster) -> Self {
        Self { out, roster, error: None }
    }

    /// Writes one line. An error of the writer is kept for [`finish`](Self::finish).
    pub fn add(&mut self, ordinal: u64, event: &Event<'_>) {
        if self.error.is_none() {
            self.error = self.line(ordinal, event).err();
        }
    }

    /// Flushes the writer.
    ///
    /// # Errors
    /// The first error that the writer gave.
    pub fn finish(mut self) -> io::Result<()> {
        match self.error {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn line(&mut self, ordinal: u64, event: &Event<'_>) -> io::Result<()> {
        let Self { out, roster, .. } = self;
        let name = |node: NodeId| &**roster.name(node);
        let (seconds, nanos) = (event.time.0 / 1_000_000_000, event.time.0 % 1_000_000_000);
        let node = event.node.map_or("-", name);
        write!(out, "[s {seconds}.{nanos:09} e {ordinal}] {node} ")?;
        match event.kind {
            EventKind::Life(life) => writeln!(out, "{life}"),
            EventKind::Fault { text, targets } => {
                write!(out, "fault: {text}")?;
                if !targets.is_empty() {
                    write!(out, "; aimed at")?;
                }
                targets.iter().try_for_each(|&target| write!(out, " {}", name(target)))?;
                writeln!(out)
            }
            EventKind::Connecting { conn, to } => {
                writeln!(out, "connecting to {} on {}", name(to), conn.0)
            }
            EventKind::Opened { conn, peer } => {
                writeln!(out, "opened {} to {}", conn.0, name(peer))
            }
            EventKind::Closing { conn } => writeln!(out, "closing {}", conn.0),
            EventKind::Accepted { conn, peer } => {
                writeln!(out, "accepted {} from {}", conn.0, name(peer))
            }
            EventKind::Delivered { conn, from, len, bytes_hash } => {
                let from = name(from);
                writeln!(out, "delivered {len} bytes from {from} on {}, {bytes_hash:016x}", conn.0)
            }
            EventKind::Closed { conn, peer, why } => {
                let why = match why {
                    Closed::Refused => "refused",
                    Closed::Eof => "end of file",
                    Closed::Reset => "reset",
                };
                writeln!(out, "closed {} to {}, {why}", conn.0, name(peer))
            }
            EventKind::Timer { token } => writeln!(out, "timer {token:#x}"),
            EventKind::Disk { op, request } => writeln!(out, "disk {}: {request}", op.0),
            EventKind::DiskDone { op } => writeln!(out, "disk {} done", op.0),
            EventKind::Observed(observation) => writeln!(out, "observed: {observation}"),
            EventKind::Fact(fact) => writeln!(out, "fact: {fact}"),
        }
    }
}
