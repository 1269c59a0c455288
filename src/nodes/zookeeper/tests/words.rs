//! Words of four letters.

use super::*;
use crate::releases::ZooKeeperVersion;

impl Harness {
    /// What a word is answered with; the connection is closed in any case.
    fn word(&mut self, word: &str) -> String {
        let conn = self.accept();
        self.send(conn, Bytes::copy_from_slice(word.as_bytes()));
        assert!(self.closed().contains(&conn), "{word}");
        String::from_utf8(self.rig.take(CLIENT, conn).to_vec()).unwrap()
    }
}

#[test]
fn a_word_is_answered_with_text_and_what_is_none_with_nothing() {
    let mut harness = Harness::new();
    assert_eq!(harness.word("ruok"), "imok");
    assert_eq!(harness.word("isro"), "rw");
    assert_eq!(harness.word("what"), "");
    assert_eq!(harness.word("RUOK"), "");
}

#[test]
fn srvr_counts_as_zookeeper_does() {
    let mut harness = Harness::new();
    harness.word("ruok");
    let version = concat!(
        "Zookeeper version: 3.8.4-kafka-sim-",
        env!("CARGO_PKG_VERSION"),
        ", built on 2024-02-12 22:16 UTC\n"
    );
    // What asks is counted as received, and as sent only when it was.
    let fresh = "Latency min/avg/max: 0/0.0/0\nReceived: 2\nSent: 1\nConnections: 1\n\
                 Outstanding: 0\nZxid: 0x0\nMode: standalone\nNode count: 5\n";
    assert_eq!(harness.word("srvr"), format!("{version}{fresh}"));
    let (conn, _) = harness.attach();
    let fsync = Duration::from_millis(3);
    harness.rig.set_fsync(SERVER, fsync..=fsync);
    harness.ask(conn, 1, &create("/a"));
    let asked = harness.word("srvr");
    assert!(asked.contains("\nConnections: 2\nOutstanding: 1\nZxid: 0x1\n"), "{asked}");
    harness.sync();
    // The handshake and the create.
    let asked = harness.word("srvr");
    assert!(asked.contains("\nLatency min/avg/max: 0/1.5/3\nReceived: 6\nSent: 5\n"), "{asked}");
}

#[test]
fn stat_lists_what_each_connection_sent_and_got() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.ask(conn, 1, &create("/a"));
    let text = harness.word("stat");
    let clients: Vec<&str> = text.lines().filter(|line| line.starts_with(" /")).collect();
    let [client, asking] = clients[..] else { panic!("{text}") };
    assert!(client.starts_with(" /10.0.0.1:"), "{client}");
    assert!(client.ends_with("[1](queued=1,recved=2,sent=1)"), "{client}");
    assert!(asking.ends_with("[0](queued=0,recved=1,sent=0)"), "{asking}");
    let port = client.split([':', '[']).nth(1).and_then(|port| port.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port >= 32_768), "{client}");
    assert!(text.contains("\n\nLatency min/avg/max: "), "{text}");
}

#[test]
fn mntr_has_a_key_and_a_value_in_each_line() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &ephemeral("/e")).unwrap();
    harness.call(conn, &exists("/e", true)).unwrap();
    let (denied, _) = harness.attach();
    harness.ask(denied, xid::AUTH, &Request::Auth { scheme: "no".into(), credentials: None });
    harness.rig.run_to(Time::from_millis(250));
    let text = harness.word("mntr");
    let value = |key: &str| {
        let of = |line: &str| line.strip_prefix(key)?.strip_prefix('\t').map(str::to_owned);
        text.lines().find_map(of).unwrap_or_else(|| panic!("no {key} in {text}"))
    };
    assert!(text.lines().all(|line| line.starts_with("zk_") && line.split('\t').count() == 2));
    for (key, wanted) in [
        ("zk_server_state", "standalone"),
        ("zk_avg_latency", "0.0"),
        ("zk_max_latency", "0"),
        ("zk_min_latency", "0"),
        ("zk_packets_received", "6"),
        ("zk_packets_sent", "5"),
        ("zk_num_alive_connections", "2"),
        ("zk_outstanding_requests", "0"),
        ("zk_uptime", "250"),
        ("zk_znode_count", "6"),
        ("zk_watch_count", "1"),
        ("zk_ephemerals_count", "1"),
        ("zk_approximate_data_size", "46"),
        ("zk_global_sessions", "2"),
        ("zk_auth_failed_count", "1"),
    ] {
        assert_eq!(value(key), wanted, "{key}");
    }
    assert!(!text.contains("zk_quorum_size"), "it is alone");
}

