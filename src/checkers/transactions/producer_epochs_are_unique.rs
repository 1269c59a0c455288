//! Each producer of a transactional id gets an epoch of its own.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{ClientObservation, TransactionEvent};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "producer-epochs-are-unique",
    statement: "no two producers, and no two lives of one, get the same producer id and epoch",
    source: "KIP-98: InitProducerId gives the next epoch; TransactionMetadata.\
             prepareIncrementProducerEpoch; X2 of the catalogue of known failures",
    leaves_out: "an answer that comes again to the producer that asked (KIP-360)",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at what producers are answered.
#[derive(Debug)]
pub struct ProducerEpochsAreUnique;

impl Rule for ProducerEpochsAreUnique {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        let ClientObservation::Transactional(did) = did else { return };
        let TransactionEvent::Initialized { producer, epoch } = did.what else { return };
        let Some(owner) = event.model.transactional.clients.shares() else { return };
        found.found(event.model.terms.acknowledged_loss, || {
            let (name, owner_name) = (event.name(), event.model.terms.name(owner));
            let owner_name = if owner == event.node { "its former process" } else { &owner_name };
            let what = format!(
                "{name} got epoch {epoch} of producer {producer} for {}, which {owner_name} has, \
                 at {:.3}",
                did.id, event.time
            );
            event.case_about([event.node, owner], what)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{initialized, producer_at, story};
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::Life;

    #[test]
    fn an_epoch_is_given_out_once() {
        let mut story = story();
        initialized(&mut story, 0);
        initialized(&mut story, 0);
        producer_at(&mut story, Story::C0, TransactionEvent::Initialized { producer: 7, epoch: 1 });
        assert_eq!(story.violation(&PROPERTY), None);
        producer_at(&mut story, Story::C0, TransactionEvent::Initialized { producer: 7, epoch: 0 });
        let text = "c0 got epoch 0 of producer 7 for x, which p0 has, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn a_process_that_starts_again_gets_another_one() {
        let mut story = story();
        let got = |epoch| TransactionEvent::Initialized { producer: 7, epoch };
        producer_at(&mut story, Story::C0, got(0));
        story.consumer_life(Life::Crashed).consumer_life(Life::Started);
        producer_at(&mut story, Story::C0, got(1));
        assert_eq!(story.violation(&PROPERTY), None);
        producer_at(&mut story, Story::C0, got(0));
        let text = "c0 got epoch 0 of producer 7 for x, which its former process has, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }
}
