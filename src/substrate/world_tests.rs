//! Tests of the world as a whole, through its interface.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{Observer, Process, World, WorldConfig, WorldEvent};
use crate::vocab::step::{DiskRequest, Effects, Input};
use crate::vocab::{Clock, ConnId, NodeId, Ratio, Seed, Time};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);

/// Writes down what it is told, and does what its test wants.
struct Scripted {
    /// When (in ms), and what.
    told: Rc<RefCell<Vec<(u64, String)>>>,
    act: fn(Input, &mut Effects<String>),
}

impl Process for Scripted {
    type Observation = String;

    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects<String>) {
        let what = match &input {
            Input::Start(image) => format!("start with {} files", image.len()),
            Input::Received { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            Input::Accepted { peer, .. } => format!("accepted {}", peer.0),
            Input::Opened(_) => "opened".into(),
            Input::Closed { why, .. } => format!("{why:?}"),
            Input::Timer { token, .. } => format!("timer {token}"),
            Input::DiskDone(_) => "disk done".into(),
            Input::Shutdown => "shutdown".into(),
        };
        self.told.borrow_mut().push((clock.now.as_millis(), what));
        (self.act)(input, effects);
    }
}

#[derive(Default)]
struct Recorder(Vec<String>);

impl Observer<String> for Recorder {
    fn event(&mut self, event: &WorldEvent<'_, String>) {
        self.0.push(format!("{} {} {:?}", event.time.0, event.node.0, event.what));
    }
}

struct Bench {
    world: World<Scripted, Recorder>,
    told: Vec<Rc<RefCell<Vec<(u64, String)>>>>,
}

fn idle(_input: Input, _effects: &mut Effects<String>) {}

/// Sends back what comes.
fn echo(input: Input, effects: &mut Effects<String>) {
    if let Input::Received { conn, bytes } = input {
        effects.send(conn, bytes);
    }
}

fn config() -> WorldConfig {
    let mut config = WorldConfig::default();
    config.network.latency = Duration::from_millis(1)..=Duration::from_millis(1);
    config.disk.fsync = Duration::from_millis(10)..=Duration::from_millis(10);
    config
}

impl Bench {
    fn new(seed: u64, config: WorldConfig, acts: &[fn(Input, &mut Effects<String>)]) -> Self {
        let mut bench =
            Self { world: World::new(Seed(seed), config, Recorder::default()), told: Vec::new() };
        for (n, &act) in acts.iter().enumerate() {
            let told = Rc::<RefCell<Vec<(u64, String)>>>::default();
            bench.told.push(told.clone());
            let boot = move || Scripted { told: told.clone(), act };
            bench.world.add_node(&format!("n{n}"), Box::new(boot));
        }
        for n in 0..acts.len() as u16 {
            bench.world.start(NodeId(n));
        }
        bench.told.iter().for_each(|told| told.borrow_mut().clear());
        bench
    }

    /// Two idle nodes with one connection, at 2 ms.
    fn connected() -> (Self, ConnId) {
        let mut bench = Self::new(1, config(), &[idle, idle]);
        let conn = bench.connect(A, B);
        bench.run(2);
        assert_eq!(bench.told(A), [(2, "opened")]);
        assert_eq!(bench.told(B), [(1, "accepted 0")]);
        bench.forget();
        (bench, conn)
    }

    fn run(&mut self, until_ms: u64) {
        self.world.run_until(Time::from_millis(until_ms));
    }

    fn forget(&mut self) {
        self.told.iter().for_each(|told| told.borrow_mut().clear());
    }

    fn told(&self, node: NodeId) -> Vec<(u64, &'static str)> {
        let told = self.told[usize::from(node.0)].borrow();
        told.iter().map(|(at, what)| (*at, &*what.clone().leak())).collect()
    }

