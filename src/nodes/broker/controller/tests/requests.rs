//! Requests of brokers and clients.

use std::time::Duration;

use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::update_metadata_request::UpdateMetadataTopicState;
use kafka_protocol::messages::{
    AlterPartitionRequest, AlterPartitionResponse, BrokerId as WireBrokerId,
    ControlledShutdownRequest, CreateTopicsRequest, CreateTopicsResponse, ElectLeadersRequest,
    RequestKind,
};
use kafka_protocol::protocol::StrBytes;

use super::world::World;
use crate::history::{BrokerObservation, Election};
use crate::nodes::broker::controller::batch::topic_name;
use crate::nodes::broker::znodes::{paths, payload};
use crate::nodes::testing::{Advance, Sent};
use crate::releases::KafkaVersion;
use crate::vocab::{BrokerId, TopicPartition};

const V2_8: KafkaVersion = KafkaVersion::new(2, 8);
const V3_8: KafkaVersion = KafkaVersion::new(3, 8);

fn creatable(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(factor)
}

fn creation(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5_000)
}

/// Asks a broker to create topics; returns their error codes.
fn create(world: &mut World, id: i32, topics: Vec<CreatableTopic>) -> Vec<i16> {
    created(&world.ask(id, 5, creation(topics)))
}

fn created(response: &CreateTopicsResponse) -> Vec<i16> {
    response.topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn topics_have_an_id_since_2_8_and_those_without_one_get_it() {
    for (version, has_id) in [(KafkaVersion::new(2, 7), false), (V2_8, true)] {
        let mut world = World::new(version, 3);
        world.start(&[1, 2, 3]);
        create(&mut world, 1, vec![creatable("t", 1, 3)]);
        world.write_topic("of-an-older-tool", &[&[1, 2, 3]]);
        for topic in ["t", "of-an-older-tool"] {
            let data = world.data(&paths::topic(topic)).unwrap();
            let id = payload::TopicAssignment::decode(data).unwrap().topic_id;
            assert_eq!(id.is_some(), has_id, "{topic} in {version}");
            let sent = world.sent().into_iter().rev().find_map(|sent| match &sent.body {
                RequestKind::UpdateMetadata(request) => {
                    let of_it =
                        |one: &&UpdateMetadataTopicState| *one.topic_name == *topic_name(topic);
                    request.topic_states.iter().find(of_it).map(|one| one.topic_id)
                }
                _ => None,
            });
            assert_eq!(sent, Some(id.unwrap_or_default()), "{topic} in {version}");
        }
    }
}

#[test]
fn a_created_topic_is_answered_for_when_it_has_leaders() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    let config = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("min.insync.replicas"))
        .with_value(Some(StrBytes::from_static_str("2")));
    assert_eq!(create(&mut world, 1, vec![creatable("t", 3, 3).with_configs(vec![config])]), [0]);
    for partition in 0..3 {
        let (leader, epoch, isr) = world.state("t", partition);
        assert_eq!((leader, epoch, isr.len()), (isr[0], 0, 3));
    }
    let config = payload::decode_config(world.data(&paths::topic_config("t")).unwrap()).unwrap();
    assert_eq!(config["min.insync.replicas"], "2");
    let created = |seen: &BrokerObservation| match seen {
        BrokerObservation::TopicCreated { assignment, .. } => assignment.len() == 3,
        _ => false,
    };
    assert!(world.seen().iter().any(|(_, seen)| created(seen)));
}

#[test]
fn impossible_topics_are_refused_each_with_its_error() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("there", &[&[1]]);
    let assigned = |name: &str, ids: &[i32]| assigned(name, &[(0, ids)]);
    let rows = [
        (creatable("there", 1, 1), 36),
        (creatable("none", 0, 1), 37),
        (creatable("wide", 1, 4), 38),
        (creatable("no factor", 1, 1), 17),
        (creatable("..", 1, 1), 17),
        (creatable("zero", 1, 0), 38),
        (assigned("twice", &[1, 1]), 39),
        (assigned("good", &[3, 1]), 0),
    ];
    let (topics, errors): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    assert_eq!(create(&mut world, 1, topics), errors);
    assert_eq!(world.state("good", 0), (3, 0, vec![3, 1]));
    let same = vec![creatable("same", 1, 1), creatable("same", 1, 1)];
    assert_eq!(create(&mut world, 1, same), [42, 42]);
    let elsewhere = vec![creatable("elsewhere", 1, 1)];
    assert_eq!(create(&mut world, 2, elsewhere), [41], "2 is not the controller");
}

