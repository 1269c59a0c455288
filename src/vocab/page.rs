//! Pages: memory for bytes that are kept for the length of a run.
//!
//! A simulated disk and the process that writes to it keep the same bytes, as a kernel and a process do that
//! share a page cache. A [`Page`] is filled piece by piece; its owner calls [`Page::rest`] when it is full and
//! no longer read often. From then on it is held packed (LZ4), once for all holders of its pieces, and once
//! for all pages of the same content: replicas of a partition hold the same. It is unpacked
//! again for each read, but for the page that was read last.
//!
//! None of this can be seen but in the memory that a run takes: a [`Piece`] always reads as what was pushed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// A page that is full holds about so many bytes; a single piece may be larger.
pub const PAGE_BYTES: usize = 16 * 1024;

/// The number of packed pages at which unused ones are first removed.
const FIRST_SWEEP: usize = 256;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of a page panics")
}

/// The content of a page at rest.
#[derive(Debug)]
enum Packed {
    /// As it is: packing would gain nothing.
    Plain(Bytes),
    Lz4 {
        bytes: Box<[u8]>,
        len: usize,
    },
}

impl Packed {
    fn pack(content: Vec<u8>) -> Self {
        let packed = lz4_flex::block::compress(&content);
        if packed.len() < content.len() {
            Self::Lz4 { bytes: packed.into(), len: content.len() }
        } else {
            Self::Plain(content.into())
        }
    }
}

#[derive(Debug, Default)]
struct Shelf {
    /// By a hash of the content; 128 bits identify it.
    packed: BTreeMap<u128, Weak<Packed>>,
    /// The number of packed pages at which unused ones are removed next.
    sweep_at: usize,
    /// The page that was unpacked last: small reads read one page many times.
    last_read: Option<(Arc<Packed>, Bytes)>,
}

impl Shelf {
    fn pack(&mut self, content: Vec<u8>) -> Arc<Packed> {
        let hash = xxh3_128(&content);
        if let Some(same) = self.packed.get(&hash).and_then(Weak::upgrade) {
            return same;
        }
        if self.packed.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.packed.retain(|_, packed| packed.strong_count() > 0);
            self.sweep_at = self.packed.len() * 2;
        }
        let packed = Arc::new(Packed::pack(content));
        self.packed.insert(hash, Arc::downgrade(&packed));
        packed
    }

    fn read(&mut self, packed: &Arc<Packed>) -> Bytes {
        let (bytes, len) = match &**packed {
            Packed::Plain(content) => return content.clone(),
            Packed::Lz4 { bytes, len } => (bytes, *len),
        };
        if let Some((last, content)) = &self.last_read
            && Arc::ptr_eq(last, packed)
        {
            return content.clone();
        }
        let content = lz4_flex::block::decompress(bytes, len).expect("this module packed it");
        let content = Bytes::from(content);
        self.last_read = Some((packed.clone(), content.clone()));
        content
    }
}

/// Where the pages of a run come from, and are packed.
#[derive(Clone, Debug, Default)]
pub struct Pages(Arc<Mutex<Shelf>>);

impl Pages {
    /// A new, empty page.
    pub fn page(&self) -> Page {
        Page::new(Content::Open { parts: Vec::new(), len: 0 }, Some(self.clone()))
    }

    /// How many different packed contents are in use.
    pub fn packed_count(&self) -> usize {
        lock(&self.0).packed.values().filter(|packed| packed.strong_count() > 0).count()
    }
}

#[derive(Debug)]
enum Content {
    /// Being filled, or not yet at rest.
    Open {
        parts: Vec<Bytes>,
        len: usize,
    },
    AtRest(Arc<Packed>),
}

#[derive(Debug)]
struct Shared {
    content: Mutex<Content>,
    /// `None` for bytes that were never put on a page: they are not packed.
    pages: Option<Pages>,
}

/// Bytes that grow until they are put to rest. Clones are the same page.
#[derive(Clone, Debug)]
pub struct Page(Arc<Shared>);

impl Page {
    fn new(content: Content, pages: Option<Pages>) -> Self {
        Self(Arc::new(Shared { content: Mutex::new(content), pages }))
    }

    /// Adds bytes at the end, without a copy, and gives their place.
    ///
    /// # Panics
    /// When the page is at rest.
    pub fn push(&self, bytes: Bytes) -> Piece {
        match &mut *lock(&self.0.content) {
            Content::AtRest(_) => panic!("a page that is at rest is full"),
            Content::Open { parts, len } => {
                let start = *len;
                *len += bytes.len();
                parts.push(bytes);
                Piece { page: self.clone(), start, end: *len }
            }
        }
    }

    /// Nothing will be added, and it will be read seldom: takes as little memory from now on as it can.
    pub fn rest(&self) {
        let Some(pages) = &self.0.pages else { return };
        let mut content = lock(&self.0.content);
        if let Content::Open { parts, .. } = &*content {
            let packed = lock(&pages.0).pack(parts.concat());
            *content = Content::AtRest(packed);
        }
    }

