//! A log of many pages does what a log does that keeps every batch at hand: cut, read, found, loaded.

use super::*;
use crate::vocab::page::PAGE_BYTES;

/// So many batches: pages enough that most are cold, and the last is not full.
const BATCHES: i64 = 400;

/// Batches of 1 or 2 records and a different size each; epochs change along the way.
fn batches() -> Vec<Batch> {
    let mut base = 0;
    let batch = |number: i64| {
        let count = 1 + number % 2;
        let mut builder = BatchBuilder::new(base);
        for n in 0..count {
            let value = format!("{:.<1$}", base + n, 100 + (number * 37 % 400) as usize);
            builder.push(base + n, None, Some(value.as_bytes()));
        }
        let epoch = (number / 150) as LeaderEpoch;
        let batch = builder.build().stamped(base, epoch);
        base += count;
        batch
    };
    (0..BATCHES).map(batch).collect()
}

/// Segments of several pages each.
const SEGMENTS: LogSettings = LogSettings {
    segment_bytes: 5 * PAGE_BYTES as u64,
    segment_ms: i64::MAX,
    flush_messages: i64::MAX,
};

fn long(world: &mut World, settings: LogSettings, batches: &[Batch]) -> Log {
    let mut log = Log::create(&mut world.disk(), 0, &at());
    for batch in batches {
        log.append(&mut world.disk(), settings, batch.clone());
    }
    world.settle(&mut log);
    log
}

fn both(check: impl Fn(LogSettings, &[Batch])) {
    let batches = batches();
    for settings in [FOREVER, SEGMENTS] {
        check(settings, &batches);
    }
}

/// The same bytes through every way in which they are read.
fn assert_holds(log: &Log, batches: &[Batch]) {
    assert_eq!(log.batches().map(Cow::into_owned).collect::<Vec<_>>(), batches);
    let end = batches.last().map_or(0, |batch| batch.last_offset + 1);
    assert_eq!((log.end(), log.pages.end().unwrap_or(0)), (end, end));
    let from = log.start().max(end / 2);
    let behind = batches.iter().filter(|batch| batch.last_offset >= from);
    let bytes: Vec<u8> = behind.flat_map(|batch| batch.bytes.to_vec()).collect();
    assert_eq!(log.read(from, end, usize::MAX, FirstBatch::IfItFits), bytes);
}

/// What is on the disk is what is in memory, piece for piece on the same pages.
fn assert_is_on_disk(world: &World, log: &Log) {
    let files = world.image.iter().filter(|(name, _)| name.ends_with(".log"));
    let bytes: Vec<u8> = files.flat_map(|(_, content)| content.flatten(0)).collect();
    let own: Vec<u8> = log.batches().flat_map(|batch| batch.bytes.to_vec()).collect();
    assert!(bytes == own);
}

#[test]
fn all_but_the_last_stretches_are_cold_and_shared_with_the_disk() {
    both(|settings, batches| {
        let mut world = World::default();
        let log = long(&mut world, settings, batches);
        let (cold, all) = log.pages.cold_of();
        assert_eq!(cold, all - pages::WARM_PAGES);
        assert!(cold >= 4, "{cold} cold pages");
        assert_holds(&log, batches);
        assert_is_on_disk(&world, &log);
        let pieces: usize = world
            .image
            .iter()
            .filter(|(name, _)| name.ends_with(".log"))
            .map(|(_, content)| content.pieces().len())
            .sum();
        assert_eq!(pieces, all, "one entry for each page");
        assert_eq!(world.effects.pages().packed_count(), cold);
    });
}

#[test]
fn replicas_share_their_pages_even_when_one_started_again() {
    both(|settings, batches| {
        let mut world = World::default();
        let leader = long(&mut world, settings, batches);
        let cold = world.effects.pages().packed_count();
        let mut follower = World { effects: world.effects, ..World::default() };
        let (first, rest) = batches.split_at(155);
        long(&mut follower, settings, first);
        let mut log = follower.load(CRASHED).log;
        for batch in rest {
            log.append(&mut follower.disk(), settings, batch.clone());
        }
        follower.settle(&mut log);
        assert_holds(&log, batches);
        let own = follower.effects.pages().packed_count() - cold;
        assert!(own <= 2, "{own} pages for the one in which it was interrupted");
        assert_holds(&leader, batches);
    });
}

#[test]
fn a_cut_into_cold_stretches_leaves_what_lies_before_it() {
    both(|settings, batches| {
        let end = batches.last().unwrap().last_offset + 1;
        for target in (0..end).step_by(41).chain([1, 2, end - 1]) {
            let mut world = World::default();
            let mut log = long(&mut world, settings, batches);
            assert!(log.truncate_to(&mut world.disk(), target));
            let kept = batches.partition_point(|batch| batch.last_offset < target);
            assert_holds(&log, &batches[..kept]);
            for batch in &batches[kept..] {
                log.append(&mut world.disk(), settings, batch.clone());
            }
            world.settle(&mut log);
            assert_holds(&log, batches);
            assert_is_on_disk(&world, &log);
            let (cold, all) = log.pages.cold_of();
            assert!(cold + pages::WARM_PAGES >= all, "cold again: {cold} of {all}");
            assert_eq!(content(&world.load(CRASHED).log), content(&log));
        }
    });
}