fn assigned(name: &str, replicas: &[(i32, &[i32])]) -> CreatableTopic {
    let one = |(partition, ids): &(i32, &[i32])| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(ids.iter().map(|&id| WireBrokerId(id)).collect())
    };
    creatable(name, -1, -1).with_assignments(replicas.iter().map(one).collect())
}

/// Errors and texts, as a client of version 1 gets them.
fn refusals(version: &str, topics: Vec<CreatableTopic>) -> Vec<(i16, Option<String>)> {
    let mut world = World::new(version.parse().unwrap(), 3);
    world.start(&[1, 2, 3]);
    let request = creation(topics).with_validate_only(true);
    let answer: CreateTopicsResponse = world.ask(1, 1, request);
    let row = |topic: &CreatableTopicResult| {
        (topic.error_code, topic.error_message.as_deref().map(str::to_owned))
    };
    answer.topics.iter().map(row).collect()
}

fn refusal(version: &str, topic: CreatableTopic) -> (i16, String) {
    let (error, why) = refusals(version, vec![topic]).remove(0);
    (error, why.unwrap_or_default())
}

fn with_config(name: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig::default()
        .with_name(StrBytes::from_string(name.to_owned()))
        .with_value(value.map(|value| StrBytes::from_string(value.to_owned())));
    creatable("t", 1, 1).with_configs(vec![config])
}

#[test]
fn settings_are_checked_with_the_errors_of_the_release() {
    let soon = "Invalid value soon for configuration retention.ms: Not a number of type LONG";
    for (version, error) in [("0.10", -1), ("2.0", -1), ("2.1", 40), ("3.9", 40)] {
        let found = refusal(version, with_config("retention.ms", Some("soon")));
        assert_eq!(found, (error, soon.to_owned()), "{version}");
    }
    let unknown = refusal("2.8", with_config("no.such", Some("1")));
    assert_eq!(unknown, (40, "Unknown topic config name: no.such".to_owned()));
    for (version, error, text) in [
        ("1.1", -1, ""),
        ("2.5", -1, ""),
        ("2.6", 42, "Null value not supported for topic configs : retention.ms"),
        ("3.2", 42, "Null value not supported for topic configs : retention.ms"),
        ("3.3", 40, "Null value not supported for topic configs: retention.ms"),
    ] {
        let found = refusal(version, with_config("retention.ms", None));
        assert_eq!(found, (error, text.to_owned()), "{version}");
    }
    let good = refusals("2.8", vec![with_config("cleanup.policy", Some("compact"))]);
    assert_eq!(good, [(0, None)], "no error has no text, not an empty one");
}

#[test]
fn minus_one_is_the_default_since_2_4() {
    for (version, partitions, factor) in [("2.3", 37, 38), ("2.4", 0, 0)] {
        assert_eq!(refusal(version, creatable("t", -1, 1)).0, partitions, "{version}");
        assert_eq!(refusal(version, creatable("t", 1, -1)).0, factor, "{version}");
    }
    let text = "Replication factor must be larger than 0.".to_owned();
    assert_eq!(refusal("3.9", creatable("t", 1, 0)), (38, text));
}

