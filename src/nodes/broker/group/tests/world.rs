//! A coordinator with a clock, whose appends succeed at once unless a test holds them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, ResponseKind, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::{Client, GroupCoordinator};
use crate::nodes::Effects;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context, Outbox, ReplyTo};
use crate::nodes::testing::settings;
use crate::releases::KafkaVersion;
use crate::vocab::step::Effect;
use crate::vocab::{Clock, ConnId, Seed, Time};
use crate::wire::group_records::{GroupKey, GroupValue, OffsetValue};
use crate::wire::records::Batch;

/// A record as it is stored: key and value.
pub type Stored = (GroupKey, Option<Bytes>);

pub struct World {
    pub groups: GroupCoordinator,
    pub now: Time,
    effects: Effects,
    /// Answers that no test has taken yet, by connection.
    answers: Vec<(ConnId, ResponseKind)>,
    /// The partition's log.
    pub log: Vec<Batch>,
    /// Whether appends wait for [`World::release`].
    pub holds: bool,
    held: Vec<(u64, i64)>,
    conns: u64,
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

impl World {
    /// A coordinator of all groups, which wait for no members to come.
    pub fn new(version: &str) -> Self {
        Self::of(version, |_| {})
    }

    pub fn of(version: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut world = Self::before(version, change);
        world.act(|groups, cx| groups.elected(cx, 0, 0));
        world.pass(1);
        world
    }

    /// A coordinator of no groups yet.
    pub fn before(version: &str, change: impl FnOnce(&mut Config)) -> Self {
        let version: KafkaVersion = version.parse().unwrap();
        let mut config = settings::broker(1, version, Vec::new());
        config.groups.initial_rebalance_delay = Duration::ZERO;
        config.offsets_topic_num_partitions = 1;
        change(&mut config);
        let ids = Seed(1).stream("groups");
        Self {
            groups: GroupCoordinator::new(Arc::new(config), ids),
            now: Time(0),
            effects: Effects::default(),
            answers: Vec::new(),
            log: Vec::new(),
            holds: false,
            held: Vec::new(),
            conns: 0,
        }
    }

    fn clock(&self) -> Clock {
        Clock { now: self.now, wall_ms: 1_000_000 + (self.now.0 / 1_000_000) as i64 }
    }

