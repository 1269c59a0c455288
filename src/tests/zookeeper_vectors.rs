//! ZooKeeper against what a real ZooKeeper 3.8.0 answered.
//!
//! `conformance/zk-vectors.json` holds 271 steps and `conformance/zk-frames.json` the bytes of conversations,
//! both recorded from a server of Debian's package (standalone, tickTime 2000, extended types on). Both are
//! played against one server in process, with a clock that only the test moves and a disk that is never slow.

mod frames;
mod kazoo;
mod local;
mod moved;
mod raw;
mod requests;
mod world;

use serde_json::Value;

use raw::Raw;
use world::World;

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
        let got = raw.run(step);
        if got != step["expect"] {
            differences.push(format!("{step}\n  got {got}"));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    raw.world.recovers_to_the_same_state();
}