#[test]
fn assignments_are_checked_as_the_release_does() {
    let gap = || assigned("t", &[(0, &[1]), (2, &[1])]);
    assert_eq!(refusal("2.2", gap()).0, 0);
    let text = "partitions should be a consecutive 0-based integer sequence".to_owned();
    assert_eq!(refusal("2.3", gap()), (39, text));
    for (version, map) in [("2.6", "Map"), ("2.8", "HashMap")] {
        let text = format!("Duplicate replica assignment found: {map}(0 -> ArrayBuffer(1, 1))");
        assert_eq!(refusal(version, assigned("t", &[(0, &[1, 1])])), (39, text));
    }
    let unequal = refusal("3.9", assigned("t", &[(0, &[1]), (1, &[1, 2])]));
    let text = "All partitions should have the same number of replicas".to_owned();
    assert_eq!(unequal, (39, text));
    assert_eq!(refusal("2.8", assigned("t", &[(0, &[99])])).0, 0, "brokers are not looked at");
}

#[test]
fn a_topic_that_is_asked_for_twice_is_answered_as_the_release_does() {
    let twice = || vec![creatable("t", 1, 1), creatable("t", 1, 1), creatable("u", 1, 1)];
    let old = "Create topics request from client `wire` contains multiple entries for the \
               following topics: t";
    assert_eq!(refusals("2.2", twice()), [(42, Some(old.to_owned())), (0, None)]);
    let new = (42, Some("Found multiple entries for this topic.".to_owned()));
    assert_eq!(refusals("2.3", twice()), [new.clone(), new, (0, None)]);
}

#[test]
fn names_that_would_have_the_same_metrics_collide() {
    let topics = vec![creatable("a.b", 1, 1), creatable("a_b", 1, 1), creatable("ab", 1, 1)];
    let text = "Topic 'a_b' collides with existing topics: a.b".to_owned();
    assert_eq!(refusals("0.10", topics), [(0, None), (17, Some(text)), (0, None)]);
}

#[test]
fn an_election_that_is_not_needed_is_answered_as_such() {
    for (version, api, error, text) in [
        ("2.3", 0, 0, None),
        ("2.4", 2, 84, Some("Leader election not needed for topic partition")),
        ("2.8", 2, 84, Some("Leader election not needed for topic partition.")),
    ] {
        let mut world = World::new(version.parse().unwrap(), 3);
        world.start(&[1, 2, 3]);
        world.write_topic("t", &[&[1, 2]]);
        let mut elect = |kind: i8, partition: Option<i32>| {
            let topics = partition.map(|partition| {
                vec![
                    TopicPartitions::default()
                        .with_topic(topic_name("t"))
                        .with_partitions(vec![partition]),
                ]
            });
            let request = ElectLeadersRequest::default()
                .with_election_type(kind)
                .with_topic_partitions(topics)
                .with_timeout_ms(1_000);
            world.ask::<ElectLeadersRequest>(1, api, request)
        };
        let answer = elect(0, Some(0));
        let one = &answer.replica_election_results[0].partition_result[0];
        assert_eq!((one.error_code, one.error_message.as_deref()), (error, text), "{version}");
        let answer = elect(0, Some(5));
        let one = &answer.replica_election_results[0].partition_result[0];
        let expected = (3, Some("The partition does not exist."));
        assert_eq!((one.error_code, one.error_message.as_deref()), expected, "{version}");
        assert!(elect(0, None).replica_election_results.is_empty(), "{version}");
        if api >= 1 {
            let answer = elect(7, Some(0));
            let one = &answer.replica_election_results[0].partition_result[0];
            assert_eq!((answer.error_code, one.error_code), (-1, -1), "{version}");
            assert_eq!(one.error_message.is_some(), version == "2.4");
        }
    }
}

#[test]
fn an_operator_can_have_an_unclean_leader_elected() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[3, 2]]);
    world.die(2);
    world.die(3);
    world.start(&[2]);
    let old = world.state("t", 0);
    assert_eq!((old.0, &*old.2), (-1, &[3][..]));
    let topics = TopicPartitions::default().with_topic(topic_name("t")).with_partitions(vec![0]);
    let request = ElectLeadersRequest::default()
        .with_election_type(1)
        .with_topic_partitions(Some(vec![topics]))
        .with_timeout_ms(1_000);
    let answer = world.ask::<ElectLeadersRequest>(1, 2, request);
    assert_eq!(answer.replica_election_results[0].partition_result[0].error_code, 0);
    assert_eq!(world.state("t", 0), (2, old.1 + 1, vec![2]));
}

