//! Transactional ids that are forgotten (`transactional.id.expiration.ms`).

use kafka_protocol::protocol::StrBytes;

use super::appends::Append;
use super::coordinator::TransactionCoordinator;
use super::facts;
use super::state::{State, Transaction};
use super::stored::tombstones;
use crate::nodes::broker::context::{Ask, Context};
use crate::vocab::LeaderEpoch;

impl TransactionCoordinator {
    /// Begins to forget the transactional ids that were silent for long and have no open transaction.
    pub(super) fn expire(&mut self, cx: &mut Context<'_>) {
        let expiration = self.config.transactions.id_expiration.as_millis();
        let expiration = i64::try_from(expiration).unwrap_or(i64::MAX);
        let wall_ms = cx.clock.wall_ms;
        let is_over = |known: &&mut Transaction| {
            known.pending.is_none()
                && known.state.may_expire()
                && known.updated_ms <= wall_ms.saturating_sub(expiration)
        };
        for (partition, owned) in &mut self.owned {
            let mut ids = Vec::new();
            for known in owned.transactions.values_mut().filter(is_over) {
                known.pending = Some(State::Dead);
                ids.push((known.id.clone(), known.epoch));
            }
            if ids.is_empty() {
                continue;
            }
            let names: Vec<StrBytes> = ids.iter().map(|(id, _)| id.clone()).collect();
            let batch = tombstones(&names, wall_ms);
            let (partition, epoch) = (*partition, owned.epoch);
            let number = self.appends.begin(Append::Tombstones { partition, epoch, ids });
            let timeout = self.config.request_timeout;
            cx.ask(Ask::AppendTransactions { partition, batch, number, timeout });
        }
    }

    /// Tombstones are written, or are not.
    pub(super) fn forgotten(
        &mut self,
        cx: &mut Context<'_>,
        (partition, epoch): (i32, LeaderEpoch),
        ids: &[(StrBytes, i16)],
        is_written: bool,
    ) {
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        let is_current = owned.epoch == epoch;
        let mut forgotten = Vec::new();
        for (id, producer_epoch) in ids {
            let Some(known) = owned.transactions.get_mut(id) else { continue };
            let is_same = known.pending == Some(State::Dead) && known.epoch == *producer_epoch;
            if is_current && is_same && is_written {
                owned.transactions.remove(id);
                forgotten.push(id.clone());
            } else {
                known.pending = None;
            }
        }
        facts::observe_forgotten(cx, &forgotten);
    }
}
