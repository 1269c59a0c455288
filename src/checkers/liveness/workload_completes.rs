//! In the end, every client operation has ended.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Subject, Verdict};
use crate::model::{Missing, Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "workload-completes",
    statement: "when a run ends, every operation that began has ended",
    source: "Kafka's delivery.timeout.ms: an upper bound on the time to report success or failure \
             (KIP-91)",
    leaves_out: "whether operations ended well; before 2.1, where nothing bounds retries, what \
                 waits for brokers that were stopped for good is counted but permitted",
    looks_at: Subject::Operations,
    class: Class::Liveness,
};

/// Judges by the model alone.
#[derive(Debug)]
pub struct WorkloadCompletes;

impl Checker for WorkloadCompletes {
    fn judge(&self, model: &Model, _: Time) -> Judged {
        let mut open = unended(model).peekable();
        let first = open.peek().map(|(_, evidence)| evidence.clone());
        // The evidence is of the first one that no limit of the release explains, or else of the first one.
        let forbidden = open.find(|(limit, _)| limit.is_none()).map(|(_, evidence)| evidence);
        let permission = match (&first, &forbidden) {
            (Some(_), None) => Permission::Permitted,
            _ => Permission::Forbidden,
        };
        PROPERTY.given((permission, Verdict::from_evidence(forbidden.or(first))))
    }
}

/// The evidence against each producer with operations under way, and the limit of the release that holds them up.
fn unended(model: &Model) -> impl Iterator<Item = (Option<String>, Evidence)> {
    model.lacks().filter_map(|lack| {
        let Missing::Ends(producer) = lack.missing else { return None };
        let account = &model.ledger.accounts()[producer];
        let (unended, client) = (account.unended(), account.name.clone());
        let (op, count) = (unended.first()?, unended.len());
        Some((lack.limit, Evidence::Unended { client, op, count }))
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
