//! The batches of a log, in pages.
//!
//! Replication and consumers read close to the end of a log; older batches are read after a restart, by followers
//! and consumers that catch up, and when they are truncated. A *log page* holds the batches of one page of memory.
//! The last few log pages are warm: their batches are parsed. Of older ones one entry each is left, as in Kafka's
//! sparse index, and their memory rests; a cold log page is read by parsing its memory again.
//!
//! A page ends where the file's next [`PAGE_BYTES`] begin, so that replicas of a partition fill pages with
//! the same content, however often one of them restarted.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use crate::vocab::Offset;
use crate::vocab::page::{PAGE_BYTES, Page, Pages, Piece};
use crate::wire::records::Batch;

/// How many pages at the end of a log are warm.
pub const WARM_PAGES: usize = 4;

/// How many batches at the end of a page are searched before all others.
const NEAR_BATCHES: usize = 16;

/// Memory is taken in chunks of so many bytes: a batch for itself would cost its log the allocator's overhead,
/// and, as part of the frame that brought it, the rest of the frame.
const CHUNK_BYTES: usize = PAGE_BYTES;

#[derive(Debug)]
struct LogPage {
    first: Offset,
    /// Behind its last record.
    end: Offset,
    max_timestamp_ms: i64,
    /// All of its batches.
    piece: Piece,
    /// The same, read out; empty when the page is cold.
    warm: Vec<Batch>,
}

fn latest_timestamp_ms(batches: &[Batch]) -> i64 {
    batches.iter().map(Batch::max_timestamp_ms).max().unwrap_or(i64::MIN)
}

/// The place of the first batch that does not end before `from`. Readers are nearly always close behind the
/// writer: what is looked at last is looked at first, as the rest has long left the processor's caches.
fn first_reaching(batches: &[Batch], from: Offset) -> usize {
    let near = batches.len().saturating_sub(NEAR_BATCHES);
    let begin = batches.get(near).filter(|batch| batch.base_offset <= from).map_or(0, |_| near);
    begin + batches[begin..].partition_point(|batch| batch.last_offset < from)
}

impl LogPage {
    fn of(piece: Piece, batches: Vec<Batch>) -> Self {
        let (first, last) =
            batches.first().zip(batches.last()).expect("a page has at least one batch");
        let (first, end) = (first.base_offset, last.last_offset + 1);
        Self { first, end, max_timestamp_ms: latest_timestamp_ms(&batches), piece, warm: batches }
    }

    fn push(&mut self, batch: Batch, piece: &Piece) {
        assert!(self.piece.join(piece), "a page lies on one page");
        self.end = batch.last_offset + 1;
        self.max_timestamp_ms = self.max_timestamp_ms.max(batch.max_timestamp_ms());
        self.warm.push(batch);
    }

    /// Lets go of what can be read out of the page again, and gives the memory of the list.
    fn cool(&mut self) -> Vec<Batch> {
        self.piece.page().rest();
        std::mem::take(&mut self.warm)
    }

    fn read(&self) -> Vec<Batch> {
        let whole = |batch: Result<Batch, _>| batch.expect("it was whole when it was written");
        Batch::all(&self.piece.bytes()).map(whole).collect()
    }

    /// Its batches from the first that does not end before `from`.
    fn batches_from(&self, from: Offset) -> impl Iterator<Item = Cow<'_, Batch>> {
        let mut cold = if self.warm.is_empty() { self.read() } else { Vec::new() };
        cold.drain(..first_reaching(&cold, from));
        let warm = &self.warm[first_reaching(&self.warm, from)..];
        warm.iter().map(Cow::Borrowed).chain(cold.into_iter().map(Cow::Owned))
    }

    /// What is left of it: the batches that end below `target`, if there are any.
    fn cut(mut self, target: Offset) -> Option<Self> {
        let mut kept = if self.warm.is_empty() { self.read() } else { self.warm };
        kept.truncate(kept.partition_point(|batch| batch.last_offset < target));
        self.piece.truncate(kept.iter().map(|batch| batch.bytes.len()).sum());
        (!kept.is_empty()).then(|| Self::of(self.piece, kept))
    }
}

/// All pages of a log. None reaches from one segment file into the next.
#[derive(Debug)]
pub struct LogPages {
    list: Vec<LogPage>,
    pages: Pages,
    /// The page of the last page, while that is being filled.
    filling: Option<Page>,
    /// What is left of the chunk that is being filled.
    chunk: BytesMut,
}

impl LogPages {
    /// None yet.
    pub fn new(pages: Pages) -> Self {
        Self { list: Vec::new(), pages, filling: None, chunk: BytesMut::new() }
    }

