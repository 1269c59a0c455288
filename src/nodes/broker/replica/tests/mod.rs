//! Replica managers in the substrate's world: they exchange bytes over links of a microsecond, and what the tests
//! do to them takes no more than a tenth of a millisecond.

mod acks;
mod durability;
mod fetches;
mod idempotence;
mod membership;
mod requests;
mod transactions;
mod truncation;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrLiveLeader, LeaderAndIsrPartitionState, LeaderAndIsrTopicState,
};
use kafka_protocol::messages::{
    BrokerId as WireBrokerId, FetchRequest, LeaderAndIsrRequest, LeaderAndIsrResponse,
    ProduceRequest, RequestKind, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};

use super::{PartitionStatus, ReplicaManager};
use crate::history::BrokerObservation;
use crate::nodes::Effects;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{
    Ask, ConnOwner, Context, IsrChange, IsrOutcome, Outbox, Part, ReplyTo, TransactionCompleted,
    VerifyTransaction,
};
use crate::nodes::testing::kafka::{self, Requests};
use crate::nodes::testing::{self, Role, Sent, steady};
use crate::releases::KafkaVersion;
use crate::vocab::step::{DiskImage, DiskRequest, Input};
use crate::vocab::{
    BrokerId, Clock, ConnId, LeaderEpoch, NodeId, Offset, Roster, Seed, TopicPartition,
};
use crate::wire::kafka::{RequestFrame, encode_response};
use crate::wire::records::{Batch, BatchBuilder};

/// The release with every behaviour of today.
const NEWEST: KafkaVersion = KafkaVersion::new(3, 9);
const BROKERS: std::ops::RangeInclusive<usize> = 1..=3;

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn topic() -> TopicName {
    kafka::topic("orders")
}

fn node(broker: usize) -> NodeId {
    testing::node(broker as i32)
}

/// A broker's process that has nothing but the replicas: the test is its controller and its ZooKeeper.
struct Replicas {
    config: Arc<Config>,
    roster: Arc<Roster>,
    /// There from the first input on.
    manager: Option<ReplicaManager>,
    /// Connections of clients and followers.
    requests: Requests,
    /// The leader that a fetcher's connection is for, until the fetcher closes it.
    leaders: BTreeMap<ConnId, BrokerId>,
    /// Produce requests without acks that are done.
    unanswered: usize,
    isr_changes: Vec<IsrChange>,
    /// Appends of the group coordinator that ended.
    appended: Vec<(u64, Result<Offset, kafka_protocol::ResponseError>)>,
    /// Transactions that are completed in `__consumer_offsets`.
    completed: Vec<TransactionCompleted>,
    /// Questions to transaction coordinators.
    questions: Vec<VerifyTransaction>,
    /// How many TxnOffsetCommit requests may go on.
    commits: usize,
    halted: bool,
}

impl Replicas {
    fn new(config: Config, roster: Arc<Roster>) -> Self {
        Self {
            config: Arc::new(config),
            roster,
            manager: None,
            requests: Requests::default(),
            leaders: BTreeMap::new(),
            unanswered: 0,
            isr_changes: Vec::new(),
            appended: Vec::new(),
            completed: Vec::new(),
            questions: Vec::new(),
            commits: 0,
            halted: false,
        }
    }

