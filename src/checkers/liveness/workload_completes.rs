//! In the end, every client operation has ended.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "workload-completes",
    statement: "when a run ends, every operation that began has ended",
    source: "Kafka's delivery.timeout.ms: an upper bound on the time to report success or failure \
             (KIP-91)",
    leaves_out: "whether operations ended well; before 2.1, where nothing bounds retries, what \
                 waits for brokers that were stopped for good is counted but permitted",
    class: Class::Liveness,
};

/// Judges by the model alone.
#[derive(Debug)]
pub struct WorkloadCompletes;

impl Checker for WorkloadCompletes {
    fn judge(&self, model: &Model, _: Time) -> Judged {
        let mut open = unended(model).peekable();
        let first = open.peek().cloned();
        // The evidence is of the first one, and of the first that nothing known_limits if there is one.
        let forbidden = open.find(|(producer, _)| model.never_ends(*producer).is_none());
        let permission = match (&first, &forbidden) {
            (Some(_), None) => Permission::Permitted,
            _ => Permission::Forbidden,
        };
        let evidence = forbidden.or(first).map(|(_, evidence)| evidence);
        PROPERTY.given((permission, Verdict::from_evidence(evidence)))
    }
}

/// The producers with operations under way, and the evidence against each.
fn unended(model: &Model) -> impl Iterator<Item = (usize, Evidence)> {
    model.ledger.accounts().iter().enumerate().filter_map(|(producer, account)| {
        let unended = account.unended();
        let op = unended.first()?;
        let client = account.name.clone();
        Some((producer, Evidence::Unended { client, op, count: unended.len() }))
    })
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
        assert_eq!(evidence.to_string(), "operation 1 of p0 was still in progress at the end");
        assert_eq!(evidence.count(), 2);
    }
}