    fn words(&self, node: NodeId) -> Vec<&'static str> {
        self.told(node).into_iter().map(|(_, what)| what).collect()
    }

    fn effects<R>(&mut self, node: NodeId, act: impl FnOnce(&mut Effects<String>) -> R) -> R {
        self.world.drive(node, |_, _, effects| act(effects)).expect("the process runs")
    }

    fn connect(&mut self, from: NodeId, to: NodeId) -> ConnId {
        self.effects(from, |effects| effects.connect(to))
    }

    fn send(&mut self, from: NodeId, conn: ConnId, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.effects(from, |effects| effects.send(conn, bytes));
    }

    fn append(&mut self, node: NodeId, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.effects(node, |fx| fx.disk(DiskRequest::Append { file: "log".into(), bytes }));
    }

    fn fsync(&mut self, node: NodeId) {
        self.effects(node, |fx| fx.disk(DiskRequest::Fsync { file: "log".into() }));
    }

    fn platter(&self, node: NodeId) -> Option<Vec<u8>> {
        self.world.disk(node).platter("log").map(|pieces| pieces.concat())
    }
}

#[test]
fn a_connection_takes_a_round_trip_and_bytes_one_latency() {
    let (mut bench, conn) = Bench::connected();
    bench.send(A, conn, "hello");
    bench.send(B, conn, "and you");
    bench.run(10);
    assert_eq!(bench.told(B), [(3, "hello")]);
    assert_eq!(bench.told(A), [(3, "and you")]);
}

#[test]
fn a_stream_keeps_its_order_whatever_latencies_are_drawn() {
    for seed in 0..20 {
        let mut config = config();
        config.network.latency = Duration::ZERO..=Duration::from_nanos(3);
        let mut bench = Bench::new(seed, config, &[idle, idle]);
        let conn = bench.connect(A, B);
        bench.run(1);
        bench.forget();
        let sent: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        sent.iter().for_each(|text| bench.send(A, conn, text));
        bench.run(2);
        assert_eq!(bench.words(B), sent);
    }
}

#[test]
fn a_close_arrives_behind_what_was_sent_and_is_the_last_word() {
    let (mut bench, conn) = Bench::connected();
    bench.send(A, conn, "last");
    bench.effects(A, |effects| effects.close(conn));
    bench.send(B, conn, "too late");
    bench.run(10);
    assert_eq!(bench.words(B), ["last", "Eof"]);
    assert!(bench.told(A).is_empty(), "one's own close is not reported: {:?}", bench.told(A));
    bench.send(B, conn, "into nothing");
    bench.run(20);
    assert_eq!(bench.world.conn_count(), 0);
}

#[test]
fn connecting_to_a_host_without_process_is_refused_after_a_round_trip() {
    let mut bench = Bench::new(1, config(), &[idle, idle]);
    bench.world.crash(B);
    bench.connect(A, B);
    bench.run(10);
    assert_eq!(bench.told(A), [(2, "Refused")]);
    assert_eq!(bench.world.conn_count(), 0);
}

#[test]
fn connecting_to_a_host_without_power_is_silent_until_it_is_back() {
    let mut bench = Bench::new(1, config(), &[idle, idle]);
    bench.world.power_loss(B);
    bench.connect(A, B);
    let given_up = bench.connect(A, B);
    bench.run(5_000);
    assert!(bench.told(A).is_empty());
    bench.effects(A, |effects| effects.close(given_up));
    assert_eq!(bench.world.conn_count(), 1);
    bench.forget();
    bench.world.start(B);
    bench.run(15_000);
    assert_eq!(bench.words(A), ["opened"]);
    assert_eq!(bench.words(B), ["start with 0 files", "accepted 0"]);
}

#[test]
fn a_crash_resets_the_peers_one_latency_later() {
    let (mut bench, conn) = Bench::connected();
    bench.send(B, conn, "sent before");
    bench.world.crash(B);
    bench.run(10);
    assert_eq!(bench.told(A), [(3, "sent before"), (3, "Reset")]);
    assert!(bench.told(B).is_empty());
    assert!(!bench.world.is_running(B));
    assert_eq!(bench.world.conn_count(), 0);
}

