//! Replication: the partitions of one broker, their leaders' and followers' rules, and who waits for them.
//!
//! The source is Kafka's `ReplicaManager`, `Partition` and `AbstractFetcherThread`; which release is played
//! comes from the configured version. One file, one concern:
//!
//! | file | concern |
//! |---|---|
//! | `partition`, `isr`, `settings` | what a broker knows of a partition |
//! | `leadership` | LeaderAndIsr and StopReplica |
//! | `membership` | shrinking and expanding the ISR |
//! | `high_watermark` | what is committed |
//! | `produce`, `fetch`, `offsets` | requests of clients and followers |
//! | `purgatory` | requests that wait |
//! | `fetcher`, `truncation` | following a leader |
//! | `durability` | loading, checkpoints, fsyncs, clean shutdown |
//! | `alarm` | many deadlines on one timer |

mod alarm;
mod durability;
mod fetch;
mod fetcher;
mod high_watermark;
mod isr;
mod leadership;
mod membership;
mod offsets;
mod partition;
mod produce;
mod purgatory;
mod settings;
#[cfg(test)]
mod tests;
mod truncation;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;

use self::alarm::Alarm;
use self::durability::{Checkpoints, Shutdown};
use self::fetcher::Fetcher;
use self::partition::{Partition, Role};
use self::purgatory::{DelayedFetch, DelayedProduce};
use self::settings::TopicSettings;
use super::context::Context;
use super::log::{AtomicFiles, Disk, Log};
use super::{Config, TopicOverrides};
use crate::releases::Change;
use crate::vocab::{BrokerId, ConnId, DiskOpId, LeaderEpoch, Offset, Roster, Time, TopicPartition};
use crate::wire::records::Batch;

/// Where a partition stands in the manager's list; never used again for another.
type Slot = usize;

#[derive(Debug)]
struct Topic {
    name: TopicName,
    settings: TopicSettings,
    partitions: BTreeMap<i32, Slot>,
}

/// What is due at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// A produce request's timeout.
    Produce(u64),
    /// A fetch's longest wait.
    Fetch(u64),
    /// A fetcher may go on after a pause.
    Resume(BrokerId),
    /// A fetcher's request is unanswered for too long.
    SocketTimeout(BrokerId),
    /// Look for followers that lag (every half `replica.lag.time.max.ms`).
    ShrinkIsr,
    /// Write `replication-offset-checkpoint`.
    CheckpointHighWatermarks,
    /// Write `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint`.
    CheckpointRecoveryPoints,
    /// Flush all logs (`log.flush.interval.ms`).
    FlushLogs,
}

/// The state of one replica, for whoever looks in from outside.
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
    /// As a follower: whether it fetches no more, as what its leader sent does not follow on its log.
    pub has_failed: bool,
}

/// The partitions of one broker.
#[derive(Debug)]
pub struct ReplicaManager {
    config: Arc<Config>,
    roster: Arc<Roster>,
    topics: BTreeMap<Arc<str>, Topic>,
    /// By slot; `None` when deleted.
    partitions: Vec<Option<Partition>>,
    overrides: BTreeMap<Arc<str>, TopicOverrides>,
    /// From UpdateMetadata; `None` until the first.
    live: Option<BTreeSet<BrokerId>>,
    files: AtomicFiles,
    flushing: BTreeMap<DiskOpId, Slot>,
    /// Replicas whose cut is not over.
    cutting: BTreeSet<Slot>,
    alarm: Alarm<Due>,
    produces: BTreeMap<u64, DelayedProduce>,
    fetches: BTreeMap<u64, DelayedFetch>,
    /// The requests that wait, by the client's connection.
    waiting_clients: BTreeMap<ConnId, u64>,
    next_request: u64,
    fetchers: BTreeMap<BrokerId, Fetcher>,
    fetcher_conns: BTreeMap<ConnId, BrokerId>,
    checkpoints: Checkpoints,
    shutdown: Shutdown,
    cluster_id: Option<String>,
}

impl ReplicaManager {
    fn me(&self) -> BrokerId {
        self.config.id
    }

    /// The partition in a slot.
    ///
    /// # Panics
    /// When it was deleted: whatever refers to a slot has to forget it before.
    fn at(&self, slot: Slot) -> &Partition {
        self.partitions[slot].as_ref().expect("the partition was not deleted")
    }

    fn at_mut(&mut self, slot: Slot) -> &mut Partition {
        self.partitions[slot].as_mut().expect("the partition was not deleted")
    }

