//! Tests of snapshots that are taken while transactions are applied: replay gives the state that there was.

use super::super::acl::AuthId;
use super::super::prepare::{Preparer, Requester, Write};
use super::super::tree::Changes;
use super::super::txn::{PASSWORD, Record, Txn};
use super::super::{Config, tree::NewZnode, txn::Lifetime};
use super::*;
use crate::vocab::{NodeId, Seed, Stream};
use crate::wire::zookeeper::{Acl, Create, Delete, MultiOp, SetData};

/// A server's state under random writes, and all its transactions.
struct Story {
    stream: Stream,
    state: Database,
    preparer: Preparer,
    ids: Vec<AuthId>,
    txns: Vec<Txn>,
}

impl Story {
    fn new(seed: u64) -> Self {
        let config = Config { extended_types: true, ..Config::default() };
        Self {
            stream: Seed(seed).stream("story"),
            state: Database::default(),
            preparer: Preparer::new(Zxid(0), &config),
            ids: vec![AuthId::of_peer(NodeId(1))],
            txns: Vec::new(),
        }
    }

    /// Few names, three deep, so that the same ones come and go.
    fn path(&mut self) -> String {
        let depth = [1, 1, 1, 2, 2, 3][self.stream.below(6) as usize];
        (0..depth)
            .map(|_| format!("/{}", ["a", "a-b", "b"][self.stream.below(3) as usize]))
            .collect()
    }

    fn create(&mut self) -> Create {
        let flags = [0, 0, 0, 1, 1, 2, 3, 4][self.stream.below(8) as usize];
        Create::new(self.path(), Some(Bytes::from(self.txns.len().to_string())), flags)
    }

    fn part(&mut self) -> MultiOp {
        match self.stream.below(3) {
            0 => MultiOp::Delete(self.delete()),
            1 => MultiOp::SetData(self.set()),
            _ => MultiOp::Create(self.create()),
        }
    }

    fn delete(&mut self) -> Delete {
        Delete { path: self.path().into(), version: -1 }
    }

    fn set(&mut self) -> SetData {
        let data = Some(Bytes::from(self.txns.len().to_string()));
        SetData { path: self.path().into(), data, version: -1 }
    }

    fn draw(&mut self) -> Write {
        match self.stream.below(24) {
            0 | 1 => Write::CreateSession { timeout_ms: 4_000, password: [1; PASSWORD] },
            2 => Write::CloseSession,
            3..=5 => Write::Delete(self.delete()),
            6 | 7 => Write::SetData(self.set()),
            8 => Write::SetAcl { path: self.path().into(), acl: Acl::open(), aversion: -1 },
            9..=11 => {
                let parts = self.stream.within(1..=3);
                Write::Multi((0..parts).map(|_| self.part()).collect())
            }
            _ => Write::Create(self.create()),
        }
    }

    fn write(&mut self) {
        let session = self.stream.within(1..=3) as i64;
        let write = self.draw();
        let time_ms = self.txns.len() as i64;
        let by = Requester { session, cxid: 1, ids: &self.ids, time_ms, is_local: false };
        let txn = self.preparer.write(&self.state, by, write);
        self.state.apply(&txn, &mut Changes::new());
        self.preparer.applied(&txn);
        self.txns.push(txn);
    }

    fn replay(&self, snapshot: &Snapshot) -> Database {
        let mut state = snapshot.state().unwrap();
        let behind = self.txns.iter().filter(|txn| txn.zxid > snapshot.zxid);
        behind.for_each(|txn| {
            state.apply(txn, &mut Changes::new());
        });
        state
    }
}

