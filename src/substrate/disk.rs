//! What a disk holds: a page cache and a platter.
//!
//! A write reaches the page cache at once. A process that dies leaves the page cache as it is; a
//! host that loses power keeps the platter, and of what was on its way there whatever the seed
//! says:
//!
//! - **Content.** Each 512-byte sector that differs between cache and platter got there or did not.
//!   How likely that was is drawn per file (never, a quarter, half, three quarters, always), so
//!   that runs see whole files lost and whole files kept as well as torn ones. A file ends behind
//!   its last sector that got there; holes before it read as what the platter had, or as zeros.
//! - **Metadata.** Creating, renaming, deleting and cutting files are entries of a journal that
//!   reaches the platter in order, as that of ext4 does (kernel documentation, filesystems/ext4:
//!   all metadata goes through jbd2, whose transactions commit one after the other): a power loss
//!   keeps a drawn number of its first entries. `FsyncDirectory` commits the journal. An fsync of
//!   a file commits it up to the file's own creation and last cut, as ext4 does too, so that what
//!   was fsynced can be found; a later rename of the file stays open, and when it is lost, the
//!   content is still there under the old name.
//! - **Cuts.** A cut that is lost leaves the file as it was before, without what was appended
//!   since: that went to blocks and a length that only later entries of the journal name. As
//!   entries keep their order, nothing that was renamed after the cut is there without it.
//!
//! Both are ropes of the pieces that processes write: what is in both, and what the process itself still has in
//! memory, is there once, and packed when it rests ([`crate::vocab::page`]).
//!
//! An fsync brings the content as of its submission to the platter when it completes. Fsyncs of one
//! disk complete in the order in which they were submitted.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::vocab::page::{PAGE_BYTES, Pages, Piece};
use crate::vocab::step::{DiskImage, DiskRequest, FileName};
use crate::vocab::{DiskOpId, Ratio, Rope, Stream};

/// What a power loss keeps whole or not at all, in bytes.
pub const SECTOR_BYTES: u64 = 512;

/// A file without its name.
#[derive(Debug, Default)]
struct Inode {
    cache: Rope,
    platter: Rope,
    /// How many bytes at the beginning are surely the same in both.
    clean: u64,
    /// Contents on their way to the platter, oldest first.
    pending: VecDeque<Pending>,
    /// How many journal entries an fsync of it commits: up to its creation, or its last cut.
    entries: u64,
    /// Names in the cache and on the platter, journal entries and pending fsyncs that point here.
    links: u32,
}

/// A content on its way to the platter: the first `base` bytes of the content submitted before it,
/// then `tail`.
#[derive(Debug)]
struct Pending {
    base: u64,
    tail: Vec<Piece>,
    /// How many bytes at the beginning are surely the same in it and the cache.
    clean: u64,
}

impl Inode {
    fn cut_clean(&mut self, len: u64) {
        self.clean = self.clean.min(len);
        for pending in &mut self.pending {
            pending.clean = pending.clean.min(len);
        }
    }

    fn submit(&mut self) {
        let base = self.pending.back().map_or(self.clean, |pending| pending.clean);
        let tail = self.cache.tail(base);
        self.pending.push_back(Pending { base, tail, clean: self.cache.byte_len() });
    }

    fn complete(&mut self) {
        let Some(Pending { base, tail, clean }) = self.pending.pop_front() else { return };
        self.platter.truncate(base);
        tail.into_iter().for_each(|piece| self.platter.append(piece));
        self.clean = clean;
    }

    /// Makes both sides what a power loss left.
    fn tear(&mut self, stream: &mut Stream, pages: &Pages) {
        self.pending.clear();
        if self.clean < self.cache.byte_len() || self.clean < self.platter.byte_len() {
            let first = self.clean / SECTOR_BYTES * SECTOR_BYTES;
            let torn = self.torn_from(first, stream);
            self.platter.truncate(first);
            for content in torn.chunks(PAGE_BYTES) {
                let page = pages.page();
                self.platter.append(page.push(Bytes::copy_from_slice(content)));
                page.rest();
            }
        }
        self.cache = self.platter.clone();
        self.clean = self.cache.byte_len();
    }

