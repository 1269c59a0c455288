//! Consumers are handed nothing that is not committed.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "reads-are-committed",
    statement: "a broker hands consumers only records of a partition that it leads, below the high \
                watermark that it knows",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer",
    leaves_out: "transactions (read_committed) and reading from followers (KIP-392), which are not \
                 simulated; whether what was read stays, see read-is-in-the-final-log",
    class: Class::Safety,
};

/// The first answer beyond the bound.
#[derive(Clone, Debug, Default)]
pub struct ReadsAreCommitted {
    first: FirstCase,
}

impl Checker for ReadsAreCommitted {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::Serving { at, end } = told else { return };
        let Some((_, replica, _)) = model.replicas.replica() else { return };
        let bound = replica.high_watermark;
        if *end <= bound && replica.lead().is_some() {
            return;
        }
        self.first.found(|| {
            let (name, epoch, last) = (model.terms.name(node), replica.leader_epoch, end - 1);
            let leads = if replica.lead().is_some() { "leads" } else { "does not lead" };
            let what = format!(
                "{name} handed a consumer {at}@{last} at {time:.3}, where its high watermark is \
                 {bound} and it {leads} in epoch {epoch}"
            );
            let case = Case::new(at, time, what).from_offset(last).about(&model.terms, [node]);
            case.after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn what_is_below_the_high_watermark_is_accepted_and_what_is_not_is_rejected() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(1, 1, 0).appended(2, 0, 0).high_watermark(1, 1);
        story.serving(1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
        story.at(300).serving(1, 2);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some(
                "b1 handed a consumer orders-0@1 at 0.300s, where its high watermark is 1 and it \
                 leads in epoch 0"
            )
        );
    }
}
