//! The log as a whole: appends, truncation, recovery, epochs, checkpoints.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::partition_log::segment_file;
use super::*;
use crate::nodes::Effects;
use crate::vocab::step::{DiskImage, Effect};
use crate::vocab::step::{DiskRequest, FileName};
use crate::vocab::{DiskOpId, LeaderEpoch, Offset, TopicPartition};
use crate::wire::records::Batch;
use crate::wire::records::BatchBuilder;

const FOREVER: LogSettings =
    LogSettings { segment_bytes: 1 << 30, segment_ms: i64::MAX, flush_messages: i64::MAX };

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// A batch of `count` records at `base`.
fn batch(base: Offset, count: i64, epoch: LeaderEpoch) -> Batch {
    let mut builder = BatchBuilder::new(base);
    for n in 0..count {
        builder.push(base + n, None, Some(format!("value {}", base + n).as_bytes()));
    }
    builder.build().stamped(base, epoch)
}

/// A disk that does every operation at once, and the log's world.
#[derive(Default)]
struct World {
    effects: Effects,
    files: AtomicFiles,
    image: DiskImage,
    fsyncs: Vec<DiskOpId>,
    flushing: BTreeMap<DiskOpId, usize>,
}

impl World {
    fn disk(&mut self) -> Disk<'_> {
        let Self { effects, files, flushing, .. } = self;
        Disk { now: crate::vocab::Time::ZERO, effects, files, flushing }
    }

    fn apply(&mut self) {
        let ops: Vec<_> = self.effects.drain().collect();
        for effect in ops {
            let Effect::Disk { op, request } = effect else { panic!("a log only uses the disk") };
            match request {
                DiskRequest::Append { file, bytes } => {
                    self.image.entry(file).or_default().append(bytes);
                }
                DiskRequest::Write { file, bytes } => {
                    self.image.insert(file, bytes.into());
                }
                DiskRequest::Truncate { file, len } => {
                    self.image.entry(file).or_default().truncate(len);
                }
                DiskRequest::Rename { from, to } => {
                    let pieces = self.image.remove(&from).expect("the file is there");
                    self.image.insert(to, pieces);
                }
                DiskRequest::Delete { file } => {
                    self.image.remove(&file);
                }
                DiskRequest::Fsync { .. } => self.fsyncs.push(op),
                DiskRequest::FsyncDirectory => {}
            }
        }
    }

    /// Ends fsyncs until none is under way.
    fn settle(&mut self, log: &mut Log) {
        self.apply();
        while let Some(op) = self.fsyncs.pop() {
            let known = log.on_disk_done(op);
            let file = self.files.on_disk_done(&mut self.effects, op);
            assert!(known || file);
            self.apply();
        }
    }

    fn load(&mut self, known: Known) -> Loaded {
        let image = self.image.clone();
        let loaded = Log::load(&mut self.disk(), 0, directory_of(&at()), &image, known);
        self.apply();
        loaded
    }
}

const CRASHED: Known = Known { clean: false, recovery_point: 0, start: None };

fn filled(world: &mut World, settings: LogSettings) -> Log {
    let mut log = Log::create(&mut world.disk(), 0, &at());
    for (base, count, epoch) in [(0, 3, 1), (3, 1, 1), (4, 2, 3), (6, 4, 3), (10, 1, 4)] {
        log.append(&mut world.disk(), settings, batch(base, count, epoch));
    }
    world.settle(&mut log);
    log
}

/// What of a log has to survive a restart.
fn content(log: &Log) -> (Vec<Batch>, Offset, EpochCache) {
    (log.batches().map(Cow::into_owned).collect(), log.end(), log.epochs().clone())
}

fn small() -> LogSettings {
    LogSettings { segment_bytes: batch(0, 3, 1).bytes.len() as u64 + 10, ..FOREVER }
}

