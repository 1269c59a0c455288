//! Snapshots: tree and sessions in one file, written a piece at a time while transactions go on being applied.
//!
//! Such a snapshot is *fuzzy*, as ZooKeeper's are (`DataTree.serializeNode`): its name says with which transaction
//! it began, and it holds effects of later ones, as far as they came before the piece that they are in. The log
//! completes it: everything behind the name is applied again, and that gives the state that there was ([`Tree`]
//! documents why). So a snapshot needs the log up to the last transaction that was applied before its last piece;
//! the file says which that is, and is sealed only when the log has it on the platter.
//!
//! A znode is written at one moment, with its `Stat` and the names of its children as of then; the children follow
//! in later pieces, those of the names that are still there. So no znode is written without its parent.

use std::sync::Arc;

use bytes::Bytes;

use super::database::Database;
use super::path::{ROOT, child};
use super::sessions::SessionTable;
use super::tree::Tree;
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};

const HEADER: [u8; 8] = *b"KSSN\0\0\0\x02";
/// Header, and the zxid of the name.
const HEAD: usize = HEADER.len() + 8;
/// The last transaction in it, the number of znodes, and CRC-32C of all between header and checksum.
const SEAL: usize = 8 + 4 + 4;

/// A whole snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All transactions up to this one are in it.
    pub zxid: Zxid,
    /// None behind this one is; of those between it holds some effects.
    pub contains: Zxid,
    znodes: usize,
    body: Bytes,
}

impl Snapshot {
    /// A state that does not change meanwhile: nothing is fuzzy.
    pub fn of(state: &Database) -> Self {
        let mut taking = Taking::begin(state.last_zxid);
        while taking.next_piece(state, usize::MAX).is_some() {}
        taking.seal().1
    }

    /// Its content's size, in bytes.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Its state, which is exact only together with the log behind [`Snapshot::zxid`].
    ///
    /// # Errors
    /// When the bytes are no snapshot.
    pub fn state(&self) -> Result<Database, JuteError> {
        let mut from = Reader::new(self.body.clone());
        let sessions = SessionTable::decode(&mut from)?;
        let tree = Tree::decode_znodes(&mut from, self.znodes)?;
        Ok(Database { tree, sessions, last_zxid: self.zxid })
    }

    /// The file that holds it.
    pub fn file(&self) -> Bytes {
        let head = head(self.zxid);
        let seal = seal(&head, &self.body, self.contains, self.znodes);
        [&head[..], &self.body, &seal].concat().into()
    }

    /// Reads the file that is named after `zxid`; `None` when it is torn, rotten, or no snapshot.
    pub fn read(zxid: Zxid, file: &Bytes) -> Option<Self> {
        let body_end = file.len().checked_sub(SEAL).filter(|end| *end >= HEAD)?;
        let mut from = Reader::new(file.slice(body_end..));
        let contains = Zxid(from.long().ok()?);
        let znodes = usize::try_from(from.int().ok()?).ok()?;
        let body = file.slice(HEAD..body_end);
        let whole = file[..HEAD] == head(zxid)
            && file[body_end..] == seal(&file[..HEAD], &body, contains, znodes)
            && contains >= zxid;
        whole.then_some(Self { zxid, contains, znodes, body })
    }

    /// A snapshot of `len` bytes that cannot be read.
    #[cfg(test)]
    pub fn of_len(zxid: Zxid, len: usize) -> Self {
        Self { zxid, contains: zxid, znodes: 0, body: vec![0; len].into() }
    }
}

fn head(zxid: Zxid) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..HEADER.len()].copy_from_slice(&HEADER);
    head[HEADER.len()..].copy_from_slice(&zxid.0.to_be_bytes());
    head
}

fn seal(head: &[u8], body: &[u8], contains: Zxid, znodes: usize) -> [u8; SEAL] {
    let znodes = u32::try_from(znodes).expect("fewer than 4 billion znodes");
    let mut seal = [0; SEAL];
    seal[..8].copy_from_slice(&contains.0.to_be_bytes());
    seal[8..12].copy_from_slice(&znodes.to_be_bytes());
    let checksum = crc32c::crc32c(&head[HEADER.len()..]);
    let checksum = crc32c::crc32c_append(checksum, body);
    let checksum = crc32c::crc32c_append(checksum, &seal[..12]);
    seal[12..].copy_from_slice(&checksum.to_be_bytes());
    seal
}

/// A snapshot that is being taken.
#[derive(Debug)]
pub struct Taking {
    zxid: Zxid,
    contains: Zxid,
    has_sessions: bool,
    /// What is still to be visited, the next one last: each znode's children are named when it is written.
    pending: Vec<Arc<str>>,
    znodes: usize,
    body: Vec<u8>,
}

impl Taking {
    /// A snapshot that is named after `zxid`, the last transaction that is applied now.
    pub fn begin(zxid: Zxid) -> Self {
        let (pending, body) = (vec![ROOT.into()], Vec::new());
        Self { zxid, contains: zxid, has_sessions: false, pending, znodes: 0, body }
    }

    /// Which transaction it is named after.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// The last transaction of which it may hold something.
    pub fn contains(&self) -> Zxid {
        self.contains
    }

    /// What the file begins with.
    pub fn head(&self) -> Bytes {
        Bytes::copy_from_slice(&head(self.zxid))
    }

    /// The next bytes of the file, with what the state holds now: the sessions first, then znodes, `limit` bytes or
    /// a little more. `None` when nothing is left.
    pub fn next_piece(&mut self, state: &Database, limit: usize) -> Option<Bytes> {
        if self.has_sessions && self.pending.is_empty() {
            return None;
        }
        let mut to = Writer::new();
        if !std::mem::replace(&mut self.has_sessions, true) {
            state.sessions.encode(&mut to);
        }
        while to.len() < limit
            && let Some(path) = self.pending.pop()
        {
            // Deleted since its parent was written.
            let Some(znode) = state.tree.get(&path) else { continue };
            Tree::encode_znode(&path, znode, &mut to);
            self.znodes += 1;
            self.pending.extend(znode.children.iter().rev().map(|name| child(&path, name)));
        }
        self.contains = self.contains.max(state.last_zxid);
        let piece = to.finish();
        self.body.extend_from_slice(&piece);
        Some(piece)
    }

    /// The last bytes of the file, and all of it.
    pub fn seal(self) -> (Bytes, Snapshot) {
        let Self { zxid, contains, znodes, body, .. } = self;
        let seal = seal(&head(zxid), &body, contains, znodes);
        let snapshot = Snapshot { zxid, contains, znodes, body: body.into() };
        (Bytes::copy_from_slice(&seal), snapshot)
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
