//! What outlives the process: loading logs, checkpoints, fsyncs, and the end of a clean shutdown
//! (`LogManager`; the high watermarks, which Kafka leaves to `ReplicaManager`, among them).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::partition::PartitionReplica;
use super::replicas::{Replicas, Slot};
use crate::history::{AppendedBatch, BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context};
use crate::nodes::broker::log::checkpoint::{
    HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS, offsets_from_text, offsets_to_text, text_of,
};
use crate::nodes::broker::log::{AtomicFiles, Disk, Known, Log, partition_of};
use crate::vocab::step::{DiskImage, DiskRequest};
use crate::vocab::{BrokerId, DiskOpId, Mutant, Offset, TopicPartition};

/// Says that the last process ended cleanly.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// Whose disk this is.
pub const META_PROPERTIES: &str = "meta.properties";

/// How far a clean shutdown is.
#[derive(Debug, Default, PartialEq, Eq)]
enum Shutdown {
    /// It did not begin.
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

/// The observation of a log that was loaded, with all batches that an unclean end can have changed.
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

/// What an operation that ended was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskDone {
    /// The flush of a log.
    Flush(Slot),
    /// A file was replaced.
    File,
    /// None that a replica waits for.
    Other,
}

/// Owns what is on its way to the disk, and what was written last.
#[derive(Debug)]
pub struct LogManager {
    broker: BrokerId,
    files: AtomicFiles,
    flushing: BTreeMap<DiskOpId, Slot>,
    /// Replicas with a truncation whose files are not on the platter yet.
    cutting: BTreeSet<Slot>,
    /// Checkpoints as written last; what did not change is not written again.
    written: BTreeMap<&'static str, String>,
    shutdown: Shutdown,
    cluster_id: Option<String>,
}

impl LogManager {
    /// Loads the logs that the disk kept into `replicas`, checking them unless the last process ended cleanly.
    pub fn load(
        config: &Config,
        cx: &mut Context<'_>,
        image: &DiskImage,
        replicas: &mut Replicas,
    ) -> Self {
        let mut logs = Self {
            broker: config.id,
            files: AtomicFiles::default(),
            flushing: BTreeMap::new(),
            cutting: BTreeSet::new(),
            written: BTreeMap::new(),
            shutdown: Shutdown::No,
            cluster_id: None,
        };
        let clean = image.contains_key(CLEAN_SHUTDOWN);
        if clean && !config.is(Mutant::KeepCleanShutdownMarker) {
            // Gone before anything is loaded: a crash from here on is not a clean shutdown (KAFKA-10471).
            cx.effects.disk(DiskRequest::Delete { file: CLEAN_SHUTDOWN.into() });
            cx.effects.disk(DiskRequest::FsyncDirectory);
        }
        logs.load_meta(cx, image);
        let truncated_bytes = logs.load_replicas(cx, image, clean, replicas);
        // A first start has nothing that a shutdown could have left in disorder.
        let clean = clean || image.is_empty();
        cx.effects
            .observe(Observation::Broker(BrokerObservation::Recovered { clean, truncated_bytes }));
        logs
    }

    fn load_meta(&mut self, cx: &mut Context<'_>, image: &DiskImage) {
        // A first start has no such file.
        let Some(text) = text_of(image, META_PROPERTIES) else { return };
        let stored = property(&text, "broker.id");
        if stored.as_ref().is_some_and(|id| *id != self.broker.to_string()) {
            cx.ask(Ask::Halt(format!(
                "Configured broker.id {} doesn't match stored broker.id {} in meta.properties",
                self.broker,
                stored.unwrap_or_default()
            )));
        }
        self.cluster_id = property(&text, "cluster.id");
    }

    fn load_replicas(
        &mut self,
        cx: &mut Context<'_>,
        image: &DiskImage,
        clean: bool,
        replicas: &mut Replicas,
    ) -> u64 {
        let high_watermarks = load_offsets(image, HIGH_WATERMARKS);
        let recovery_points = load_offsets(image, RECOVERY_POINTS);
        let starts = load_offsets(image, LOG_STARTS);
        let mut directories: Vec<&str> =
            image.keys().filter_map(|file| file.rsplit_once('/').map(|(dir, _)| dir)).collect();
        directories.dedup();
        let mut truncated_bytes = 0;
        for directory in directories {
            let Some(at) = partition_of(directory) else { continue };
            if replicas.find_at(&at).is_some() {
                continue;
            }
            let known = Known {
                clean,
                recovery_point: recovery_points.get(&at).copied().unwrap_or(0),
                start: starts.get(&at).copied(),
            };
            let high_watermark = high_watermarks.get(&at).copied().unwrap_or(0);
            let name = at.clone();
            replicas.insert(at, |slot, of_topic| {
                let mut disk = self.disk(cx);
                let loaded = Log::load(&mut disk, slot, directory.into(), image, known);
                truncated_bytes += loaded.truncated_bytes;
                let observation = log_loaded(&name, &loaded.log, known, high_watermark);
                disk.effects.observe(Observation::Broker(observation));
                PartitionReplica::new(name, loaded.log, high_watermark, of_topic)
            });
        }
        truncated_bytes
    }

