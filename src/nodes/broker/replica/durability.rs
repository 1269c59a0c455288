//! What outlives the process: loading, checkpoints, fsyncs, and a shutdown that is clean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::alarm::Alarm;
use super::partition::{Partition, Role};
use super::{Due, ReplicaManager};
use crate::history::{AppendedBatch, BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context};
use crate::nodes::broker::log::checkpoint::{
    HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS, offsets_from_text, offsets_to_text, text_of,
};
use crate::nodes::broker::log::{AtomicFiles, Disk, Known, Log, partition_of};
use crate::vocab::step::{DiskImage, DiskRequest};
use crate::vocab::{DiskOpId, Mutant, Offset, Roster, TopicPartition};

/// Says that the last process ended cleanly.
pub(super) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// Whose disk this is.
pub(super) const META_PROPERTIES: &str = "meta.properties";

/// What was written last; what did not change is not written again.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// Whether the periodic tasks run (from the first LeaderAndIsr request on).
    started: bool,
    written: BTreeMap<&'static str, String>,
}

/// How far an orderly end is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// Nobody asked for it.
    #[default]
    No,
    /// Logs are being flushed.
    Flushing,
    /// Checkpoints are being written.
    Checkpointing,
    /// The marker is being written.
    Marking(BTreeSet<DiskOpId>),
    /// The process may end.
    Done,
}

type Offsets = BTreeMap<TopicPartition, Offset>;

fn load_offsets(image: &DiskImage, file: &str) -> Offsets {
    let Some(text) = text_of(image, file) else { return Offsets::new() };
    offsets_from_text(&text).unwrap_or_else(|why| {
        tracing::warn!("{file}: {why}; it counts as empty");
        Offsets::new()
    })
}

fn property(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    text.lines().find_map(value)
}

/// What the history is told of a log that was loaded: all that an unclean end can have changed.
fn log_loaded(
    at: &TopicPartition,
    log: &Log,
    known: Known,
    high_watermark: Offset,
) -> BrokerObservation {
    let from = if known.clean { log.end() } else { known.recovery_point.min(high_watermark) };
    let from = from.clamp(log.start(), log.end());
    let changed = log.batches().filter(|batch| batch.last_offset >= from);
    let batches = changed.map(|batch| AppendedBatch {
        base: batch.base_offset,
        last: batch.last_offset,
        leader_epoch: batch.leader_epoch,
        checksum: batch.checksum,
    });
    let (batches, at) = (batches.collect(), at.clone());
    let (start, end) = (log.start(), log.end());
    BrokerObservation::LogLoaded { at, start, end, high_watermark, from, batches }
}

impl ReplicaManager {
    /// Loads the logs that the disk kept, checking them unless the last process ended cleanly.
    pub fn load(
        config: Arc<Config>,
        roster: Arc<Roster>,
        image: DiskImage,
        cx: &mut Context<'_>,
    ) -> Self {
        let mut manager = Self::empty(config, roster);
        let clean = image.contains_key(CLEAN_SHUTDOWN);
        if clean && !manager.config.is(Mutant::KeepCleanShutdownMarker) {
            // Gone before anything is loaded: a crash from here on is not a clean shutdown (KAFKA-10471).
            cx.effects.disk(DiskRequest::Delete { file: CLEAN_SHUTDOWN.into() });
            cx.effects.disk(DiskRequest::FsyncDirectory);
        }
        manager.load_meta(cx, &image);
        let truncated_bytes = manager.load_logs(cx, &image, clean);
        // A first start has nothing that a shutdown could have left in disorder.
        let clean = clean || image.is_empty();
        cx.effects
            .observe(Observation::Broker(BrokerObservation::Recovered { clean, truncated_bytes }));
        manager
    }

    fn empty(config: Arc<Config>, roster: Arc<Roster>) -> Self {
        Self {
            config,
            roster,
            topics: BTreeMap::new(),
            partitions: Vec::new(),
            overrides: BTreeMap::new(),
            live: None,
            files: AtomicFiles::default(),
            flushing: BTreeMap::new(),
            cutting: BTreeSet::new(),
            alarm: Alarm::default(),
            produces: BTreeMap::new(),
            fetches: BTreeMap::new(),
            waiting_clients: BTreeMap::new(),
            next_request: 0,
            fetchers: BTreeMap::new(),
            fetcher_conns: BTreeMap::new(),
            checkpoints: Checkpoints::default(),
            shutdown: Shutdown::No,
            cluster_id: None,
        }
    }

