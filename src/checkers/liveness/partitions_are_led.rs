//! In the end, every partition that can be led is.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::model::reported::ReportedState;
use crate::model::{Model, Permission};
use crate::vocab::{Time, TopicPartition};

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
    class: Class::Liveness,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct PartitionsAreLed;

/// Why a partition is not led, and who is waited for.
fn why_not(
    model: &Model,
    at: &TopicPartition,
    written: &ReportedState,
) -> Option<(String, Vec<String>)> {
    let terms = &model.terms;
    let epoch = written.leader_epoch;
    let Some(leader) = written.leader else {
        let running: Vec<_> = written.isr.iter().copied().filter(|id| model.runs(*id)).collect();
        if !written.isr.is_empty() && running.is_empty() {
            return None;
        }
        let (isr, running) = (terms.broker_names(&written.isr), terms.broker_names(&running));
        let waits = match (&isr[..], &running[..]) {
            ([], _) => "nobody was ever elected".into(),
            _ => format!("of its in-sync replicas {}, {} runs", isr.join(" "), running.join(" ")),
        };
        let mut because = vec![waits];
        for (node, unregistered) in model.unregistered() {
            let (name, since) = (terms.name(node), unregistered.since);
            because.push(format!("{name} is not registered, since {since:.3}"));
        }
        return Some((format!("{at} has no leader at the end"), because));
    };
    let name = terms.broker(leader);
    if !model.runs(leader) {
        let because = vec![format!("{name} was made leader in epoch {epoch} and is down")];
        return Some((format!("{at} has no leader at the end"), because));
    }
    let replica = model.end.replica(at, leader)?;
    replica.leading.is_none().then(|| {
        let known = replica.leader_epoch;
        let because = vec![format!("{name} goes by epoch {known} and does not know of {epoch}")];
        (format!("{at} is not led at the end, though {name} was made its leader"), because)
    })
}

impl Checker for PartitionsAreLed {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let mut cases = Cases::default();
        for (at, written) in model.reported.created() {
            if let Some((what, because)) = why_not(model, at, written) {
                let leader = written.leader;
                let excuse = leader.and_then(|id| model.unnoticed(id));
                let permission = match excuse {
                    Some(_) => Permission::Permitted,
                    None => Permission::Forbidden,
                };
                let case = || Case::new(at, end, what).because(because).because(excuse);
                cases.found(permission, || case().after_faults(&model.faults));
            }
        }
        PROPERTY.given(cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, rejects, replica};
    use crate::history::{Election, Life};

    #[test]
    fn a_partition_that_nobody_leads_is_rejected_if_somebody_could() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]);
        let evidence = rejects(&story, &PROPERTY);
        assert_eq!(evidence.to_string(), "orders-0 has no leader at the end");
        assert_eq!(evidence.because(), ["nobody was ever elected"]);
        story.elected(1, 0, &[1, 2, 3], Election::New);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.leader_lost(1, &[1, 2]).life(1, Life::Crashed);
        let because = rejects(&story, &PROPERTY).because();
        assert_eq!(because, ["of its in-sync replicas b1 b2, b2 runs"]);
        story.life(2, Life::PowerLost);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds, "nobody may");
    }

    #[test]
    fn a_leader_that_is_down_or_does_not_know_is_none() {
        let mut story = Story::default();
        story.created(&[1, 2]).elected(1, 4, &[1, 2], Election::Offline);
        let mut down = story.clone();
        down.life(1, Life::Crashed);
        let because = rejects(&down, &PROPERTY).because();
        assert_eq!(because, ["b1 was made leader in epoch 4 and is down"]);
        story.final_replica(1, replica(10, 10));
        let evidence = rejects(&story, &PROPERTY);
        let text = "orders-0 is not led at the end, though b1 was made its leader";
        assert_eq!(evidence.to_string(), text);
        assert_eq!(evidence.because(), ["b1 goes by epoch 4 and does not know of 4"]);
    }
}
