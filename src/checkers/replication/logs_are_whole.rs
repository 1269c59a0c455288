//! A replica's log has no hole, its epochs do not fall, and its high watermark lies within it.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::vocab::{LeaderEpoch, NodeId, Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "logs-are-whole",
    statement: "a replica appends behind its last record, in epochs that do not fall, and knows \
                no high watermark outside its log",
    source: "Kafka documentation, 5.3: offsets are sequential; KIP-101: the epochs of a log do not \
             fall, after a power loss neither, as LeaderEpochFileCache is on the platter before \
             what is fetched behind a cut; UnifiedLog: log start ≤ high watermark ≤ log end",
    leaves_out: "compaction, which is not simulated; checksums, which brokers and consumers check \
                 themselves, see logs-match and answers-are-sound; the first record after a log \
                 that began anew elsewhere",
    class: Class::Safety,
};

/// The first log that broke it.
#[derive(Clone, Debug, Default)]
pub struct LogsAreWhole {
    first: FirstCase,
}

/// An append whose epoch is below the one before it.
fn fallen(model: &Model, base: Offset, leader_epoch: LeaderEpoch) -> Option<String> {
    let (partition, _, before) = model.replicas.replica()?;
    let batch = partition.logs.last(before.log?)?;
    let (ended, from) = (batch.last, batch.leader_epoch);
    (from > leader_epoch)
        .then(|| format!("appended {base} of epoch {leader_epoch} behind {ended} of epoch {from}"))
}

fn wrong(model: &Model, told: &BrokerObservation) -> Option<String> {
    let (_, replica, before) = model.replicas.replica()?;
    match told {
        &BrokerObservation::Appended { base, last, leader_epoch, .. } => {
            let log = before.log?;
            if base != log.end || last < base {
                return Some(format!(
                    "appended {base} to {last} to a log that ends at {}",
                    log.end
                ));
            }
            fallen(model, base, leader_epoch)
        }
        BrokerObservation::HighWatermark { offset, .. } => {
            let end = replica.log?.end;
            let outside = *offset < 0 || *offset > end;
            outside.then(|| format!("knows high watermark {offset} of a log that ends at {end}"))
        }
        BrokerObservation::Truncated { from, .. } => {
            let end = before.log?.end;
            (*from != end).then(|| format!("cut a log from {from} that ended at {end}"))
        }
        BrokerObservation::LogLoaded { start, end, from, batches, .. } => {
            let mut next = batches.first().map_or(*end, |batch| batch.base);
            let begins = start <= from && from <= end && next <= *from;
            let mut epoch = None;
            for batch in batches {
                if batch.base != next {
                    return Some(format!("loaded a log with a hole at {next}"));
                }
                if epoch > Some(batch.leader_epoch) {
                    return Some(format!("loaded a log in which the epochs fall at {next}"));
                }
                (next, epoch) = (batch.last + 1, Some(batch.leader_epoch));
            }
            (!begins || next != *end).then(|| format!("loaded a log from {start} to {end} in part"))
        }
        _ => None,
    }
}

impl Checker for LogsAreWhole {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let Some(wrong) = wrong(model, told) else { return };
        let Some(partition) = model.replicas.current() else { return };
        self.first.found(|| {
            let what =
                format!("{} {wrong}, of {} at {time:.3}", model.terms.name(node), partition.at);
            let case = Case::new(&partition.at, time, what).about(&model.terms, [node]);
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
    use crate::checkers::testing::{Story, orders};
    use crate::history::AppendedBatch;

    #[test]
    fn batches_in_a_row_in_rising_epochs_are_accepted() {
        let mut story = Story::replicated();
        story.appended(2, 0, 0).appended(2, 1, 0).appended(2, 2, 3).high_watermark(2, 3);
        story.truncated(2, 3, 2).high_watermark(2, 2).appended(2, 2, 4).loaded(2, 3);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn epochs_that_fall_on_a_disk_are_rejected() {
        let batch =
            |base, leader_epoch| AppendedBatch { base, last: base, leader_epoch, checksum: 7 };
        for (second, told) in [
            (3, None),
            (2, Some("b2 loaded a log in which the epochs fall at 1, of orders-0 at 0.000s")),
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
    fn a_hole_an_epoch_that_falls_and_a_high_watermark_beyond_the_end_are_rejected() {
        let mut story = Story::replicated();
        story.appended(2, 0, 1);
        type Wrong = fn(&mut Story) -> &mut Story;
        let wrong: [(Wrong, &str); 4] = [
            (
                |story| story.appended(2, 2, 1),
                "b2 appended 2 to 2 to a log that ends at 1, of orders-0 at 0.000s",
            ),
            (
                |story| story.appended(2, 1, 0),
                "b2 appended 1 of epoch 0 behind 0 of epoch 1, of orders-0 at 0.000s",
            ),
            (
                |story| story.high_watermark(2, 2),
                "b2 knows high watermark 2 of a log that ends at 1, of orders-0 at 0.000s",
            ),
            (
                |story| story.truncated(2, 7, 0),
                "b2 cut a log from 7 that ended at 1, of orders-0 at 0.000s",
            ),
        ];
        for (happens, told) in wrong {
            let mut story = story.clone();
            happens(&mut story);
            assert_eq!(story.violation(&PROPERTY).as_deref(), Some(told));
        }
    }
}
