//! Tests of the checks of writes, with transactions under way and applied.

use bytes::Bytes;

use super::super::tree::Changes;
use super::*;
use crate::vocab::NodeId;

const SESSION: i64 = 7;

struct Fixture {
    state: Database,
    preparer: Preparer,
    ids: Vec<AuthId>,
}

impl Fixture {
    fn new() -> Self {
        let preparer =
            Preparer::new(Zxid(0), &Config { extended_types: true, ..Config::default() });
        let ids = vec![AuthId::of_peer(NodeId(1))];
        let mut fixture = Self { state: Database::default(), preparer, ids };
        fixture.applied(Write::CreateSession { timeout_ms: 4_000, password: [0; PASSWORD] });
        fixture
    }

    fn proposed(&mut self, write: Write) -> Txn {
        let by =
            Requester { session: SESSION, cxid: 1, ids: &self.ids, time_ms: 5, is_local: false };
        self.preparer.write(&self.state, by, write)
    }

    fn apply(&mut self, txn: &Txn) {
        self.state.apply(txn, &mut Changes::new());
        self.preparer.applied(txn);
    }

    fn applied(&mut self, write: Write) -> Record {
        let txn = self.proposed(write);
        self.apply(&txn);
        txn.record
    }
}

fn create(path: &str, flags: i32) -> Write {
    Write::Create(Create::new(path, None, flags))
}

fn set(path: &str, version: i32) -> SetData {
    SetData { path: path.into(), data: Some(Bytes::from_static(b"x")), version }
}

fn delete(path: &str, version: i32) -> Delete {
    Delete { path: path.into(), version }
}

fn code(record: Record) -> Code {
    match record {
        Record::Error(code) => code,
        other => panic!("{other:?} is no error"),
    }
}

#[test]
fn what_is_proposed_counts_before_it_is_applied() {
    let mut fixture = Fixture::new();
    let first = fixture.proposed(create("/a", 0));
    assert_eq!(code(fixture.proposed(create("/a", 0)).record), Code::NODE_EXISTS);
    let child = fixture.proposed(create("/a/q-", 2));
    assert!(matches!(&child.record, Record::Create { path, .. } if &**path == "/a/q-0000000000"));
    let set_once = fixture.proposed(Write::SetData(set("/a", 0)));
    assert_eq!(code(fixture.proposed(Write::SetData(set("/a", 0))).record), Code::BAD_VERSION);
    assert_eq!(code(fixture.proposed(Write::Delete(delete("/a", -1))).record), Code::NOT_EMPTY);
    for txn in [first, child, set_once] {
        fixture.apply(&txn);
    }
    assert_eq!(fixture.preparer.outstanding(), 0);
    assert_eq!(fixture.state.tree.get("/a").unwrap().version, 1);
}

#[test]
fn failed_writes_take_a_zxid_too() {
    let mut fixture = Fixture::new();
    let zxids =
        [create("/a", 0), create("/a", 0), Write::Delete(delete("/x", -1)), Write::Multi(vec![])]
            .map(|write| fixture.proposed(write).zxid.0);
    assert_eq!(zxids, [2, 3, 4, 5]);
}

#[test]
fn a_multi_that_fails_leaves_nothing_behind_and_says_which_operation_it_was() {
    let mut fixture = Fixture::new();
    let ops = vec![
        MultiOp::Create(Create::persistent("/a", None)),
        MultiOp::SetData(set("/a", 7)),
        MultiOp::Delete(delete("/a", -1)),
    ];
    let expected = [Code::OK, Code::BAD_VERSION, Code::RUNTIME_INCONSISTENCY].map(Record::Error);
    assert_eq!(fixture.proposed(Write::Multi(ops)).record, Record::Multi(expected.to_vec()));
    assert_eq!(fixture.preparer.outstanding(), 0);
    let applied = fixture.applied(create("/a", 2));
    let Record::Create { path, .. } = applied else { panic!("{applied:?}") };
    assert_eq!(&*path, "/a0000000000");
}

#[test]
fn a_multi_sees_its_own_earlier_operations() {
    let mut fixture = Fixture::new();
    let ops = vec![
        MultiOp::Create(Create::ephemeral("/ids", None)),
        MultiOp::SetData(set("/ids", 0)),
        MultiOp::Check(VersionCheck { path: "/ids".into(), version: 1 }),
    ];
    let Record::Multi(records) = fixture.applied(Write::Multi(ops)) else { panic!("no multi") };
    assert!(matches!(records[1], Record::SetData { version: 1, .. }));
    assert_eq!(fixture.state.tree.get("/ids").unwrap().version, 1);
}

#[test]
fn closing_a_session_takes_its_ephemerals_even_those_only_proposed_and_nothing_after_it() {
    let mut fixture = Fixture::new();
    fixture.applied(create("/applied", 1));
    fixture.applied(create("/deleted", 1));
    let writes =
        [create("/proposed", 1), Write::Delete(delete("/deleted", -1)), Write::CloseSession];
    let txns = writes.map(|write| fixture.proposed(write));
    let ephemerals = vec!["/applied".into(), "/proposed".into()];
    assert_eq!(txns[2].record, Record::CloseSession { ephemerals });
    assert_eq!(code(fixture.proposed(create("/late", 1)).record), Code::SESSION_EXPIRED);
    txns.iter().for_each(|txn| fixture.apply(txn));
    assert_eq!(fixture.state.tree.ephemeral_count(), 0);
    assert_eq!(code(fixture.proposed(create("/late", 0)).record), Code::SESSION_EXPIRED);
}

#[test]
fn checks_of_creates_come_in_the_order_of_zookeeper() {
    let mut fixture = Fixture::new();
    fixture.applied(create("/e", 1));
    for (path, flags, expected) in [
        ("bad", 9, Code::BAD_ARGUMENTS),
        ("bad", 0, Code::BAD_ARGUMENTS),
        ("/e/", 0, Code::BAD_ARGUMENTS),
        ("/e//q", 0, Code::NO_NODE),
        ("/", 0, Code::NODE_EXISTS),
        ("/t", 5, Code::BAD_ARGUMENTS),
        ("/e/k", 0, Code::NO_CHILDREN_FOR_EPHEMERALS),
    ] {
        assert_eq!(code(fixture.proposed(create(path, flags)).record), expected, "{path}");
    }
}

#[test]
fn versions_skip_minus_one() {
    assert_eq!(next_version(-1, -2), Ok(0));
    assert_eq!(next_version(3, 3), Ok(4));
    assert_eq!(next_version(-1, i32::MAX), Ok(i32::MIN));
    assert_eq!(next_version(2, 3), Err(Code::BAD_VERSION));
}
