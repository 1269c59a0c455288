//! The life of processes, their timers, disks and clocks.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{A, B, Bench, config, idle};
use crate::substrate::{NetworkConfig, moment, simulate};
use crate::vocab::step::{DiskRequest, Effects, Input};
use crate::vocab::{NodeId, Ratio, Seed, Time};

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
fn a_timer_at_never_costs_nothing() {
    let mut bench = Bench::new(1, config(), &[idle]);
    bench.effects(A, |effects| {
        let id = effects.timer(Time::ZERO + Duration::from_millis(i64::MAX as u64), 1);
        effects.timer(Time::MAX, 2);
        effects.cancel(id);
    });
    assert_eq!((bench.world.next_event_at(), bench.world.queue_len()), (None, 0));
    bench.run(1_000_000);
    assert!(bench.told(A).is_empty());
}

#[test]
fn a_disk_and_a_link_that_take_centuries_end_no_run() {
    let year = Duration::from_secs(366 * 86_400);
    let (mut bench, conn) = Bench::connected();
    bench.world.slow_disk(A, year);
    bench.world.set_fsync(A, Duration::ZERO..=year);
    bench.world.slow(A, B, year);
    bench.world.set_bandwidth(A, B, Some(1));
    for _ in 0..1_000 {
        bench.append(A, b"x");
        bench.fsync(A);
        bench.send(A, conn, "a record");
    }
    bench.run(1_000);
    assert!(bench.told(B).is_empty());
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
fn a_close_that_waits_for_the_slow_disk_is_deaf_at_once() {
    let (mut bench, conn) = Bench::connected();
    bench.world.slow_disk(A, Duration::from_millis(20));
    bench.append(A, b"1");
    bench.effects(A, |effects| effects.close(conn));
    bench.send(B, conn, "unheard");
    bench.run(100);
    assert!(bench.told(A).is_empty());
    assert_eq!(bench.told(B), [(23, "Eof")]);
}

#[test]
fn a_process_that_ends_behind_a_slow_write_gets_no_more_input() {
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
    bench.append(A, b"2");
    bench.run(4);
    bench.fsync(A);
    bench.run(10);
    assert_eq!(bench.words(A), ["disk done"]);
    assert_eq!(bench.platter(A).unwrap(), b"1", "as of submission");
    bench.run(14);
    assert_eq!(bench.words(A), ["disk done", "disk done"]);
    assert_eq!(bench.platter(A).unwrap(), b"12");
}

#[test]
fn what_a_slow_disk_has_under_way_ends_when_the_disk_is_fast_again() {
    let (mut bench, conn) = Bench::connected();
    let minute = Duration::from_secs(60);
    bench.world.slow_disk(A, minute);
    bench.world.set_fsync(A, minute..=minute);
    for piece in [b"1", b"2"] {
        bench.append(A, piece);
        bench.fsync(A);
        bench.send(A, conn, "behind");
    }
    bench.run(20_000);
    assert!(bench.told(B).is_empty());
    bench.world.slow_disk(A, Duration::ZERO);
    bench.run(20_010);
    assert_eq!(bench.told(B), [(20_001, "behind"), (20_001, "behind")]);
    assert!(bench.told(A).is_empty(), "fsyncs take a minute from now");
    bench.world.set_fsync(A, Duration::ZERO..=Duration::ZERO);
    bench.run(20_011);
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
                effects
                    .disk(DiskRequest::Append { file: "log".into(), bytes: bytes.clone().into() });
                effects.disk(DiskRequest::Fsync { file: "log".into() });
                effects.send(conn, bytes);
            }
            Input::Closed { conn, .. } => _ = effects.timer(Time::from_millis(conn.0), conn.0),
            _ => {}
        }
    }
    let mut config = config();
    config.network = NetworkConfig::default();
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
    assert_eq!(log, simulate(Seed(1), || busy_log(1)), "a runtime around it changes nothing");
}

