//! What a member makes of the coordinator's answers.

use kafka_protocol::messages::{
    JoinGroupResponse, OffsetCommitResponse, OffsetFetchResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;
use tracing::debug;

use super::super::assignment::Assignment;
use super::link::{Asked, CommitCall, Ended, Sent};
use super::member::{Client, Member};
use super::reactions::{Reaction, to_heartbeat, to_join, to_offset_fetch, to_sync};
use super::standing::{Identity, Stage};
use crate::history::MemberEvent;
use crate::nodes::Effects;
use crate::nodes::clients::protocol::{code, error_name};
use crate::releases::Change;
use crate::vocab::{LeaderEpoch, Offset, Time, TopicPartition};

/// A committed offset of an answer: its partition, the offset (−1: none), the leader epoch, an error.
type Committed = (TopicPartition, Offset, LeaderEpoch, i16);

impl Member {
    /// Takes the answers that have come, and the requests that were lost. Returns when others are.
    pub fn digest(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        self.link.expire(now, effects);
        while let Some(ended) = self.link.next_ended(now) {
            self.ended(now, ended, client, effects);
        }
        self.assign(now, client, effects);
        self.link.deadline()
    }

    fn ended(
        &mut self,
        now: Time,
        (sent, body): Ended,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) {
        let is_same = sent.identity == self.identity;
        match (&sent.asked, body) {
            (Asked::Join, Some(ResponseKind::JoinGroup(body))) => {
                self.join_answered(now, is_same, body, client, effects);
            }
            (Asked::Sync, Some(ResponseKind::SyncGroup(body))) => {
                if body.error_code != code::NONE {
                    let reaction = to_sync(self.release, body.error_code);
                    self.rebalance_failed(now, reaction, is_same, effects);
                    self.fail_if_fatal(reaction, body.error_code);
                } else if is_same && self.stage == Stage::Syncing {
                    self.stage = Stage::Stable;
                    self.needs_join = false;
                    if !self.release.has(Change::HeartbeatsWhileSyncing) {
                        self.beats.restart(now, &self.config);
                    }
                    self.received = Some(body.assignment);
                }
            }
            (Asked::Join | Asked::Sync, _) => self.join_from = now + self.retry_backoff,
            (Asked::Heartbeat, Some(ResponseKind::Heartbeat(body))) => {
                self.heartbeat_answered(now, &sent, body.error_code, effects);
            }
            (Asked::Heartbeat, _) => self.beats.failed(now, self.retry_backoff),
            (Asked::Commit(call), Some(ResponseKind::OffsetCommit(body))) => {
                self.commit_answered(now, (call, &sent.identity), &body, effects);
            }
            (Asked::Commit(call), _) => {
                self.observe_commit(call, &sent.identity, Vec::new(), effects);
                self.commit_ended(now, (call, is_same), None, effects);
            }
            (Asked::Offsets, Some(ResponseKind::OffsetFetch(body))) => {
                self.offsets_answered(now, &sent, &body, client, effects);
            }
            (Asked::Offsets, _) => self.fetch_from = now + self.retry_backoff,
            (Asked::Leave, _) => {}
        }
    }

    fn join_answered(
        &mut self,
        now: Time,
        is_same: bool,
        body: JoinGroupResponse,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) {
        let error = body.error_code;
        if error == code::MEMBER_ID_REQUIRED {
            self.identity = Identity { member: body.member_id, ..Identity::none() };
            return;
        }
        if error != code::NONE {
            self.rebalance_failed(now, to_join(error), is_same, effects);
            return self.fail_if_fatal(to_join(error), error);
        }
        if self.stage != Stage::Joining {
            // It left while it waited.
            return;
        }
        let protocol = body.protocol_name.clone().unwrap_or_default();
        self.identity = Identity {
            generation: body.generation_id,
            member: body.member_id.clone(),
            protocol: Some(protocol.clone()),
        };
        self.stage = Stage::Syncing;
        if self.release.has(Change::HeartbeatsWhileSyncing) {
            self.beats.restart(now, &self.config);
        }
        let leads = body.leader == body.member_id;
        let joined = MemberEvent::Joined { protocol: protocol.as_str().into(), leads };
        self.observe(effects, joined);
        if leads && !body.skip_assignment {
            self.lead(body.members, client.metadata);
        } else {
            self.sync(now, Vec::<(StrBytes, _)>::new(), effects);
        }
    }

    /// JoinGroup or SyncGroup was answered with an error: it joins again.
    fn rebalance_failed(
        &mut self,
        now: Time,
        reaction: Reaction,
        is_same: bool,
        effects: &mut Effects,
    ) {
        debug!(?reaction, "a rebalance failed");
        self.needs_join = true;
        match reaction {
            Reaction::BackOff => self.join_from = now + self.retry_backoff,
            Reaction::FindCoordinator => {
                self.join_from = now + self.retry_backoff;
                self.link.forget(now, effects);
            }
            Reaction::Reset if is_same => self.reset(),
            Reaction::ForgetGeneration if is_same => self.forget_generation(),
            _ => {}
        }
    }

    fn fail_if_fatal(&mut self, reaction: Reaction, error: i16) {
        if reaction == Reaction::Fatal {
            self.fail(error);
        }
    }

    fn heartbeat_answered(&mut self, now: Time, sent: &Sent, error: i16, effects: &mut Effects) {
        let is_same = sent.identity == self.identity;
        let name = (error != code::NONE).then(|| error_name(self.release, error).into());
        let who = (sent.identity.member.as_str(), sent.identity.generation);
        self.observe_as(effects, who, MemberEvent::Heartbeat { sent: sent.at, error: name });
        if error == code::NONE {
            return self.beats.heard(now, &self.config);
        }
        match to_heartbeat(self.release, error) {
            Reaction::Rejoin => {
                if self.stage == Stage::Stable {
                    self.needs_join = true;
                }
                self.beats.heard(now, &self.config);
            }
            Reaction::Reset if is_same => self.reset(),
            Reaction::ForgetGeneration if is_same => self.forget_generation(),
            Reaction::Fatal if is_same => self.fail(error),
            Reaction::FindCoordinator => {
                self.link.forget(now, effects);
                self.beats.failed(now, self.retry_backoff);
            }
            Reaction::BackOff => self.beats.failed(now, self.retry_backoff),
            // It has joined again since, and knows better.
            _ => self.beats.heard(now, &self.config),
        }
    }

    fn commit_answered(
        &mut self,
        now: Time,
        (call, identity): (&CommitCall, &Identity),
        body: &OffsetCommitResponse,
        effects: &mut Effects,
    ) {
        let mut errors = Vec::new();
        let mut results = Vec::new();
        for topic in &body.topics {
            for partition in &topic.partitions {
                let error = partition.error_code;
                let name = (error != code::NONE).then(|| error_name(self.release, error).into());
                let at = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                errors.push(error);
                results.push((at, name));
            }
        }
        self.observe_commit(call, identity, results, effects);
        let is_same = *identity == self.identity;
        self.commit_ended(now, (call, is_same), Some(&errors), effects);
    }

    fn observe_commit(
        &self,
        call: &CommitCall,
        identity: &Identity,
        results: Vec<(TopicPartition, Option<std::sync::Arc<str>>)>,
        effects: &mut Effects,
    ) {
        let who = (identity.member.as_str(), identity.generation);
        self.observe_as(effects, who, MemberEvent::CommitAnswered { number: call.number, results });
    }

    fn offsets_answered(
        &mut self,
        now: Time,
        sent: &Sent,
        body: &OffsetFetchResponse,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) {
        let (error, committed) = committed(body);
        let first = committed.iter().map(|one| one.3).find(|error| *error != code::NONE);
        let error = if error == code::NONE { first.unwrap_or(error) } else { error };
        let found = committed.iter().filter(|one| one.3 == code::NONE);
        let offset = |one: &Committed| (one.0.clone(), (one.1 >= 0).then_some(one.1));
        let offsets = found.map(offset).collect();
        let what = MemberEvent::CommittedFetched { sent: sent.at, offsets };
        let who = (sent.identity.member.as_str(), sent.identity.generation);
        self.observe_as(effects, who, what);
        if error != code::NONE {
            self.fetch_from = now + self.retry_backoff;
            match to_offset_fetch(error) {
                Reaction::FindCoordinator => self.link.forget(now, effects),
                Reaction::Fatal => self.fail(error),
                _ => {}
            }
            return;
        }
        if sent.identity != self.identity {
            // Another member may have committed since.
            return;
        }
        let policy = client.config.auto_offset_reset;
        for (at, offset, epoch, _) in committed {
            if client.assignment.begin_at(&at, (offset, epoch), policy, effects) {
                self.observe(
                    effects,
                    MemberEvent::PositionBegun { at, offset, is_committed: true },
                );
            }
        }
    }

    /// Positions that the reset policy found for new partitions are reported.
    pub fn report_begun(&self, assignment: &mut Assignment, effects: &mut Effects) {
        for (at, offset) in assignment.begun() {
            self.observe(effects, MemberEvent::PositionBegun { at, offset, is_committed: false });
        }
    }
}

/// The error of the whole answer, and the partitions.
fn committed(body: &OffsetFetchResponse) -> (i16, Vec<Committed>) {
    let of = |topic: &str, partition: i32| TopicPartition::new(topic, partition);
    let Some(group) = body.groups.first() else {
        let partitions = body.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |one| {
                let at = of(topic.name.as_str(), one.partition_index);
                (at, one.committed_offset, one.committed_leader_epoch, one.error_code)
            })
        });
        return (body.error_code, partitions.collect());
    };
    let partitions = group.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |one| {
            let at = of(topic.name.as_str(), one.partition_index);
            (at, one.committed_offset, one.committed_leader_epoch, one.error_code)
        })
    });
    (group.error_code, partitions.collect())
}
