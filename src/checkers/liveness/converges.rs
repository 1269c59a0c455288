//! After everything is healed, the cluster converges.

use crate::checkers::{Case, Checker, Class, Evidence, Judged, Property, Subject, Verdict};
use crate::model::Model;
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "converges",
    statement: "once faults are over, brokers are registered, partitions led, replicas in sync, \
                records committed and read, and operations ended within the scenario's budget",
    source: "TigerBeetle's VOPR: heal, then converge; Jepsen: final polls",
    leaves_out: "brokers that were stopped for good, and what cannot be done without them; what \
                 waits for what: the properties that follow say it",
    looks_at: Subject::Cluster,
    class: Class::Liveness,
};

/// Judges by what was said of the second phase.
#[derive(Clone, Copy, Debug)]
pub struct Converges;

impl Checker for Converges {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let evidence = model.end.unconverged().map(|why| {
            let what = format!("the healed cluster had not converged at {end:.3}: {why}");
            Evidence::Case(Case::of(end, what).after_faults(&model.faults))
        });
        PROPERTY.forbidden(Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Status;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::Fact;

    #[test]
    fn a_budget_that_is_used_up_is_rejected_with_what_was_missing() {
        let mut story = Story::default();
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.at(90_000).fact(Fact::Unconverged { why: "orders-0 has no leader".into() });
        let text = "the healed cluster had not converged at 90.000s: orders-0 has no leader";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
        assert_eq!(story.judgement().status(), Status::NotConverged);
    }
}
