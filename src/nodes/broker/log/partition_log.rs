//! One log: its segments, its pages, its leader epochs, and what is durable of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::checkpoint::AtomicFiles;
use super::epochs::{EpochCache, EpochEnd};
use super::pages::LogPages;
use super::producers::Producers;
use super::transactions::Aborted;
use crate::nodes::Effects;
use crate::vocab::step::{DiskRequest, FileName};
use crate::vocab::{DiskOpId, LeaderEpoch, Offset, Time, TopicPartition};
use crate::wire::records::{Batch, DECOMPRESSED_MAX};

/// `index.interval.bytes`, at its default.
const INDEX_INTERVAL_BYTES: usize = 4_096;

/// The disk as logs use it.
#[derive(Debug)]
pub struct Disk<'a> {
    /// The time of the step.
    pub now: Time,
    /// Effects of the step.
    pub effects: &'a mut Effects,
    /// Files that are replaced as a whole.
    pub files: &'a mut AtomicFiles,
    /// Fsyncs of segments and slow appends in flight, each with its log's owner: the number given to [`Log::create`].
    pub flushing: &'a mut BTreeMap<DiskOpId, usize>,
}

/// What becomes of the first batch of a read that is larger than what may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBatch {
    /// It is given as a whole (KIP-74).
    Whole,
    /// It is left out, and all behind it.
    IfItFits,
    /// It is cut (Fetch before v3).
    Cut,
}

/// The settings that an append obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `flush.messages`: records that may be unflushed when an append is over.
    pub flush_messages: i64,
}

/// A segment file.
#[derive(Debug)]
pub(super) struct Segment {
    /// The offset of its first record.
    pub base: Offset,
    pub file: FileName,
    /// Its length.
    pub bytes: u64,
    /// The largest timestamp of its first batch, once it has one.
    pub first_ms: Option<i64>,
    /// When it was made, or loaded.
    pub began: Time,
    /// When something was appended last; at first, when it was made or loaded.
    pub written: Time,
}

/// An fsync in flight.
#[derive(Debug)]
struct Flush {
    op: DiskOpId,
    /// What is durable when it is done.
    up_to: Offset,
    /// Where the append begins that is not over before it is done.
    holds_from: Option<Offset>,
    done: bool,
}

/// The log of one partition.
#[derive(Debug)]
pub struct Log {
    /// What its owner calls it.
    owner: usize,
    directory: Arc<str>,
    epoch_file: FileName,
    /// Never empty; the last one is active.
    pub(super) segments: Vec<Segment>,
    pub(super) pages: LogPages,
    pub(super) start: Offset,
    pub(super) end: Offset,
    pub(super) recovery_point: Offset,
    unflushed_records: i64,
    /// When its last flush began; at first, when it was loaded.
    last_flush: Time,
    flushes: VecDeque<Flush>,
    /// Appends that the disk has not done yet, each with the offset where it begins.
    writes: VecDeque<(DiskOpId, Offset)>,
    pub(super) epochs: EpochCache,
    pub(super) producers: Producers,
}

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

/// The folder of a partition's log.
pub fn directory_of(at: &TopicPartition) -> Arc<str> {
    at.to_string().into()
}

/// The partition whose log is in a folder; `None` when the name is no such folder's.
pub fn partition_of(directory: &str) -> Option<TopicPartition> {
    let (topic, partition) = directory.rsplit_once('-')?;
    let number: i32 = partition.parse().ok()?;
    let canonical = number >= 0 && number.to_string() == partition;
    (canonical && !topic.is_empty()).then(|| TopicPartition::new(topic, number))
}

pub(super) fn segment_file(directory: &str, base: Offset) -> FileName {
    format!("{directory}/{base:020}.log").into()
}

impl Segment {
    /// Without records, made or loaded now.
    pub fn empty(base: Offset, file: FileName, now: Time) -> Self {
        Self { base, file, bytes: 0, first_ms: None, began: now, written: now }
    }

