//! What acknowledgements wait for.

use std::io::Write;

use super::*;
use crate::vocab::step::Closed;
use crate::wire::records::BATCH_HEADER_BYTES;

#[test]
fn acks_all_waits_for_every_in_sync_replica() {
    for version in KafkaVersion::ALL {
        let mut cluster = Cluster::new(*version);
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.hold(3);
        let conn = cluster.produce(1, -1, "a");
        assert_eq!(cluster.produced(conn), None, "{version}: b3 has not fetched it");
        assert_eq!(cluster.status(1).high_watermark, 0);
        assert_eq!(cluster.values(2), ["a"]);
        cluster.release(3);
        assert_eq!(cluster.produced(conn), Some((0, 0)), "{version}");
        assert_eq!(cluster.status(1).high_watermark, 1);
        cluster.assert_logs_match();
    }
}

#[test]
fn followers_learn_the_high_watermark_one_round_later() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.produce(1, -1, "a");
    assert_eq!((cluster.status(1).high_watermark, cluster.status(2).high_watermark), (1, 0));
    cluster.pass(600);
    assert_eq!(cluster.status(2).high_watermark, 1);
    assert_eq!(cluster.consume(1, 0), (0, vec!["a".to_owned()]));
}

#[test]
fn acks_one_is_answered_at_once_and_not_readable_before_it_is_committed() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.hold(2);
    let conn = cluster.produce(1, 1, "a");
    assert_eq!(cluster.produced(conn), Some((0, 0)));
    assert_eq!(cluster.consume(1, 0), (0, vec![]));
    assert_eq!(cluster.consume(1, 1), (0, vec![]), "between high watermark and log end");
    cluster.release(2);
    assert_eq!(cluster.consume(1, 0).1, ["a"]);
}

#[test]
fn acks_zero_has_no_answer_and_an_error_closes_the_connection() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    let good = cluster.produce(1, 0, "a");
    let bad = cluster.produce(2, 0, "b");
    assert_eq!(cluster.replicas(1).unanswered, 1);
    assert_eq!(cluster.closed(cluster.client, good.conn), None);
    assert_eq!(cluster.closed(cluster.client, bad.conn), Some(Closed::Eof));
    assert!(cluster.payloads(good).is_empty() && cluster.payloads(bad).is_empty());
    assert_eq!(cluster.values(1), ["a"]);
}

#[test]
fn errors_before_the_append_write_nothing() {
    let mut cluster = Cluster::tuned(NEWEST, |config| {
        config.min_insync_replicas = 2;
        config.message_max_bytes = 100;
    });
    cluster.elect(1, 1, &[1]);
    let refused = |cluster: &mut Cluster, broker, acks, bytes| {
        let conn = cluster.produce_bytes(broker, acks, bytes);
        cluster.produced(conn).expect("it is refused at once").0
    };
    let good = batch("a").bytes;
    assert_eq!(refused(&mut cluster, 1, -1, good.clone()), 19, "NOT_ENOUGH_REPLICAS");
    assert_eq!(refused(&mut cluster, 2, -1, good.clone()), 6, "NOT_LEADER_OR_FOLLOWER");
    assert_eq!(refused(&mut cluster, 1, 2, good.clone()), 21, "INVALID_REQUIRED_ACKS");
    assert_eq!(refused(&mut cluster, 1, 1, batch(&"x".repeat(99)).bytes), 10, "too large");
    let mut damaged = good.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&mut cluster, 1, 1, damaged.into()), 2, "CORRUPT_MESSAGE");
    let mut old = good.to_vec();
    old[16] = 1;
    assert_eq!(refused(&mut cluster, 1, 1, old.into()), 87, "older message format");
    assert_eq!(refused(&mut cluster, 1, 1, good.slice(..20)), 87, "not a batch");
    assert_eq!(refused(&mut cluster, 1, 1, [&good[..], &good[..]].concat().into()), 87, "two");
    assert_eq!(refused(&mut cluster, 1, 1, Bytes::new()), 87, "none");
    assert_eq!(cluster.status(1).log_end_offset, 0);
    let conn = cluster.produce(1, 1, "a");
    assert_eq!(cluster.produced(conn), Some((0, 0)), "acks=1 does not ask for the ISR");
}

