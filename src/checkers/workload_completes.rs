//! In the end, every client operation has ended.

use super::ledger::Ledger;
use super::{Books, Checker, Class, Evidence, Judged, Property, Verdict};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "workload-completes",
    statement: "when a run ends, every operation that began has ended",
    source: "Kafka's delivery.timeout.ms: an upper bound on the time to report success or failure \
             (KIP-91)",
    leaves_out: "whether operations ended well",
    class: Class::Liveness,
};

/// Judges by the books alone.
#[derive(Debug)]
pub struct WorkloadCompletes;

impl Checker for WorkloadCompletes {
    fn judge(&self, books: &Books, _: Time) -> Judged {
        PROPERTY.forbidden(judge(&books.ledger))
    }
}

/// Judges all producers; the evidence is of the first one.
fn judge(ledger: &Ledger) -> Verdict {
    let evidence = ledger.accounts().iter().find_map(|account| {
        let unended = account.unended();
        let op = unended.first()?;
        Some(Evidence::Unended { client: account.name.clone(), op, count: unended.len() })
    });
    Verdict::from_evidence(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn unknown_is_an_end_and_silence_is_none() {
        let mut story = Story::default();
        story.sent(0).unknown(0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.sent(1).sent(2);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("operations 1 and 2 have not ended");
        };
        assert_eq!(evidence.to_string(), "operation 1 of p0 was still under way at the end");
        assert_eq!(evidence.count(), 2);
    }
}
