//! Runs in which time does not move.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;

use crate::substrate::{NetworkConfig, Process, StandsStill, World, WorldConfig};
use crate::vocab::step::{Effects, Input};
use crate::vocab::{Clock, NodeId, Seed, Time};

/// Sets a timer for now whenever one fires, and sends back what comes.
struct Restless;

impl Process for Restless {
    type Observation = ();

    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects<()>) {
        match input {
            Input::Timer { token, .. } => _ = effects.timer(clock.now, token),
            Input::Received { conn, bytes } => effects.send(conn, bytes),
            _ => {}
        }
    }
}

fn world(latency: Duration) -> World<Restless, ()> {
    let network = NetworkConfig { latency: latency..=latency, ..NetworkConfig::default() };
    let mut world = World::new(Seed(1), WorldConfig { network, ..WorldConfig::default() }, ());
    for name in ["a", "b", "c"] {
        let node = world.add_node(name, Box::new(|| Restless));
        world.start(node);
    }
    world
}

fn stands_still(mut world: World<Restless, ()>) -> Option<StandsStill> {
    let run = || world.run_until(Time::from_millis(5_000));
    let payload = catch_unwind(AssertUnwindSafe(run)).err()?;
    Some(*payload.downcast::<StandsStill>().expect("the watchdog ends the run"))
}

#[test]
fn a_node_that_does_not_come_to_rest_ends_the_run_and_is_named() {
    let mut world = world(Duration::from_millis(1));
    world.run_until(Time::from_millis(7));
    world.drive(NodeId(1), |_, clock, effects| effects.timer(clock.now, 1));
    let found = stands_still(world).expect("time stands still");
    assert_eq!(found.at, Time::from_millis(7));
    assert_eq!(found.busiest, [("b".into(), 100)]);
}

#[test]
fn nodes_that_answer_each_other_without_latency_end_the_run_and_are_named() {
    let mut world = world(Duration::ZERO);
    let conn = world.drive(NodeId(0), |_, _, effects| effects.connect(NodeId(2))).unwrap();
    world.run_until(Time::from_millis(1));
    world.drive(NodeId(0), |_, _, effects| effects.send(conn, Bytes::from_static(b"x")));
    let found = stands_still(world).expect("time stands still");
    let mut names: Vec<&str> = found.busiest.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn a_busy_world_whose_time_moves_goes_on() {
    let mut world = world(Duration::from_micros(5));
    let conn = world.drive(NodeId(0), |_, _, effects| effects.connect(NodeId(2))).unwrap();
    world.run_until(Time::from_millis(1));
    world.drive(NodeId(0), |_, _, effects| effects.send(conn, Bytes::from_static(b"x")));
    assert_eq!(stands_still(world), None);
}