/// The formats are those of `WatchManager.toString` and `WatchManager.dumpWatches`, 3.4.10 to 3.8.4; `wchs` is recorded
/// of the tools' step `zk-4lw-wchs`.
#[test]
fn watches_are_shown_by_number_session_and_path() {
    let mut harness = Harness::new();
    assert_eq!(harness.word("wchs"), "0 connections watching 0 paths\nTotal watches:0\n");
    assert_eq!(harness.word("wchc"), "\n");
    assert_eq!(harness.word("wchp"), "\n");
    let ((one, session), (two, other)) = (harness.attach(), harness.attach());
    harness.call(one, &create("/a")).unwrap();
    harness.call(one, &exists("/a", true)).unwrap();
    let _ = harness.call(one, &exists("/b", true));
    harness.call(two, &exists("/a", true)).unwrap();
    harness.call(two, &children("/a")).unwrap();
    assert_eq!(harness.word("wchs"), "2 connections watching 2 paths\nTotal watches:3\n");
    let (session, other) = (format!("{:#x}", session.session), format!("{:#x}", other.session));
    let expected = format!("{session}\n\t/a\n\t/b\n{other}\n\t/a\n\n");
    assert_eq!(harness.word("wchc"), expected);
    let expected = format!("/a\n\t{session}\n\t{other}\n/b\n\t{session}\n\n");
    assert_eq!(harness.word("wchp"), expected);
}

#[test]
fn counts_begin_again_when_they_are_reset() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/a")).unwrap();
    assert_eq!(harness.word("crst"), "Connection stats reset.\n");
    let text = harness.word("stat");
    let client = text.lines().find(|line| line.starts_with(" /")).expect("a client");
    assert!(client.ends_with("(queued=0,recved=0,sent=0)"), "{client}");
    assert_eq!(harness.word("srst"), "Server stats reset.\n");
    // The answer to `srst`, and the question.
    let text = harness.word("srvr");
    assert!(text.contains("Latency min/avg/max: 0/0.0/0\nReceived: 1\nSent: 1\n"), "{text}");
}

/// Recorded of the tools' step `zk-4lw-conf` at 1.1.1 (3.4.10), 2.8.2 (3.5.9) and 3.9.1 (3.8.4).
#[test]
fn conf_has_the_keys_of_each_release() {
    let old = "clientPort dataDir dataLogDir tickTime maxClientCnxns minSessionTimeout \
               maxSessionTimeout serverId";
    let sized = "clientPort secureClientPort dataDir dataDirSize dataLogDir dataLogSize tickTime \
                 maxClientCnxns minSessionTimeout maxSessionTimeout serverId";
    let backlog = sized.replace(" serverId", " clientPortListenBacklog serverId");
    for (version, keys) in [("3.4.10", old), ("3.5.9", sized), ("3.8.4", &*backlog)] {
        let version = ZooKeeperVersion::named(version).unwrap();
        let mut harness = Harness::of(Config { version, ..Config::default() });
        let text = harness.word("conf");
        let found: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
        assert_eq!(found.join(" "), keys, "{version}");
        assert!(text.contains("tickTime=3000\n") && text.ends_with("serverId=0\n"), "{text}");
    }
}

/// Recorded of `zk-4lw-dirs`: 3.4.10 closes the connection with nothing said.
#[test]
fn dirs_is_a_word_since_3_5() {
    let version = ZooKeeperVersion::named("3.4.10").unwrap();
    let mut harness = Harness::of(Config { version, ..Config::default() });
    assert_eq!(harness.word("dirs"), "");
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/a")).unwrap();
    let text = harness.word("dirs");
    let bytes = text.lines().map(|line| line.split(": ").collect::<Vec<_>>());
    let [one, two] = bytes.collect::<Vec<_>>().try_into().expect("two lines");
    assert_eq!((one[0], two[0]), ("datadir_size", "logdir_size"));
    assert!(one[1] == two[1] && one[1].parse::<usize>().unwrap() >= 67_108_880, "{text}");
}

