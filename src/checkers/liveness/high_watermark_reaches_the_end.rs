//! In the end, everything that a leader's log holds is committed.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property, Subject};
use crate::model::{Lack, Missing, Model, Permission};
use crate::vocab::{BrokerId, Offset, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "high-watermark-reaches-the-end",
    statement: "when a run ends, the high watermark of every leader is at the end of its log",
    source: "Kafka documentation, 4.7 Replication: a message is committed when all in-sync \
             replicas have applied it; KIP-320's model: strong fairness of the high watermark",
    leaves_out: "partitions with fewer in-sync replicas than min.insync.replicas, which holds the \
                 high watermark back (3.7+); partitions without a leader. Permitted: a leader that \
                 does not look again after a shrink (2.7 to 3.0, KAFKA-13091)",
    looks_at: Subject::Leaders,
    class: Class::Liveness,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct HighWatermarkReachesTheEnd;

/// The in-sync replicas that the leader has not seen fetch its whole log.
fn behind(model: &Model, at: &TopicPartition, log_end: Offset) -> Vec<BrokerId> {
    let Some((leader, _, leading)) = model.end.leader(at) else { return Vec::new() };
    let has_all = |id: BrokerId| {
        let mut known = leading.followers.iter().filter(|known| known.broker == id);
        id == leader || known.any(|known| known.log_end.is_some_and(|end| end >= log_end))
    };
    leading.isr.iter().copied().filter(|id| !has_all(*id)).collect()
}

impl Checker for HighWatermarkReachesTheEnd {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let (terms, mut cases) = (&model.terms, Cases::default());
        for Lack { missing, limit } in model.lacks() {
            let Missing::Commit(at, high_watermark, log_end) = missing else { continue };
            let permission =
                if limit.is_some() { Permission::Permitted } else { Permission::Forbidden };
            cases.found(permission, || {
                let leader = model
                    .leader(&at)
                    .map_or("no broker".into(), |(leader, _)| terms.broker(leader.broker));
                let what = format!(
                    "{at}, led by {leader}, is committed up to {high_watermark} of {log_end} at \
                     the end"
                );
                let waits = behind(model, &at, log_end).into_iter();
                let waits = waits.map(|id| model.progress(&at, id)).chain(limit);
                Case::new(&at, end, what).from_offset(high_watermark).because(waits)
            });
        }
        PROPERTY.given(cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, leading, rejects};
    use crate::history::Election;

    #[test]
    fn a_high_watermark_below_the_end_is_rejected_with_who_holds_it() {
        let mut story = Story::default();
        story.created(&[1, 2]).elected(1, 0, &[1, 2], Election::New);
        story.became_leader(1, 0, 500).isr_known(1, &[1, 2], 2).high_watermark(1, 500);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        let mut state = leading(500, 412, &[1, 2]);
        let known = state.leading.as_mut().expect("it leads");
        (known.followers[1].log_end, known.followers[1].fetched) = (None, None);
        story.high_watermark(1, 412).final_replica(1, state);
        let evidence = rejects(&story, &PROPERTY);
        let text = "orders-0, led by b1, is committed up to 412 of 500 at the end";
        assert_eq!(evidence.to_string(), text);
        assert_eq!(evidence.because(), ["b2 has not fetched from b1 yet, whose log is at 500"]);
        story.isr_known(1, &[1, 2], 3);
        for (release, verdict) in [("3.6", false), ("3.7", true)] {
            story.terms.kafka = release.parse().expect("a release");
            let holds = story.judgement().verdict(&PROPERTY) == &Verdict::Holds;
            assert_eq!(holds, verdict, "{release} holds it below min.insync.replicas");
        }
    }
}
