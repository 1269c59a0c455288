//! Every kind of fault of the table is injected into a small cluster and healed.

use std::time::Duration;

use super::*;
use crate::cluster;
use crate::history::Recorder;
use crate::model::Modelled;
use crate::scenario::faults::{Allowed, FaultKind, KINDS, Undo, Undone};
use crate::scenario::{Plan, parse};
use crate::substrate::simulate;
use crate::vocab::{Seed, Time};

/// A plan in which a fault of that kind is injected at 5 s: `lines` are its example, and perhaps one line more.
fn plan(kind: &FaultKind, lines: &str) -> Plan {
    // A restart needs something to start.
    let ended = match kind.allowed {
        Allowed::Ended => "[[fault]]\nat = \"4s\"\ncrash = \"brokers\"\n",
        Allowed::Any | Allowed::WithDisk => "",
    };
    let text = format!(
        "kafka = \"2.8\"\nduration = \"20s\"\n[cluster]\nbrokers = 3\nstart-up = \"0s\"\n\
         [[topic]]\nname = \"orders\"\npartitions = 1\nreplication-factor = 3\n\
         [[producer]]\nname = \"p0\"\ntopic = \"orders\"\nrate = \"10/s\"\n\
         {ended}[[fault]]\nat = \"5s\"\n{lines}\n"
    );
    let scenario = parse(kind.name, &text).unwrap_or_else(|wrong| panic!("{wrong}"));
    scenario.plan(Seed(1))
}

/// Of a disk: how long a write takes, and an fsync.
type DiskTimes = (u64, std::ops::RangeInclusive<u64>);

/// Everything that a fault can change and leave so.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    /// Of each node: whether it runs, is paused and has power; its disk's times; how far its clock is ahead.
    nodes: Vec<(bool, bool, bool, DiskTimes, i64)>,
    /// Of each link: whether it is cut, and what is added to its latency.
    links: Vec<(bool, Duration)>,
}

fn condition(cluster: &mut Cluster<'_, ()>) -> Condition {
    let nodes: Vec<NodeId> = cluster.names.roster.nodes().map(|(node, _)| node).collect();
    let now = i64::try_from(cluster.world.now().as_millis()).expect("a run is short");
    let world = &mut cluster.world;
    let of_node = |&node: &NodeId| {
        let process = (world.is_running(node), world.is_paused(node), world.has_power(node));
        let (runs, paused, power) = process;
        (runs, paused, power, world.disk_times(node), world.wall_ms(node) - now)
    };
    let of_nodes = nodes.iter().map(of_node).collect();
    let pairs = nodes.iter().flat_map(|&from| nodes.iter().map(move |&to| (from, to)));
    let links = pairs.map(|(from, to)| (world.is_cut(from, to), world.slowed_by(from, to)));
    Condition { links: links.collect(), nodes: of_nodes }
}

/// How the world is just before the fault, just after it, and when it is healed.
fn before_with_and_healed(kind: &FaultKind, lines: &str) -> [Condition; 3] {
    let plan = plan(kind, lines);
    simulate(plan.seed, || {
        let terms = cluster::terms(&plan, &cluster::Names::of(&plan));
        let mut cluster = Cluster::new(&plan, Recorder::new(Modelled::new(terms, ())), None);
        cluster.start_servers();
        while cluster.world.now() < Time::from_millis(4_900) {
            let next = cluster.world.now() + Duration::from_millis(100);
            cluster.advance(next);
            cluster.start_clients_once_topics_stand();
        }
        let before = condition(&mut cluster);
        // A shutdown takes some seconds.
        cluster.advance(Time::from_millis(13_000));
        let with = condition(&mut cluster);
        cluster.heal();
        assert!(cluster.timeline.pop(Time::MAX).is_none(), "{}: something is still due", kind.name);
        [before, with, condition(&mut cluster)]
    })
}

#[test]
fn every_kind_of_fault_is_undone_when_the_cluster_is_healed() {
    for kind in KINDS {
        let lines = match kind.undone {
            // Without it the process is to stay stopped.
            Undone::By(Undo::Restart) => format!("{}\nrestart-after = \"10s\"", kind.example),
            Undone::By(Undo::Resume | Undo::Heal) | Undone::Never(_) => kind.example.to_owned(),
        };
        let [before, with, healed] = before_with_and_healed(kind, &lines);
        match kind.undone {
            Undone::By(_) => {
                assert_ne!(before, with, "{} did nothing", kind.name);
                assert_eq!(before, healed, "{} is not undone", kind.name);
            }
            Undone::Never(why) => assert_eq!(with, healed, "{}: {why}", kind.name),
        }
    }
}

#[test]
fn every_kind_of_fault_is_undone_at_its_time() {
    for kind in KINDS {
        let Undone::By(undo) = kind.undone else { continue };
        let lines = format!("{}\n{} = \"1s\"", kind.example, undo.key());
        let [before, with, _] = before_with_and_healed(kind, &lines);
        assert_eq!(before, with, "{} is not undone after a second", kind.name);
    }
}

#[test]
fn a_process_that_a_fault_stopped_for_good_stays_stopped() {
    for kind in KINDS.iter().filter(|kind| kind.undone.by() == Some(Undo::Restart)) {
        let [before, with, healed] = before_with_and_healed(kind, kind.example);
        assert_ne!(before, with, "{} did nothing", kind.name);
        assert_eq!(with, healed, "{}", kind.name);
    }
}

#[test]
fn what_is_not_undone_still_has_its_effect() {
    let of = |name: &str| {
        let kind = KINDS.iter().find(|kind| kind.name == name).expect("a kind of that name");
        before_with_and_healed(kind, kind.example)
    };
    let ahead =
        |condition: &Condition| condition.nodes.iter().map(|node| node.4).collect::<Vec<_>>();
    let [before, with, healed] = of("clock");
    let stepped =
        ahead(&before).iter().zip(ahead(&with)).filter(|(b, w)| **b - 5_000 == *w).count();
    assert_eq!((stepped, ahead(&with)), (1, ahead(&healed)));
    let running = |condition: &Condition| condition.nodes.iter().filter(|node| node.0).count();
    let [before, with, _] = of("restart");
    assert_eq!(running(&with), running(&before) + 1);
}

#[test]
fn links_follow_the_direction_of_a_fault() {
    let (b1, b2, z1) = (NodeId(1), NodeId(2), NodeId(0));
    let links = |direction| links(&[b1], &[b2, z1, b1], direction);
    assert_eq!(links(Direction::Out), [(b1, b2), (b1, z1)]);
    assert_eq!(links(Direction::In), [(b2, b1), (z1, b1)]);
    assert_eq!(links(Direction::Both), [(b1, b2), (b2, b1), (b1, z1), (z1, b1)]);
}