    pub fn create(disk: &mut Disk<'_>, directory: &str, base: Offset) -> Self {
        let file = segment_file(directory, base);
        disk.effects.disk(DiskRequest::Write { file: file.clone(), bytes: Bytes::new() });
        disk.effects.disk(DiskRequest::FsyncDirectory);
        Self::empty(base, file, disk.now)
    }
}

impl Log {
    /// A new, empty log for `at`, starting at offset 0; its fsyncs are noted as `owner`'s.
    pub fn create(disk: &mut Disk<'_>, owner: usize, at: &TopicPartition) -> Self {
        let directory = directory_of(at);
        let first = Segment::create(disk, &directory, 0);
        let pages = LogPages::new(disk.effects.pages().clone());
        Self::of(owner, directory, vec![first], pages, disk.now)
    }

    pub(super) fn of(
        owner: usize,
        directory: Arc<str>,
        segments: Vec<Segment>,
        pages: LogPages,
        now: Time,
    ) -> Self {
        let start = segments[0].base;
        let end = pages.end().unwrap_or(start);
        Self {
            owner,
            epoch_file: format!("{directory}/leader-epoch-checkpoint").into(),
            directory,
            segments,
            pages,
            start,
            end,
            recovery_point: start,
            unflushed_records: 0,
            last_flush: now,
            flushes: VecDeque::new(),
            writes: VecDeque::new(),
            epochs: EpochCache::default(),
            producers: Producers::default(),
        }
    }

    /// The first offset that can be read.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The log end offset: what the next record will get.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The log end offset as replication may see it: behind the last append that is over. Below
    /// [`Log::end`] only while an append waits for a slow disk or for its fsync (`flush.messages`).
    #[inline]
    pub fn flushed_end(&self) -> Offset {
        if self.flushes.is_empty() && self.writes.is_empty() {
            return self.end;
        }
        let flushing = self.flushes.iter().find_map(|flush| flush.holds_from);
        let writing = self.writes.front().map(|(_, from)| *from);
        self.end.min(flushing.unwrap_or(self.end)).min(writing.unwrap_or(self.end))
    }

    /// Whether an append is under way: the thread that makes it has the log's lock.
    pub fn is_writing(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Everything below is on the platter, as far as this log knows.
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// The file that the leader epochs are kept in.
    pub fn epoch_file(&self) -> &FileName {
        &self.epoch_file
    }

    /// The leader epoch cache.
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// The idempotent producers that it has batches of.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Forgets idempotent producers that were silent for long, and gives their ids.
    pub fn expire_producers(
        &mut self,
        expiry: Duration,
        now_ms: i64,
        hears_markers: bool,
    ) -> Vec<i64> {
        self.producers.expire(expiry, now_ms, hears_markers)
    }

    /// A transaction is about to be verified before a batch of it is appended: the guard that the batch needs then;
    /// none when the transaction is open here.
    pub fn verify(&mut self, producer: (i64, i16), sequence: i32, now_ms: i64) -> Option<u64> {
        self.producers.verify(producer, sequence, now_ms)
    }

    /// All below an offset is replicated.
    pub fn replicated(&mut self, high_watermark: Offset) {
        self.producers.transactions_mut().replicated(high_watermark);
    }

    /// The end of what a reader of committed transactions may see: where the first transaction begins that is open, or
    /// whose end is not replicated; else the high watermark.
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        let unstable = self.producers.transactions().first_unstable();
        let unstable = unstable.map_or(Offset::MAX, |first| first.max(self.start));
        unstable.min(high_watermark)
    }

    /// The aborted transactions of which a reader has to know that gets the batches from `from` on up to `end`. Kafka
    /// looks up to the next entry of the offset index.
    pub fn aborted(&self, from: Offset, end: Offset, with_empty: bool) -> Vec<Aborted> {
        let mut bytes = 0;
        let mut to = self.end;
        for batch in self.pages.batches_from(end) {
            let begins_segment = self.segments.iter().rev().any(|s| s.base == batch.base_offset);
            bytes += batch.bytes.len();
            if begins_segment || bytes > INDEX_INTERVAL_BYTES {
                to = if begins_segment { batch.base_offset } else { batch.last_offset };
                break;
            }
        }
        self.producers.transactions().aborted(from, to, with_empty)
    }

