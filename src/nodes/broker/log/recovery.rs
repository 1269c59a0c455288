//! Loading logs when a process starts: what the disk kept, up to the first thing that is not right.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::checkpoint::text_of;
use super::epochs::EpochCache;
use super::pages::LogPages;
use super::partition_log::{Disk, Log, Segment, segment_file};
use super::producers::Producers;
use crate::vocab::page::Piece;

use crate::vocab::step::{DiskImage, DiskRequest};
use crate::vocab::{LeaderEpoch, Offset, Rope};
use crate::wire::records::{Batch, BatchError};

/// What is known of a log before its segments are read.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Whether the last process ended cleanly: then nothing is checked.
    pub clean: bool,
    /// Segments that end at or below it are not checked (`recovery-point-offset-checkpoint`).
    pub recovery_point: Offset,
    /// From `log-start-offset-checkpoint`.
    pub start: Option<Offset>,
}

/// A log as loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The log.
    pub log: Log,
    /// Bytes that were cut because they were torn, damaged, or behind such.
    pub truncated_bytes: u64,
}

/// Reads the segments of a log, one after the other.
struct Reader {
    pages: LogPages,
    /// The leader epochs of the batches so far, each with its first offset.
    epochs: Vec<(LeaderEpoch, Offset)>,
    /// The producers of the batches so far.
    producers: Producers,
}

impl Reader {
    /// Whether `batch` is what has to come at `next`; notes its epoch then.
    fn accepts(&mut self, batch: &Batch, next: Offset, check: bool) -> bool {
        let right = batch.base_offset == next && (!check || batch.verify().is_ok());
        if right && self.epochs.last().is_none_or(|last| last.0 != batch.leader_epoch) {
            self.epochs.push((batch.leader_epoch, batch.base_offset));
        }
        if right {
            self.producers.note(batch);
        }
        right
    }

    /// The batches at the beginning of `bytes`, from offset `next` on, and why there are no more of them:
    /// `None` at the end, or before something that does not follow.
    fn batches(
        &mut self,
        bytes: &Bytes,
        mut next: Offset,
        check: bool,
    ) -> (Vec<Batch>, Option<BatchError>) {
        let (mut batches, mut rest) = (Vec::new(), bytes.clone());
        while !rest.is_empty() {
            let batch = match Batch::first(&rest) {
                Ok(batch) => batch,
                Err(error) => return (batches, Some(error)),
            };
            if !self.accepts(&batch, next, check) {
                return (batches, None);
            }
            next = batch.last_offset + 1;
            rest = rest.slice(batch.bytes.len()..);
            batches.push(batch);
        }
        (batches, None)
    }

    /// Reads a segment up to the first batch that is bad or does not follow. Returns whether all was right.
    ///
    /// A piece of whole batches is taken over as it is. Where batches reach from one piece into the next (a
    /// power loss left them so), they are copied to pages of their own.
    fn segment(&mut self, segment: &mut Segment, content: &Rope, check: bool) -> bool {
        self.pages.close();
        let (mut pieces, mut next) = (content.pieces().iter(), segment.base);
        let mut left = Bytes::new();
        while let Some(piece) = pieces.next() {
            let is_piece = left.is_empty();
            let bytes = if is_piece { piece.bytes() } else { join(&left, piece, &mut pieces) };
            let (batches, error) = self.batches(&bytes, next, check);
            let mut position = segment.bytes;
            let used: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
            segment.bytes += used as u64;
            if let Some(first) = batches.first() {
                segment.first_ms.get_or_insert(first.max_timestamp_ms());
            }
            next = batches.last().map_or(next, |batch| batch.last_offset + 1);
            if is_piece && used == bytes.len() {
                self.pages.adopt(piece.clone(), batches);
            } else {
                for batch in batches {
                    let size = batch.bytes.len() as u64;
                    self.pages.append(position, batch);
                    position += size;
                }
            }
            left = bytes.slice(used..);
            if !left.is_empty() && error != Some(BatchError::Incomplete) {
                return false;
            }
        }
        left.is_empty()
    }
}

