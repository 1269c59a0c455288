//! OffsetCommit: offsets are written, and known when they are.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{ApiKey, OffsetCommitRequest, OffsetCommitResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use super::answers;
use super::appends::{Commit, Commits, Committer, Written};
use super::coordinator::{GroupCoordinator, Work};
use super::facts;
use super::state::{Committed, State};
use super::stored::offset_record;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::{Mutant, Offset};
use crate::wire::group_records::OffsetValue;

/// What a broker knows of topics: whether there is such a partition; with `None`, whether there is such a topic.
pub type Knows<'a> = &'a dyn Fn(&str, Option<i32>) -> bool;

/// When an offset expires that is committed at `commit_ms`: before 2.1 that was written with each.
pub fn expires(config: &Config, retention_ms: i64, commit_ms: i64, now_ms: i64) -> Option<i64> {
    let asked = (retention_ms >= 0).then_some(retention_ms);
    if config.version.has(Change::OffsetsExpireWithGroup) {
        return asked.map(|retention| now_ms.saturating_add(retention));
    }
    let default = i64::try_from(config.groups.offsets_retention.as_millis()).unwrap_or(i64::MAX);
    Some(commit_ms.saturating_add(asked.unwrap_or(default)))
}

fn value_of(
    config: &Config,
    request: &OffsetCommitRequest,
    part: &OffsetCommitRequestPartition,
    now_ms: i64,
) -> OffsetValue {
    let commit_ms = if part.commit_timestamp >= 0 { part.commit_timestamp } else { now_ms };
    OffsetValue {
        offset: part.committed_offset,
        leader_epoch: part.committed_leader_epoch,
        metadata: part.committed_metadata.clone().unwrap_or_default(),
        commit_ms,
        expire_ms: expires(config, request.retention_time_ms, commit_ms, now_ms),
    }
}

fn row(response: &mut OffsetCommitResponse, place: (usize, usize), error: ResponseError) {
    response.topics[place.0].partitions[place.1].error_code = error.code();
}

impl GroupCoordinator {
    /// OffsetCommit; answered when the offsets are written. Partitions that there are not are refused alone.
    pub fn commit_offsets(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: OffsetCommitRequest,
        knows: Knows<'_>,
    ) {
        let group = request.group_id.0.clone();
        let by_partition = self.config.version.has(Change::CommitsNeedPartition);
        let mut response = OffsetCommitResponse::default();
        let mut commits = Vec::new();
        for (n, topic) in request.topics.iter().enumerate() {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for (m, part) in topic.partitions.iter().enumerate() {
                let index = part.partition_index;
                let mut row = OffsetCommitResponsePartition::default().with_partition_index(index);
                if knows(&topic.name, by_partition.then_some(index)) {
                    let value = value_of(&self.config, &request, part, cx.clock.wall_ms);
                    let of = (topic.name.0.clone(), index);
                    commits.push(Commit { place: (n, m), of, value });
                } else {
                    row.error_code = ResponseError::UnknownTopicOrPartition.code();
                }
                rows.push(row);
            }
            let topic = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
            response.topics.push(topic.with_partitions(rows));
        }
        if commits.is_empty() {
            // The coordinator is not asked.
            cx.reply(to, ResponseKind::OffsetCommit(response));
            return;
        }
        let refusal = self.refusal(&group, ApiKey::OffsetCommit).or_else(|| {
            let exists = self.groups.contains_key(&group);
            let is_simple = request.generation_id_or_member_epoch < 0;
            (!exists && !is_simple).then_some(ResponseError::IllegalGeneration)
        });
        let refusal = match refusal {
            Some(error) => Some(error),
            None => self.work_or_create(&group).may_commit(cx, &request).err(),
        };
        if let Some(error) = refusal {
            for commit in commits {
                row(&mut response, commit.place, error);
            }
            cx.reply(to, ResponseKind::OffsetCommit(response));
            return;
        }
        let by = Committer {
            member: request.member_id,
            instance: request.group_instance_id,
            generation: request.generation_id_or_member_epoch,
        };
        self.work_or_create(&group).write_offsets(cx, Commits { to, response, commits, by });
    }

