//! The judgement: everything that a report shows of a run, decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::checkers::{Class, Expectation, Property, Verdict};
use crate::history::Fingerprint;
use crate::model::availability::Gap;
use crate::model::happened::Seen;
use crate::model::{CommandSummary, Fired, Permission, Timeline};
use crate::releases::{Asked, KafkaVersion};
use crate::vocab::{Acks, Happening, Mutant, Seed, Time, TopicPartition, as_text, run_command};

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything held, and what was expected happened.
    Held,
    /// Something expected did not happen, or something could not be judged.
    Inconclusive,
    /// Something good did not come about in the end.
    NotConverged,
    /// Something forbidden happened.
    Violated,
}

/// A property and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Which property.
    #[serde(serialize_with = "as_name")]
    pub property: &'static Property,
    /// Whether a violation is permitted.
    pub permission: Permission,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why it holds without having looked at anything, if so: in a clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_to_judge: Option<String>,
}

fn as_name<S: Serializer>(property: &&'static Property, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(property.name)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Judged {
    /// What this property alone makes of the run.
    pub fn status(&self) -> Status {
        match (&self.verdict, self.permission, self.property.class) {
            (Verdict::Holds, ..) | (Verdict::Violated(_), Permission::Permitted, _) => Status::Held,
            (Verdict::Inconclusive(_), ..) => Status::Inconclusive,
            (Verdict::Violated(_), Permission::Forbidden, Class::Safety) => Status::Violated,
            (Verdict::Violated(_), Permission::Forbidden, Class::Liveness) => Status::NotConverged,
        }
    }
}

/// What became of one producer's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProducerSummary {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is a client from outside.
    #[serde(skip_serializing_if = "is_false")]
    pub is_external: bool,
    /// Its `acks`.
    pub acks: Acks,
    /// Records handed to it.
    pub sent: u64,
    /// Records acknowledged at an offset.
    pub acknowledged: u64,
    /// Records handed to the network with `acks=0`, for which there is no acknowledgement.
    pub unconfirmed: u64,
    /// Records that were certainly not written.
    pub failed: u64,
    /// Records that may have been written.
    pub unknown: u64,
    /// Records whose operation has not ended.
    pub unended: u64,
    /// How often each error ended an operation, by Kafka's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<Arc<str>, u64>,
    /// How often brokers refused its requests, by Kafka's name for the error; retries may have mended it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Arc<str>, u64>,
    /// Acknowledged records that the final log lacks; `None` when there is no final log.
    pub lost: Option<u64>,
    /// Unconfirmed records that the final log lacks; `None` when there is no final log.
    pub lost_unconfirmed: Option<u64>,
    /// Copies in the final log beyond the first.
    pub duplicated: u64,
    /// Records that the final log holds behind later ones.
    pub reordered: u64,
    /// The longest time without an acknowledgement; `None` when it sent nothing.
    pub longest_gap: Option<Gap>,
    /// How long acknowledgements took; `None` when there was none.
    pub latency: Option<Latency>,
}

/// How long acknowledgements took, from the record's handing over on: quantiles, to a thousandth, and the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of them took no longer.
    #[serde(rename = "p50_ns")]
    pub p50: Time,
    /// 99 of 100 took no longer.
    #[serde(rename = "p99_ns")]
    pub p99: Time,
    /// The longest.
    #[serde(rename = "max_ns")]
    pub max: Time,
}

/// What became of the records that were sent to one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionSummary {
    /// The partition.
    #[serde(serialize_with = "as_text")]
    pub at: TopicPartition,
    /// Records acknowledged there, those with `acks=0` included.
    pub acknowledged: u64,
    /// The longest time without an acknowledgement while a record that was sent there waited for one.
    pub longest_gap: Gap,
}

