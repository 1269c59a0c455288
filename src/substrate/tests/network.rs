//! Connections and links, as processes see them.

use std::time::Duration;

use super::bench::{A, B, Bench, config, echo, idle};
use crate::vocab::Ratio;

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
    assert!(bench.told(B).is_empty() && bench.told(A).is_empty());
    bench.world.heal(A, B);
    assert!(!bench.world.is_cut(A, B));
    bench.run(1_000 + 1_200);
    assert_eq!(bench.words(B), ["under way", "1", "2", "3", "Eof"]);
}

#[test]
fn a_cut_shorter_than_the_latency_keeps_the_order() {
    let (mut bench, conn) = Bench::connected();
    bench.world.slow(A, B, Duration::from_millis(500));
    bench.send(A, conn, "1");
    bench.run(5);
    bench.send(A, conn, "2");
    bench.world.cut(A, B);
    bench.send(A, conn, "3");
    bench.run(7);
    bench.world.heal(A, B);
    bench.send(A, conn, "4");
    bench.run(3_000);
    assert_eq!(bench.words(B), ["1", "2", "3", "4"]);
    let first = bench.told(B)[0].0;
    assert!(first >= 507, "what was under way is sent again, not delivered at {first} ms");
}

#[test]
fn a_request_to_connect_that_a_cut_stops_is_repeated_or_given_up() {
    for is_given_up in [false, true] {
        let mut bench = Bench::new(1, config(), &[idle, idle]);
        let conn = bench.connect(A, B);
        bench.world.cut(A, B);
        bench.run(100);
        assert!(bench.told(B).is_empty());
        if is_given_up {
            bench.effects(A, |effects| effects.close(conn));
        }
        bench.world.heal(A, B);
        bench.run(1_000);
        assert_eq!(bench.words(B).is_empty(), is_given_up);
        assert_eq!(bench.world.conn_count(), usize::from(!is_given_up));
    }
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
#[should_panic(expected = "before it is opened")]
fn sending_before_the_connection_is_open_is_a_bug_of_the_node() {
    let mut bench = Bench::new(1, config(), &[idle, idle]);
    let conn = bench.connect(A, B);
    bench.send(A, conn, "too early");
}
