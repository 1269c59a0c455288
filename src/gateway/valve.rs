//! How much of what a client sends is let through at a time.
//!
//! A Kafka broker reads nothing from a connection from a request on until its answer is in the socket
//! (`SocketServer` mutes the channel). In the simulation an answer leaves at once, whether its client reads or not:
//! a client that sends many requests and reads nothing would fill the memory with answers. So the next requests are
//! let through when those before are answered, and their answers are written to the client's socket. Several small
//! requests may be on their way at once, as a real broker would take them from its socket without a round trip; a
//! request whose answer or body may be large is on its way alone.

use bytes::{Buf, Bytes, BytesMut};

/// Requests of one connection that may be on their way at once, with few connections. With many it is one.
const TOGETHER_MAX: usize = 16;
/// The same for all connections together, as far as there is more than one for each.
const TOGETHER_TOTAL: usize = 1_024;
/// A request of more bytes goes alone.
const LARGE: usize = 64 << 10;
/// The key of Fetch, whose answer may have many mebibytes.
const FETCH: i16 = 1;
/// Room that an empty valve keeps.
const ROOM_KEPT: usize = 4 << 10;

/// The requests of one connection, each with its length in front; ZooKeeper's have the same form.
#[derive(Debug, Default)]
pub struct Valve {
    /// Whether the requests are Kafka's.
    is_kafka: bool,
    /// What the client has sent, and was not let through.
    held: BytesMut,
    /// Bytes that are missing of the request that is passing; 0 between two.
    missing: usize,
    /// Bytes that have passed of it.
    passed: usize,
    /// Requests that began to pass since all were answered.
    together: usize,
    /// Whether the last of them goes alone.
    is_alone: bool,
    /// Bytes that have passed at all.
    total: u64,
}

impl Valve {
    /// For the requests of a client of a broker, or else of a ZooKeeper server.
    pub fn new(is_kafka: bool) -> Self {
        Self { is_kafka, ..Self::default() }
    }

    /// The client sent this.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many bytes have passed of a request that is not complete.
    pub fn unfinished(&self) -> usize {
        if self.missing > 0 { self.passed } else { 0 }
    }

    /// How many bytes have passed at all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// All that has passed is answered, and the answers are written.
    pub fn answered(&mut self) {
        if self.missing == 0 {
            (self.together, self.is_alone) = (0, false);
        } else {
            self.together = 1;
        }
    }

    /// What may pass now: at most `room` bytes, with `connections` there are.
    pub fn take(&mut self, room: usize, connections: usize) -> Option<Bytes> {
        let most = (TOGETHER_TOTAL / connections.max(1)).clamp(1, TOGETHER_MAX);
        let mut end = 0;
        while end < room {
            if self.missing == 0 && !self.begin(end, most) {
                break;
            }
            let step = self.missing.min(self.held.len() - end).min(room - end);
            if step == 0 {
                break;
            }
            self.missing -= step;
            self.passed += step;
            end += step;
        }
        if end == 0 {
            return None;
        }
        let bytes = Bytes::copy_from_slice(&self.held[..end]);
        self.held.advance(end);
        if self.held.is_empty() && self.held.capacity() > ROOM_KEPT {
            self.held = BytesMut::new();
        }
        self.total += bytes.len() as u64;
        Some(bytes)
    }