    /// The disk, as a log works with it.
    pub fn disk<'a>(&'a mut self, cx: &'a mut Context<'_>) -> Disk<'a> {
        let Self { files, flushing, .. } = self;
        Disk { now: cx.clock.by_wall(), effects: &mut *cx.effects, files, flushing }
    }

    /// The slot of a partition's replica; it gets a new log when there is none.
    pub fn find_or_create(
        &mut self,
        cx: &mut Context<'_>,
        replicas: &mut Replicas,
        at: TopicPartition,
    ) -> Slot {
        if let Some(slot) = replicas.find_at(&at) {
            return slot;
        }
        let name = at.clone();
        replicas.insert(at, |slot, of_topic| {
            let log = Log::create(&mut self.disk(cx), slot, &name);
            PartitionReplica::new(name, log, 0, of_topic)
        })
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
                let text = format!("version=0\nbroker.id={}\ncluster.id={id}\n", self.broker);
                self.files.write(cx.effects, &META_PROPERTIES.into(), text.into());
            }
        }
    }

    fn checkpoint(
        &mut self,
        cx: &mut Context<'_>,
        replicas: &Replicas,
        file: &'static str,
        value: fn(&PartitionReplica) -> Offset,
    ) {
        let offsets: Offsets = replicas.iter().map(|one| (one.at.clone(), value(one))).collect();
        let text = offsets_to_text(&offsets);
        if self.written.get(file) != Some(&text) {
            self.files.write(cx.effects, &file.into(), text.clone().into());
            self.written.insert(file, text);
        }
    }

    /// Writes `replication-offset-checkpoint`.
    pub fn checkpoint_high_watermarks(&mut self, cx: &mut Context<'_>, replicas: &Replicas) {
        self.checkpoint(cx, replicas, HIGH_WATERMARKS, |replica| replica.high_watermark);
    }

    /// Writes `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint`.
    pub fn checkpoint_recovery_points(&mut self, cx: &mut Context<'_>, replicas: &Replicas) {
        self.checkpoint(cx, replicas, RECOVERY_POINTS, |replica| replica.log.recovery_point());
        self.checkpoint(cx, replicas, LOG_STARTS, |replica| replica.log.start());
    }

    /// Flushes the logs whose last flush is as long ago as their `flush.ms` says (`LogManager.flushDirtyLogs`).
    pub fn flush_old(&mut self, cx: &mut Context<'_>, replicas: &mut Replicas) {
        let now = cx.clock.by_wall();
        for replica in replicas.iter_mut() {
            if now.since(replica.log.last_flush()) >= replica.settings.flush_interval {
                replica.log.flush(&mut self.disk(cx));
            }
        }
    }

    /// Flushes what is not flushed of all logs.
    pub fn flush_all(&mut self, cx: &mut Context<'_>, replicas: &mut Replicas) {
        for replica in replicas.iter_mut() {
            replica.log.flush(&mut self.disk(cx));
        }
    }

    /// Whether a file that goes with a truncation of this log is being written.
    fn is_cut_open(&self, replica: &PartitionReplica) -> bool {
        self.files.is_writing(replica.log.epoch_file()) || self.files.is_writing(RECOVERY_POINTS)
    }

    /// A log was truncated: notes whether it has to wait for files that go with it.
    pub fn note_cut(&mut self, slot: Slot, replica: &PartitionReplica) {
        if self.is_cut_open(replica) {
            self.cutting.insert(slot);
        }
    }

    /// Whether files that go with a truncation of this log are not on the platter yet.
    pub fn is_cutting(&self, slot: Slot) -> bool {
        self.cutting.contains(&slot)
    }

    /// A file was replaced: takes out the replicas, those deleted among them, that no longer wait for any.
    pub fn take_ended_cuts(&mut self, replicas: &Replicas) -> BTreeSet<Slot> {
        if self.cutting.is_empty() {
            return BTreeSet::new();
        }
        let cutting = std::mem::take(&mut self.cutting);
        let is_open = |slot: &Slot| replicas.get(*slot).is_some_and(|one| self.is_cut_open(one));
        let (open, ended) = cutting.into_iter().partition(is_open);
        self.cutting = open;
        ended
    }

    /// An fsync ended. Those of directories are in no list.
    pub fn on_disk_done(&mut self, cx: &mut Context<'_>, op: DiskOpId) -> DiskDone {
        if let Some(slot) = self.flushing.remove(&op) {
            DiskDone::Flush(slot)
        } else if self.files.on_disk_done(cx.effects, op) {
            DiskDone::File
        } else {
            DiskDone::Other
        }
    }

    /// Begins a clean shutdown: logs are flushed, then checkpoints and the marker written.
    pub fn begin_shutdown(&mut self, cx: &mut Context<'_>, replicas: &mut Replicas) {
        self.shutdown = Shutdown::Flushing;
        self.checkpoint_high_watermarks(cx, replicas);
        self.flush_all(cx, replicas);
        self.advance_shutdown(cx, replicas, None);
    }

    /// Whether a clean shutdown has begun: nothing is appended after the last flush.
    pub fn is_shutting_down(&self) -> bool {
        self.shutdown != Shutdown::No
    }

    /// Whether an fsync or a slow append of a log is in flight.
    pub fn is_flushing(&self) -> bool {
        !self.flushing.is_empty()
    }

    /// Whether the clean shutdown is through and the process may end.
    pub fn is_shut_down(&self) -> bool {
        self.shutdown == Shutdown::Done
    }

    /// Goes on with a clean shutdown, if there is one; `done` is the operation that ended.
    pub fn advance_shutdown(
        &mut self,
        cx: &mut Context<'_>,
        replicas: &Replicas,
        done: Option<DiskOpId>,
    ) {
        if self.shutdown == Shutdown::Flushing && self.flushing.is_empty() {
            self.checkpoint_recovery_points(cx, replicas);
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
