//! The coordinator against what a real ZooKeeper 3.8.0 answered.
//!
//! `conformance/zk-vectors.json` holds 271 steps and `conformance/zk-frames.json` the bytes of conversations,
//! both recorded from a server of Debian's package (standalone, tickTime 2000, extended types on). Both are
//! played against one server in process, with a clock that only the test moves and a disk that is never slow.

mod frames;
mod kazoo;
mod raw;
mod requests;
mod world;

use serde_json::{Value, json};

use raw::Raw;
use world::World;

/// Steps where releases after 3.8.0 answer differently, on purpose, and so does this server.
fn newer_behaviour(step: u64, recorded: &Value) -> Option<Value> {
    match step {
        // exists needs READ since 3.8.4 and 3.9.5 (the recording is of 3.8.0, which told everybody).
        85 => Some(json!({"err": "NoAuth"})),
        // create2 inside a multi is answered as create2 since 3.8.4; 3.8.0 answered as create.
        114 => {
            let mut newer = recorded.clone();
            newer["ok"]["results"][3] = json!({
                "type": 15,
                "path": "/zkv/m/c-0000000000",
                "stat": {
                    "version": 0, "cversion": 0, "aversion": 0, "dataLength": 1, "numChildren": 0,
                    "owner": 0, "zx": [0, 0, 0], "t": "eq",
                },
            });
            Some(newer)
        }
        _ => None,
    }
}

#[test]
fn every_recorded_step_is_answered_as_by_zookeeper() {
    play(World::new());
}

#[test]
fn the_leader_of_an_ensemble_answers_as_a_server_alone() {
    play(World::ensemble(true));
}

#[test]
fn a_follower_answers_as_a_server_alone() {
    play(World::ensemble(false));
}

fn play(world: World) {
    let recorded: Value =
        serde_json::from_str(include_str!("conformance/zk-vectors.json")).expect("JSON");
    let steps = recorded["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 271);
    let mut raw = Raw::new(world);
    let mut differences = Vec::new();
    for step in steps {
        let number = step["n"].as_u64().expect("a number");
        let expected =
            newer_behaviour(number, &step["expect"]).unwrap_or_else(|| step["expect"].clone());
        let got = raw.run(step);
        if got != expected {
            differences.push(format!("{step}\n  got {got}"));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    raw.world.recovers_to_the_same_state();
}