#[test]
fn a_power_loss_is_silent_and_its_peers_stay_half_open() {
    let (mut bench, conn) = Bench::connected();
    bench.world.power_loss(B);
    bench.send(A, conn, "is anybody there");
    bench.run(60_000);
    assert!(bench.told(A).is_empty());
    assert!(!bench.world.has_power(B));
    // The host is back, the retransmission finds it, and it does not know the connection.
    bench.world.start(B);
    bench.run(200_000);
    assert_eq!(bench.words(A), ["Reset"]);
    assert_eq!(bench.words(B), ["start with 0 files"]);
    assert_eq!(bench.world.conn_count(), 0);
}

#[test]
fn a_send_to_a_host_that_forgot_the_connection_is_answered_by_a_reset() {
    let (mut bench, conn) = Bench::connected();
    bench.world.power_loss(B);
    bench.run(100);
    bench.world.start(B);
    bench.run(200);
    assert!(bench.told(A).is_empty(), "a peer that does not send does not notice");
    bench.send(A, conn, "hello");
    bench.run(300);
    assert_eq!(bench.told(A), [(202, "Reset")]);
}

#[test]
fn a_cut_is_silent_and_heals_in_order() {
    let (mut bench, conn) = Bench::connected();
    bench.send(A, conn, "under way");
    bench.world.cut(A, B);
    for text in ["1", "2", "3"] {
        bench.send(A, conn, text);
    }
    bench.effects(A, |effects| effects.close(conn));
    bench.run(1_000);
    assert_eq!(bench.told(B), [(3, "under way")]);
    assert!(bench.told(A).is_empty());
    bench.world.heal(A, B);
    assert!(!bench.world.is_cut(A, B));
    bench.run(1_000 + 1_200);
    assert_eq!(bench.words(B), ["under way", "1", "2", "3", "Eof"]);
}

#[test]
fn a_cut_goes_one_way() {
    let (mut bench, conn) = Bench::connected();
    bench.world.cut(A, B);
    bench.send(A, conn, "lost for now");
    bench.send(B, conn, "comes through");
    bench.run(100);
    assert_eq!(bench.told(A), [(3, "comes through")]);
    assert!(bench.told(B).is_empty());
}

#[test]
fn connecting_through_a_cut_waits_for_the_heal_in_either_direction() {
    for (from, to) in [(A, B), (B, A)] {
        let mut bench = Bench::new(1, config(), &[idle, idle]);
        bench.world.cut(from, to);
        bench.connect(A, B);
        let given_up = bench.connect(A, B);
        bench.run(100);
        assert!(bench.told(A).is_empty());
        bench.effects(A, |effects| effects.close(given_up));
        bench.world.heal(from, to);
        bench.run(1_000);
        assert_eq!(bench.words(A), ["opened"]);
        let server = bench.words(B);
        if from == A {
            assert_eq!(server, ["accepted 0"], "the given up one never left");
        } else {
            assert_eq!(server, ["accepted 0", "accepted 0", "Reset"]);
        }
        assert_eq!(bench.world.conn_count(), 1);
    }
}

#[test]
fn a_crash_behind_a_cut_is_seen_after_the_heal() {
    let (mut bench, _) = Bench::connected();
    bench.world.cut(B, A);
    bench.world.crash(B);
    bench.run(1_000);
    assert!(bench.told(A).is_empty());
    bench.world.heal(B, A);
    bench.run(5_000);
    assert_eq!(bench.words(A), ["Reset"]);
}

#[test]
fn a_reset_is_seen_at_both_ends_even_through_a_cut() {
    let (mut bench, conn) = Bench::connected();
    bench.connect(B, A);
    bench.run(10);
    bench.forget();
    bench.world.cut(A, B);
    bench.send(A, conn, "held, then lost");
    bench.world.reset(A, B);
    bench.run(20);
    assert_eq!(bench.told(A), [(10, "Reset"), (10, "Reset")]);
    assert_eq!(bench.told(B), [(10, "Reset"), (10, "Reset")]);
    assert_eq!(bench.world.conn_count(), 0);
}

