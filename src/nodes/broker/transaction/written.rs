//! Writing into `__transaction_state`, and what follows when it is written
//! (`TransactionStateManager.appendTransactionToLog`).

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::answers::initialized;
use super::appends::{Append, Written};
use super::coordinator::TransactionCoordinator;
use super::facts;
use super::state::Next;
use super::stored;
use crate::nodes::broker::context::{Ask, Context};
use crate::vocab::LeaderEpoch;

/// What the error of an append means to a client.
fn client_error(error: ResponseError) -> ResponseError {
    use ResponseError as E;
    match error {
        E::UnknownTopicOrPartition
        | E::NotEnoughReplicas
        | E::NotEnoughReplicasAfterAppend
        | E::RequestTimedOut => E::CoordinatorNotAvailable,
        E::NotLeaderOrFollower | E::KafkaStorageError => E::NotCoordinator,
        E::MessageTooLarge | E::RecordListTooLarge => E::UnknownServerError,
        other => other,
    }
}

impl TransactionCoordinator {
    /// Writes what a transactional id becomes; this broker coordinates it.
    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        id: &StrBytes,
        next: Next,
        written: Written,
    ) {
        let Ok((epoch, _)) = self.find(id) else { unreachable!("it coordinates the id") };
        let batch = stored::batch(id, &next, cx.clock.wall_ms);
        let timeout = Duration::from_millis(u64::try_from(next.timeout_ms).unwrap_or(0));
        let append = Append::Change { id: id.clone(), epoch, next, written };
        let number = self.appends.begin(append);
        let partition = self.partition(id);
        cx.ask(Ask::AppendTransactions { partition, batch, number, timeout });
    }

    /// What was to be written is written, or is not.
    pub fn appended(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        result: Result<(), ResponseError>,
    ) {
        match self.appends.take(number) {
            Some(Append::Change { id, epoch, next, written }) => {
                self.changed(cx, (id, epoch), next, written, result.err().map(client_error));
            }
            Some(Append::Tombstones { partition, epoch, ids }) => {
                self.forgotten(cx, (partition, epoch), &ids, result.is_ok());
            }
            None => {}
        }
    }

    fn changed(
        &mut self,
        cx: &mut Context<'_>,
        (id, epoch): (StrBytes, LeaderEpoch),
        next: Next,
        written: Written,
        mut error: Option<ResponseError>,
    ) {
        let is_retried = matches!(written, Written::Complete(_))
            && error == Some(ResponseError::CoordinatorNotAvailable);
        let producer = (next.producer_id, next.epoch);
        let is_found = self.find(&id).map(|_| ());
        let place = (self.partition(&id), epoch);
        match self.find_in(&id, epoch) {
            Some(known) if error.is_none() => {
                facts::observe_written(cx, &id, place, &next);
                known.complete(next);
            }
            Some(known) if !is_retried => known.pending = None,
            Some(_) => {}
            None if error.is_none() => {
                error = Some(is_found.err().unwrap_or(ResponseError::NotCoordinator));
            }
            None => {}
        }
        match written {
            Written::Init(to) => initialized(cx, to, error.map_or(Ok(producer), Err)),
            Written::Partitions(adding) => adding.end(cx, &mut self.batches, error),
            Written::Prepared(ending, is_fence) => match error {
                None => self.prepared(cx, epoch, ending),
                Some(error) => self.not_prepared(cx, epoch, ending, is_fence, error),
            },
            Written::Complete(pending) => match error {
                None | Some(ResponseError::NotCoordinator) => {}
                Some(ResponseError::CoordinatorLoadInProgress) => {}
                Some(_) if is_retried => self.complete_later(cx, pending),
                Some(error) => {
                    tracing::error!(%id, %error, "a transaction is not written as complete");
                }
            },
        }
    }
}
