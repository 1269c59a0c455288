//! Replica managers that exchange bytes in memory, without the world: messages take no time unless held.

mod acks;
mod durability;
mod membership;
mod requests;
mod truncation;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrLiveLeader, LeaderAndIsrPartitionState, LeaderAndIsrTopicState,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId as WireBrokerId, FetchRequest, LeaderAndIsrRequest, LeaderAndIsrResponse,
    ProduceRequest, RequestKind, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{PartitionStatus, ReplicaManager};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{
    Ask, ConnOwner, Context, IsrChange, IsrOutcome, Outbox, Part, ReplyTo,
};
use crate::releases::KafkaVersion;
use crate::vocab::step::{DiskImage, DiskRequest, Effect};
use crate::vocab::{
    BrokerId, Clock, ConnId, DiskOpId, LeaderEpoch, NodeId, Offset, Rope, Roster, Time, TimerId,
    TopicPartition,
};
use crate::wire::frames::Frames;
use crate::wire::kafka::{decode_request, encode_response};
use crate::wire::records::{Batch, BatchBuilder};

/// The release with every behaviour of today.
const NEWEST: KafkaVersion = KafkaVersion::new(3, 9);

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn config(id: usize, version: KafkaVersion) -> Config {
    let ms = Duration::from_millis;
    Config {
        id: BrokerId(id as i32),
        host: format!("b{id}"),
        external: None,
        version,
        mutant: None,
        zookeepers: Vec::new(),
        session_timeout: ms(18_000),
        replica_lag_time_max: ms(10_000),
        replica_fetch_wait_max: ms(500),
        replica_fetch_min_bytes: 1,
        replica_fetch_max_bytes: 1 << 20,
        replica_fetch_response_max_bytes: 10 << 20,
        replica_fetch_backoff: ms(1_000),
        replica_socket_timeout: ms(30_000),
        high_watermark_checkpoint_interval: ms(5_000),
        recovery_point_checkpoint_interval: ms(60_000),
        log_flush_interval_messages: i64::MAX,
        log_flush_interval: None,
        log_segment_bytes: 1 << 30,
        message_max_bytes: 1 << 20,
        min_insync_replicas: 1,
        unclean_leader_election: false,
        num_partitions: 1,
        default_replication_factor: 3,
        offsets_topic_num_partitions: 50,
        offsets_topic_replication_factor: 3,
        offsets_topic_segment_bytes: 100 << 20,
        auto_create_topics: false,
        auto_leader_rebalance: false,
        leader_imbalance_check_interval: ms(300_000),
        leader_imbalance_per_broker_percentage: 10,
        controlled_shutdown: true,
        controlled_shutdown_max_retries: 3,
        controlled_shutdown_retry_backoff: ms(5_000),
        controller_socket_timeout: ms(30_000),
        request_timeout: ms(30_000),
    }
}

/// What is on its way to a broker.
enum Mail {
    Opened(ConnId),
    ToFetcher(ConnId, Bytes),
    ToServer(ConnId, Bytes),
    Closed(ConnId),
    DiskDone(DiskOpId),
}

struct Conn {
    from: usize,
    to: usize,
    requests: Frames,
}

struct Cluster {
    now: Time,
    version: KafkaVersion,
    tune: fn(&mut Config),
    roster: Arc<Roster>,
    managers: BTreeMap<usize, ReplicaManager>,
    disks: BTreeMap<usize, DiskImage>,
    effects: Effects,
    mail: VecDeque<(usize, Mail)>,
    /// Brokers whose mail is held.
    held: BTreeSet<usize>,
    /// Whether fsyncs end.
    fsyncs_end: bool,
    conns: BTreeMap<ConnId, Conn>,
    /// The leader that a fetcher's connection is for, until the fetcher closes it.
    leaders: BTreeMap<ConnId, BrokerId>,
    timers: BTreeMap<(Time, TimerId), (usize, u64)>,
    next_client: u64,
    replies: BTreeMap<ConnId, ResponseKind>,
    closed_clients: Vec<ConnId>,
    released_clients: Vec<ConnId>,
    isr_changes: Vec<(usize, IsrChange)>,
    observations: Vec<(usize, BrokerObservation)>,
    partition_epoch: i32,
    halted: Vec<usize>,
}