    fn load_meta(&mut self, cx: &mut Context<'_>, image: &DiskImage) {
        let Some(text) = text_of(image, META_PROPERTIES) else { return };
        let stored = property(&text, "broker.id");
        if stored.as_ref().is_some_and(|id| *id != self.me().to_string()) {
            cx.ask(Ask::Halt(format!(
                "Configured broker.id {} doesn't match stored broker.id {} in meta.properties",
                self.me(),
                stored.unwrap_or_default()
            )));
        }
        self.cluster_id = property(&text, "cluster.id");
    }

    fn load_logs(&mut self, cx: &mut Context<'_>, image: &DiskImage, clean: bool) -> u64 {
        let high_watermarks = load_offsets(image, HIGH_WATERMARKS);
        let recovery_points = load_offsets(image, RECOVERY_POINTS);
        let starts = load_offsets(image, LOG_STARTS);
        let mut directories: Vec<&str> =
            image.keys().filter_map(|file| file.rsplit_once('/').map(|(dir, _)| dir)).collect();
        directories.dedup();
        let mut truncated_bytes = 0;
        for directory in directories {
            let Some(at) = partition_of(directory) else { continue };
            if self.find_at(&at).is_some() {
                continue;
            }
            let known = Known {
                clean,
                recovery_point: recovery_points.get(&at).copied().unwrap_or(0),
                start: starts.get(&at).copied(),
            };
            let (mut files, mut flushing) = Default::default();
            std::mem::swap(&mut files, &mut self.files);
            let mut disk =
                Disk { effects: &mut *cx.effects, files: &mut files, flushing: &mut flushing };
            let high_watermark = high_watermarks.get(&at).copied().unwrap_or(0);
            let name = at.clone();
            let make = |slot, of_topic| {
                let loaded = Log::load(&mut disk, slot, directory.into(), image, known);
                truncated_bytes += loaded.truncated_bytes;
                let observation = log_loaded(&name, &loaded.log, known, high_watermark);
                disk.effects.observe(Observation::Broker(observation));
                Partition::new(name, loaded.log, high_watermark, of_topic)
            };
            self.insert(make, at);
            self.files = files;
        }
        truncated_bytes
    }

    /// The cluster id of `meta.properties`, if it is known.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// Takes the cluster id (`/cluster/id`) and keeps it in `meta.properties`.
    ///
    /// Another id than the stored one is a fatal error (InconsistentClusterIdException).
    pub fn set_cluster_id(&mut self, cx: &mut Context<'_>, id: &str) {
        match &self.cluster_id {
            Some(stored) if stored == id => {}
            Some(stored) => {
                let why = format!("The Cluster ID {id} doesn't match stored clusterId {stored}");
                cx.ask(Ask::Halt(why));
            }
            None => {
                self.cluster_id = Some(id.to_owned());
                let text = format!("version=0\nbroker.id={}\ncluster.id={id}\n", self.me());
                self.files.write(cx.effects, &META_PROPERTIES.into(), text.into());
            }
        }
    }

