//! In the end, everything that a leader's log holds is committed.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::model::Model;
use crate::vocab::{BrokerId, Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "high-watermark-reaches-the-end",
    statement: "when a run ends, the high watermark of every leader is at the end of its log",
    source: "Kafka documentation, 4.7 Replication: a message is committed when all in-sync \
             replicas have applied it; KIP-320's model: strong fairness of the high watermark",
    leaves_out: "partitions with fewer in-sync replicas than min.insync.replicas, which holds the \
                 high watermark back (3.7+); partitions without a leader",
    class: Class::Liveness,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct HighWatermarkReachesTheEnd;

impl Checker for HighWatermarkReachesTheEnd {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let (terms, mut cases) = (&model.terms, FirstCase::default());
        for at in model.end.read() {
            let Some((leader, replica, leading)) = model.end.leader(at) else { continue };
            let (high_watermark, log_end) = (replica.high_watermark, replica.log_end);
            if high_watermark >= log_end || leading.is_held_below_min_isr {
                continue;
            }
            let is_behind = |id: BrokerId| {
                let known = leading.followers.iter().find(|known| known.broker == id);
                let known: Option<Offset> = known.and_then(|known| known.log_end);
                id != leader && known.is_none_or(|known| known < log_end)
            };
            let behind = leading.isr.iter().copied().filter(|id| is_behind(*id));
            cases.found(|| {
                let name = terms.broker(leader);
                let what = format!(
                    "{at}, led by {name}, is committed up to {high_watermark} of {log_end} at the \
                     end"
                );
                let waits = behind.map(|id| model.progress(at, id));
                Case::new(at, end, what).from_offset(high_watermark).because(waits)
            });
        }
        PROPERTY.forbidden(Verdict::from_evidence(cases.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, leading, rejects};

    #[test]
    fn a_high_watermark_below_the_end_is_rejected_with_who_holds_it() {
        let mut story = Story::default();
        story.final_replica(1, leading(500, 500, &[1, 2]));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        let mut state = leading(500, 412, &[1, 2]);
        let known = state.leading.as_mut().expect("it leads");
        (known.followers[1].log_end, known.followers[1].fetched) = (None, None);
        story.final_replica(1, state.clone());
        let evidence = rejects(&story, &PROPERTY);
        let text = "orders-0, led by b1, is committed up to 412 of 500 at the end";
        assert_eq!(evidence.to_string(), text);
        assert_eq!(evidence.because(), ["b2 has not fetched from b1 yet, whose log is at 500"]);
        state.leading.as_mut().expect("it leads").is_held_below_min_isr = true;
        story.final_replica(1, state);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds, "since 3.7");
    }
}
