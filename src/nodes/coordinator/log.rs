//! The durable half: the transaction log and the snapshots on the node's disk.
//!
//! # Files
//!
//! - `log.<first zxid>`: the word `KSLG`, a version; then entries of length, CRC-32C over length and bytes,
//!   and the bytes of a [`Txn`]. At a time one entry group is on its way to the platter; what comes meanwhile
//!   waits in memory and goes with the next fsync (group commit). A log file is begun only when the one
//!   before is whole on the platter: so only the last file can have a torn end, which is cut off, and damage
//!   in an earlier one is damage.
//! - `snapshot.<zxid>`: the word `KSSN`, a version, the CRC-32C of the rest, and the bytes of a [`State`].
//!   Written as `snapshot.tmp`, fsynced, renamed, the rename fsynced. The last two are kept, and the logs that
//!   the older one needs: a snapshot that rotted is survived.

use std::collections::BTreeSet;

use bytes::Bytes;
use thiserror::Error;

use super::ensemble::history::{Entry, History};
use super::state::State;
use super::tree::Changes;
use super::txn::Txn;
use crate::history::Observation;
use crate::vocab::step::{DiskImage, DiskRequest, Effects, FileName};
use crate::vocab::{DiskOpId, Rope, Zxid};

const LOG_HEADER: [u8; 8] = *b"KSLG\0\0\0\x01";
const SNAPSHOT_HEADER: [u8; 8] = *b"KSSN\0\0\0\x01";
const SNAPSHOT_TMP: &str = "snapshot.tmp";
/// Length and checksum.
const ENTRY_HEADER: usize = 8;

/// Why a server cannot start from its disk.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// A log file that was once whole is not.
    #[error("{file} is damaged at byte {at}")]
    Damaged {
        /// The file.
        file: FileName,
        /// Where.
        at: usize,
    },
    /// Transactions are missing: behind `after` comes `found`.
    #[error("the log goes from {after} to {found}")]
    Gap {
        /// The last before.
        after: Zxid,
        /// The first behind.
        found: Zxid,
    },
    /// There is a snapshot, but none that can be read.
    #[error("no snapshot can be read")]
    NoSnapshot,
}

/// What came of the end of an fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// What recovery had to tidy is durable: the server may serve.
    Ready,
    /// All transactions up to this one are durable.
    Durable(Zxid),
    /// What [`Log::truncate`] or [`Log::install`] began is durable.
    Tidied,
    /// Nothing that anybody waits for.
    Other,
}

#[derive(Debug)]
struct Flight {
    waiting: BTreeSet<DiskOpId>,
    to: Zxid,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The temporary file is on its way to the platter.
    Write,
    /// The rename is.
    Rename,
}

#[derive(Clone, Copy, Debug)]
struct Snapshotting {
    stage: Stage,
    op: DiskOpId,
    zxid: Zxid,
    /// Whether it takes the place of the log and of all snapshots.
    replaces: bool,
}

/// What recovery read.
#[derive(Debug)]
pub struct Recovered {
    /// The log and the snapshots.
    pub log: Log,
    /// What they spell.
    pub state: State,
    /// The snapshot that was read, and as of when.
    pub base: Option<(Zxid, Bytes)>,
    /// The log entries that were read.
    pub entries: Vec<Entry>,
}

/// The log and the snapshots, after recovery.
#[derive(Debug)]
pub struct Log {
    snapshot_every: u64,
    recovering: BTreeSet<DiskOpId>,
    /// First zxids of the log files; the last one is appended to.
    logs: BTreeSet<Zxid>,
    snapshots: BTreeSet<Zxid>,
    buffer: Vec<u8>,
    buffered: Option<(Zxid, Zxid)>,
    flight: Option<Flight>,
    durable: Zxid,
    entries: u64,
    /// Where the next snapshot is due: what is before it stands in older log files.
    due: Option<Zxid>,
    snapshotting: Option<Snapshotting>,
    /// What a truncation waits for.
    tidying: BTreeSet<DiskOpId>,
}

fn log_name(first: Zxid) -> FileName {
    format!("log.{:x}", first.0).into()
}

fn snapshot_name(zxid: Zxid) -> FileName {
    format!("snapshot.{:x}", zxid.0).into()
}

fn named(image: &DiskImage, prefix: &str) -> BTreeSet<Zxid> {
    let zxid = |name: &FileName| i64::from_str_radix(name.strip_prefix(prefix)?, 16).ok();
    image.keys().filter_map(zxid).map(Zxid).collect()
}

fn content(image: &DiskImage, name: &FileName) -> Bytes {
    image.get(name).map_or_else(Bytes::new, Rope::bytes)
}