/// The formats are those of `ServerCnxn.dumpConnectionInfo`, `SessionTrackerImpl.dumpSessions`, `ExpiryQueue.dump` and
/// `DataTree.dumpEphemerals`, 3.4.14 to 3.8.4.
#[test]
fn connections_and_sessions_are_dumped() {
    for (name, sets, connections) in
        [("3.4.10", "Session Sets (1):", false), ("3.8.4", "Session Sets (1)/(1):", true)]
    {
        let version = ZooKeeperVersion::named(name).unwrap();
        let mut harness = Harness::of(Config { version, ..Config::default() });
        let (conn, session) = harness.attach();
        harness.call(conn, &ephemeral("/e")).unwrap();
        let id = format!("{:#x}", session.session);
        let text = harness.word("cons");
        let lines: Vec<&str> = text.lines().collect();
        let [client, asking, ""] = lines[..] else { panic!("{text}") };
        let known = format!("[1](queued=0,recved=2,sent=2,sid={id},lop=CREA,est=");
        assert!(client.contains(&known), "{client}");
        let rest = ",lcxid=0x1,lzxid=0x2,lresp=";
        assert!(client.contains(rest) && client.contains(",llat=0,minlat=0,avglat="), "{client}");
        assert!(asking.ends_with("[0](queued=0,recved=1,sent=0)"), "{asking}");
        let text = harness.word("dump");
        let begin = format!("SessionTracker dump:\n{sets}\n1 expire at ");
        assert!(text.starts_with(&begin), "{text}");
        let rest = format!(
            ":\n\t{id}\nephemeral nodes dump:\nSessions with Ephemerals (1):\n{id}:\n\t/e\n"
        );
        assert!(text.contains(&rest), "{text}");
        assert_eq!(text.contains("Connections dump:\nConnections Sets ("), connections, "{text}");
        assert_eq!(text.contains(&format!("sessionId: {id}\n")), connections, "{text}");
    }
}

#[test]
fn envi_describes_the_simulated_host_only() {
    let mut harness = Harness::of(Config { host: "z7".into(), ..Config::default() });
    let text = harness.word("envi");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Environment:"));
    assert!(lines.next().is_some_and(|line| line.starts_with("zookeeper.version=3.8.4-")));
    assert_eq!(lines.next(), Some("host.name=z7"));
    assert!(lines.clone().count() > 10 && lines.all(|line| line.ends_with("=<NA>")), "{text}");
    assert_eq!(harness.word("envi"), text);
}

#[test]
fn only_srvr_is_answered_where_nothing_else_is_allowed() {
    let mut harness = Harness::of(Config { four_letter_words: false, ..Config::default() });
    let refusal = |word| format!("{word} is not executed because it is not in the whitelist.\n");
    for word in
        ["ruok", "stat", "mntr", "isro", "envi", "wchs", "wchc", "wchp", "crst", "srst", "conf"]
    {
        assert_eq!(harness.word(word), refusal(word));
    }
    assert!(harness.word("srvr").contains("Mode: standalone"));
}

#[test]
fn a_server_that_has_no_leader_says_so() {
    let others = ABSENT.map(|node| (node as u8, NodeId(node)));
    let ensemble = others.chain([(1, SERVER)]).collect();
    let mut harness = Harness::of(Config { ensemble, ..Config::default() });
    let idle = "This ZooKeeper instance is not currently serving requests\n";
    for (word, answer) in [
        ("ruok", "imok"),
        ("isro", "null"),
        ("srvr", idle),
        ("stat", idle),
        ("mntr", idle),
        ("wchs", idle),
        ("srst", idle),
    ] {
        assert_eq!(harness.word(word), answer);
    }
    assert!(harness.word("envi").starts_with("Environment:\n"));
}

/// Recorded at 2.4.1 and 2.8.2: whole averages, no uptime, sessions or auth_failed; real ones have two keys more, of
/// files of the host.
#[test]
fn up_to_3_5_averages_are_whole_and_mntr_has_fewer_keys() {
    for (version, built) in [("3.4.10", "03/23/2017 10:13 GMT"), ("3.5.9", "01/06/2021 20:03 GMT")]
    {
        let version = ZooKeeperVersion::named(version).unwrap();
        let mut harness = Harness::of(Config { version, ..Config::default() });
        let (conn, _) = harness.attach();
        let fsync = Duration::from_millis(3);
        harness.rig.set_fsync(SERVER, fsync..=fsync);
        harness.ask(conn, 1, &create("/a"));
        harness.sync();
        let asked = harness.word("srvr");
        let package = env!("CARGO_PKG_VERSION");
        let first = format!("Zookeeper version: {version}-kafka-sim-{package}, built on {built}\n");
        assert!(asked.starts_with(&first), "{asked}");
        assert!(asked.contains("\nLatency min/avg/max: 0/1/3\n"), "{asked}");
        let text = harness.word("mntr");
        let keys: Vec<&str> = text.lines().filter_map(|line| line.split('\t').next()).collect();
        let recorded = [
            "zk_version",
            "zk_avg_latency",
            "zk_max_latency",
            "zk_min_latency",
            "zk_packets_received",
            "zk_packets_sent",
            "zk_num_alive_connections",
            "zk_outstanding_requests",
            "zk_server_state",
            "zk_znode_count",
            "zk_watch_count",
            "zk_ephemerals_count",
            "zk_approximate_data_size",
        ];
        assert_eq!(keys, recorded, "{version}");
    }
}
