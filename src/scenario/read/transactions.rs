//! The transactions of a `[[producer]]`, and what only a producer that has them may set.

use std::time::Duration;

use super::super::plan::{CommitEvery, ProducerPlan, TransactionPlan};
use super::super::properties::{Properties, TRANSACTIONAL};
use super::super::quantity;
use super::super::walk::{Item, Section};
use crate::releases::KafkaVersion;
use crate::vocab::Ratio;

/// Kafka's name of what makes a producer transactional.
pub(super) const TRANSACTIONAL_ID: &str = "transactional.id";
/// What only a producer with a transactional id has, besides properties.
const OWN: &[&str] = &["commit-every", "abort-rate", "restart-when-fenced"];
/// How long a transaction takes when the scenario does not say it: `commit.interval.ms` of Kafka Streams.
const COMMIT_EVERY: Duration = Duration::from_millis(100);

/// The transactions of a producer, if it has any.
pub(super) fn read(version: KafkaVersion, section: &Section<'_, '_>) -> Option<TransactionPlan> {
    let id = section.take(TRANSACTIONAL_ID);
    let set = section.properties(TRANSACTIONAL, version);
    let Some(id) = id else {
        let properties = TRANSACTIONAL.iter().map(|property| property.name);
        for item in properties.chain(OWN.iter().copied()).filter_map(|name| section.take(name)) {
            let message = format!("`{}` needs a `{TRANSACTIONAL_ID}`", item.key);
            let hint = "it is of transactions: write \"transactional.id\" = \"billing\", too";
            let _: Option<()> = item.error(message, hint);
        }
        return None;
    };
    let name = id.text().unwrap_or_default().to_owned();
    if name.is_empty() {
        let hint = "leave it out for a producer without transactions";
        let _: Option<()> = id.error(format!("`{TRANSACTIONAL_ID}` is empty"), hint);
    }
    let commit_every = section.take("commit-every").and_then(|item| commit_every(&item));
    let abort_rate = section.take("abort-rate").and_then(|item| item.quantity(quantity::ratio));
    let restarts = section.take("restart-when-fenced").and_then(|item| item.flag());
    Some(TransactionPlan {
        id: name,
        commit_every: commit_every.unwrap_or(CommitEvery::Span(COMMIT_EVERY)),
        abort_rate: abort_rate.unwrap_or(Ratio::ZERO),
        restart_when_fenced: restarts.unwrap_or(false),
        properties: Properties::resolve(TRANSACTIONAL, version, &set),
    })
}

/// How long a transaction of a producer may stay open when that is gone: until its timeout is over, and the coordinator
/// has looked.
pub(super) fn open_for(plan: &ProducerPlan, broker: &Properties) -> Duration {
    let Some(plan) = &plan.transactions else { return Duration::ZERO };
    let interval =
        broker.optional_ms("transaction.abort.timed.out.transaction.cleanup.interval.ms");
    plan.properties.ms("transaction.timeout.ms").saturating_add(interval.unwrap_or_default())
}

/// A number of records, or a duration.
fn commit_every(item: &Item<'_, '_>) -> Option<CommitEvery> {
    if item.number_text().is_some() {
        let count = item.integer(1..=i64::from(u32::MAX))?;
        return Some(CommitEvery::Records(u64::try_from(count).unwrap_or(1)));
    }
    let hint = "a number of records, or a duration such as \"100ms\"";
    item.positive_duration(hint).map(CommitEvery::Span)
}