impl Log {
    /// Reads what the disk kept, repairs a torn end, and has the disk make sure of what was read: a process
    /// that crashed leaves bytes in the page cache that are on no platter yet.
    ///
    /// # Errors
    /// When acknowledged transactions are damaged or missing; such a server must not serve.
    pub fn recover(
        image: &DiskImage,
        snapshot_every: u64,
        fx: &mut Effects<Observation>,
    ) -> Result<Recovered, LogError> {
        let (mut state, base, snapshots) = load_snapshot(image, fx)?;
        let mut log = Self {
            snapshot_every: snapshot_every.max(1),
            recovering: BTreeSet::new(),
            logs: named(image, "log."),
            snapshots,
            buffer: Vec::new(),
            buffered: None,
            flight: None,
            durable: Zxid(0),
            entries: 0,
            due: None,
            snapshotting: None,
            tidying: BTreeSet::new(),
        };
        if image.contains_key(SNAPSHOT_TMP) {
            fx.disk(DiskRequest::Delete { file: SNAPSHOT_TMP.into() });
        }
        let entries = log.replay(image, &mut state, fx)?;
        log.durable = state.last_zxid;
        if let Some(last) = log.logs.last() {
            log.recovering.insert(fx.disk(DiskRequest::Fsync { file: log_name(*last) }));
        }
        if !image.is_empty() {
            log.recovering.insert(fx.disk(DiskRequest::FsyncDirectory));
        }
        Ok(Recovered { log, state, base, entries })
    }

    fn replay(
        &mut self,
        image: &DiskImage,
        state: &mut State,
        fx: &mut Effects<Observation>,
    ) -> Result<Vec<Entry>, LogError> {
        let mut entries = Vec::new();
        let last_file = self.logs.last().copied();
        let files: Vec<Zxid> = self.logs.iter().copied().collect();
        for (at, first) in files.iter().copied().enumerate() {
            // A file ends where the next begins; what the snapshot contains is not read.
            if files.get(at + 1).is_some_and(|next| next.0 <= state.last_zxid.0 + 1) {
                continue;
            }
            let file = log_name(first);
            let read = read_log(&content(image, &file));
            self.entries = read.txns.len() as u64;
            for (txn, bytes) in read.txns {
                replay_txn(state, &txn)?;
                entries.push(Entry { zxid: txn.zxid, bytes });
            }
            let Some(at) = read.torn_at else { continue };
            if Some(first) != last_file {
                return Err(LogError::Damaged { file, at });
            }
            tracing::warn!(%file, at, "cut a torn end off the transaction log");
            if self.entries == 0 {
                self.logs.remove(&first);
                fx.disk(DiskRequest::Delete { file });
            } else {
                fx.disk(DiskRequest::Truncate { file, len: at as u64 });
            }
        }
        Ok(entries)
    }

    /// Whether what recovery read is durable, so that it may be served.
    pub fn is_ready(&self) -> bool {
        self.recovering.is_empty()
    }

    /// Whether nothing is on its way to the disk, or has to be.
    pub fn is_idle(&self) -> bool {
        let writes = self.flight.is_some() || self.buffered.is_some();
        let tidies = self.snapshotting.is_some() || !self.tidying.is_empty();
        self.is_ready() && !writes && !tidies
    }

