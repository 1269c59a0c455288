//! Every acknowledged record is in the final leader's log.

use crate::checkers::{
    Acknowledged, Cases, Class, Evidence, Gone, Property, Rule, Subject, Verdict,
};
use crate::model::losses::Lost;
use crate::model::{Fired, Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-is-in-the-final-log",
    statement: "every record acknowledged to a producer is in the log of its partition's leader \
                at the end",
    source: "Kafka documentation, 4.7 Replication: a committed message will not be lost, as long \
             as at least one in sync replica is alive; Jepsen's Kafka checker: lost write",
    leaves_out: "records deleted by retention; records sent with acks=0, which are counted apart; \
                 the partition that a record was acknowledged in, as long as its topic has it",
    looks_at: Subject::Acknowledgements,
    class: Class::Safety,
};

/// Compares acknowledgements with the final logs.
#[derive(Debug)]
pub struct AcknowledgedIsInTheFinalLog;

impl Rule for AcknowledgedIsInTheFinalLog {
    const PROPERTY: &'static Property = &PROPERTY;

    /// The evidence is the lost record that was acknowledged first.
    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let permission = model.terms.acknowledged_loss;
        if let Some(why) = model.ledger.without_final_log() {
            return (permission, Verdict::Inconclusive(why));
        }
        let evidence = model.first_lost().map(|lost| evidence(model, lost));
        (permission, Verdict::from_evidence(evidence))
    }
}

fn evidence(model: &Model, lost: Lost) -> Evidence {
    let Lost { producer, topic, record, count, found } = lost;
    let account = &model.ledger.accounts()[producer];
    let gone = found.as_ref().and_then(|found| found.gone).map(|reign| Gone {
        time: reign.time,
        leader: model.terms.name(reign.leader),
        leader_epoch: reign.leader_epoch,
        start: reign.start,
    });
    let until = gone.as_ref().map_or(Time::MAX, |gone| gone.time);
    Evidence::Lost {
        producer: account.name.clone(),
        acks: account.terms.acks,
        topic,
        record,
        acknowledged: found.map(|found| Acknowledged {
            at: found.at,
            offset: found.offset,
            time: found.time,
        }),
        gone,
        faults: Fired::last_until(&model.faults, until),
        count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, orders};
    use crate::history::BrokerObservation;

    fn verdict(story: &Story) -> Verdict {
        let judgement = story.judgement();
        judgement.verdict(&PROPERTY).clone()
    }

    #[test]
    fn a_log_with_everything_acknowledged_is_accepted() {
        let mut story = Story::default();
        for record in 0..5 {
            story.acknowledged(record, record as i64);
        }
        story.sent(5).final_log(0..6);
        assert_eq!(verdict(&story), Verdict::Holds);
    }

    #[test]
    fn a_log_without_an_acknowledged_record_is_rejected_with_its_story() {
        let mut story = Story::default();
        for record in 0..5 {
            story.at(100 + record).acknowledged(record, record as i64);
        }
        story.at(8_000).fault("crash b2").at(8_500).undone("restart b2");
        story.at(9_000).became_leader(1, 3, 2).final_log(0..2);
        let Verdict::Violated(Evidence::Lost { record, acknowledged, gone, faults, count, .. }) =
            verdict(&story)
        else {
            panic!("three records are lost");
        };
        assert_eq!((record, count), (2, 3));
        let acknowledged = acknowledged.expect("it is in the window");
        assert_eq!((acknowledged.offset, acknowledged.time), (2, Time::from_millis(102)));
        let gone = gone.expect("a leader began at offset 2");
        assert_eq!((&*gone.leader, gone.leader_epoch, gone.start), ("b1", 3, 2));
        let told: Vec<&str> = faults.iter().map(|fault| &*fault.text).collect();
        assert_eq!(told, ["crash b2"]);
    }

    #[test]
    fn what_was_deleted_from_the_beginning_of_the_leaders_log_is_not_lost() {
        let story = |broker, start| {
            let mut story = Story::default();
            for record in 0..5 {
                story.acknowledged(record, record as i64);
            }
            let deleted = BrokerObservation::BeginningDeleted { at: orders(), start };
            story.told_by(broker, deleted).final_log(3..5);
            verdict(&story)
        };
        assert_eq!(story(1, 3), Verdict::Holds);
        // What it does not explain is lost: another offset, another broker's log.
        for (broker, start, lost) in [(1, 2, 1), (2, 3, 3)] {
            let Verdict::Violated(Evidence::Lost { count, .. }) = story(broker, start) else {
                panic!("{lost} records are lost");
            };
            assert_eq!(count, lost);
        }
    }

    #[test]
    fn nothing_is_said_without_a_final_log() {
        let mut story = Story::default();
        story.acknowledged(0, 0);
        let Verdict::Inconclusive(why) = verdict(&story) else { panic!("no log was read") };
        assert_eq!(why, "the final log of orders-0 was not read");
        story.leaderless();
        let Verdict::Inconclusive(why) = verdict(&story) else { panic!("there is no leader") };
        assert_eq!(why, "orders-0 has no leader at the end");
    }

    #[test]
    fn records_sent_with_acks_0_are_counted_apart() {
        let mut story = Story::default();
        story.acknowledged(0, -1).acknowledged(1, -1).final_log(1..2);
        assert_eq!(verdict(&story), Verdict::Holds);
        let judgement = story.judgement();
        let producer = &judgement.producers[0];
        assert_eq!((producer.acknowledged, producer.unconfirmed), (0, 2));
        assert_eq!((producer.lost, producer.lost_unconfirmed), (Some(0), Some(1)));
    }
}
