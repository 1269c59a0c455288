//! A replica's log has no gap, its epochs do not decrease, and its high watermark is within it.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;
use crate::model::Permission;
use crate::model::log_errors::LogError;
use crate::releases::Truncation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "log-offsets-are-sequential",
    statement: "a replica appends at its log end offset, in epochs that do not decrease, and its \
                high watermark is within its log",
    source: "Kafka documentation, 5.3: offsets are sequential; KIP-101: the epochs of a log do not \
             decrease, also after a power loss, as LeaderEpochFileCache is flushed before what is \
             fetched after a truncation; UnifiedLog: log start ≤ high watermark ≤ log end",
    leaves_out: "compaction, which is not simulated; checksums, which brokers and consumers check \
                 themselves, see logs-match and fetch-responses-are-valid; the first record after \
                 a log restarted at another offset; before 2.0 (KIP-279) a follower may be sent \
                 records of an older epoch, which is permitted",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at everything that changes a log.
#[derive(Debug)]
pub struct LogOffsetsAreSequential;

impl Rule for LogOffsetsAreSequential {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let Some((partition, ..)) = event.model.replicas.replica() else { return };
        if let Some(wrong) = event.model.replicas.log_error(did) {
            let (name, at, time) = (event.name(), &partition.at, event.time);
            let what = format!("{name} {wrong}, on {at} at {time:.3}");
            let kafka = event.model.terms.kafka;
            let goes_back =
                matches!(wrong, LogError::EarlierEpoch { .. } | LogError::LoadedEpochs { .. });
            // Before KIP-279 a leader without the follower's last epoch answers with where its next one starts.
            let may_go_back = goes_back && kafka.truncation() < Truncation::Kip279;
            let permission =
                if may_go_back { Permission::Permitted } else { Permission::Forbidden };
            found.found(permission, || event.case(what).in_partition(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, orders};
    use crate::history::AppendedBatch;

    #[test]
    fn sequential_batches_in_increasing_epochs_are_accepted() {
        let mut story = Story::replicated();
        story.appended(2, 0, 0).appended(2, 1, 0).appended(2, 2, 3).high_watermark(2, 3);
        story.truncated(2, 3, 2).high_watermark(2, 2).appended(2, 2, 4).loaded(2, 3);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn epochs_that_decrease_on_a_disk_are_rejected() {
        let batch =
            |base, leader_epoch| AppendedBatch { base, last: base, leader_epoch, checksum: 7 };
        for (second, told) in [
            (3, None),
            (2, Some("b2 loaded a log whose epochs decrease at offset 1, on orders-0 at 0.000s")),
        ] {
            let (at, batches) = (orders(), vec![batch(0, 3), batch(1, second)]);
            let (start, end, high_watermark, from) = (0, 2, 0, 0);
            let loaded =
                BrokerObservation::LogLoaded { at, start, end, high_watermark, from, batches };
            let mut story = Story::replicated();
            story.broker(2, loaded);
            assert_eq!(story.violation(&PROPERTY).as_deref(), told);
        }
    }

    #[test]
    fn before_kip_279_an_epoch_may_decrease() {
        for (release, permission) in [
            ("1.1", Permission::Permitted),
            ("2.0", Permission::Forbidden),
            ("3.9", Permission::Forbidden),
        ] {
            let mut story = Story::replicated();
            story.terms.kafka = release.parse().expect("a release");
            story.appended(2, 0, 1).appended(2, 1, 0);
            assert!(story.violation(&PROPERTY).is_some(), "{release}");
            assert_eq!(story.judgement().judged(&PROPERTY).permission, permission, "{release}");
        }
    }

    #[test]
    fn a_gap_an_epoch_that_decreases_and_a_high_watermark_beyond_the_end_are_rejected() {
        let mut story = Story::replicated();
        story.appended(2, 0, 1);
        type Wrong = fn(&mut Story) -> &mut Story;
        let wrong: [(Wrong, &str); 4] = [
            (
                |story| story.appended(2, 2, 1),
                "b2 appended offsets 2 to 2 at log end offset 1, on orders-0 at 0.000s",
            ),
            (
                |story| story.appended(2, 1, 0),
                "b2 appended offset 1 of epoch 0 after 0 of epoch 1, on orders-0 at 0.000s",
            ),
            (
                |story| story.high_watermark(2, 2),
                "b2 set its high watermark to 2 with log end offset 1, on orders-0 at 0.000s",
            ),
            (
                |story| story.truncated(2, 7, 0),
                "b2 truncated a log from 7 with log end offset 1, on orders-0 at 0.000s",
            ),
        ];
        for (happens, told) in wrong {
            let mut story = story.clone();
            happens(&mut story);
            assert_eq!(story.violation(&PROPERTY).as_deref(), Some(told));
        }
    }
}
