//! In the end, all replicas of a partition that is led are in sync, as far as their brokers run.

use std::collections::BTreeMap;

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property, Subject};
use crate::model::{Lack, Missing, Model, Permission};
use crate::vocab::{BrokerId, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "replicas-converge",
    statement: "when a run ends, all replicas of a partition with a leader whose brokers run are \
                in sync, as written to ZooKeeper",
    source: "kafka-specification: StrongIsr in the end; KIP-497: a change of the ISR does not \
             stay in flight for ever; TigerBeetle's VOPR: heal, then converge",
    leaves_out: "topics that were not created during the run; how long it took; partitions not \
                 led as written, see partitions-are-led; replicas that the release cannot bring \
                 back are counted but permitted: one whose records of its leader's epoch are \
                 others than the leader's, after a loss of power (KIP-461), before 2.2 one \
                 whose restart the controller did not see (KIP-380), and those of a leader \
                 whose controller wrote a change twice, as the first answer was lost, and \
                 denied it (2.7 to 3.9)",
    looks_at: Subject::Leaders,
    class: Class::Liveness,
};

/// Judges by what the model lacks at the end.
#[derive(Clone, Copy, Debug)]
pub struct ReplicasConverge;

/// What the replicas that are not in sync wait for, half a sentence each.
fn waits(model: &Model, at: &TopicPartition, missing: &[BrokerId]) -> Vec<String> {
    let mut waits = Vec::new();
    for id in missing.iter().filter(|_| model.end.leader(at).is_some()) {
        waits.push(model.progress(at, *id));
        if let Some(offset) = model.end.replica(at, *id).and_then(|replica| replica.differs_at) {
            let follower = model.terms.broker(*id);
            waits.push(format!("{follower}'s log is not its leader's from {at}@{offset} on"));
        }
    }
    if let Some((leader, _, leading)) = model.end.leader(at)
        && leading.is_isr_pending
    {
        let leader = model.terms.broker(leader);
        waits.push(format!("{leader} waits for the answer to a change of the in-sync replicas"));
    }
    waits
}

/// A replica that is not in sync, and the limit of the release that keeps it out.
type Out = (BrokerId, Option<String>);

/// The replicas that are not in sync, by partition.
fn missing(model: &Model) -> BTreeMap<TopicPartition, Vec<Out>> {
    let mut partitions: BTreeMap<TopicPartition, Vec<Out>> = BTreeMap::new();
    for Lack { missing, limit } in model.lacks() {
        if let Missing::InSync(at, id) = missing {
            partitions.entry(at).or_default().push((id, limit));
        }
    }
    partitions
}

impl Checker for ReplicasConverge {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let (terms, mut cases) = (&model.terms, Cases::default());
        for (at, missing) in missing(model) {
            let permission = match missing.iter().all(|(_, limit)| limit.is_some()) {
                true => Permission::Permitted,
                false => Permission::Forbidden,
            };
            let Some((leader, _)) = model.leader(&at) else { continue };
            cases.found(permission, || {
                let leader = terms.broker(leader.broker);
                let isr = model.reported.of(&at).map_or(&[][..], |state| &state.isr);
                let out = |id: &BrokerId| !isr.contains(id);
                let (ids, mut limits): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
                limits.dedup();
                let what = if ids.iter().any(out) {
                    format!(
                        "{at}, led by {leader}, has {} in sync at the end, not {}",
                        terms.broker_names(isr).join(" "),
                        terms.broker_names(model.assignment(&at)).join(" ")
                    )
                } else {
                    format!("{leader} does not know that {at} has all replicas in sync")
                };
                let ids: Vec<_> = ids.into_iter().filter(out).collect();
                let because =
                    waits(model, &at, &ids).into_iter().chain(limits.into_iter().flatten());
                Case::new(&at, end, what).because(because).after_faults(&model.faults)
            });
        }
        PROPERTY.given(cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, leading, rejects, replica};
    use crate::checkers::{Status, Verdict};
    use crate::history::{Election, Life, Replica};

    fn holds(story: &Story) -> bool {
        story.judgement().verdict(&PROPERTY) == &Verdict::Holds
    }

    /// A broker leads from now on, with these in sync as far as it knows.
    fn led(story: &mut Story, broker: i32, leader_epoch: i32, isr: &[i32]) {
        story.became_leader(broker, leader_epoch, 0).isr_known(broker, isr, 1);
    }

    #[test]
    fn only_a_partition_with_all_replicas_in_sync_is_accepted() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]).elected(1, 0, &[1, 2, 3], Election::New);
        led(&mut story, 1, 0, &[1, 2, 3]);
        assert!(holds(&story));
        story.isr_changed(&[1, 2, 3], &[1, 2]);
        let lagging = "orders-0, led by b1, has b1 b2 in sync at the end, not b1 b2 b3";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), lagging);
        story.elected(2, 2, &[2, 1, 3], Election::Offline);
        led(&mut story, 2, 2, &[2, 1]);
        let unknown = "b2 does not know that orders-0 has all replicas in sync";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), unknown);
        story.isr_known(2, &[2, 1, 3], 2);
        assert!(holds(&story));
    }

    #[test]
    fn it_says_which_replica_waits_for_what() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]).elected(1, 0, &[1, 2], Election::New);
        led(&mut story, 1, 0, &[1, 2]);
        let mut state = leading(500, 500, &[1, 2]);
        let known = state.leading.as_mut().expect("it leads");
        known.is_isr_pending = true;
        known.followers[2].log_end = Some(412);
        known.followers[2].fetched = Some(Time::from_millis(61_500));
        story.final_replica(1, state);
        story.final_replica(3, Replica { differs_at: Some(17), ..replica(412, 400) });
        let because = [
            "b3's log is at 412 of 500, fetched last at 61.500s",
            "b3's log is not its leader's from orders-0@17 on",
            "b1 waits for the answer to a change of the in-sync replicas",
        ];
        assert_eq!(rejects(&story, &PROPERTY).because(), because);
    }

    #[test]
    fn a_leader_whose_change_was_written_and_denied_is_permitted_to_wait_until_the_next_election() {
        // ensemble_faults, seed 457.
        let mut story = Story::default();
        story.created(&[1, 2, 3]).elected(1, 0, &[1, 2], Election::New);
        led(&mut story, 1, 0, &[1, 2]);
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::NotConverged);
        story.isr_change_denied();
        let judgement = story.judgement();
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)), "it is counted");
        assert_eq!(judgement.judged(&PROPERTY).status(), Status::Held);
        story.elected(1, 1, &[1, 2], Election::Offline);
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::NotConverged);
    }

    #[test]
    fn a_broker_that_was_stopped_for_good_is_not_waited_for() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]).elected(1, 0, &[1, 2], Election::New);
        led(&mut story, 1, 0, &[1, 2]);
        assert!(!holds(&story), "b3 runs, and is not in sync");
        story.life(3, Life::Crashed);
        assert!(holds(&story));
        story.life(3, Life::Started);
        assert!(!holds(&story), "b3 is back");
    }

    #[test]
    fn an_election_that_only_the_next_controller_could_tell_of_counts() {
        // Scenario soup 2.8, seed 13: the controller dies between its write and the answer.
        let mut story = Story::default();
        story.created(&[1, 2, 3]).state_found(2, 0, &[1, 2, 3], 0);
        led(&mut story, 2, 0, &[1, 2, 3]);
        assert!(holds(&story));
        story.isr_changed(&[1, 2, 3], &[1, 2]).state_found(2, 0, &[1, 2, 3], 0);
        assert!(!holds(&story), "what was found was read before it changed");
    }
}
