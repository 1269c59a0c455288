//! TxnOffsetCommit: offsets that are written at once, and count when the transaction is committed.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, ResponseKind, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::answers;
use super::appends::{Commit, TransactionCommits, Written};
use super::commit::{Knows, expires};
use super::coordinator::{GroupCoordinator, Work};
use super::facts;
use super::state::{Committed, State, Uncommitted};
use super::stored::offset_record;
use crate::history::GroupObservation;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::Offset;
use crate::wire::group_records::OffsetValue;
use crate::wire::records::BatchBuilder;

/// The first version whose clients understand COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296).
const WITH_LOADING: i16 = 2;

fn row(response: &mut TxnOffsetCommitResponse, place: (usize, usize), error: ResponseError) {
    response.topics[place.0].partitions[place.1].error_code = error.code();
}

impl GroupCoordinator {
    /// TxnOffsetCommit; answered when the offsets are written. Partitions that there are not are refused alone.
    pub fn commit_in_transaction(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: TxnOffsetCommitRequest,
        knows: Knows<'_>,
    ) {
        let group = request.group_id.0.clone();
        let by_partition = self.config.version.has(Change::CommitsNeedPartition);
        let now_ms = cx.clock.wall_ms;
        let mut response = TxnOffsetCommitResponse::default();
        let mut commits = Vec::new();
        for (n, topic) in request.topics.iter().enumerate() {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for (m, part) in topic.partitions.iter().enumerate() {
                let index = part.partition_index;
                let mut row =
                    TxnOffsetCommitResponsePartition::default().with_partition_index(index);
                if knows(&topic.name, by_partition.then_some(index)) {
                    let value = OffsetValue {
                        offset: part.committed_offset,
                        leader_epoch: part.committed_leader_epoch,
                        metadata: part.committed_metadata.clone().unwrap_or_default(),
                        commit_ms: now_ms,
                        expire_ms: expires(&self.config, -1, now_ms, now_ms),
                    };
                    let of = (topic.name.0.clone(), index);
                    commits.push(Commit { place: (n, m), of, value });
                } else {
                    row.error_code = ResponseError::UnknownTopicOrPartition.code();
                }
                rows.push(row);
            }
            let topic = TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone());
            response.topics.push(topic.with_partitions(rows));
        }
        if commits.is_empty() {
            // The coordinator is not asked.
            return cx.reply(to, ResponseKind::TxnOffsetCommit(response));
        }
        let refusal = match self.refusal(&group, ApiKey::TxnOffsetCommit) {
            Some(ResponseError::CoordinatorLoadInProgress)
                if to.version < WITH_LOADING
                    && self.config.version.has(Change::LoadingHiddenFromOldProducers) =>
            {
                Some(ResponseError::CoordinatorNotAvailable)
            }
            Some(error) => Some(error),
            None => self.work_or_create(&group).may_commit_in_transaction(&request).err(),
        };
        if let Some(error) = refusal {
            for commit in commits {
                row(&mut response, commit.place, error);
            }
            return cx.reply(to, ResponseKind::TxnOffsetCommit(response));
        }
        let producer = (request.producer_id.0, request.producer_epoch);
        let commits = TransactionCommits { to, producer: producer.0, response, commits };
        self.work_or_create(&group).write_in_transaction(cx, producer, commits);
    }

    /// Offsets of a transaction are written, or are not.
    pub(super) fn transaction_offsets_written(
        &mut self,
        cx: &mut Context<'_>,
        group: &StrBytes,
        commits: TransactionCommits,
        number: u64,
        result: Result<Offset, ResponseError>,
    ) {
        let TransactionCommits { to, producer, mut response, commits } = commits;
        let mut group = self.groups.get_mut(group);
        for Commit { place, of, value } in commits {
            if let Err(error) = result {
                row(&mut response, place, answers::commit_error(error));
            }
            let Some(group) = &mut group else { continue };
            let Some(of_producer) = group.uncommitted.get_mut(&producer) else { continue };
            match result {
                Ok(at) => {
                    if of_producer.get(&of) == Some(&Uncommitted::Writing(number)) {
                        of_producer.insert(of, Uncommitted::Written(Committed { at, value }));
                    }
                }
                Err(_) => {
                    of_producer.remove(&of);
                    if of_producer.is_empty() {
                        group.uncommitted.remove(&producer);
                    }
                }
            }
        }
        cx.reply(to, ResponseKind::TxnOffsetCommit(response));
    }

    /// The marker of a producer's transaction is in these partitions of `__consumer_offsets`: the offsets that it
    /// committed there count, or are dropped.
    pub fn transaction_completed(
        &mut self,
        cx: &mut Context<'_>,
        producer: i64,
        partitions: &[i32],
        commit: bool,
    ) {
        for group in self.groups.values_mut() {
            if !partitions.contains(&group.partition) {
                continue;
            }
            let Some(offsets) = group.uncommitted.remove(&producer) else { continue };
            for (place, offset) in offsets {
                if commit && let Uncommitted::Written(offset) = offset {
                    facts::observe_in_transaction(cx, &group.id, &place, &offset);
                    group.commit(place, offset);
                }
            }
        }
    }
}