    /// Lets the manager do something, and carries out what it asks for.
    fn with<T>(
        &mut self,
        clock: Clock,
        effects: &mut Effects,
        act: impl FnOnce(&mut ReplicaManager, &mut Context<'_>) -> T,
    ) -> T {
        let mut outbox = Outbox::default();
        let mut cx = Context { clock, effects, outbox: &mut outbox };
        let result = act(self.manager.as_mut().expect("it has started"), &mut cx);
        self.carry_out(outbox, clock, effects);
        result
    }

    fn carry_out(&mut self, outbox: Outbox, clock: Clock, effects: &mut Effects) {
        for ask in outbox.asks {
            match ask {
                Ask::Reply { to, body } => {
                    let frame = encode_response(to.api, to.version, to.correlation_id, &body);
                    effects.send(to.conn, frame);
                }
                Ask::NoReply(_) => self.unanswered += 1,
                Ask::Close(conn) => effects.close(conn),
                Ask::ChangeIsr(change) => self.isr_changes.push(change),
                Ask::Halt(_) => self.halted = true,
                Ask::OffsetsLeader { .. } | Ask::TransactionsLeader { .. } => {}
                Ask::OffsetsAppended { number, result } => self.appended.push((number, result)),
                Ask::MarkerAppended(marker) => {
                    self.with(clock, effects, |manager, cx| manager.marker_ended(cx, marker));
                }
                Ask::VerifyTransaction(asked) => self.questions.push(asked),
                Ask::CommitVerified(..) => self.commits += 1,
                Ask::TransactionCompleted(completed) => self.completed.push(completed),
                Ask::AppendOffsets { .. }
                | Ask::AppendTransactions { .. }
                | Ask::TransactionsAppended { .. }
                | Ask::RequestOfOwn { .. }
                | Ask::InitProducerId(..) => panic!("replicas do not ask that"),
                Ask::Own(conn, ConnOwner::Fetcher(leader)) => {
                    self.leaders.insert(conn, leader);
                }
                Ask::Own(_, owner) => panic!("unexpected {owner:?}"),
                Ask::Disown(conn) => _ = self.leaders.remove(&conn),
            }
        }
    }

    fn serve(&mut self, clock: Clock, effects: &mut Effects, conn: ConnId, frame: RequestFrame) {
        let RequestFrame { api, version, correlation_id, .. } = frame;
        let to = ReplyTo { conn, api, version, correlation_id };
        let knows = |topic: &str, _| topic == "elsewhere";
        self.with(clock, effects, |manager, cx| match frame.body {
            RequestKind::Produce(body) => manager.produce(cx, to, body, &knows),
            RequestKind::Fetch(body) => {
                let is_foreign = !BROKERS.contains(&(body.replica_id.0 as usize));
                manager.fetch(cx, to, body, is_foreign, &knows);
            }
            RequestKind::ListOffsets(body) => manager.list_offsets(cx, to, body, &knows),
            RequestKind::OffsetForLeaderEpoch(body) => {
                manager.offsets_for_leader_epoch(cx, to, body, &knows);
            }
            RequestKind::TxnOffsetCommit(body) => {
                let is_free = manager.verify_commit(cx, to, body, 0).is_some();
                assert!(!is_free, "there is nothing to ask");
            }
            RequestKind::WriteTxnMarkers(body) => manager.write_markers(cx, to, body),
            other => panic!("unexpected request {other:?}"),
        });
    }
}

impl Role for Replicas {
    fn awaits_appends(&self) -> bool {
        true
    }

    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Start(image) => {
                let mut outbox = Outbox::default();
                let mut cx = Context { clock, effects, outbox: &mut outbox };
                let (config, roster) = (self.config.clone(), self.roster.clone());
                let ids = Seed(1).stream("fetch-sessions");
                self.manager = Some(ReplicaManager::load(config, roster, image, ids, &mut cx));
                self.carry_out(outbox, clock, effects);
            }
            Input::Accepted { conn, .. } => self.requests.accept(conn),
            Input::Received { conn, bytes } if self.requests.has(conn) => {
                for request in self.requests.requests(conn, bytes) {
                    self.serve(clock, effects, conn, request);
                }
            }
            Input::Received { conn, bytes } => {
                let leader = self.leaders[&conn];
                self.with(clock, effects, |m, cx| m.received(cx, leader, bytes));
            }
            Input::Closed { conn, .. } => {
                self.requests.close(conn);
                let leader = self.leaders.remove(&conn);
                self.with(clock, effects, |m, cx| match leader {
                    Some(leader) => m.closed(cx, leader),
                    None => m.client_gone(conn),
                });
            }
            Input::Opened(conn) => {
                let leader = self.leaders[&conn];
                self.with(clock, effects, |m, cx| m.opened(cx, leader, conn));
            }
            Input::Timer { token, .. } => {
                let (part, number) = Part::of(token);
                assert_eq!(part, Part::Replicas);
                self.with(clock, effects, |m, cx| m.on_timer(cx, number));
            }
            Input::DiskDone(op) => self.with(clock, effects, |m, cx| m.on_disk_done(cx, op)),
            Input::Shutdown => panic!("the tests shut the manager down, not the process"),
        }
    }
}

struct Cluster {
    brokers: testing::Cluster<Replicas>,
    partition_epoch: i32,
}

impl Deref for Cluster {
    type Target = testing::Cluster<Replicas>;

    fn deref(&self) -> &Self::Target {
        &self.brokers
    }
}

impl DerefMut for Cluster {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.brokers
    }
}

impl Cluster {
    /// Brokers 1 to 3 with empty disks.
    fn new(version: KafkaVersion) -> Self {
        Self::tuned(version, |_| {})
    }