    /// What is left from byte `first`, the beginning of a sector, on.
    fn torn_from(&self, first: u64, stream: &mut Stream) -> Vec<u8> {
        let mut left = self.platter.flatten(first);
        let cache = self.cache.flatten(first);
        let kept = Ratio::new(stream.below(5), 4).expect("at most 4 of 4");
        for (index, sector) in cache.chunks(SECTOR_BYTES as usize).enumerate() {
            if stream.chance(kept) {
                let start = index * SECTOR_BYTES as usize;
                let end = start + sector.len();
                if left.len() < end {
                    left.resize(end, 0);
                }
                left[start..end].copy_from_slice(sector);
            }
        }
        left
    }
}

/// An entry of the journal.
#[derive(Debug)]
enum Change {
    Create {
        name: FileName,
        inode: u64,
    },
    Rename {
        from: FileName,
        to: FileName,
        inode: u64,
    },
    Delete {
        name: FileName,
        inode: u64,
    },
    /// With what was cut off, from `len` on.
    Cut {
        len: u64,
        off: Vec<Piece>,
        inode: u64,
    },
}

impl Change {
    fn inode(&self) -> u64 {
        let (Self::Create { inode, .. }
        | Self::Rename { inode, .. }
        | Self::Delete { inode, .. }
        | Self::Cut { inode, .. }) = self;
        *inode
    }
}

/// What completes when the oldest fsync does.
#[derive(Clone, Copy, Debug)]
enum Sync {
    File { inode: u64, upto: u64 },
    NoFile,
    Directory { upto: u64 },
}

/// The disk of one host.
#[derive(Debug, Default)]
pub struct Disk {
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<FileName, u64>,
    platter_names: BTreeMap<FileName, u64>,
    journal: VecDeque<Change>,
    /// How many journal entries were committed so far: the number of the first that is left.
    committed: u64,
    syncs: VecDeque<(DiskOpId, Sync)>,
    /// Draws what a power loss leaves, and nothing else.
    pages: Pages,
}

impl Disk {
    /// Does `request`. Whether its end is to be reported later, by [`Disk::complete`]: true for
    /// fsyncs.
    ///
    /// What concerns a file that is not there does nothing; so does cutting a file to more than it
    /// has.
    pub fn apply(&mut self, op: DiskOpId, request: DiskRequest) -> bool {
        match request {
            DiskRequest::Append { file, bytes } => self.open(file).cache.append(bytes),
            DiskRequest::Write { file, bytes } => {
                if let Some(&number) = self.names.get(&file) {
                    self.cut(number, 0);
                }
                self.open(file).cache.append(bytes.into());
            }
            DiskRequest::Truncate { file, len } => {
                if let Some(&number) = self.names.get(&file) {
                    self.cut(number, len);
                }
            }
            DiskRequest::Rename { from, to } => self.rename(from, to),
            DiskRequest::Delete { file } => {
                if let Some(inode) = self.names.remove(&file) {
                    // The link of the name becomes that of the journal entry.
                    self.journal.push_back(Change::Delete { name: file, inode });
                }
            }
            DiskRequest::Fsync { file } => {
                let sync = match self.names.get(&file) {
                    None => Sync::NoFile,
                    Some(&number) => {
                        let inode = self.inode(number);
                        inode.submit();
                        inode.links += 1;
                        Sync::File { inode: number, upto: inode.entries }
                    }
                };
                self.syncs.push_back((op, sync));
                return true;
            }
            DiskRequest::FsyncDirectory => {
                let upto = self.committed + self.journal.len() as u64;
                self.syncs.push_back((op, Sync::Directory { upto }));
                return true;
            }
        }
        false
    }

    /// Whether an operation is an fsync that is not complete.
    pub fn is_syncing(&self, op: DiskOpId) -> bool {
        self.syncs.iter().any(|(sync, _)| *sync == op)
    }

    /// Completes the oldest fsync, if that is `op`; after a power loss it is not.
    pub fn complete(&mut self, op: DiskOpId) {
        let Some(&(oldest, sync)) = self.syncs.front() else { return };
        if oldest != op {
            return;
        }
        self.syncs.pop_front();
        match sync {
            Sync::NoFile => {}
            Sync::Directory { upto } => self.commit(upto),
            Sync::File { inode: number, upto } => {
                self.commit(upto);
                self.inode(number).complete();
                self.unlink(number);
            }
        }
    }