impl Work<'_> {
    /// Whether a producer may commit offsets of the group: since 2.5 it names its member and generation (KIP-447).
    fn may_commit_in_transaction(
        &self,
        request: &TxnOffsetCommitRequest,
    ) -> Result<(), ResponseError> {
        // Kafka writes such offsets as those of an OffsetCommit; no client sends them.
        if request.producer_id.0 < 0 {
            return Err(ResponseError::InvalidRequest);
        }
        let version = self.version();
        let (member, generation) = (&request.member_id, request.generation_id);
        let instance = request.group_instance_id.as_ref();
        if !version.has(Change::TransactionsNameMembers) {
            return Ok(());
        }
        let is_whole = version.has(Change::TransactionMembersCheckedWhole);
        if is_whole {
            let is_simple = generation < 0 && self.group.state == State::Empty;
            let names_none = generation < 0 && member.is_empty() && instance.is_none();
            if is_simple || names_none {
                return Ok(());
            }
        }
        if instance.is_some() && is_whole && self.group.static_id(instance).is_none() {
            return Err(ResponseError::UnknownMemberId);
        }
        if self.group.is_fenced(member, instance) {
            return Err(ResponseError::FencedInstanceId);
        }
        let is_named = is_whole || !member.is_empty();
        if is_named && !self.group.members.contains_key(member) {
            return Err(ResponseError::UnknownMemberId);
        }
        if (is_whole || generation >= 0) && generation != self.group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    fn write_in_transaction(
        &mut self,
        cx: &mut Context<'_>,
        (producer, epoch): (i64, i16),
        commits: TransactionCommits,
    ) {
        let TransactionCommits { to, mut response, mut commits, .. } = commits;
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
            return cx.reply(to, ResponseKind::TxnOffsetCommit(response));
        }
        let (version, id) = (self.version(), self.group.id.clone());
        let accepted = GroupObservation::CommitAcceptedInTransaction {
            group: facts::text(&id),
            producer,
            offsets: facts::offsets(&commits),
        };
        facts::observe(cx, accepted);
        let records =
            commits.iter().map(|one| offset_record(version, &id, &one.of, &one.value)).collect();
        let places: Vec<_> = commits.iter().map(|commit| commit.of.clone()).collect();
        let builder = BatchBuilder::new(cx.clock.wall_ms)
            .of_producer(producer, epoch, 0)
            .of_transaction(false);
        let what = Written::InTransaction(TransactionCommits { to, producer, response, commits });
        let group = (self.group.partition, id);
        let number = self.appends.append_as(cx, builder, group, records, what);
        let of_producer = self.group.uncommitted.entry(producer).or_default();
        of_producer.extend(places.into_iter().map(|place| (place, Uncommitted::Writing(number))));
    }
}
