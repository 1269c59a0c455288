//! Batches of idempotent producers: what leaders answer, and what followers and disks remember.

use super::*;

fn of_producer(epoch: i16, sequence: i32, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(1_000, None, Some(value.as_bytes()));
    builder.of_producer(7, epoch, sequence).build().bytes
}

/// Error, base offset and append time of the answer.
fn sent(cluster: &mut Cluster, to: usize, records: Bytes) -> (i16, Offset, i64) {
    let conn = cluster.produce_bytes(to, -1, records);
    cluster.pass(600);
    let response = cluster.response(conn).expect("it is answered");
    let part = &response.responses[0].partition_responses[0];
    (part.error_code, part.base_offset, part.log_append_time_ms)
}

fn filled(version: &str, sequences: i32) -> Cluster {
    let mut cluster = Cluster::new(version.parse().unwrap());
    cluster.elect(1, 2, &[1, 2, 3]);
    for sequence in 0..sequences {
        let expected = (0, i64::from(sequence), -1);
        let value = sequence.to_string();
        assert_eq!(sent(&mut cluster, 1, of_producer(0, sequence, &value)), expected);
    }
    cluster
}

#[test]
fn a_batch_that_is_sent_again_is_answered_as_the_first_time() {
    // `idempotent.acks-1`, `idempotent.sequence.repeat-first-of-3`
    let again = (0, 0, 1_000);
    for (version, first_of_3) in [("0.11", (45, -1, -1)), ("1.0", again), ("3.9", again)] {
        let mut cluster = filled(version, 3);
        assert_eq!(sent(&mut cluster, 1, of_producer(0, 2, "2")), (0, 2, 1_000), "{version}");
        assert_eq!(sent(&mut cluster, 1, of_producer(0, 0, "0")), first_of_3, "{version}");
        assert_eq!(cluster.values(1), ["0", "1", "2"], "{version}: nothing is written again");
    }
}

#[test]
fn a_batch_out_of_order_is_refused_as_in_each_release() {
    // `idempotent.sequence.*`, `idempotent.unknown-id-seq-5`, `idempotent.epoch.*`
    for (version, first_not_0, back) in [
        ("0.11", 45, 45),
        ("1.0.1", 59, 46),
        ("1.1", 59, 45),
        ("2.4", 59, 45),
        ("2.5", 0, 45),
        ("3.9", 0, 45),
    ] {
        let mut cluster = Cluster::new(version.parse().unwrap());
        cluster.elect(1, 2, &[1, 2, 3]);
        assert_eq!(sent(&mut cluster, 1, of_producer(0, 5, "a")).0, first_not_0, "{version}");
        let mut cluster = filled(version, 8);
        assert_eq!(sent(&mut cluster, 1, of_producer(0, 1, "1")).0, back, "{version}: back");
        assert_eq!(sent(&mut cluster, 1, of_producer(0, 9, "9")).0, 45, "{version}: a gap");
        assert_eq!(sent(&mut cluster, 1, of_producer(1, 3, "x")).0, 45, "{version}");
        assert_eq!(sent(&mut cluster, 1, of_producer(1, 0, "x")).0, 0, "{version}: an epoch");
        assert_eq!(sent(&mut cluster, 1, of_producer(0, 8, "8")).0, 47, "{version}: fenced");
    }
    // The answer says where the log starts.
    let mut cluster = filled("1.1", 1);
    let conn = cluster.produce_bytes(1, -1, of_producer(0, 5, "x"));
    let response = cluster.response(conn).expect("it is answered");
    assert_eq!(response.responses[0].partition_responses[0].log_start_offset, 0);
    let mut cluster = filled("2.8", 0);
    assert_eq!(sent(&mut cluster, 1, of_producer(0, -1, "x")).0, 87, "INVALID_RECORD");
    let mut cluster = filled("2.0", 0);
    assert_eq!(sent(&mut cluster, 1, of_producer(0, -1, "x")).0, 2, "CORRUPT_MESSAGE");
}

#[test]
fn another_leader_and_a_process_that_starts_know_the_producers_too() {
    let mut cluster = filled("2.8", 3);
    cluster.elect(2, 3, &[1, 2, 3]);
    let of_first_leader = (0, 1, 1_000);
    assert_eq!(sent(&mut cluster, 2, of_producer(0, 1, "1")), of_first_leader, "a follower knows");
    cluster.crash(1);
    cluster.start(1);
    cluster.elect(1, 4, &[1, 2, 3]);
    assert_eq!(sent(&mut cluster, 1, of_producer(0, 2, "2")), (0, 2, 1_000), "the log tells it");
    assert_eq!(sent(&mut cluster, 1, of_producer(0, 3, "3")).0, 0);
}

#[test]
fn what_is_cut_off_a_log_is_not_remembered() {
    let mut cluster = filled("2.8", 2);
    // Only the leader gets the third.
    cluster.crash(2);
    cluster.crash(3);
    cluster.produce_bytes(1, 1, of_producer(0, 2, "lost"));
    cluster.pass(50);
    cluster.crash(1);
    BROKERS.for_each(|broker| cluster.start(broker));
    cluster.elect(2, 3, &[1, 2, 3]);
    cluster.pass(1_600);
    assert_eq!(cluster.values(1), ["0", "1"]);
    cluster.elect(1, 4, &[1, 2, 3]);
    assert_eq!(sent(&mut cluster, 1, of_producer(0, 2, "2")), (0, 2, -1), "it is appended");
    assert_eq!(cluster.values(1), ["0", "1", "2"]);
}

#[test]
fn a_batch_that_is_sent_again_while_it_waits_waits_for_its_own_offset() {
    let mut cluster = filled("2.8", 0);
    cluster.crash(2);
    cluster.crash(3);
    // Sent again, the first waits for an offset below that of the second.
    let waits = [0, 1, 0].map(|sequence| {
        let records = of_producer(0, sequence, &sequence.to_string());
        let request = kafka::produce("orders", 0, -1, Some(records)).with_timeout_ms(500);
        cluster.request(1, 7, request)
    });
    cluster.pass(600);
    assert_eq!(waits.map(|sent| cluster.produced(sent).map(|answer| answer.0)), [Some(7); 3]);
    // None of them is listed any more when the broker stops leading.
    [2, 3].into_iter().for_each(|broker| cluster.start(broker));
    cluster.elect(2, 3, &[1, 2, 3]);
    cluster.pass(3_000);
    assert_eq!(cluster.values(1), cluster.values(2));
}
