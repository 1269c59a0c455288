//! Stories of made-up runs.

use std::sync::mpsc;

use super::*;
use crate::checkers::testing;
use crate::history::{BrokerObservation, ClientObservation, Outcome, Subscriber};
use crate::model::Modelled;
use crate::vocab::{Acks, BrokerId};

const B1: NodeId = NodeId(0);
const B2: NodeId = NodeId(1);
const P0: NodeId = testing::Story::P0;

fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// A made-up run of two records, of which the second is lost.
fn moments() -> Vec<Moment> {
    let (to, moments) = mpsc::channel();
    let terms = testing::Story::default().terms;
    let mut story = Modelled::new(terms.clone(), Story::new(terms, to));
    let mut now = Time::ZERO;
    let mut tell = |node: NodeId, observation: Observation| {
        now += std::time::Duration::from_millis(1);
        story.observed(now, node, &observation);
    };
    let client = |observation| Observation::Client(observation);
    let broker = |observation| Observation::Broker(observation);
    let at = orders;
    let learned =
        ClientObservation::LeaderLearned { at: at(), leader: Some(BrokerId(1)), leader_epoch: 0 };
    tell(P0, client(ClientObservation::LeadersAsked { of: B2 }));
    tell(P0, client(learned));
    tell(P0, client(ClientObservation::LeadersAsked { of: B2 }));
    for record in 0..2u64 {
        let offset = record as i64;
        let (records, acks) = (vec![record], Acks::Leader);
        tell(P0, client(ClientObservation::BatchSent { at: at(), to: B1, records, acks }));
        let appended = |epoch| BrokerObservation::Appended {
            at: at(),
            base: offset,
            last: offset,
            leader_epoch: epoch,
            checksum: 7,
        };
        tell(B1, broker(appended(0)));
        if record == 0 {
            let (follower, from) = (BrokerId(2), offset);
            tell(B1, broker(BrokerObservation::HandedToFollower { at: at(), follower, from }));
            tell(B2, broker(appended(0)));
            let offset = offset + 1;
            tell(B1, broker(BrokerObservation::FollowerFetched { at: at(), follower, offset }));
            tell(B1, broker(BrokerObservation::HighWatermark { at: at(), offset }));
        }
        let outcome = Outcome::Produced { at: at(), offset };
        tell(P0, client(ClientObservation::Completed { op: record, outcome }));
    }
    tell(B1, broker(BrokerObservation::Truncated { at: at(), from: 2, to: 1 }));
    tell(B1, broker(BrokerObservation::SessionExpired { session: 7 }));
    drop(story);
    moments.into_iter().collect()
}

fn shown(filter: &Filter) -> Vec<String> {
    let line = |moment: Moment| format!("{} {}", moment.node.expect("a node"), moment.text);
    filter.apply(moments()).into_iter().map(line).collect()
}

fn of(record: u64) -> Filter {
    let record = Some(RecordId { producer: "p0".into(), number: record });
    Filter { record, ..Filter::default() }
}

#[test]
fn a_record_is_followed_from_the_metadata_request_to_its_commit() {
    assert_eq!(
        shown(&of(0)),
        [
            "p0 requests metadata from b2",
            "p0 metadata: b1 leads epoch 0",
            "p0 sends record 0 to b1, acks=1",
            "b1 appends offset 0, epoch 0",
            "b1 b2 fetches from offset 0",
            "b2 appends offset 0, epoch 0",
            "b1 b2 fetched up to offset 1",
            "b1 high watermark 1",
            "p0 record 0 is acknowledged at offset 0",
        ]
    );
}

#[test]
fn a_record_that_was_truncated_is_followed_to_its_end() {
    let lines = shown(&of(1));
    assert_eq!(lines.last().map(String::as_str), Some("b1 truncates its log from 2 to 1"));
    assert!(!lines.iter().any(|line| line.contains("record 0")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("fetches")), "{lines:?}");
}

#[test]
fn events_of_single_records_are_shown_on_demand_only() {
    let turning = ["p0 metadata: b1 leads epoch 0", "b1 truncates its log from 2 to 1"];
    let lines = shown(&Filter::default());
    assert_eq!(lines[..2], turning);
    assert_eq!(lines.len(), 3);
    let commits = Filter { kinds: vec![Kind::Commit], ..Filter::default() };
    assert_eq!(shown(&commits), ["b1 high watermark 1"]);
}

#[test]
fn filters_by_node_partition_and_time_are_all_obeyed() {
    let all = || Filter { kinds: Kind::ALL.to_vec(), ..Filter::default() };
    let count = moments().len();
    assert_eq!(shown(&all()).len(), count);
    let b2 = Filter { nodes: vec!["b2".into()], ..all() };
    assert_eq!(shown(&b2), ["b2 appends offset 0, epoch 0"]);
    let here = Filter { partitions: vec![orders()], ..all() };
    // Not the two metadata requests, which are about every partition, and not the session.
    assert_eq!(shown(&here).len(), count - 3);
    let other = Filter { partitions: vec![TopicPartition::new("orders", 1)], ..all() };
    assert_eq!(shown(&other), Vec::<String>::new());
    let early = Filter { between: Some((Time::ZERO, Time::from_millis(2))), ..all() };
    assert_eq!(shown(&early).len(), 2);
}

#[test]
fn a_record_is_named_by_its_producer_and_its_number() {
    let record: RecordId = "p0:17".parse().expect("a record");
    assert_eq!((&*record.producer, record.number, &*record.to_string()), ("p0", 17, "p0:17"));
    for text in ["", "p0", "p0:", ":1", "p0:x", "p0:-1"] {
        assert!(text.parse::<RecordId>().is_err(), "{text}");
    }
}

#[test]
fn every_kind_is_found_by_its_name() {
    for &kind in Kind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert!("kinds".parse::<Kind>().is_err());
}