    /// Adds a transaction's bytes; [`Log::flush`] sends them on their way.
    pub fn append(&mut self, zxid: Zxid, bytes: &Bytes) {
        let len = u32::try_from(bytes.len()).expect("a transaction below 4 GiB").to_be_bytes();
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&len), bytes).to_be_bytes();
        self.buffer.extend(len);
        self.buffer.extend(checksum);
        self.buffer.extend(bytes);
        self.entries += 1;
        let first = self.buffered.map_or(zxid, |(first, _)| first);
        self.buffered = Some((first, zxid));
    }

    /// Begins the next fsync, when none is under way and there is something to make durable.
    pub fn flush(&mut self, fx: &mut Effects<Observation>) {
        if self.flight.is_some() || !self.is_ready() {
            return;
        }
        let Some((first, to)) = self.buffered.take() else { return };
        let full = self.entries > self.snapshot_every && self.due.is_none();
        let begin = self.logs.is_empty() || (full && self.snapshotting.is_none());
        let mut bytes = std::mem::take(&mut self.buffer);
        if begin {
            if !self.logs.is_empty() {
                self.due = Some(self.durable);
            }
            self.entries = 0;
            self.logs.insert(first);
            bytes.splice(0..0, LOG_HEADER);
        }
        let file = log_name(*self.logs.last().expect("a log was begun above"));
        fx.disk(DiskRequest::Append { file: file.clone(), bytes: bytes.into() });
        let mut waiting = BTreeSet::from([fx.disk(DiskRequest::Fsync { file })]);
        if begin {
            waiting.insert(fx.disk(DiskRequest::FsyncDirectory));
        }
        self.flight = Some(Flight { waiting, to });
    }

    /// An fsync ended.
    pub fn synced(&mut self, op: DiskOpId, fx: &mut Effects<Observation>) -> Synced {
        if self.recovering.remove(&op) {
            return if self.is_ready() { Synced::Ready } else { Synced::Other };
        }
        if let Some(flight) = &mut self.flight
            && flight.waiting.remove(&op)
        {
            if !flight.waiting.is_empty() {
                return Synced::Other;
            }
            self.durable = flight.to;
            self.flight = None;
            return Synced::Durable(self.durable);
        }
        if self.tidying.remove(&op) {
            return if self.tidying.is_empty() { Synced::Tidied } else { Synced::Other };
        }
        match self.snapshotting {
            Some(snapshot) if snapshot.op == op => self.snapshot_synced(snapshot, fx),
            _ => Synced::Other,
        }
    }

    fn snapshot_synced(&mut self, snapshot: Snapshotting, fx: &mut Effects<Observation>) -> Synced {
        if let Stage::Write = snapshot.stage {
            let to = snapshot_name(snapshot.zxid);
            fx.disk(DiskRequest::Rename { from: SNAPSHOT_TMP.into(), to });
            let op = fx.disk(DiskRequest::FsyncDirectory);
            self.snapshotting = Some(Snapshotting { stage: Stage::Rename, op, ..snapshot });
            return Synced::Other;
        }
        self.snapshotting = None;
        if snapshot.replaces {
            self.drop_all(snapshot.zxid, fx);
            return Synced::Tidied;
        }
        self.snapshots.insert(snapshot.zxid);
        self.purge(fx);
        Synced::Other
    }

    /// Begins a snapshot, when the log files before the last one are applied and all that is applied is durable.
    /// Its bytes and where the log goes on behind it, when it does.
    pub fn snapshot_if_due(
        &mut self,
        state: &State,
        fx: &mut Effects<Observation>,
    ) -> Option<(Bytes, Zxid)> {
        let zxid = state.last_zxid;
        let is_durable = zxid <= self.durable || (self.flight.is_none() && self.buffered.is_none());
        let is_due = self.due.is_some_and(|due| due <= zxid);
        if !is_due || !is_durable || self.snapshotting.is_some() {
            return None;
        }
        self.due = None;
        let body = state.encode();
        tracing::debug!(%zxid, bytes = body.len(), "snapshot");
        self.write_snapshot(zxid, &body, false, fx);
        let goes_on = self.logs.range(..=Zxid(zxid.0 + 1)).next_back();
        Some((body, goes_on.copied().unwrap_or_default()))
    }

    fn write_snapshot(
        &mut self,
        zxid: Zxid,
        body: &Bytes,
        replaces: bool,
        fx: &mut Effects<Observation>,
    ) {
        let file: FileName = SNAPSHOT_TMP.into();
        let checksum = crc32c::crc32c(body).to_be_bytes();
        let bytes = [&SNAPSHOT_HEADER[..], &checksum, body].concat().into();
        fx.disk(DiskRequest::Write { file: file.clone(), bytes });
        let op = fx.disk(DiskRequest::Fsync { file });
        self.snapshotting = Some(Snapshotting { stage: Stage::Write, op, zxid, replaces });
    }

    /// Cuts off what is behind `zxid`; `history` knows the sizes of what stays. [`Synced::Tidied`] follows.
    ///
    /// # Panics
    /// While something else is on its way to the disk.
    pub fn truncate(&mut self, zxid: Zxid, history: &History, fx: &mut Effects<Observation>) {
        assert!(self.is_idle(), "a log that is written to is cut");
        while let Some(last) = self.logs.last().copied() {
            let (mut len, mut entries) = (LOG_HEADER.len(), 0);
            for size in history.sizes(last, zxid) {
                len += ENTRY_HEADER + size;
                entries += 1;
            }
            self.entries = entries;
            let file = log_name(last);
            if entries > 0 {
                fx.disk(DiskRequest::Truncate { file: file.clone(), len: len as u64 });
                self.tidying.insert(fx.disk(DiskRequest::Fsync { file }));
                break;
            }
            self.logs.remove(&last);
            fx.disk(DiskRequest::Delete { file });
        }
        self.tidying.insert(fx.disk(DiskRequest::FsyncDirectory));
        self.durable = zxid;
        self.due = None;
    }

    /// Replaces log and snapshots by a state as of `zxid`, whose bytes are `body`. [`Synced::Tidied`] follows
    /// when it is durable.
    ///
    /// # Panics
    /// While something else is on its way to the disk.
    pub fn install(&mut self, zxid: Zxid, body: &Bytes, fx: &mut Effects<Observation>) {
        assert!(self.is_idle(), "a log that is written to is replaced");
        self.write_snapshot(zxid, body, true, fx);
    }

    fn drop_all(&mut self, kept: Zxid, fx: &mut Effects<Observation>) {
        for zxid in std::mem::take(&mut self.logs) {
            fx.disk(DiskRequest::Delete { file: log_name(zxid) });
        }
        for zxid in std::mem::replace(&mut self.snapshots, BTreeSet::from([kept])) {
            if zxid != kept {
                fx.disk(DiskRequest::Delete { file: snapshot_name(zxid) });
            }
        }
        fx.disk(DiskRequest::FsyncDirectory);
        (self.entries, self.due, self.durable) = (0, None, kept);
    }

    /// Deletes snapshots but the last two, and log files that the older of those contains.
    fn purge(&mut self, fx: &mut Effects<Observation>) {
        while self.snapshots.len() > 2
            && let Some(oldest) = self.snapshots.pop_first()
        {
            fx.disk(DiskRequest::Delete { file: snapshot_name(oldest) });
        }
        let (2, Some(kept)) = (self.snapshots.len(), self.snapshots.first()) else { return };
        // A log file ends where the next begins.
        while self.logs.iter().nth(1).is_some_and(|next| *next <= Zxid(kept.0 + 1))
            && let Some(oldest) = self.logs.pop_first()
        {
            fx.disk(DiskRequest::Delete { file: log_name(oldest) });
        }
        fx.disk(DiskRequest::FsyncDirectory);
    }
}