#[test]
fn inside_a_runtime_libc_clocks_follow_virtual_time() {
    #[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the clock under test")]
    fn clock() -> std::time::SystemTime {
        std::time::SystemTime::now()
    }
    simulate(Seed(1), || {
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
    let stamp = bench.world.drive(B, |_, _, _| moment()).unwrap();
    assert_eq!((stamp.time, stamp.node), (Time::from_millis(7), Some(B)));
    assert_eq!(moment().node, None);
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

#[test]
fn a_process_that_stops_listening_refuses_and_keeps_its_connections() {
    let (mut bench, conn) = Bench::connected();
    bench.effects(B, |effects| effects.stop_listening());
    assert!(bench.world.refuses(B));
    bench.connect(A, B);
    bench.send(A, conn, "still heard");
    bench.run(20);
    assert_eq!(bench.words(B), ["still heard"]);
    assert_eq!(bench.words(A), ["Refused"]);
    bench.world.restart(B);
    assert!(!bench.world.refuses(B));
}

#[test]
fn a_killed_process_is_silent_until_its_kernel_closes_its_connections() {
    let mut config = config();
    config.death = Duration::from_millis(15)..=Duration::from_millis(40);
    let mut ends = Vec::new();
    for seed in 1..=20 {
        let mut bench = Bench::new(seed, config.clone(), &[idle, idle]);
        let conn = bench.connect(A, B);
        bench.run(10);
        bench.forget();
        assert!(bench.world.crash(B));
        // Five requests, and a connection that is asked for: all without an answer for a while.
        (0..5).for_each(|_| bench.send(A, conn, "lost"));
        bench.connect(A, B);
        bench.run(100);
        let mut told = bench.told(A);
        told.sort_unstable_by_key(|(_, what)| std::cmp::Reverse(*what));
        assert_eq!(told.iter().map(|(_, what)| *what).collect::<Vec<_>>(), ["Reset", "Refused"]);
        ends.push(told[0].0 - 10);
        assert!(bench.told(B).is_empty());
    }
    ends.sort_unstable();
    assert!(ends[0] >= 16 && ends[19] <= 41 && ends[19] > ends[0] + 10, "{ends:?}");
}

#[test]
fn what_a_process_works_on_is_lost_when_it_dies_before() {
    for (after_ms, heard) in [(1, true), (3, false)] {
        for power_loss in [false, true] {
            let (mut bench, conn) = Bench::connected();
            let answer = Bytes::from_static(b"answer");
            bench.effects(B, |effects| {
                effects.send_after(conn, answer, Duration::from_millis(after_ms));
            });
            bench.run(4);
            match power_loss {
                true => bench.world.power_loss(B),
                false => bench.world.crash(B),
            };
            bench.run(100);
            let words = bench.words(A);
            assert_eq!(words.contains(&"answer"), heard, "{after_ms} {power_loss}: {words:?}");
        }
    }
}

#[test]
fn a_process_that_starts_again_takes_time_to_come_up() {
    let mut bench = Bench::new(1, config(), &[idle, idle]);
    let second = Duration::from_secs(1);
    bench.world.set_start_up(B, &(second..=second));
    bench.world.restart(B);
    assert!(bench.world.is_running(B) && bench.world.refuses(B));
    bench.connect(A, B);
    bench.run(999);
    assert_eq!(bench.words(A), ["Refused"]);
    assert!(bench.told(B).is_empty());
    bench.run(1_000);
    assert_eq!(bench.words(B), ["start with 0 files"]);
    bench.connect(A, B);
    bench.run(1_010);
    assert_eq!(bench.words(A), ["Refused", "opened"]);
    // What happens to it meanwhile.
    bench.world.restart(B);
    bench.forget();
    assert!(bench.world.crash(B));
    bench.world.restart(B);
    assert!(bench.world.pause(B));
    bench.run(5_000);
    assert!(bench.told(B).is_empty());
    bench.world.resume(B);
    assert_eq!(bench.words(B), ["start with 0 files"]);
    bench.world.restart(B);
    assert!(bench.world.shutdown(B) && !bench.world.is_running(B));
    bench.run(9_000);
    assert_eq!(bench.words(B).len(), 1);
}
