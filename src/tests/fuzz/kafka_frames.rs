//! Kafka requests of clients: any bytes are decoded, or refused, without more memory than they explain.
//!
//! The honest requests of an API are made by its own decoder: it reads from a [`Scribe`], which makes up each value
//! that is asked for and writes it down. So there is one for each API and version, whatever its fields are.

use bytes::{Buf, Bytes, BytesMut, TryGetError};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_sim::vocab::{Seed, Stream};
use kafka_sim::wire::foreign::decode_foreign_request;
use kafka_sim::wire::frames::Frames;

use super::ALLOCATOR;
use super::driver::Target;
use super::schema::{apis, body};

/// Bytes that a request may allocate whatever its size: error messages, and 127 elements that one byte announces.
const MEMORY: usize = 128 << 10;
/// Bytes that a request may allocate for each of its bytes: decoded twice, in up to four arrays within each other.
const MEMORY_PER_BYTE: usize = 2_000;

/// What a decoder wants to read, made up.
struct Scribe {
    written: BytesMut,
    /// The elements of an array; −1 for null.
    count: i32,
    /// Draws counts instead.
    stream: Option<Stream>,
    /// Elements that may still be drawn: arrays within arrays grow fast.
    room: u64,
}

impl Scribe {
    fn number(&mut self) -> i32 {
        let Some(stream) = &mut self.stream else { return self.count };
        let number = stream.below(4).min(self.room);
        self.room -= number;
        number as i32
    }
}

impl Buf for Scribe {
    fn remaining(&self) -> usize {
        1 << 20
    }

    fn chunk(&self) -> &[u8] {
        &[0; 16]
    }

    fn advance(&mut self, count: usize) {
        self.written.extend_from_slice(&[0; 16][..count]);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        // A varint: one more than there are elements or bytes. A flag may have any value.
        let value = (self.number() + 1) as u8;
        self.written.extend_from_slice(&[value]);
        Ok(value)
    }

    fn try_get_i8(&mut self) -> Result<i8, TryGetError> {
        self.written.extend_from_slice(&[1]);
        Ok(1)
    }

    fn try_get_i16(&mut self) -> Result<i16, TryGetError> {
        let value = self.number() as i16;
        self.written.extend_from_slice(&value.to_be_bytes());
        Ok(value)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.number();
        self.written.extend_from_slice(&value.to_be_bytes());
        Ok(value)
    }
}

impl ByteBuf for Scribe {
    fn peek_bytes(&mut self, _: std::ops::Range<usize>) -> Bytes {
        unreachable!("no decoder looks ahead")
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        let bytes = Bytes::from(vec![b'a'; size]);
        self.written.extend_from_slice(&bytes);
        bytes
    }
}

/// A frame's payload, or none where the decoder wants another value.
fn honest(api: ApiKey, version: i16, count: i32, stream: Option<Stream>) -> Option<Bytes> {
    let mut written = BytesMut::new();
    written.extend_from_slice(&(api as i16).to_be_bytes());
    written.extend_from_slice(&version.to_be_bytes());
    written.extend_from_slice(b"\0\0\0\x07\0\x04fuzz");
    if api.request_header_version(version) >= 2 {
        // One tagged field.
        written.extend_from_slice(&[1, 9, 2, b'a', b'a']);
    }
    let mut scribe = Scribe { written, count, stream, room: 40 };
    body(api, version, &mut scribe).map(|_| scribe.written.freeze())
}

/// Requests of every API and version: with arrays of nothing, of one and of two elements, and with drawn ones.
fn requests() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (api, version) in apis() {
        let fixed = [0, 1, 2].map(|count| honest(api, version, count, None));
        let drawn = [1, 2].map(|seed| {
            let stream = Seed(seed).stream(&format!("{api:?}/{version}"));
            honest(api, version, 0, Some(stream))
        });
        let here: Vec<_> = fixed.into_iter().chain(drawn).flatten().collect();
        assert!(here.len() >= 2, "{api:?} v{version} has {} requests", here.len());
        all.extend(here.into_iter().map(|payload| payload.to_vec()));
    }
    all
}

/// Decodes `payload`, and looks at what that allocates.
fn decode(payload: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(payload);
    let before = ALLOCATOR.total_allocated();
    let is_right = decode_foreign_request(bytes).is_ok();
    let used = ALLOCATOR.total_allocated() - before;
    let most = MEMORY + MEMORY_PER_BYTE * payload.len();
    assert!(used <= most, "{payload:02x?} allocates {used} bytes, more than {most}");
    is_right
}

#[test]
fn any_request_is_decoded_or_refused() {
    let target =
        Target { name: "kafka_frames", memory: 2 * MEMORY, memory_per_byte: MEMORY_PER_BYTE + 10 };
    target.run(requests(), |payload| {
        decode(payload);
        // As a stream: the same bytes as frames, whatever length they begin with.
        let mut frames = Frames::new(1 << 20);
        frames.push(Bytes::copy_from_slice(payload));
        while let Ok(Some(frame)) = frames.pop() {
            decode(&frame);
        }
    });
}

#[test]
fn every_request_is_cut_at_each_byte_and_changed_at_each_place() {
    const EDGES: [i32; 9] = [0, 1, -1, 0x7f, 0x80, 0xff, i16::MAX as i32, i32::MAX, 0x00ff_ffff];
    // One case is thousands of decodings, each of which is measured.
    let target = Target { name: "kafka_edges", memory: usize::MAX >> 1, memory_per_byte: 0 };
    let all = apis().filter_map(|(api, version)| honest(api, version, 1, None));
    target.each(&mut all.map(|payload| payload.to_vec()), |payload| {
        assert!(decode(payload), "an honest request is refused: {payload:02x?}");
        for end in 0..payload.len() {
            assert!(!decode(&payload[..end]), "cut to {end} bytes: {payload:02x?}");
        }
        for at in 8..payload.len() {
            for (edge, size) in EDGES.iter().flat_map(|edge| [(edge, 1), (edge, 2), (edge, 4)]) {
                let mut changed = payload.to_vec();
                let end = changed.len().min(at + size);
                changed.splice(at..end, edge.to_be_bytes()[4 - size..].iter().copied());
                decode(&changed);
                // The same with nothing behind it.
                decode(&changed[..at + size]);
            }
            // A varint of 2^28 − 1, and one of 2^35 − 1.
            for varint in [&[0xff, 0xff, 0xff, 0x7f][..], &[0xff, 0xff, 0xff, 0xff, 0x7f]] {
                let mut changed = payload.to_vec();
                changed.splice(at..=at, varint.iter().copied());
                decode(&changed);
                decode(&changed[..at + varint.len()]);
            }
        }
    });
}
