//! A coordinator takes over from another one, and gives its transactional ids up.

use std::time::Duration;

use super::world::World;

fn begun(version: &str) -> (World, (i64, i16)) {
    let mut world = World::new(version);
    let (_, producer, epoch) = world.init("x");
    (world, (producer, epoch))
}

#[test]
fn the_next_coordinator_goes_on_where_the_last_one_was() {
    let (mut world, x) = begun("2.8");
    world.add("x", x);
    let mut next = World::before("2.8", |_| {});
    next.log = world.log.clone();
    assert_eq!(next.add("x", x), 16, "NOT_COORDINATOR");
    next.act(|transactions, cx| transactions.elected(cx, 0, 1));
    assert_eq!(next.add("x", x), 14, "COORDINATOR_LOAD_IN_PROGRESS");
    next.pass(Duration::from_millis(5));
    assert_eq!(next.add("x", x), 0);
    assert_eq!(next.log.len(), world.log.len(), "the partition is part of it");
    assert_eq!(next.end("x", x, true), 0);
    assert_eq!(next.states(), [0, 1, 2, 4]);
}

#[test]
fn markers_are_sent_again_by_the_next_coordinator() {
    for (version, commit) in [("0.11", true), ("2.8", false), ("3.9", true)] {
        let (mut world, x) = begun(version);
        world.add("x", x);
        world.holds_markers = true;
        world.end("x", x, commit);
        // It comes back in the next epoch; what was sent in the one before does not count.
        let (old, _) = world.markers[0].clone();
        world.act(|transactions, cx| transactions.resigned(cx, 0, Some(1)));
        assert_eq!(world.end("x", x, commit), 16, "{version}");
        world.elect(2);
        assert_eq!(world.markers.len(), 1, "{version}: one request is in flight");
        let before = world.states().len();
        world.answer_markers(0);
        assert_eq!(world.states().len(), before, "{version}: the answer is for the last epoch");
        let (to, markers) = world.markers[0].clone();
        assert_eq!(markers[0].coordinator_epoch, 2, "{version}");
        assert_ne!(to.correlation_id, old.correlation_id);
        assert_eq!(markers[0].transaction_result, commit, "{version}");
        world.answer_markers(0);
        // KAFKA-16352: up to 3.7.0 the answer to the markers of before ended what waits for these.
        let last = match (version, commit) {
            ("3.9", true) => 4,
            (_, true) => 2,
            (_, false) => 3,
        };
        assert_eq!(*world.states().last().unwrap(), last, "{version}");
    }
}

#[test]
fn an_append_of_the_last_epoch_changes_nothing() {
    let (mut world, x) = begun("2.8");
    world.holds_appends = true;
    let conn = world.send_add(World::add_request("x", x, &[("t", &[0])]));
    world.act(|transactions, cx| transactions.resigned(cx, 0, Some(1)));
    let log = world.log.split_off(1);
    world.elect(2);
    world.release();
    assert_eq!(world.added(conn)[0].2, 16, "NOT_COORDINATOR");
    assert_eq!(log.len(), 1);
    world.holds_appends = false;
    assert_eq!(world.end("x", x, true), 48, "the log that it loaded has no partition");
}

#[test]
fn a_load_that_is_not_wanted_any_more_loads_nothing() {
    let (world, _) = begun("2.8");
    let mut next = World::before("2.8", |_| {});
    next.log = world.log.clone();
    next.act(|transactions, cx| transactions.elected(cx, 0, 1));
    next.act(|transactions, cx| transactions.resigned(cx, 0, None));
    next.pass(Duration::from_millis(5));
    assert_eq!(next.init("x").0, 16, "NOT_COORDINATOR");
}
