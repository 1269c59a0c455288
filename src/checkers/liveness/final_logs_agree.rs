//! In the end, the in-sync replicas hold the same log.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property, Subject};
use crate::history::Replica;
use crate::model::{Model, Permission};
use crate::releases::Truncation;
use crate::vocab::{BrokerId, Offset, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "final-logs-agree",
    statement: "when a run ends, every in-sync replica that runs holds what its leader holds below \
                the high watermark, batch for batch",
    source: "kafka-specification: StrongIsr; TigerBeetle's VOPR: replicas are byte-identical after \
             convergence",
    leaves_out: "where acknowledged records may be lost, logs that part in an epoch in which a \
                 leader led on after it had lost records with the power, and before 2.1 (KIP-320) \
                 any, which are counted but permitted, see logs-match; what lies above the high \
                 watermark, see high-watermark-reaches-the-end; offsets below the start of either \
                 log; replicas that are not in sync",
    looks_at: Subject::Leaders,
    class: Class::Liveness,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct FinalLogsAgree;

/// What is wrong with a replica, if anything, and from which offset on.
fn wrong(
    model: &Model,
    at: &TopicPartition,
    (leader, high_watermark): (BrokerId, Offset),
    (broker, replica): (BrokerId, &Replica),
) -> Option<(Offset, String)> {
    let (name, leader) = (model.terms.broker(broker), model.terms.broker(leader));
    if let Some(offset) = replica.differs_at.filter(|offset| *offset < high_watermark) {
        let what = format!("{at}@{offset} is not the same at the end on {name} as on {leader}");
        return Some((offset, what));
    }
    let log_end = replica.log_end;
    (log_end < high_watermark).then(|| {
        let what = format!(
            "{at} ends at {log_end} on {name}, which is in sync, and is committed up to \
             {high_watermark} on {leader}"
        );
        (log_end, what)
    })
}

/// Whether the logs of two brokers may part where they do, as far as it is known where that is.
fn permission(model: &Model, at: &TopicPartition, brokers: [BrokerId; 2]) -> Permission {
    let (terms, partition) = (&model.terms, model.replicas.find(at));
    let log = |broker| {
        let log = partition?.replica(broker)?.log?;
        (!partition?.logs.is_folded(log)).then_some(log)
    };
    let by_release = terms.kafka.truncation() < Truncation::Kip320;
    match (partition, log(brokers[0]), log(brokers[1])) {
        (Some(partition), Some(one), Some(other))
            if !by_release && !partition.part_in_reused_epoch(terms.kafka, one, other) =>
        {
            Permission::Forbidden
        }
        _ => terms.acknowledged_loss,
    }
}

impl Checker for FinalLogsAgree {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let mut cases = Cases::default();
        for at in model.end.read() {
            let Some((leader, of_leader, leading)) = model.end.leader(at) else { continue };
            for &broker in leading.isr.iter().filter(|id| **id != leader) {
                let Some(replica) = model.end.replica(at, broker) else { continue };
                let led = (leader, of_leader.high_watermark);
                if let Some((offset, what)) = wrong(model, at, led, (broker, replica)) {
                    let case = || Case::new(at, end, what).from_offset(offset);
                    let permission = permission(model, at, [leader, broker]);
                    cases.found(permission, || case().after_faults(&model.faults));
                }
            }
        }
        PROPERTY.given(cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, leading, rejects, replica};
    use crate::checkers::{Status, Verdict};

    fn story(other: Replica) -> Story {
        let mut story = Story::default();
        story.final_replica(1, leading(500, 500, &[1, 2])).final_replica(2, other);
        story
    }

    #[test]
    fn a_replica_with_everything_committed_is_accepted() {
        assert_eq!(story(replica(500, 500)).judgement().verdict(&PROPERTY), &Verdict::Holds);
        let differs_at = Some(500);
        let tail = story(Replica { differs_at, ..replica(502, 480) });
        assert_eq!(tail.judgement().verdict(&PROPERTY), &Verdict::Holds, "it is to be cut off");
    }

    #[test]
    fn another_batch_or_none_below_the_high_watermark_is_rejected() {
        let differs_at = Some(17);
        let other = story(Replica { differs_at, ..replica(500, 500) });
        let text = "orders-0@17 is not the same at the end on b2 as on b1";
        assert_eq!(rejects(&other, &PROPERTY).to_string(), text);
        let short = story(replica(412, 400));
        let text = "orders-0 ends at 412 on b2, which is in sync, and is committed up to 500 on b1";
        assert_eq!(rejects(&short, &PROPERTY).to_string(), text);
        let mut outside = story(replica(412, 400));
        outside.final_replica(1, leading(500, 500, &[1, 3]));
        let mut permitted = short.clone();
        permitted.terms.acknowledged_loss = Permission::Permitted;
        assert_eq!(permitted.judgement().judged(&PROPERTY).status(), Status::Held);
        assert_eq!(outside.judgement().verdict(&PROPERTY), &Verdict::Holds, "b2 is not in sync");
    }
    #[test]
    fn where_loss_is_permitted_only_an_epoch_that_was_led_on_in_after_a_loss_explains_it() {
        for (epoch, status) in [(0, Status::Held), (1, Status::NotConverged)] {
            let mut story = Story::replicated();
            story.terms.acknowledged_loss = Permission::Permitted;
            story.appended(1, 0, 0).appended(2, 0, 0).loaded(1, 0);
            story.became_leader(1, epoch, 0).appended_other(1, 0, epoch);
            let differs_at = Some(0);
            story.final_replica(1, leading(1, 1, &[1, 2]));
            story.final_replica(2, Replica { differs_at, ..replica(1, 1) });
            assert_eq!(story.judgement().judged(&PROPERTY).status(), status);
        }
    }
}
