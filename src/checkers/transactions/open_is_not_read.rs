//! Readers of committed transactions see nothing of open ones.

use super::handed_out;
use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;
use crate::model::transactional::clients::Fate;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "open-is-not-read",
    statement: "a consumer with isolation.level=read_committed is handed no record of a \
                transaction before its producer asks to commit it",
    source: "KIP-98: the last stable offset; Elle's G1b (intermediate read); KAFKA-9807; R10 and \
             X5 of the catalogue of known failures",
    leaves_out: "whether its markers are written when a record is handed out; whether a reader \
                 sees the records of a transaction together, which Kafka does not promise",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at what consumers are handed.
#[derive(Debug)]
pub struct OpenIsNotRead;

impl Rule for OpenIsNotRead {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        handed_out::with_fate(event, did, (Fate::Open, "open"), found);
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{asks, begins, initialized, story};
    use super::*;

    #[test]
    fn a_record_is_read_when_its_commit_was_asked_for() {
        let mut story = story();
        initialized(&mut story, 0);
        story.acknowledged(0, 0);
        begins(&mut story, 5);
        story.acknowledged(1, 1);
        assert_eq!(story.consumed(0, 0).violation(&PROPERTY), None, "before the transaction");
        let mut early = story.clone();
        asks(&mut story, 5, true);
        assert_eq!(story.consumed(1, 1).violation(&PROPERTY), None);
        let text = "c0 was handed record 1 of p0 at orders-0@1 at 0.000s; transaction 5 of x is \
                    open";
        assert_eq!(early.consumed(1, 1).violation(&PROPERTY).as_deref(), Some(text));
    }
}