/// A snapshot with up to `between` transactions from one piece to the next.
fn take(story: &mut Story, piece_bytes: usize, between: u64) -> Snapshot {
    let mut taking = Taking::begin(story.state.last_zxid);
    let mut file = taking.head().to_vec();
    for _ in 0..story.stream.within(0..=between) {
        story.write();
    }
    while let Some(piece) = taking.next_piece(&story.state, piece_bytes) {
        file.extend(piece);
        for _ in 0..story.stream.within(0..=between) {
            story.write();
        }
    }
    let (seal, snapshot) = taking.seal();
    file.extend(seal);
    assert_eq!(Snapshot::read(snapshot.zxid, &file.clone().into()), Some(snapshot.clone()));
    assert_eq!(snapshot.file(), file);
    snapshot
}

#[test]
fn replay_over_a_fuzzy_snapshot_comes_to_the_same_state() {
    let mut fuzzy = 0;
    for seed in 0..2_000 {
        let mut story = Story::new(seed);
        for _ in 0..story.stream.within(10..=80) {
            story.write();
        }
        let (piece_bytes, between) = (story.stream.within(1..=150), story.stream.within(1..=8));
        let before = story.state.clone();
        let snapshot = take(&mut story, piece_bytes as usize, between);
        assert_eq!(snapshot.zxid, before.last_zxid);
        assert!(snapshot.contains <= story.state.last_zxid);
        assert_eq!(story.replay(&snapshot), story.state, "seed {seed}");
        assert_eq!(story.replay(&snapshot).digest(), story.state.digest(), "seed {seed}");
        fuzzy += usize::from(snapshot.state().unwrap() != before);
    }
    assert!(fuzzy > 1_000, "only {fuzzy} snapshots were taken while something was applied");
}

#[test]
fn a_snapshot_of_a_state_at_rest_is_that_state() {
    let mut story = Story::new(1);
    (0..200).for_each(|_| story.write());
    let snapshot = Snapshot::of(&story.state);
    assert_eq!((snapshot.zxid, snapshot.contains), (story.state.last_zxid, story.state.last_zxid));
    assert_eq!(snapshot.state().unwrap(), story.state);
}

#[test]
fn a_file_that_lacks_a_byte_or_has_another_one_or_another_name_is_no_snapshot() {
    let mut story = Story::new(2);
    (0..30).for_each(|_| story.write());
    let snapshot = take(&mut story, 50, 2);
    let (zxid, file) = (snapshot.zxid, snapshot.file());
    assert_eq!(Snapshot::read(zxid, &file), Some(snapshot));
    assert_eq!(Snapshot::read(zxid.next(), &file), None);
    for at in 0..file.len() {
        assert_eq!(Snapshot::read(zxid, &file.slice(..at)), None, "cut at {at}");
        let mut rotten = file.to_vec();
        rotten[at] ^= 1;
        assert_eq!(Snapshot::read(zxid, &rotten.into()), None, "rotten at {at}");
    }
}

fn txn(zxid: i64, record: Record) -> Txn {
    Txn { session: 1, cxid: 1, zxid: Zxid(zxid), time_ms: zxid, record }
}

fn created(path: &str, parent_creates: i32) -> Record {
    let (path, acl, lifetime) = (path.into(), Acl::open(), Lifetime::Persistent);
    Record::Create { path, data: None, acl, lifetime, parent_creates }
}

fn deleted(path: &str) -> Record {
    Record::Delete { path: path.into() }
}

/// Applies `before`, takes a snapshot as far as `/q`, applies `meanwhile`, and takes the rest. Returns the
/// state of the snapshot, that with the log behind it, and the state of the server.
fn around_q(before: Vec<Record>, meanwhile: Vec<Record>) -> [Database; 3] {
    let mut state = Database::default();
    let mut zxid = 0;
    let mut apply = |state: &mut Database, record| {
        zxid += 1;
        let txn = txn(zxid, record);
        state.apply(&txn, &mut Changes::new());
        txn
    };
    before.into_iter().for_each(|record| {
        apply(&mut state, record);
    });
    let mut taking = Taking::begin(state.last_zxid);
    while taking.pending.iter().any(|path| &**path == "/q" || &**path == ROOT) {
        taking.next_piece(&state, 1);
    }
    let txns: Vec<Txn> = meanwhile.into_iter().map(|record| apply(&mut state, record)).collect();
    while taking.next_piece(&state, 1).is_some() {}
    let spelt = taking.seal().1.state().unwrap();
    let mut replayed = spelt.clone();
    for txn in &txns {
        replayed.apply(txn, &mut Changes::new());
    }
    [spelt, replayed, state]
}

