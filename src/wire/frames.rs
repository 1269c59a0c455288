//! Messages out of a byte stream: a 4-byte big-endian length, then that many bytes.
//!
//! Kafka and ZooKeeper frame alike, so both use this.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of the length in front of a frame.
const PREFIX: usize = 4;
/// The most that is set aside at once for a frame that has only begun.
const RESERVE: usize = 1 << 20;

/// A stream that cannot be cut into frames any more; its connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length is negative, or above the limit (`socket.request.max.bytes`, `jute.maxbuffer`). It may
    /// be text: the first word of a ZooKeeper connection may be a command of four letters.
    #[error("a frame of {len} bytes, and at most {max} are taken")]
    Length {
        /// The length as read.
        len: i32,
        /// The limit, in bytes.
        max: usize,
    },
}

/// Puts frames together from the pieces in which a connection delivers them.
///
/// A piece that holds whole frames is sliced, not copied.
#[derive(Debug)]
pub struct Frames {
    max: usize,
    ready: VecDeque<Bytes>,
    partial: BytesMut,
    failed: Option<FrameError>,
}

impl Frames {
    /// An empty stream whose frames have at most `max` bytes of payload.
    pub fn new(max: usize) -> Self {
        Self { max, ready: VecDeque::new(), partial: BytesMut::new(), failed: None }
    }

    /// Adds the next bytes of the stream.
    ///
    /// # Errors
    /// When a length is impossible. Frames before it can still be taken; nothing after it is read.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), FrameError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let read = self.read(chunk);
        self.failed = read.err();
        read
    }

    /// The next whole frame's payload, without the length.
    #[expect(clippy::should_implement_trait, reason = "more frames may come after a `None`")]
    pub fn next(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    fn read(&mut self, mut chunk: Bytes) -> Result<(), FrameError> {
        while !self.partial.is_empty() && !chunk.is_empty() {
            let want = length(&self.partial, self.max)?.map_or(PREFIX, |len| PREFIX + len);
            let take = (want - self.partial.len()).min(chunk.len());
            self.partial.reserve((want - self.partial.len()).min(RESERVE));
            self.partial.extend_from_slice(&chunk[..take]);
            chunk.advance(take);
            if length(&self.partial, self.max)?
                .is_some_and(|len| self.partial.len() == PREFIX + len)
            {
                let mut frame = self.partial.split().freeze();
                frame.advance(PREFIX);
                self.ready.push_back(frame);
            }
        }
        while let Some(len) = length(&chunk, self.max)? {
            if chunk.len() < PREFIX + len {
                break;
            }
            let mut frame = chunk.split_to(PREFIX + len);
            frame.advance(PREFIX);
            self.ready.push_back(frame);
        }
        self.partial.extend_from_slice(&chunk);
        Ok(())
    }
}

/// The length at the front of `bytes`, once it is there.
fn length(bytes: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else { return Ok(None) };
    let len = i32::from_be_bytes(*prefix);
    match usize::try_from(len) {
        Ok(payload) if payload <= max => Ok(Some(payload)),
        _ => Err(FrameError::Length { len, max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frames: &mut Frames) -> Vec<Bytes> {
        std::iter::from_fn(|| frames.next()).collect()
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let stream: &[u8] = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x05hello";
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut frames = Frames::new(5);
                for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                    frames.push(Bytes::copy_from_slice(piece)).unwrap();
                }
                assert_eq!(all(&mut frames), ["abc".as_bytes(), b"", b"hello"], "{first} {second}");
            }
        }
    }

    #[test]
    fn a_piece_that_is_one_frame_is_not_copied() {
        let piece = Bytes::from_static(b"\0\0\0\x03abc");
        let mut frames = Frames::new(9);
        frames.push(piece.clone()).unwrap();
        assert_eq!(frames.next().unwrap().as_ptr(), piece[4..].as_ptr());
    }

    #[test]
    fn impossible_lengths_end_the_stream_but_not_the_frames_before() {
        for (word, len) in
            [(*b"\0\0\0\x06", 6), (*b"\xff\xff\xff\xff", -1), (*b"ruok", 0x7275_6f6b)]
        {
            let mut bytes = b"\0\0\0\x01x".to_vec();
            bytes.extend(word);
            let mut frames = Frames::new(5);
            let failed = FrameError::Length { len, max: 5 };
            for cut in bytes.chunks(3) {
                let pushed = frames.push(Bytes::copy_from_slice(cut));
                assert!(pushed.is_ok() || pushed == Err(failed));
            }
            assert_eq!(frames.push(Bytes::from_static(b"\0\0\0\0")), Err(failed));
            assert_eq!(all(&mut frames), ["x".as_bytes()]);
        }
    }
}
