//! What the history gets to know.

use std::time::Duration;

use super::world::World;

#[test]
fn a_transaction_is_told_from_its_producer_to_its_end() {
    let mut world = World::new("2.8");
    let elected = "coordinates the transactional ids of __transaction_state-0 in epoch 0";
    assert_eq!(world.facts(), [elected]);
    let (_, producer, epoch) = world.init("x");
    assert_eq!(world.add("x", (producer, epoch)), 0);
    world.holds_markers = true;
    assert_eq!(world.end("x", (producer, epoch), true), 0);
    assert_eq!(
        world.facts(),
        [
            "transactional id x is Empty, producer 1001 in epoch 0",
            "transactional id x is Ongoing, producer 1001 in epoch 0, partitions t-0",
            "transactional id x is PrepareCommit, producer 1001 in epoch 0, partitions t-0",
        ]
    );
    world.answer_markers(0);
    let complete = "transactional id x is CompleteCommit, producer 1001 in epoch 0";
    assert_eq!(world.facts(), [complete]);
}

#[test]
fn what_is_not_written_is_not_told_and_the_next_coordinator_says_what_it_loads() {
    let mut world = World::new("2.8");
    let (_, producer, epoch) = world.init("x");
    world.facts();
    world.holds_appends = true;
    world.send_add(World::add_request("x", (producer, epoch), &[("t", &[0])]));
    world.act(|transactions, cx| transactions.resigned(cx, 0, Some(1)));
    world.release();
    let resigned = "no longer coordinates the transactional ids of __transaction_state-0";
    assert_eq!(world.facts(), [resigned], "it is written, and its coordinator is none any more");
    world.elect(2);
    assert_eq!(
        world.facts(),
        [
            "loaded transactional id x: Ongoing, producer 1001 in epoch 0, partitions t-0",
            "coordinates the transactional ids of __transaction_state-0 in epoch 2",
        ]
    );
    // It is over its timeout, and fenced.
    world.holds_appends = false;
    world.holds_markers = true;
    world.pass(Duration::from_secs(80));
    let aborts = "transactional id x is PrepareAbort, producer 1001 in epoch 1, partitions t-0";
    assert_eq!(world.facts(), [aborts]);
}