    fn read(&self, start: usize, end: usize) -> Bytes {
        let content = lock(&self.0.content);
        match &*content {
            Content::Open { parts, .. } => read_parts(parts, start, end),
            Content::AtRest(packed) => {
                let pages = self.0.pages.as_ref().expect("a page without a shelf never rests");
                lock(&pages.0).read(packed).slice(start..end)
            }
        }
    }
}

/// The bytes `start..end` of `parts`; copied when they lie in more than one of them.
fn read_parts(parts: &[Bytes], start: usize, end: usize) -> Bytes {
    let mut found: Vec<Bytes> = Vec::new();
    let mut at = 0;
    for part in parts {
        let (from, to) = (start.max(at), end.min(at + part.len()));
        if from < to {
            found.push(part.slice(from - at..to - at));
        }
        at += part.len();
    }
    match found.as_slice() {
        [one] => one.clone(),
        several => several.concat().into(),
    }
}

/// A page of a page.
#[derive(Clone)]
pub struct Piece {
    page: Page,
    start: usize,
    end: usize,
}

impl Piece {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The page that it is of.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Its bytes. Unpacks the page when that is at rest.
    pub fn bytes(&self) -> Bytes {
        self.page.read(self.start, self.end)
    }

    /// Keeps its first `len` bytes; does nothing when there are no more than that.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Leaves out its first `len` bytes.
    ///
    /// # Panics
    /// When it has fewer.
    #[must_use]
    pub fn behind(&self, len: usize) -> Self {
        assert!(len <= self.len(), "a piece of {} bytes has nothing behind {len}", self.len());
        Self { start: self.start + len, ..self.clone() }
    }

    /// Takes in `next` if that follows on the same page. Returns whether it did.
    pub fn join(&mut self, next: &Self) -> bool {
        let follows = Arc::ptr_eq(&self.page.0, &next.page.0) && self.end == next.start;
        if follows {
            self.end = next.end;
        }
        follows
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

impl From<Bytes> for Piece {
    /// Bytes for themselves: they are never packed.
    fn from(bytes: Bytes) -> Self {
        let end = bytes.len();
        Self {
            page: Page::new(Content::Open { parts: vec![bytes], len: end }, None),
            start: 0,
            end,
        }
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(tag: u8) -> Bytes {
        let mut bytes = vec![b'.'; 400];
        bytes[17] = tag;
        bytes.into()
    }

    #[test]
    fn a_piece_reads_the_same_before_and_behind_the_rest() {
        let page = Pages::default().page();
        let mut all = page.push(dots(0));
        let second = page.push(dots(1));
        assert!(!all.join(&second.behind(1)), "it does not follow");
        assert!(all.join(&second) && all.join(&page.push(dots(2))));
        let whole = [dots(0), dots(1), dots(2)].concat();
        let mut cut = all.behind(417);
        cut.truncate(2);
        for _ in 0..2 {
            assert_eq!(all.bytes(), whole);
            assert_eq!(second.bytes(), dots(1));
            assert_eq!(cut.bytes(), [1, b'.'].as_slice());
            page.rest();
        }
    }

    #[test]
    fn what_does_not_pack_reads_the_same_too() {
        let page = Pages::default().page();
        let piece = page.push(Bytes::from_static(b"abc"));
        page.rest();
        assert_eq!(piece.bytes(), "abc");
    }

    #[test]
    fn one_copy_serves_all_pages_of_the_same_content_and_goes_with_the_last() {
        let pages = Pages::default();
        let piece = |parts: &[Bytes]| {
            let page = pages.page();
            let mut all = page.push(Bytes::new());
            parts.iter().for_each(|part| assert!(all.join(&page.push(part.clone()))));
            page.rest();
            all
        };
        let one = piece(&[dots(1), dots(2)]);
        let same = piece(&[dots(1).slice(..3), dots(1).slice(3..), dots(2)]);
        let other = piece(&[dots(1)]);
        assert_eq!(one.bytes(), same.bytes());
        assert_eq!(pages.packed_count(), 2);
        drop((one, other));
        assert_eq!(pages.packed_count(), 1);
        for n in 0..3 * FIRST_SWEEP {
            piece(&[vec![n as u8, (n >> 8) as u8, 1, 1].into()]);
        }
        assert!(lock(&pages.0).packed.len() <= FIRST_SWEEP, "dead ones are swept");
        assert_eq!(same.bytes(), [dots(1), dots(2)].concat());
    }

    #[test]
    fn the_page_read_last_is_not_unpacked_again() {
        let pages = Pages::default();
        let page = pages.page();
        let piece = page.push(dots(1));
        page.rest();
        assert_eq!(piece.bytes().as_ptr(), piece.bytes().as_ptr());
    }

    #[test]
    fn bytes_for_themselves_are_a_piece() {
        let bytes = dots(3);
        let piece = Piece::from(bytes.clone());
        piece.page().rest();
        assert_eq!(piece.bytes().as_ptr(), bytes.as_ptr(), "no copy");
        assert!(Piece::from(Vec::new()).is_empty());
    }
}
