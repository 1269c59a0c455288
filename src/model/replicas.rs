//! The partitions as no broker sees them: every replica's log and role side by side, the state that ZooKeeper
//! holds, and all that was ever committed.
//!
//! Bookkeeping that the replication properties are judged by; it decides nothing but what counts as
//! committed: what is below the high watermark of the leader that ZooKeeper names, at the moment when that
//! leader reports it. When a leader's log lacks some of it (an unclean election, a disk that lost records), what
//! that leader has is all there is: a loss counts once.

use std::collections::BTreeMap;

use crate::history::{BrokerObservation, Life, ZooKeeperObservation};
use crate::model::log_tree::{Batch, LogTree, Point};
use crate::model::partition_state::{PartitionState, partition_of_state};
use crate::releases::{Change, KafkaVersion, Truncation};
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, Offset, Time, TopicPartition, Zxid};

/// What a replica believes itself to be, since its process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReplicaRole {
    /// Nothing yet.
    #[default]
    None,
    /// A follower.
    Follower,
    /// A leader.
    Leader(Lead),
}

/// What a leader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    /// The log end offset when it began.
    pub start: Offset,
    /// The in-sync replicas, as it knows them.
    pub isr: Vec<BrokerId>,
    /// Those that may be in sync, should a change that is on its way succeed or not.
    pub maximal: Vec<BrokerId>,
    /// The least number of them for `acks=all`.
    pub min: u32,
    /// Whether a replica that it wants to join is in sync as written, and it has not learned of that yet.
    joined_unheard: bool,
}

/// One replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its broker.
    pub broker: BrokerId,
    /// Its node.
    pub node: NodeId,
    /// Whether the broker's process reported anything of it: its log is loaded, or it was given a role.
    pub is_hosted: bool,
    /// Its log; `None` when its content is not known.
    pub log: Option<Point>,
    /// Offset behind the last record of its log.
    pub log_end: Offset,
    /// The high watermark it knows.
    pub high_watermark: Offset,
    /// As a leader: its log below its high watermark.
    pub below_high_watermark: Point,
    /// What it is.
    pub role: ReplicaRole,
    /// The leader epoch it is in; −1 from the start of its process.
    pub leader_epoch: LeaderEpoch,
    /// When its disk lost records that were committed; until it has them again.
    pub lost_at: Option<Time>,
    /// Its last truncation of records that were committed.
    truncation: Option<CommittedTruncation>,
    /// Whether its disk lost records since it led last, and the epoch that it led in.
    has_lost: bool,
    last_led: Option<LeaderEpoch>,
    /// Whether its log was reported since its process began.
    loaded: bool,
}

impl Replica {
    /// What it has as a leader.
    pub fn lead(&self) -> Option<&Lead> {
        match &self.role {
            ReplicaRole::Leader(lead) => Some(lead),
            _ => None,
        }
    }
}

/// A replica as it was before the present event.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Its log.
    pub log: Option<Point>,
    /// The high watermark it knew.
    pub high_watermark: Offset,
    /// The leader epoch it went by.
    pub leader_epoch: LeaderEpoch,
    /// Whether it led.
    pub led: bool,
}

/// A truncation that took committed records from a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedTruncation {
    /// When.
    pub time: Time,
    /// Where its log ended then.
    pub to: Offset,
}

/// A leader's log that lacks committed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// First offset that is gone.
    pub from: Offset,
    /// Offset behind the last one.
    pub to: Offset,
    /// Whether that leader was elected from outside the in-sync replicas.
    pub unclean: bool,
    /// When its disk lost them, if it did.
    pub lost_at: Option<Time>,
    /// The truncation that took them from it.
    pub truncation: Option<CommittedTruncation>,
}

