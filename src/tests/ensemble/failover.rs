//! How long an ensemble is without a leader, beside what was measured of a real one (ZooKeeper 3.8.0, three
//! servers): killed, 0.37 to 0.71 s until the first write of a new session; frozen, 9.7 to 9.9 s with ticks of 2 s
//! and 1.5 to 1.8 s with ticks of 200 ms.

use std::ops::RangeInclusive;

use kafka_sim::vocab::{Seed, Time};

use super::SECOND;
use super::world::Ensemble;

/// Milliseconds from `fault` until a new leader serves, and until every client has written again.
fn outage(tick_ms: u32, seed: u64, fault: fn(&mut Ensemble, u16)) -> (u64, u64) {
    let mut ensemble = Ensemble::with_tick(3, 3, Seed(seed), tick_ms);
    ensemble.run(6 * SECOND);
    let leader = ensemble.world.observer().leading.expect("somebody leads");
    let epochs = ensemble.world.observer().leaders.len();
    let begun = ensemble.world.now();
    fault(&mut ensemble, leader);
    let since = |ensemble: &Ensemble| ensemble.world.now().since(begun).as_millis() as u64;
    let until = |ensemble: &mut Ensemble, done: &dyn Fn(&Ensemble) -> bool| {
        while !done(ensemble) {
            ensemble.run(5);
            assert!(since(ensemble) < 60 * SECOND, "no end of the outage");
        }
        since(ensemble)
    };
    let led = until(&mut ensemble, &|e| e.world.observer().leaders.len() > epochs);
    let led_at = ensemble.world.now();
    let wrote = |at: Option<Time>| at.is_some_and(|at| at > led_at);
    let all_wrote = |e: &Ensemble| (0..3).all(|client| wrote(e.client(client).told.last_write_at));
    (led, until(&mut ensemble, &all_wrote))
}

fn all_within(range: RangeInclusive<u64>, tick_ms: u32, fault: fn(&mut Ensemble, u16)) {
    for seed in 0..8 {
        let (led, wrote) = outage(tick_ms, seed, fault);
        assert!(range.contains(&led), "seed {seed}: a new leader after {led} ms");
        // A client's own pauses: up to a second before each server that it tries.
        assert!(wrote <= led + 4 * SECOND, "seed {seed}: {led} ms, writes after {wrote} ms");
    }
}

#[test]
fn a_killed_leader_is_replaced_after_the_election_whatever_the_tick() {
    all_within(205..=710, 2_000, Ensemble::crash);
    all_within(205..=710, 200, Ensemble::crash);
}

#[test]
fn a_frozen_leader_costs_the_sync_limit() {
    all_within(9_000..=11_000, 2_000, Ensemble::pause);
    all_within(900..=1_900, 200, Ensemble::pause);
}
