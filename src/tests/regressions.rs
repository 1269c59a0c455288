//! Runs that failed once, and why: each was understood, and has to come to what it says from now on.

use kafka_sim::checkers::{Status, Verdict};
use kafka_sim::run;

use crate::source::root;

/// A run, what it once failed by, and whether that is something that happens, and is permitted.
const ONCE_FAILED: &[(&str, u64, &str, bool)] = &[
    // The controller's write of a changed ISR is repeated when its answer was lost with a connection, and runs into
    // itself. It tells the leader INVALID_UPDATE_VERSION, and the leader waits until the next election: Kafka's
    // own doing, in 2.7 to 3.9.
    ("ensemble_faults", 457, "replicas-converge", true),
    // A leader's session ends while its write of a join is under way. The join stands, the leader never hears so,
    // and moves its high watermark without the replica that joined: what KIP-497 (2.7) ended. A consumer reads a
    // record that the next leader lacks.
    ("fast_elections_2_4", 394, "zookeeper-isr-has-committed", true),
    ("fast_elections_2_4", 394, "each-offset-holds-one-record", true),
    // a ZooKeeper server's leader that stood still reads its majority's answers after a newer epoch began. It decides
    // nothing: the checker was wrong.
    ("ensemble_faults", 1808, "one-zookeeper-leader-per-epoch", false),
];

#[test]
fn what_failed_once_is_as_it_was_explained() {
    for (scenario, seed, property, happens) in ONCE_FAILED {
        let path = root().join("scenarios").join(scenario).with_extension("toml");
        let outcome = run::seed(path, *seed).expect("a scenario");
        let judged =
            outcome.judgement.verdicts.iter().find(|judged| judged.property.name == *property);
        let judged = judged.expect("a property");
        assert_eq!(judged.status(), Status::Held, "{scenario} {seed}: {:?}", judged.verdict);
        let has_happened = matches!(judged.verdict, Verdict::Violated(_));
        assert_eq!(has_happened, *happens, "{scenario} {seed}: {property}");
        assert_eq!(outcome.judgement.status(), Status::Held, "{scenario} {seed}");
    }
}

#[test]
fn what_kafka_leaves_undone_is_told() {
    let scenario = root().join("scenarios/idle_leader.toml");
    let outcome = run::seed(scenario, 26).expect("a scenario");
    assert_eq!(outcome.judgement.status(), Status::NotConverged);
    assert!(outcome.violates("high-watermark-reaches-the-end"), "{outcome}");
}