/// One partition.
#[derive(Clone, Debug)]
pub struct PartitionReplicas {
    /// Which.
    pub at: TopicPartition,
    /// The content of all logs.
    pub logs: LogTree,
    /// The replicas that were reported.
    pub replicas: Vec<Replica>,
    /// Its assignment, if it was reported.
    pub assignment: Vec<BrokerId>,
    /// The state in ZooKeeper.
    pub state: Option<PartitionState>,
    /// The state that was in ZooKeeper before it.
    pub before_state: Option<PartitionState>,
    /// All that was ever committed.
    pub committed: Point,
    /// The leader epoch of the last unclean election.
    pub unclean_epoch: Option<LeaderEpoch>,
    /// Epochs in which a leader led on after its disk had lost records: it gave their offsets to others.
    pub reused_epochs: Vec<LeaderEpoch>,
    /// Epochs in which a leader gave up a join that was written to ZooKeeper: it never got the answer.
    pub unheard_joins: Vec<LeaderEpoch>,
    /// Leaders of earlier epochs lead logs that are history: committed records were lost since.
    pub forgiven: LeaderEpoch,
    /// Whether a replica's host lost power.
    pub power_lost: bool,
    /// Its topic was deleted and created again: nothing is judged any more.
    pub deleted: bool,
}

impl PartitionReplicas {
    fn new(at: &TopicPartition) -> Self {
        let logs = LogTree::default();
        Self {
            at: at.clone(),
            committed: logs.empty(),
            logs,
            replicas: Vec::new(),
            assignment: Vec::new(),
            state: None,
            before_state: None,
            unclean_epoch: None,
            reused_epochs: Vec::new(),
            unheard_joins: Vec::new(),
            power_lost: false,
            forgiven: 0,
            deleted: false,
        }
    }

