//! What an event costs does not depend on how many partitions and clients there are, and what a run holds grows with
//! them, not with their square.
//!
//! Measured is what is allocated: no other load on the machine changes that. What costs time without memory is counted
//! in instructions, by `src/tests/clients/scale.rs`.

#[path = "scale/growth.rs"]
mod growth;
#[path = "scale/sizes.rs"]
mod sizes;

use std::sync::Mutex;

use cap::Cap;
use growth::assert_flat;
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario;
use kafka_sim::vocab::Seed;

#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Held by the test that runs: what is allocated is counted for the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// Bytes that a run allocates, and its events.
fn allocated(text: &str) -> (u64, u64) {
    let plan = match scenario::parse("scale.toml", text) {
        Ok(scenario) => scenario.plan(Seed(1)),
        Err(wrong) => panic!("{}", wrong.render()),
    };
    let before = ALLOCATOR.total_allocated();
    let outcome = run::run_plan(plan, RunOptions::default()).expect("nothing is written");
    assert!(outcome.held(), "{outcome}");
    ((ALLOCATOR.total_allocated() - before) as u64, outcome.events)
}

/// Fails when what an event costs grows faster than the size does: `costs` are of rising sizes, each with its events.
/// What a fetch costs grows with the partitions that it names, as in Kafka without incremental fetch sessions
/// (KIP-227).
fn assert_linear(what: &str, costs: &[(u32, u64, u64)]) {
    let each: Vec<(f64, f64)> = costs
        .iter()
        .map(|&(size, cost, events)| (f64::from(size), cost as f64 / events as f64))
        .collect();
    let slopes: Vec<f64> =
        each.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
    for pair in slopes.windows(2) {
        assert!(pair[1] <= pair[0].max(0.0) * 1.5, "{what}, for an event, by size: {each:?}");
    }
}

#[test]
fn an_event_among_many_partitions_costs_what_its_fetch_names() {
    let _turn = TURN.lock();
    let costs = [50, 200, 800].map(|size| {
        let (bytes, events) = allocated(&sizes::scenario(size, 1, 1, 3));
        (size, bytes, events)
    });
    assert_linear("bytes allocated", &costs);
}

#[test]
fn an_event_among_many_partitions_allocates_little_more_with_fetch_sessions() {
    let _turn = TURN.lock();
    let costs = [1, 1_000].map(|partitions| {
        let run = |seconds| allocated(&sizes::with_sessions(partitions, seconds));
        let ((two, fewer), (four, more)) = (run(2), run(4));
        (four - two) as f64 / (more - fewer) as f64
    });
    // What is left are the consumer's own list of what it fetches, and checkpoints that name all partitions.
    assert!(costs[1] <= 4.0 * costs[0], "{costs:?}");
}

#[test]
fn what_a_group_costs_grows_with_its_partitions() {
    let _turn = TURN.lock();
    let costs = [100, 300, 1_000].map(|partitions| {
        let text = sizes::consumers(partitions, partitions / 20, true, 12);
        (partitions, allocated(&text).0, u64::from(partitions))
    });
    assert_flat("bytes allocated for each partition", &costs);
}

#[test]
fn an_event_costs_as_much_with_a_group_or_transactions_as_without() {
    let _turn = TURN.lock();
    let each = |text: &str| {
        let (bytes, events) = allocated(text);
        bytes as f64 / events as f64
    };
    let (alone, group) =
        (sizes::consumers(100, 10, false, 12), sizes::consumers(100, 10, true, 12));
    let [plain, idempotent, transactional] =
        ["plain", "idempotent", "transactional"].map(|kind| sizes::producer(kind, 12));
    let pairs = [(alone, group), (plain.clone(), idempotent), (plain, transactional)];
    for (without, with) in pairs {
        let (without, with) = (each(&without), each(&with));
        assert!(with <= 1.1 * without, "bytes for an event: {without:.0} without, {with:.0} with");
    }
}

#[test]
fn an_event_among_many_clients_costs_what_it_costs_among_few() {
    let _turn = TURN.lock();
    let costs = [50, 200, 800].map(|size| {
        let (bytes, events) = allocated(&sizes::scenario(1, size / 2, size / 2, 3));
        (size, bytes, events)
    });
    assert_flat("bytes allocated", &costs);
}
