//! Where ids of idempotent producers come from, in each release.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_protocol::messages::InitProducerIdRequest;

use super::cluster::await_cluster;
use crate::nodes::testing::Cluster;
use crate::vocab::BrokerId;

/// The error and the id; the epoch is 0.
fn init(cluster: &mut Cluster, asked: i32) -> (i16, i64) {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let answer = cluster.call_in(BrokerId(asked), 0, request).expect("it is answered");
    assert_eq!(answer.producer_epoch, if answer.error_code == 0 { 0 } else { -1 });
    (answer.error_code, answer.producer_id.0)
}

fn block(cluster: &Cluster) -> String {
    let znode = cluster.tree().get("/latest_producer_id_block").expect("it is there");
    String::from_utf8(znode.data.clone().unwrap_or_default().to_vec()).unwrap()
}

#[test]
fn producer_ids_come_in_blocks_from_each_place_of_a_release() {
    for text in ["3.5", "3.9"] {
        let mut cluster = Cluster::new(text.parse().unwrap(), 3);
        await_cluster(&mut cluster);
        assert_eq!(block(&cluster), "", "{text}");
        for (asked, start) in [(1, 0), (3, 1_000), (2, 2_000)] {
            let mut first = init(&mut cluster, asked);
            if text == "3.9" {
                assert_eq!(first, (14, -1), "COORDINATOR_LOAD_IN_PROGRESS at first");
                cluster.run_for(Duration::from_secs(1));
                first = init(&mut cluster, asked);
            }
            assert_eq!(first, (0, start), "{text}");
            assert_eq!(init(&mut cluster, asked), (0, start + 1), "{text}");
        }
        let expected = r#"{"version":1,"broker":2,"block_start":"2000","block_end":"2999"}"#;
        assert_eq!(block(&cluster), expected, "{text}");
    }
}

/// Recorded: the step `fresh` of 0.11.0.3 to 2.8.2. All three start at once here, so the order of blocks is not said.
#[test]
fn up_to_2_8_a_broker_takes_a_block_of_ids_as_it_starts() {
    for text in ["0.11", "1.0", "1.1", "2.8"] {
        let mut cluster = Cluster::new(text.parse().unwrap(), 3);
        await_cluster(&mut cluster);
        cluster.run_for(Duration::from_secs(1));
        let znode = cluster.tree().get("/latest_producer_id_block").expect("it is there");
        assert_eq!(znode.stat().version, 3, "{text}");
        let last = block(&cluster);
        assert!(last.contains(r#""block_start":"2000","block_end":"2999"}"#), "{text}: {last}");
        let mut starts = BTreeSet::new();
        for broker in 1..=3 {
            let (error, start) = init(&mut cluster, broker);
            assert_eq!((error, start % 1_000), (0, 0), "{text}");
            assert_eq!(init(&mut cluster, broker), (0, start + 1), "{text}");
            starts.insert(start);
        }
        assert_eq!(starts, BTreeSet::from([0, 1_000, 2_000]), "{text}");
        assert_eq!(block(&cluster), last, "{text}");
    }
    let mut cluster = Cluster::new("0.10".parse().unwrap(), 3);
    cluster.run_for(Duration::from_secs(5));
    assert!(cluster.tree().get("/brokers/ids/1").is_some());
    assert!(cluster.tree().get("/latest_producer_id_block").is_none());
}

#[test]
fn a_block_is_followed_by_another() {
    for text in ["2.8", "3.5"] {
        let mut cluster = Cluster::new(text.parse().unwrap(), 3);
        await_cluster(&mut cluster);
        let (_, start) = init(&mut cluster, 1);
        for expected in start + 1..start + 1_000 {
            assert_eq!(init(&mut cluster, 1), (0, expected), "{text}");
        }
        // Behind the blocks that all three took as they started.
        let (error, next) = init(&mut cluster, 1);
        let behind = if text == "2.8" { 3_000 } else { 1_000 };
        assert_eq!((error, next), (0, behind), "{text}");
        assert_eq!(init(&mut cluster, 1), (0, next + 1), "{text}");
        let end = format!(r#""block_end":"{}""#, next + 999);
        assert!(block(&cluster).contains(&end), "{text}");
    }
}

#[test]
fn a_request_with_half_a_producer_is_refused() {
    // `init-producer-id.epoch-only`, `init-producer-id.with-id-and-epoch`
    let mut cluster = Cluster::new("2.8".parse().unwrap(), 3);
    await_cluster(&mut cluster);
    let mut code = |producer: i64, epoch| {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_producer_id(producer.into())
            .with_producer_epoch(epoch);
        cluster.call_in(BrokerId(1), 4, request).expect("it is answered").error_code
    };
    assert_eq!(code(-1, 3), 42, "INVALID_REQUEST");
    assert_eq!(code(5, -1), 42);
    assert_eq!(code(5, 3), 0, "without a transactional id it is not looked at");
}