#[test]
fn a_topic_that_gets_no_leader_times_out() {
    let mut world = World::new(V2_8, 2);
    world.start(&[1, 2]);
    // 2 is shutting down: it takes replicas, but cannot lead.
    shut_down(&mut world, 2);
    let one = CreatableReplicaAssignment::default().with_broker_ids(vec![WireBrokerId(2)]);
    let topics = vec![creatable("t", -1, -1).with_assignments(vec![one])];
    let request = world.request(1, 5, creation(topics));
    world.run();
    assert!(world.response(request).is_none());
    world.run_for(Duration::from_secs(6));
    assert_eq!(created(&world.response(request).unwrap()), [7]);
}

/// Asks the controller for a controlled shutdown: the error, and how many partitions remain.
fn shut_down(world: &mut World, id: i32) -> (i16, usize) {
    let request = ControlledShutdownRequest::default()
        .with_broker_id(WireBrokerId(id))
        .with_broker_epoch(i64::MAX);
    let response = world.ask(1, 2, request);
    (response.error_code, response.remaining_partitions.len())
}

#[test]
fn a_controlled_shutdown_hands_leaderships_over_and_leaves_every_isr() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("led", &[&[3, 2, 1]]);
    world.write_topic("followed", &[&[2, 3, 1]]);
    world.write_topic("alone", &[&[3]]);
    world.shared().sent.clear();
    assert_eq!(shut_down(&mut world, 3), (0, 0));
    assert_eq!(world.state("led", 0), (2, 1, vec![2, 1]));
    assert_eq!(world.state("followed", 0), (2, 1, vec![2, 1]));
    assert_eq!(world.state("alone", 0), (3, 0, vec![3]), "no other replica could lead it");
    let moved = |seen: &BrokerObservation| {
        matches!(
            seen,
            BrokerObservation::LeaderElected { election: Election::ControlledShutdown, .. }
        )
    };
    assert_eq!(world.seen().iter().filter(|(_, seen)| moved(seen)).count(), 1);
    let stops = |body: &RequestKind| matches!(body, RequestKind::StopReplica(_));
    assert!(world.sent().into_iter().any(|sent| sent.to == BrokerId(3) && stops(&sent.body)));
}

#[test]
fn a_controlled_shutdown_reports_what_no_other_broker_can_lead() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[3, 2]]);
    world.die(2);
    world.run();
    assert_eq!(shut_down(&mut world, 3), (0, 1));
    assert_eq!(shut_down(&mut world, 2).0, 8, "2 is not registered");
}

struct Alter {
    broker: i32,
    broker_epoch: Option<i64>,
    leader_epoch: i32,
    isr: &'static [i32],
    partition_epoch: i32,
    topic: &'static str,
}

const ALTER: Alter = Alter {
    broker: 2,
    broker_epoch: None,
    leader_epoch: 0,
    isr: &[2, 1],
    partition_epoch: 0,
    topic: "t",
};

/// Sends an AlterPartition to broker 1.
fn ask_to_alter(world: &mut World, version: i16, alter: &Alter) -> Sent<AlterPartitionRequest> {
    let epoch = world.broker_epoch(alter.broker);
    let partition = PartitionData::default()
        .with_leader_epoch(alter.leader_epoch)
        .with_partition_epoch(alter.partition_epoch);
    let ids = alter.isr.iter().map(|&id| WireBrokerId(id));
    let partition = match version {
        3.. => {
            let states = ids.map(|id| BrokerState::default().with_broker_id(id));
            partition.with_new_isr_with_epochs(states.collect())
        }
        _ => partition.with_new_isr(ids.collect()),
    };
    let topic = TopicData::default()
        .with_topic_name(topic_name(alter.topic))
        .with_topic_id(world.controller(1).known.topic_id(alter.topic))
        .with_partitions(vec![partition]);
    let request = AlterPartitionRequest::default()
        .with_broker_id(WireBrokerId(alter.broker))
        .with_broker_epoch(alter.broker_epoch.unwrap_or(epoch))
        .with_topics(vec![topic]);
    world.request(1, version, request)
}

