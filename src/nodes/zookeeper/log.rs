//! The durable half: the transaction log and the snapshots on the node's disk.
//!
//! # Files
//!
//! - `log.<first zxid>`: the word `KSLG`, a version; then entries of length, CRC-32C over length and bytes,
//!   and the bytes of a [`Txn`]. At a time one entry group is on its way to the platter; what comes meanwhile
//!   waits in memory and goes with the next fsync (group commit). A log file is begun only when the one
//!   before is whole on the platter: so only the last file can have a torn end, which is cut off, and damage
//!   in an earlier one is damage.
//! - `snapshot.<zxid>`: the word `KSSN`, a version, the zxid of the name, sessions and znodes, and at the end what
//!   makes it whole ([`super::snapshot`]). As ZooKeeper's, one that the server takes itself is written under its
//!   name, and a crash leaves half of it there: recovery passes over it and deletes it. One that a leader sent
//!   replaces everything, so it is written as `snapshot.tmp`, fsynced and renamed.
//!
//! # When
//!
//! After a random half to whole of `snapCount` transactions the log goes on in a new file, and a snapshot is begun
//! (`SyncRequestProcessor`), unless one is being taken. The next piece of it goes to the disk when the one before is
//! on the platter. Only whole snapshots count: the last three (`autopurge.snapRetainCount`) and the log files that
//! the oldest of them needs stay, and what is older goes when a new one is on the platter.

use std::collections::BTreeSet;

use bytes::Bytes;
use thiserror::Error;

use super::database::Database;
use super::history::{Entry, History};
use super::snapshot::{Snapshot, Taking};
use super::tree::Changes;
use super::txn::Txn;
use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::step::{DiskImage, DiskRequest, Effects, FileName};
use crate::vocab::{DiskOpId, Rope, Stream, Zxid};

const LOG_HEADER: [u8; 8] = *b"KSLG\0\0\0\x01";
const SNAPSHOT_TMP: &str = "snapshot.tmp";
/// Length and checksum.
const ENTRY_HEADER: usize = 8;
/// How many snapshots stay (`autopurge.snapRetainCount`). Purged after each, where ZooKeeper does so every
/// `autopurge.purgeInterval` hours.
const RETAINED: usize = 3;

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
    /// A snapshot holds effects of transactions up to `contains`, and what it lacks of them is lost: the log ends
    /// with `last`.
    #[error("the log ends with {last}, the snapshot holds something of {contains}")]
    Uncovered {
        /// The last transaction that the snapshot may hold something of.
        contains: Zxid,
        /// The last one of the log.
        last: Zxid,
    },
}

/// What is durable with the end of an fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// What recovery had to tidy is durable: the server may serve.
    Ready,
    /// All transactions up to this one are durable.
    Durable(Zxid),
    /// What [`Log::truncate`] or [`Log::install`] began is durable.
    Tidied,
    /// Nothing that the server waits for.
    Other,
}

#[derive(Debug)]
struct Flight {
    waiting: BTreeSet<DiskOpId>,
    to: Zxid,
}

/// The snapshot that is on its way to the disk.
#[derive(Debug)]
enum Snapshotting {
    /// A piece is on its way to the platter, or (`None`) it is time for the next.
    Taking { taking: Box<Taking>, piece: Option<DiskOpId> },
    /// All is written, and on its way to the platter.
    Sealed { zxid: Zxid, contains: Zxid, waiting: BTreeSet<DiskOpId> },
    /// A leader's, as a temporary file.
    Sent { zxid: Zxid, op: DiskOpId },
    /// The same, as it gets its name.
    Named { zxid: Zxid, op: DiskOpId },
    /// The same, as everything else goes. Waited for only when something of that is newer: recovery would prefer it.
    Alone { op: DiskOpId },
}

/// When snapshots are taken.
#[derive(Debug)]
pub struct Rhythm {
    /// `snapCount`: at least half of it lies between two snapshots, and at most all of it; 2 at least.
    pub snap_count: u64,
    /// Bytes of a piece.
    pub piece_bytes: usize,
    /// Says when within that: so that not all servers do it at once.
    pub stream: Stream,
}

impl Rhythm {
    fn next(&mut self) -> u64 {
        let half = self.snap_count.max(2) / 2;
        half + self.stream.below(half)
    }
}

/// What recovery read.
#[derive(Debug)]
pub struct Recovered {
    /// The log and the snapshots.
    pub log: Log,
    /// The state of both.
    pub state: Database,
    /// The snapshot that was read.
    pub base: Option<Snapshot>,
    /// The log entries that were read.
    pub entries: Vec<Entry>,
}

