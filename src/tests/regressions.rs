//! Runs that failed once, and why: each was understood, and ends as it says here from now on.

use kafka_sim::checkers::RunOutcome;
use kafka_sim::checkers::{Judged, Status, Verdict};
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario;
use kafka_sim::vocab::Seed;

use crate::source::root;

/// A run, the property that it failed, and whether that failure is real and permitted.
const ONCE_FAILED: &[(&str, u64, &str, bool)] = &[
    // The controller's write of a changed ISR is repeated when its answer was lost with a connection, and runs into
    // itself. It answers INVALID_UPDATE_VERSION, and the leader waits until the next election: as Kafka 2.7
    // to 3.9 does.
    ("ensemble_faults", 222, "replicas-converge", true),
    // A paused ZooKeeper leader reads the answers of its majority after a newer epoch began. It decides nothing: the
    // checker was wrong.
    ("ensemble_faults", 1808, "one-zookeeper-leader-per-epoch", false),
];

#[test]
fn what_failed_once_is_as_it_was_explained() {
    for (scenario, seed, property, happens) in ONCE_FAILED {
        let path = root().join("scenarios").join(scenario).with_extension("toml");
        let outcome = run::seed(path, *seed).expect("a scenario");
        let judged = judged(&outcome, property);
        assert_eq!(judged.status(), Status::Held, "{scenario} {seed}: {:?}", judged.verdict);
        let has_happened = matches!(judged.verdict, Verdict::Violated(_));
        assert_eq!(has_happened, *happens, "{scenario} {seed}: {property}");
        assert_eq!(outcome.judgement.status(), Status::Held, "{scenario} {seed}");
    }
}

#[test]
fn what_kafka_leaves_undone_is_reported() {
    let scenario = root().join("scenarios/exits_rather_than_truncate.toml");
    let outcomes = (1..=20).map(|seed| run::seed(scenario.clone(), seed).expect("a scenario"));
    let is_undone = |outcome: &RunOutcome| outcome.judgement.status() == Status::NotConverged;
    let outcome = outcomes.into_iter().find(is_undone).expect("one of 20 seeds shows it");
    assert!(outcome.violates("partitions-are-led"), "{outcome}");
}

/// KAFKA-13091: the last record waits above the high watermark for an append that nobody makes.
#[test]
fn a_shrink_after_the_last_append_leaves_the_high_watermark_in_2_8() {
    let run = |release: &str| {
        let text = format!(
            r#"
            kafka = "{release}"
            duration = "30s"
            cluster = {{brokers = 4}}
            broker = {{"zookeeper.session.timeout.ms" = 60_000, "replica.lag.time.max.ms" = 3_000}}
            topic = [{{name = "t", assignment = [[1, 2, 3]]}}]
            producer = [{{name = "p0", topic = "t", acks = 1, rate = "20/s"}}]
            fault = [{{at = "29s", crash = "b3"}}]
            "#
        );
        outcome_of(&text, 1)
    };
    for (release, waits) in [("2.6", false), ("2.8", true), ("3.9", false)] {
        let outcome = run(release);
        assert_eq!(outcome.judgement.status(), Status::Held, "{outcome}");
        let judged = judged(&outcome, "high-watermark-reaches-the-end");
        assert_eq!(matches!(judged.verdict, Verdict::Violated(_)), waits, "{outcome}");
    }
}

/// What the judgement of a run says of a property.
fn judged<'a>(outcome: &'a RunOutcome, property: &str) -> &'a Judged {
    let mut verdicts = outcome.judgement.verdicts.iter();
    verdicts.find(|judged| judged.property.name == property).expect("a property")
}

/// KIP-101, scenario 1: a generated run of 0.10 lost an acknowledged record, as that release does. b3 truncates to the
/// high watermark that it knows, b2 is cut off before b3 has the record again, and b3 is elected.
#[test]
fn before_0_11_what_is_above_a_followers_high_watermark_can_be_lost() {
    let run = |release: &str| {
        let text = format!(
            r#"
            kafka = "{release}"
            duration = "40s"
            cluster = {{brokers = 3}}
            broker = {{"zookeeper.session.timeout.ms" = 6_000}}
            topic = [{{name = "t", assignment = [[1, 2, 3]], "min.insync.replicas" = 2}}]
            producer = [{{name = "p0", topic = "t", acks = "all", rate = "10/s"}}]
            network = {{latency = "1ms..5ms"}}
            fault = [
                {{at = "10s", pause = "b1", resume-after = "14s"}},
                {{at = "12s", partition = "b2", heal-after = "14s"}},
            ]
            "#
        );
        (1..=4).map(|seed| outcome_of(&text, seed)).collect::<Vec<_>>()
    };
    let property = "committed-is-durable";
    let outcomes = run("0.10");
    let lost = outcomes.iter().find(|outcome| outcome.violates(property));
    let lost = lost.expect("one of four seeds loses a record");
    let Verdict::Violated(evidence) = &judged(lost, property).verdict else { unreachable!() };
    let why = &evidence.because()[0];
    assert!(why.starts_with("b3 truncated its log to ") && why.ends_with("(KIP-101)"), "{why}");
    assert!(run("0.11").iter().all(RunOutcome::held));
}