#[test]
fn a_parents_pzxid_moves_though_its_child_is_gone_from_the_snapshot() {
    let before = vec![created("/q", 1), created("/q/p", 1)];
    let [spelt, replayed, state] = around_q(before, vec![deleted("/q/p")]);
    // Without the log it is a state that never was.
    assert!(spelt.tree.get("/q/p").is_none());
    assert_eq!(spelt.tree.get("/q").unwrap().pzxid, Zxid(2));
    assert_eq!(replayed.tree.get("/q").unwrap().pzxid, Zxid(3));
    assert_eq!(replayed, state);
}

#[test]
fn a_parents_counters_do_not_go_back_to_those_of_a_child_that_came_and_went() {
    let mut state = Database::default();
    let story = [
        created("/q", 1),
        created("/q/p", 1),
        deleted("/q/p"),
        created("/q/r", 2),
        deleted("/q/r"),
    ];
    let txns: Vec<Txn> = (1..).zip(story).map(|(zxid, record)| txn(zxid, record)).collect();
    txns.iter().for_each(|txn| {
        state.apply(txn, &mut Changes::new());
    });
    let stat = state.tree.get("/q").unwrap().stat();
    assert_eq!((stat.cversion, stat.pzxid), (4, Zxid(5)));
    let mut replayed = Snapshot::of(&state).state().unwrap();
    // The snapshot was begun before any of it, and written after all of it.
    txns.iter().for_each(|txn| {
        replayed.apply(txn, &mut Changes::new());
    });
    assert_eq!(replayed, state);
}

#[test]
fn a_znode_that_came_again_with_children_is_there_with_all_of_them() {
    let mut state = Database::default();
    let story = [created("/q", 1), deleted("/q"), created("/q", 2), created("/q/p", 1)];
    let txns: Vec<Txn> = (1..).zip(story).map(|(zxid, record)| txn(zxid, record)).collect();
    txns.iter().for_each(|txn| {
        state.apply(txn, &mut Changes::new());
    });
    let mut replayed = Snapshot::of(&state).state().unwrap();
    for txn in &txns[1..] {
        replayed.apply(txn, &mut Changes::new());
    }
    assert!(replayed.tree.get("/q").unwrap().children.contains("p"));
    assert_eq!(replayed, state);
}

#[test]
fn a_multi_that_falls_between_two_pieces_is_there_whole() {
    let multi = Record::Multi(vec![created("/b", 2), created("/z", 3), deleted("/q/p")]);
    let before = vec![created("/q", 1), created("/q/p", 1)];
    let [spelt, replayed, state] = around_q(before, vec![multi]);
    assert!(spelt.tree.get("/b").is_none(), "the root's children were named before");
    assert_eq!(replayed, state);
    assert!(replayed.tree.get("/b").is_some() && replayed.tree.get("/z").is_some());
}

#[test]
fn a_child_that_is_there_already_still_moves_its_parents_counters() {
    let mut state = Database::default();
    state.apply(&txn(1, created("/q", 1)), &mut Changes::new());
    state.apply(&txn(2, created("/q/p", 1)), &mut Changes::new());
    let new = NewZnode {
        data: None,
        acl: Acl::open(),
        lifetime: Lifetime::Persistent,
        parent_creates: 2,
    };
    let again = state.tree.create(Zxid(5), 5, &"/q/p".into(), &new, &mut Changes::new());
    assert!(again.is_err());
    let parent = state.tree.get("/q").unwrap();
    assert_eq!((parent.creates, parent.pzxid), (2, Zxid(5)));
}
