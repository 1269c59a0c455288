//! The floor under every speed that is reached: a world whose processes do nothing but answer.

use std::time::Duration;

use bytes::Bytes;

use super::world::{Process, World, WorldConfig, simulate};
use crate::vocab::step::{Effects, Input};
use crate::vocab::{Clock, NodeId, Seed};

const NODES: u16 = 8;

/// Sends one message to every other node, and every message that it gets back to where it came
/// from.
struct PingPong {
    me: NodeId,
}

impl Process for PingPong {
    type Observation = ();

    fn step(&mut self, _clock: Clock, input: Input, effects: &mut Effects<()>) {
        match input {
            Input::Start(_) => {
                for peer in (0..NODES).map(NodeId).filter(|&peer| peer != self.me) {
                    effects.connect(peer);
                }
            }
            Input::Opened(conn) => effects.send(conn, Bytes::from_static(b"ping")),
            Input::Received { conn, bytes } => effects.send(conn, bytes),
            other => assert!(matches!(other, Input::Accepted { .. }), "{other:?}"),
        }
    }
}

/// Runs 8 nodes with 56 messages always in flight, each answered when it arrives, over links of 1
/// to 5 ms, inside a madsim runtime, until at least `events` events have happened; gives their
/// number.
///
/// Take the time outside: inside the runtime clocks show virtual time.
pub fn floor(seed: Seed, events: u64) -> u64 {
    simulate(seed, || {
        let mut config = WorldConfig::default();
        config.network.latency = Duration::from_millis(1)..=Duration::from_millis(5);
        let mut world = World::new(seed, config, ());
        let nodes: Vec<NodeId> = (0..NODES)
            .map(|n| world.add_node(&format!("n{n}"), Box::new(move || PingPong { me: NodeId(n) })))
            .collect();
        for node in nodes {
            world.start(node);
        }
        while world.events() < events {
            world.run_until(world.now() + Duration::from_millis(100));
        }
        world.events()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_six_messages_are_always_in_flight() {
        // 56 messages, 3 ms apart on average, for 100 ms at a time: close to 1,867 events.
        let events = floor(Seed(1), 1_000);
        assert!((1_700..2_100).contains(&events), "{events}");
        assert_eq!(events, floor(Seed(1), 1_000));
    }
}
