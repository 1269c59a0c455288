//! The fingerprint: one number that two runs share only if they were the same, event by event.
//!
//! # Encoding
//!
//! An event is encoded as its tag (one byte), its time (8 bytes, nanoseconds), its node (2 bytes, all ones
//! for none) and its fields in the order in which [`EventKind`] declares them: numbers little-endian at
//! their full width, a text or list behind its length (4 bytes), observations and facts as postcard
//! encodes them. The state is the XXH3 hash of each event's encoding, seeded with the state before it.
//! Whatever changes the encoding changes [`VERSION`], as stored fingerprints mean nothing any more.

use std::fmt;

use serde::Serialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::event::{DiskOp, Event, EventKind, Life};
use crate::vocab::NodeId;
use crate::vocab::step::Closed;

/// Names the encoding; the state of a fingerprint of no event is its hash.
pub const VERSION: &str = "kafka-sim history 1";

/// The hash over all events of a run, as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Fingerprint(pub u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(xxh3_64(VERSION.as_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    /// 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// Folds events into a [`Fingerprint`], using one buffer for all of them.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    state: Fingerprint,
    encoding: Vec<u8>,
}

impl Hasher {
    /// Folds `event` in.
    pub fn add(&mut self, event: &Event<'_>) {
        self.encoding.clear();
        encode(event, &mut self.encoding);
        self.state.0 = xxh3_64_with_seed(&self.encoding, self.state.0);
    }

    /// The fingerprint of the events so far.
    pub fn fingerprint(&self) -> Fingerprint {
        self.state
    }
}

/// Appends the stable encoding of `event` to `out`.
pub fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    out.push(tag(&event.kind));
    number(out, event.time.0);
    out.extend_from_slice(&event.node.map_or(u16::MAX, |node| node.0).to_le_bytes());
    match event.kind {
        EventKind::Life(_) => {}
        EventKind::Fault { text: fault, targets } => {
            text(out, fault);
            length(out, targets.len());
            targets.iter().for_each(|&target| node(out, target));
        }
        EventKind::Connecting { conn, to: peer }
        | EventKind::Opened { conn, peer }
        | EventKind::Accepted { conn, peer } => {
            number(out, conn.0);
            node(out, peer);
        }
        EventKind::Closing { conn } => number(out, conn.0),
        EventKind::Delivered { conn, from, len, bytes_hash } => {
            number(out, conn.0);
            node(out, from);
            number(out, len);
            number(out, bytes_hash);
        }
        EventKind::Closed { conn, peer, why } => {
            number(out, conn.0);
            node(out, peer);
            out.push(match why {
                Closed::Refused => 0,
                Closed::Eof => 1,
                Closed::Reset => 2,
            });
        }
        EventKind::Timer { token } => number(out, token),
        EventKind::Disk { op, request } => {
            number(out, op.0);
            disk(out, request);
        }
        EventKind::DiskDone { op } => number(out, op.0),
        EventKind::Observed(observation) => postcard(out, observation),
        EventKind::Fact(fact) => postcard(out, fact),
    }
}

fn tag(kind: &EventKind<'_>) -> u8 {
    match kind {
        EventKind::Life(life) => match life {
            Life::Started => 0,
            Life::ShutdownAsked => 1,
            Life::Exited => 2,
            Life::Crashed => 3,
            Life::PowerLost => 4,
            Life::Paused => 5,
            Life::Resumed => 6,
        },
        EventKind::Fault { .. } => 16,
        EventKind::Opened { .. } => 17,
        EventKind::Accepted { .. } => 18,
        EventKind::Delivered { .. } => 19,
        EventKind::Closed { .. } => 20,
        EventKind::Timer { .. } => 21,
        EventKind::Disk { .. } => 22,
        EventKind::DiskDone { .. } => 23,
        EventKind::Observed(_) => 24,
        EventKind::Fact(_) => 25,
        EventKind::Connecting { .. } => 26,
        EventKind::Closing { .. } => 27,
    }
}

fn disk(out: &mut Vec<u8>, op: DiskOp<'_>) {
    match op {
        DiskOp::Append { file, len } => file_and_len(out, 0, file, len),
        DiskOp::Write { file, len } => file_and_len(out, 1, file, len),
        DiskOp::Truncate { file, len } => file_and_len(out, 2, file, len),
        DiskOp::Rename { from, to } => {
            out.push(3);
            text(out, from);
            text(out, to);
        }
        DiskOp::Delete { file } => {
            out.push(4);
            text(out, file);
        }
        DiskOp::Fsync { file } => {
            out.push(5);
            text(out, file);
        }
        DiskOp::FsyncDirectory => out.push(6),
    }
}