#[test]
fn folders_are_named_after_partitions() {
    assert_eq!(partition_of(&directory_of(&at())), Some(at()));
    assert_eq!(partition_of("a-b-12"), Some(TopicPartition::new("a-b", 12)));
    for other in ["orders", "orders-x", "-1", "orders-", "orders-01", "orders-0.1-delete"] {
        assert_eq!(partition_of(other), None, "{other}");
    }
}

#[test]
fn reads_give_batches_up_to_a_bound_and_cut_the_last() {
    use FirstBatch::{Cut, IfItFits, Whole};
    for settings in [FOREVER, small()] {
        let log = filled(&mut World::default(), settings);
        let bases = |from, up_to, max, one| -> Vec<Offset> {
            let read = log.read(from, up_to, max, one);
            Batch::all(&read).map(|batch| batch.unwrap().base_offset).collect()
        };
        assert_eq!(bases(0, 11, usize::MAX, IfItFits), [0, 3, 4, 6, 10]);
        assert_eq!(bases(4, 11, usize::MAX, IfItFits), [4, 6, 10]);
        assert_eq!(bases(5, 10, usize::MAX, IfItFits), [4, 6], "the batch that holds the offset");
        assert_eq!(bases(6, 9, usize::MAX, IfItFits), [] as [Offset; 0], "no part of a batch");
        assert_eq!(bases(0, 11, 1, Whole), [0]);
        assert_eq!(bases(0, 11, 1, IfItFits), [] as [Offset; 0]);
        let one = batch(0, 3, 1).bytes.len();
        let two = one + batch(3, 1, 1).bytes.len();
        assert_eq!(bases(0, 11, two, IfItFits), [0, 3]);
        assert_eq!(bases(11, 11, 100, Whole), [] as [Offset; 0]);
        assert_eq!(log.bytes_available(0, 4, usize::MAX), two);
        let lengths = |max| [Whole, IfItFits, Cut].map(|first| log.read(0, 11, max, first).len());
        assert_eq!(lengths(1), [one, 0, 1], "one byte");
        assert_eq!(lengths(one), [one; 3], "one batch");
        assert_eq!(lengths(two - 1), [two - 1; 3], "the second batch is cut");
    }
}

#[test]
fn one_batch_is_read_without_a_copy() {
    let log = filled(&mut World::default(), FOREVER);
    let stored = log.batches().nth(1).unwrap().bytes.clone();
    assert_eq!(log.read(3, 4, 1000, FirstBatch::Whole).as_ptr(), stored.as_ptr());
}

#[test]
fn a_log_is_the_same_after_a_crash_that_tore_nothing() {
    for settings in [FOREVER, small()] {
        for clean in [false, true] {
            let mut world = World::default();
            let log = filled(&mut world, settings);
            let loaded = world.load(Known { clean, ..CRASHED });
            assert_eq!(content(&loaded.log), content(&log));
            assert_eq!(loaded.truncated_bytes, 0);
        }
    }
}

#[test]
fn a_torn_tail_is_cut_wherever_it_tore() {
    let (mut world, mut lengths) = (World::default(), vec![0u64]);
    let log = filled(&mut world, FOREVER);
    for batch in log.batches() {
        lengths.push(lengths.last().unwrap() + batch.bytes.len() as u64);
    }
    let file: FileName = segment_file("orders-0", 0);
    let whole = world.image[&file].bytes();
    for length in 0..=whole.len() {
        let mut torn = World { image: world.image.clone(), ..World::default() };
        torn.image.insert(file.clone(), whole.slice(..length).into());
        let loaded = torn.load(CRASHED);
        let left = lengths.partition_point(|l| *l <= length as u64) - 1;
        assert_eq!(loaded.log.batches().count(), left, "{length} bytes");
        assert_eq!(loaded.truncated_bytes, length as u64 - lengths[left]);
        assert_eq!(torn.image[&file].byte_len(), lengths[left]);
        let epochs = loaded.log.epochs().latest();
        assert_eq!(epochs, loaded.log.batches().last().map(|batch| batch.leader_epoch));
    }
}

