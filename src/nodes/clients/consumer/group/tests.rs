//! A member against a coordinator that answers as a test says. What the assignors do is tested with them, and whole
//! groups by scenarios.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::find_coordinator_response::Coordinator as Found;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ApiKey, FindCoordinatorResponse, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupResponse, MetadataResponse, OffsetCommitResponse, OffsetFetchResponse,
    OffsetForLeaderEpochResponse, RequestKind, ResponseKind, SyncGroupResponse,
};

use super::reactions::{Reaction, to_commit, to_heartbeat, to_join, to_sync};
use super::{CommitPolicy, GroupConfig};
use crate::history::{ClientObservation, MemberEvent};
use crate::nodes::clients::consumer::assignors::{Subscription, encode_assignment};
use crate::nodes::clients::consumer::{Consumer, ConsumerConfig, ResetPolicy, Strategy};
use crate::nodes::clients::fake::{Answer, TOPIC, World, all_nodes, roster};
use crate::nodes::clients::protocol::{text, topic_name};
use crate::releases::KafkaVersion;
use crate::vocab::{Seed, TopicPartition, TopicPattern};
use crate::wire::kafka::RequestFrame;

const V2_8: KafkaVersion = KafkaVersion::new(2, 8);
const V3_9: KafkaVersion = KafkaVersion::new(3, 9);

/// The coordinator, on broker 2.
#[derive(Default)]
struct Coordinator {
    /// Errors of the next answers to requests of an API; afterwards there are none.
    errors: BTreeMap<i16, VecDeque<i16>>,
    /// An API whose requests get no answer.
    silent: Option<ApiKey>,
    joined: i32,
    /// What the member brought as leader.
    assignment: Bytes,
    /// An assignment that it gets instead: the partitions of the topic.
    other: Option<Vec<i32>>,
    committed: i64,
    /// What Metadata is answered, if not what the brokers have.
    metadata: Option<MetadataResponse>,
}

type Shared = Rc<RefCell<Coordinator>>;

impl Coordinator {
    fn error(&mut self, api: ApiKey) -> i16 {
        self.errors.get_mut(&(api as i16)).and_then(VecDeque::pop_front).unwrap_or(0)
    }

    fn answer(&mut self, request: &RequestFrame) -> Option<Answer> {
        let error = self.error(request.api);
        let body = match &request.body {
            RequestKind::FindCoordinator(_) => {
                let found = Found::default().with_host(text("b2")).with_port(9_092);
                let body = FindCoordinatorResponse::default();
                ResponseKind::FindCoordinator(match request.version {
                    4.. => body.with_coordinators(vec![found]),
                    _ => body.with_host(text("b2")).with_port(9_092),
                })
            }
            _ if self.silent == Some(request.api) => return Some(Answer::Silence),
            RequestKind::JoinGroup(body) => self.join(request.version, body, error),
            RequestKind::SyncGroup(body) => {
                if let Some(own) = body.assignments.first() {
                    self.assignment = own.assignment.clone();
                }
                if let Some(other) = self.other.take() {
                    let all = other.iter().map(|index| TopicPartition::new(TOPIC, *index));
                    self.assignment = encode_assignment(V3_9, &all.collect::<Vec<_>>());
                }
                let answer = SyncGroupResponse::default().with_error_code(error);
                ResponseKind::SyncGroup(answer.with_assignment(self.assignment.clone()))
            }
            RequestKind::Heartbeat(_) => {
                ResponseKind::Heartbeat(HeartbeatResponse::default().with_error_code(error))
            }
            RequestKind::LeaveGroup(_) => ResponseKind::LeaveGroup(LeaveGroupResponse::default()),
            RequestKind::OffsetCommit(body) => {
                let partition = |one: &i32| {
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(*one)
                        .with_error_code(error)
                };
                let indexes = body.topics[0].partitions.iter().map(|one| one.partition_index);
                let topic = OffsetCommitResponseTopic::default()
                    .with_name(topic_name(TOPIC))
                    .with_partitions(indexes.map(|one| partition(&one)).collect());
                let answer = OffsetCommitResponse::default().with_topics(vec![topic]);
                ResponseKind::OffsetCommit(answer)
            }
            RequestKind::OffsetFetch(_) => self.offsets(request.version, error),
            RequestKind::Metadata(_) if self.metadata.is_some() => {
                ResponseKind::Metadata(self.metadata.clone().expect("it was just there"))
            }
            RequestKind::OffsetForLeaderEpoch(_) => {
                let end = EpochEndOffset::default().with_leader_epoch(0).with_end_offset(1);
                let topic = OffsetForLeaderTopicResult::default().with_topic(topic_name(TOPIC));
                let topics = vec![topic.with_partitions(vec![end])];
                let body = OffsetForLeaderEpochResponse::default().with_topics(topics);
                ResponseKind::OffsetForLeaderEpoch(body)
            }
            _ => return None,
        };
        Some(Answer::body(body))
    }