    pub fn act<T>(&mut self, act: impl FnOnce(&mut GroupCoordinator, &mut Context<'_>) -> T) -> T {
        let mut outbox = Outbox::default();
        let clock = self.clock();
        let mut cx = Context { clock, effects: &mut self.effects, outbox: &mut outbox };
        let result = act(&mut self.groups, &mut cx);
        for ask in outbox.asks {
            match ask {
                Ask::Reply { to, body } => self.answers.push((to.conn, *body)),
                Ask::AppendOffsets { batch, number, .. } => {
                    let at = self.log.last().map_or(0, |last| last.last_offset + 1);
                    self.log.push(batch.stamped(at, 0));
                    self.held.extend(number.map(|number| (number, at)));
                }
                other => panic!("a coordinator does not ask {other:?}"),
            }
        }
        if !self.holds {
            self.release(None);
        }
        result
    }

    /// What the history got to know since this was asked last, in words.
    pub fn facts(&mut self) -> Vec<String> {
        let observed = self.effects.drain().filter_map(|effect| match effect {
            Effect::Observe(observation) => Some(observation.to_string()),
            _ => None,
        });
        observed.collect()
    }

    /// Appends that were held are done, or fail.
    pub fn release(&mut self, error: Option<ResponseError>) {
        for (number, at) in std::mem::take(&mut self.held) {
            let result = error.map_or(Ok(at), Err);
            self.act(|groups, cx| groups.appended(cx, number, result));
        }
    }

    /// Seconds pass; what is due happens at its second.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            while self.act(|groups, cx| groups.on_timer(cx)).is_some() {
                let log = self.log.clone();
                self.act(|groups, cx| groups.load(cx, log.iter().map(Cow::Borrowed)));
            }
        }
    }

    /// A request's place, on a connection of its own.
    pub fn to(&mut self, api: ApiKey, version: i16) -> ReplyTo {
        self.conns += 1;
        ReplyTo { conn: ConnId(self.conns), api, version, correlation_id: 0 }
    }

    /// The answer of a connection, if it came.
    pub fn answer(&mut self, conn: ConnId) -> Option<ResponseKind> {
        let n = self.answers.iter().position(|(other, _)| *other == conn)?;
        Some(self.answers.remove(n).1)
    }

    /// Sends a JoinGroup; the answer may be long in coming.
    pub fn send_join(&mut self, api: i16, request: JoinGroupRequest) -> ConnId {
        let to = self.to(ApiKey::JoinGroup, api);
        let client = Client { id: text("c"), host: text("/h") };
        self.act(|groups, cx| groups.join_group(cx, to, client, request));
        // What is due at once.
        self.act(|groups, cx| groups.on_timer(cx));
        to.conn
    }

    pub fn joined(&mut self, conn: ConnId) -> Option<JoinGroupResponse> {
        match self.answer(conn)? {
            ResponseKind::JoinGroup(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    pub fn join(&mut self, api: i16, request: JoinGroupRequest) -> JoinGroupResponse {
        let conn = self.send_join(api, request);
        self.joined(conn).expect("it is answered at once")
    }

    pub fn send_sync(&mut self, id: &str, generation: i32, given: &[(&str, &str)]) -> ConnId {
        let to = self.to(ApiKey::SyncGroup, 3);
        let assignments = given.iter().map(|(member, what)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(Bytes::copy_from_slice(what.as_bytes()))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(group("g"))
            .with_member_id(text(id))
            .with_generation_id(generation)
            .with_assignments(assignments.collect());
        self.act(|groups, cx| groups.sync_group(cx, to, request));
        to.conn
    }

    pub fn synced(&mut self, conn: ConnId) -> Option<SyncGroupResponse> {
        match self.answer(conn)? {
            ResponseKind::SyncGroup(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    /// The error of a heartbeat.
    pub fn beat(&mut self, id: &str, generation: i32, instance: Option<&str>) -> i16 {
        let to = self.to(ApiKey::Heartbeat, 3);
        let request = HeartbeatRequest::default()
            .with_group_id(group("g"))
            .with_member_id(text(id))
            .with_group_instance_id(instance.map(text))
            .with_generation_id(generation);
        self.act(|groups, cx| groups.heartbeat(cx, to, request));
        match self.answer(to.conn) {
            Some(ResponseKind::Heartbeat(response)) => response.error_code,
            other => panic!("{other:?}"),
        }
    }

    /// The error of a LeaveGroup of one member, and of the request.
    pub fn leave(&mut self, id: &str, instance: Option<&str>) -> (i16, i16) {
        let to = self.to(ApiKey::LeaveGroup, 3);
        let member = MemberIdentity::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.map(text));
        let request =
            LeaveGroupRequest::default().with_group_id(group("g")).with_members(vec![member]);
        self.act(|groups, cx| groups.leave_group(cx, to, request));
        match self.answer(to.conn) {
            Some(ResponseKind::LeaveGroup(response)) => {
                (response.error_code, response.members.first().map_or(0, |one| one.error_code))
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sends an OffsetCommit of `t-0` for a group.
    pub fn send_commit(&mut self, of: &str, id: &str, generation: i32, offset: i64) -> ConnId {
        let request = commit(of, id, generation, offset);
        self.send_commit_request(request)
    }

    pub fn send_commit_request(&mut self, request: OffsetCommitRequest) -> ConnId {
        let to = self.to(ApiKey::OffsetCommit, 3);
        let knows = |topic: &str, partition: Option<i32>| {
            topic.starts_with('t') && partition.unwrap_or(0) < 2
        };
        self.act(|groups, cx| groups.commit_offsets(cx, to, request, &knows));
        to.conn
    }

    pub fn committed(&mut self, conn: ConnId) -> Option<i16> {
        match self.answer(conn)? {
            ResponseKind::OffsetCommit(response) => {
                Some(response.topics[0].partitions[0].error_code)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The error of an OffsetCommit of `t-0`.
    pub fn commit(&mut self, of: &str, id: &str, generation: i32, offset: i64) -> i16 {
        let conn = self.send_commit(of, id, generation, offset);
        self.committed(conn).expect("it is answered at once")
    }

    /// What is committed for a partition: error of the request, offset, error of the partition.
    pub fn fetch(&mut self, of: &str, topic: &str, require_stable: bool) -> (i16, i64, i16) {
        let to = self.to(ApiKey::OffsetFetch, 7);
        let asked = OffsetFetchRequestTopic::default()
            .with_name(text(topic).into())
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group(of))
            .with_require_stable(require_stable)
            .with_topics(Some(vec![asked]));
        self.act(|groups, cx| groups.fetch_offsets(cx, to, request));
        match self.answer(to.conn) {
            Some(ResponseKind::OffsetFetch(response)) => {
                let part = response.topics.first().map(|topic| &topic.partitions[0]);
                let (offset, error) =
                    part.map_or((-1, 0), |part| (part.committed_offset, part.error_code));
                (response.error_code, offset, error)
            }
            other => panic!("{other:?}"),
        }
    }

    /// All records of the log.
    pub fn stored(&self) -> Vec<Stored> {
        let records = self.log.iter().flat_map(|batch| batch.records().unwrap());
        let stored = records.map(|record| (record.key.unwrap(), record.value));
        stored.map(|(key, value)| (GroupKey::decode(key).unwrap(), value)).collect()
    }

    /// The group's last record, and its format.
    pub fn stored_group(&self) -> (i16, GroupValue) {
        let key = GroupKey::Group(text("g"));
        let last = self.stored().into_iter().rev().find(|(other, _)| *other == key);
        let value = last.and_then(|(_, value)| value).expect("the group is stored");
        (i16::from_be_bytes([value[0], value[1]]), GroupValue::decode(value).unwrap())
    }

    /// The last committed offset, and its format.
    pub fn stored_offset(&self) -> (i16, OffsetValue) {
        let is_offset = |(key, _): &Stored| matches!(key, GroupKey::Offset { .. });
        let last = self.stored().into_iter().rev().find(is_offset);
        let value = last.and_then(|(_, value)| value).expect("an offset is stored");
        (i16::from_be_bytes([value[0], value[1]]), OffsetValue::decode(value).unwrap())
    }

    /// A member that is alone in group `g`, which is stable: its id.
    pub fn stable(&mut self, instance: Option<&str>) -> String {
        let request = join("").with_group_instance_id(instance.map(text));
        let joined = self.join(3, request);
        assert_eq!(joined.error_code, 0);
        let id = joined.member_id.to_string();
        let conn = self.send_sync(&id, joined.generation_id, &[(&id, "all")]);
        assert_eq!(self.synced(conn).unwrap().assignment, "all");
        id
    }
}

/// A JoinGroup for `g` of a consumer that knows `range`, with a session of ten seconds.
pub fn join(id: &str) -> JoinGroupRequest {
    JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_member_id(text(id))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(20_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range", "m")])
}

pub fn protocol(name: &str, metadata: &str) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol::default()
        .with_name(text(name))
        .with_metadata(Bytes::copy_from_slice(metadata.as_bytes()))
}

/// An OffsetCommit of `t-0`.
pub fn commit(of: &str, id: &str, generation: i32, offset: i64) -> OffsetCommitRequest {
    let part = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(text("t").into());
    OffsetCommitRequest::default()
        .with_group_id(group(of))
        .with_member_id(text(id))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic.with_partitions(vec![part])])
}