    /// The host loses power. `stream` says what got to the platter in time.
    pub fn power_loss(&mut self, stream: &mut Stream) {
        self.syncs.clear();
        let kept = stream.within(0..=self.journal.len() as u64);
        self.commit(self.committed + kept);
        self.committed += self.journal.len() as u64;
        for lost in std::mem::take(&mut self.journal).into_iter().rev() {
            if let Change::Cut { len, off, inode } = lost {
                let cache = &mut self.inode(inode).cache;
                cache.truncate(len);
                off.into_iter().for_each(|piece| cache.append(piece));
            }
        }
        self.names = self.platter_names.clone();
        let mut lost = std::mem::take(&mut self.inodes);
        for number in self.names.values() {
            let mut inode = lost.remove(number).expect("a name on the platter has an inode");
            inode.links = 2;
            inode.entries = 0;
            inode.tear(stream, &self.pages);
            self.inodes.insert(*number, inode);
        }
    }

    /// What a process finds when it starts: the page cache. Shares the memory of the pieces.
    pub fn image(&self) -> DiskImage {
        let content = |number| self.inodes[number].cache.clone();
        self.names.iter().map(|(name, number)| (name.clone(), content(number))).collect()
    }

    /// Length of a file in the page cache, in bytes.
    pub fn file_len(&self, file: &str) -> Option<u64> {
        self.names.get(file).map(|number| self.inodes[number].cache.byte_len())
    }

    /// The content that is surely on the platter under `file`.
    pub fn platter(&self, file: &str) -> Option<&Rope> {
        self.platter_names.get(file).map(|number| &self.inodes[number].platter)
    }

    /// How many files there are, counting those that only the platter or the journal still know.
    pub fn inode_count(&self) -> usize {
        self.inodes.len()
    }

    fn inode(&mut self, number: u64) -> &mut Inode {
        self.inodes.get_mut(&number).expect("an inode stays while something points to it")
    }

    fn open(&mut self, file: FileName) -> &mut Inode {
        let number = match self.names.get(&file) {
            Some(&number) => number,
            None => {
                let number = self.next_inode;
                self.next_inode += 1;
                self.names.insert(file.clone(), number);
                self.journal.push_back(Change::Create { name: file, inode: number });
                let entries = self.committed + self.journal.len() as u64;
                self.inodes.insert(number, Inode { links: 2, entries, ..Inode::default() });
                number
            }
        };
        self.inode(number)
    }

    fn cut(&mut self, number: u64, len: u64) {
        let entries = self.committed + self.journal.len() as u64 + 1;
        let inode = self.inode(number);
        if len >= inode.cache.byte_len() {
            return;
        }
        inode.cut_clean(len);
        let off = inode.cache.tail(len);
        inode.cache.truncate(len);
        inode.entries = entries;
        inode.links += 1;
        self.journal.push_back(Change::Cut { len, off, inode: number });
    }

    fn rename(&mut self, from: FileName, to: FileName) {
        if from == to {
            return;
        }
        let Some(inode) = self.names.remove(&from) else { return };
        if let Some(replaced) = self.names.insert(to.clone(), inode) {
            self.unlink(replaced);
        }
        self.inode(inode).links += 1;
        self.journal.push_back(Change::Rename { from, to, inode });
    }

    /// Brings the journal to the platter, up to entry `upto`, that one not included.
    fn commit(&mut self, upto: u64) {
        while self.committed < upto {
            let change =
                self.journal.pop_front().expect("only what is in the journal is committed");
            self.committed += 1;
            let number = change.inode();
            match change {
                Change::Create { name, .. } => self.name_on_platter(name, number),
                Change::Cut { len, .. } => self.inode(number).platter.truncate(len),
                Change::Rename { from, to, .. } => {
                    self.unname_on_platter(&from, number);
                    self.name_on_platter(to, number);
                }
                Change::Delete { name, .. } => self.unname_on_platter(&name, number),
            }
            self.unlink(number);
        }
    }

    fn name_on_platter(&mut self, name: FileName, number: u64) {
        self.inode(number).links += 1;
        if let Some(replaced) = self.platter_names.insert(name, number) {
            self.unlink(replaced);
        }
    }

    fn unname_on_platter(&mut self, name: &FileName, number: u64) {
        if self.platter_names.get(name) == Some(&number) {
            self.platter_names.remove(name);
            self.unlink(number);
        }
    }

    fn unlink(&mut self, number: u64) {
        let inode = self.inode(number);
        inode.links -= 1;
        if inode.links == 0 {
            self.inodes.remove(&number);
        }
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