#[test]
fn a_node_can_connect_to_itself() {
    let mut bench = Bench::new(1, config(), &[echo]);
    let conn = bench.connect(A, A);
    bench.run(1);
    assert_eq!(bench.words(A), ["accepted 0", "opened"]);
    bench.forget();
    // Both ends echo for ever, so one of them has to close.
    bench.send(A, conn, "ping");
    bench.world.run_until(bench.world.now() + Duration::from_micros(90));
    bench.effects(A, |effects| effects.close(conn));
    bench.run(5);
    assert_eq!(bench.words(A), ["ping", "ping", "ping", "ping", "ping", "Eof"]);
    assert_eq!(bench.world.conn_count(), 0);
    bench.connect(A, A);
    bench.run(6);
    bench.world.reset(A, A);
    bench.world.crash(A);
    bench.run(7);
    assert_eq!(bench.world.conn_count(), 0);
}

#[test]
fn a_slow_link_is_slow_one_way_and_bandwidth_is_shared() {
    let (mut bench, conn) = Bench::connected();
    bench.world.slow(A, B, Duration::from_millis(50));
    bench.send(A, conn, "slow");
    bench.send(B, conn, "fast");
    bench.run(100);
    assert_eq!(bench.told(B), [(53, "slow")]);
    assert_eq!(bench.told(A), [(3, "fast")]);
    bench.forget();
    bench.world.slow(A, B, Duration::ZERO);
    bench.world.set_latency(A, B, Duration::from_millis(2)..=Duration::from_millis(2));
    bench.world.set_bandwidth(A, B, Some(1_000));
    bench.send(A, conn, "0123456789");
    bench.send(A, conn, "abcdefghij");
    bench.run(200);
    assert_eq!(bench.told(B), [(112, "0123456789"), (122, "abcdefghij")]);
    bench.forget();
    bench.world.set_bandwidth(A, B, None);
    bench.world.set_loss(A, B, Ratio::new(1, 1).unwrap());
    bench.send(A, conn, "lossy");
    bench.world.set_loss(A, B, Ratio::ZERO);
    bench.send(A, conn, "behind it");
    bench.run(1_000_000);
    assert_eq!(bench.words(B), ["lossy", "behind it"]);
    assert!(bench.told(B)[0].0 > 200_000, "head of line blocking");
}

#[test]
fn the_old_incarnation_does_not_reach_the_new_one() {
    let (mut bench, conn) = Bench::connected();
    bench.world.slow_disk(A, Duration::from_millis(30));
    bench.append(A, b"x");
    bench.send(A, conn, "deferred behind the disk");
    bench.fsync(A);
    bench.effects(A, |effects| effects.timer(Time::from_millis(20), 7));
    bench.send(B, conn, "under way");
    bench.world.restart(A);
    bench.run(1_000);
    assert_eq!(bench.words(A), ["start with 1 files"]);
    assert_eq!(bench.words(B), ["Reset"]);
    assert_eq!(
        bench.platter(A).unwrap(),
        b"x",
        "the kernel outlives the process, and so does its fsync"
    );
}

#[test]
fn timers_fire_when_due_and_not_when_cancelled() {
    let mut bench = Bench::new(1, config(), &[idle]);
    bench.run(5);
    bench.effects(A, |effects| {
        effects.timer(Time::from_millis(9), 9);
        effects.timer(Time::from_millis(1), 1);
        let cancelled = effects.timer(Time::from_millis(7), 7);
        effects.cancel(cancelled);
        effects.cancel(cancelled);
    });
    bench.run(20);
    assert_eq!(bench.told(A), [(5, "timer 1"), (9, "timer 9")]);
    assert_eq!(bench.world.next_event_at(), None);
}

