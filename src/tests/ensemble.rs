//! Ensembles of ZooKeeper under random faults: crashes, power losses, pauses, partitions, resets.
//!
//! Servers and clients run in the simulated world. What the servers observe is held against the rules of ZAB while
//! it happens (`rules`), and what both observe against the checkers of whole runs; in the end the faults are over,
//! and the ensemble has to serve again, with every acknowledged write and the same state everywhere.

mod client;
mod failover;
mod outage;
mod rules;
mod world;

use kafka_sim::vocab::{Seed, Stream};

use world::Ensemble;

const MS: u64 = 1;
const SECOND: u64 = 1_000;

/// Does one thing to the ensemble.
fn fault(ensemble: &mut Ensemble, stream: &mut Stream) {
    let server = stream.below(ensemble.servers as u64) as u16;
    match stream.below(12) {
        0 | 1 => ensemble.crash(server),
        2 => ensemble.power_loss(server),
        3 | 4 => ensemble.restart_all(),
        5 => ensemble.pause(server),
        6 | 7 => {
            let other = stream.below(ensemble.nodes() as u64) as u16;
            ensemble.cut(server, other, stream.below(3));
        }
        8 | 9 => ensemble.isolate(server, stream.below(3)),
        10 => ensemble.heal_links(),
        _ => ensemble.reset(server),
    }
}

fn survives(servers: usize, seed: u64) -> Survived {
    let mut stream = Seed(seed).stream("faults");
    let mut ensemble = Ensemble::new(servers, 3, Seed(seed));
    ensemble.run(2 * SECOND);
    let faults = stream.within(5..=25);
    for number in 0..faults {
        fault(&mut ensemble, &mut stream);
        if stream.below(20) == 0 {
            (0..servers as u16).for_each(|server| ensemble.power_loss(server));
        }
        let wait = match stream.below(4) {
            0 => stream.within(0..=20 * MS),
            1 => stream.within(0..=400 * MS),
            _ => stream.within(0..=5 * SECOND),
        };
        ensemble.run(wait);
        tracing::debug!(number, "fault");
    }
    ensemble.heal_all();
    ensemble.come_to_rest();
    let acknowledged = ensemble.judge_end();
    let rules = ensemble.world.observer();
    let (truncated, installed) = (rules.truncated, rules.installed);
    let survived = Survived { epochs: rules.leaders.len(), acknowledged, truncated, installed };
    ensemble.judge_history();
    survived
}

/// What a run has seen.
#[derive(Clone, Copy, Debug, Default)]
struct Survived {
    epochs: usize,
    acknowledged: usize,
    truncated: usize,
    installed: usize,
}

fn survive_all(servers: usize, seeds: std::ops::Range<u64>) {
    let count = (seeds.end - seeds.start) as usize;
    let mut all = Survived::default();
    for seed in seeds {
        let judged = std::panic::catch_unwind(|| survives(servers, seed));
        let one = judged.unwrap_or_else(|_| panic!("{servers} servers, seed {seed}"));
        all.epochs += one.epochs;
        all.acknowledged += one.acknowledged;
        all.truncated += one.truncated;
        all.installed += one.installed;
    }
    let rough = all.epochs > 2 * count && all.truncated > 0 && all.installed > 0;
    assert!(rough && all.acknowledged > 100 * count, "the faults were too gentle: {all:?}");
}

/// How many seeds; more by hand.
fn seeds() -> u64 {
    std::env::var("ENSEMBLE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

#[test]
fn three_servers_survive_random_faults() {
    survive_all(3, 0..seeds());
}

#[test]
fn five_servers_survive_random_faults() {
    survive_all(5, 1_000..1_000 + seeds());
}
