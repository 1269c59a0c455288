//! The end of a transaction: EndTxn, a producer that comes again, a timeout.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::EndTxnRequest;
use kafka_protocol::protocol::StrBytes;

use super::appends::Written;
use super::coordinator::TransactionCoordinator;
use super::ending::{Ended, Ending};
use super::state::{NO_EPOCH, State, Transaction, fenced};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::LeaderEpoch;

/// What is to be done for the end of a transaction.
enum End {
    /// It has ended so already.
    Done,
    /// It is prepared.
    Prepare,
    /// It is aborted, and its producer is fenced.
    Fence,
}

/// What is to be done with a transactional id (`endTransaction`).
fn end(known: &Transaction, ending: &Ending, version: KafkaVersion) -> Result<End, ResponseError> {
    if known.producer_id != ending.producer_id {
        return Err(ResponseError::InvalidProducerIdMapping);
    }
    let is_strict = matches!(ending.by, Ended::Client(_)) && version.has(Change::EndsNeedTheEpoch);
    if ending.epoch < known.epoch || (is_strict && ending.epoch != known.epoch) {
        return Err(fenced(version));
    }
    let is_fence = known.pending == Some(State::PrepareEpochFence);
    if known.pending.is_some() && !is_fence {
        return Err(ResponseError::ConcurrentTransactions);
    }
    match (known.state, ending.commit) {
        (State::Ongoing, false) if is_fence => Ok(End::Fence),
        (State::Ongoing, _) => Ok(End::Prepare),
        (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(End::Done),
        (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
            Err(ResponseError::ConcurrentTransactions)
        }
        _ => Err(ResponseError::InvalidTxnState),
    }
}

impl TransactionCoordinator {
    /// EndTxn; answered when it is written how the transaction ends.
    pub fn end_transaction(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: EndTxnRequest) {
        let ending = Ending {
            id: request.transactional_id.0,
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
            commit: request.committed,
            by: Ended::Client(to),
        };
        if ending.id.is_empty() {
            return ending.by.answer(cx, &ending.id, Some(ResponseError::InvalidRequest));
        }
        self.end(cx, ending);
    }

    fn end(&mut self, cx: &mut Context<'_>, ending: Ending) {
        let version = self.config.version;
        let found = self.find(&ending.id).and_then(|(_, known)| {
            end(known.ok_or(ResponseError::InvalidProducerIdMapping)?, &ending, version)
        });
        let end = match found {
            Ok(End::Done) => return ending.by.answer(cx, &ending.id, None),
            Err(error) => return ending.by.answer(cx, &ending.id, Some(error)),
            Ok(end) => end,
        };
        let known = self.find_mut(&ending.id).expect("it was just found");
        let is_fence = matches!(end, End::Fence);
        if is_fence {
            known.pending = None;
            known.epoch = ending.epoch;
            known.last_epoch = NO_EPOCH;
        }
        let next = known.prepare_end(ending.commit, cx.clock.wall_ms);
        let id = ending.id.clone();
        self.write(cx, &id, next, Written::Prepared(ending, is_fence));
    }

    /// Fences the producer of an ongoing transaction, and aborts it.
    pub(super) fn fence(&mut self, cx: &mut Context<'_>, id: &StrBytes, by: Ended) {
        let Some(known) = self.find_mut(id) else { return };
        let Some(epoch) = known.prepare_fence() else {
            tracing::error!(%id, "no epoch is left to fence a producer with");
            return by.answer(cx, id, Some(ResponseError::UnknownServerError));
        };
        let producer_id = known.producer_id;
        self.end(cx, Ending { id: id.clone(), producer_id, epoch, commit: false, by });
    }

    /// It is written how a transaction ends: the client is answered, and markers go out.
    pub(super) fn prepared(&mut self, cx: &mut Context<'_>, epoch: LeaderEpoch, ending: Ending) {
        let version = self.config.version;
        let known = self.find_mut(&ending.id).expect("it was just written");
        // A client of a higher epoch got here before 2.6: its transaction never gets markers.
        if known.epoch != ending.epoch {
            return ending.by.answer(cx, &ending.id, Some(fenced(version)));
        }
        let next = known.prepare_complete(cx.clock.wall_ms);
        ending.by.answer(cx, &ending.id, None);
        self.send_markers(cx, &ending.id, epoch, next);
    }

    /// It could not be written how a transaction ends.
    pub(super) fn not_prepared(
        &mut self,
        cx: &mut Context<'_>,
        epoch: LeaderEpoch,
        ending: Ending,
        is_fence: bool,
        error: ResponseError,
    ) {
        let keeps_epoch = self.config.version.has(Change::FailedFencesKeepEpoch);
        if is_fence
            && keeps_epoch
            && let Some(known) = self.find_in(&ending.id, epoch)
        {
            known.has_failed_fence = true;
        }
        ending.by.answer(cx, &ending.id, Some(error));
    }

    /// Aborts the transactions that are over their timeout.
    pub(super) fn abort_timed_out(&mut self, cx: &mut Context<'_>) {
        let wall_ms = cx.clock.wall_ms;
        let is_over = |known: &&Transaction| {
            known.pending.is_none()
                && known.state == State::Ongoing
                && known.start_ms.saturating_add(i64::from(known.timeout_ms)) < wall_ms
        };
        let all = self.owned.values().flat_map(|owned| owned.transactions.values());
        let ids: Vec<StrBytes> = all.filter(is_over).map(|known| known.id.clone()).collect();
        for id in ids {
            self.fence(cx, &id, Ended::Timeout);
        }
    }
}