#[test]
fn a_million_timers_set_and_cancelled_leave_nothing_behind() {
    let mut bench = Bench::new(1, config(), &[idle]);
    for _ in 0..1_000 {
        bench.effects(A, |effects| {
            for token in 0..1_000 {
                let id = effects.timer(Time::from_millis(1 << 30), token);
                effects.cancel(id);
            }
        });
        assert!(bench.world.queue_len() <= 65, "{}", bench.world.queue_len());
    }
    assert_eq!(bench.world.next_event_at(), None);
}

#[test]
fn a_pause_holds_inputs_in_order_and_keeps_connections() {
    let (mut bench, conn) = Bench::connected();
    bench.effects(B, |effects| {
        effects.timer(Time::from_millis(5), 5);
        effects.timer(Time::from_millis(500), 500);
    });
    bench.append(B, b"x");
    bench.fsync(B);
    assert!(bench.world.pause(B));
    assert!(!bench.world.pause(B));
    bench.send(A, conn, "1");
    bench.run(20);
    bench.send(A, conn, "2");
    bench.connect(A, B);
    assert!(bench.world.shutdown(B));
    bench.effects(A, |effects| effects.close(conn));
    bench.run(100);
    assert!(bench.told(B).is_empty());
    assert_eq!(bench.told(A), [(22, "opened")], "the kernel accepts");
    assert!(bench.world.is_paused(B));
    assert!(bench.world.drive(B, |_, _, _| ()).is_none());
    bench.world.resume(B);
    let at_once = ["1", "timer 5", "disk done", "shutdown", "2", "accepted 0", "Eof"];
    let mut told = bench.words(B);
    assert_eq!(&told[..4], &at_once[..4]);
    told.sort_unstable();
    let mut all = at_once;
    all.sort_unstable();
    assert_eq!(told, all);
    bench.run(600);
    assert_eq!(bench.told(B).last(), Some(&(500, "timer 500")));
}

#[test]
fn what_waited_for_a_paused_process_yields_to_what_it_does_first() {
    fn close_and_cancel(input: Input, effects: &mut Effects<String>) {
        if let Input::Received { conn, .. } = input {
            effects.close(conn);
            // The first id of the run that is a timer's, see below.
            effects.cancel(crate::vocab::TimerId(2));
        }
    }
    let mut bench = Bench::new(1, config(), &[idle, close_and_cancel]);
    let conn = bench.connect(A, B);
    let timer = bench.effects(B, |effects| effects.timer(Time::from_millis(10), 1));
    assert_eq!((conn.0, timer.0), (1, 2));
    bench.run(3);
    bench.forget();
    bench.world.pause(B);
    bench.send(A, conn, "1");
    bench.run(5);
    bench.send(A, conn, "2");
    bench.run(20);
    bench.world.resume(B);
    bench.run(100);
    assert_eq!(bench.words(B), ["1"]);
    assert_eq!(bench.words(A), ["Eof"]);
}

#[test]
fn a_crash_of_a_paused_process_forgets_what_waited() {
    let (mut bench, conn) = Bench::connected();
    bench.effects(B, |effects| effects.timer(Time::from_millis(5), 5));
    bench.world.pause(B);
    bench.send(A, conn, "1");
    bench.run(10);
    bench.world.restart(B);
    bench.run(100);
    assert_eq!(bench.words(B), ["start with 0 files"]);
    assert_eq!(bench.words(A), ["Reset"]);
    assert!(!bench.world.is_paused(B));
}

#[test]
fn a_clean_exit_closes_connections_in_order() {
    fn exit(input: Input, effects: &mut Effects<String>) {
        if let Input::Shutdown = input {
            effects.exit();
            effects.observe("never".into());
        }
    }
    let mut bench = Bench::new(1, config(), &[idle, exit]);
    bench.connect(A, B);
    bench.run(5);
    bench.effects(B, |effects| effects.timer(Time::from_millis(50), 1));
    assert!(bench.world.shutdown(B));
    assert!(!bench.world.is_running(B) && bench.world.process(B).is_none());
    bench.run(100);
    assert_eq!(bench.told(A), [(2, "opened"), (6, "Eof")]);
    let log = bench.world.observer().0.join("\n");
    assert!(
        log.contains("Exited") && !log.contains("never") && !log.contains("TimerFired"),
        "{log}"
    );
    assert!(bench.world.start(B));
}