/// The log and the snapshots, after recovery.
#[derive(Debug)]
pub struct Log {
    rhythm: Rhythm,
    /// The next file begins when the last one has more than so many transactions.
    roll_after: u64,
    recovering: BTreeSet<DiskOpId>,
    /// First zxids of the log files; the last one is appended to.
    logs: BTreeSet<Zxid>,
    snapshots: BTreeSet<Zxid>,
    buffer: Vec<u8>,
    buffered: Option<(Zxid, Zxid)>,
    flight: Option<Flight>,
    durable: Zxid,
    entries: u64,
    /// Whether a file was begun, and with it a snapshot has to be.
    due: bool,
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
    /// How many log files and snapshots there are.
    pub fn file_counts(&self) -> (usize, usize) {
        (self.logs.len(), self.snapshots.len())
    }

    /// Reads what the disk kept, repairs a torn end, and has the disk make sure of what was read: a process
    /// that crashed leaves bytes in the page cache that are on no platter yet.
    ///
    /// # Errors
    /// When acknowledged transactions are damaged or missing; such a server must not serve.
    pub fn recover(
        image: &DiskImage,
        mut rhythm: Rhythm,
        fx: &mut Effects<Observation>,
    ) -> Result<Recovered, LogError> {
        let (base, snapshots) = load_snapshot(image, fx)?;
        if let Some(Snapshot { zxid, contains, .. }) = base {
            let read = ZooKeeperObservation::SnapshotRead { zxid, contains };
            fx.observe(Observation::ZooKeeper(read));
        }
        // Its checksum is right, so it decodes.
        let read = base.as_ref().map(|base| base.state().map_err(|_| LogError::NoSnapshot));
        let mut state = read.transpose()?.unwrap_or_default();
        let mut log = Self {
            roll_after: rhythm.next(),
            rhythm,
            recovering: BTreeSet::new(),
            logs: named(image, "log."),
            snapshots,
            buffer: Vec::new(),
            buffered: None,
            flight: None,
            durable: Zxid(0),
            entries: 0,
            due: false,
            snapshotting: None,
            tidying: BTreeSet::new(),
        };
        if image.contains_key(SNAPSHOT_TMP) {
            fx.disk(DiskRequest::Delete { file: SNAPSHOT_TMP.into() });
        }
        let entries = log.replay(image, &mut state, fx)?;
        let last = state.last_zxid;
        if let Some(contains) = base.as_ref().map(|base| base.contains).filter(|it| *it > last) {
            return Err(LogError::Uncovered { contains, last });
        }
        log.durable = last;
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
        state: &mut Database,
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
        // Everything is written or being written.
        let Some((first, to)) = self.buffered.take() else { return };
        let begin = self.logs.is_empty() || self.entries > self.roll_after;
        let mut bytes = std::mem::take(&mut self.buffer);
        if begin {
            if !self.logs.is_empty() {
                // One that is being taken goes on; that is enough.
                self.due |= self.snapshotting.is_none();
                self.roll_after = self.rhythm.next();
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
        self.snapshot_synced(op, fx)
    }

    fn snapshot_synced(&mut self, op: DiskOpId, fx: &mut Effects<Observation>) -> Synced {
        match &mut self.snapshotting {
            Some(Snapshotting::Taking { piece, .. }) if *piece == Some(op) => *piece = None,
            Some(Snapshotting::Sealed { zxid, contains, waiting }) => {
                waiting.remove(&op);
                if !waiting.is_empty() {
                    return Synced::Other;
                }
                let (zxid, contains) = (*zxid, *contains);
                self.snapshotting = None;
                self.snapshots.insert(zxid);
                self.purge(fx);
                let taken = ZooKeeperObservation::SnapshotTaken { zxid, contains };
                fx.observe(Observation::ZooKeeper(taken));
            }
            Some(Snapshotting::Sent { zxid, op: sent }) if *sent == op => {
                let zxid = *zxid;
                let to = snapshot_name(zxid);
                fx.disk(DiskRequest::Rename { from: SNAPSHOT_TMP.into(), to });
                let op = fx.disk(DiskRequest::FsyncDirectory);
                self.snapshotting = Some(Snapshotting::Named { zxid, op });
            }
            Some(Snapshotting::Named { zxid, op: named }) if *named == op => {
                let zxid = *zxid;
                let was_behind = self.durable <= zxid;
                let op = self.drop_all(zxid, fx);
                if was_behind {
                    self.snapshotting = None;
                    return Synced::Tidied;
                }
                self.snapshotting = Some(Snapshotting::Alone { op });
            }
            Some(Snapshotting::Alone { op: last }) if *last == op => {
                self.snapshotting = None;
                return Synced::Tidied;
            }
            _ => {}
        }
        Synced::Other
    }

    /// Begins a snapshot when one is due, writes the next piece of one that is being taken, and seals one that has
    /// all its pieces once the log has all that is in it. What is applied now must be committed. When one is
    /// sealed, it is returned with the first entry of the log file that continues behind it.
    pub fn snapshot(
        &mut self,
        state: &Database,
        fx: &mut Effects<Observation>,
    ) -> Option<(Snapshot, Zxid)> {
        let taking = match &mut self.snapshotting {
            None if self.due => {
                self.begin_snapshot(state.last_zxid, fx);
                return None;
            }
            Some(Snapshotting::Taking { taking, piece: piece @ None }) => {
                if let Some(bytes) = taking.next_piece(state, self.rhythm.piece_bytes) {
                    let file = snapshot_name(taking.zxid());
                    let bytes = bytes.into();
                    fx.disk(DiskRequest::Append { file: file.clone(), bytes });
                    *piece = Some(fx.disk(DiskRequest::Fsync { file }));
                    return None;
                }
                taking
            }
            _ => return None,
        };
        let is_at_rest = self.flight.is_none() && self.buffered.is_none();
        if taking.contains() > self.durable && !is_at_rest {
            return None;
        }
        Some(self.seal_snapshot(fx))
    }

    fn begin_snapshot(&mut self, zxid: Zxid, fx: &mut Effects<Observation>) {
        self.due = false;
        if self.snapshots.contains(&zxid) {
            return;
        }
        tracing::debug!(%zxid, "begins a snapshot");
        let taking = Box::new(Taking::begin(zxid));
        let file = snapshot_name(zxid);
        fx.disk(DiskRequest::Write { file: file.clone(), bytes: taking.head() });
        let piece = Some(fx.disk(DiskRequest::Fsync { file }));
        self.snapshotting = Some(Snapshotting::Taking { taking, piece });
    }

    fn seal_snapshot(&mut self, fx: &mut Effects<Observation>) -> (Snapshot, Zxid) {
        let Some(Snapshotting::Taking { taking, .. }) = self.snapshotting.take() else {
            panic!("only a snapshot that is being taken is sealed")
        };
        let (bytes, snapshot) = taking.seal();
        let Snapshot { zxid, contains, .. } = snapshot;
        tracing::debug!(%zxid, %contains, bytes = snapshot.len(), "seals a snapshot");
        let file = snapshot_name(zxid);
        fx.disk(DiskRequest::Append { file: file.clone(), bytes: bytes.into() });
        let waiting = [DiskRequest::Fsync { file }, DiskRequest::FsyncDirectory];
        let waiting = waiting.into_iter().map(|request| fx.disk(request)).collect();
        self.snapshotting = Some(Snapshotting::Sealed { zxid, contains, waiting });
        let goes_on = self.logs.range(..=Zxid(zxid.0 + 1)).next_back();
        (snapshot, goes_on.copied().unwrap_or_default())
    }

    /// From now on the state may change in ways that a snapshot must not contain: an incomplete one is abandoned,
    /// and is due again.
    pub fn abandon_snapshot(&mut self, fx: &mut Effects<Observation>) {
        if let Some(Snapshotting::Taking { taking, .. }) = &self.snapshotting {
            fx.disk(DiskRequest::Delete { file: snapshot_name(taking.zxid()) });
            self.due = true;
            self.snapshotting = None;
        }
    }

    /// Cuts off what is behind `zxid`; `history` knows the sizes of what stays. [`Synced::Tidied`] follows.
    ///
    /// # Panics
    /// While something else is on its way to the disk.
    pub fn truncate(&mut self, zxid: Zxid, history: &History, fx: &mut Effects<Observation>) {
        assert!(self.is_idle(), "a log that is written to is cut");
        let mut whole = history.after(zxid).next().is_none();
        while let Some(last) = self.logs.last().copied().filter(|first| *first > zxid) {
            self.logs.remove(&last);
            fx.disk(DiskRequest::Delete { file: log_name(last) });
            // Where a file ends that is cut between two transactions, nothing is cut.
            whole = history.after(zxid).next().is_some_and(|entry| entry.zxid == last);
            self.entries = 0;
        }
        if let (Some(last), false) = (self.logs.last().copied(), whole) {
            let (mut len, mut entries) = (LOG_HEADER.len(), 0);
            for size in history.sizes(last, zxid) {
                len += ENTRY_HEADER + size;
                entries += 1;
            }
            self.entries = entries;
            let file = log_name(last);
            fx.disk(DiskRequest::Truncate { file: file.clone(), len: len as u64 });
            self.tidying.insert(fx.disk(DiskRequest::Fsync { file }));
        }
        self.tidying.insert(fx.disk(DiskRequest::FsyncDirectory));
        self.durable = zxid;
    }

    /// Replaces log and snapshots by a leader's. [`Synced::Tidied`] follows when that is durable.
    ///
    /// # Panics
    /// While something else is on its way to the disk.
    pub fn install(&mut self, snapshot: &Snapshot, fx: &mut Effects<Observation>) {
        assert!(self.is_idle(), "a log that is written to is replaced");
        let file: FileName = SNAPSHOT_TMP.into();
        fx.disk(DiskRequest::Write { file: file.clone(), bytes: snapshot.file() });
        let op = fx.disk(DiskRequest::Fsync { file });
        self.snapshotting = Some(Snapshotting::Sent { zxid: snapshot.zxid, op });
    }

    /// Deletes everything but one snapshot. What is newest goes first, as names reach the platter in order: what is
    /// left of a log never lacks its beginning.
    fn drop_all(&mut self, kept: Zxid, fx: &mut Effects<Observation>) -> DiskOpId {
        for zxid in std::mem::take(&mut self.logs).into_iter().rev() {
            fx.disk(DiskRequest::Delete { file: log_name(zxid) });
        }
        for zxid in std::mem::replace(&mut self.snapshots, BTreeSet::from([kept])).into_iter().rev()
        {
            if zxid != kept {
                fx.disk(DiskRequest::Delete { file: snapshot_name(zxid) });
            }
        }
        (self.entries, self.due, self.durable) = (0, false, kept);
        fx.disk(DiskRequest::FsyncDirectory)
    }

    /// Deletes snapshots but the last three, and log files that the oldest of those contains.
    fn purge(&mut self, fx: &mut Effects<Observation>) {
        while self.snapshots.len() > RETAINED
            && let Some(oldest) = self.snapshots.pop_first()
        {
            fx.disk(DiskRequest::Delete { file: snapshot_name(oldest) });
        }
        // Until there are so many, every log file is needed.
        let (RETAINED, Some(kept)) = (self.snapshots.len(), self.snapshots.first()) else { return };
        // A log file ends where the next begins.
        while self.logs.iter().nth(1).is_some_and(|next| *next <= Zxid(kept.0 + 1))
            && let Some(oldest) = self.logs.pop_first()
        {
            fx.disk(DiskRequest::Delete { file: log_name(oldest) });
        }
        fx.disk(DiskRequest::FsyncDirectory);
    }
}

type Loaded = (Option<Snapshot>, BTreeSet<Zxid>);

/// The newest whole snapshot, and which there are: those that are not whole are deleted, and do not count.
fn load_snapshot(image: &DiskImage, fx: &mut Effects<Observation>) -> Result<Loaded, LogError> {
    let (mut newest, mut whole, mut broken) = (None, BTreeSet::new(), Vec::new());
    for zxid in named(image, "snapshot.") {
        match Snapshot::read(zxid, &content(image, &snapshot_name(zxid))) {
            Some(snapshot) => {
                whole.insert(zxid);
                newest = Some(snapshot);
            }
            None => broken.push(zxid),
        }
    }
    // Without any, the log must begin at the beginning: the first one may be the one that broke.
    let begins = |first: &Zxid| first.0 <= 1 || *first == Zxid::new(1, 1);
    let from_the_start = named(image, "log.").first().is_some_and(begins);
    if newest.is_none() && !broken.is_empty() && !from_the_start {
        return Err(LogError::NoSnapshot);
    }
    for zxid in broken {
        tracing::warn!(%zxid, "a snapshot that is not whole is deleted");
        fx.disk(DiskRequest::Delete { file: snapshot_name(zxid) });
    }
    Ok((newest, whole))
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
fn replay_txn(state: &mut Database, txn: &Txn) -> Result<(), LogError> {
    let (after, found) = (state.last_zxid, txn.zxid);
    if found <= after {
        return Ok(());
    }
    let begins_epoch = found.0 >> 32 > after.0 >> 32 && found.0 & 0xffff_ffff == 1;
    if found.0 != after.0 + 1 && !begins_epoch {
        return Err(LogError::Gap { after, found });
    }
    state.apply(txn, &mut Changes::new());
    Ok(())
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
