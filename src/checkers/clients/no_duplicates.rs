//! No record of a producer is in the final log twice.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::ledger::{FinalRecord, Ledger};
use crate::model::{Model, Permission};
use crate::vocab::{Offset, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "no-duplicates",
    statement: "the final logs of a topic hold each record of a producer at most once",
    source: "KIP-98: idempotent producer; without one, retries may write a record again",
    leaves_out: "copies that were truncated again; what readers were handed more than once, which \
                 is counted for each reader",
    class: Class::Safety,
};

/// The first copies beyond the first, of producers that may and of such that may not write any.
#[derive(Clone, Debug, Default)]
pub struct NoDuplicates {
    permitted: Option<(TopicPartition, Offset, usize, u64)>,
    forbidden: Option<(TopicPartition, Offset, usize, u64)>,
}

impl Checker for NoDuplicates {
    fn final_record(&mut self, model: &Model, record: &FinalRecord<'_>, first: bool) {
        if first {
            return;
        }
        let idempotent = model.ledger.accounts()[record.producer].terms.idempotent;
        let first = if idempotent { &mut self.forbidden } else { &mut self.permitted };
        let FinalRecord { at, offset, producer, record } = *record;
        first.get_or_insert_with(|| (at.clone(), offset, producer, record));
    }

    fn judge(&self, model: &Model, _: Time) -> Judged {
        PROPERTY.given(self.verdict(&model.ledger))
    }
}

impl NoDuplicates {
    /// Judges all producers. Copies are forbidden to idempotent ones.
    fn verdict(&self, ledger: &Ledger) -> (Permission, Verdict) {
        let permission = match self.forbidden {
            None if self.permitted.is_some() => Permission::Permitted,
            _ => Permission::Forbidden,
        };
        let concerned = |idempotent: bool| idempotent == (permission == Permission::Forbidden);
        let accounts = ledger.accounts().iter();
        let counted = accounts.filter(|account| concerned(account.terms.idempotent));
        let count = counted.map(|account| account.duplicated).sum();
        let first = self.forbidden.as_ref().or(self.permitted.as_ref());
        let evidence = first.map(|(at, offset, producer, record)| Evidence::Duplicated {
            producer: ledger.accounts()[*producer].name.clone(),
            record: *record,
            at: at.clone(),
            offset: *offset,
            count,
        });
        (permission, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Status;
    use crate::checkers::testing::Story;

    fn twice(mut story: Story) -> Story {
        story.acknowledged(0, 0).consumed(1, 0).final_log(0..1).final_record(1, 0);
        story
    }

    #[test]
    fn a_log_with_each_record_once_is_accepted() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).final_log(0..2);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_copy_is_counted_but_permitted_without_idempotence() {
        let judgement = twice(Story::default()).judgement();
        let judged = judgement.judged(&PROPERTY);
        let Verdict::Violated(evidence) = &judged.verdict else { panic!("there is a copy") };
        assert_eq!(evidence.to_string(), "orders-0@1 holds record 0 of p0 once more");
        assert_eq!(judged.permission, Permission::Permitted);
        assert_eq!(judgement.producers[0].duplicated, 1);
        assert_eq!(judgement.status(), Status::Held);
    }

    #[test]
    fn a_copy_of_an_idempotent_producer_is_forbidden() {
        let judgement = twice(Story::idempotent()).judgement();
        assert_eq!(judgement.judged(&PROPERTY).permission, Permission::Forbidden);
        assert_eq!(judgement.status(), Status::Violated);
    }
}