    /// A replica.
    pub fn replica(&self, broker: BrokerId) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.broker == broker)
    }

    /// Whether ZooKeeper names this replica as the leader of the epoch that it leads in.
    pub fn is_legitimate(&self, replica: &Replica) -> bool {
        let named = |state: &PartitionState| {
            state.leader == Some(replica.broker) && state.leader_epoch == replica.leader_epoch
        };
        replica.lead().is_some() && self.state.as_ref().is_some_and(named)
    }

    /// The first of `brokers` that `log` was not copied to, as far as that is known; with what it has of it.
    pub fn lacking(&self, brokers: &[BrokerId], log: Point) -> Option<(&Replica, Offset)> {
        brokers.iter().find_map(|&broker| {
            let replica = self.replica(broker)?;
            let own = replica.log.filter(|own| !self.logs.is_folded(*own))?;
            let lacks = replica.lost_at.is_none() && !self.logs.holds(own, log);
            lacks.then(|| (replica, self.logs.common(own, log).end))
        })
    }

    /// All points that are asked about.
    fn users(&self) -> impl Iterator<Item = Point> {
        let logs = self.replicas.iter().filter_map(|replica| replica.log);
        let below = self.replicas.iter().map(|replica| replica.below_high_watermark);
        logs.chain(below).chain([self.committed])
    }

    fn index(&mut self, broker: BrokerId, node: NodeId) -> usize {
        let known = self.replicas.iter().position(|replica| replica.node == node);
        known.unwrap_or_else(|| {
            self.replicas.push(Replica {
                broker,
                node,
                is_hosted: false,
                log: Some(self.logs.empty()),
                log_end: 0,
                high_watermark: 0,
                below_high_watermark: self.logs.empty(),
                role: ReplicaRole::None,
                leader_epoch: -1,
                lost_at: None,
                truncation: None,
                has_lost: false,
                last_led: None,
                loaded: true,
            });
            self.replicas.len() - 1
        })
    }

    fn appended(&mut self, index: usize, batch: Batch) {
        let replica = &mut self.replicas[index];
        let Some(log) = replica.log else { return };
        let next = if log.end != batch.base {
            None
        } else if self.logs.is_folded(log) {
            self.logs.refetched(log, batch.last)
        } else {
            Some(self.logs.append(log, batch))
        };
        replica.log = next;
        if let (Some(log), true) = (next, replica.lost_at.is_some())
            && self.logs.holds(log, self.committed)
        {
            replica.lost_at = None;
        }
    }

    fn truncated(&mut self, index: usize, time: Time, to: Offset) {
        let had = self.replicas[index].log.filter(|log| !self.logs.is_folded(*log));
        let had_all = had.is_some_and(|log| self.logs.holds(log, self.committed));
        let replica = &mut self.replicas[index];
        let log = replica.log.filter(|log| to <= log.end);
        replica.log = log.map(|log| self.logs.cut(log, to)).filter(|log| log.end == to);
        replica.below_high_watermark = self.logs.cut(replica.below_high_watermark, to);
        if had_all && to < self.committed.end {
            replica.truncation = Some(CommittedTruncation { time, to });
        }
    }

    fn high_watermark(&mut self, index: usize, to: Offset) {
        let replica = &mut self.replicas[index];
        replica.high_watermark = to;
        let (ReplicaRole::Leader(_), Some(log)) = (&replica.role, replica.log) else { return };
        if self.logs.is_folded(log) {
            return;
        }
        replica.below_high_watermark = self.logs.up_to(log, replica.below_high_watermark, to);
        let below = replica.below_high_watermark;
        if self.is_legitimate(&self.replicas[index]) && self.logs.holds(below, self.committed) {
            self.committed = below;
            if self.logs.is_long(below) {
                let users: Vec<Point> = self.users().collect();
                self.logs.fold(below, users.into_iter());
            }
        }
    }

    /// A broker leads from now on; what its log lacks, if it is the leader that ZooKeeper names.
    fn became_leader(&mut self, index: usize, epoch: LeaderEpoch, start: Offset) -> Option<Lost> {
        let replica = &mut self.replicas[index];
        replica.role = ReplicaRole::Leader(Lead { start, ..Lead::default() });
        replica.leader_epoch = epoch;
        let log = replica.log.filter(|log| !self.logs.is_folded(*log));
        let below = log.map_or(self.logs.empty(), |log| self.logs.cut(log, replica.high_watermark));
        replica.below_high_watermark = below;
        let (lost_at, truncation) = (replica.lost_at, replica.truncation.take());
        let led = replica.last_led.replace(epoch);
        if std::mem::take(&mut replica.has_lost) && led == Some(epoch) {
            self.reused_epochs.push(epoch);
        }
        if !self.is_legitimate(&self.replicas[index]) {
            return None;
        }
        let log = self.replicas[index].log?;
        if self.logs.holds(log, self.committed) {
            return None;
        }
        let kept = self.logs.common(log, self.committed);
        let lost = Lost {
            from: kept.end,
            to: self.committed.end,
            unclean: self.unclean_epoch == Some(epoch),
            lost_at,
            truncation: truncation.filter(|cut| cut.to <= kept.end),
        };
        self.committed = kept;
        self.forgiven = epoch;
        // There is nothing left that it lacks.
        self.replicas[index].lost_at = None;
        Some(lost)
    }

    fn loaded(&mut self, index: usize, from: Offset, end: Offset, batches: &[Batch]) {
        let had = self.replicas[index].log;
        let base = had.filter(|log| from <= log.end).map(|log| self.logs.cut(log, from));
        let mut log = base.or_else(|| (from == 0).then(|| self.logs.empty()));
        for &batch in batches {
            log = log.and_then(|log| match self.logs.is_folded(log) {
                true => self.logs.refetched(log, batch.last),
                false => (log.end == batch.base).then(|| self.logs.append(log, batch)),
            });
        }
        self.has_loaded(index, log.filter(|log| log.end == end));
    }

    fn has_loaded(&mut self, index: usize, log: Option<Point>) {
        let held = |log: Option<Point>| log.is_some_and(|log| self.logs.holds(log, self.committed));
        let (had, has) = (held(self.replicas[index].log), held(log));
        let has_lost = self.has_lost(self.replicas[index].log, log);
        let replica = &mut self.replicas[index];
        replica.has_lost |= has_lost;
        (replica.log, replica.loaded) = (log, true);
        replica.lost_at =
            if had && !has { Some(Time::ZERO) } else { replica.lost_at.filter(|_| !has) };
    }

    /// Whether a power loss left less than `had` of a log.
    fn has_lost(&self, had: Option<Point>, has: Option<Point>) -> bool {
        let Some(had) = had.filter(|_| self.power_lost) else { return false };
        !has.is_some_and(|has| self.logs.holds(has, had))
    }

    /// Whether two logs part where Kafka lets them: one has a record there of an epoch whose leader lost records
    /// with the power and led on in it, and the other has records of that epoch, too, there or behind it, so that
    /// the epoch of its end does not distinguish them. Before 2.7 (KIP-595) it may be of an older one:
    /// followers ask where their last epoch ends only when a new one begins.
    pub fn part_in_reused_epoch(&self, kafka: KafkaVersion, one: Point, other: Point) -> bool {
        let same = self.logs.common(one, other);
        let epoch = |log| self.logs.after(log, same).map(|batch| batch.leader_epoch);
        let Some(reused) = epoch(one).zip(epoch(other)).map(|(one, other)| one.max(other)) else {
            return false;
        };
        let reaches = |log| self.logs.last(log).is_some_and(|last| last.leader_epoch >= reused);
        self.reused_epochs.contains(&reused)
            && (kafka.truncation() != Truncation::OnFetch || reaches(one) && reaches(other))
    }

    fn stored(&mut self, state: PartitionState) {
        if let (Some(old), Some(leader)) = (&self.state, state.leader)
            && state.version == old.version + 1
            && state.leader_epoch > old.leader_epoch
            && !old.isr.contains(&leader)
        {
            self.unclean_epoch = Some(state.leader_epoch);
            self.forgiven = state.leader_epoch;
        }
        for replica in &mut self.replicas {
            if let ReplicaRole::Leader(lead) = &mut replica.role
                && (state.leader, state.leader_epoch)
                    == (Some(replica.broker), replica.leader_epoch)
                && state.isr.len() > lead.isr.len()
                && state.isr.iter().all(|id| lead.maximal.contains(id))
            {
                lead.joined_unheard = true;
            }
        }
        self.before_state = self.state.replace(state);
    }

    /// A leader reported which replicas it counts as in sync.
    fn isr_known(&mut self, index: usize, committed: &[BrokerId], maximal: &[BrokerId], min: u32) {
        let replica = &mut self.replicas[index];
        let ReplicaRole::Leader(lead) = &mut replica.role else { return };
        let gave_up = committed == lead.isr && maximal.len() == committed.len();
        if lead.joined_unheard && gave_up {
            self.unheard_joins.push(replica.leader_epoch);
        }
        lead.joined_unheard &= !gave_up && committed == lead.isr;
        committed.clone_into(&mut lead.isr);
        maximal.clone_into(&mut lead.maximal);
        lead.min = min;
    }

    /// Whether a leader knows in-sync replicas that miss one that joined, as its release has it: before 2.7
    /// (KIP-497) a leader that writes a join and gets no answer, as its session ends meanwhile, goes on with the
    /// in-sync replicas that it had (`Partition.expandIsr`, `KafkaZkClient.conditionalUpdatePath`).
    pub fn missed_a_join(&self, kafka: KafkaVersion, epoch: LeaderEpoch) -> bool {
        !kafka.has(Change::IsrByAlterPartition) && self.unheard_joins.contains(&epoch)
    }
}

