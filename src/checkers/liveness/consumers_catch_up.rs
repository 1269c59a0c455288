//! In the end, readers have reached every acknowledged record, and the high watermark.

use crate::checkers::{Case, Cases, Checker, Class, Evidence, Judged, Property, Subject, Verdict};
use crate::model::{Lack, Missing, Model, Permission};
use crate::vocab::{Offset, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "consumers-catch-up",
    statement: "when a run ends, every reader has come to every acknowledged record of the final \
                log, and every consumer that runs is at the high watermark",
    source: "Jepsen's Kafka checker: final polls; TigerBeetle's VOPR: heal, then converge",
    leaves_out: "how long it took; records before where a consumer began, if that was not the \
                 beginning; partitions without a leader; a consumer whose known brokers were all \
                 stopped for good (KIP-899), and from 2.3 to 2.6.0 a static member that a new \
                 coordinator fenced (KAFKA-10284), are counted but permitted",
    looks_at: Subject::Reads,
    class: Class::Liveness,
};

/// Judges by the model alone.
#[derive(Debug)]
pub struct ConsumersCatchUp;

impl Checker for ConsumersCatchUp {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let (permission, evidence) = behind(model, end);
        let verdict = match (evidence, model.ledger.without_final_log()) {
            (None, Some(why)) => Verdict::Inconclusive(why),
            (evidence, _) => Verdict::from_evidence(evidence),
        };
        PROPERTY.given((permission, verdict))
    }
}

/// Where a consumer waits below the high watermark, and the limit of the release that keeps it there.
struct Waiting {
    at: TopicPartition,
    position: Offset,
    what: String,
    limit: Option<String>,
}

impl Waiting {
    /// All of them.
    fn all(model: &Model) -> Vec<Self> {
        let waiting = model.lacks().filter_map(|Lack { missing, limit }| {
            let Missing::Reads(consumer, at, position, high_watermark) = missing else {
                return None;
            };
            let (leader, _) = model.leader(&at)?;
            let (name, leader) = (model.terms.name(consumer), model.terms.broker(leader.broker));
            let what = match position {
                Some(position) => format!("{name} waits for {at}@{position}"),
                None => format!("{name} waits for a position in {at}"),
            };
            let what = format!("{what}, high watermark {high_watermark} of {leader}");
            Some(Self { at, position: position.unwrap_or(0), what, limit })
        });
        waiting.collect()
    }
}

fn permission(limit: Option<&String>) -> Permission {
    limit.map_or(Permission::Forbidden, |_| Permission::Permitted)
}

/// The first reader that is behind, and whether that is permitted.
fn behind(model: &Model, end: Time) -> (Permission, Option<Evidence>) {
    let (mut cases, mut count) = (Cases::default(), 0);
    let waiting = Waiting::all(model);
    for reader in model.reading.readers() {
        let Some((at, offset, producer, record)) = &reader.behind.first else { continue };
        let limit = model.reads_no_more(&reader.name);
        count += reader.behind.count();
        cases.found(permission(limit.as_ref()), || {
            let (name, producer) = (&reader.name, &model.ledger.accounts()[*producer].name);
            let what =
                format!("{name} has not come to record {record} of {producer} at {at}@{offset}");
            let because = waiting.iter().map(|waiting| waiting.what.clone());
            Case::new(at, end, what).from_offset(*offset).because(because).because(limit)
        });
    }
    if let (permission, Verdict::Violated(Evidence::Case(case))) = cases.verdict() {
        return (permission, Some(Evidence::Case(Case { count, ..case })));
    }
    let mut cases = Cases::default();
    for Waiting { at, position, what, limit } in waiting {
        cases.found(permission(limit.as_ref()), || {
            Case::new(&at, end, what).from_offset(position).because(limit)
        });
    }
    match cases.verdict() {
        (permission, Verdict::Violated(evidence)) => (permission, Some(evidence)),
        (permission, _) => (permission, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::Election;

    #[test]
    fn a_reader_at_the_end_is_accepted_and_one_before_it_is_rejected() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).consumed(0, 0).final_log(0..2);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("record 1 was not read");
        };
        assert_eq!(evidence.to_string(), "c0 has not come to record 1 of p0 at orders-0@1");
        assert_eq!(evidence.count(), 1);
        story.consumed(1, 1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_consumer_below_the_high_watermark_is_rejected_whatever_lies_there() {
        let mut story = Story::default();
        story.created(&[1]).elected(1, 0, &[1], Election::New).became_leader(1, 0, 100);
        story.isr_known(1, &[1], 1).high_watermark(1, 100).final_log(0..0);
        let mut reached = story.clone();
        story.position_reset(77);
        let text = "c0 waits for orders-0@77, high watermark 100 of b1";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
        story.acknowledged(0, 80).final_record(80, 0);
        let evidence = rejects(&story, &PROPERTY);
        let sentence = "c0 has not come to record 0 of p0 at orders-0@80";
        assert_eq!(
            (evidence.to_string().as_str(), &evidence.because()[..]),
            (sentence, &[text.into()][..])
        );
        reached.position_reset(100);
        assert_eq!(reached.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn what_was_not_acknowledged_need_not_be_read() {
        let mut story = Story::default();
        story.sent(0).final_log(0..1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