    /// A partition and the disk that its log works with.
    fn with_disk<'a>(
        &'a mut self,
        cx: &'a mut Context<'_>,
        slot: Slot,
    ) -> (&'a mut Partition, Disk<'a>) {
        let disk = Disk {
            effects: &mut *cx.effects,
            files: &mut self.files,
            flushing: &mut self.flushing,
        };
        (self.partitions[slot].as_mut().expect("the partition was not deleted"), disk)
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let present: Vec<Slot> =
            (0..self.partitions.len()).filter(|slot| self.partitions[*slot].is_some()).collect();
        present.into_iter()
    }

    fn find(&self, topic: &str, partition: i32) -> Option<Slot> {
        self.topics.get(topic)?.partitions.get(&partition).copied()
    }

    fn find_at(&self, at: &TopicPartition) -> Option<Slot> {
        self.find(&at.topic, at.partition)
    }

    /// Gives a partition its slot.
    fn insert(
        &mut self,
        make: impl FnOnce(Slot, (TopicName, TopicSettings)) -> Partition,
        at: TopicPartition,
    ) -> Slot {
        let slot = self.partitions.len();
        let none = TopicOverrides::new();
        let topic = self.topics.entry(at.topic.clone()).or_insert_with(|| Topic {
            name: TopicName(StrBytes::from_string(at.topic.to_string())),
            settings: TopicSettings::new(
                &self.config,
                self.overrides.get(&at.topic).unwrap_or(&none),
            ),
            partitions: BTreeMap::new(),
        });
        topic.partitions.insert(at.partition, slot);
        let of_topic = (topic.name.clone(), topic.settings);
        self.partitions.push(Some(make(slot, of_topic)));
        slot
    }

    /// The partition's slot; its log is created when there is none.
    fn find_or_create(&mut self, cx: &mut Context<'_>, at: TopicPartition) -> Slot {
        if let Some(slot) = self.find_at(&at) {
            return slot;
        }
        let mut files = std::mem::take(&mut self.files);
        let mut flushing = std::mem::take(&mut self.flushing);
        let mut disk =
            Disk { effects: &mut *cx.effects, files: &mut files, flushing: &mut flushing };
        let name = at.clone();
        let make = |slot, of_topic| {
            let log = Log::create(&mut disk, slot, &name);
            Partition::new(name.clone(), log, 0, of_topic)
        };
        let slot = self.insert(make, at);
        (self.files, self.flushing) = (files, flushing);
        slot
    }

    /// Takes a topic's own settings (`/config/topics/T`), now and for partitions to come.
    pub fn set_topic_overrides(
        &mut self,
        cx: &mut Context<'_>,
        topic: &str,
        overrides: &TopicOverrides,
    ) {
        self.overrides.insert(topic.into(), overrides.clone());
        let settings = TopicSettings::new(&self.config, overrides);
        let Some(known) = self.topics.get_mut(topic) else { return };
        known.settings = settings;
        let slots: Vec<Slot> = known.partitions.values().copied().collect();
        for slot in slots {
            self.at_mut(slot).settings = settings;
            self.tell_isr(cx, slot);
            self.progress(cx, slot);
        }
    }

    /// Takes the brokers that are registered, from UpdateMetadata. Since 3.3 only these may join an ISR.
    pub fn set_live_brokers(&mut self, live: BTreeSet<BrokerId>) {
        self.live = Some(live);
    }

    /// The earliest timer is due; `number` is what the timer was set with.
    pub fn on_timer(&mut self, cx: &mut Context<'_>, number: u64) {
        assert_eq!(number, 0, "replicas set one kind of timer");
        self.alarm.fired();
        while let Some(due) = self.alarm.pop(cx) {
            match due {
                Due::Produce(request) => self.produce_timed_out(cx, request),
                Due::Fetch(request) => self.answer_fetch(cx, request),
                Due::Resume(leader) => self.resume_fetcher(cx, leader),
                Due::SocketTimeout(leader) => self.fetcher_timed_out(cx, leader),
                Due::ShrinkIsr => self.shrink_all(cx),
                Due::CheckpointHighWatermarks => self.checkpoint_high_watermarks_due(cx),
                Due::CheckpointRecoveryPoints => self.checkpoint_recovery_points_due(cx),
                Due::FlushLogs => self.flush_logs_due(cx),
            }
        }
    }

    /// The batches of a replica's log, in order; none when the replica is not here.
    pub fn records(&self, at: &TopicPartition) -> impl Iterator<Item = Cow<'_, Batch>> {
        let partition = self.find_at(at).map(|slot| self.at(slot));
        partition.into_iter().flat_map(|partition| partition.log.batches())
    }

    /// The state of a replica, if it is here.
    pub fn status(&self, at: &TopicPartition) -> Option<PartitionStatus> {
        let partition = self.at(self.find_at(at)?);
        let version = self.config.version;
        let held = |leader: &partition::Leader| {
            version.has(Change::HighWatermarkHeldBelowMinIsr)
                && leader.isr.committed().len() < partition.min_isr(version)
        };
        let follower = |(id, state): &(BrokerId, partition::FollowerState)| {
            (*id, state.end, state.last_fetched_at())
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
            has_failed: self.has_failed(partition),
        })
    }

    /// The replicas that are here.
    pub fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.iter().flatten().map(|partition| &partition.at)
    }

    /// The partitions that this broker believes to lead.
    pub fn led(&self) -> impl Iterator<Item = &TopicPartition> {
        let leads = |partition: &&Partition| matches!(partition.role, Role::Leader(_));
        self.partitions.iter().flatten().filter(leads).map(|partition| &partition.at)
    }

    fn later(cx: &Context<'_>, span: std::time::Duration) -> Time {
        cx.clock.now + span
    }
}
