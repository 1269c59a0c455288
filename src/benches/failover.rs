//! How long an ensemble of three is without a leader, beside what was measured of a real one, in simulated time:
//! `cargo bench --bench failover`, with `FAILOVER_SEEDS=<number>` for more runs than 100.
//!
//! The real one was ZooKeeper 3.8.0 on one machine: a leader killed 8 times for each tick, frozen twice; until the
//! first write of a new session at a survivor. Nothing here is asserted; `src/tests/ensemble/failover.rs` does that.

#[path = "../tests/ensemble/client.rs"]
mod client;
#[path = "../tests/ensemble/outage.rs"]
mod outage;
#[expect(dead_code, reason = "shared with the tests, which ask for more")]
#[path = "../nodes/testing/rig.rs"]
mod rig;
#[path = "../tests/ensemble/rules.rs"]
mod rules;
#[expect(dead_code, reason = "shared with the tests of ensembles, which ask for more")]
#[path = "../tests/ensemble/world.rs"]
mod world;

use std::io::{self, Write};

// The rig is a file of the library, and names these by `crate::`.
use kafka_sim::{history, nodes, substrate, vocab};
use outage::outage;
use world::Ensemble;

const SEEDS: u64 = 100;

impl rig::Role for nodes::zookeeper::ZooKeeperServer {
    fn step(
        &mut self,
        clock: vocab::Clock,
        input: vocab::step::Input,
        effects: &mut nodes::Effects,
    ) {
        Self::step(self, clock, input, effects);
    }
}

/// What happens to the leader, the tick in milliseconds, what was measured, and how it is done here.
type Cause = (&'static str, u32, &'static str, fn(&mut Ensemble, u16));

const CAUSES: [Cause; 4] = [
    ("killed", 2_000, "0.46  0.49  0.67", Ensemble::crash),
    ("killed", 200, "0.37  0.57  0.71", Ensemble::crash),
    ("frozen", 2_000, "9.7         9.9", Ensemble::pause),
    ("frozen", 200, "1.5         1.8", Ensemble::pause),
];

/// Smallest, median and largest, in seconds.
fn spread(mut times_ms: Vec<u64>) -> String {
    times_ms.sort_unstable();
    let at = |index: usize| times_ms[index] as f64 / 1e3;
    let last = times_ms.len() - 1;
    format!("{:>5.2} {:>5.2} {:>5.2}", at(0), at(last / 2), at(last))
}

#[expect(clippy::disallowed_methods, reason = "whoever runs a bench says how long it may take")]
fn seeds() -> u64 {
    std::env::var("FAILOVER_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS).max(1)
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let seeds = seeds();
    writeln!(out, "three servers, {seeds} seeds; seconds: min, median, max")?;
    writeln!(
        out,
        "  {:<8} {:>7}   {:<17}   {:<17}   {:<17}",
        "leader", "tick", "real", "a leader serves", "all clients write"
    )?;
    for (cause, tick_ms, real, fault) in CAUSES {
        let (led, wrote) = (0..seeds).map(|seed| outage(tick_ms, seed, fault)).unzip();
        let (led, wrote) = (spread(led), spread(wrote));
        writeln!(out, "  {cause:<8} {tick_ms:>4} ms   {real:<17}   {led}   {wrote}")?;
    }
    Ok(())
}
