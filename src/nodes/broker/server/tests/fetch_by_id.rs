//! Fetch requests that name topics by their ids (v13 and later).

use std::time::Duration;

use kafka_protocol::messages::{DeleteTopicsRequest, FetchRequest, FetchResponse};
use uuid::Uuid;

use super::cluster::{create_topic, produce, with_topic};
use crate::nodes::testing::{Cluster, kafka};
use crate::vocab::BrokerId;

fn by_id(id: Uuid) -> FetchRequest {
    let mut request = kafka::fetch("", 0, 0).with_session_epoch(-1);
    request.topics[0].topic_id = id;
    request
}

/// A cluster of 3.9 with three records, the leader, and the topic's id.
fn filled() -> (Cluster, BrokerId, Uuid) {
    let (mut cluster, replicas) = with_topic("3.9".parse().unwrap());
    produce(&mut cluster, replicas[0], 0, 3);
    let known = cluster.call(replicas[0], kafka::metadata(&["orders"], false)).unwrap();
    (cluster, replicas[0], known.topics[0].topic_id)
}

fn ask(cluster: &mut Cluster, to: BrokerId, version: i16, request: FetchRequest) -> FetchResponse {
    cluster.call_in(to, version, request).expect("an answer")
}

#[test]
fn a_fetch_may_name_a_topic_by_its_id() {
    // Recorded: `fetch.by-topic-id`.
    let (mut cluster, leader, id) = filled();
    for version in 13..=17 {
        let answer = ask(&mut cluster, leader, version, by_id(id));
        assert_eq!((answer.error_code, answer.responses[0].topic_id), (0, id), "v{version}");
        let part = &answer.responses[0].partitions[0];
        assert_eq!((part.error_code, part.high_watermark), (0, 3), "v{version}");
        assert!(part.records.as_ref().is_some_and(|records| !records.is_empty()));
        let unknown = Uuid::from_u128(0x1111);
        let answer = ask(&mut cluster, leader, version, by_id(unknown));
        assert_eq!((answer.error_code, answer.responses[0].topic_id), (0, unknown));
        let part = &answer.responses[0].partitions[0];
        assert_eq!((part.error_code, part.high_watermark), (100, -1), "UNKNOWN_TOPIC_ID");
    }
}

#[test]
fn a_session_keeps_to_names_or_to_ids() {
    // `FetchManager.newContext` since 3.1.
    let (mut cluster, leader, id) = filled();
    let opened = ask(&mut cluster, leader, 13, by_id(id).with_session_epoch(0));
    assert!(opened.session_id > 0);
    let next = || FetchRequest::default().with_session_id(opened.session_id).with_session_epoch(1);
    assert_eq!(ask(&mut cluster, leader, 12, next()).error_code, 106, "by names");
    assert_eq!(ask(&mut cluster, leader, 13, next()).error_code, 0, "by ids");
}

#[test]
fn a_session_of_a_topic_that_was_created_again_has_the_wrong_id() {
    // `ReplicaManager.readFromLog` since 3.1.
    let (mut cluster, leader, id) = filled();
    let opened = ask(&mut cluster, leader, 13, by_id(id).with_session_epoch(0));
    let controller = cluster.controller().expect("one");
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![kafka::topic("orders")])
        .with_timeout_ms(10_000);
    let answer = cluster.call_in(controller, 1, request).expect("it is answered");
    assert_eq!(answer.responses[0].error_code, 0);
    cluster.run_for(Duration::from_secs(5));
    create_topic(&mut cluster, controller);
    cluster.run_for(Duration::from_secs(1));
    let known = cluster.call(leader, kafka::metadata(&["orders"], false)).unwrap();
    assert_ne!(known.topics[0].topic_id, id);
    let next = by_id(id).with_session_id(opened.session_id).with_session_epoch(1);
    let answer = ask(&mut cluster, leader, 13, next);
    let part = &answer.responses[0].partitions[0];
    assert_eq!((answer.responses[0].topic_id, part.error_code), (id, 103), "{answer:?}");
    // Outside the session there is no such id.
    let answer = ask(&mut cluster, leader, 13, by_id(id));
    assert_eq!(answer.responses[0].partitions[0].error_code, 100);
}
