//! Consumers get only committed records.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "reads-are-committed",
    statement: "a broker serves consumers only records of a partition that it leads, below its \
                high watermark",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer",
    leaves_out: "transactions (read_committed) and reading from followers (KIP-392), which are not \
                 simulated; whether what was read stays in the log, see read-is-in-the-final-log",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Looks at what consumers are served.
#[derive(Debug)]
pub struct ReadsAreCommitted;

impl Rule for ReadsAreCommitted {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Serving { at, end } = did else { return };
        let Some((_, replica, _)) = event.model.replicas.replica() else { return };
        let (bound, leads) = (replica.high_watermark, replica.lead().is_some());
        if *end <= bound && leads {
            return;
        }
        found.forbidden(|| {
            let (name, time, last) = (event.name(), event.time, end - 1);
            let (led, epoch) = (if leads { "led" } else { "did not lead" }, replica.leader_epoch);
            let what = format!(
                "{name} served {at}@{last} to a consumer at {time:.3}; its high watermark was \
                 {bound} and it {led} epoch {epoch}"
            );
            event.case(what).in_partition(at).from_offset(last)
        });
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
                "b1 served orders-0@1 to a consumer at 0.300s; its high watermark was 1 and it led \
                 epoch 0"
            )
        );
    }
}