#[test]
fn damage_is_found_behind_the_recovery_point_and_ends_the_log() {
    let mut world = World::default();
    let settings = small();
    filled(&mut world, settings);
    let files: Vec<FileName> =
        world.image.keys().filter(|f| f.ends_with(".log")).cloned().collect();
    assert!(files.len() >= 3);
    let mut bytes = world.image[&files[1]].flatten(0);
    *bytes.last_mut().unwrap() ^= 1;
    world.image.insert(files[1].clone(), bytes.into());
    let mut trusting = World { image: world.image.clone(), ..World::default() };
    let known = Known { recovery_point: 10, ..CRASHED };
    assert_eq!(trusting.load(known).truncated_bytes, 0, "below the recovery point");
    let loaded = world.load(CRASHED);
    assert!(loaded.truncated_bytes > 0);
    assert!(loaded.log.end() <= 6);
    assert_eq!(world.image.keys().filter(|f| f.ends_with(".log")).count(), 2, "later ones go");
}

#[test]
fn a_missing_segment_ends_the_log() {
    let mut world = World::default();
    filled(&mut world, small());
    let second = world.image.keys().filter(|f| f.ends_with(".log")).nth(1).cloned().unwrap();
    world.image.remove(&second);
    let loaded = world.load(CRASHED);
    assert_eq!(loaded.log.batches().count(), 1);
    assert!(loaded.truncated_bytes > 0);
}

#[test]
fn truncation_cuts_batches_and_epochs_in_memory_and_on_disk() {
    let cases = [(11, 11, false), (10, 10, true), (7, 6, true), (6, 6, true), (4, 4, true)];
    for settings in [FOREVER, small()] {
        for (target, end, cut) in cases.into_iter().chain([(1, 0, true), (0, 0, true)]) {
            let mut world = World::default();
            let mut log = filled(&mut world, settings);
            assert_eq!(log.truncate_to(&mut world.disk(), target), cut);
            assert_eq!(log.end(), end, "target {target}");
            assert!(log.epochs().entries().iter().all(|entry| entry.1 < end));
            log.append(&mut world.disk(), settings, batch(end, 2, 9));
            world.settle(&mut log);
            assert_eq!(content(&world.load(CRASHED).log), content(&log));
        }
    }
}

#[test]
fn an_empty_epoch_at_the_end_is_trimmed_though_no_record_is() {
    let mut world = World::default();
    let mut log = filled(&mut world, FOREVER);
    log.assign_epoch(&mut world.disk(), 8);
    assert_eq!(log.epochs().latest(), Some(8));
    assert!(!log.truncate_to(&mut world.disk(), 11));
    assert_eq!(log.epochs().latest(), Some(4));
}

#[test]
fn an_append_that_has_to_be_flushed_is_not_settled_before() {
    let mut world = World::default();
    let settings = LogSettings { flush_messages: 1, ..FOREVER };
    let mut log = Log::create(&mut world.disk(), 0, &at());
    log.append(&mut world.disk(), settings, batch(0, 3, 1));
    log.append(&mut world.disk(), settings, batch(3, 1, 1));
    assert_eq!((log.end(), log.flushed_end(), log.recovery_point()), (4, 0, 0));
    world.apply();
    let ops: Vec<_> = std::mem::take(&mut world.fsyncs);
    let mine: Vec<_> = ops.into_iter().filter(|op| log.on_disk_done(*op)).collect();
    assert_eq!(mine.len(), 2);
    assert_eq!((log.flushed_end(), log.recovery_point()), (4, 4));
}

#[test]
fn a_log_that_starts_again_elsewhere_survives() {
    let mut world = World::default();
    let mut log = filled(&mut world, small());
    log.truncate_fully_and_start_at(&mut world.disk(), 100);
    log.append(&mut world.disk(), FOREVER, batch(100, 2, 9));
    world.settle(&mut log);
    let loaded = world.load(CRASHED);
    assert_eq!((loaded.log.start(), loaded.log.end()), (100, 102));
    assert_eq!(content(&loaded.log), content(&log));
}