    /// A copy of `bytes` in the chunk.
    fn keep(&mut self, bytes: &[u8]) -> Bytes {
        if self.chunk.capacity() < bytes.len() {
            self.chunk = BytesMut::with_capacity(CHUNK_BYTES.max(bytes.len()));
        }
        self.chunk.extend_from_slice(bytes);
        self.chunk.split().freeze()
    }

    /// Adds a batch that goes to byte `position` of its file, and returns what is to be written there.
    /// Keeps a copy of its bytes: they may be a slice of something larger.
    pub fn append(&mut self, position: u64, mut batch: Batch) -> Piece {
        batch.bytes = self.keep(&batch.bytes);
        if let Some((page, last)) = self.filling.as_ref().zip(self.list.last_mut()) {
            let began = position - last.piece.len() as u64;
            if began / PAGE_BYTES as u64 == position / PAGE_BYTES as u64 {
                let piece = page.push(batch.bytes.clone());
                last.push(batch, &piece);
                return piece;
            }
        }
        let page = self.pages.page();
        let piece = page.push(batch.bytes.clone());
        self.filling = Some(page);
        self.begin(piece.clone(), batch);
        piece
    }

    /// Adds what is on disk already.
    pub fn adopt(&mut self, piece: Piece, batches: Vec<Batch>) {
        self.close();
        self.cool_one();
        self.list.push(LogPage::of(piece, batches));
    }

    fn begin(&mut self, piece: Piece, batch: Batch) {
        let mut batches = self.cool_one();
        batches.clear();
        batches.push(batch);
        self.list.push(LogPage::of(piece, batches));
    }

    /// Cools the page that will not be one of the last few when the next is there; gives the memory of its
    /// list.
    fn cool_one(&mut self) -> Vec<Batch> {
        let cold = self.list.len().checked_sub(WARM_PAGES);
        cold.map_or_else(Vec::new, |cold| self.list[cold].cool())
    }

    /// What is appended next begins a page: it goes to another file, or not behind the last one.
    pub fn close(&mut self) {
        self.filling = None;
    }

    /// Drops the batches that do not end below `target`.
    pub fn truncate(&mut self, target: Offset) {
        self.close();
        let whole = self.list.partition_point(|page| page.end <= target);
        let cut = self.list.drain(whole..).next();
        self.list.extend(cut.and_then(|page| page.cut(target)));
    }

    /// Drops the pages that begin below `base`, where a file begins.
    pub fn drop_below(&mut self, base: Offset) {
        let gone = self.list.partition_point(|page| page.first < base);
        self.list.drain(..gone);
        if self.list.is_empty() {
            self.close();
        }
    }

    /// Behind the last record, if there is any.
    pub fn end(&self) -> Option<Offset> {
        self.list.last().map(|last| last.end)
    }

    /// Size of all batches from `base` on, where a file begins, in bytes.
    pub fn byte_len_from(&self, base: Offset) -> u64 {
        let first = self.list.partition_point(|page| page.first < base);
        self.list[first..].iter().map(|page| page.piece.len() as u64).sum()
    }

    /// The largest timestamp of the records from `base` on below `end`, where files begin, if there are any.
    pub fn latest_timestamp_ms(&self, base: Offset, end: Offset) -> Option<i64> {
        let first = self.list.partition_point(|page| page.first < base);
        let pages = self.list[first..].iter().take_while(|page| page.first < end);
        pages.map(|page| page.max_timestamp_ms).max()
    }

    /// The batches from the first that does not end before `from`, in order.
    pub fn batches_from(&self, from: Offset) -> impl Iterator<Item = Cow<'_, Batch>> {
        self.reaching(from).iter().flat_map(move |page| page.batches_from(from))
    }

    /// The same, but without those of which it is known that all of their records are older than
    /// `timestamp_ms`.
    pub fn batches_since(
        &self,
        from: Offset,
        timestamp_ms: i64,
    ) -> impl Iterator<Item = Cow<'_, Batch>> {
        let young = move |page: &&LogPage| page.max_timestamp_ms >= timestamp_ms;
        let pages = self.reaching(from).iter().filter(young);
        pages.flat_map(move |page| page.batches_from(from))
    }

    /// The pages from the first that does not end before `from`, looked for where readers are.
    fn reaching(&self, from: Offset) -> &[LogPage] {
        let near = self.list.len().saturating_sub(WARM_PAGES);
        let begin = self.list.get(near).filter(|near| near.first <= from).map_or(0, |_| near);
        let list = &self.list[begin..];
        &list[list.partition_point(|page| page.end <= from)..]
    }

    /// How many pages are cold, and how many there are.
    #[cfg(test)]
    pub fn cold_of(&self) -> (usize, usize) {
        (self.list.iter().filter(|page| page.warm.is_empty()).count(), self.list.len())
    }
}
