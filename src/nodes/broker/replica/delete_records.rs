//! DeleteRecords: the leader raises its log start, and the request is answered when the start of every live replica is
//! as high (`ReplicaManager.deleteRecords`, `DelayedDeleteRecords`, KIP-107). Followers learn the leader's start with
//! their next fetch, and tell theirs with the one after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse, ResponseKind};

use super::alarm::{Deadline, Due};
use super::log_start::observe_start;
use super::manager::ReplicaManager;
use super::partition::PartitionReplica;
use super::replicas::{Knows, Slot};
use crate::nodes::broker::config::INTERNAL_TOPICS;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::{BrokerId, ConnId, Offset};

/// The offset that asks for everything below the high watermark.
const HIGH_WATERMARK: i64 = -1;
/// The low watermark where there is none (`DeleteRecordsResponse.INVALID_LOW_WATERMARK`).
const NO_WATERMARK: i64 = -1;

/// A partition whose replicas have not all deleted the records.
#[derive(Debug)]
struct Unsettled {
    /// Where in the response: topic and partition.
    place: (usize, usize),
    slot: Slot,
    required: Offset,
}

/// A request that waits for replicas.
#[derive(Debug)]
struct Delayed {
    to: ReplyTo,
    deadline: Deadline,
    response: DeleteRecordsResponse,
    unsettled: Vec<Unsettled>,
}

/// Owns the requests that wait.
#[derive(Debug, Default)]
pub struct RecordDeletions {
    waiting: BTreeMap<u64, Delayed>,
    next: u64,
}

impl RecordDeletions {
    /// A client's connection is gone: its request needs no answer.
    pub fn client_gone(&mut self, conn: ConnId) {
        self.waiting.retain(|_, one| one.to.conn != conn);
    }
}

/// The lowest log start of the replicas that live (`Partition.lowWatermarkIfLeader`).
fn low_watermark(
    replica: &PartitionReplica,
    live: Option<&BTreeSet<BrokerId>>,
) -> Result<Offset, ResponseError> {
    let leader = replica.leader().ok_or(ResponseError::NotLeaderOrFollower)?;
    let is_live = |id: &BrokerId| live.is_none_or(|live| live.contains(id));
    let followers = leader.followers.iter().filter(|(id, _)| is_live(id));
    let starts = followers.map(|(_, state)| state.log_start);
    Ok(starts.fold(replica.log.start(), Offset::min))
}

fn row(partition: i32, result: Result<Offset, ResponseError>) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult::default()
        .with_partition_index(partition)
        .with_low_watermark(result.unwrap_or(NO_WATERMARK))
        .with_error_code(result.err().map_or(0, |error| error.code()))
}

impl ReplicaManager {
    /// Deletes the segments that are too old, or too much, of the logs that this broker has (`LogManager.cleanupLogs`).
    /// Each broker decides for itself.
    pub(super) fn delete_old_segments(&mut self, cx: &mut Context<'_>) {
        for slot in 0..self.replicas.slots() {
            let Some(replica) = self.replicas.get(slot) else { continue };
            let Some(retention) = replica.settings.retention else { continue };
            let (now_ms, high_watermark) = (cx.clock.wall_ms, replica.high_watermark);
            let log = &mut self.replicas.at_mut_beside(slot).log;
            let mut disk = self.logs.disk(cx);
            if log.delete_old(&mut disk, retention, now_ms, high_watermark) {
                let replica = self.replicas.at_mut(slot);
                tracing::info!(at = %replica.at, start = replica.log.start(), "old segments go");
                observe_start(cx, replica);
                // Its next fetch says where it starts.
                self.fetchers.look_at_all();
            }
        }
        self.complete_deletions(cx);
    }

    /// DeleteRecords. `knows` says which partitions there are in the cluster.
    pub fn delete_records(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: DeleteRecordsRequest,
        knows: Knows<'_>,
    ) {
        let mut response = DeleteRecordsResponse::default();
        let mut unsettled = Vec::new();
        for topic in request.topics {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for asked in &topic.partitions {
                let index = asked.partition_index;
                let deleted = match knows(&topic.name, index) {
                    true => self.delete_below(cx, &topic.name, index, asked.offset, knows),
                    false => Err(ResponseError::UnknownTopicOrPartition),
                };
                let place = (response.topics.len(), rows.len());
                match deleted {
                    Ok((slot, required)) => {
                        // Cleared when the replicas have deleted the records.
                        rows.push(row(index, Err(ResponseError::RequestTimedOut)));
                        unsettled.push(Unsettled { place, slot, required });
                    }
                    Err(error) => rows.push(row(index, Err(error))),
                }
            }
            let result =
                DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(rows);
            response.topics.push(result);
        }
        let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let number = self.deletions.next;
        self.deletions.next += 1;
        let deadline = self.alarm.set_after(cx, wait, Due::DeleteRecords(number));
        self.deletions.waiting.insert(number, Delayed { to, deadline, response, unsettled });
        self.complete_deletions(cx);
    }

    /// Raises the log start of a partition that this broker leads.
    fn delete_below(
        &mut self,
        cx: &mut Context<'_>,
        topic: &str,
        partition: i32,
        offset: Offset,
        knows: Knows<'_>,
    ) -> Result<(Slot, Offset), ResponseError> {
        if INTERNAL_TOPICS.contains(&topic) {
            return Err(ResponseError::InvalidTopicException);
        }
        self.replicas.wanted(self.config.version, topic, partition, knows)?;
        let slot = self.replicas.find(topic, partition).expect("it was just found");
        let replica = self.replicas.at(slot);
        replica.leader().ok_or(ResponseError::NotLeaderOrFollower)?;
        if !replica.settings.deletes {
            return Err(ResponseError::PolicyViolation);
        }
        let high_watermark = replica.high_watermark;
        let required = if offset == HIGH_WATERMARK { high_watermark } else { offset };
        if !(0..=high_watermark).contains(&required) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        if required > replica.log.start() {
            self.replicas.at_mut(slot).log.raise_start(&mut self.logs.disk(cx), required);
            observe_start(cx, self.replicas.at(slot));
            tracing::info!(topic, partition, start = required, "records are deleted");
        }
        Ok((slot, required))
    }

    /// Answers the requests whose records are deleted by all replicas that live.
    pub(super) fn complete_deletions(&mut self, cx: &mut Context<'_>) {
        if self.deletions.waiting.is_empty() {
            return;
        }
        let (replicas, live) = (&self.replicas, self.live.as_ref());
        let mut done = Vec::new();
        for (number, delayed) in &mut self.deletions.waiting {
            let response = &mut delayed.response;
            delayed.unsettled.retain(|part| {
                let result = match replicas.get(part.slot) {
                    Some(replica) => low_watermark(replica, live),
                    None => Err(ResponseError::UnknownTopicOrPartition),
                };
                if result.is_ok_and(|low| low < part.required) {
                    return true;
                }
                let (topic, partition) = part.place;
                let place = &mut response.topics[topic].partitions[partition];
                *place = row(place.partition_index, result);
                false
            });
            if delayed.unsettled.is_empty() {
                done.push(*number);
            }
        }
        for number in done {
            self.end_deletion(cx, number);
        }
    }

    /// Answers a request, its time being over or its records deleted.
    pub(super) fn end_deletion(&mut self, cx: &mut Context<'_>, number: u64) {
        // Its client may be gone.
        let Some(delayed) = self.deletions.waiting.remove(&number) else { return };
        self.alarm.clear(delayed.deadline);
        cx.reply(delayed.to, ResponseKind::DeleteRecords(delayed.response));
    }
}
