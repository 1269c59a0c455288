//! A producer with a transactional id against brokers and a coordinator that answer as a script says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::find_coordinator_response::Coordinator as Found;
use kafka_protocol::messages::{
    AddPartitionsToTxnResponse, ApiKey, EndTxnResponse, FindCoordinatorResponse,
    InitProducerIdResponse, RequestKind, ResponseKind,
};

use super::super::{CommitEvery, Producer, ProducerConfig, TransactionConfig, Workload};
use crate::history::{ClientObservation, TransactionEvent, TransactionOutcome};
use crate::nodes::clients::fake::{Answer, Script, TOPIC, World, all_nodes, roster};
use crate::nodes::clients::protocol::text;
use crate::releases::KafkaVersion;
use crate::vocab::{Ratio, Seed, Time};
use crate::wire::kafka::RequestFrame;
use crate::wire::records::Batch;

/// What the coordinator answers next: to which API, with which error.
type Errors = Rc<RefCell<VecDeque<(ApiKey, i16)>>>;

/// Instead of an answer, the connection is closed.
const CLOSED: i16 = i16::MAX;

fn config(version: &str) -> ProducerConfig {
    let workload = Workload {
        topics: vec![TOPIC.into()],
        interval: Duration::from_millis(10),
        burst: 1,
        start: Time::from_millis(100),
        stop: Some(Time::from_millis(400)),
        record_bytes: 100,
        keys: 0,
        first_record: 0,
    };
    let version: KafkaVersion = version.parse().unwrap();
    ProducerConfig {
        acks: crate::vocab::Acks::All,
        retries: u32::MAX,
        transactions: Some(TransactionConfig {
            id: "billing".into(),
            timeout: Duration::from_secs(60),
            commit_every: CommitEvery::Records(100),
            abort_rate: Ratio::ZERO,
            restart_when_fenced: false,
        }),
        ..ProducerConfig::new("p0", version, all_nodes(3), workload)
    }
}

fn answer(request: &RequestFrame, error: i16, epoch: &mut i16) -> Option<ResponseKind> {
    Some(match &request.body {
        RequestKind::FindCoordinator(_) => {
            let (host, port) = (text("b2"), 9092);
            let body = FindCoordinatorResponse::default().with_error_code(error);
            ResponseKind::FindCoordinator(match request.version >= 4 {
                true => body.with_coordinators(vec![
                    Found::default().with_error_code(error).with_host(host).with_port(port),
                ]),
                false => body.with_host(host).with_port(port),
            })
        }
        RequestKind::InitProducerId(_) => {
            let body = InitProducerIdResponse::default().with_error_code(error);
            *epoch += 1;
            ResponseKind::InitProducerId(
                body.with_producer_id(7.into()).with_producer_epoch(*epoch),
            )
        }
        RequestKind::AddPartitionsToTxn(asked) => {
            let topics = asked.v3_and_below_topics.iter().map(|topic| {
                let results = topic.partitions.iter().map(|partition| {
                    AddPartitionsToTxnPartitionResult::default()
                        .with_partition_index(*partition)
                        .with_partition_error_code(error)
                });
                AddPartitionsToTxnTopicResult::default()
                    .with_name(topic.name.clone())
                    .with_results_by_partition(results.collect())
            });
            let body = AddPartitionsToTxnResponse::default();
            let body = body.with_results_by_topic_v3_and_below(topics.collect());
            ResponseKind::AddPartitionsToTxn(body)
        }
        RequestKind::EndTxn(_) => {
            ResponseKind::EndTxn(EndTxnResponse::default().with_error_code(error))
        }
        _ => return None,
    })
}

fn script(errors: Errors) -> Script {
    let mut epoch = -1;
    Box::new(move |_, _, request| {
        let mut errors = errors.borrow_mut();
        let error = match errors.front() {
            Some((api, error)) if *api == request.api => {
                let error = *error;
                errors.pop_front();
                error
            }
            _ => 0,
        };
        if error == CLOSED {
            return Some(Answer::Close);
        }
        answer(request, error, &mut epoch).map(Answer::body)
    })
}