    fn tuned(version: KafkaVersion, tune: fn(&mut Config)) -> Self {
        let mut world = steady(Duration::from_micros(1));
        world.network.retransmission_min = Duration::from_micros(10);
        world.network.retransmission_max = Duration::from_micros(10);
        let tune = move |config: &mut Config| {
            config.replica_lag_time_max = Duration::from_secs(10);
            tune(config);
        };
        let mut brokers = testing::Cluster::of(version, 3, world, tune, Replicas::new);
        brokers.start_all();
        let mut cluster = Self { brokers, partition_epoch: 0 };
        cluster.settle();
        cluster
    }

    /// Lets happen what is under way.
    fn settle(&mut self) {
        self.brokers.run_for(Duration::from_micros(100));
    }

    /// Lets time pass.
    fn pass(&mut self, ms: u64) {
        self.brokers.run_for(Duration::from_millis(ms));
    }

    /// Starts a broker on what its disk holds.
    fn start(&mut self, broker: usize) {
        self.brokers.start(BrokerId(broker as i32));
        self.settle();
    }

    /// Lets a broker do something, and the cluster what follows from it.
    fn with<T>(
        &mut self,
        broker: usize,
        act: impl FnOnce(&mut ReplicaManager, &mut Context<'_>) -> T,
    ) -> T {
        let role =
            |role: &mut Replicas, clock, effects: &mut Effects| role.with(clock, effects, act);
        let result = self.brokers.act(node(broker), role);
        self.settle();
        result
    }

    /// The process dies, and with it what it has sent and is held; its disk's page cache stays.
    fn crash(&mut self, broker: usize) {
        for other in BROKERS.filter(|other| *other != broker) {
            self.brokers.reset(node(broker), node(other));
        }
        self.brokers.crash(BrokerId(broker as i32));
        self.settle();
    }

    /// The process dies, and its files are changed.
    fn crash_and_edit(&mut self, broker: usize, edit: impl Fn(DiskImage) -> Vec<DiskRequest>) {
        let requests = edit(self.brokers.disk(node(broker)).image());
        self.brokers.act(node(broker), |_: &mut Replicas, _, effects| {
            requests.into_iter().for_each(|request| _ = effects.disk(request));
        });
        self.crash(broker);
    }

    /// The process dies and its files are gone.
    fn crash_and_lose_disk(&mut self, broker: usize) {
        self.crash_and_edit(broker, |files| {
            files.into_keys().map(|file| DiskRequest::Delete { file }).collect()
        });
    }

    /// How long every fsync takes from now on.
    fn set_fsyncs(&mut self, ms: u64) {
        let span = Duration::from_millis(ms);
        BROKERS.for_each(|broker| self.brokers.set_fsync(node(broker), span..=span));
    }

    /// What other brokers send to `broker` waits.
    fn hold(&mut self, broker: usize) {
        BROKERS.for_each(|other| self.brokers.deref_mut().cut(node(other), node(broker)));
    }

    fn release(&mut self, broker: usize) {
        BROKERS.for_each(|other| self.brokers.deref_mut().heal(node(other), node(broker)));
        self.settle();
    }

    /// A LeaderAndIsr request with one partition's state, to one broker.
    fn leader_and_isr(
        &mut self,
        broker: usize,
        leader: usize,
        leader_epoch: LeaderEpoch,
        isr: &[i32],
    ) -> LeaderAndIsrResponse {
        self.leader_and_isr_of(topic(), broker, (leader, leader_epoch), isr)
    }

    /// The same for partition 0 of another topic.
    fn leader_and_isr_of(
        &mut self,
        topic: TopicName,
        broker: usize,
        (leader, leader_epoch): (usize, LeaderEpoch),
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
            .with_topic_name(topic)
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
        let up = BROKERS.filter(|broker| self.brokers.is_running(node(*broker)));
        for broker in up.collect::<Vec<_>>() {
            self.leader_and_isr(broker, leader, leader_epoch, isr);
        }
    }

    /// Sends a request of a client on a connection of its own.
    fn request<Q: Request + Into<RequestKind>>(
        &mut self,
        broker: usize,
        version: i16,
        body: Q,
    ) -> Sent<Q> {
        let request = self.brokers.send_request(BrokerId(broker as i32), version, body);
        self.settle();
        request
    }

    fn produce_bytes(&mut self, broker: usize, acks: i16, records: Bytes) -> Sent<ProduceRequest> {
        self.request(broker, 7, kafka::produce("orders", 0, acks, Some(records)))
    }

    /// Produces one record.
    fn produce(&mut self, broker: usize, acks: i16, value: &str) -> Sent<ProduceRequest> {
        self.produce_bytes(broker, acks, batch(value).bytes)
    }

    /// Error code and base offset of a produce request's answer, if there is one.
    fn produced(&self, request: Sent<ProduceRequest>) -> Option<(i16, Offset)> {
        let response = self.response(request)?;
        let part = &response.responses[0].partition_responses[0];
        Some((part.error_code, part.base_offset))
    }

    fn fetch_request(offset: Offset, max_wait_ms: i32) -> FetchRequest {
        kafka::fetch("orders", offset, max_wait_ms)
    }

    /// A consumer's fetch that does not wait: error code and values.
    fn consume(&mut self, broker: usize, offset: Offset) -> (i16, Vec<String>) {
        let request = Self::fetch_request(offset, 0);
        let request = self.request(broker, 11, request);
        self.fetched(request).expect("a fetch that does not wait is answered")
    }

    fn fetched(&self, request: Sent<FetchRequest>) -> Option<(i16, Vec<String>)> {
        let response = self.response(request)?;
        let part = &response.responses[0].partitions[0];
        let records = part.records.clone().unwrap_or_default();
        Some((part.error_code, Batch::all(&records).flat_map(|b| texts(&b.unwrap())).collect()))
    }

    fn status(&self, broker: usize) -> PartitionStatus {
        self.manager(broker).status(&at()).expect("the replica is there")
    }

    /// Values in a replica's log.
    fn values(&self, broker: usize) -> Vec<String> {
        self.manager(broker).records(&at()).flat_map(|batch| texts(&batch)).collect()
    }

    fn replicas(&self, broker: usize) -> &Replicas {
        self.brokers.role(node(broker))
    }

    fn manager(&self, broker: usize) -> &ReplicaManager {
        self.replicas(broker).manager.as_ref().expect("it has started")
    }

    /// A file of a broker, as its page cache has it.
    fn file(&self, broker: usize, file: &str) -> Bytes {
        self.brokers.disk(node(broker)).image()[file].flatten(0).into()
    }

    fn has_file(&self, broker: usize, file: &str) -> bool {
        self.brokers.disk(node(broker)).file_len(file).is_some()
    }

    /// Brokers that run and asked to end after a fatal error.
    fn halted(&self) -> Vec<i32> {
        self.running().filter(|(_, role)| role.halted).map(|(id, _)| id.0).collect()
    }

    /// The ISR changes that leaders proposed and the test has not taken yet, oldest first.
    fn isr_changes(&self) -> Vec<IsrChange> {
        self.running().flat_map(|(_, role)| role.isr_changes.clone()).collect()
    }

    /// Takes the oldest proposed change, and who proposed it.
    fn take_isr_change(&mut self) -> (usize, IsrChange) {
        let mut leaders = self.running().filter(|(_, role)| !role.isr_changes.is_empty());
        let leader = leaders.next().expect("a leader proposed a change").0.0 as usize;
        drop(leaders);
        let first = |role: &mut Replicas, _, _: &mut Effects| role.isr_changes.remove(0);
        (leader, self.brokers.act(node(leader), first))
    }

    fn forget_isr_changes(&mut self) {
        while !self.isr_changes().is_empty() {
            self.take_isr_change();
        }
    }

    /// ZooKeeper takes the oldest proposed change.
    fn commit_isr(&mut self) -> Vec<BrokerId> {
        let (broker, change) = self.take_isr_change();
        self.partition_epoch += 1;
        let outcome = IsrOutcome::Committed {
            isr: change.isr.clone(),
            leader_epoch: change.leader_epoch,
            partition_epoch: self.partition_epoch,
        };
        self.with(broker, |manager, cx| manager.isr_change_done(cx, &change.at, outcome));
        change.isr
    }

    /// All replicas that are up agree, record by record and epoch by epoch.
    fn assert_logs_match(&self) {
        let up = BROKERS.filter(|broker| self.brokers.is_running(node(*broker)));
        self.assert_match(&up.collect::<Vec<_>>());
    }

    /// These replicas agree, record by record and epoch by epoch.
    fn assert_match(&self, brokers: &[usize]) {
        let log = |broker: &usize| self.manager(*broker).records(&at()).collect();
        let logs: Vec<Vec<Cow<'_, Batch>>> = brokers.iter().map(log).collect();
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

/// Three replicas in sync, and the records a, b and c.
fn filled(version: KafkaVersion) -> Cluster {
    filled_and(version, |_| {})
}

fn filled_and(version: KafkaVersion, tune: fn(&mut Config)) -> Cluster {
    let mut cluster = Cluster::tuned(version, tune);
    cluster.elect(1, 2, &[1, 2, 3]);
    for value in ["a", "b", "c"] {
        cluster.produce(1, -1, value);
    }
    cluster.pass(600);
    cluster
}
