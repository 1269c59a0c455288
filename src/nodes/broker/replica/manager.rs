//! The replica manager: it owns the parts, and gives each request, answer and deadline the parts that it needs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest, ProduceRequest, TopicName,
};

use uuid::Uuid;

use super::alarm::{Alarm, Due};
use super::delete_records::RecordDeletions;
use super::fetch::FetchHandler;
use super::fetch_sessions::FetchSessions;
use super::fetcher::{Fetchers, FollowerHandler};
use super::handlers::{Blocked, Handlers};
use super::isr_change::{change_ended, observe_isr};
use super::leader::LeaderHandler;
use super::locks::IsrCheck;
use super::log_manager::{DiskDone, LogManager};
use super::markers::MarkerRequests;
use super::offsets::OffsetsHandler;
use super::partition::{self, PartitionReplica, ReplicaRole};
use super::produce::{Append, Place, ProduceHandler, Producing};
use super::purgatory::Purgatory;
use super::replicas::{Knows, Replicas};
use super::verify::Verifications;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::config::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::nodes::broker::context::{Context, IsrOutcome, Part, ReplyTo};
use crate::nodes::broker::{Config, TopicOverrides};
use crate::releases::Change;
use crate::vocab::step::DiskImage;
use crate::vocab::{
    BrokerId, ConnId, DiskOpId, LeaderEpoch, Mutant, Offset, Roster, Stream, Time, TopicPartition,
    nanos,
};
use crate::wire::records::Batch;

/// How often idempotent producers that are silent are looked for (`producer.id.expiration.check.interval.ms`; before
/// 3.4 `LogManager.ProducerIdExpirationCheckIntervalMs`).
const PRODUCER_CHECK: Duration = Duration::from_mins(10);

/// `log.retention.check.interval.ms`, unless it is set.
const RETENTION_CHECK: Duration = Duration::from_secs(300);
/// How long after its start a broker begins to look for logs to flush (`LogManager.InitialTaskDelayMs`).
const FIRST_FLUSH: Duration = Duration::from_secs(30);

/// The state of one replica, as the simulator looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Log end offset.
    pub log_end_offset: Offset,
    /// High watermark.
    pub high_watermark: Offset,
    /// Leader epoch; −1 before the first LeaderAndIsr request.
    pub leader_epoch: LeaderEpoch,
    /// Whether this broker believes that it leads.
    pub is_leader: bool,
    /// The committed in-sync replicas as this leader knows them; empty when it does not lead.
    pub isr: Vec<BrokerId>,
    /// Where the log starts.
    pub log_start_offset: Offset,
    /// As a leader: whether a change of the in-sync replicas is on its way to be written.
    pub is_isr_pending: bool,
    /// As a leader: whether the high watermark may not rise, as too few replicas are in sync (3.7+).
    pub is_held_below_min_isr: bool,
    /// As a leader: where each follower's log ends and when it fetched last, as far as known.
    pub followers: Vec<(BrokerId, Option<Offset>, Option<Time>)>,
    /// As a follower: whether it fetches no more, because its leader's records do not follow on its log.
    pub has_failed: bool,
}

/// The replicas of one broker, and the parts that work with them.
#[derive(Debug)]
pub struct ReplicaManager {
    pub(super) config: Arc<Config>,
    pub(super) roster: Arc<Roster>,
    /// From UpdateMetadata; `None` until the first.
    pub(super) live: Option<BTreeSet<BrokerId>>,
    pub(super) replicas: Replicas,
    pub(super) logs: LogManager,
    pub(super) sessions: FetchSessions,
    pub(super) purgatory: Purgatory,
    pub(super) handlers: Handlers,
    pub(super) markers: MarkerRequests,
    pub(super) verifications: Verifications,
    pub(super) fetchers: Fetchers,
    pub(super) alarm: Alarm<Due>,
    pub(super) deletions: RecordDeletions,
    /// Whether the periodic tasks run.
    is_periodic: bool,
    /// Whether the broker shuts down: what becomes a follower then does not fetch.
    pub(super) is_ending: bool,
    /// When the process began.
    started: Time,
    /// Draws the phases of the periodic tasks of a broker that was up before the run.
    phases: Option<Stream>,
    /// Whether logs are flushed because of their age. When no topic asks for that, the task is not there.
    is_flushing: bool,
    /// The look at the ISRs, while it waits.
    pub(super) isr_check: Option<IsrCheck>,
    /// When the look at the ISRs is due next.
    next_isr_check: Time,
}