#[test]
fn a_record_is_found_by_its_timestamp() {
    let log = filled(&mut World::default(), FOREVER);
    let found = log.find_by_timestamp(5, 11).unwrap();
    assert_eq!((found.offset, found.timestamp_ms, found.leader_epoch), (5, 5, 3));
    assert_eq!(log.find_by_timestamp(99, 11), None);
    assert_eq!(log.find_by_timestamp(10, 10), None, "not below the bound");
}

#[path = "cold_tests.rs"]
mod cold;

/// A batch of one record with a timestamp.
fn timed(base: Offset, timestamp_ms: i64) -> Batch {
    let mut builder = BatchBuilder::new(timestamp_ms);
    builder.push(timestamp_ms, None, Some(b"value"));
    builder.build().stamped(base, 1)
}

/// A log with a record at each of these times.
fn at_times(world: &mut World, settings: LogSettings, times: &[i64]) -> Log {
    let mut log = Log::create(&mut world.disk(), 0, &at());
    for (base, timestamp_ms) in (0..).zip(times) {
        log.append(&mut world.disk(), settings, timed(base, *timestamp_ms));
    }
    world.settle(&mut log);
    log
}

fn bases(log: &Log) -> Vec<Offset> {
    log.segment_bases().collect()
}

#[test]
fn a_segment_begins_when_the_last_one_is_old() {
    // `LogSegment.shouldRoll`: by the times of batches, from the first of the segment on.
    let settings = LogSettings { segment_ms: 1_000, ..FOREVER };
    let times = [5_000, 5_500, 6_001, 7_001, 7_002, 1];
    let log = at_times(&mut World::default(), settings, &times);
    assert_eq!(bases(&log), [0, 2, 4]);
    // Records without a time: the clock stands still here.
    assert_eq!(bases(&at_times(&mut World::default(), settings, &[-1, -1])), [0]);
}

const EACH: LogSettings = LogSettings { segment_bytes: 1, ..FOREVER };

#[test]
fn old_segments_are_deleted_up_to_the_high_watermark() {
    // `Log.deleteOldSegments`, the same in all releases as far as what goes.
    let keep = |ms| Retention { bytes: -1, ms };
    let times = [100, 200, 300, 400];
    for (times, ms, high_watermark, start, left) in [
        (times, 750, 4, 2, vec![2, 3]),
        (times, 750, 1, 1, vec![1, 2, 3]),
        (times, 900, 4, 0, vec![0, 1, 2, 3]),
        (times, -1, 4, 0, vec![0, 1, 2, 3]),
        // What is young keeps what is behind it.
        ([100, 900, 100, 100], 500, 4, 1, vec![1, 2, 3]),
        // An empty segment is left, and stays.
        (times, 0, 4, 4, vec![4]),
    ] {
        let mut world = World::default();
        let mut log = at_times(&mut world, EACH, &times);
        let went = log.delete_old(&mut world.disk(), keep(ms), 1_000, high_watermark);
        assert_eq!((went, log.start(), bases(&log)), (start > 0, start, left), "{ms} ms");
        assert!(!log.delete_old(&mut world.disk(), keep(ms), 1_000, high_watermark), "{ms} ms");
        assert_eq!(log.end(), 4);
        world.settle(&mut log);
        let kept = world.image.keys().filter(|file| file.ends_with(".log")).count();
        assert_eq!(kept, log.segment_bases().count(), "files go with their segments");
    }
}

#[test]
fn segments_are_deleted_while_the_log_is_too_large_without_them() {
    let size = timed(0, 100).bytes.len() as i64;
    for (bytes, start) in [(-1, 0), (4 * size, 0), (2 * size + 1, 1), (2 * size, 2), (0, 4)] {
        let mut world = World::default();
        let mut log = at_times(&mut world, EACH, &[100, 200, 300, 400]);
        let retention = Retention { bytes, ms: -1 };
        log.delete_old(&mut world.disk(), retention, 1_000, 4);
        assert_eq!(log.start(), start, "{bytes} bytes");
    }
}
