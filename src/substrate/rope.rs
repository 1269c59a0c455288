//! A file's content as a list of shared pieces.

use bytes::Bytes;

/// Bytes in pieces. Appending and cutting move no bytes; copies of a piece share its memory.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    pieces: Vec<Bytes>,
    len: u64,
}

impl Rope {
    /// The pieces, none of them empty.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Length in bytes.
    pub fn byte_len(&self) -> u64 {
        self.len
    }

    /// Adds `bytes` at the end.
    pub fn append(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len() as u64;
            self.pieces.push(bytes);
        }
    }

    /// Cuts to `len` bytes; does nothing when there are no more than that.
    pub fn truncate(&mut self, len: u64) {
        while self.len > len {
            let piece = self.pieces.last_mut().expect("a rope that is not empty has pieces");
            let excess = self.len - len;
            if excess >= piece.len() as u64 {
                self.len -= piece.len() as u64;
                self.pieces.pop();
            } else {
                piece.truncate(piece.len() - excess as usize);
                self.len = len;
            }
        }
    }

    /// The pieces from byte `from` to the end; takes time in proportion to their number.
    pub fn tail(&self, from: u64) -> Vec<Bytes> {
        let mut start = self.len;
        let mut first = self.pieces.len();
        while start > from {
            first -= 1;
            start -= self.pieces[first].len() as u64;
        }
        let mut tail = self.pieces[first..].to_vec();
        if start < from && !tail.is_empty() {
            tail[0] = tail[0].slice((from - start) as usize..);
        }
        tail
    }

    /// The bytes from byte `from` to the end, copied together.
    pub fn flatten(&self, from: u64) -> Vec<u8> {
        self.tail(from).concat()
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Self {
        let mut rope = Self::default();
        rope.append(bytes);
        rope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope() -> Rope {
        let mut rope = Rope::default();
        ["abc", "", "defg", "h"]
            .into_iter()
            .for_each(|s| rope.append(Bytes::from_static(s.as_bytes())));
        rope
    }

    #[test]
    fn a_rope_reads_as_what_was_appended() {
        assert_eq!(rope().flatten(0), b"abcdefgh");
        assert_eq!(rope().byte_len(), 8);
        assert_eq!(rope().pieces().len(), 3, "no empty pieces");
    }

    #[test]
    fn a_rope_can_be_cut_and_read_anywhere() {
        for len in 0..=10usize {
            let mut cut = rope();
            cut.truncate(len as u64);
            let kept = &b"abcdefgh"[..len.min(8)];
            assert_eq!(cut.flatten(0), kept);
            assert_eq!(cut.byte_len(), kept.len() as u64);
            for from in 0..=kept.len() {
                assert_eq!(cut.flatten(from as u64), kept[from..], "cut to {len}, from {from}");
            }
        }
    }
}
