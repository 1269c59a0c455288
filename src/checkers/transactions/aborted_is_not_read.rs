//! Readers of committed transactions see nothing of aborted ones.

use super::handed_out;
use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;
use crate::model::transactional::clients::Fate;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "aborted-is-not-read",
    statement: "a consumer with isolation.level=read_committed is handed no record of a \
                transaction that was aborted, or whose producer ended without asking to commit it",
    source: "KIP-98; Adya's and Elle's G1a (aborted read); X3 of the catalogue of known failures",
    leaves_out: "transactions whose commit was asked for and had no answer; before KIP-890 in full \
                 (after 3.9) a request to commit that comes late can commit a later transaction \
                 of its producer (KAFKA-17754)",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at what consumers are handed.
#[derive(Debug)]
pub struct AbortedIsNotRead;

impl Rule for AbortedIsNotRead {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        handed_out::with_fate(event, did, (Fate::Aborted, "aborted"), found);
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{asks, begins, ends, story, unknown};
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::TransactionOutcome::{self, Aborted, Committed};

    /// Transaction 0 with record 0 at offset 0, which ends so.
    fn ended(commit: bool, outcome: TransactionOutcome) -> Story {
        let mut story = story();
        begins(&mut story, 0);
        story.acknowledged(0, 0);
        asks(&mut story, 0, commit);
        ends(&mut story, 0, outcome);
        story
    }

    #[test]
    fn what_is_or_may_be_committed_is_read() {
        let mut committed = ended(true, Committed);
        assert_eq!(committed.consumed(0, 0).violation(&PROPERTY), None);
        let mut unknown = ended(true, unknown());
        assert_eq!(unknown.consumed(0, 0).violation(&PROPERTY), None);
    }

    #[test]
    fn what_is_aborted_is_not() {
        let text = "c0 was handed record 0 of p0 at orders-0@0 at 0.000s; transaction 0 of x is \
                    aborted";
        let fenced = TransactionOutcome::Fenced { error: "PRODUCER_FENCED".into() };
        for outcome in [Aborted, unknown(), fenced] {
            let mut story = ended(false, outcome);
            assert_eq!(story.consumed(0, 0).violation(&PROPERTY).as_deref(), Some(text));
            story.terms.consumers[0].read_committed = false;
            assert_eq!(story.violation(&PROPERTY), None, "read_uncommitted");
        }
        // The next transaction has its own records.
        let mut story = ended(false, Aborted);
        begins(&mut story, 1);
        story.acknowledged(1, 2);
        asks(&mut story, 1, true);
        ends(&mut story, 1, Committed);
        assert_eq!(story.consumed(2, 1).violation(&PROPERTY), None);
    }
}