    /// Replaces what it knows of idempotent producers.
    pub fn set_producers(&mut self, producers: Producers) {
        self.producers = producers;
    }

    /// All batches, in order.
    pub fn batches(&self) -> impl Iterator<Item = Cow<'_, Batch>> {
        self.pages.batches_from(Offset::MIN)
    }

    /// The batch that holds the first offset that can be read, if any record is left.
    pub fn first_batch(&self) -> Option<Cow<'_, Batch>> {
        self.pages.batches_from(self.start).next()
    }

    pub(super) fn save_epochs(&self, disk: &mut Disk<'_>) {
        disk.files.write(disk.effects, &self.epoch_file, self.epochs.to_text().into());
    }

    /// Notes that `epoch` begins at the log's end (a leader's election).
    pub fn assign_epoch(&mut self, disk: &mut Disk<'_>, epoch: LeaderEpoch) {
        if self.epochs.assign(epoch, self.end) {
            self.save_epochs(disk);
        }
    }

    fn active(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has a segment")
    }

    pub(super) fn roll(&mut self, disk: &mut Disk<'_>) {
        self.flush_from(disk, None);
        let next = Segment::create(disk, &self.directory, self.end);
        self.segments.push(next);
        self.pages.close();
    }

    /// Adds a batch at the end. Keeps a copy of its bytes: they may be a slice of something larger.
    ///
    /// # Panics
    /// When the batch does not begin at the log's end: the caller has to check.
    pub fn append(&mut self, disk: &mut Disk<'_>, settings: LogSettings, batch: Batch) {
        assert_eq!(batch.base_offset, self.end, "{}: append with a gap or overlap", self.directory);
        let size = batch.bytes.len() as u64;
        if self.active().is_full(disk, settings, &batch) {
            self.roll(disk);
        }
        if self.epochs.assign(batch.leader_epoch, batch.base_offset) {
            self.save_epochs(disk);
        }
        self.producers.note(&batch);
        let before = self.end;
        self.end = batch.last_offset + 1;
        self.unflushed_records = self.unflushed_records.saturating_add(self.end - before);
        let active = self.active();
        let (file, position) = (active.file.clone(), active.bytes);
        active.bytes += size;
        active.first_ms.get_or_insert(batch.max_timestamp_ms());
        active.written = disk.now;
        let bytes = self.pages.append(position, batch);
        let op = disk.effects.disk(DiskRequest::Append { file, bytes });
        if disk.effects.appends_take_time() {
            disk.flushing.insert(op, self.owner);
            self.writes.push_back((op, before));
        }
        if self.unflushed_records >= settings.flush_messages {
            self.flush_from(disk, Some(before));
        }
    }

    fn flush_from(&mut self, disk: &mut Disk<'_>, holds_from: Option<Offset>) {
        let file = self.active().file.clone();
        let op = disk.effects.disk(DiskRequest::Fsync { file });
        disk.flushing.insert(op, self.owner);
        self.flushes.push_back(Flush { op, up_to: self.end, holds_from, done: false });
        self.unflushed_records = 0;
        self.last_flush = disk.now;
    }

    /// When its last flush began; at first, when it was loaded.
    pub fn last_flush(&self) -> Time {
        self.last_flush
    }

    /// Flushes what is not flushed, if anything. Appends do not wait for it.
    pub fn flush(&mut self, disk: &mut Disk<'_>) {
        let under_way = self.flushes.back().map_or(self.recovery_point, |last| last.up_to);
        if under_way < self.end {
            self.flush_from(disk, None);
        }
    }

    /// An fsync or an append ended. Returns whether it was one of this log's; [`Log::flushed_end`] may have moved.
    pub fn on_disk_done(&mut self, op: DiskOpId) -> bool {
        if self.writes.pop_front_if(|(write, _)| *write == op).is_some() {
            return true;
        }
        let Some(flush) = self.flushes.iter_mut().find(|flush| flush.op == op) else {
            return false;
        };
        flush.done = true;
        while self.flushes.front().is_some_and(|flush| flush.done) {
            let flush = self.flushes.pop_front().expect("it was just looked at");
            self.recovery_point = self.recovery_point.max(flush.up_to);
        }
        true
    }

    /// Cuts everything from `target` on; a batch that holds `target` goes whole. Epochs that start at the
    /// new end or behind it are forgotten even when no record is cut. Returns whether records were cut.
    pub fn truncate_to(&mut self, disk: &mut Disk<'_>, target: Offset) -> bool {
        if target < self.segments[0].base {
            self.truncate_fully_and_start_at(disk, target);
            return true;
        }
        let cut = target < self.end;
        if cut {
            self.cut(disk, target);
        }
        if self.epochs.truncate_from_end(if cut { self.end } else { target }) {
            self.save_epochs(disk);
        }
        cut
    }

    fn cut(&mut self, disk: &mut Disk<'_>, target: Offset) {
        let kept = self.segments.partition_point(|segment| segment.base < target).max(1);
        let gone: Vec<Segment> = self.segments.drain(kept..).collect();
        for segment in &gone {
            disk.effects.disk(DiskRequest::Delete { file: segment.file.clone() });
        }
        if !gone.is_empty() {
            disk.effects.disk(DiskRequest::FsyncDirectory);
        }
        self.pages.truncate(target);
        let base = self.active().base;
        let (end, left) = (self.pages.end().unwrap_or(base), self.pages.byte_len_from(base));
        let active = self.active();
        if left < active.bytes {
            active.bytes = left;
            let file = active.file.clone();
            disk.effects.disk(DiskRequest::Truncate { file, len: left });
        }
        self.end_at(end);
        if self.producers.reaches(end) {
            let mut producers = self.producers.emptied();
            self.batches().for_each(|batch| producers.note(&batch));
            self.producers = producers;
        }
    }

    /// The log ends at `end` now, below where it ended.
    fn end_at(&mut self, end: Offset) {
        self.end = end;
        self.start = self.start.min(end);
        self.recovery_point = self.recovery_point.min(end);
        for flush in &mut self.flushes {
            flush.up_to = flush.up_to.min(end);
            flush.holds_from = flush.holds_from.filter(|from| *from < end);
        }
        for (_, from) in &mut self.writes {
            *from = (*from).min(end);
        }
    }

    /// Drops everything; the log starts at `offset`, without records.
    pub fn truncate_fully_and_start_at(&mut self, disk: &mut Disk<'_>, offset: Offset) {
        for segment in &self.segments {
            disk.effects.disk(DiskRequest::Delete { file: segment.file.clone() });
        }
        self.segments = vec![Segment::create(disk, &self.directory, offset)];
        self.pages = LogPages::new(disk.effects.pages().clone());
        self.end_at(offset);
        (self.start, self.recovery_point) = (offset, offset);
        self.flushes.clear();
        self.producers.clear();
        if self.epochs.clear() {
            self.save_epochs(disk);
        }
    }

    /// Raises the log start to `start` (a follower learns its leader's). Whole segments below it go. Returns
    /// whether anything changed.
    pub fn raise_start(&mut self, disk: &mut Disk<'_>, start: Offset) -> bool {
        if start <= self.start || start > self.end {
            return false;
        }
        self.start = start;
        while self.segments.get(1).is_some_and(|second| second.base <= start) {
            let segment = self.segments.remove(0);
            disk.effects.disk(DiskRequest::Delete { file: segment.file });
        }
        self.pages.drop_below(self.segments[0].base);
        self.producers.transactions_mut().drop_below(self.segments[0].base);
        if self.epochs.truncate_from_start(start) {
            self.save_epochs(disk);
        }
        true
    }

    /// Batches from the one that holds `from` on, that end below `up_to`.
    fn batches_from(&self, from: Offset, up_to: Offset) -> impl Iterator<Item = Cow<'_, Batch>> {
        let batches = self.pages.batches_from(from);
        batches.take_while(move |batch| batch.last_offset < up_to)
    }

    /// `max_bytes` of the batches from the one that holds `from` on, those that end below `up_to`. The last may be cut
    /// short, as it is where a real broker reads a file; `first` says what may become of the first. What is one batch
    /// is not copied.
    pub fn read(&self, from: Offset, up_to: Offset, max_bytes: usize, first: FirstBatch) -> Bytes {
        if from >= up_to {
            return Bytes::new();
        }
        let mut batches = self.batches_from(from, up_to);
        let Some(batch) = batches.next() else { return Bytes::new() };
        let size = batch.bytes.len();
        match first {
            FirstBatch::IfItFits if size > max_bytes => return Bytes::new(),
            FirstBatch::Cut if size >= max_bytes => return batch.bytes.slice(..max_bytes),
            _ => {}
        }
        if size >= max_bytes {
            return batch.bytes.clone();
        }
        let Some(second) = batches.next() else { return batch.bytes.clone() };
        let mut all = BytesMut::with_capacity((size + second.bytes.len()).min(max_bytes));
        all.extend_from_slice(&batch.bytes);
        for batch in std::iter::once(second).chain(batches) {
            let room = max_bytes - all.len();
            all.extend_from_slice(&batch.bytes[..batch.bytes.len().min(room)]);
            if all.len() == max_bytes {
                break;
            }
        }
        all.freeze()
    }

    /// How many bytes [`Log::read`] could give; stops counting at `enough`.
    pub fn bytes_available(&self, from: Offset, up_to: Offset, enough: usize) -> usize {
        if from >= up_to {
            return 0;
        }
        let mut total = 0;
        for batch in self.batches_from(from, up_to) {
            total += batch.bytes.len();
            if total >= enough {
                break;
            }
        }
        total
    }

    /// The first record below `up_to` whose timestamp is `timestamp_ms` or later.
    pub fn find_by_timestamp(&self, timestamp_ms: i64, up_to: Offset) -> Option<Found> {
        let mut batches = self
            .pages
            .batches_since(self.start, timestamp_ms)
            .take_while(|batch| batch.last_offset < up_to);
        let batch = batches.find(|batch| batch.max_timestamp_ms() >= timestamp_ms)?;
        let records = batch.open(&mut DECOMPRESSED_MAX.clone()).ok()?;
        let record = records
            .iter()
            .find(|record| record.timestamp_ms >= timestamp_ms && record.offset >= self.start)?;
        Some(Found {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            leader_epoch: batch.leader_epoch,
        })
    }

    /// The first record below `up_to` that no other's timestamp exceeds.
    pub fn find_latest_timestamp(&self, up_to: Offset) -> Option<Found> {
        let mut batches = self.pages.batches_since(self.start, i64::MIN);
        let latest = batches
            .by_ref()
            .take_while(|batch| batch.last_offset < up_to)
            .map(|batch| batch.max_timestamp_ms())
            .max()?;
        self.find_by_timestamp(latest, up_to)
    }

    /// The first offsets of its segments, oldest first.
    pub fn segment_bases(&self) -> impl DoubleEndedIterator<Item = Offset> {
        self.segments.iter().map(|segment| segment.base)
    }

    /// Where `epoch` ends in this log, by the rule since 2.0.
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> EpochEnd {
        self.epochs.end_offset_for(epoch, self.flushed_end())
    }

    /// Removes the log's files.
    pub fn delete(self, disk: &mut Disk<'_>) {
        for segment in &self.segments {
            disk.effects.disk(DiskRequest::Delete { file: segment.file.clone() });
        }
        disk.files.forget(disk.effects, &self.epoch_file);
        disk.flushing.retain(|_, owner| *owner != self.owner);
        disk.effects.disk(DiskRequest::Delete { file: self.epoch_file });
        disk.effects.disk(DiskRequest::FsyncDirectory);
    }
}