/// `left`, `piece` and of `more` so much that it is at least twice as much as was left: a batch that announces
/// more than there is must not have everything behind it copied again for each piece.
fn join<'a>(left: &Bytes, piece: &Piece, mut more: impl Iterator<Item = &'a Piece>) -> Bytes {
    let mut joined = [left, &*piece.bytes()].concat();
    while joined.len() < 2 * left.len() {
        let Some(next) = more.next() else { break };
        joined.extend_from_slice(&next.bytes());
    }
    joined.into()
}

/// The segment files of a log by their base offsets.
fn segments_of<'a>(directory: &str, image: &'a DiskImage) -> BTreeMap<Offset, &'a Rope> {
    let prefix = format!("{directory}/");
    let files = image.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
    files
        .take_while(|(file, _)| file.starts_with(&prefix))
        .filter_map(|(file, content)| {
            let base = file[prefix.len()..].strip_suffix(".log")?.parse().ok()?;
            (base >= 0).then_some((base, content))
        })
        .collect()
}

impl Log {
    /// Loads the log in `directory`; `owner` as in [`Log::create`].
    pub fn load(
        disk: &mut Disk<'_>,
        owner: usize,
        directory: Arc<str>,
        image: &DiskImage,
        known: Known,
    ) -> Loaded {
        let files = segments_of(&directory, image);
        let bases: Vec<Offset> = files.keys().copied().collect();
        let mut segments: Vec<Segment> = Vec::with_capacity(files.len().max(1));
        let pages = LogPages::new(disk.effects.pages().clone());
        let mut reader = Reader { pages, epochs: Vec::new(), producers: Producers::default() };
        let (mut truncated_bytes, mut right) = (0, true);
        for (n, (&base, content)) in files.iter().enumerate() {
            let file = segment_file(&directory, base);
            let end = segments.first().map(|first| reader.pages.end().unwrap_or(first.base));
            if !right || end.is_some_and(|end| end != base) {
                truncated_bytes += content.byte_len();
                right = false;
                disk.effects.disk(DiskRequest::Delete { file });
                continue;
            }
            let below = bases.get(n + 1).is_some_and(|next| *next <= known.recovery_point);
            let mut segment = Segment::empty(base, file, disk.now);
            right = reader.segment(&mut segment, content, !known.clean && !below);
            let size = content.byte_len();
            if segment.bytes < size {
                truncated_bytes += size - segment.bytes;
                let (file, len) = (segment.file.clone(), segment.bytes);
                disk.effects.disk(DiskRequest::Truncate { file, len });
            }
            segments.push(segment);
        }
        if segments.is_empty() {
            segments.push(Segment::create(disk, &directory, known.start.unwrap_or(0).max(0)));
        }
        if !right {
            disk.effects.disk(DiskRequest::FsyncDirectory);
        }
        reader.pages.close();
        let mut log = Self::of(owner, directory, segments, reader.pages, disk.now);
        log.producers = reader.producers;
        let log = log.loaded(disk, image, known, &reader.epochs);
        Loaded { log, truncated_bytes }
    }

    /// Brings epochs, recovery point and log start in line with the segments.
    fn loaded(
        mut self,
        disk: &mut Disk<'_>,
        image: &DiskImage,
        known: Known,
        met: &[(LeaderEpoch, Offset)],
    ) -> Self {
        let text = text_of(image, self.epoch_file());
        let stored = text.and_then(|text| EpochCache::from_text(&text).ok());
        let mut epochs = stored.clone().unwrap_or_default();
        epochs.truncate_from_end(self.end);
        for (epoch, start) in met {
            epochs.assign(*epoch, *start);
        }
        self.epochs = epochs;
        if stored.unwrap_or_default() != self.epochs {
            self.save_epochs(disk);
        }
        self.recovery_point =
            if known.clean { self.end } else { known.recovery_point.clamp(self.start, self.end) };
        match known.start {
            Some(start) if start > self.end => self.truncate_fully_and_start_at(disk, start),
            Some(start) => {
                self.raise_start(disk, start);
            }
            None => {}
        }
        self
    }
}