fn file_and_len(out: &mut Vec<u8>, tag: u8, file: &str, len: u64) {
    out.push(tag);
    text(out, file);
    number(out, len);
}

fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn node(out: &mut Vec<u8>, node: NodeId) {
    out.extend_from_slice(&node.0.to_le_bytes());
}

fn length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("texts and lists of events are short");
    out.extend_from_slice(&length.to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Encodes into the buffer as a slice: postcard's way through `Extend` goes byte by byte.
fn postcard<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    let mut room = 256;
    loop {
        out.resize(start + room, 0);
        match postcard::to_slice(value, &mut out[start..]) {
            Ok(used) => {
                let end = start + used.len();
                out.truncate(end);
                return;
            }
            Err(postcard::Error::SerializeBufferFull) => room *= 2,
            Err(error) => unreachable!("plain data encodes into any buffer: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::history::{BrokerObservation, Call, ClientObservation, Fact, Observation, Outcome};
    use crate::vocab::{BrokerId, ConnId, DiskOpId, Time, TopicPartition};

    fn fingerprint(event: &Event<'_>) -> Fingerprint {
        let mut hasher = Hasher::default();
        hasher.add(event);
        hasher.fingerprint()
    }

    fn kinds() -> Vec<EventKind<'static>> {
        const NODES: &[NodeId] = &[NodeId(0), NodeId(1)];
        let life = [
            Life::Started,
            Life::ShutdownAsked,
            Life::Exited,
            Life::Crashed,
            Life::PowerLost,
            Life::Paused,
            Life::Resumed,
        ];
        let disk = [
            DiskOp::Append { file: "a", len: 1 },
            DiskOp::Append { file: "b", len: 1 },
            DiskOp::Append { file: "a", len: 2 },
            DiskOp::Write { file: "a", len: 1 },
            DiskOp::Truncate { file: "a", len: 1 },
            DiskOp::Rename { from: "a", to: "bc" },
            DiskOp::Rename { from: "ab", to: "c" },
            DiskOp::Delete { file: "a" },
            DiskOp::Fsync { file: "a" },
            DiskOp::FsyncDirectory,
        ];
        let mut kinds: Vec<_> = life.into_iter().map(EventKind::Life).collect();
        kinds.extend(disk.map(|request| EventKind::Disk { op: DiskOpId(1), request }));
        kinds.extend([
            EventKind::Disk { op: DiskOpId(2), request: DiskOp::FsyncDirectory },
            EventKind::Fault { text: "crash b1", targets: &NODES[..1] },
            EventKind::Fault { text: "crash b2", targets: &NODES[..1] },
            EventKind::Fault { text: "crash b1", targets: NODES },
            EventKind::Fault { text: "crash b1", targets: &[] },
            EventKind::Connecting { conn: ConnId(1), to: NodeId(1) },
            EventKind::Connecting { conn: ConnId(1), to: NodeId(2) },
            EventKind::Opened { conn: ConnId(1), peer: NodeId(1) },
            EventKind::Opened { conn: ConnId(2), peer: NodeId(1) },
            EventKind::Opened { conn: ConnId(1), peer: NodeId(2) },
            EventKind::Closing { conn: ConnId(1) },
            EventKind::Closing { conn: ConnId(2) },
            EventKind::Accepted { conn: ConnId(1), peer: NodeId(1) },
            EventKind::Accepted { conn: ConnId(2), peer: NodeId(1) },
            EventKind::Accepted { conn: ConnId(1), peer: NodeId(2) },
            EventKind::delivered(ConnId(1), NodeId(1), b"x"),
            EventKind::delivered(ConnId(2), NodeId(1), b"x"),
            EventKind::delivered(ConnId(1), NodeId(2), b"x"),
            EventKind::delivered(ConnId(1), NodeId(1), b"y"),
            EventKind::delivered(ConnId(1), NodeId(1), b"xx"),
            EventKind::Closed { conn: ConnId(1), peer: NodeId(1), why: Closed::Refused },
            EventKind::Closed { conn: ConnId(1), peer: NodeId(1), why: Closed::Eof },
            EventKind::Closed { conn: ConnId(1), peer: NodeId(1), why: Closed::Reset },
            EventKind::Closed { conn: ConnId(1), peer: NodeId(2), why: Closed::Reset },
            EventKind::Closed { conn: ConnId(2), peer: NodeId(1), why: Closed::Reset },
            EventKind::Timer { token: 1 },
            EventKind::Timer { token: 2 },
            EventKind::DiskDone { op: DiskOpId(1) },
            EventKind::DiskDone { op: DiskOpId(2) },
        ]);
        kinds
    }

    #[test]
    fn any_change_of_one_field_changes_it() {
        let mut seen = BTreeMap::new();
        for time in [Time(1), Time(2)] {
            for node in [Some(NodeId(1)), Some(NodeId(2)), None] {
                for kind in kinds() {
                    let event = Event { time, node, kind };
                    let before = seen.insert(fingerprint(&event), format!("{event:?}"));
                    assert_eq!(before, None, "shares its fingerprint with {event:?}");
                }
            }
        }
    }

    fn observations() -> Vec<Observation> {
        let at = |partition| TopicPartition::new("orders", partition);
        let produced = |op, at, offset| ClientObservation::Completed {
            op,
            outcome: Outcome::Produced { at, offset },
        };
        let clients = [
            ClientObservation::Invoked { op: 1, call: Call::Produce { topic: "orders".into() } },
            ClientObservation::Invoked { op: 1, call: Call::Produce { topic: "other".into() } },
            produced(1, at(0), 7),
            produced(2, at(0), 7),
            produced(1, at(1), 7),
            produced(1, at(0), 8),
            ClientObservation::Completed { op: 1, outcome: Outcome::Failed { error: "E".into() } },
            ClientObservation::Completed { op: 1, outcome: Outcome::Unknown { error: "E".into() } },
        ];
        let changed = |to: &[i32], partition_epoch| BrokerObservation::IsrChanged {
            at: at(0),
            from: vec![BrokerId(1), BrokerId(2)],
            to: to.iter().copied().map(BrokerId).collect(),
            partition_epoch,
        };
        let brokers = [changed(&[1], 1), changed(&[2], 1), changed(&[2], 2), changed(&[], 2)];
        let clients = clients.into_iter().map(Observation::Client);
        clients.chain(brokers.into_iter().map(Observation::Broker)).collect()
    }

    #[test]
    fn any_change_within_an_observation_or_a_fact_changes_it() {
        let final_record = |offset, producer: &str, record| Fact::FinalRecord {
            at: TopicPartition::new("orders", 0),
            offset,
            producer: producer.into(),
            record,
        };
        let facts = [
            final_record(0, "p0", 0),
            final_record(1, "p0", 0),
            final_record(0, "p1", 0),
            final_record(0, "p0", 1),
        ];
        let observations = observations();
        let observed = observations.iter().map(EventKind::Observed);
        let mut seen = BTreeMap::new();
        for kind in observed.chain(facts.iter().map(EventKind::Fact)) {
            let event = Event { time: Time(1), node: Some(NodeId(0)), kind };
            let before = seen.insert(fingerprint(&event), format!("{event:?}"));
            assert_eq!(before, None, "shares its fingerprint with {event:?}");
        }
    }

    #[test]
    fn the_order_of_events_is_part_of_it() {
        let event = |token| Event { time: Time(1), node: None, kind: EventKind::Timer { token } };
        let run = |tokens: [u64; 2]| {
            let mut hasher = Hasher::default();
            tokens.iter().for_each(|&token| hasher.add(&event(token)));
            hasher.fingerprint()
        };
        assert_ne!(run([1, 2]), run([2, 1]));
    }

    #[test]
    fn observations_larger_than_the_buffer_are_covered_to_their_end() {
        let halted = |why: String| {
            let why: Arc<str> = why.into();
            let observation = Observation::Broker(BrokerObservation::Halted { why });
            let kind = EventKind::Observed(&observation);
            fingerprint(&Event { time: Time(1), node: Some(NodeId(0)), kind })
        };
        let long = "x".repeat(2_000);
        assert_ne!(halted(format!("{long}a")), halted(format!("{long}b")));
    }

    #[test]
    fn the_encoding_is_pinned() {
        let kind = EventKind::delivered(ConnId(3), NodeId(4), b"abc");
        let mut out = Vec::new();
        encode(&Event { time: Time(0x0102), node: Some(NodeId(5)), kind }, &mut out);
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "13\
             0201000000000000\
             0500\
             0300000000000000\
             0400\
             0300000000000000\
             50392f89945faf78"
        );
        assert_eq!(Fingerprint(0xab).to_string(), "00000000000000ab");
    }
}