impl Cluster {
    /// Brokers 1 to 3 with empty disks.
    fn new(version: KafkaVersion) -> Self {
        Self::tuned(version, |_| {})
    }

    fn tuned(version: KafkaVersion, tune: fn(&mut Config)) -> Self {
        let mut roster = Roster::default();
        for name in ["b0", "b1", "b2", "b3"] {
            roster.add(name);
        }
        let mut cluster = Self {
            now: Time::from_millis(1),
            version,
            tune,
            roster: Arc::new(roster),
            managers: BTreeMap::new(),
            disks: BTreeMap::new(),
            effects: Effects::default(),
            mail: VecDeque::new(),
            held: BTreeSet::new(),
            fsyncs_end: true,
            conns: BTreeMap::new(),
            leaders: BTreeMap::new(),
            timers: BTreeMap::new(),
            next_client: 1 << 40,
            replies: BTreeMap::new(),
            closed_clients: Vec::new(),
            released_clients: Vec::new(),
            isr_changes: Vec::new(),
            observations: Vec::new(),
            partition_epoch: 0,
            halted: Vec::new(),
        };
        for broker in 1..=3 {
            cluster.start(broker);
        }
        cluster
    }

    fn clock(&self) -> Clock {
        Clock { now: self.now, wall_ms: self.now.as_millis() as i64 }
    }

    /// Starts a broker on what its disk holds.
    fn start(&mut self, broker: usize) {
        let mut config = config(broker, self.version);
        (self.tune)(&mut config);
        let image = self.disks.entry(broker).or_default().clone();
        let mut outbox = Outbox::default();
        let clock = self.clock();
        let mut cx = Context { clock, effects: &mut self.effects, outbox: &mut outbox };
        let manager = ReplicaManager::load(Arc::new(config), self.roster.clone(), image, &mut cx);
        self.managers.insert(broker, manager);
        self.carry_out(broker, outbox);
        self.run();
    }