    /// The member is alone in the group, and leads it.
    fn join(&mut self, version: i16, body: &JoinGroupRequest, error: i16) -> ResponseKind {
        let id = match body.member_id.as_str() {
            "" => text(&format!("m{}", self.joined)),
            _ => body.member_id.clone(),
        };
        let answer = JoinGroupResponse::default().with_member_id(id.clone());
        if version >= 4 && body.member_id.is_empty() && error == 0 {
            return ResponseKind::JoinGroup(answer.with_error_code(79));
        }
        if error != 0 {
            return ResponseKind::JoinGroup(answer.with_error_code(error));
        }
        self.joined += 1;
        let protocol = &body.protocols[0];
        let member = JoinGroupResponseMember::default()
            .with_member_id(id.clone())
            .with_metadata(protocol.metadata.clone());
        let answer = answer
            .with_generation_id(self.joined)
            .with_protocol_name(Some(protocol.name.clone()))
            .with_leader(id)
            .with_members(vec![member]);
        ResponseKind::JoinGroup(answer)
    }

    /// Both partitions that the topic may have.
    fn offsets(&self, version: i16, error: i16) -> ResponseKind {
        let (body, both, name) = (OffsetFetchResponse::default(), 0..2, topic_name(TOPIC));
        ResponseKind::OffsetFetch(match version {
            8.. => {
                let partition = |index| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(index)
                        .with_committed_offset(self.committed)
                        .with_error_code(error)
                };
                let partitions = both.map(partition).collect();
                let topic = OffsetFetchResponseTopics::default().with_name(name);
                let topics = vec![topic.with_partitions(partitions)];
                body.with_groups(vec![OffsetFetchResponseGroup::default().with_topics(topics)])
            }
            _ => {
                let partition = |index| {
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(index)
                        .with_committed_offset(self.committed)
                        .with_error_code(error)
                };
                let partitions = both.map(partition).collect();
                let topic = OffsetFetchResponseTopic::default().with_name(name);
                body.with_topics(vec![topic.with_partitions(partitions)])
            }
        })
    }
}

fn group() -> GroupConfig {
    GroupConfig {
        id: "g".into(),
        instance: None,
        strategies: vec![Strategy::Range],
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_secs(3),
        max_poll_interval: Duration::from_secs(300),
        max_poll_records: 500,
        api_timeout: Some(Duration::from_secs(60)),
        commit: CommitPolicy::Auto(Duration::from_secs(5)),
        processing: Duration::ZERO,
    }
}

/// A member that reads one partition of two records, and has not started.
fn world(
    version: KafkaVersion,
    change: impl FnOnce(&mut GroupConfig),
) -> (World<Consumer>, Shared) {
    world_of(version, &[1], change)
}

/// The same, of a topic with so many leaders as partitions.
fn world_of(
    version: KafkaVersion,
    leaders: &[i32],
    change: impl FnOnce(&mut GroupConfig),
) -> (World<Consumer>, Shared) {
    world_with(version, leaders, |config| change(config.group.as_mut().expect("a group")))
}

/// The same, with any setting.
fn world_with(
    version: KafkaVersion,
    leaders: &[i32],
    change: impl FnOnce(&mut ConsumerConfig),
) -> (World<Consumer>, Shared) {
    let mut config = ConsumerConfig::new("c0", version, all_nodes(3), vec![TOPIC.into()]);
    config.auto_offset_reset = ResetPolicy::Earliest;
    config.group = Some(group());
    change(&mut config);
    let consumer = Consumer::new(config, roster(3), Seed(1).stream("c0"));
    let world = World::new(consumer, 3, leaders);
    world.fake().partitions[0].append_records("p0", 0..2);
    with_coordinator(world)
}

fn with_coordinator(world: World<Consumer>) -> (World<Consumer>, Shared) {
    let shared = Shared::new(RefCell::new(Coordinator { committed: -1, ..Default::default() }));
    let coordinator = shared.clone();
    world.fake().script = Box::new(move |_, _, request| coordinator.borrow_mut().answer(request));
    (world, shared)
}