    /// Whether the request at `at` may begin to pass.
    fn begin(&mut self, at: usize, most: usize) -> bool {
        if self.together >= most || self.is_alone {
            return false;
        }
        let head = &self.held[at..];
        let Some(prefix) = head.first_chunk() else { return false };
        // What is no length ends the connection, or is a four-letter word: no request follows it.
        let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(usize::MAX - 4);
        if self.is_kafka && length < 2 {
            // Without an API key it is no request: it has no answer.
            (self.missing, self.passed) = (4 + length, 0);
            return true;
        }
        let mut is_large = length > LARGE;
        if self.is_kafka && (2..=LARGE).contains(&length) {
            // Before its key has arrived, it may be a Fetch.
            let key = head.get(4..6).map(|key| i16::from_be_bytes([key[0], key[1]]));
            is_large = key.is_none_or(|key| key == FETCH);
        }
        if is_large && self.together > 0 {
            return false;
        }
        self.is_alone = is_large;
        self.together += 1;
        (self.missing, self.passed) = (4 + length, 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(api: i16, size: usize) -> Vec<u8> {
        let mut frame = (size as u32).to_be_bytes().to_vec();
        frame.extend(api.to_be_bytes());
        frame.resize(4 + size, 7);
        frame
    }

    fn taken(valve: &mut Valve, connections: usize) -> usize {
        valve.take(usize::MAX, connections).map_or(0, |bytes| bytes.len())
    }

    #[test]
    fn small_requests_go_together_and_the_rest_waits_for_their_answers() {
        let mut valve = Valve::new(true);
        (0..40).for_each(|_| valve.push(&frame(3, 20)));
        assert_eq!(taken(&mut valve, 1), 16 * 24);
        assert_eq!(taken(&mut valve, 1), 0, "nothing is answered");
        valve.answered();
        assert_eq!(taken(&mut valve, 1_000), 24, "with many connections, one at a time");
        valve.answered();
        assert_eq!(taken(&mut valve, 100), 10 * 24);
        assert_eq!((valve.held(), valve.total()), (13 * 24, 27 * 24));
    }

    #[test]
    fn a_fetch_and_what_is_large_go_alone() {
        for large in [frame(1, 50), frame(0, LARGE + 1)] {
            let mut valve = Valve::new(true);
            valve.push(&[frame(3, 20), large.clone(), large.clone(), frame(3, 20)].concat());
            let mut sizes = Vec::new();
            for _ in 0..4 {
                sizes.push(taken(&mut valve, 1));
                assert_eq!(taken(&mut valve, 1), 0);
                valve.answered();
            }
            assert_eq!(sizes, [24, large.len(), large.len(), 24]);
        }
    }

    #[test]
    fn a_request_passes_in_pieces_and_is_unfinished_meanwhile() {
        let mut valve = Valve::new(true);
        let large = frame(0, 1 << 20);
        valve.push(&large[..100]);
        assert_eq!((taken(&mut valve, 1), valve.unfinished()), (100, 100));
        // What has arrived of it is not answered.
        valve.answered();
        valve.push(&large[100..]);
        valve.push(&frame(3, 20));
        assert_eq!(valve.take(1_000, 1).unwrap().len(), 1_000);
        assert_eq!(taken(&mut valve, 1), large.len() - 1_100);
        assert_eq!((valve.unfinished(), taken(&mut valve, 1)), (0, 0));
        valve.answered();
        assert_eq!(taken(&mut valve, 1), 24);
    }

    #[test]
    fn what_is_no_request_passes() {
        let mut words = Valve::new(false);
        words.push(b"ruok");
        assert_eq!(taken(&mut words, 1), 4);
        let mut negative = Valve::new(true);
        negative.push(&[0xff; 64]);
        assert_eq!(taken(&mut negative, 1), 64);
        let mut huge = Valve::new(true);
        huge.push(&i32::MAX.to_be_bytes());
        assert_eq!(taken(&mut huge, 1), 4);
        let mut short = Valve::new(true);
        short.push(&[frame(3, 20), frame(3, 50)[..5].to_vec()].concat());
        assert_eq!((taken(&mut short, 1), taken(&mut short, 1)), (24, 0), "it may be a Fetch");
        short.answered();
        assert_eq!(taken(&mut short, 1), 5);
        // An empty request has no API.
        let mut empty = Valve::new(true);
        empty.push(&[0; 4 * 100]);
        assert_eq!((taken(&mut empty, 1), empty.unfinished()), (4 * 100, 0), "none has an answer");
    }
}
