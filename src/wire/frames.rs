//! Length-prefixed frames out of a byte stream; Kafka and ZooKeeper both prefix four bytes, big-endian.

use bytes::{Buf, Bytes, BytesMut};

/// A frame that no honest peer sends; the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {length} bytes, limit {limit}")]
pub struct FrameError {
    /// The announced length.
    pub length: i32,
    /// The most that is accepted.
    pub limit: usize,
}

/// Reassembles frames from the pieces in which a stream arrives.
///
/// A piece that is exactly one frame, the usual case, is handed on without a copy.
#[derive(Debug)]
pub struct Frames {
    limit: usize,
    whole: Bytes,
    rest: BytesMut,
}

impl Frames {
    /// A reader of frames of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, whole: Bytes::new(), rest: BytesMut::new() }
    }

    /// How many bytes were added and not taken out.
    pub fn size_bytes(&self) -> usize {
        self.whole.len() + self.rest.len()
    }

    /// Adds the next piece of the stream.
    pub fn push(&mut self, piece: Bytes) {
        if self.whole.is_empty() && self.rest.is_empty() {
            self.whole = piece;
        } else {
            self.rest.extend_from_slice(&std::mem::take(&mut self.whole));
            self.rest.extend_from_slice(&piece);
        }
    }

    /// The next whole frame, without its length.
    ///
    /// # Errors
    /// When the announced length is negative or above the limit.
    pub fn pop(&mut self) -> Result<Option<Bytes>, FrameError> {
        let bytes = if self.rest.is_empty() { &self.whole[..] } else { &self.rest[..] };
        let Some(prefix) = bytes.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*prefix);
        let error = FrameError { length, limit: self.limit };
        let length = usize::try_from(length).map_err(|_| error)?;
        if length > self.limit {
            return Err(error);
        }
        if bytes.len() < 4 + length {
            return Ok(None);
        }
        if self.rest.is_empty() {
            self.whole.advance(4);
            return Ok(Some(self.whole.split_to(length)));
        }
        self.rest.advance(4);
        let frame = self.rest.split_to(length).freeze();
        if self.rest.len() <= length {
            // What follows would keep the room of a large frame for as long as the connection lasts.
            self.rest = BytesMut::from(&self.rest[..]);
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        [&[0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0], &[0, 0, 0, 1], b"z"].concat()
    }

    #[test]
    fn frames_do_not_depend_on_how_the_stream_is_cut() {
        let stream = stream();
        for size in 1..=stream.len() {
            let mut frames = Frames::new(16);
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                frames.push(Bytes::copy_from_slice(piece));
                while let Some(frame) = frames.pop().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, [&b"abc"[..], b"", b"z"], "pieces of {size}");
        }
    }

    #[test]
    fn impossible_lengths_are_errors() {
        for prefix in [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 17]] {
            let mut frames = Frames::new(16);
            frames.push(Bytes::copy_from_slice(&prefix));
            assert!(frames.pop().is_err());
        }
    }
}