impl ReplicaManager {
    /// Loads the logs that the disk kept, checking them unless the last process ended cleanly. `session_ids` are those
    /// of fetch sessions.
    pub fn load(
        config: Arc<Config>,
        roster: Arc<Roster>,
        image: DiskImage,
        session_ids: Stream,
        cx: &mut Context<'_>,
    ) -> Self {
        let mut replicas = Replicas::new(config.clone());
        let logs = LogManager::load(&config, cx, &image, &mut replicas);
        let phases = config.was_up.then(|| session_ids.below_name("phases"));
        let sessions = FetchSessions::new(config.max_fetch_sessions, session_ids);
        let mut manager = Self {
            config,
            roster,
            live: None,
            replicas,
            logs,
            sessions,
            purgatory: Purgatory::default(),
            handlers: Handlers::default(),
            markers: MarkerRequests::default(),
            verifications: Verifications::default(),
            fetchers: Fetchers::default(),
            alarm: Alarm::of(Part::Replicas),
            deletions: RecordDeletions::default(),
            is_periodic: false,
            is_ending: false,
            isr_check: None,
            next_isr_check: cx.clock.now,
            started: cx.clock.now,
            phases,
            is_flushing: false,
        };
        if !(Time::ZERO + manager.config.flush_interval()).is_never() {
            manager.start_flushing(cx);
        }
        manager
    }

