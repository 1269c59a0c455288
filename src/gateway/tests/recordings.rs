//! The file: what is written is read, and nothing else.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::scenario;
use crate::cluster::{ExternalListener, Inbound, Visitor};
use crate::gateway::recording::{Entry, Header, Recording, RecordingError, Writer, digest};
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
    Header { seed: Seed(42), plan: 0x5f0c, listeners: vec![at("b1", 9092), at("z1", 2181)] }
}

fn written() -> Vec<u8> {
    let (file, mut roster) = (Memory::default(), Roster::default());
    let (_, b1) = (roster.add("z1"), roster.add("b1"));
    let mut writer = Writer::new(Box::new(file.clone()), &header());
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

/// The text with its own checksum, so that what is wrong in it is found by reading it.
fn sealed(lines: &[&str]) -> Vec<u8> {
    let mut text = lines.join("\n");
    text.push('\n');
    let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
    format!("{text}checksum {hash:016x}\n").into_bytes()
}

#[test]
fn what_is_written_is_read() {
    let recording = Recording::parse(&written()).expect("it was just written");
    let entries = [
        (Time(5), Entry::Open(Visitor(1), "b1".into())),
        (Time(6), Entry::Bytes(Visitor(1), "hello".into())),
        (Time(7), Entry::Close(Visitor(1))),
    ];
    let whole = Recording { header: header(), entries: entries.into(), end: Time(9) };
    assert_eq!(recording, whole);
}

#[test]
fn a_recording_that_was_not_ended_ends_with_its_last_input() {
    let (file, mut roster) = (Memory::default(), Roster::default());
    let b1 = roster.add("b1");
    let mut writer = Writer::new(Box::new(file.clone()), &header());
    writer.add(Time(5), &Inbound::Open { visitor: Visitor(1), server: b1 }, &roster);
    drop(writer);
    let recording = Recording::parse(&file.bytes()).expect("a whole recording");
    assert_eq!((recording.entries.len(), recording.end), (1, Time(5)));
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_refused() {
    let whole = written();
    for length in 0..whole.len() {
        assert!(Recording::parse(&whole[..length]).is_err(), "cut to {length} bytes");
    }
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            assert!(Recording::parse(&changed).is_err(), "byte {at} changed");
        }
    }
}

#[test]
fn a_line_that_means_nothing_is_pointed_at() {
    let head = ["sim inbound 1", "seed 1", "plan 0f", "door b1 ::1 9"];
    for (line, why) in [
        ("7 open 1 b2", "line 5: `b2` does not listen"),
        ("7 bytes 1 AAAA", "line 5: connection 1 is not open"),
        ("7 open x b1", "line 5: `x` is not a number"),
        ("7 jump 1", "line 5: unknown line"),
        ("99999999999999999 end", "line 5: 99999999.999999s is later than any run lasts"),
        ("seed 1", "it was cut short: the line `checksum …` is missing"),
    ] {
        let error = Recording::parse(&sealed(&[&head[..], &[line]].concat())).expect_err(line);
        assert_eq!(error.to_string(), why);
    }
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