    /// Starts the periodic tasks; called with the first LeaderAndIsr request.
    pub(super) fn start_periodic(&mut self, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.checkpoints.started, true) {
            return;
        }
        let half_lag = Self::later(cx, self.config.replica_lag_time_max / 2);
        self.alarm.set(cx, half_lag, Due::ShrinkIsr);
        let at = Self::later(cx, self.config.high_watermark_checkpoint_interval);
        self.alarm.set(cx, at, Due::CheckpointHighWatermarks);
        let at = Self::later(cx, self.config.recovery_point_checkpoint_interval);
        self.alarm.set(cx, at, Due::CheckpointRecoveryPoints);
        if let Some(interval) = self.config.log_flush_interval {
            let at = Self::later(cx, interval);
            self.alarm.set(cx, at, Due::FlushLogs);
        }
    }

    fn checkpoint(
        &mut self,
        cx: &mut Context<'_>,
        file: &'static str,
        value: fn(&Partition) -> Offset,
    ) {
        let present = self.partitions.iter().flatten();
        let offsets: Offsets = present.map(|p| (p.at.clone(), value(p))).collect();
        let text = offsets_to_text(&offsets);
        if self.checkpoints.written.get(file) != Some(&text) {
            self.files.write(cx.effects, &file.into(), text.clone().into());
            self.checkpoints.written.insert(file, text);
        }
    }

    fn checkpoint_high_watermarks(&mut self, cx: &mut Context<'_>) {
        self.checkpoint(cx, HIGH_WATERMARKS, |partition| partition.high_watermark);
    }

    pub(super) fn checkpoint_recovery_points(&mut self, cx: &mut Context<'_>) {
        self.checkpoint(cx, RECOVERY_POINTS, |partition| partition.log.recovery_point());
        self.checkpoint(cx, LOG_STARTS, |partition| partition.log.start());
    }

    pub(super) fn checkpoint_high_watermarks_due(&mut self, cx: &mut Context<'_>) {
        self.checkpoint_high_watermarks(cx);
        let at = Self::later(cx, self.config.high_watermark_checkpoint_interval);
        self.alarm.set(cx, at, Due::CheckpointHighWatermarks);
    }

    pub(super) fn checkpoint_recovery_points_due(&mut self, cx: &mut Context<'_>) {
        self.checkpoint_recovery_points(cx);
        let at = Self::later(cx, self.config.recovery_point_checkpoint_interval);
        self.alarm.set(cx, at, Due::CheckpointRecoveryPoints);
    }

    fn flush_all(&mut self, cx: &mut Context<'_>) {
        for slot in self.slots() {
            let (partition, mut disk) = self.with_disk(cx, slot);
            partition.log.flush(&mut disk);
        }
    }

    pub(super) fn flush_logs_due(&mut self, cx: &mut Context<'_>) {
        self.flush_all(cx);
        let interval = self.config.log_flush_interval.expect("it was set when this was scheduled");
        let at = Self::later(cx, interval);
        self.alarm.set(cx, at, Due::FlushLogs);
    }

    /// An fsync ended; those of other parts are passed over.
    pub fn on_disk_done(&mut self, cx: &mut Context<'_>, op: DiskOpId) {
        if let Some(slot) = self.flushing.remove(&op) {
            let partition = self.at_mut(slot);
            let before = partition.log.flushed_end();
            partition.log.on_disk_done(op);
            if partition.log.flushed_end() != before {
                self.settled(cx, slot);
            }
        } else if self.files.on_disk_done(cx.effects, op) {
            self.end_cuts(cx);
        }
        self.advance_shutdown(cx, Some(op));
    }

    /// An append is over because its fsync is.
    fn settled(&mut self, cx: &mut Context<'_>, slot: usize) {
        match &self.at(slot).role {
            Role::Leader(_) => self.progress(cx, slot),
            Role::Follower(follower) => {
                if let Some(leader) = follower.leader {
                    self.drive(cx, leader);
                }
            }
            Role::Offline => {}
        }
    }

    /// Begins an orderly end: fetchers stop, logs are flushed, checkpoints and the marker written.
    pub fn begin_shutdown(&mut self, cx: &mut Context<'_>) {
        if self.shutdown != Shutdown::No {
            return;
        }
        self.shutdown = Shutdown::Flushing;
        self.stop_fetchers(cx);
        self.checkpoint_high_watermarks(cx);
        self.flush_all(cx);
        self.advance_shutdown(cx, None);
    }

    /// Whether [`ReplicaManager::begin_shutdown`] is through and the process may end.
    pub fn is_shut_down(&self) -> bool {
        self.shutdown == Shutdown::Done
    }

    fn advance_shutdown(&mut self, cx: &mut Context<'_>, done: Option<DiskOpId>) {
        if self.shutdown == Shutdown::Flushing && self.flushing.is_empty() {
            self.checkpoint_recovery_points(cx);
            self.shutdown = Shutdown::Checkpointing;
        }
        if self.shutdown == Shutdown::Checkpointing && self.files.is_idle() {
            let file: Arc<str> = CLEAN_SHUTDOWN.into();
            cx.effects.disk(DiskRequest::Write { file: file.clone(), bytes: Bytes::new() });
            let content = cx.effects.disk(DiskRequest::Fsync { file });
            let name = cx.effects.disk(DiskRequest::FsyncDirectory);
            self.shutdown = Shutdown::Marking(BTreeSet::from([content, name]));
        }
        if let (Shutdown::Marking(ops), Some(done)) = (&mut self.shutdown, done) {
            ops.remove(&done);
            if ops.is_empty() {
                self.shutdown = Shutdown::Done;
            }
        }
    }
}
