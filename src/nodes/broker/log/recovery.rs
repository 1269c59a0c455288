//! Loading logs when a process starts: what the disk kept, up to the first thing that is not right.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::checkpoint::text_of;
use super::{Disk, EpochCache, Log, Segment, segment_file};
use crate::vocab::Offset;
use crate::vocab::step::{DiskImage, DiskRequest};
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

/// Batches out of pieces; a piece is a batch as it was written, unless something tore it.
struct Pieces<'a> {
    current: Bytes,
    rest: std::slice::Iter<'a, Bytes>,
}

impl<'a> Pieces<'a> {
    fn new(pieces: &'a [Bytes]) -> Self {
        Self { current: Bytes::new(), rest: pieces.iter() }
    }

    fn next(&mut self) -> Option<Result<Batch, BatchError>> {
        while self.current.is_empty() {
            self.current = self.rest.next()?.clone();
        }
        let mut batch = Batch::first(&self.current);
        if batch == Err(BatchError::Incomplete) && self.rest.len() > 0 {
            let mut whole = self.current.to_vec();
            for piece in self.rest.by_ref() {
                whole.extend_from_slice(piece);
            }
            self.current = whole.into();
            batch = Batch::first(&self.current);
        }
        if let Ok(batch) = &batch {
            self.current = self.current.slice(batch.bytes.len()..);
        }
        Some(batch)
    }
}

/// Reads a segment up to the first batch that is bad or does not follow. Returns whether all was right.
fn read_segment(segment: &mut Segment, pieces: &[Bytes], check: bool) -> bool {
    let mut pieces = Pieces::new(pieces);
    let mut next = segment.base;
    while let Some(batch) = pieces.next() {
        let right = match &batch {
            Ok(batch) => batch.base_offset == next && (!check || batch.verify().is_ok()),
            Err(_) => false,
        };
        let Ok(batch) = batch else { return false };
        if !right {
            return false;
        }
        next = batch.last_offset + 1;
        segment.bytes += batch.bytes.len() as u64;
        segment.batches.push(batch);
    }
    true
}

/// The segment files of a log: base offset to pieces.
fn segments_of<'a>(directory: &str, image: &'a DiskImage) -> BTreeMap<Offset, &'a [Bytes]> {
    let prefix = format!("{directory}/");
    let files = image.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
    files
        .take_while(|(file, _)| file.starts_with(&prefix))
        .filter_map(|(file, pieces)| {
            let base = file[prefix.len()..].strip_suffix(".log")?.parse().ok()?;
            (base >= 0).then_some((base, pieces.as_slice()))
        })
        .collect()
}

fn size_of(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
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
        let (mut truncated_bytes, mut right) = (0, true);
        for (n, (&base, pieces)) in files.iter().enumerate() {
            let file = segment_file(&directory, base);
            let follows = segments.last().is_none_or(|last| end_of(last) == base);
            if !right || !follows {
                truncated_bytes += size_of(pieces);
                right = false;
                disk.effects.disk(DiskRequest::Delete { file });
                continue;
            }
            let below = bases.get(n + 1).is_some_and(|next| *next <= known.recovery_point);
            let mut segment = Segment { base, file, bytes: 0, batches: Vec::new() };
            right = read_segment(&mut segment, pieces, !known.clean && !below);
            let size = size_of(pieces);
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
        let log = Self::loaded(disk, (owner, directory), image, known, segments);
        Loaded { log, truncated_bytes }
    }

    fn loaded(
        disk: &mut Disk<'_>,
        (owner, directory): (usize, Arc<str>),
        image: &DiskImage,
        known: Known,
        segments: Vec<Segment>,
    ) -> Self {
        let end = segments.last().map_or(0, end_of);
        let mut log = Self::of(owner, directory, segments);
        log.end = end;
        let text = text_of(image, &log.epoch_file);
        let stored = text.and_then(|text| EpochCache::from_text(&text).ok());
        let mut epochs = stored.clone().unwrap_or_default();
        epochs.truncate_from_end(end);
        for batch in log.segments.iter().flat_map(|segment| &segment.batches) {
            epochs.assign(batch.leader_epoch, batch.base_offset);
        }
        log.epochs = epochs;
        if stored.unwrap_or_default() != log.epochs {
            log.save_epochs(disk);
        }
        log.recovery_point =
            if known.clean { end } else { known.recovery_point.clamp(log.start, end) };
        match known.start {
            Some(start) if start > end => log.truncate_fully_and_start_at(disk, start),
            Some(start) => {
                log.raise_start(disk, start);
            }
            None => {}
        }
        log
    }
}

fn end_of(segment: &Segment) -> Offset {
    segment.batches.last().map_or(segment.base, |batch| batch.last_offset + 1)
}