#[test]
fn a_long_log_is_loaded_whole_and_stays_cold() {
    both(|settings, batches| {
        let mut world = World::default();
        let log = long(&mut world, settings, batches);
        let packed = world.effects.pages().packed_count();
        let loaded = world.load(CRASHED);
        assert_eq!(loaded.truncated_bytes, 0);
        assert_eq!(content(&loaded.log), content(&log));
        assert_eq!(loaded.log.pages.cold_of(), log.pages.cold_of());
        assert_eq!(world.effects.pages().packed_count(), packed, "no second copy");
    });
}

#[test]
fn a_long_log_that_a_power_loss_left_in_other_pieces_is_loaded_up_to_where_it_tore() {
    let batches = batches();
    let mut world = World::default();
    long(&mut world, FOREVER, &batches);
    let file: FileName = segment_file("orders-0", 0);
    let whole = world.image[&file].clone();
    let clean = 2 * PAGE_BYTES + 1_234;
    for length in (0..=whole.byte_len() as usize).step_by(7_919) {
        let bytes = whole.flatten(0);
        let mut left = whole.clone();
        left.truncate(clean as u64);
        for torn in bytes[clean.min(length)..length].chunks(PAGE_BYTES) {
            left.append(torn.to_vec().into());
        }
        left.truncate(length as u64);
        let mut torn = World { image: world.image.clone(), ..World::default() };
        torn.image.insert(file.clone(), left);
        let mut log = torn.load(CRASHED).log;
        let sizes = batches.iter().scan(0, |sum, batch| {
            *sum += batch.bytes.len();
            Some(*sum)
        });
        let kept = sizes.take_while(|end| *end <= length).count();
        assert_holds(&log, &batches[..kept]);
        for batch in &batches[kept..] {
            log.append(&mut torn.disk(), FOREVER, batch.clone());
        }
        torn.settle(&mut log);
        assert_holds(&log, &batches);
        assert_is_on_disk(&torn, &log);
    }
}

#[test]
fn damage_in_a_cold_page_ends_the_log_there() {
    let batches = batches();
    let mut world = World::default();
    long(&mut world, FOREVER, &batches);
    let file: FileName = segment_file("orders-0", 0);
    let mut bytes = world.image[&file].flatten(0);
    bytes[PAGE_BYTES + 5_000] ^= 1;
    world.image.insert(file, bytes.into());
    let loaded = world.load(CRASHED);
    let kept = loaded.log.batches().count();
    assert!(kept > 0 && loaded.truncated_bytes > 0);
    assert_holds(&loaded.log, &batches[..kept]);
    let sizes: usize = batches[..=kept].iter().map(|batch| batch.bytes.len()).sum();
    assert!(sizes > PAGE_BYTES + 5_000, "up to the damage");
}

#[test]
fn a_raised_start_drops_the_stretches_of_the_segments_that_go() {
    let batches = batches();
    let mut world = World::default();
    let mut log = long(&mut world, SEGMENTS, &batches);
    let (_, all) = log.pages.cold_of();
    let middle = batches[200].base_offset;
    assert!(log.raise_start(&mut world.disk(), middle));
    world.settle(&mut log);
    let (_, left) = log.pages.cold_of();
    assert!(left < all && left > 4);
    let first = log.segments[0].base;
    let kept = batches.partition_point(|batch| batch.base_offset < first);
    assert_holds(&log, &batches[kept..]);
    assert_eq!(log.first_batch().unwrap().base_offset, middle);
    assert_is_on_disk(&world, &log);
    let end = log.end();
    assert!(log.raise_start(&mut world.disk(), end));
    log.append(&mut world.disk(), SEGMENTS, batch(end, 1, 9));
    assert_eq!(log.first_batch().unwrap().base_offset, end);
}

#[test]
fn a_reader_from_the_beginning_gets_every_batch_however_little_it_takes() {
    both(|settings, batches| {
        let mut world = World::default();
        let log = long(&mut world, settings, batches);
        for max_bytes in [1, 1_000, 3 * PAGE_BYTES] {
            let (mut from, mut seen) = (0, Vec::new());
            while from < log.end() {
                let available = log.bytes_available(from, log.end(), max_bytes);
                let bytes = log.read(from, log.end(), max_bytes, FirstBatch::Whole);
                assert!(available >= bytes.len().min(max_bytes));
                seen.extend(Batch::all(&bytes).map(Result::unwrap));
                from = seen.last().unwrap().last_offset + 1;
            }
            assert_eq!(seen, batches);
        }
        let (cold, all) = log.pages.cold_of();
        assert_eq!(cold, all - pages::WARM_PAGES, "reading warms nothing");
    });
}

#[test]
fn a_record_is_found_by_its_timestamp_in_cold_stretches() {
    both(|settings, batches| {
        let mut world = World::default();
        let mut log = long(&mut world, settings, batches);
        let end = log.end();
        let check = |log: &Log, start: Offset| {
            for wanted in (0..end).step_by(17) {
                let found = log.find_by_timestamp(wanted, end).unwrap();
                assert_eq!(found.offset, wanted.max(start));
                assert_eq!(log.find_by_timestamp(wanted, wanted), None, "not below the bound");
            }
            assert_eq!(log.find_by_timestamp(end, end), None);
        };
        check(&log, 0);
        log.raise_start(&mut world.disk(), 101);
        check(&log, 101);
    });
}
