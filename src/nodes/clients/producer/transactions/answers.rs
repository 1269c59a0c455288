//! What the answers of coordinators make of a producer's transactions.

use kafka_protocol::messages::{
    AddPartitionsToTxnResponse, FindCoordinatorResponse, InitProducerIdResponse, ResponseKind,
    TxnOffsetCommitResponse,
};

use super::super::idempotence::{Idempotence, Identity};
use super::manager::{Call, Coordinator, Request, State, Transactions};
use super::reactions::{
    Reaction, to_add_partition, to_commit_offsets, to_end, to_find, to_initialize,
};
use crate::history::{ClientObservation, Observation, TransactionEvent, TransactionalObservation};
use crate::nodes::Effects;
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::code;
use crate::vocab::NodeId;

impl Transactions {
    /// The request in flight was answered.
    pub fn answered(
        &mut self,
        body: &ResponseKind,
        (metadata, idempotence): (&Metadata, &mut Idempotence),
        effects: &mut Effects,
    ) {
        let Some(request) = self.in_flight.take() else { return };
        if self.state == State::FatalError {
            return;
        }
        match (&request.call, body) {
            (Call::Find(of), ResponseKind::FindCoordinator(body)) => {
                let of = *of;
                self.found(request, of, body, metadata);
            }
            (Call::Initialize { bump }, ResponseKind::InitProducerId(body)) => {
                let bump = *bump;
                self.initialized(request, bump, (body, idempotence), effects);
            }
            (Call::AddPartitions(slots), ResponseKind::AddPartitionsToTxn(body)) => {
                let slots = slots.clone();
                self.partitions_added(request, &slots, body);
            }
            (Call::AddOffsets, ResponseKind::AddOffsetsToTxn(body)) => match body.error_code {
                code::NONE => {
                    self.is_started = true;
                    self.enqueue(Call::CommitOffsets, None);
                }
                error => self.refused(request, to_end(self.release, error), error),
            },
            (Call::CommitOffsets, ResponseKind::TxnOffsetCommit(body)) => {
                self.offsets_committed(request, body);
            }
            (Call::End { commit }, ResponseKind::EndTxn(body)) => {
                let commit = *commit;
                self.ended(request, commit, body.error_code);
            }
            (call, other) => panic!("{other:?} is no answer to {call:?}"),
        }
    }

    /// A coordinator answered with an error.
    fn refused(&mut self, request: Request, reaction: Reaction, error: i16) {
        tracing::debug!(call = ?request.call, error, ?reaction, "a coordinator refuses");
        match reaction {
            Reaction::Retry => self.retry(request),
            Reaction::RetrySoon => self.retry_soon(request),
            Reaction::FindCoordinator => {
                if let Some(coordinator) = request.call.coordinator() {
                    self.look_up(coordinator, None);
                }
                self.retry(request);
            }
            other => self.react(other, error),
        }
    }

    fn found(
        &mut self,
        request: Request,
        of: Coordinator,
        body: &FindCoordinatorResponse,
        metadata: &Metadata,
    ) {
        let (error, host) = match body.coordinators.first() {
            Some(one) => (one.error_code, one.host.as_str()),
            None => (body.error_code, body.host.as_str()),
        };
        if error != code::NONE {
            return self.refused(request, to_find(self.release, error), error);
        }
        let node: Option<NodeId> = metadata.node_at(host);
        if node.is_none() {
            return self.retry(request);
        }
        match of {
            Coordinator::Transaction => self.coordinator = node,
            Coordinator::Group => self.group_coordinator = node,
        }
    }

    fn initialized(
        &mut self,
        request: Request,
        bump: bool,
        (body, idempotence): (&InitProducerIdResponse, &mut Idempotence),
        effects: &mut Effects,
    ) {
        let error = body.error_code;
        if error != code::NONE {
            return self.refused(request, to_initialize(self.release, error), error);
        }
        let identity = Identity { id: body.producer_id.0, epoch: body.producer_epoch };
        self.identity = Some(identity);
        self.state = State::Ready;
        idempotence.renew(identity, bump);
        let what = TransactionEvent::Initialized { producer: identity.id, epoch: identity.epoch };
        self.observe(effects, what);
    }

    fn partitions_added(
        &mut self,
        request: Request,
        slots: &[usize],
        body: &AddPartitionsToTxnResponse,
    ) {
        let topics = body.results_by_topic_v3_and_below.iter();
        let errors = topics
            .flat_map(|topic| topic.results_by_partition.iter())
            .map(|result| result.partition_error_code)
            .filter(|error| *error != code::NONE);
        let mut refused = None;
        for error in errors {
            let reaction = to_add_partition(self.release, error);
            if reaction != Reaction::Abort {
                return self.refused(request, reaction, error);
            }
            refused.get_or_insert(error);
        }
        self.partitions_answered(slots, refused.is_none());
        if let Some(error) = refused {
            self.refused(request, Reaction::Abort, error);
        }
    }

    fn offsets_committed(&mut self, request: Request, body: &TxnOffsetCommitResponse) {
        let Some(offsets) = &mut self.offsets else { return };
        let mut again = None;
        for topic in &body.topics {
            for result in &topic.partitions {
                let (error, index) = (result.error_code, result.partition_index);
                let same = |at: &crate::vocab::TopicPartition| {
                    at.partition == index && *at.topic == **topic.name
                };
                match error {
                    code::NONE => offsets.left.retain(|one| !same(&one.at)),
                    _ => match to_commit_offsets(self.release, error) {
                        Reaction::Retry => _ = again.get_or_insert((Reaction::Retry, error)),
                        Reaction::FindCoordinator => {
                            again = Some((Reaction::FindCoordinator, error));
                        }
                        other => return self.refused(request, other, error),
                    },
                }
            }
        }
        if let Some((reaction, error)) = again {
            self.refused(request, reaction, error);
        }
    }

    fn ended(&mut self, request: Request, commit: bool, error: i16) {
        if error == code::NONE {
            self.may_be_committed = commit;
            return self.complete();
        }
        let reaction = to_end(self.release, error);
        let is_definite = !matches!(reaction, Reaction::Retry | Reaction::FindCoordinator);
        if commit && is_definite && request.backoff.is_none() {
            // The first attempt was refused.
            self.may_be_committed = false;
        }
        self.refused(request, reaction, error);
    }

    /// Records a fact about this transactional id.
    pub(super) fn observe(&self, effects: &mut Effects, what: TransactionEvent) {
        let id = self.config.id.clone();
        let observation = ClientObservation::Transactional(TransactionalObservation { id, what });
        effects.observe(Observation::Client(observation));
    }
}