fn world(config: ProducerConfig, errors: &[(ApiKey, i16)]) -> World<Producer> {
    let producer = Producer::new(config, roster(3), Seed(1).stream("p0"));
    let mut world = World::new(producer, 3, &[1]);
    world.fake().script = script(Rc::new(RefCell::new(errors.iter().copied().collect())));
    world.start();
    world
}

/// The requests of the run but for Metadata: when, which.
fn asked(world: &World<Producer>) -> Vec<(u64, ApiKey)> {
    let fake = world.fake();
    let all = fake.requests.iter().filter(|(_, _, request)| request.api != ApiKey::Metadata);
    all.map(|(at, _, request)| (at.as_millis(), request.api)).collect()
}

fn apis(world: &World<Producer>) -> Vec<ApiKey> {
    asked(world).into_iter().map(|(_, api)| api).collect()
}

fn facts(world: &World<Producer>) -> Vec<String> {
    let observed = world.observed();
    let facts = observed.iter().filter_map(|(_, observation)| match observation {
        ClientObservation::Transactional(fact) => Some(fact.what.to_string()),
        _ => None,
    });
    facts.collect()
}

fn outcomes(world: &World<Producer>) -> Vec<TransactionOutcome> {
    let observed = world.observed();
    let outcomes = observed.iter().filter_map(|(_, observation)| match observation {
        ClientObservation::Transactional(fact) => match &fact.what {
            TransactionEvent::Ended { outcome, .. } => Some(outcome.clone()),
            _ => None,
        },
        _ => None,
    });
    outcomes.collect()
}

fn batches(world: &World<Producer>) -> Vec<Batch> {
    world.fake().partitions[0].batches.clone()
}

#[test]
fn a_transaction_is_initialized_gets_its_partition_before_a_batch_and_ends_behind_all() {
    for version in ["0.11.0", "2.8", "3.9"] {
        let mut world = world(config(version), &[]);
        world.run_to(1_000);
        let apis = apis(&world);
        let (first, last) = (&apis[..4], apis.last());
        let expected = [
            ApiKey::FindCoordinator,
            ApiKey::InitProducerId,
            ApiKey::AddPartitionsToTxn,
            ApiKey::Produce,
        ];
        assert_eq!((first, last), (&expected[..], Some(&ApiKey::EndTxn)), "{version}");
        assert_eq!(apis.iter().filter(|api| **api == ApiKey::EndTxn).count(), 1);
        assert!(batches(&world).iter().all(|batch| batch.is_transactional()));
        assert_eq!(batches(&world)[0].producer_id(), 7);
        let facts = facts(&world);
        let expected = [
            "initialized as producer 7 in epoch 0",
            "began transaction 0",
            "commits transaction 0",
            "transaction 0 is committed",
        ];
        assert_eq!(facts, expected, "{version}");
        assert!(world.client().is_idle());
        let RequestKind::AddPartitionsToTxn(_) = &world.seen(ApiKey::AddPartitionsToTxn)[0].2.body
        else {
            panic!("not AddPartitionsToTxn")
        };
        assert!(world.seen(ApiKey::AddPartitionsToTxn)[0].2.version <= 3, "brokers alone speak 4");
    }
}

#[test]
fn the_first_partition_is_added_again_after_20_ms_and_the_end_asked_for_after_100() {
    let errors = [
        (ApiKey::AddPartitionsToTxn, 51),
        (ApiKey::AddPartitionsToTxn, 51),
        (ApiKey::EndTxn, 51),
        (ApiKey::EndTxn, 16),
    ];
    let mut world = world(config("2.8"), &errors);
    world.run_to(1_500);
    let at = |api: ApiKey| -> Vec<u64> {
        asked(&world).into_iter().filter(|(_, other)| *other == api).map(|(at, _)| at).collect()
    };
    let added = at(ApiKey::AddPartitionsToTxn);
    // Two links of a millisecond, and the wait.
    assert_eq!((added[1] - added[0], added[2] - added[1]), (22, 22));
    let ended = at(ApiKey::EndTxn);
    assert_eq!(ended[1] - ended[0], 102);
    assert_eq!(at(ApiKey::FindCoordinator).len(), 2, "16: it is another broker");
    assert_eq!(outcomes(&world), [TransactionOutcome::Committed]);
}

