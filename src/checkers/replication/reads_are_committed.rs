//! Consumers get only committed records.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;
use crate::releases::Change;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "reads-are-committed",
    statement: "a broker serves consumers only records below its high watermark; before 2.4 \
                (KIP-392), only of a partition that it leads",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer",
    leaves_out: "what readers of committed transactions are served, see open-is-not-read; whether \
                 what was read stays in the log, see read-is-in-the-final-log",
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
        let may_serve = leads || event.model.terms.kafka.has(Change::FetchFromFollowers);
        if *end <= bound && may_serve {
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

    #[test]
    fn a_follower_serves_consumers_since_2_4() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).high_watermark(2, 1);
        story.serving(2, 1);
        for (release, is_right) in [("2.3", false), ("2.4", true)] {
            story.terms.kafka = release.parse().expect("a release");
            assert_eq!(story.violation(&PROPERTY).is_none(), is_right, "{release}");
        }
        story.serving(2, 2);
        assert!(story.violation(&PROPERTY).is_some(), "above its high watermark");
    }
}
