//! What the liveness properties make of the known limits of releases.

use crate::checkers::groups::told;
use crate::checkers::liveness::{
    acknowledged_is_seen, consumers_catch_up, high_watermark_reaches_the_end, partitions_are_led,
    replicas_converge, workload_completes,
};
use crate::checkers::testing::Story;
use crate::checkers::{Property, Verdict};
use crate::history::{
    BrokerObservation, ClientObservation, Election, GroupObservation, GroupState, Life,
    MemberEvent, Observation, Removal,
};
use crate::model::Permission;
use crate::vocab::{Acks, BrokerId, NodeId, TopicPartition};

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn release(story: &mut Story, text: &str) {
    story.terms.kafka = text.parse().expect("a version");
}

/// Whether the violation of a property is permitted.
fn permission(story: &Story, property: &Property) -> Permission {
    let judgement = story.judgement();
    assert!(matches!(judgement.verdict(property), Verdict::Violated(_)), "{}", property.name);
    judgement.judged(property).permission
}

/// b1 leads epoch 0 with b2 in sync; b1 lost its second record, and has written another in its place.
/// b2 has `records` of the former log, and gave up.
fn leads_on_after_a_loss(text: &str) -> Story {
    let mut story = Story::replicated();
    release(&mut story, text);
    story.elected(1, 0, &[1, 2, 3], Election::New);
    for offset in 0..3 {
        story.appended(1, offset, 0).appended(2, offset, 0);
    }
    story.loaded(1, 1).became_leader(1, 0, 1).isr_known(1, &[1, 3], 2);
    let spanning =
        BrokerObservation::Appended { at: at(), base: 1, last: 4, leader_epoch: 0, checksum: 9 };
    story.told_by(1, spanning).isr_changed(&[1, 2, 3], &[1, 3]);
    story
}

fn failed(story: &mut Story, refused: &str) {
    let (leader, end, refused) = (BrokerId(1), 3, TopicPartition::new(refused, 0));
    story.told_by(2, BrokerObservation::FetchingFailed { at: at(), leader, end, refused });
}

#[test]
fn a_follower_with_other_records_of_the_same_epoch_need_not_come_back() {
    let property = &replicas_converge::PROPERTY;
    for text in ["1.0", "2.1", "3.9"] {
        let mut story = leads_on_after_a_loss(text);
        assert_eq!(permission(&story, property), Permission::Forbidden, "{text}: gave up?");
        failed(&mut story, "orders");
        assert_eq!(permission(&story, property), Permission::Permitted, "{text}");
        story.became_follower(2, 1, 1);
        let stays = if text == "1.0" { Permission::Permitted } else { Permission::Forbidden };
        assert_eq!(permission(&story, property), stays, "{text}: a new epoch of b1");
        story.life(2, Life::Started);
        assert_eq!(permission(&story, property), Permission::Forbidden, "{text}: restarted");
    }
}

#[test]
fn a_follower_that_gives_up_a_log_that_matches_has_no_limit() {
    for text in ["1.0", "3.9"] {
        let mut story = Story::replicated();
        release(&mut story, text);
        story.elected(1, 0, &[1, 3], Election::New).isr_known(1, &[1, 3], 2);
        story.appended(1, 0, 0).appended(2, 0, 0).appended(1, 1, 0);
        failed(&mut story, "orders");
        let property = &replicas_converge::PROPERTY;
        assert_eq!(permission(&story, property), Permission::Forbidden, "{text}");
    }
}

#[test]
fn a_fetcher_that_ended_explains_its_other_partitions_as_far_as_that_is_explained() {
    let property = &replicas_converge::PROPERTY;
    let mut story = leads_on_after_a_loss("1.0");
    failed(&mut story, "payments");
    assert_eq!(permission(&story, property), Permission::Forbidden, "nothing is known of it");
    failed(&mut story, "orders");
    failed(&mut story, "payments");
    assert_eq!(permission(&story, property), Permission::Permitted);
}

#[test]
fn a_shrink_may_leave_the_high_watermark_from_2_7_to_3_0() {
    let property = &high_watermark_reaches_the_end::PROPERTY;
    let shrunk = |text: &str| {
        let mut story = Story::replicated();
        release(&mut story, text);
        story.elected(1, 0, &[1, 2, 3], Election::New).became_leader(1, 0, 0);
        story.isr_known(1, &[1, 2, 3], 2).appended(1, 0, 0).appended(2, 0, 0);
        // The change is asked for, and written.
        story.isr_wanted(1, &[1, 2, 3], &[1, 2, 3], 2).isr_known(1, &[1, 2], 2);
        story
    };
    for (text, limit) in [("2.6", false), ("2.7", true), ("3.0", true), ("3.1", false)] {
        let expected = if limit { Permission::Permitted } else { Permission::Forbidden };
        assert_eq!(permission(&shrunk(text), property), expected, "{text}");
    }
    let mut appended = shrunk("2.8");
    appended.appended(1, 1, 0).appended(2, 1, 0);
    assert_eq!(permission(&appended, property), Permission::Forbidden, "it looked with the append");
    let mut behind = shrunk("2.8");
    behind.truncated(2, 1, 0);
    assert_eq!(permission(&behind, property), Permission::Forbidden, "b2 moves");
}

