//! A file's content as a list of pieces.

use std::fmt;

use bytes::Bytes;

use super::page::Piece;

/// Bytes in pieces. Appending and cutting move no bytes; copies share the memory of the pieces. What was
/// appended to one page, bit by bit, is one piece.
#[derive(Clone, Default)]
pub struct Rope {
    pieces: Vec<Piece>,
    len: u64,
}

impl Rope {
    /// The pieces, none of them empty.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Length in bytes.
    pub fn byte_len(&self) -> u64 {
        self.len
    }

    /// Adds a piece at the end.
    pub fn append(&mut self, piece: Piece) {
        if piece.is_empty() {
            return;
        }
        self.len += piece.len() as u64;
        let joined = self.pieces.last_mut().is_some_and(|last| last.join(&piece));
        if !joined {
            self.pieces.push(piece);
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
    pub fn tail(&self, from: u64) -> Vec<Piece> {
        let mut start = self.len;
        let mut first = self.pieces.len();
        while start > from {
            first -= 1;
            start -= self.pieces[first].len() as u64;
        }
        let mut tail = self.pieces[first..].to_vec();
        if start < from && !tail.is_empty() {
            tail[0] = tail[0].behind((from - start) as usize);
        }
        tail
    }

    /// The bytes from byte `from` to the end, copied together.
    pub fn flatten(&self, from: u64) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len.saturating_sub(from) as usize);
        self.tail(from).iter().for_each(|piece| all.extend_from_slice(&piece.bytes()));
        all
    }

    /// All of it; a single piece that is not at rest is not copied.
    pub fn bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [one] => one.bytes(),
            _ => self.flatten(0).into(),
        }
    }
}

impl fmt::Debug for Rope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.pieces).finish()
    }
}

impl<P: Into<Piece>> From<P> for Rope {
    fn from(piece: P) -> Self {
        std::iter::once(piece).collect()
    }
}

impl<P: Into<Piece>> FromIterator<P> for Rope {
    fn from_iter<I: IntoIterator<Item = P>>(pieces: I) -> Self {
        let mut rope = Self::default();
        pieces.into_iter().for_each(|piece| rope.append(piece.into()));
        rope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::page::Pages;

    fn rope() -> Rope {
        let mut rope = Rope::default();
        ["abc", "", "defg", "h"]
            .into_iter()
            .for_each(|s| rope.append(Bytes::from_static(s.as_bytes()).into()));
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

    #[test]
    fn what_lies_on_one_page_is_one_piece_until_it_is_cut() {
        let page = Pages::default().page();
        let mut rope = Rope::default();
        ["ab", "cd", "ef"].into_iter().for_each(|s| rope.append(page.push(s.into())));
        assert_eq!(rope.pieces().len(), 1);
        page.rest();
        rope.truncate(3);
        assert_eq!(rope.bytes(), "abc");
        let other = Pages::default().page();
        rope.append(other.push("gh".into()));
        rope.append(Bytes::from_static(b"i").into());
        assert_eq!(rope.pieces().len(), 3);
        assert_eq!(rope.bytes(), "abcghi");
        assert_eq!(rope.flatten(1), b"bcghi");
        assert_eq!(rope.flatten(4), b"hi");
    }
}