#[test]
fn sends_wait_for_the_slow_disk_and_keep_their_order() {
    let (mut bench, conn) = Bench::connected();
    bench.world.slow_disk(A, Duration::from_millis(20));
    bench.send(A, conn, "before");
    bench.append(A, b"1");
    bench.send(A, conn, "behind 1");
    bench.append(A, b"2");
    assert_eq!(bench.world.disk(A).file_len("log"), Some(2), "the page cache has it at once");
    bench.run(10);
    bench.send(A, conn, "behind 2");
    bench.run(100);
    assert_eq!(bench.told(B), [(3, "before"), (23, "behind 1"), (43, "behind 2")]);
    bench.send(A, conn, "free again");
    bench.run(200);
    assert_eq!(bench.told(B).last(), Some(&(101, "free again")));
}

#[test]
fn a_process_that_ends_behind_a_slow_write_is_told_nothing_more() {
    let (mut bench, conn) = Bench::connected();
    bench.world.slow_disk(A, Duration::from_millis(20));
    bench.append(A, b"1");
    bench.effects(A, |effects| {
        effects.send(conn, Bytes::from_static(b"bye"));
        effects.exit();
        effects.timer(Time::from_millis(5), 5);
    });
    bench.send(B, conn, "hello?");
    bench.connect(B, A);
    bench.run(10);
    assert!(bench.world.is_running(A));
    bench.run(100);
    assert!(!bench.world.is_running(A));
    assert!(bench.told(A).is_empty());
    assert_eq!(bench.words(B), ["Refused", "bye", "Eof"]);
}

#[test]
fn a_crash_keeps_the_page_cache_and_a_power_loss_the_platter() {
    let mut kept = Vec::new();
    for seed in 0..30 {
        let mut bench = Bench::new(seed, config(), &[idle]);
        bench.append(A, b"durable ");
        bench.fsync(A);
        bench.run(9);
        assert_eq!(bench.platter(A), None);
        bench.run(10);
        assert_eq!(bench.told(A), [(10, "disk done")]);
        bench.append(A, b"cached");
        bench.fsync(A);
        bench.world.restart(A);
        assert_eq!(bench.world.disk(A).file_len("log"), Some(14));
        bench.append(A, b"!");
        bench.fsync(A);
        bench.world.power_loss(A);
        bench.world.start(A);
        bench.run(100);
        let left = bench.platter(A).unwrap();
        assert!(left.starts_with(b"durable "));
        kept.push(left.len());
        assert!(bench.words(A).iter().filter(|&&what| what == "disk done").count() == 1);
    }
    assert!(kept.contains(&8) && kept.contains(&15), "{kept:?}");
}

#[test]
fn fsyncs_of_a_disk_end_in_order() {
    let mut bench = Bench::new(1, config(), &[idle]);
    bench.append(A, b"1");
    bench.fsync(A);
    bench.world.set_fsync(A, Duration::ZERO..=Duration::ZERO);
    bench.append(A, b"2");
    bench.fsync(A);
    bench.run(10);
    assert_eq!(bench.words(A), ["disk done"]);
    assert_eq!(bench.platter(A).unwrap(), b"1", "as of submission");
    bench.run(11);
    assert_eq!(bench.words(A), ["disk done", "disk done"]);
    assert_eq!(bench.platter(A).unwrap(), b"12");
}