/// What the present event is about.
#[derive(Clone, Copy, Debug)]
struct Current {
    partition: usize,
    replica: Option<(usize, Before)>,
    lost: Option<Lost>,
}

/// All partitions.
#[derive(Clone, Debug, Default)]
pub struct Replicas {
    index: BTreeMap<TopicPartition, usize>,
    partitions: Vec<PartitionReplicas>,
    current: Option<Current>,
    /// The partition found last; events come in clusters.
    last: usize,
    /// The newest transaction of ZooKeeper that was reported; several servers report each.
    newest: Zxid,
}

impl Replicas {
    /// The partition that the present event is about, if its replicas are known and judged.
    pub fn current(&self) -> Option<&PartitionReplicas> {
        self.current.map(|current| &self.partitions[current.partition])
    }

    /// The replica that the present event is about, as it is and as it was before.
    pub fn replica(&self) -> Option<(&PartitionReplicas, &Replica, Before)> {
        let current = self.current?;
        let partition = &self.partitions[current.partition];
        let (replica, before) = current.replica?;
        Some((partition, &partition.replicas[replica], before))
    }

    /// What the leader that began with the present event lacks.
    pub fn lost(&self) -> Option<Lost> {
        self.current?.lost
    }

    /// A partition.
    pub fn find(&self, at: &TopicPartition) -> Option<&PartitionReplicas> {
        self.index.get(at).map(|&place| &self.partitions[place])
    }