#[test]
fn an_end_whose_answer_is_lost_is_asked_for_again() {
    let mut world = world(config("2.8"), &[(ApiKey::EndTxn, CLOSED), (ApiKey::EndTxn, CLOSED)]);
    world.run_to(2_000);
    assert_eq!(apis(&world).iter().filter(|api| **api == ApiKey::EndTxn).count(), 3);
    assert_eq!(outcomes(&world), [TransactionOutcome::Committed]);
    let mut world = self::world(config("2.8"), &[(ApiKey::EndTxn, CLOSED), (ApiKey::EndTxn, 90)]);
    world.run_to(2_000);
    let unknown = TransactionOutcome::Unknown { error: "PRODUCER_FENCED".into() };
    assert_eq!(outcomes(&world), [unknown], "the first request may have been served");
}

#[test]
fn what_is_aborted_before_it_was_sent_fails() {
    let mut config = config("2.8");
    config.transactions.as_mut().unwrap().abort_rate = Ratio::new(1, 1).unwrap();
    config.linger = Duration::from_secs(10);
    let mut world = world(config, &[]);
    world.run_to(2_000);
    assert_eq!(outcomes(&world), [TransactionOutcome::Aborted]);
    let produced = world.seen(ApiKey::Produce);
    assert!(produced.is_empty(), "it lingers");
    let RequestKind::EndTxn(end) = &world.seen(ApiKey::EndTxn)[0].2.body else { panic!() };
    assert!(!end.committed);
}

#[test]
fn a_batch_of_an_old_epoch_makes_the_producer_take_the_next_since_2_7() {
    let produced = |version: &str| {
        let mut world = world(config(version), &[]);
        world.fake().produce_errors = [0, 47].into();
        world.run_to(2_000);
        world
    };
    let world = produced("2.8");
    let ids = world.seen(ApiKey::InitProducerId);
    let RequestKind::InitProducerId(bump) = &ids[1].2.body else { panic!() };
    assert_eq!((bump.producer_id.0, bump.producer_epoch), (7, 0), "it asks for the next epoch");
    assert_eq!(outcomes(&world)[0], TransactionOutcome::Aborted);
    assert!(!world.has_exited());
    let world = produced("2.6");
    assert_eq!(world.seen(ApiKey::InitProducerId).len(), 1);
    let fenced = TransactionOutcome::Fenced { error: "INVALID_PRODUCER_EPOCH".into() };
    assert_eq!(outcomes(&world), [fenced]);
    assert!(world.has_exited());
}

#[test]
fn a_fenced_producer_ends_or_is_replaced_as_the_application_wants() {
    let mut world = world(config("2.8"), &[(ApiKey::AddPartitionsToTxn, 90)]);
    world.run_to(1_000);
    let fenced = TransactionOutcome::Fenced { error: "PRODUCER_FENCED".into() };
    assert_eq!(outcomes(&world), std::slice::from_ref(&fenced));
    assert!(world.has_exited());
    let mut config = config("2.8");
    config.transactions.as_mut().unwrap().restart_when_fenced = true;
    let mut world = self::world(config, &[(ApiKey::AddPartitionsToTxn, 90)]);
    world.run_to(1_000);
    assert_eq!(outcomes(&world), [fenced, TransactionOutcome::Committed]);
    let RequestKind::InitProducerId(again) = &world.seen(ApiKey::InitProducerId)[1].2.body else {
        panic!()
    };
    assert_eq!(again.producer_id.0, -1, "it is another producer");
    assert!(!world.has_exited());
}
