//! In the end, every partition that can be led is.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property, Subject};
use crate::model::{Lack, Missing, Model, Permission};
use crate::vocab::{BrokerId, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "partitions-are-led",
    statement: "when a run ends, every partition with an in-sync replica that runs has a leader \
                that runs and knows that it leads",
    source: "Kafka documentation, 4.7 Replication: unclean leader election; kafka-specification: \
             fairness of the controller's elections",
    leaves_out: "topics that were not created during the run; partitions whose in-sync replicas \
                 were all stopped for good; how long it took; before 2.2 a leader whose restart \
                 the controller did not see (KIP-380) is counted but permitted",
    looks_at: Subject::Leaders,
    class: Class::Liveness,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct PartitionsAreLed;

/// What is wrong with a partition that is led by `by` or by no broker, and why.
fn case(model: &Model, at: &TopicPartition, by: Option<BrokerId>) -> (String, Vec<String>) {
    let terms = &model.terms;
    let state = model.reported.of(at).cloned().unwrap_or_default();
    let epoch = state.leader_epoch;
    let as_written = state.leader.map(|leader| terms.broker(leader));
    if let Some(id) = by {
        let what = format!("{at} is led by {} at the end, not as written", terms.broker(id));
        let written = as_written.map(|name| format!("{name} was made its leader in epoch {epoch}"));
        return (what, vec![written.unwrap_or_else(|| format!("epoch {epoch} has no leader"))]);
    }
    let Some((leader, name)) = state.leader.zip(as_written) else {
        let running: Vec<_> = state.isr.iter().copied().filter(|id| model.runs(*id)).collect();
        let (isr, running) = (terms.broker_names(&state.isr), terms.broker_names(&running));
        let waits = match &isr[..] {
            [] => "no leader was ever elected".into(),
            _ => format!("of its in-sync replicas {}, {} runs", isr.join(" "), running.join(" ")),
        };
        let unregistered = model.unregistered().map(|(node, unregistered)| {
            format!("{} is not registered, since {:.3}", terms.name(node), unregistered.since)
        });
        let because = std::iter::once(waits).chain(unregistered).collect();
        return (format!("{at} has no leader at the end"), because);
    };
    if !model.runs(leader) {
        let because = vec![format!("{name} was made leader in epoch {epoch} and is down")];
        return (format!("{at} has no leader at the end"), because);
    }
    let replica = model.replicas.find(at).and_then(|partition| partition.replica(leader));
    let because = match replica.map_or(-1, |replica| replica.leader_epoch) {
        -1 => format!("{name} has not learned that it leads epoch {epoch}"),
        known => format!("{name} is in epoch {known} and has not learned that it leads {epoch}"),
    };
    let what = format!("{at} is not led at the end, though {name} was made its leader");
    (what, vec![because])
}

impl Checker for PartitionsAreLed {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let mut cases = Cases::default();
        for Lack { missing, limit } in model.lacks() {
            let (at, by) = match missing {
                Missing::Leader(at) => (at, None),
                Missing::LeaderAsWritten(at, by) => (at, Some(by)),
                _ => continue,
            };
            if model.reported.of(&at).is_none() {
                continue;
            }
            let permission =
                limit.as_ref().map_or(Permission::Forbidden, |_| Permission::Permitted);
            cases.found(permission, || {
                let (what, because) = case(model, &at, by);
                let case = Case::new(&at, end, what).because(because).because(limit);
                case.after_faults(&model.faults)
            });
        }
        PROPERTY.given(cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::{Election, Life};

    #[test]
    fn a_partition_without_a_leader_is_rejected_if_it_could_have_one() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]);
        let evidence = rejects(&story, &PROPERTY);
        assert_eq!(evidence.to_string(), "orders-0 has no leader at the end");
        assert_eq!(evidence.because(), ["no leader was ever elected"]);
        story.elected(1, 0, &[1, 2, 3], Election::New).became_leader(1, 0, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.leader_lost(1, &[1, 2]).life(1, Life::Crashed);
        let because = rejects(&story, &PROPERTY).because();
        assert_eq!(because, ["of its in-sync replicas b1 b2, b2 runs"]);
        story.life(2, Life::PowerLost);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds, "none may lead");
    }

    #[test]
    fn a_leader_that_is_down_or_does_not_know_is_none() {
        let mut story = Story::default();
        story.created(&[1, 2]).elected(1, 4, &[1, 2], Election::Offline).became_follower(1, 3, 2);
        let mut down = story.clone();
        down.life(1, Life::Crashed);
        let because = rejects(&down, &PROPERTY).because();
        assert_eq!(because, ["b1 was made leader in epoch 4 and is down"]);
        let evidence = rejects(&story, &PROPERTY);
        let text = "orders-0 is not led at the end, though b1 was made its leader";
        assert_eq!(evidence.to_string(), text);
        let because = ["b1 is in epoch 3 and has not learned that it leads 4"];
        assert_eq!(evidence.because(), because);
    }

    #[test]
    fn a_leader_that_is_not_the_one_that_is_written_is_rejected() {
        let mut story = Story::default();
        story.created(&[1, 2]).elected(2, 0, &[1, 2], Election::New).became_leader(2, 0, 0);
        story.elected(1, 1, &[1, 2], Election::Preferred);
        let evidence = rejects(&story, &PROPERTY);
        assert_eq!(evidence.to_string(), "orders-0 is led by b2 at the end, not as written");
        assert_eq!(evidence.because(), ["b1 was made its leader in epoch 1"]);
        story.became_leader(1, 1, 0);
        assert_eq!(
            story.judgement().verdict(&PROPERTY),
            &Verdict::Holds,
            "the newest epoch counts"
        );
    }
}