    fn place(&mut self, at: &TopicPartition) -> usize {
        if self.partitions.get(self.last).is_some_and(|partition| partition.at == *at) {
            return self.last;
        }
        let next = self.partitions.len();
        self.last = *self.index.entry(at.clone()).or_insert(next);
        if self.last == next {
            self.partitions.push(PartitionReplicas::new(at));
        }
        self.last
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, node: NodeId, life: Life) {
        self.current = None;
        if life == Life::PowerLost {
            for partition in &mut self.partitions {
                partition.power_lost |= partition.replicas.iter().any(|one| one.node == node);
            }
        }
        if life != Life::Started {
            return;
        }
        for replica in self.partitions.iter_mut().flat_map(|partition| &mut partition.replicas) {
            if replica.node == node {
                (replica.role, replica.leader_epoch) = (ReplicaRole::None, -1);
                (replica.loaded, replica.is_hosted) = (false, false);
            }
        }
    }

    /// Folds in an event of a broker.
    pub fn broker(
        &mut self,
        time: Time,
        (broker, node): (BrokerId, NodeId),
        did: &BrokerObservation,
    ) {
        use BrokerObservation as Did;
        self.current = None;
        let at = match did {
            Did::Appended { at, .. }
            | Did::HighWatermark { at, .. }
            | Did::Acknowledging { at, .. }
            | Did::Serving { at, .. }
            | Did::Truncated { at, .. }
            | Did::BecameLeader { at, .. }
            | Did::BecameFollower { at, .. }
            | Did::IsrKnown { at, .. }
            | Did::LogLoaded { at, .. } => at,
            Did::StateFound { at, leader, leader_epoch, isr, partition_epoch } => {
                let state = PartitionState {
                    time,
                    leader: *leader,
                    leader_epoch: *leader_epoch,
                    isr: isr.clone(),
                    version: *partition_epoch,
                    controller_epoch: -1,
                };
                return self.found(at, state);
            }
            Did::TopicCreated { topic, assignment } => {
                for (partition, replicas) in (0..).zip(assignment) {
                    let found = self.place(&TopicPartition::new(topic.clone(), partition));
                    self.partitions[found].assignment.clone_from(replicas);
                }
                return;
            }
            Did::PartitionReassigned { at, replicas } => {
                let found = self.place(at);
                self.partitions[found].assignment.clone_from(replicas);
                return;
            }
            Did::Recovered { .. } => return self.recovered(time, node),
            _ => return,
        };
        let found = self.place(at);
        let partition = &mut self.partitions[found];
        if partition.deleted {
            return;
        }
        let index = partition.index(broker, node);
        let replica = &mut partition.replicas[index];
        replica.is_hosted = true;
        let before = Before {
            log: replica.log,
            high_watermark: replica.high_watermark,
            leader_epoch: replica.leader_epoch,
            led: replica.lead().is_some(),
        };
        let lost = replica_did(partition, index, time, did);
        self.current = Some(Current { partition: found, replica: Some((index, before)), lost });
    }