/// A batch of one record with other attributes, and something else for its records.
fn sealed(attributes: u8, body: &[u8]) -> Bytes {
    let mut bytes = batch("a").bytes[..BATCH_HEADER_BYTES].to_vec();
    bytes[22] = attributes;
    bytes.extend(body);
    let length = (bytes.len() - 12) as u32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

#[test]
fn compressed_batches_are_opened_and_kept_as_they_came() {
    let records = &batch("a").bytes[BATCH_HEADER_BYTES..];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(records).unwrap();
    let good = gzip.finish().unwrap();
    let short = snap::raw::Encoder::new().compress_vec(&records[..3]).unwrap();
    const UNKNOWN_SERVER_ERROR: i16 = -1;
    const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
    for (release, api, bytes, wanted) in [
        ((2, 8), 7, sealed(1, &good), 0),
        ((1, 0), 5, sealed(1, &good), 0),
        ((2, 8), 7, sealed(1, &[9; 40]), UNKNOWN_SERVER_ERROR),
        ((2, 8), 7, sealed(3, &[9; 40]), UNKNOWN_SERVER_ERROR),
        ((2, 8), 7, sealed(5, &good), UNKNOWN_SERVER_ERROR),
        // Fewer bytes than the record needs: INVALID_RECORD, and CORRUPT_MESSAGE before that was there.
        ((2, 8), 7, sealed(2, &short), 87),
        ((2, 3), 7, sealed(2, &short), 2),
        ((2, 8), 7, sealed(4, &[9; 40]), UNKNOWN_SERVER_ERROR),
        ((2, 8), 6, sealed(4, &[9; 40]), UNSUPPORTED_COMPRESSION_TYPE),
        ((2, 0), 6, sealed(4, &[9; 40]), UNKNOWN_SERVER_ERROR),
        // Clients write no markers of transactions.
        ((2, 8), 7, sealed(0x20, records), 87),
    ] {
        let mut cluster = Cluster::new(KafkaVersion::new(release.0, release.1));
        cluster.elect(1, 1, &[1]);
        let conn = cluster.request(1, api, kafka::produce("orders", 0, 1, Some(bytes.clone())));
        let (error, _) = cluster.produced(conn).expect("it is answered at once");
        assert_eq!(error, wanted, "{release:?} v{api} {bytes:02x?}");
        assert_eq!(cluster.status(1).log_end_offset, i64::from(error == 0));
        if error == 0 {
            let kept = cluster.manager(1).records(&at()).next().expect("it is kept");
            assert_eq!(kept.bytes[21..], bytes[21..], "as it came");
        }
    }
}

#[test]
fn too_few_in_sync_replicas_after_the_append_is_an_error_but_the_record_stays() {
    let mut cluster = Cluster::tuned(KafkaVersion::new(2, 6), |config| {
        config.min_insync_replicas = 2;
    });
    cluster.crash(3);
    cluster.elect(1, 1, &[1, 2]);
    cluster.crash(2);
    let conn = cluster.produce(1, -1, "a");
    cluster.pass(16_000);
    assert_eq!(cluster.commit_isr(), ids(&[1]));
    assert_eq!(cluster.produced(conn), Some((20, 0)), "NOT_ENOUGH_REPLICAS_AFTER_APPEND");
    assert_eq!(cluster.values(1), ["a"]);
    assert_eq!(
        cluster.status(1).high_watermark,
        1,
        "before 3.7 the high watermark moves all the same"
    );
}

#[test]
fn since_3_7_the_high_watermark_stays_while_the_isr_is_too_small() {
    let mut cluster = Cluster::tuned(NEWEST, |config| config.min_insync_replicas = 2);
    cluster.crash(3);
    cluster.elect(1, 1, &[1, 2]);
    cluster.crash(2);
    let conn = cluster.produce(1, -1, "a");
    cluster.pass(16_000);
    cluster.commit_isr();
    assert_eq!((cluster.produced(conn), cluster.status(1).high_watermark), (None, 0));
    cluster.pass(15_000);
    assert_eq!(cluster.produced(conn), Some((7, 0)), "REQUEST_TIMED_OUT");
}

#[test]
fn a_produce_request_times_out_and_may_still_be_committed() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.hold(3);
    let conn = cluster.produce(1, -1, "a");
    cluster.pass(29_999);
    assert_eq!(cluster.produced(conn), None);
    cluster.pass(1);
    assert_eq!(cluster.produced(conn), Some((7, 0)), "REQUEST_TIMED_OUT");
    assert_eq!(cluster.manager(1).purgatory.waiting().0, 0);
    cluster.forget_isr_changes();
    cluster.release(3);
    cluster.pass(2_000);
    assert_eq!(cluster.status(1).high_watermark, 1);
}

#[test]
fn lost_leadership_fails_what_waits() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.hold(3);
    let produce = cluster.produce(1, -1, "a");
    let request = Cluster::fetch_request(0, 10_000);
    // From v11 on it would go on waiting at the follower (KIP-392).
    let fetch = cluster.request(1, 10, request);
    assert_eq!(cluster.fetched(fetch), None);
    cluster.elect(2, 2, &[2, 3]);
    assert_eq!(cluster.produced(produce), Some((6, 0)), "NOT_LEADER_OR_FOLLOWER");
    assert_eq!(cluster.fetched(fetch), Some((6, vec![])));
}

#[test]
fn a_client_that_is_gone_leaves_nothing_behind() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.hold(3);
    let produce = cluster.produce(1, -1, "a");
    let fetch = cluster.request(1, 11, Cluster::fetch_request(0, 10_000));
    let client = cluster.client;
    for conn in [produce.conn, fetch.conn] {
        cluster.hang_up(client, conn);
    }
    cluster.release(3);
    let waiting = cluster.manager(1).purgatory.waiting();
    assert_eq!(waiting, (0, 2), "no produce request, and the fetches of two followers");
    assert_eq!(cluster.status(1).high_watermark, 1);
}

#[test]
fn requests_are_settled_in_the_order_of_their_offsets() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.hold(3);
    let conns: Vec<_> = ["a", "b", "c"].map(|value| cluster.produce(1, -1, value)).into();
    cluster.release(3);
    let answers: Vec<_> = conns.iter().map(|conn| cluster.produced(*conn)).collect();
    assert_eq!(answers, [Some((0, 0)), Some((0, 1)), Some((0, 2))]);
}