/// KAFKA-10284: a generated run of 2.5 did not converge. w0 comes back as another member, which is not written. The
/// next coordinator fences it.
#[test]
fn before_2_6_1_a_static_member_that_came_back_is_fenced_by_the_next_coordinator() {
    let run = |release: &str| {
        let text = format!(
            r#"
            kafka = "{release}"
            duration = "30s"
            cluster = {{brokers = 3}}
            broker = {{"offsets.topic.num.partitions" = 1}}
            topic = [{{name = "t"}}]
            producer = [{{name = "p0", topic = "t", acks = "all", rate = "20/s"}}]
            fault = [
                {{at = "12s", crash = "w0", restart-after = "1s"}},
                {{at = "18s", shutdown = "coordinator(g)", restart-after = "1s"}},
            ]
            [[consumer]]
            name = "w0"
            topics = ["t"]
            group = "g"
            "group.instance.id" = "i0"
            "auto.offset.reset" = "earliest"
            "#
        );
        outcome_of(&text, 1)
    };
    for (release, ends) in [("2.5", true), ("2.6.1", false)] {
        let outcome = run(release);
        assert!(outcome.held(), "{outcome}");
        for property in ["consumers-catch-up", "acknowledged-is-seen"] {
            let verdict = &judged(&outcome, property).verdict;
            assert_eq!(matches!(verdict, Verdict::Violated(_)), ends, "{outcome}");
        }
    }
}

/// The outcome of a scenario that is given as text.
fn outcome_of(text: &str, seed: u64) -> RunOutcome {
    let scenario = scenario::parse("regression.toml", text).expect("a valid scenario");
    run::run_plan(scenario.plan(Seed(seed)), RunOptions::default())
        .expect("no event log is written")
}

/// Scenarios in which a property once saw something wrong, and nothing was.
const FALSE_ALARMS: &[(&str, &str)] = &[
    (
        "more than 4,096 deletions of the same two znodes",
        r#"
            kafka = "2.8"
            duration = "30s"
            cluster = {brokers = 1}
            zookeeper-client = [{name = "k", count = 3, rate = "1000/s", znodes = 2}]
        "#,
    ),
    (
        "clients restart, and begin to count their records from the beginning",
        r#"
            kafka = "2.8"
            duration = "20s"
            cluster = {brokers = 1}
            topic = [{name = "t"}]
            producer = [{name = "p0", topic = "t", acks = "all", rate = "20/s"}]
            consumer = [{name = "c0", topics = ["t"]}]
            zookeeper-client = [{name = "k", rate = "50/s", znodes = 2}]
            fault = [
                {at = "5s", crash = "p0", restart-after = "1s"},
                {at = "7s", crash = "c0", restart-after = "1s"},
                {at = "9s", power-loss = "k", restart-after = "1s"},
                {at = "12s", shutdown = "p0", restart-after = "1s"},
            ]
        "#,
    ),
    (
        "a session expires before its creation is on the disk",
        r#"
            kafka = "2.8"
            duration = "30s"
            cluster = {brokers = 1}
            broker = {"zookeeper.session.timeout.ms" = 6000}
            topic = [{name = "t"}]
            fault = [
                {at = "5s", slow-disk = "z1", fsync = "10s"},
                {at = "6s", crash = "b1", restart-after = "1s"},
            ]
        "#,
    ),
    (
        "a local session is unknown to the next server",
        r#"
            kafka = "2.8"
            duration = "30s"
            cluster = {brokers = 3, zookeepers = 3}
            zookeeper = {localSessionsEnabled = true}
            topic = [{name = "t"}]
            fault = [{at = "8s", reset = "b1"}]
        "#,
    ),
];

#[test]
fn nothing_is_violated_where_nothing_was_wrong() {
    for (what, text) in FALSE_ALARMS {
        for seed in 1..=3 {
            let outcome = outcome_of(text, seed);
            assert_ne!(outcome.judgement.status(), Status::Violated, "{what}: {outcome}");
        }
    }
}

/// A scenario of 20 s with this topic, these faults and these expectations.
fn short(topic: &str, rest: &str) -> RunOutcome {
    let text = format!(
        r#"
        kafka = "2.8"
        duration = "20s"
        cluster = {{brokers = 3}}
        topic = [{topic}]
        producer = [{{name = "p0", topic = "t", acks = "all", rate = "5/s"}}]
        {rest}
        "#
    );
    outcome_of(&text, 1)
}

#[test]
fn a_fault_without_effect_is_said_and_leaves_open_what_was_expected_of_it() {
    let topic = r#"{name = "t", replication-factor = 3}"#;
    let faults = r#"fault = [
            {at = "0s", crash = "leader(t-0)", restart-after = "1s"},
            {at = "5s", restart = "b1"},
            {at = "6s", reset = "p0", to = "z1"},
        ]"#;
    let outcome = short(topic, faults);
    assert_eq!(outcome.judgement.status(), Status::Held, "{outcome}");
    let idle = outcome.judgement.faults.iter().filter_map(|fault| fault.no_effect.as_deref());
    let expected = ["no node was leader(t-0)", "b1 ran already", "p0 had no connection"];
    assert_eq!(idle.collect::<Vec<_>>(), expected);
    for expect in [r#"never = ["record-lost"]"#, r#"unavailable-at-most = "10s""#] {
        let outcome = short(topic, &format!("{faults}\n        expect = {{{expect}}}"));
        assert_eq!(outcome.judgement.status(), Status::Inconclusive, "{expect}: {outcome}");
    }
}
