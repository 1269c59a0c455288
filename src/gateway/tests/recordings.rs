//! The file: what is written is read, and nothing else.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::scenario;
use crate::cluster::{ExternalListener, Inbound, Outside, Visitor};
use crate::gateway::recording::{
    Entry, Header, Record, Recording, RecordingError, Writer, digest, framed,
};
use crate::run;
use crate::vocab::{Roster, Seed, Time};

/// A file in memory.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no test panicked here").clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes()).expect("text")
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panicked here").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn header() -> Header {
    let at = |server: &str, port| ExternalListener {
        server: server.into(),
        host: "127.0.0.1".into(),
        port,
    };
    let listeners = vec![at("b1", 9092), at("z1", 2181)];
    let outside = Outside { listeners, wall_epoch_ms: Some(1_764_510_000_000) };
    Header { seed: Seed(42), plan: 0x5f0c, outside }
}

pub fn record_to(file: &Memory, limit: u64) -> Record {
    let out = Box::new(file.clone());
    Record { out, path: "memory".into(), limit, is_full: Arc::default() }
}

fn written() -> Vec<u8> {
    let (file, mut roster) = (Memory::default(), Roster::default());
    let (_, b1) = (roster.add("z1"), roster.add("b1"));
    let mut writer = Writer::new(record_to(&file, 1 << 20), &header());
    let visitor = Visitor(1);
    let came = [
        Inbound::Open { visitor, server: b1 },
        Inbound::Bytes { visitor, bytes: "hello".into() },
        Inbound::Close { visitor },
    ];
    for (time, inbound) in (5..).zip(&came) {
        writer.add(Time(time), inbound, &roster);
    }
    writer.finish(Time(9)).expect("memory takes all");
    file.bytes()
}

/// The lines of a recording, each with its length and checksum.
fn sealed(lines: &[&str]) -> Vec<u8> {
    let (mut hash, mut text) = (Xxh3::new(), "sim inbound 2\n".to_owned());
    for line in lines {
        text.push_str(&framed(&mut hash, line));
        text.push('\n');
    }
    text.into()
}

#[test]
fn what_is_written_is_read() {
    let recording = Recording::parse(&written()).expect("it was just written");
    let entries = [
        (Time(5), Entry::Open(Visitor(1), "b1".into())),
        (Time(6), Entry::Bytes(Visitor(1), "hello".into())),
        (Time(7), Entry::Close(Visitor(1))),
    ];
    let whole =
        Recording { header: header(), entries: entries.into(), end: Time(9), is_cut_short: false };
    assert_eq!(recording, whole);
}

#[test]
fn a_recording_that_was_not_ended_ends_with_its_last_input() {
    let (file, mut roster) = (Memory::default(), Roster::default());
    let b1 = roster.add("b1");
    let mut writer = Writer::new(record_to(&file, 1 << 20), &header());
    writer.add(Time(5), &Inbound::Open { visitor: Visitor(1), server: b1 }, &roster);
    drop(writer);
    let recording = Recording::parse(&file.bytes()).expect("a whole recording");
    assert_eq!((recording.entries.len(), recording.end), (1, Time(5)));
}

#[test]
fn a_file_that_was_cut_is_played_as_far_as_it_reaches() {
    let whole = written();
    // The first line, the seed and the plan.
    let head = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2);
    let head = head.expect("more than three lines").0 + 1;
    let mut seen = Vec::new();
    for length in 0..whole.len() {
        let Ok(recording) = Recording::parse(&whole[..length]) else {
            assert!(length < head, "cut to {length} bytes");
            continue;
        };
        assert!(recording.is_cut_short && length >= head, "cut to {length} bytes");
        seen.push((recording.end, recording.entries.len()));
    }
    seen.dedup();
    // A connection that was open is closed where the file ends.
    assert_eq!(seen, [(Time::ZERO, 0), (Time(5), 2), (Time(6), 3), (Time(7), 3)]);
}

#[test]
fn a_file_that_was_changed_anywhere_is_refused() {
    let whole = written();
    // Without its last newline a line is incomplete, as in a file that was cut.
    for at in 0..whole.len() - 1 {
        for bit in [1, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            assert!(Recording::parse(&changed).is_err(), "byte {at} changed");
        }
    }
    let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 1..lines.len() - 1 {
        let without = [&lines[..at], &lines[at + 1..]].concat().concat();
        assert!(Recording::parse(&without).is_err(), "line {at} lost");
    }
}