/// The controller knows b2 by its first registration, and has made a broker the leader with b1 and b3 in sync.
fn bounced(text: &str, leader: i32) -> Story {
    let mut story = Story::default();
    release(&mut story, text);
    let brokers = [1, 2, 3].map(|id| (BrokerId(id), i64::from(id))).to_vec();
    story.created(&[2, 1, 3]).registered(2, 2);
    story.told_by(1, BrokerObservation::BrokersKnown { epoch: 1, brokers });
    story.elected(leader, 0, &[1, 3], Election::New);
    if leader == 1 {
        story.became_leader(1, 0, 0).isr_known(1, &[1, 3], 2);
    }
    story.life(2, Life::Crashed).life(2, Life::Started).registered(2, 9);
    story
}

#[test]
fn a_restart_that_the_controller_did_not_see_is_a_limit_before_2_2() {
    for (leader, property) in
        [(1, &replicas_converge::PROPERTY), (2, &partitions_are_led::PROPERTY)]
    {
        assert_eq!(permission(&bounced("2.1", leader), property), Permission::Permitted);
        assert_eq!(permission(&bounced("2.2", leader), property), Permission::Forbidden);
        let mut seen = bounced("2.1", leader);
        let brokers = vec![(BrokerId(2), 9)];
        seen.told_by(1, BrokerObservation::BrokersKnown { epoch: 1, brokers });
        assert_eq!(permission(&seen, property), Permission::Forbidden, "it was seen");
        let brokers = vec![(BrokerId(2), 2)];
        seen.told_by(3, BrokerObservation::BrokersKnown { epoch: 0, brokers });
        assert_eq!(permission(&seen, property), Permission::Forbidden, "an old controller");
    }
}

#[test]
fn what_too_few_replicas_keep_waiting_need_not_end_before_2_1() {
    let property = &workload_completes::PROPERTY;
    let stuck = |text: &str| {
        let mut story = Story::default();
        release(&mut story, text);
        story.created(&[1, 2]).elected(1, 0, &[1], Election::Offline).sent(0);
        story
    };
    let mut story = stuck("2.0");
    assert_eq!(permission(&story, property), Permission::Forbidden, "b2 may join");
    story.life(2, Life::Exited);
    assert_eq!(permission(&story, property), Permission::Permitted);
    story.terms.producers[0].acks = Acks::Leader;
    assert_eq!(permission(&story, property), Permission::Forbidden, "one is enough");
    let mut story = stuck("2.1");
    story.life(2, Life::Exited);
    assert_eq!(permission(&story, property), Permission::Forbidden, "delivery.timeout.ms");
}

#[test]
fn a_client_that_knows_only_stopped_brokers_is_not_waited_for() {
    let mut story = Story::default();
    let learned = ClientObservation::BrokersLearned { nodes: vec![NodeId(1), NodeId(2)] };
    story.told_by_node(Story::C0, Observation::Client(learned));
    story.created(&[1]).elected(1, 0, &[1], Election::New).became_leader(1, 0, 5);
    story.isr_known(1, &[1], 1).high_watermark(1, 5).final_log(0..0).position_reset(3);
    story.life(2, Life::Exited);
    let property = &consumers_catch_up::PROPERTY;
    assert_eq!(permission(&story, property), Permission::Forbidden, "b3 runs");
    story.life(3, Life::Exited);
    assert_eq!(permission(&story, property), Permission::Permitted);
}

/// The static member m1 came back as `new`, before b2 took its group over; then its process ended.
fn fenced(text: &str, new: &str, is_written: bool) -> Story {
    let mut story = Story::default();
    release(&mut story, text);
    story.terms.consumers[0].group = Some("g".into());
    told::becomes(&mut story, 1, GroupState::Stable, 1, &[("m1", &[0])]);
    let (group, member) = (told::group(), "m1".into());
    let why = Removal::Replaced { by: new.into() };
    let replaced = GroupObservation::MemberRemoved { group, member, why };
    told::coordinator(&mut story, 1, replaced);
    let joined = MemberEvent::Joined { protocol: "range".into(), leads: false };
    told::member(&mut story, new, 1, joined);
    if is_written {
        told::becomes(&mut story, 1, GroupState::Stable, 2, &[(new, &[0])]);
    }
    story.at(25_000);
    told::loads(&mut story, 2, 1, None);
    story.acknowledged(0, 0).final_log(0..1).consumer_life(Life::Exited);
    story
}

#[test]
fn a_static_member_that_a_new_coordinator_fences_need_not_read_on_before_2_6_1() {
    for property in [&consumers_catch_up::PROPERTY, &acknowledged_is_seen::PROPERTY] {
        for (text, expected) in [
            ("2.3", Permission::Permitted),
            ("2.6.0", Permission::Permitted),
            ("2.6.1", Permission::Forbidden),
            ("2.8", Permission::Forbidden),
        ] {
            assert_eq!(permission(&fenced(text, "m2", false), property), expected, "{text}");
        }
        let written = fenced("2.5", "m2", true);
        assert_eq!(permission(&written, property), Permission::Forbidden, "its id was written");
        let mut runs = fenced("2.5", "m2", false);
        runs.consumer_life(Life::Started);
        assert_eq!(permission(&runs, property), Permission::Forbidden, "it was not fenced");
    }
    let judgement = fenced("2.5", "m2", false).judgement();
    let Verdict::Violated(evidence) = judgement.verdict(&consumers_catch_up::PROPERTY) else {
        panic!("a record is not read");
    };
    let why = "c0 ended: b2, which coordinates its group since 25.000s, knows the id of its life \
               before (KAFKA-10284)";
    assert_eq!(evidence.because(), [why.to_owned()]);
}
