//! Large requests: four times as much costs about four times as much, of whatever it is more.
//!
//! Each array of each request is made large, once with the same element again and again, and once with a different one
//! each time. Measured is the time of the processor, which other load on the machine hardly changes; where a request
//! is slow it is measured again, and with one of a quarter of its size.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kafka_sim::releases::KafkaVersion;
use kafka_sim::wire::foreign::decode_foreign_request;

use super::ALLOCATOR;
use super::drawn_requests::{self, Bulk, Each, Schemas, versions};
use super::driver::{processor_time, turn};
use super::served::{self, Served, Server};

/// Bytes of a large request: an array has some thousand elements or more.
const SIZE: usize = 512 << 10;
/// What is faster than this costs too little for its square to be in it.
const QUICK: Duration = Duration::from_millis(400);
/// What one may allocate in all, in bytes.
const ALLOCATED_MAX: usize = 1 << 30;
/// How much longer four times as much may take: 16 were its square.
const GROWTH_MAX: u32 = 8;

/// What a stranger sends to one server.
pub struct Load {
    pub server: Server,
    pub pieces: Vec<Bytes>,
}

/// Processor time from when `load` is sent until it is dealt with, and five seconds more.
fn cost(release: &str, load: Load) -> (Duration, usize) {
    let (tell, told) = std::sync::mpsc::channel();
    served::play(release, 1, move |served: &mut Served<'_>| {
        served.join_group();
        let stranger = served.open(load.server);
        let (before, allocated) = (processor_time(), ALLOCATOR.total_allocated());
        load.pieces.into_iter().for_each(|piece| served.say(stranger, piece));
        served.pass(Duration::from_secs(5));
        let allocated = ALLOCATOR.total_allocated() - allocated;
        _ = tell.send((processor_time() - before, allocated));
        assert!(served.answers(), "no other client is answered");
    });
    told.recv().expect("the clients are done")
}

/// Fails when `load` of a size takes much more than four times what it takes of a quarter.
pub fn assert_linear(what: &str, release: &str, size: usize, load: impl Fn(usize) -> Load) {
    let mut wrong = String::new();
    for _ in 0..3 {
        let large = cost(release, load(size));
        let (large, allocated) = large;
        assert!(allocated <= ALLOCATED_MAX, "{what} allocates {allocated}");
        if large < QUICK {
            return;
        }
        let (small, _) = cost(release, load(size / 4));
        if large < small * GROWTH_MAX {
            return;
        }
        wrong = format!("{what}: {large:?}, a quarter of it {small:?}");
    }
    panic!("{wrong}");
}

/// How many elements make a request of `size` bytes.
fn count(schemas: &Schemas, api: ApiKey, version: i16, bulk: Bulk, size: usize) -> usize {
    let of = |count| drawn_requests::bulk(schemas, api, version, Bulk { count, ..bulk }).len();
    let (few, many) = (of(1_000), of(2_000));
    1_000 + size.saturating_sub(few) * 1_000 / (many - few).max(1)
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small request");
    [&length.to_be_bytes()[..], payload].concat()
}

/// Whether there is time for more than the highest versions of two releases.
fn is_nightly() -> bool {
    std::env::var_os("SIM_FUZZ_SECONDS").is_some()
}

/// Every array of an API in its highest version, and at night in its lowest.
fn arrays_of_a_release(release: &str) {
    let _turn = turn();
    let schemas = drawn_requests::schemas();
    let kafka: KafkaVersion = release.parse().expect("it is a line");
    for (&(key, version), parts) in &schemas {
        let api = ApiKey::try_from(key).expect("it is an API");
        let spoken = versions(kafka, api);
        let is_lowest = spoken.first() == Some(&version);
        let is_asked = spoken.last() == Some(&version) || is_lowest && is_nightly();
        if !is_asked {
            continue;
        }
        for array in 0..drawn_requests::arrays(parts) {
            for each in [Each::Same, Each::SameWithAll, Each::Distinct] {
                let bulk = Bulk { array, count: 0, each };
                let load = |size| {
                    let count = count(&schemas, api, version, bulk, size);
                    let bulk = Bulk { count, ..bulk };
                    let payload = drawn_requests::bulk(&schemas, api, version, bulk);
                    let decoded = decode_foreign_request(payload.clone().into());
                    assert!(
                        decoded.is_ok() || each == Each::SameWithAll,
                        "{api:?} v{version} {bulk:?}: {decoded:?}"
                    );
                    Load { server: Server::Broker(1), pieces: vec![framed(&payload).into()] }
                };
                let what = format!("{release} {api:?} v{version} {bulk:?}");
                assert_linear(&what, release, SIZE, load);
            }
        }
    }
}

#[test]
fn a_large_request_costs_what_it_is_large_in_0_10() {
    arrays_of_a_release("0.10");
}

#[test]
fn a_large_request_costs_what_it_is_large_in_2_8() {
    if is_nightly() {
        arrays_of_a_release("2.8");
    }
}

#[test]
fn a_large_request_costs_what_it_is_large_in_3_9() {
    arrays_of_a_release("3.9");
}
