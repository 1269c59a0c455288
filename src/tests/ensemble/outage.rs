//! How long an ensemble is without a leader.

use kafka_sim::vocab::{Seed, Time};

use super::world::Ensemble;

const SECOND: u64 = 1_000;

/// Milliseconds from `fault` until a new leader serves, and until every client has written again.
pub fn outage(tick_ms: u32, seed: u64, fault: fn(&mut Ensemble, u16)) -> (u64, u64) {
    let mut ensemble = Ensemble::with_tick(3, 3, Seed(seed), tick_ms);
    ensemble.run(6 * SECOND);
    let leader = ensemble.world.observer().leading.expect("a server leads");
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
    let all_wrote = |e: &Ensemble| (0..3).all(|client| wrote(e.client(client).known.last_write_at));
    (led, until(&mut ensemble, &all_wrote))
}