/// Sends an AlterPartition; returns the error of the whole and of the partition.
fn alter(world: &mut World, version: i16, alter: &Alter) -> (i16, Option<i16>) {
    let request = ask_to_alter(world, version, alter);
    world.run();
    altered(world, request)
}

fn altered(world: &World, request: Sent<AlterPartitionRequest>) -> (i16, Option<i16>) {
    errors(&world.response(request).expect("it is answered"))
}

fn errors(response: &AlterPartitionResponse) -> (i16, Option<i16>) {
    let partition = response.topics.first().map(|topic| topic.partitions[0].error_code);
    (response.error_code, partition)
}

fn led_by_2(version: KafkaVersion) -> World {
    let mut world = World::new(version, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[2, 3, 1]]);
    world.shared().sent.clear();
    world
}

#[test]
fn a_granted_isr_is_written_without_a_new_leader_epoch_and_sent_as_metadata() {
    for version in [V2_8, V3_8] {
        let mut world = led_by_2(version);
        assert_eq!(alter(&mut world, 0, &ALTER), (0, Some(0)), "{version}");
        assert_eq!(world.state("t", 0), (2, 0, vec![2, 1]));
        let changed = BrokerObservation::IsrChanged {
            at: TopicPartition::new("t", 0),
            from: vec![BrokerId(2), BrokerId(3), BrokerId(1)],
            to: vec![BrokerId(2), BrokerId(1)],
            partition_epoch: 1,
        };
        assert!(world.seen().contains(&(BrokerId(1), changed)));
        let is_metadata = |body: &RequestKind| matches!(body, RequestKind::UpdateMetadata(_));
        assert!(world.sent().into_iter().all(|sent| is_metadata(&sent.body)), "no LeaderAndIsr");
        assert_eq!(world.sent().len(), 3);
        // Sent again because the answer was lost: it succeeds, and nothing is written.
        assert_eq!(alter(&mut world, 0, &ALTER), (0, Some(0)), "{version}");
        assert_eq!(world.partition_epoch("t", 0), 1);
    }
}

