//! A leader that was elected from the in-sync replicas has every committed record.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject, offsets};
use crate::history::BrokerObservation;
use crate::model::Permission;
use crate::model::replicas::CommittedTruncation;
use crate::releases::Truncation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "committed-is-durable",
    statement: "a leader elected from the in-sync replicas has every record that was ever below \
                the high watermark of the leader named in ZooKeeper",
    source: "Kafka documentation, 4.7 Replication: a new leader has all committed messages; \
             KIP-101, KIP-966",
    leaves_out: "what an unclean election loses, which is counted but permitted; records older \
                 than the last thousands of committed batches; records deleted by retention",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// How a release truncates, and what it lets happen.
fn rule(truncation: Truncation) -> &'static str {
    match truncation {
        Truncation::HighWatermark => {
            "before 0.11 a follower truncates to its own high watermark, which may be behind what \
             is committed (KIP-101)"
        }
        Truncation::Kip101 => {
            "before 2.0 a leader answers for an epoch that it does not have with a later one \
             (KIP-279)"
        }
        Truncation::Kip279 => "before 2.1 a leader of another epoch is believed (KIP-320)",
        Truncation::Kip320 | Truncation::OnFetch => "its leader's log parts there",
    }
}

/// Looks at new leaders.
#[derive(Debug)]
pub struct CommittedIsDurable;

impl Rule for CommittedIsDurable {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::BecameLeader { at, leader_epoch, start, .. } = did else { return };
        let Some(lost) = event.model.replicas.lost() else { return };
        let loss = event.model.terms.acknowledged_loss;
        found.found(if lost.unclean { Permission::Permitted } else { loss }, || {
            let (leader, time) = (event.name(), event.time);
            let (lost_offsets, were, them) = offsets(lost.from, lost.to);
            let case = event.case(format!(
                "{at} {lost_offsets} {were} committed; {leader} became leader of epoch \
                 {leader_epoch} at {time:.3} without {them}"
            ));
            let restarted = lost.lost_at.map(|lost_at| {
                format!("{leader} restarted at {lost_at:.3} without records that it had before")
            });
            let uncleanly = if lost.unclean { "uncleanly " } else { "" };
            let elected = format!("{leader} was {uncleanly}elected with log end offset {start}");
            let truncation = event.model.terms.kafka.truncation();
            let truncated = lost.truncation.map(|CommittedTruncation { time, to }| {
                let rule = rule(truncation);
                format!("{leader} truncated its log to {to} at {time:.3}: {rule}")
            });
            let because = restarted.into_iter().chain(truncated).chain([elected]);
            case.in_partition(at).from_offset(lost.from).because(because)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::releases::KafkaVersion;

    /// b1 has led, and one of two records is committed.
    fn committed() -> Story {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).appended(1, 1, 0);
        story
    }

    #[test]
    fn a_leader_without_what_was_not_committed_is_accepted() {
        let mut story = committed();
        story.stored(Some(2), 1, &[2], 1).became_leader(2, 1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_leader_without_a_committed_record_is_rejected_once() {
        let mut story = committed();
        story.at(4_000).stored(Some(3), 1, &[3, 2], 1);
        story.at(5_000).became_leader(3, 1, 0);
        // b3 was not in sync: counted only.
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
        let mut story = committed();
        story.stored(Some(1), 0, &[1, 2, 3], 1).at(5_000).stored(Some(3), 1, &[3, 2], 1);
        story.became_leader(3, 1, 0).truncated(2, 1, 0).became_leader(3, 1, 0);
        let evidence = story.violation(&PROPERTY).expect("it had one record");
        assert_eq!(
            evidence,
            "orders-0 offset 0 was committed; b3 became leader of epoch 1 at 5.000s without it"
        );
    }

    #[test]
    fn what_a_follower_truncated_is_shown_with_the_rule_of_the_release() {
        let mut story = committed();
        story.terms.kafka = KafkaVersion::new(0, 10);
        story.at(4_000).stored(Some(2), 1, &[2, 3], 1).truncated(2, 1, 0);
        story.at(5_000).became_leader(2, 1, 0);
        let judgement = story.judgement();
        let crate::checkers::Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("the only copy in sync is gone");
        };
        assert_eq!(
            evidence.because()[0],
            "b2 truncated its log to 0 at 4.000s: before 0.11 a follower truncates to its own \
             high watermark, which may be behind what is committed (KIP-101)"
        );
    }

    #[test]
    fn what_a_disk_lost_is_shown_with_the_time() {
        let mut story = committed();
        story.stored(Some(1), 0, &[1], 1).at(2_000).loaded(1, 0);
        story.stored(Some(1), 1, &[1], 1).became_leader(1, 1, 0);
        let judgement = story.judgement();
        let crate::checkers::Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("the only copy in sync is gone");
        };
        assert_eq!(
            evidence.because()[0],
            "b1 restarted at 2.000s without records that it had before"
        );
        assert_eq!(judgement.judged(&PROPERTY).permission, Permission::Forbidden);
    }
}