#[test]
fn a_wall_clock_can_be_set_off() {
    let mut bench = Bench::new(1, config(), &[idle]);
    bench.run(72);
    let wall = |bench: &mut Bench| bench.world.drive(A, |_, clock, _| clock.wall_ms).unwrap();
    assert_eq!(wall(&mut bench), 1_520_585_755_072);
    bench.world.set_wall(A, -1_000);
    bench.world.set_drift(A, 1_000);
    bench.run(1_072);
    assert_eq!(wall(&mut bench), 1_520_585_755_072 + 1);
}

/// A busy world: everybody talks to everybody, with disk, timers and faults.
fn busy_log(seed: u64) -> Vec<String> {
    fn act(input: Input, effects: &mut Effects<String>) {
        match input {
            Input::Start(image) => {
                effects.observe(format!("{image:?}"));
                (0..3).for_each(|peer| _ = effects.connect(NodeId(peer)));
            }
            Input::Opened(conn) => effects.send(conn, Bytes::from_static(b"x")),
            Input::Received { conn, bytes } => {
                effects.disk(DiskRequest::Append { file: "log".into(), bytes: bytes.clone() });
                effects.disk(DiskRequest::Fsync { file: "log".into() });
                effects.send(conn, bytes);
            }
            Input::Closed { conn, .. } => _ = effects.timer(Time::from_millis(conn.0), conn.0),
            _ => {}
        }
    }
    let mut config = config();
    config.network = super::NetworkConfig::default();
    config.network.loss = Ratio::new(1, 50).unwrap();
    let mut bench = Bench::new(seed, config, &[act, act, act]);
    bench.run(20);
    bench.world.cut(A, B);
    bench.world.slow_disk(B, Duration::from_millis(1));
    bench.world.power_loss(NodeId(2));
    bench.run(40);
    bench.world.crash(A);
    bench.world.start(NodeId(2));
    bench.world.pause(B);
    bench.run(60);
    bench.world.heal(A, B);
    bench.world.start(A);
    bench.world.resume(B);
    bench.run(300);
    bench.world.into_observer().0
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    let log = busy_log(1);
    assert!(log.len() > 1_000, "{}", log.len());
    assert_eq!(log, busy_log(1));
    assert_ne!(log, busy_log(2));
    assert_eq!(
        log,
        super::simulate(Seed(1), || busy_log(1)),
        "a runtime around it changes nothing"
    );
}

#[test]
fn inside_a_runtime_libc_clocks_follow_virtual_time() {
    #[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the clock under test")]
    fn clock() -> std::time::SystemTime {
        std::time::SystemTime::now()
    }
    super::simulate(Seed(1), || {
        let mut bench = Bench::new(1, config(), &[idle]);
        let before = clock();
        bench.run(1_234);
        let passed = clock().duration_since(before).unwrap();
        assert_eq!(passed.as_millis(), 1_234);
    });
}

#[test]
fn log_lines_can_tell_when_and_where() {
    let mut bench = Bench::new(1, config(), &[idle, idle]);
    bench.run(7);
    let moment = bench.world.drive(B, |_, _, _| super::moment()).unwrap();
    assert_eq!((moment.time, moment.node), (Time::from_millis(7), Some(B)));
    assert_eq!(super::moment().node, None);
}

#[test]
#[should_panic(expected = "before it is opened")]
fn sending_before_the_connection_stands_is_a_bug_of_the_node() {
    let mut bench = Bench::new(1, config(), &[idle, idle]);
    let conn = bench.connect(A, B);
    bench.send(A, conn, "too early");
}

#[test]
fn faults_that_do_not_apply_do_nothing() {
    let mut bench = Bench::new(1, config(), &[idle]);
    assert!(!bench.world.start(A) && !bench.world.resume(A));
    assert!(bench.world.crash(A));
    assert!(!bench.world.crash(A) && !bench.world.pause(A) && !bench.world.shutdown(A));
    assert!(bench.world.power_loss(A), "a host without process can lose power");
    assert!(!bench.world.power_loss(A));
    bench.world.cut(A, A);
    bench.world.heal(A, A);
}
