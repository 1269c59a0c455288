//! The final logs hold no record twice.

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "no-duplicates",
    statement: "the final logs of a topic hold each record of a producer at most once",
    source: "KIP-98: idempotent producer; without one, retries may write a record again",
    leaves_out: "copies that were truncated; what readers read more than once, which is counted \
                 for each reader; without idempotence, and of clients from outside, whose records \
                 may be alike, copies are counted but permitted: see \
                 producer-sequences-are-contiguous",
    looks_at: Subject::FinalRecords,
    class: Class::Safety,
};

/// Looks at the copies in the final logs.
#[derive(Debug)]
pub struct NoDuplicates;

impl Rule for NoDuplicates {
    const PROPERTY: &'static Property = &PROPERTY;

    /// Copies are forbidden to idempotent producers only.
    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let accounts = model.ledger.accounts();
        let judge = |idempotent: bool| {
            let copy = model.copies.first(idempotent)?;
            let of_kind = accounts.iter().filter(|one| one.terms.idempotent == idempotent);
            Some(Evidence::Duplicated {
                producer: accounts[copy.producer].name.clone(),
                record: copy.record,
                at: copy.at.clone(),
                offset: copy.offset,
                count: of_kind.map(|account| account.duplicated).sum(),
            })
        };
        match (judge(true), judge(false)) {
            (None, Some(permitted)) => (Permission::Permitted, Verdict::Violated(permitted)),
            (forbidden, _) => (Permission::Forbidden, Verdict::from_evidence(forbidden)),
        }
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
        assert_eq!(evidence.to_string(), "orders-0@1 holds record 0 of p0 a second time");
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