    /// Folds in a state that a new controller found: it may be one whose storing was not reported.
    fn found(&mut self, at: &TopicPartition, state: PartitionState) {
        let found = self.place(at);
        let partition = &mut self.partitions[found];
        if partition.state.as_ref().is_none_or(|old| old.version < state.version) {
            partition.before_state = None;
            partition.state = Some(state);
        }
    }

    /// The logs that were not reported are gone.
    fn recovered(&mut self, time: Time, node: NodeId) {
        for partition in &mut self.partitions {
            let empty = partition.logs.empty();
            for index in 0..partition.replicas.len() {
                let replica = &mut partition.replicas[index];
                if replica.node == node && !replica.loaded {
                    (replica.high_watermark, replica.log_end) = (0, 0);
                    partition.has_loaded(index, Some(empty));
                    let lost_at = &mut partition.replicas[index].lost_at;
                    note_loss(lost_at, time);
                }
            }
        }
    }

    /// Folds in an event of a ZooKeeper server; whether it is news about the state of a partition.
    pub fn zookeeper(&mut self, time: Time, did: &ZooKeeperObservation) -> bool {
        self.current = None;
        let ZooKeeperObservation::Stored { zxid, path, version, data } = did else {
            return false;
        };
        let Some(at) = partition_of_state(path) else { return false };
        if *zxid < self.newest {
            return false;
        }
        self.newest = *zxid;
        let found = self.place(&at);
        let partition = &mut self.partitions[found];
        let Some(state) = PartitionState::read(time, *version, data) else { return false };
        if partition.state.as_ref().is_some_and(|old| old.version >= state.version) {
            // Either another server reported it before, or a topic of that name was created again.
            let again = partition.state.as_ref().map(|old| PartitionState { time, ..old.clone() });
            partition.deleted |= state.version == 0 && again.as_ref() != Some(&state);
            return false;
        }
        if partition.deleted {
            return false;
        }
        partition.stored(state);
        self.current = Some(Current { partition: found, replica: None, lost: None });
        true
    }
}

fn replica_did(
    partition: &mut PartitionReplicas,
    index: usize,
    time: Time,
    did: &BrokerObservation,
) -> Option<Lost> {
    use BrokerObservation as Did;
    match did {
        &Did::Appended { base, last, leader_epoch, checksum, .. } => {
            partition.replicas[index].log_end = last + 1;
            partition.appended(index, Batch { base, last, leader_epoch, checksum });
        }
        Did::HighWatermark { offset, .. } => partition.high_watermark(index, *offset),
        Did::Truncated { to, .. } => {
            partition.replicas[index].log_end = *to;
            partition.truncated(index, time, *to);
        }
        Did::BecameLeader { leader_epoch, start, high_watermark, .. } => {
            let replica = &mut partition.replicas[index];
            (replica.high_watermark, replica.log_end) = (*high_watermark, *start);
            return partition.became_leader(index, *leader_epoch, *start);
        }
        Did::BecameFollower { leader_epoch, .. } => {
            let replica = &mut partition.replicas[index];
            (replica.role, replica.leader_epoch) = (ReplicaRole::Follower, *leader_epoch);
        }
        Did::IsrKnown { committed, maximal, min, .. } => {
            partition.isr_known(index, committed, maximal, *min);
        }
        Did::LogLoaded { end, high_watermark, from, batches, .. } => {
            let batches: Vec<Batch> = batches.iter().map(Batch::from).collect();
            let replica = &mut partition.replicas[index];
            (replica.high_watermark, replica.log_end) = (*high_watermark, *end);
            partition.loaded(index, *from, *end, &batches);
            let lost_at = &mut partition.replicas[index].lost_at;
            note_loss(lost_at, time);
        }
        _ => {}
    }
    None
}

/// Gives a loss that was just found its time; one that was found at an earlier start keeps its own.
fn note_loss(lost_at: &mut Option<Time>, time: Time) {
    *lost_at = lost_at.map(|known| if known == Time::ZERO { time } else { known });
}
