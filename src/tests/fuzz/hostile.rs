//! Requests that are right, and hostile: what a decoder takes is handled, too, however large, repeated or senseless.
//!
//! A case is a cluster with topics, a group and producers, and a client that sends it requests of every API. No node
//! panics or runs out of stack, each request is answered or its connection is closed, another client is answered
//! beside it, and no property is violated.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kafka_protocol::messages::{ApiKey, RequestKind};
use kafka_sim::checkers::{Class, Judged, RunOutcome, Status};
use kafka_sim::releases::KafkaVersion;
use kafka_sim::vocab::Stream;
use kafka_sim::wire::foreign::decode_foreign_request;

use super::drawn_requests::{self, MEMBER};
use super::driver::Target;
use super::served::{self, Served, Server};

/// Cases in an ordinary test run.
const CASES: u64 = 40;
/// Requests of a case.
const REQUESTS: u64 = 24;

/// Requests that may wait for as long as they say.
const WAITING: [ApiKey; 11] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::OffsetCommit,
    ApiKey::TxnOffsetCommit,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::CreatePartitions,
    ApiKey::ElectLeaders,
    ApiKey::DeleteRecords,
];

/// Which release, and which requests: a line, and frames with their lengths.
fn draw(stream: &mut Stream, parts: &drawn_requests::Schemas) -> Vec<u8> {
    let lines = KafkaVersion::lines();
    let release = &lines[stream.below(lines.len() as u64) as usize];
    let version: KafkaVersion = release.parse().expect("it is a line");
    let mut case = format!("{release}\n").into_bytes();
    for _ in 0..=stream.below(REQUESTS) {
        let payload = drawn_requests::draw(stream, parts, version);
        case.extend(u32::try_from(payload.len()).expect("it is small").to_be_bytes());
        case.extend(payload);
    }
    case
}

/// What a stranger's requests did to a cluster.
fn take(case: &[u8]) -> RunOutcome {
    let end = case.iter().position(|byte| *byte == b'\n').expect("a release in a line");
    let release = std::str::from_utf8(&case[..end]).expect("it is a text").to_owned();
    let mut rest = case[end + 1..].to_vec();
    served::play(&release, 2, move |served| {
        let member = served.join_group();
        while let Some(length) = rest.first_chunk::<4>() {
            let size = u32::from_be_bytes(*length) as usize;
            let mut frame: Vec<u8> = rest.drain(..4 + size).collect();
            put_member(&mut frame, &member);
            one(served, frame);
        }
    })
}

/// The member's id, where the request has a place for it.
fn put_member(frame: &mut [u8], member: &str) {
    if member.len() != MEMBER.len() {
        return;
    }
    let found = |frame: &[u8]| frame.windows(MEMBER.len()).position(|w| w == MEMBER.as_bytes());
    while let Some(at) = found(frame) {
        frame[at..at + MEMBER.len()].copy_from_slice(member.as_bytes());
    }
}

fn one(served: &mut Served<'_>, frame: Vec<u8>) {
    let key = i16::from_be_bytes([frame[4], frame[5]]);
    // The last byte of the correlation id.
    let stranger = served.open(Server::Broker(1 + (frame[11] & 1)));
    served.say(stranger, frame.clone());
    let is_done = served.wait(stranger);
    let api = ApiKey::try_from(key).expect("it was drawn");
    let may_wait = WAITING.contains(&api) || has_no_transaction(&frame);
    assert!(is_done || may_wait, "{api:?} is neither answered nor refused: {frame:02x?}");
    if is_done {
        served.close(stranger);
    }
    assert!(served.answers(), "{api:?}: no other client is answered: {frame:02x?}");
}

/// A real broker answers AddPartitionsToTxn when the last of its transactions is answered: without one, it never does
/// (3.9.1).
fn has_no_transaction(frame: &[u8]) -> bool {
    let request = decode_foreign_request(frame[4..].to_vec().into());
    request.is_ok_and(|request| match request.body {
        RequestKind::AddPartitionsToTxn(body) => {
            request.version >= 4 && body.transactions.is_empty()
        }
        _ => false,
    })
}

#[test]
fn every_right_request_is_answered_or_refused() {
    let schemas = drawn_requests::schemas();
    let target = Target { name: "hostile_requests", memory: 2 << 30, memory_per_byte: 0 };
    let wrong: RefCell<BTreeMap<String, String>> = RefCell::default();
    target.draw_some(
        CASES,
        |stream| draw(stream, &schemas),
        |case| {
            let outcome = take(case);
            let is_wrong = |judged: &&Judged| {
                judged.property.class == Class::Safety && judged.status() >= Status::NotConverged
            };
            for judged in outcome.judgement.verdicts.iter().filter(is_wrong) {
                let name = judged.property.name.to_owned();
                wrong.borrow_mut().entry(name).or_insert_with(|| outcome.to_string());
            }
            assert!(wrong.borrow().is_empty(), "{wrong:?}");
        },
    );
}
