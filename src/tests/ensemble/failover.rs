//! How long an ensemble is without a leader, beside what was measured of a real one (ZooKeeper 3.8.0, three
//! servers): killed, 0.37 to 0.71 s until the first write of a new session; frozen, 9.7 to 9.9 s with ticks of 2 s
//! and 1.5 to 1.8 s with ticks of 200 ms.

use std::ops::RangeInclusive;

use super::SECOND;
use super::outage::outage;
use super::world::Ensemble;

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