    /// The parts for what this broker does as a leader.
    pub(super) fn leading(&mut self) -> LeaderHandler<'_> {
        LeaderHandler {
            config: &self.config,
            replicas: &mut self.replicas,
            sessions: &mut self.sessions,
            purgatory: &mut self.purgatory,
            alarm: &mut self.alarm,
        }
    }

    /// The parts for appends as a leader.
    pub(super) fn producing(&mut self) -> ProduceHandler<'_> {
        let leader = LeaderHandler {
            config: &self.config,
            replicas: &mut self.replicas,
            sessions: &mut self.sessions,
            purgatory: &mut self.purgatory,
            alarm: &mut self.alarm,
        };
        ProduceHandler { leader, logs: &mut self.logs }
    }

    /// The parts for what this broker does as a follower.
    pub(super) fn following(&mut self) -> FollowerHandler<'_> {
        FollowerHandler {
            config: &self.config,
            replicas: &mut self.replicas,
            logs: &mut self.logs,
            fetchers: &mut self.fetchers,
            alarm: &mut self.alarm,
        }
    }

    /// Produce; answered when `acks` is fulfilled. `knows` says which partitions there are in the cluster.
    pub fn produce(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: ProduceRequest,
        knows: Knows<'_>,
    ) {
        let named = request.topic_data.iter().flat_map(|topic| {
            topic.partition_data.iter().map(|part| (topic.name.as_str(), part.index))
        });
        let elsewhere = self.replicas.elsewhere(named, knows);
        if let Some(producing) = Producing::begin(cx, &self.config, to, request, elsewhere) {
            self.verify(cx, producing);
        }
    }

    /// Works on a produce request, until it is done or its handler has to block.
    pub(super) fn go_on_producing(&mut self, cx: &mut Context<'_>, producing: Producing) {
        let blocked = self.producing().go_on(cx, producing);
        if let Some((waits_for, producing)) = blocked {
            self.handlers.block(waits_for, Blocked::Produce(Box::new(producing)));
        }
    }

    /// Appends what the group coordinator writes into a partition of `__consumer_offsets`. With a number it waits for
    /// the in-sync replicas and tells the coordinator; else nothing waits for it.
    pub fn append_offsets(
        &mut self,
        cx: &mut Context<'_>,
        partition: i32,
        batch: Batch,
        number: Option<u64>,
    ) {
        let timeout = self.config.groups.offsets_commit_timeout;
        let append = Append { topic: OFFSETS_TOPIC, partition, batch, number, timeout };
        self.append_internal(cx, append, None);
    }

    /// Appends what the transaction coordinator writes into a partition of `__transaction_state`, waits for the in-sync
    /// replicas, for `timeout` at most, and tells the coordinator.
    pub fn append_transactions(
        &mut self,
        cx: &mut Context<'_>,
        partition: i32,
        batch: Batch,
        (number, timeout): (u64, Duration),
    ) {
        let (topic, number) = (TRANSACTIONS_TOPIC, Some(number));
        self.append_internal(cx, Append { topic, partition, batch, number, timeout }, None);
    }

    /// Appends what this broker writes itself, or goes on when it is in the log.
    pub(super) fn append_internal(
        &mut self,
        cx: &mut Context<'_>,
        append: Append,
        is_in: Option<Place>,
    ) {
        let blocked = self.producing().append_internal(cx, append, is_in);
        if let Some((waits_for, append, is_in)) = blocked {
            self.handlers.block(waits_for, Blocked::Group(append, is_in));
        }
    }

    /// Fetch of a follower or a consumer, which may be from outside; answered at once or when there is enough.
    pub fn fetch(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: FetchRequest,
        is_foreign: bool,
        knows: Knows<'_>,
    ) {
        if let Some(waits_for) = self.fetch_waits_for(&request) {
            let named = request.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|asked| (topic.topic.as_str(), asked.partition))
            });
            let session = self.sessions.get(request.session_id);
            let of_session = session.into_iter().flat_map(|session| {
                session.partitions.iter().map(|(_, asked)| (asked.topic.as_str(), asked.partition))
            });
            let elsewhere = self.replicas.elsewhere(named.chain(of_session), knows);
            let blocked = Blocked::Fetch(to, request, is_foreign, elsewhere);
            return self.handlers.block(waits_for, blocked);
        }
        let leader = LeaderHandler {
            config: &self.config,
            replicas: &mut self.replicas,
            sessions: &mut self.sessions,
            purgatory: &mut self.purgatory,
            alarm: &mut self.alarm,
        };
        FetchHandler { leader, live: self.live.as_ref() }
            .fetch(cx, to, &request, is_foreign, knows);
        self.complete_deletions(cx);
    }

    /// Names the topics of a fetch session whose ids were not known when the session named them.
    pub fn name_unknown(&mut self, session: i32, name_of: impl Fn(Uuid) -> Option<TopicName>) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.partitions.name_unknown(name_of);
        }
    }

    /// Who leads a partition, as the last LeaderAndIsr request said, and its epoch; −1 is no broker. `None` when the
    /// replica is not here.
    pub fn leader_and_epoch(&self, topic: &str, partition: i32) -> Option<(i32, LeaderEpoch)> {
        let replica = self.replicas.get(self.replicas.find(topic, partition)?)?;
        let leader = match &replica.role {
            ReplicaRole::Leader(_) => Some(self.config.id),
            ReplicaRole::Follower(follower) => follower.leader,
            ReplicaRole::Offline => return None,
        };
        Some((leader.map_or(-1, |id| id.0), replica.leader_epoch))
    }

    fn offsets(&self) -> OffsetsHandler<'_> {
        OffsetsHandler { config: &self.config, replicas: &self.replicas }
    }

    /// ListOffsets: where logs begin and end, or which record a timestamp names.
    /// `knows` says which partitions there are in the cluster.
    pub fn list_offsets(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: ListOffsetsRequest,
        knows: Knows<'_>,
    ) {
        let Some(waits_for) = self.offsets_wait_for(&request) else {
            return self.offsets().list_offsets(cx, to, request, knows);
        };
        let named = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|asked| (topic.name.as_str(), asked.partition_index))
        });
        let elsewhere = self.replicas.elsewhere(named, knows);
        self.handlers.block(waits_for, Blocked::ListOffsets(to, request, elsewhere));
    }

    /// OffsetForLeaderEpoch: where leader epochs end (KIP-101, KIP-279).
    pub fn offsets_for_leader_epoch(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: OffsetForLeaderEpochRequest,
        knows: Knows<'_>,
    ) {
        let Some(waits_for) = self.epochs_wait_for(&request) else {
            return self.offsets().offsets_for_leader_epoch(cx, to, request, knows);
        };
        let named = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|asked| (topic.topic.as_str(), asked.partition))
        });
        let elsewhere = self.replicas.elsewhere(named, knows);
        self.handlers.block(waits_for, Blocked::Epochs(to, request, elsewhere));
    }

    /// A client's connection is gone.
    pub fn client_gone(&mut self, conn: ConnId) {
        let Self { alarm, replicas, sessions, .. } = self;
        self.purgatory.client_gone(alarm, replicas, sessions, conn);
        self.deletions.client_gone(conn);
    }

    /// The connection of the fetcher of `leader` is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, leader: BrokerId, conn: ConnId) {
        self.following().opened(cx, leader, conn);
    }

    /// The connection of the fetcher of `leader` is gone, or was refused.
    pub fn closed(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        self.following().closed(cx, leader);
    }

    /// Bytes of `leader` arrived at its fetcher.
    pub fn received(&mut self, cx: &mut Context<'_>, leader: BrokerId, bytes: Bytes) {
        let raised = self.following().received(cx, leader, bytes);
        if self.config.version.has(Change::FollowerAnswersAtHighWatermark) {
            for slot in raised {
                self.leading().wake_fetches(cx, slot);
            }
        }
    }

    /// Takes a topic's own settings (`/config/topics/T`), now and for replicas to come.
    pub fn set_topic_overrides(
        &mut self,
        cx: &mut Context<'_>,
        topic: &str,
        overrides: &TopicOverrides,
    ) {
        if overrides.contains_key("flush.ms") {
            self.start_flushing(cx);
        }
        for slot in self.replicas.set_overrides(topic, overrides) {
            observe_isr(cx, self.config.version, self.replicas.at(slot));
            self.leading().progress(cx, slot);
        }
    }

    /// Takes other settings of the broker, for its replicas, too.
    pub fn set_config(&mut self, cx: &mut Context<'_>, config: Arc<Config>) {
        if config.log_flush_interval.is_some() {
            self.start_flushing(cx);
        }
        self.config = config.clone();
        for slot in self.replicas.set_config(config) {
            observe_isr(cx, self.config.version, self.replicas.at(slot));
            self.leading().progress(cx, slot);
        }
    }

    /// Takes the brokers that are registered, from UpdateMetadata. Since 3.3 only these may join an ISR.
    pub fn set_live_brokers(&mut self, cx: &mut Context<'_>, live: BTreeSet<BrokerId>) {
        self.live = Some(live);
        self.complete_deletions(cx);
    }

    /// A proposed change of the ISR ended.
    pub fn isr_change_done(
        &mut self,
        cx: &mut Context<'_>,
        at: &TopicPartition,
        outcome: IsrOutcome,
    ) {
        // The replica was deleted since.
        let Some(slot) = self.replicas.find_at(at) else { return };
        let replica = self.replicas.at_mut(slot);
        let has_ended = change_ended(cx, self.config.version, replica, outcome);
        let waits = self.config.version.has(Change::HighWatermarkWaitsAfterShrink)
            || self.config.is(Mutant::StallAfterShrink);
        if has_ended && !waits {
            self.leading().progress(cx, slot);
        }
        self.isr_write_ended(cx, slot);
    }

    /// When a task is due next whose first time was `delay` after the process began; at any phase if the broker was up
    /// before the run.
    fn next_of_task(&mut self, now: Time, delay: Duration, interval: Duration) -> Time {
        let interval_ns = nanos(interval).max(1);
        if let Some(phases) = &mut self.phases {
            return now.after_nanos(phases.below(interval_ns));
        }
        let first = self.started + delay;
        let passed = nanos(now.since(first)).div_ceil(interval_ns);
        first.after_nanos(passed.saturating_mul(interval_ns))
    }

    /// Starts the periodic tasks, once; called with every LeaderAndIsr request, as the first starts them. Until then
    /// they would find nothing to do.
    pub(super) fn start_periodic(&mut self, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.is_periodic, true) {
            return;
        }
        let now = cx.clock.now;
        let half = self.config.replica_lag_time_max / 2;
        self.next_isr_check = self.next_of_task(now, Duration::ZERO, half);
        self.alarm.set(cx, self.next_isr_check, Due::ShrinkIsr);
        // This one does begin now.
        let interval = self.config.high_watermark_checkpoint_interval;
        let since_start = now.since(self.started);
        let at = self.next_of_task(now, since_start, interval);
        self.alarm.set(cx, at, Due::CheckpointHighWatermarks);
        let interval = self.config.recovery_point_checkpoint_interval;
        let at = self.next_of_task(now, FIRST_FLUSH, interval);
        self.alarm.set(cx, at, Due::CheckpointRecoveryPoints);
        let with_checkpoint = at;
        let at = self.next_of_task(now, PRODUCER_CHECK, PRODUCER_CHECK);
        self.alarm.set(cx, at, Due::ExpireProducers);
        // Both begin at the same moment.
        let at = match self.retention_check() {
            RETENTION_CHECK => with_checkpoint,
            interval => self.next_of_task(now, FIRST_FLUSH, interval),
        };
        self.alarm.set(cx, at, Due::DeleteOldSegments);
    }

    /// `log.retention.check.interval.ms`
    fn retention_check(&self) -> Duration {
        let set = self.config.set("log.retention.check.interval.ms");
        let set = set.and_then(|text| text.trim().parse().ok());
        set.map_or(RETENTION_CHECK, Duration::from_millis)
    }

    /// Lets logs be flushed because of their age, at the times of the periodic task: 30 s after the process began,
    /// and every `log.flush.scheduler.interval.ms` from then on, which is "never again" by default.
    fn start_flushing(&mut self, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.is_flushing, true) {
            return;
        }
        let interval = self.config.log_flush_scheduler_interval;
        let mut first = self.started + FIRST_FLUSH;
        while first < cx.clock.now && !(first + interval).is_never() {
            first += interval;
        }
        if first >= cx.clock.now {
            self.alarm.set(cx, first, Due::FlushLogs);
        }
    }

    /// Does a periodic task; returns when it is due again.
    fn do_periodic(&mut self, cx: &mut Context<'_>, task: Due) -> Duration {
        let config = &self.config;
        match task {
            Due::CheckpointHighWatermarks => {
                self.logs.checkpoint_high_watermarks(cx, &self.replicas);
                config.high_watermark_checkpoint_interval
            }
            Due::CheckpointRecoveryPoints => {
                self.logs.checkpoint_recovery_points(cx, &self.replicas);
                config.recovery_point_checkpoint_interval
            }
            Due::DeleteOldSegments => {
                self.delete_old_segments(cx);
                self.retention_check()
            }
            Due::FlushLogs => {
                self.logs.flush_old(cx, &mut self.replicas);
                config.log_flush_scheduler_interval
            }
            Due::ExpireProducers => {
                let (expiry, now_ms) = (config.producer_id_expiration, cx.clock.wall_ms);
                let hears_markers = config.version.has(Change::MarkersKeepProducers);
                for replica in self.replicas.iter_mut() {
                    let producers = replica.log.expire_producers(expiry, now_ms, hears_markers);
                    if !producers.is_empty() {
                        let at = replica.at.clone();
                        let expired = BrokerObservation::ProducersExpired { at, producers };
                        cx.effects.observe(Observation::Broker(expired));
                    }
                }
                PRODUCER_CHECK
            }
            other => unreachable!("{other:?} is not periodic"),
        }
    }

    /// The look at the ISRs is over. It has a fixed rate: what was missed while it waited is made up for once.
    pub(super) fn isr_check_done(&mut self, cx: &mut Context<'_>) {
        let interval = self.config.replica_lag_time_max / 2;
        self.next_isr_check = (self.next_isr_check + interval).max(cx.clock.now);
        self.alarm.set(cx, self.next_isr_check, Due::ShrinkIsr);
    }

    /// The earliest timer is due; `number` is what the timer was set with.
    pub fn on_timer(&mut self, cx: &mut Context<'_>, number: u64) {
        assert_eq!(number, 0, "replicas set one kind of timer");
        self.alarm.fired();
        while let Some(due) = self.alarm.pop(cx) {
            match due {
                Due::Produce(request) => {
                    self.purgatory.produce_timed_out(cx, &mut self.replicas, request);
                }
                Due::Fetch(request) => self.fetch_due(cx, request),
                Due::DeleteRecords(request) => self.end_deletion(cx, request),
                Due::Resume(leader) => self.following().resume(cx, leader),
                Due::SocketTimeout(leader) => self.following().timed_out(cx, leader),
                Due::ShrinkIsr => self.begin_isr_check(cx),
                Due::CheckpointHighWatermarks
                | Due::CheckpointRecoveryPoints
                | Due::DeleteOldSegments
                | Due::FlushLogs
                | Due::ExpireProducers => {
                    let interval = self.do_periodic(cx, due);
                    self.alarm.set_after(cx, interval, due);
                }
            }
        }
    }

    /// A disk operation ended.
    pub fn on_disk_done(&mut self, cx: &mut Context<'_>, op: DiskOpId) {
        match self.logs.on_disk_done(cx, op) {
            DiskDone::Flush(slot) => {
                let replica = self.replicas.at_mut(slot);
                let before = replica.log.flushed_end();
                replica.log.on_disk_done(op);
                if replica.log.flushed_end() != before {
                    match replica.role {
                        ReplicaRole::Leader(_) => self.leading().progress(cx, slot),
                        ReplicaRole::Follower(_) => self.following().drive_replica(cx, slot),
                        ReplicaRole::Offline => {}
                    }
                }
                self.release(cx, slot);
            }
            DiskDone::File => self.following().end_cuts(cx),
            DiskDone::Other => {}
        }
        self.logs.advance_shutdown(cx, &self.replicas, Some(op));
    }

    /// The broker has begun to shut down: replicas that become followers from now on do not fetch
    /// (`ReplicaManager.isShuttingDown`), so that they do not come back into the ISR.
    pub fn shutdown_begins(&mut self) {
        self.is_ending = true;
    }

    /// Begins a clean shutdown: fetchers stop, logs are flushed, checkpoints and the marker written.
    ///
    /// # Panics
    /// When it has begun before.
    pub fn begin_shutdown(&mut self, cx: &mut Context<'_>) {
        assert!(!self.logs.is_shutting_down(), "a broker shuts down once");
        self.following().stop_fetchers(cx);
        self.logs.begin_shutdown(cx, &mut self.replicas);
    }

    /// Whether the clean shutdown is through and the process may end.
    pub fn is_shut_down(&self) -> bool {
        self.logs.is_shut_down()
    }

    /// The cluster id of `meta.properties`, if it is known.
    pub fn cluster_id(&self) -> Option<&str> {
        self.logs.cluster_id()
    }

    /// Takes the cluster id (`/cluster/id`) and keeps it in `meta.properties`.
    pub fn set_cluster_id(&mut self, cx: &mut Context<'_>, id: &str) {
        self.logs.set_cluster_id(cx, id);
    }

    /// The batches of a replica's log, in order; none when the replica is not here.
    pub fn records(&self, at: &TopicPartition) -> impl Iterator<Item = Cow<'_, Batch>> {
        let replica = self.replicas.find_at(at).map(|slot| self.replicas.at(slot));
        replica.into_iter().flat_map(|replica| replica.log.batches())
    }

    /// The state of a replica, if it is here.
    pub fn status(&self, at: &TopicPartition) -> Option<PartitionStatus> {
        let partition = self.replicas.at(self.replicas.find_at(at)?);
        let version = self.config.version;
        let held = |leader: &partition::Leader| {
            version.has(Change::HighWatermarkHeldBelowMinIsr)
                && leader.isr.committed().len() < partition.min_isr(version)
        };
        let follower = |(id, state): &(BrokerId, partition::RemoteReplica)| {
            (*id, state.end, state.last_fetched_at(self.replicas.times()))
        };
        let leader = partition.leader();
        Some(PartitionStatus {
            log_end_offset: partition.log.end(),
            high_watermark: partition.high_watermark,
            leader_epoch: partition.leader_epoch,
            is_leader: leader.is_some(),
            isr: leader.map_or_else(Vec::new, |leader| leader.isr.committed().to_vec()),
            log_start_offset: partition.log.start(),
            is_isr_pending: leader.is_some_and(|leader| leader.isr.is_pending()),
            is_held_below_min_isr: leader.is_some_and(held),
            followers: leader.into_iter().flat_map(|l| l.followers.iter().map(follower)).collect(),
            has_failed: self.fetchers.has_failed(partition),
        })
    }

    /// The replicas that are here.
    pub fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.replicas.iter().map(|replica| &replica.at)
    }

    /// The size of each partition's log, in bytes.
    pub fn sizes(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.replicas.iter().map(|replica| {
            let log = &replica.log;
            let bytes = log.bytes_available(log.start(), log.end(), usize::MAX);
            (&replica.at, i64::try_from(bytes).unwrap_or(i64::MAX))
        })
    }

    /// The partitions that this broker believes to lead.
    pub fn led(&self) -> impl Iterator<Item = &TopicPartition> {
        let leads = |replica: &&PartitionReplica| replica.leader().is_some();
        self.replicas.iter().filter(leads).map(|replica| &replica.at)
    }
}
