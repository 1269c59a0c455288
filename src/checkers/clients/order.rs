//! The final logs hold a producer's records in the order in which they were sent.

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::{Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "order",
    statement: "within a partition, the first copies of a producer's records are in the order of \
                their numbers",
    source: "Kafka documentation, 4.6: messages sent by a producer to a particular topic \
             partition will be appended in the order they are sent; \
             max.in.flight.requests.per.connection",
    leaves_out: "copies after the first; the order between partitions, which Kafka does not \
                 promise; without idempotence, records that were not acknowledged: a request that \
                 timed out at the producer may still arrive; where acknowledged records may be \
                 lost, partitions whose leader lost records in a power loss and continued to lead \
                 its epoch, which are counted but permitted, see logs-match",
    looks_at: Subject::FinalRecords,
    class: Class::Safety,
};

/// Looks at the order in the final logs.
#[derive(Debug)]
pub struct OrderIsKept;

impl Rule for OrderIsKept {
    const PROPERTY: &'static Property = &PROPERTY;

    /// Another order is forbidden where it was promised, except in partitions whose log may have diverged.
    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let may_lose = model.terms.acknowledged_loss == Permission::Permitted;
        let may_diverge = |at: &TopicPartition| {
            let partition = model.replicas.find(at);
            may_lose && partition.is_some_and(|partition| !partition.reused_epochs.is_empty())
        };
        let (permitted, forbidden): (Vec<_>, Vec<_>) =
            model.order.promised.iter().partition(|(at, _)| may_diverge(at));
        let (permission, first) = match (forbidden.first(), permitted.first()) {
            (Some((_, first)), _) => (Permission::Forbidden, Some(*first)),
            (None, Some((_, first))) => (Permission::Permitted, Some(*first)),
            (None, None) => (Permission::Permitted, model.order.unpromised.as_ref()),
        };
        let evidence = first.map(|(case, count)| Evidence::Reordered {
            producer: model.ledger.accounts()[case.producer].name.clone(),
            record: case.record,
            after: case.after,
            at: case.at.clone(),
            offset: case.offset,
            count: *count,
        });
        let permission = if evidence.is_some() { permission } else { Permission::Forbidden };
        (permission, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    fn with_log(records: &[u64]) -> Story {
        let mut story = Story::default();
        story.final_log(0..0);
        for (offset, &record) in records.iter().enumerate() {
            story.final_record(offset as i64, record);
        }
        story
    }

    #[test]
    fn ascending_records_with_gaps_and_copies_are_accepted() {
        let judgement = with_log(&[0, 1, 4, 0, 1, 4, 5]).judgement();
        assert_eq!(judgement.verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_record_behind_a_later_one_is_rejected() {
        let judgement = with_log(&[0, 2, 1, 3]).judgement();
        let judged = judgement.judged(&PROPERTY);
        let Verdict::Violated(evidence) = &judged.verdict else { panic!("1 is behind 2") };
        assert_eq!(evidence.to_string(), "orders-0@2 holds record 1 of p0 after record 2");
        assert_eq!(evidence.count(), 1);
        assert_eq!(judged.permission, Permission::Permitted);
    }

    #[test]
    fn an_ordered_producer_is_held_to_what_was_acknowledged() {
        // Soup 1.1, seed 5: a request given up after its timeout reached the leader when the network healed,
        // 3,000 records later, on a connection that the producer had long closed.
        let judged = |idempotent: bool, acknowledged: bool| {
            let mut story = with_log(&[2, 1]);
            story.terms.producers[0].ordered = true;
            story.terms.producers[0].idempotent = idempotent;
            story.acknowledged(2, 0).sent(1);
            if acknowledged {
                story.acknowledged(1, 1);
            } else {
                story.unknown(1);
            }
            let judgement = story.judgement();
            let judged = judgement.judged(&PROPERTY);
            assert!(matches!(judged.verdict, Verdict::Violated(_)), "it is shown either way");
            judged.permission
        };
        assert_eq!(judged(false, false), Permission::Permitted);
        assert_eq!(judged(false, true), Permission::Forbidden);
        assert_eq!(judged(true, false), Permission::Forbidden, "sequence numbers keep it out");
    }
    #[test]
    fn a_log_may_be_spliced_where_a_leader_led_on_after_a_loss_and_loss_is_permitted() {
        // Kafka 2.0, seed 53 of leader_back_in_its_epoch.
        for (epoch, permission) in [(0, Permission::Permitted), (1, Permission::Forbidden)] {
            let mut story = Story::replicated();
            story.terms.acknowledged_loss = Permission::Permitted;
            story.terms.producers[0].ordered = true;
            story.appended(1, 0, 0).loaded(1, 0).became_leader(1, epoch, 0);
            story.final_log(0..0).final_record(0, 2).final_record(1, 1);
            story.acknowledged(2, 0).acknowledged(1, 1);
            assert_eq!(story.judgement().judged(&PROPERTY).permission, permission);
        }
    }
}