#[test]
fn what_is_saved_is_in_the_file_before_it_ends() {
    let (file, mut roster) = (Memory::default(), Roster::default());
    let b1 = roster.add("b1");
    let record = record_to(&file, 1 << 20);
    let out = Box::new(std::io::BufWriter::with_capacity(1 << 16, record.out));
    let mut writer = Writer::new(Record { out, ..record }, &header());
    writer.add(Time(5), &Inbound::Open { visitor: Visitor(1), server: b1 }, &roster);
    assert!(file.bytes().is_empty(), "it is buffered");
    writer.save(Time(8)).expect("memory takes all");
    let recording = Recording::parse(&file.bytes()).expect("it can be played");
    assert_eq!((recording.entries.len(), recording.end), (2, Time(8)));
    assert!(recording.is_cut_short);
}

#[test]
fn a_recording_stops_at_its_limit_and_says_so() {
    let (file, mut roster) = (Memory::default(), Roster::default());
    let b1 = roster.add("b1");
    let mut writer = Writer::new(record_to(&file, 2_000), &header());
    let visitor = Visitor(1);
    writer.add(Time(5), &Inbound::Open { visitor, server: b1 }, &roster);
    for time in 6..100 {
        let bytes = Bytes::from_static(&[7; 50]);
        writer.add(Time(time), &Inbound::Bytes { visitor, bytes }, &roster);
    }
    assert!(writer.is_full());
    writer.finish(Time(100)).expect("memory takes all");
    assert!(file.bytes().len() <= 2_000, "{} bytes", file.bytes().len());
    let recording = Recording::parse(&file.bytes()).expect("it can be played");
    assert!(recording.is_cut_short && recording.entries.len() > 10);
    assert!(recording.end < Time(99), "{recording:?}");
}

/// A disk without room.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_named_when_the_recording_is_saved() {
    let record = Record { out: Box::new(Full), ..record_to(&Memory::default(), 1 << 20) };
    let error = Writer::new(record, &header()).save(Time(1)).expect_err("it has no room");
    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
    assert!(error.to_string().starts_with("cannot write memory: "), "{error}");
}

#[test]
fn a_line_that_means_nothing_is_pointed_at() {
    let head = ["seed 1", "plan 0f", "door b1 ::1 9"];
    for (line, why) in [
        ("7 open 1 b2", "line 5: `b2` does not listen"),
        ("7 bytes 1 AAAA", "line 5: connection 1 is not open"),
        ("7 open x b1", "line 5: `x` is not a number"),
        ("7 jump 1", "line 5: unknown line"),
        ("99999999999999999 end", "line 5: 99999999.999999s is later than any run lasts"),
    ] {
        let error = Recording::parse(&sealed(&[&head[..], &[line]].concat())).expect_err(line);
        assert_eq!(error.to_string(), why);
    }
    let short = Recording::parse(&sealed(&["seed 1"])).expect_err("no plan");
    assert_eq!(short, RecordingError::Short);
    let later = [&head[..], &["7 open 1 b1", "6 close 1", "8 end"]].concat();
    let error = Recording::parse(&sealed(&later)).expect_err("time");
    assert_eq!(error.to_string(), "line 6: time goes backwards");
    let twice = [&head[..], &["7 open 1 b1", "7 close 1", "7 open 1 b1", "8 end"]].concat();
    let error = Recording::parse(&sealed(&twice)).expect_err("twice");
    assert_eq!(error.to_string(), "line 7: connection 1 is opened twice");
    assert_eq!(Recording::parse(b"hello").expect_err("it is none"), RecordingError::Magic);
}

#[test]
fn a_recording_belongs_to_one_seed_and_one_scenario() {
    let plan = run::load(&scenario()).expect("the scenario is right").plan(Seed(42));
    let mut recording = Recording::parse(&written()).expect("it was just written");
    assert_eq!(recording.belongs_to(&plan), Err(RecordingError::Plan));
    recording.header.plan = digest(&plan);
    assert_eq!(recording.belongs_to(&plan), Ok(()));
    recording.header.seed = Seed(7);
    let other = RecordingError::Seed { recorded: 7, asked: 42 };
    assert_eq!(recording.belongs_to(&plan), Err(other));
}