#[test]
fn topics_of_a_changed_isr_are_named_by_their_ids_since_3_3() {
    // `KafkaController.tryProcessAlterPartition` of 3.3 to 3.9.
    for (version, api_version) in [(KafkaVersion::new(3, 3), 2), (KafkaVersion::new(3, 9), 3)] {
        let mut world = led_by_2(version);
        let id = world.controller(1).known.topic_id("t");
        let request = ask_to_alter(&mut world, api_version, &ALTER);
        world.run();
        let response = world.response(request).expect("it is answered");
        assert_eq!(errors(&response), (0, Some(0)), "{version}");
        let topic = &response.topics[0];
        assert_eq!((topic.topic_id, topic.topic_name.as_str()), (id, ""), "{version}");
        assert_eq!(world.state("t", 0), (2, 0, vec![2, 1]), "{version}");
        // An id that is not known, and one without a topic.
        let unknown = Alter { topic: "no-such", ..ALTER };
        let request = ask_to_alter(&mut world, api_version, &unknown);
        world.run();
        let response = world.response(request).expect("it is answered");
        assert_eq!(errors(&response), (0, Some(100)), "{version}");
        assert!(response.topics[0].topic_id.is_nil(), "{version}");
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_written_and_denied() {
    // ensemble_faults, seed 457: the write is sent again, and finds the version that it made itself.
    for version in [V2_8, V3_8] {
        let mut world = led_by_2(version);
        world.shared().lost_answers = 1;
        let request = ask_to_alter(&mut world, 0, &ALTER);
        world.run_for(Duration::from_secs(1));
        assert_eq!(altered(&world, request), (0, Some(95)), "{version}");
        assert_eq!(world.state("t", 0), (2, 0, vec![2, 1]));
        let at = TopicPartition::new("t", 0);
        let denied = BrokerObservation::IsrChangeDenied { at, partition_epoch: 1 };
        assert!(world.seen().contains(&(BrokerId(1), denied)), "{version}");
        assert_eq!(world.partition_epoch("t", 0), 1, "and written once");
    }
}

#[test]
fn a_version_that_was_old_when_it_was_asked_for_denies_nothing_that_is_written() {
    let mut world = led_by_2(V2_8);
    assert_eq!(alter(&mut world, 0, &Alter { partition_epoch: -7, ..ALTER }), (0, Some(95)));
    let is_denied = |(_, seen): &(BrokerId, BrokerObservation)| {
        matches!(seen, BrokerObservation::IsrChangeDenied { .. })
    };
    assert!(!world.seen().iter().any(is_denied));
}

#[test]
fn alter_partition_is_refused_with_the_errors_of_the_release() {
    let stale = Alter { leader_epoch: -1, ..ALTER };
    let unknown = Alter { topic: "nope", ..ALTER };
    let bounced = Alter { broker_epoch: Some(1), ..ALTER };
    let old_version = Alter { partition_epoch: -7, ..ALTER };
    let ahead = Alter { leader_epoch: 9, ..ALTER };
    let rows = [
        (V2_8, &stale, (0, Some(74))),
        (V2_8, &unknown, (0, Some(3))),
        (V2_8, &bounced, (77, None)),
        (V2_8, &old_version, (0, Some(95))),
        (V3_8, &stale, (0, Some(74))),
        (V3_8, &old_version, (0, Some(95))),
        (V3_8, &ahead, (0, Some(41))),
    ];
    for (row, (version, request, wanted)) in rows.into_iter().enumerate() {
        let mut world = led_by_2(version);
        assert_eq!(alter(&mut world, 1, request), wanted, "row {row}");
        assert_eq!(world.state("t", 0), (2, 0, vec![2, 3, 1]), "row {row}");
    }
}

#[test]
fn a_replica_that_is_leaving_cannot_join_since_3_3() {
    for (version, request, wanted) in [(V2_8, 0, 0), (V3_8, 1, 55), (V3_8, 2, 107)] {
        let mut world = led_by_2(version);
        shut_down(&mut world, 3);
        assert_eq!(world.state("t", 0), (2, 1, vec![2, 1]));
        let join = Alter { leader_epoch: 1, isr: &[2, 1, 3], partition_epoch: 1, ..ALTER };
        assert_eq!(alter(&mut world, request, &join), (0, Some(wanted)), "{version} v{request}");
    }
}

#[test]
fn a_broker_that_is_not_the_controller_refuses() {
    let mut world = led_by_2(V2_8);
    let response = world.ask(2, 0, AlterPartitionRequest::default());
    assert_eq!(errors(&response), (41, None));
}

#[test]
fn a_request_whose_work_is_given_up_is_answered_once() {
    // Fenced: another controller was elected, and 1 does not know it.
    let mut world = led_by_2(V2_8);
    world.shared().deaf.insert(BrokerId(1));
    world.remove(paths::CONTROLLER);
    world.run();
    let request = ask_to_alter(&mut world, 0, &ALTER);
    world.run();
    assert_eq!(altered(&world, request), (41, None));
    assert_eq!(world.payloads(request).len(), 1);
    assert!(matches!(world.active()[..], [2] | [3]));

    // The session expires while one request is worked on and another waits.
    let mut world = led_by_2(V2_8);
    let requests = [1, 2].map(|_| ask_to_alter(&mut world, 0, &ALTER));
    let works = |world: &mut World| world.controller(1).event_manager.is_waiting();
    assert!(world.run_until(Duration::from_secs(1), works));
    world.act(1, |controller, cx| controller.expired(cx));
    world.run();
    for request in requests {
        assert_eq!(altered(&world, request), (41, None));
        assert_eq!(world.payloads(request).len(), 1, "answers that come late change nothing");
    }
}

#[test]
fn a_controller_that_shuts_down_resigns_in_every_release() {
    for version in [KafkaVersion::new(1, 0), V3_8] {
        let mut world = led_by_2(version);
        world.act(1, |controller, cx| controller.stop(cx));
        assert!(!world.controller(1).is_active(), "{version}");
    }
}