fn decode_snapshot(bytes: &Bytes) -> Option<(State, Bytes)> {
    let rest = bytes.strip_prefix(&SNAPSHOT_HEADER)?;
    let (checksum, body) = rest.split_first_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let body = bytes.slice_ref(body);
    Some((State::decode(body.clone()).ok()?, body))
}

type Loaded = (State, Option<(Zxid, Bytes)>, BTreeSet<Zxid>);

/// The state of the newest snapshot that can be read, its bytes, and which snapshots can be kept. One that cannot be
/// read is deleted.
fn load_snapshot(image: &DiskImage, fx: &mut Effects<Observation>) -> Result<Loaded, LogError> {
    let mut snapshots = named(image, "snapshot.");
    let mut damaged = Vec::new();
    let mut state = None;
    while state.is_none()
        && let Some(zxid) = snapshots.last().copied()
    {
        state = decode_snapshot(&content(image, &snapshot_name(zxid)));
        if state.is_none() {
            snapshots.remove(&zxid);
            damaged.push(zxid);
        }
    }
    // With only one snapshot ever taken, the log still begins at the beginning.
    let begins = |first: &Zxid| first.0 <= 1 || *first == Zxid::new(1, 1);
    let from_the_start = named(image, "log.").first().is_some_and(begins);
    if state.is_none() && !damaged.is_empty() && !from_the_start {
        return Err(LogError::NoSnapshot);
    }
    for zxid in damaged {
        tracing::warn!(%zxid, "a snapshot cannot be read and is deleted");
        fx.disk(DiskRequest::Delete { file: snapshot_name(zxid) });
    }
    let (state, body) = state.unzip();
    let base = body.and_then(|body| Some((*snapshots.last()?, body)));
    Ok((state.unwrap_or_default(), base, snapshots))
}

struct Read {
    txns: Vec<(Txn, Bytes)>,
    torn_at: Option<usize>,
}

fn read_log(bytes: &Bytes) -> Read {
    if !bytes.starts_with(&LOG_HEADER) {
        return Read { txns: Vec::new(), torn_at: Some(0) };
    }
    let mut at = LOG_HEADER.len();
    let mut txns = Vec::new();
    while at < bytes.len() {
        let Some(txn) = read_entry(&bytes.slice(at..), &mut at) else {
            return Read { txns, torn_at: Some(at) };
        };
        txns.push(txn);
    }
    Read { txns, torn_at: None }
}

fn read_entry(bytes: &Bytes, at: &mut usize) -> Option<(Txn, Bytes)> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_be_bytes(*len) as usize)?;
    if crc32c::crc32c_append(crc32c::crc32c(len), body) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let body = bytes.slice_ref(body);
    *at += ENTRY_HEADER + body.len();
    Some((Txn::decode(body.clone()).ok()?, body))
}

/// Applies what the state does not contain. Zxids follow on each other, or begin a later epoch.
fn replay_txn(state: &mut State, txn: &Txn) -> Result<(), LogError> {
    let (after, found) = (state.last_zxid, txn.zxid);
    if found <= after {
        return Ok(());
    }
    if found.0 != after.0 + 1 && found.0 >> 32 == after.0 >> 32 {
        return Err(LogError::Gap { after, found });
    }
    state.apply(txn, &mut Changes::new());
    Ok(())
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