/// What happened to the member, in words.
fn events(world: &World<Consumer>) -> Vec<String> {
    let event = |observation: &ClientObservation| match observation {
        ClientObservation::Member(member) => match &member.what {
            MemberEvent::Heartbeat { error: None, .. }
            | MemberEvent::CommitSent { .. }
            | MemberEvent::CommittedFetched { .. } => None,
            what => Some(what.to_string()),
        },
        ClientObservation::Consumed { offset, .. } => Some(format!("consumed {offset}")),
        _ => None,
    };
    world.observed().iter().filter_map(|(_, observation)| event(observation)).collect()
}

fn joins(world: &World<Consumer>) -> Vec<String> {
    let member = |request: &RequestFrame| match &request.body {
        RequestKind::JoinGroup(body) => format!("{} as {:?}", request.version, &*body.member_id),
        other => panic!("not JoinGroup: {other:?}"),
    };
    world.seen(ApiKey::JoinGroup).iter().map(|(_, _, request)| member(request)).collect()
}

fn fail_next(shared: &Shared, api: ApiKey, errors: &[i16]) {
    shared.borrow_mut().errors.insert(api as i16, errors.iter().copied().collect());
}

#[test]
fn a_member_joins_reads_commits_and_leaves() {
    for (version, expected) in
        [("1.0", vec![r#"2 as """#]), ("2.8", vec![r#"7 as """#, r#"7 as "m0""#])]
    {
        let (mut world, _) = world(version.parse().unwrap(), |_| {});
        world.start();
        world.run_to(6_000);
        assert_eq!(joins(&world), expected, "{version}: KIP-394 came in 2.2");
        world.shut_down();
        world.run_to(7_000);
        assert!(world.has_exited(), "{version}");
        let expected = [
            "joined as leader, range",
            "assigned orders-0; owns orders-0",
            "begins orders-0 at 0, without a committed offset",
            "consumed 0",
            "consumed 1",
            "commit 0 is answered: orders-0 ok",
            "commit 1 is answered: orders-0 ok",
            "revoked orders-0",
            "leaves",
        ];
        assert_eq!(events(&world), expected, "{version}");
        let beats = world.seen(ApiKey::Heartbeat);
        assert_eq!(beats.len(), 1, "{version}: one each three seconds");
        assert!(beats.iter().all(|(_, broker, _)| *broker == 2));
    }
}

#[test]
fn a_member_begins_at_the_committed_offset() {
    for version in ["1.0", "2.8", "3.9"] {
        let (mut world, shared) = world(version.parse().unwrap(), |_| {});
        shared.borrow_mut().committed = 1;
        world.start();
        world.run_to(2_000);
        let events = events(&world);
        let expected = ["begins orders-0 at the committed offset 1", "consumed 1"];
        assert_eq!(events[2..], expected, "{version}");
    }
}

#[test]
fn a_member_that_is_not_known_any_more_loses_its_partitions_and_joins_as_a_new_one() {
    for error in [22, 25] {
        let (mut world, shared) = world(V2_8, |_| {});
        world.start();
        world.run_to(2_000);
        fail_next(&shared, ApiKey::Heartbeat, &[error]);
        world.run_to(4_000);
        let again = [r#"7 as """#, r#"7 as "m0""#, r#"7 as """#, r#"7 as "m1""#];
        assert_eq!(joins(&world), again, "error {error}");
        let events = events(&world);
        assert!(events.contains(&"lost orders-0".to_owned()), "error {error}: {events:?}");
    }
}

#[test]
fn a_rebalance_makes_a_member_commit_give_up_and_join_as_who_it_is() {
    let (mut world, shared) = world(V2_8, |_| {});
    world.start();
    world.run_to(2_000);
    fail_next(&shared, ApiKey::Heartbeat, &[27]);
    world.run_to(4_000);
    assert_eq!(joins(&world), [r#"7 as """#, r#"7 as "m0""#, r#"7 as "m0""#]);
    let expected = [
        "heartbeat: REBALANCE_IN_PROGRESS",
        "commit 0 is answered: orders-0 ok",
        "revoked orders-0",
        "joined as leader, range",
    ];
    assert_eq!(events(&world)[5..9], expected);
}

/// A member of two partitions that the group takes one of from.
fn taken_from(strategies: &[Strategy]) -> Vec<String> {
    let (mut world, shared) = world_of(V3_9, &[1, 1], |group| {
        group.strategies = strategies.to_vec();
        group.commit = CommitPolicy::Never;
    });
    world.start();
    world.run_to(2_000);
    fail_next(&shared, ApiKey::Heartbeat, &[27]);
    shared.borrow_mut().other = Some(vec![0]);
    world.run_to(4_500);
    let all = events(&world);
    let from = all.iter().position(|event| event.starts_with("heartbeat")).expect("it is told");
    let gist = all[from + 1..].iter().filter(|event| !event.starts_with("begins"));
    gist.filter(|event| !event.starts_with("consumed")).cloned().collect()
}

#[test]
fn a_cooperative_member_keeps_what_it_gets_again_and_joins_once_more_without_the_rest() {
    let joined = "joined as leader, cooperative-sticky";
    let cooperative = taken_from(&[Strategy::CooperativeSticky]);
    let expected = [joined, "revoked orders-1", "assigned none; owns orders-0", joined];
    assert_eq!(cooperative[..4], expected, "{cooperative:?}");
    assert!(cooperative[4].starts_with("assigned orders-1; owns"), "{cooperative:?}");
    // With an eager one among its assignors, it gives all up first.
    let eager = taken_from(&[Strategy::Range, Strategy::CooperativeSticky]);
    let expected = [
        "revoked orders-0,orders-1",
        "joined as leader, range",
        "assigned orders-0; owns orders-0",
    ];
    assert_eq!(eager, expected);
}

#[test]
fn a_commit_in_a_rebalance_costs_the_membership_before_2_4() {
    for (version, last) in [("2.3", r#"5 as "m1""#), ("2.4", r#"6 as "m0""#)] {
        let (mut world, shared) = world(version.parse().unwrap(), |_| {});
        fail_next(&shared, ApiKey::OffsetCommit, &[27]);
        world.start();
        world.run_to(8_000);
        assert_eq!(joins(&world).last().map(String::as_str), Some(last), "{version}");
    }
}

#[test]
fn heartbeats_begin_with_join_since_2_6_1() {
    for (version, is_sent) in [("2.6.0", false), ("2.6.1", true)] {
        let (mut world, shared) = world(version.parse().unwrap(), |_| {});
        shared.borrow_mut().silent = Some(ApiKey::SyncGroup);
        world.start();
        world.run_to(8_000);
        assert_eq!(!world.seen(ApiKey::Heartbeat).is_empty(), is_sent, "{version}");
    }
}

#[test]
fn another_coordinator_is_looked_for_when_the_old_one_says_so() {
    for (api, error) in
        [(ApiKey::Heartbeat, 16), (ApiKey::OffsetCommit, 15), (ApiKey::JoinGroup, 16)]
    {
        let (mut world, shared) = world(V2_8, |_| {});
        fail_next(&shared, api, &[error]);
        world.start();
        world.run_to(9_000);
        assert_eq!(world.seen(ApiKey::FindCoordinator).len(), 2, "{api:?}");
        let joins = joins(&world);
        let expected = if api == ApiKey::JoinGroup { 3 } else { 2 };
        assert_eq!(joins.len(), expected, "{api:?}: {joins:?}");
    }
}

#[test]
fn an_application_that_does_not_poll_leaves_and_comes_back() {
    let (mut world, _) = world(V2_8, |group| {
        group.max_poll_interval = Duration::from_secs(4);
        group.processing = Duration::from_secs(3);
    });
    world.start();
    world.run_to(8_000);
    // Two records of three seconds each.
    let events = events(&world);
    let expected = ["consumed 0", "leaves", "consumed 1", "lost orders-0"];
    assert_eq!(events[3..7], expected);
    assert_eq!(joins(&world).len(), 4, "two steps each time");
}

#[test]
fn an_application_commits_before_or_after_it_processes() {
    let (before, after) = (CommitPolicy::BeforeProcessing, CommitPolicy::AfterProcessing);
    let answered = "commit 0 is answered: orders-0 ok";
    for (policy, expected) in [
        (before, [answered, "consumed 0", "consumed 1"]),
        (after, ["consumed 0", "consumed 1", answered]),
    ] {
        let (mut world, _) = world(V2_8, |group| {
            group.commit = policy;
            group.processing = Duration::from_millis(10);
        });
        world.start();
        world.run_to(2_000);
        assert_eq!(events(&world)[3..], expected, "{policy:?}");
    }
}

#[test]
fn what_could_not_be_committed_before_it_is_processed_is_polled_again() {
    let (mut world, shared) = world(V2_8, |group| group.commit = CommitPolicy::BeforeProcessing);
    fail_next(&shared, ApiKey::OffsetCommit, &[28]);
    world.start();
    world.run_to(3_000);
    let events = events(&world);
    assert_eq!(events.iter().filter(|event| *event == "consumed 0").count(), 1, "{events:?}");
    assert_eq!(world.seen(ApiKey::OffsetCommit).len(), 2);
}

#[test]
fn a_fenced_static_member_ends() {
    let (mut world, shared) = world(V2_8, |group| group.instance = Some("i".into()));
    world.start();
    world.run_to(2_000);
    fail_next(&shared, ApiKey::Heartbeat, &[82]);
    world.run_to(4_000);
    assert!(world.has_exited());
}

#[test]
fn a_static_member_closes_without_leaving() {
    for (instance, leaves) in [(Some("i".into()), 0), (None, 1)] {
        let (mut world, _) = world(V2_8, |group| group.instance = instance.clone());
        world.start();
        world.run_to(2_000);
        world.shut_down();
        world.run_to(4_000);
        assert!(world.has_exited());
        assert_eq!(world.seen(ApiKey::LeaveGroup).len(), leaves, "{instance:?}");
    }
}

/// The member ids of all JoinGroup requests.
fn joined_as(world: &World<Consumer>) -> Vec<String> {
    let last = |join: &String| join.rsplit(' ').next().expect("an id").to_owned();
    joins(world).iter().map(last).collect()
}

#[test]
fn a_generation_that_is_over_leaves_the_member_its_id_since_3_2() {
    let (new, same) = (["\"\"", "\"m0\"", "\"\"", "\"m1\""], ["\"\"", "\"m0\"", "\"m0\""]);
    for (version, expected) in [("3.1", &new[..]), ("3.2", &same[..])] {
        for api in [ApiKey::Heartbeat, ApiKey::OffsetCommit] {
            let (mut world, shared) = world(version.parse().unwrap(), |_| {});
            world.start();
            world.run_to(2_000);
            fail_next(&shared, api, &[22]);
            world.run_to(8_000);
            assert_eq!(joined_as(&world), expected, "{version}, {api:?}");
            let events = events(&world);
            assert!(events.contains(&"lost orders-0".to_owned()), "{version}: {events:?}");
        }
    }
}

#[test]
fn a_sync_in_a_rebalance_costs_the_partitions_in_3_3_0_and_3_3_1() {
    for (version, are_lost) in
        [("3.2.3", false), ("3.3.0", true), ("3.3.1", true), ("3.3.2", false)]
    {
        let (mut world, shared) = world(version.parse().unwrap(), |group| {
            group.strategies = vec![Strategy::CooperativeSticky];
        });
        world.start();
        world.run_to(2_000);
        fail_next(&shared, ApiKey::Heartbeat, &[27]);
        fail_next(&shared, ApiKey::SyncGroup, &[27]);
        world.run_to(4_500);
        let same = ["\"\"", "\"m0\"", "\"m0\"", "\"m0\""];
        assert_eq!(joined_as(&world), same, "{version}");
        let events = events(&world);
        assert_eq!(events.contains(&"lost orders-0".to_owned()), are_lost, "{version}: {events:?}");
    }
}

/// A member by pattern, of a cluster that also has a topic that does not match.
fn world_by_pattern(version: KafkaVersion, max_age: Duration) -> (World<Consumer>, Shared) {
    let (world, shared) = world_with(version, &[1], |config| {
        config.topics = Vec::new();
        config.matching = Some(TopicPattern::parse("orders.*").expect("it is right"));
        config.metadata_max_age = max_age;
    });
    set_topics(&world, &shared, &["customers", TOPIC]);
    (world, shared)
}

fn set_topics(world: &World<Consumer>, shared: &Shared, names: &[&str]) {
    let mut answer = world.fake().metadata(5);
    let one = answer.topics.remove(0);
    let topic = |name: &&str| one.clone().with_name(Some(topic_name(name)));
    answer.topics = names.iter().map(topic).collect();
    let mut shared = shared.borrow_mut();
    (shared.metadata, shared.other) = (Some(answer), Some(vec![0]));
}

/// The topics of each JoinGroup.
fn subscriptions(world: &World<Consumer>, version: KafkaVersion) -> Vec<String> {
    let topics = |request: &RequestFrame| {
        let RequestKind::JoinGroup(body) = &request.body else { panic!("not JoinGroup") };
        let metadata = body.protocols[0].metadata.clone();
        Subscription::decode(version, metadata).expect("it is right").topics.join(" ")
    };
    world.seen(ApiKey::JoinGroup).iter().map(|(_, _, request)| topics(request)).collect()
}

#[test]
fn a_member_by_pattern_joins_again_when_other_topics_match() {
    for version in [KafkaVersion::new(1, 1), V2_8, V3_9] {
        let (mut world, shared) = world_by_pattern(version, Duration::from_secs(1));
        world.start();
        world.run_to(2_500);
        let first = subscriptions(&world, version);
        assert!(first.iter().all(|topics| topics == "orders"), "{version}: {first:?}");
        for (ms, topics, expected) in [
            (4_000, vec!["customers", "orders-2", TOPIC], "orders orders-2"),
            (5_500, vec!["customers", "invoices", TOPIC], "orders"),
        ] {
            set_topics(&world, &shared, &topics);
            let before = subscriptions(&world, version).len();
            world.run_to(ms);
            let last = subscriptions(&world, version);
            let mut names: Vec<_> = last.last().expect("a join").split(' ').collect();
            names.sort_unstable();
            assert_eq!((last.len(), names.join(" ")), (before + 1, expected.into()), "{version}");
        }
        let asked = |(_, _, request): &(u64, i32, RequestFrame)| match &request.body {
            RequestKind::Metadata(body) => body.topics.is_none(),
            other => panic!("not Metadata: {other:?}"),
        };
        assert!(world.seen(ApiKey::Metadata).iter().all(asked), "{version}: it asks for all");
    }
}

#[test]
fn a_member_by_pattern_asks_for_metadata_before_it_joins_since_2_0_1() {
    for (version, expected) in [("2.0.0", 0), ("2.0.1", 1)] {
        let (mut world, shared) =
            world_by_pattern(version.parse().unwrap(), Duration::from_mins(5));
        world.start();
        world.run_to(3_050);
        fail_next(&shared, ApiKey::Heartbeat, &[27]);
        world.run_to(6_950);
        let joins = world.seen(ApiKey::JoinGroup);
        let last = joins.last().expect("it joins").0;
        assert!(last > 3_050, "{version}");
        let asked = world.seen(ApiKey::Metadata);
        let again = asked.iter().filter(|(at, ..)| 3_050 < *at && *at <= last).count();
        assert_eq!(again, expected, "{version}");
    }
}

#[test]
fn what_an_old_leader_sent_is_not_returned_before_the_position_is_validated() {
    let (mut world, _) = world_with(V2_8, &[1], |config| {
        config.metadata_max_age = Duration::from_millis(300);
        let group = config.group.as_mut().expect("a group");
        (group.max_poll_records, group.processing) = (1, Duration::from_secs(1));
    });
    world.start();
    world.run_to(600);
    {
        // The first record is processed, the second is buffered: the new leader has another one.
        let partition = &mut world.fake().partitions[0];
        partition.batches.clear();
        (partition.leader, partition.epoch, partition.end) = (2, 0, 0);
        partition.append_records("p0", 0..1);
        partition.epoch = 1;
        partition.append_records("p0", 7..8);
    }
    world.run_to(3_500);
    let record = |(_, seen): &(_, ClientObservation)| match seen {
        ClientObservation::Consumed { record, .. } => Some(*record),
        _ => None,
    };
    let records: Vec<u64> = world.observed().iter().filter_map(record).collect();
    assert_eq!(records, [0, 7]);
    assert_eq!(world.seen(ApiKey::OffsetForLeaderEpoch).len(), 1);
}

#[test]
fn errors_mean_what_they_mean_in_the_java_client() {
    use Reaction::*;
    let table = [14, 15, 16, 22, 23, 25, 27, 79, 81, 82];
    let join =
        [BackOff, FindCoordinator, FindCoordinator, Fatal, Fatal, Reset, Retry, Retry, Fatal];
    assert_eq!(table[..9].iter().map(|one| to_join(*one)).collect::<Vec<_>>(), join);
    let sync = |error| to_sync(V2_8, error);
    assert_eq!([22, 25, 27, 82].map(sync), [Reset, Reset, Retry, Fatal]);
    assert_eq!(
        [15, 22, 25, 27, 82].map(|error| to_heartbeat(V2_8, error)),
        [FindCoordinator, Reset, Reset, Rejoin, Fatal]
    );
    let commit = |error| to_commit(V2_8, error);
    let expected =
        [BackOff, FindCoordinator, BackOff, FindCoordinator, Reset, Rejoin, Fatal, GiveUp];
    assert_eq!([3, 7, 14, 16, 25, 27, 82, 28].map(commit), expected);
}
