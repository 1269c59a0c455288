//! Small scenarios made from public reports, and what Kafka does in them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use kafka_sim::checkers::{Judgement, RunOutcome, Status, Verdict};
use kafka_sim::report::{Provenance, Style};
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario;
use kafka_sim::vocab::Seed;

fn run(text: &str, seed: u64) -> RunOutcome {
    let scenario = scenario::parse("case.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"));
    run::run_plan(scenario.plan(Seed(seed)), RunOptions::default()).expect("no event log")
}

fn report(outcome: &RunOutcome) -> String {
    kafka_sim::report::text(outcome, &Provenance::default(), Style::Plain)
}

fn verdict<'a>(judgement: &'a Judgement, property: &str) -> &'a Verdict {
    let judged = judgement.verdicts.iter().find(|judged| judged.property.name == property);
    &judged.expect("a property").verdict
}

/// A server tracks a session before its creation is in the log: with a slow disk it expires unborn, and rightly.
#[test]
fn a_session_may_expire_before_its_creation_is_logged() {
    let text = r#"
        kafka = "2.8"
        duration = "30s"
        cluster = {brokers = 1}
        broker = {"zookeeper.session.timeout.ms" = 6000}
        topic = [{name = "t"}]
        fault = [
            {at = "5s", slow-disk = "z1", fsync = "10s"},
            {at = "6s", crash = "b1", restart-after = "1s"},
        ]
    "#;
    for seed in 0..10 {
        let outcome = run(text, seed);
        assert_eq!(outcome.judgement.status(), Status::Held, "{seed}: {outcome}");
    }
}

/// A producer that starts again counts on from 0, as an application that does so; its records are others.
#[test]
fn a_producers_second_life_does_not_hide_what_its_first_one_lost() {
    let of = |restart: &str| {
        format!(
            r#"
            kafka = "2.8"
            duration = "40s"
            cluster = {{brokers = 2}}
            topic = [{{name = "t", assignment = [[1, 2]]}}]
            producer = [{{name = "p0", topic = "t", acks = 1, rate = "20/s"}}]
            fault = [
                {{at = "2s", cut = "b1", to = "b2"}},
                {{at = "5s", crash = "b1"}},
                {restart}
            ]
            "#
        )
    };
    for seed in 1..4 {
        let outcome = run(&of(r#"{at = "5s", crash = "p0", restart-after = "10s"}"#), seed);
        let producer = &outcome.judgement.producers[0];
        // From the cut to the crash: 3 s, 20 records a second.
        let lost = producer.lost.expect("there is a final log");
        assert!((58..=61).contains(&lost), "{seed}: {outcome}");
        assert_eq!(producer.duplicated, 0, "{outcome}");
        assert_eq!(verdict(&outcome.judgement, "operations-end-once"), &Verdict::Holds);
        assert_eq!(outcome.judgement.status(), Status::Violated, "{outcome}");
        let without = run(&of(""), seed);
        assert_eq!(without.judgement.producers[0].lost, Some(lost), "{without}");
    }
}

/// KAFKA-5621's rule came with 2.1; before, a batch expires when `linger.ms` and `request.timeout.ms` have passed
/// since it was created, full or not.
#[test]
fn full_batches_expire_by_the_same_rule_before_2_1() {
    let text = r#"
        kafka = "1.0"
        duration = "70s"
        cluster = {brokers = 1}
        topic = [{name = "t"}]
        producer = [{name = "p0", topic = "t", acks = 1, rate = "10/s", record-size = "1KiB",
            "request.timeout.ms" = 20000}]
        fault = [{at = "5s", crash = "b1", restart-after = "60s"}]
    "#;
    let scenario = scenario::parse("case.toml", text).expect("a scenario");
    let log = Shared::default();
    let options = RunOptions { events: Some(Box::new(log.clone())), ..RunOptions::default() };
    run::run_plan(scenario.plan(Seed(1)), options).expect("memory takes all");
    let log = String::from_utf8(log.0.lock().expect("no test panicked").clone()).expect("text");
    let ended = |op: u64| {
        let found = format!("p0 observed: completed {op}: failed, DELIVERY_TIMED_OUT");
        let line = log.lines().find(|line| line.contains(&found));
        let line = line.unwrap_or_else(|| panic!("record {op} was given up"));
        line.split(' ').nth(1).expect("a time").parse::<f64>().expect("a number")
    };
    // Record 49 is queued at 5.12 s, when the connection is gone; the producer looks again within the millisecond.
    assert!((25.12..25.13).contains(&ended(49)), "{}", ended(49));
}

/// A writer whose bytes others can see.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Three partitions go on: only that of the dead leader is without acknowledgements.
#[test]
fn one_dead_partition_is_unavailable_however_well_the_others_do() {
    let text = r#"
        kafka = "2.8"
        duration = "100s"
        cluster = {brokers = 4}
        topic = [{name = "t", assignment = [[1], [2], [3], [4]]}]
        producer = [{name = "p0", topic = "t", acks = "all", rate = "40/s"}]
        fault = [{at = "10s", crash = "b1", restart-after = "60s"}]
        expect = {unavailable-at-most = "5s"}
    "#;
    for seed in 1..4 {
        let outcome = run(text, seed);
        let judgement = &outcome.judgement;
        let Verdict::Violated(evidence) = verdict(judgement, "availability") else {
            panic!("{seed}: {outcome}");
        };
        assert!(evidence.to_string().starts_with("t-0 had no acknowledgement from "), "{evidence}");
        let dead: Vec<_> = judgement
            .partitions
            .iter()
            .map(|partition| partition.longest_gap.to.since(partition.longest_gap.from).as_secs())
            .collect();
        // A minute, up to 4 s for the start and up to 1 s more until it serves.
        assert!((60..=65).contains(&dead[0]), "{dead:?}");
        assert!(dead[1..].iter().all(|seconds| *seconds < 10), "{dead:?}");
        assert!(report(&outcome).contains("\nt-0 "), "{}", report(&outcome));
    }
}

/// A run in which nothing was acknowledged shows nothing; why is in the report by name.
#[test]
fn a_run_in_which_nothing_was_acknowledged_is_inconclusive_and_tells_the_refusals() {
    let text = r#"
        kafka = "2.8"
        duration = "20s"
        cluster = {brokers = 3}
        topic = [{name = "t", replication-factor = 1, "min.insync.replicas" = 2}]
        producer = [{name = "p0", topic = "t", acks = "all", rate = "5/s",
            "delivery.timeout.ms" = 30000}]
    "#;
    let outcome = run(text, 1);
    assert_eq!(outcome.judgement.status(), Status::Inconclusive, "{outcome}");
    let producer = &outcome.judgement.producers[0];
    // What expires while an answer is under way is unknown.
    assert_eq!((producer.sent, producer.failed + producer.unknown), (99, 99));
    assert!(producer.failed > 90, "{outcome}");
    let refused = producer.refused["NOT_ENOUGH_REPLICAS"];
    assert!(refused >= 99, "{outcome}");
    assert!(outcome.to_string().contains("was acknowledged"), "{outcome}");
    let text = report(&outcome);
    assert!(text.contains("refuses a request of p0: NOT_ENOUGH_REPLICAS"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("p0  ") && line.contains("REPLICAS 1,")));
    let json = serde_json::to_value(&outcome).expect("plain data");
    assert_eq!(json["producers"][0]["refused"]["NOT_ENOUGH_REPLICAS"], refused);
    assert_eq!(json["happened"]["request-refused"]["count"], refused);
}