    /// Lets a broker do something, and the cluster what follows from it.
    fn with<T>(
        &mut self,
        broker: usize,
        act: impl FnOnce(&mut ReplicaManager, &mut Context<'_>) -> T,
    ) -> T {
        let result = self.step(broker, act);
        self.run();
        result
    }

    fn step<T>(
        &mut self,
        broker: usize,
        act: impl FnOnce(&mut ReplicaManager, &mut Context<'_>) -> T,
    ) -> T {
        let mut outbox = Outbox::default();
        let clock = self.clock();
        let mut cx = Context { clock, effects: &mut self.effects, outbox: &mut outbox };
        let manager = self.managers.get_mut(&broker).expect("the broker is up");
        let result = act(manager, &mut cx);
        self.carry_out(broker, outbox);
        result
    }

    fn carry_out(&mut self, broker: usize, outbox: Outbox) {
        let effects: Vec<_> = self.effects.drain().collect();
        for effect in effects {
            match effect {
                Effect::Connect { conn, to: NodeId(to) } => {
                    let to = usize::from(to);
                    let mail = if self.managers.contains_key(&to) {
                        let requests = Frames::new(1 << 20);
                        self.conns.insert(conn, Conn { from: broker, to, requests });
                        Mail::Opened(conn)
                    } else {
                        Mail::Closed(conn)
                    };
                    self.mail.push_back((broker, mail));
                }
                Effect::Send { conn, bytes } => {
                    if let Some(to) = self.conns.get(&conn).map(|conn| conn.to) {
                        self.mail.push_back((to, Mail::ToServer(conn, bytes)));
                    }
                }
                Effect::Close(conn) => {
                    self.conns.remove(&conn);
                }
                Effect::SetTimer { id, at, token } => {
                    self.timers.insert((at, id), (broker, token));
                }
                Effect::CancelTimer(id) => self.timers.retain(|key, _| key.1 != id),
                Effect::Disk { op, request } => self.use_disk(broker, op, request),
                Effect::Observe(Observation::Broker(what)) => {
                    self.observations.push((broker, what));
                }
                other => panic!("unexpected effect {other:?}"),
            }
        }
        for ask in outbox.asks {
            match ask {
                Ask::Reply { to, body } => self.reply(to, *body),
                Ask::NoReply(to) => self.released_clients.push(to.conn),
                Ask::Close(conn) => self.closed_clients.push(conn),
                Ask::ChangeIsr(change) => self.isr_changes.push((broker, change)),
                Ask::Halt(_) => self.halted.push(broker),
                Ask::Own(conn, ConnOwner::Fetcher(leader)) => {
                    self.leaders.insert(conn, leader);
                }
                Ask::Own(_, owner) => panic!("unexpected {owner:?}"),
                Ask::Disown(conn) => drop(self.leaders.remove(&conn)),
            }
        }
    }

    fn reply(&mut self, to: ReplyTo, body: ResponseKind) {
        let frame = encode_response(to.api, to.version, to.correlation_id, &body);
        if let Some(conn) = self.conns.get(&to.conn) {
            self.mail.push_back((conn.from, Mail::ToFetcher(to.conn, frame)));
        } else {
            self.replies.insert(to.conn, body);
        }
    }

    fn use_disk(&mut self, broker: usize, op: DiskOpId, request: DiskRequest) {
        let disk = self.disks.get_mut(&broker).expect("every broker has a disk");
        match request {
            DiskRequest::Append { file, bytes } => disk.entry(file).or_default().append(bytes),
            DiskRequest::Write { file, bytes } => {
                disk.insert(file, bytes.into());
            }
            DiskRequest::Truncate { file, len } => {
                disk.entry(file).or_default().truncate(len);
            }
            DiskRequest::Rename { from, to } => {
                let content = disk.remove(&from).expect("what is renamed is there");
                disk.insert(to, content);
            }
            DiskRequest::Delete { file } => {
                disk.remove(&file);
            }
            DiskRequest::Fsync { .. } | DiskRequest::FsyncDirectory => {
                self.mail.push_back((broker, Mail::DiskDone(op)));
            }
        }
    }

    /// Delivers until nothing is left that may be delivered.
    fn run(&mut self) {
        loop {
            let may_go = |(to, mail): &(usize, Mail)| match mail {
                Mail::DiskDone(_) => self.fsyncs_end,
                _ => !self.held.contains(to),
            };
            let Some(n) = self.mail.iter().position(may_go) else { return };
            let (to, mail) = self.mail.remove(n).expect("it was just found");
            if self.managers.contains_key(&to) {
                self.deliver(to, mail);
            }
        }
    }

    fn deliver(&mut self, to: usize, mail: Mail) {
        match mail {
            Mail::Opened(conn) => {
                if let Some(&leader) = self.leaders.get(&conn) {
                    self.step(to, |m, cx| m.opened(cx, leader, conn));
                }
            }
            Mail::ToFetcher(conn, bytes) => {
                if self.conns.contains_key(&conn) {
                    let leader = self.leaders[&conn];
                    self.step(to, |m, cx| m.received(cx, leader, bytes));
                }
            }
            Mail::ToServer(conn, bytes) => {
                let Some(state) = self.conns.get_mut(&conn) else { return };
                state.requests.push(bytes);
                while let Some(frame) =
                    self.conns.get_mut(&conn).and_then(|c| c.requests.pop().unwrap())
                {
                    self.serve(to, conn, frame);
                }
            }
            Mail::Closed(conn) => {
                self.conns.remove(&conn);
                if let Some(leader) = self.leaders.remove(&conn) {
                    self.step(to, |m, cx| m.closed(cx, leader));
                }
            }
            Mail::DiskDone(op) => self.step(to, |m, cx| m.on_disk_done(cx, op)),
        }
    }

    fn serve(&mut self, broker: usize, conn: ConnId, frame: Bytes) {
        let request = decode_request(frame).expect("followers speak the protocol");
        let to = ReplyTo {
            conn,
            api: request.api,
            version: request.version,
            correlation_id: request.correlation_id,
        };
        self.step(broker, |manager, cx| match request.body {
            RequestKind::Fetch(body) => manager.fetch(cx, to, body),
            RequestKind::ListOffsets(body) => manager.list_offsets(cx, to, body),
            RequestKind::OffsetForLeaderEpoch(body) => {
                manager.offsets_for_leader_epoch(cx, to, body);
            }
            other => panic!("unexpected request {other:?}"),
        });
    }

    /// Lets time pass, timer by timer.
    fn advance(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((&(due, id), &(broker, token))) = self.timers.first_key_value() {
            if due > end {
                break;
            }
            self.timers.remove(&(due, id));
            self.now = self.now.max(due);
            let (part, number) = Part::of(token);
            assert_eq!(part, Part::Replicas);
            if self.managers.contains_key(&broker) {
                self.with(broker, |manager, cx| manager.on_timer(cx, number));
            }
        }
        self.now = end;
    }

    /// The process dies; its disk's page cache stays.
    fn crash(&mut self, broker: usize) {
        self.managers.remove(&broker);
        self.timers.retain(|_, (owner, _)| *owner != broker);
        self.mail.retain(|(to, _)| *to != broker);
        let lost: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.from == broker || conn.to == broker)
            .map(|(id, _)| *id)
            .collect();
        for conn in lost {
            let state = self.conns.remove(&conn).expect("it was just listed");
            if state.to == broker {
                self.mail.push_back((state.from, Mail::Closed(conn)));
            } else if let Some(manager) = self.managers.get_mut(&state.to) {
                manager.client_gone(conn);
            }
        }
        self.run();
    }

    /// Messages to `broker` wait.
    fn hold(&mut self, broker: usize) {
        self.held.insert(broker);
    }

    fn release(&mut self, broker: usize) {
        self.held.remove(&broker);
        self.run();
    }

    /// A LeaderAndIsr request with one partition's state, to one broker.
    fn tell(
        &mut self,
        broker: usize,
        leader: usize,
        leader_epoch: LeaderEpoch,
        isr: &[i32],
    ) -> LeaderAndIsrResponse {
        let ids = |ids: &[i32]| ids.iter().map(|id| WireBrokerId(*id)).collect();
        let state = LeaderAndIsrPartitionState::default()
            .with_partition_index(0)
            .with_controller_epoch(1)
            .with_leader(WireBrokerId(leader as i32))
            .with_leader_epoch(leader_epoch)
            .with_isr(ids(isr))
            .with_partition_epoch(self.partition_epoch)
            .with_replicas(ids(&[1, 2, 3]));
        let topic_state = LeaderAndIsrTopicState::default()
            .with_topic_name(topic())
            .with_partition_states(vec![state]);
        let live = (1..=3).map(|id| {
            LeaderAndIsrLiveLeader::default()
                .with_broker_id(WireBrokerId(id))
                .with_host_name(StrBytes::from_string(format!("b{id}")))
                .with_port(9092)
        });
        let request = LeaderAndIsrRequest::default()
            .with_controller_epoch(1)
            .with_topic_states(vec![topic_state])
            .with_live_leaders(live.collect());
        self.with(broker, |manager, cx| manager.leader_and_isr(cx, request, 2))
    }

    /// The same to all brokers that are up.
    fn elect(&mut self, leader: usize, leader_epoch: LeaderEpoch, isr: &[i32]) {
        self.partition_epoch += 1;
        let up: Vec<usize> = self.managers.keys().copied().collect();
        for broker in up {
            self.tell(broker, leader, leader_epoch, isr);
        }
    }

    /// Sends a request of a client on a connection of its own.
    fn request(&mut self, broker: usize, version: i16, body: RequestKind) -> ConnId {
        let conn = ConnId(self.next_client);
        self.next_client += 1;
        let api = match &body {
            RequestKind::Produce(_) => ApiKey::Produce,
            RequestKind::Fetch(_) => ApiKey::Fetch,
            RequestKind::ListOffsets(_) => ApiKey::ListOffsets,
            RequestKind::OffsetForLeaderEpoch(_) => ApiKey::OffsetForLeaderEpoch,
            other => panic!("no client sends {other:?} here"),
        };
        let to = ReplyTo { conn, api, version, correlation_id: 1 };
        self.with(broker, |manager, cx| match body {
            RequestKind::Produce(body) => manager.produce(cx, to, body),
            RequestKind::Fetch(body) => manager.fetch(cx, to, body),
            RequestKind::ListOffsets(body) => manager.list_offsets(cx, to, body),
            RequestKind::OffsetForLeaderEpoch(body) => {
                manager.offsets_for_leader_epoch(cx, to, body);
            }
            _ => unreachable!("the API was found above"),
        });
        conn
    }

    fn produce_bytes(&mut self, broker: usize, acks: i16, records: Bytes) -> ConnId {
        self.produce_as(7, broker, acks, records)
    }

    fn produce_as(&mut self, api: i16, broker: usize, acks: i16, records: Bytes) -> ConnId {
        let part = PartitionProduceData::default().with_index(0).with_records(Some(records));
        let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![part]);
        let request = ProduceRequest::default()
            .with_acks(acks)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![data]);
        self.request(broker, api, RequestKind::Produce(request))
    }

    /// Produces one record.
    fn produce(&mut self, broker: usize, acks: i16, value: &str) -> ConnId {
        self.produce_bytes(broker, acks, batch(value).bytes)
    }

    /// Error code and base offset of a produce request's answer, if there is one.
    fn produced(&self, conn: ConnId) -> Option<(i16, Offset)> {
        let ResponseKind::Produce(response) = self.replies.get(&conn)? else {
            panic!("not a produce response")
        };
        let part = &response.responses[0].partition_responses[0];
        Some((part.error_code, part.base_offset))
    }

    fn fetch_request(offset: Offset, max_wait_ms: i32) -> FetchRequest {
        let part =
            FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        FetchRequest::default().with_max_wait_ms(max_wait_ms).with_min_bytes(1).with_topics(vec![
            FetchTopic::default().with_topic(topic()).with_partitions(vec![part]),
        ])
    }

    /// A consumer's fetch that does not wait: error code and values.
    fn consume(&mut self, broker: usize, offset: Offset) -> (i16, Vec<String>) {
        let request = Self::fetch_request(offset, 0);
        let conn = self.request(broker, 11, RequestKind::Fetch(request));
        self.fetched(conn).expect("a fetch that does not wait is answered")
    }

    fn fetched(&self, conn: ConnId) -> Option<(i16, Vec<String>)> {
        let ResponseKind::Fetch(response) = self.replies.get(&conn)? else {
            panic!("not a fetch response")
        };
        let part = &response.responses[0].partitions[0];
        let records = part.records.clone().unwrap_or_default();
        Some((part.error_code, Batch::all(&records).flat_map(|b| texts(&b.unwrap())).collect()))
    }

    fn status(&self, broker: usize) -> PartitionStatus {
        self.managers[&broker].status(&at()).expect("the replica is there")
    }

    /// Values in a replica's log.
    fn values(&self, broker: usize) -> Vec<String> {
        self.managers[&broker].records(&at()).flat_map(|batch| texts(&batch)).collect()
    }

    /// ZooKeeper takes the oldest proposed change.
    fn commit_isr(&mut self) -> Vec<BrokerId> {
        let (broker, change) = self.isr_changes.remove(0);
        self.partition_epoch += 1;
        let outcome = IsrOutcome::Committed {
            isr: change.isr.clone(),
            leader_epoch: change.leader_epoch,
            partition_epoch: self.partition_epoch,
        };
        self.with(broker, |manager, cx| manager.isr_change_done(cx, &change.at, outcome));
        change.isr
    }

    /// All replicas agree, record by record and epoch by epoch.
    fn assert_logs_match(&self) {
        let logs: Vec<Vec<Cow<'_, Batch>>> =
            self.managers.values().map(|m| m.records(&at()).collect()).collect();
        for log in &logs {
            assert_eq!(*log, logs[0]);
        }
    }
}

fn texts(batch: &Batch) -> Vec<String> {
    let records = batch.records().expect("batches of tests decode");
    let text = |value: &Option<Bytes>| String::from_utf8(value.clone().unwrap().to_vec()).unwrap();
    records.iter().map(|record| text(&record.value)).collect()
}

fn batch(value: &str) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(1_000, None, Some(value.as_bytes()));
    builder.build()
}

/// Broker ids.
fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(*id)).collect()
}