    /// Offsets are written, or are not.
    pub(super) fn offsets_written(
        &mut self,
        cx: &mut Context<'_>,
        group: &StrBytes,
        commits: Commits,
        number: u64,
        result: Result<Offset, ResponseError>,
    ) {
        let Commits { to, mut response, commits, by } = commits;
        // The partition may have moved meanwhile, or the group may be gone.
        let has_moved = !self.owned.contains(&self.partition(group));
        let (id, mut group) = (group, self.groups.get_mut(group));
        if let Ok(at) = result
            && (group.is_some() || has_moved)
        {
            facts::observe_committed(cx, id, &by, facts::offsets(&commits), at);
        }
        for Commit { place, of, value } in commits {
            if let Err(error) = result {
                row(&mut response, place, answers::commit_error(error));
            }
            let Some(group) = &mut group else { continue };
            let Some(last) = group.committing.get(&of).copied() else { continue };
            if last == number {
                group.committing.remove(&of);
            }
            if let Ok(at) = result {
                group.commit(of, Committed { at, value });
            }
        }
        if !self.config.is(Mutant::AnswerCommitsEarly) {
            cx.reply(to, ResponseKind::OffsetCommit(response));
        }
    }
}

impl Work<'_> {
    /// Whether a client may commit: without a generation when the group has no members, else as one of them.
    fn may_commit(
        &mut self,
        cx: &mut Context<'_>,
        request: &OffsetCommitRequest,
    ) -> Result<(), ResponseError> {
        let (generation, id) = (request.generation_id_or_member_epoch, &request.member_id);
        let instance = request.group_instance_id.as_ref();
        let state = self.group.state;
        if self.group.is_fenced(id, instance) {
            return Err(ResponseError::FencedInstanceId);
        }
        if generation < 0 && state == State::Empty {
            return Ok(());
        }
        let rebalances = state == State::Completing;
        if rebalances && !self.version().has(Change::CommitsCheckMemberFirst) {
            return Err(ResponseError::RebalanceInProgress);
        }
        let is_fenced = !self.config.is(Mutant::CommitUnfenced);
        if is_fenced {
            self.check_member(id, instance)?;
        }
        if is_fenced && generation != self.group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if rebalances {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.keep_alive(cx, id);
        Ok(())
    }

    fn write_offsets(&mut self, cx: &mut Context<'_>, commits: Commits) {
        let Commits { to, mut response, mut commits, by } = commits;
        let most = self.config.groups.offset_metadata_max_bytes;
        commits.retain(|commit| {
            // Kafka compares the limit with the length of a Java string.
            let fits = commit.value.metadata.encode_utf16().count() <= most;
            if !fits {
                row(&mut response, commit.place, ResponseError::OffsetMetadataTooLarge);
            }
            fits
        });
        if commits.is_empty() {
            cx.reply(to, ResponseKind::OffsetCommit(response));
            return;
        }
        self.observe_accepted(cx, &by, &commits);
        let (version, id) = (self.version(), self.group.id.clone());
        let records =
            commits.iter().map(|one| offset_record(version, &id, &one.of, &one.value)).collect();
        let places: Vec<_> = commits.iter().map(|commit| commit.of.clone()).collect();
        let early = self.config.is(Mutant::AnswerCommitsEarly).then(|| response.clone());
        let what = Written::Offsets(Commits { to, response, commits, by });
        let number = self.appends.append(cx, (self.group.partition, id), records, what);
        if let Some(response) = early {
            cx.reply(to, ResponseKind::OffsetCommit(response));
        }
        self.group.committing.extend(places.into_iter().map(|place| (place, number)));
    }
}