/// What became of one reader: a consumer group, or a consumer without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsumerSummary {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is a client from outside.
    #[serde(skip_serializing_if = "is_false")]
    pub is_external: bool,
    /// How often brokers refused its requests, by Kafka's name for the error.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Arc<str>, u64>,
    /// Records that it was handed, copies included.
    pub read: u64,
    /// Records that it was handed once more.
    pub duplicates: u64,
    /// Acknowledged records that it went past.
    pub skipped: u64,
    /// Acknowledged records that it has not reached.
    pub behind: u64,
}

/// Everything decided about one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Each property with its verdict, in the order of [`super::PROPERTIES`].
    pub verdicts: Vec<Judged>,
    /// Each producer, in the order of the terms.
    pub producers: Vec<ProducerSummary>,
    /// Each partition that something was sent to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionSummary>,
    /// Each reader, in the order of the terms.
    pub consumers: Vec<ConsumerSummary>,
    /// What operators ran, in the order in which it was given; in JSON left out when there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandSummary>,
    /// The faults as they fired, in order.
    pub faults: Vec<Fired>,
    /// The turning points, in order.
    pub timeline: Timeline,
    /// Records of clients from outside that are in no account.
    #[serde(skip_serializing_if = "is_none")]
    pub not_followed: u64,
    /// Everything that happened, and how often.
    pub happened: BTreeMap<Happening, Seen>,
    /// What was expected to happen.
    pub expectations: Vec<Expectation>,
}

impl Judgement {
    /// What the run came to: the worst of its parts.
    pub fn status(&self) -> Status {
        let expected = self.expectations.iter().map(Expectation::status);
        let judged = self.verdicts.iter().map(Judged::status);
        judged.chain(expected).max().unwrap_or(Status::Inconclusive)
    }

    /// What was said of `property`, if it was judged.
    pub fn find(&self, property: &Property) -> Option<&Judged> {
        self.verdicts.iter().find(|judged| judged.property == property)
    }
}

/// One run, as it is reported: what ran, what came out, and how to run it again.
///
/// It holds nothing of the machine that it ran on, and no wall-clock time: two runs of one plan and seed
/// have equal outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunOutcome {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's file, as it was given.
    pub path: String,
    /// The seed.
    pub seed: Seed,
    /// The Kafka version that was simulated.
    #[serde(serialize_with = "crate::vocab::as_text")]
    pub kafka: KafkaVersion,
    /// The bug that was planted, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutant: Option<Mutant>,
    /// Virtual time at the end.
    #[serde(rename = "simulated_ns")]
    pub simulated: Time,
    /// Events of the world: arrivals, timers, disk completions. Not reported: a measure of the simulator, not
    /// of what it simulates.
    #[serde(skip)]
    pub world_events: u64,
    /// The differences between releases that the nodes asked for. Shown by `sim timeline --releases` only.
    #[serde(skip)]
    pub asked: Asked,
    /// Events of the history.
    pub events: u64,
    /// The hash over all of them.
    pub fingerprint: Fingerprint,
    /// The judgement.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl RunOutcome {
    /// The command that runs this again.
    pub fn replay(&self) -> String {
        run_command(&self.path, self.seed, self.mutant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Evidence;
    use crate::checkers::clients::operations_end_once;
    use crate::checkers::liveness::consumers_catch_up;

    fn judged(property: &'static Property, violated: bool) -> Judged {
        let evidence = Evidence::Unended { client: "p0".into(), op: 1, count: 1 };
        let verdict = Verdict::from_evidence(violated.then_some(evidence));
        property.given((Permission::Forbidden, verdict))
    }

    #[test]
    fn the_worst_part_decides() {
        let (safety, liveness) = (&operations_end_once::PROPERTY, &consumers_catch_up::PROPERTY);
        let cases = [
            (vec![judged(safety, false)], Status::Held),
            (vec![judged(liveness, true), judged(safety, false)], Status::NotConverged),
            (vec![judged(liveness, true), judged(safety, true)], Status::Violated),
            // A run that judged nothing shows nothing.
            (vec![], Status::Inconclusive),
        ];
        for (verdicts, status) in cases {
            assert_eq!(Judgement { verdicts, ..Judgement::default() }.status(), status);
        }
    }
}
