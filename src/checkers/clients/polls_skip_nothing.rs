//! A consumer does not skip an offset at which another client sees a record.

use crate::checkers::{Case, Cases, Class, Property, Rule, Subject, Verdict};
use crate::model::offset_map::Value;
use crate::model::poll_gaps::PollGap;
use crate::model::{Model, Permission};
use crate::vocab::{Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "polls-skip-nothing",
    statement: "no client ever saw a record at an offset between two consecutive polls of a \
                consumer, as long as its position was not set in between",
    source: "Jepsen's Kafka checker: poll-skip, int-poll-skip",
    leaves_out: "offsets at which no client saw a record, such as transaction markers; records of \
                 transactions that are not committed, when the consumer reads committed ones \
                 alone; compacted topics; offsets before the last 65,536 runs of record numbers of \
                 a partition",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Judges at the end: a skipped record may be seen later.
#[derive(Debug)]
pub struct PollsSkipNothing;

/// The first record in a gap that the consumer is to see.
fn skipped(model: &Model, gap: &PollGap) -> Option<(Offset, Value)> {
    let mut from = gap.after.saturating_add(1);
    loop {
        let found = model.client_observations.first_from(gap.place, from);
        let (offset, value) = found.filter(|(offset, _)| *offset < gap.to)?;
        if !model.is_hidden_from(gap.consumer, value) {
            return Some((offset, value));
        }
        from = offset.saturating_add(1);
    }
}

impl Rule for PollsSkipNothing {
    const PROPERTY: &'static Property = &PROPERTY;

    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let (seen, mut found) = (&model.client_observations, Cases::default());
        for gap in model.poll_gaps.all() {
            let Some((offset, value)) = skipped(model, gap) else { continue };
            found.forbidden(|| {
                let (at, record) = (seen.at(gap.place), model.record(value));
                let what = format!(
                    "{} polled {at}@{} after offset {} at {:.3} and skipped {record} at offset \
                     {offset}",
                    model.terms.name(gap.consumer),
                    gap.to,
                    gap.after,
                    gap.time
                );
                let case = Case::new(at, gap.time, what).from_offset(offset);
                case.about(&model.terms, [gap.consumer]).after_faults(&model.faults)
            });
        }
        found.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};

    #[test]
    fn a_gap_in_which_no_client_saw_a_record_is_accepted_and_so_is_a_set_position() {
        let mut story = Story::default();
        story.consumed(0, 0).consumed(2, 1).acknowledged(2, 5).position_reset(6).consumed(6, 3);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_skipped_record_is_rejected_however_late_it_is_seen() {
        let mut story = Story::default();
        story.consumed(0, 0).at(2_500).consumed(3, 3).at(4_000).acknowledged(2, 2);
        let evidence = rejects(&story, &PROPERTY);
        let text = "c0 polled orders-0@3 after offset 0 at 2.500s and skipped record 2 of p0 at \
                    offset 2";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 1));
    }
}
