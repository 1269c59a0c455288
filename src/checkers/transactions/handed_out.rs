//! What both rules about reads of transactions look at: records that readers of committed transactions are handed.

use crate::checkers::{Cases, Event};
use crate::history::ClientObservation;
use crate::model::transactional::clients::Fate;

/// A case where a consumer with `isolation.level=read_committed` is handed a record of a transaction with this fate,
/// which `is` says in a word.
pub(super) fn with_fate(
    event: &Event<'_>,
    did: &ClientObservation,
    (fate, is): (Fate, &str),
    found: &mut Cases,
) {
    let ClientObservation::Consumed { at, offset, producer, record, .. } = did else { return };
    let model = event.model;
    if !model.transactional.clients.has_any() || !model.reads_committed(event.node) {
        return;
    }
    let Some(writer) = model.ledger.named(producer) else { return };
    let writer = model.ledger.accounts()[writer].terms.node;
    let transaction = model.transactional.clients.of_record(writer, *record);
    let Some(transaction) = transaction.filter(|one| one.fate == fate) else { return };
    found.forbidden(|| {
        let (name, number, id) = (event.name(), transaction.number, &transaction.id);
        let what = format!(
            "{name} was handed record {record} of {producer} at {at}@{offset} at {:.3}; \
             transaction {number} of {id} is {is}",
            event.time
        );
        event.case_about([event.node, writer], what).in_partition(at).from_offset(*offset)
    });
}
