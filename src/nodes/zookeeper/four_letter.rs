//! Four-letter words: commands that are sent as text, where another client sends the length of a frame.

mod dumps;

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::connection::Connection;
use super::ensemble::peer::Quorum;
use super::service::{Service, Serving};
use super::step::Step;
use crate::releases::{ZooKeeperChange, ZooKeeperVersion};
use crate::vocab::{Clock, ConnId, Time};

/// The answer of a server that does not serve, to most words.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// The mode of a server that serves reads without a leader.
const READ_ONLY: &str = "read-only";

/// What the answer to a word is made of.
struct Answer<'a> {
    service: &'a Service,
    quorum: &'a Quorum,
    config: &'a Config,
    now: Time,
    wall_ms: i64,
    /// The connection that asks.
    by: ConnId,
}

/// Answers `word` if it is a command, and says whether it is. The connection is to be closed in any case.
pub(super) fn answer(
    service: &mut Service,
    quorum: &Quorum,
    step: &mut Step<'_>,
    conn: ConnId,
    word: [u8; 4],
) -> bool {
    let known = Word::of(word).filter(|word| word.is_of(step.config.version));
    let Some(word) = known else { return false };
    service.clients.stats.received += 1;
    if let Some(connection) = service.clients.get_mut(conn) {
        connection.received += 1;
    }
    let Clock { now, wall_ms } = step.clock;
    let answer = Answer { service, quorum, config: step.config, now, wall_ms, by: conn };
    let refusal = answer.refusal(word);
    let text = refusal.clone().unwrap_or_else(|| answer.text(word));
    match (refusal, word) {
        (None, Word::Crst) => service.clients.reset_counts(),
        (None, Word::Srst) => service.clients.stats.reset(),
        _ => {}
    }
    service.clients.stats.sent += 1;
    step.fx.send(conn, text.into());
    true
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Ruok,
    Isro,
    Srvr,
    Stat,
    Mntr,
    Envi,
    Wchs,
    Wchc,
    Wchp,
    Crst,
    Srst,
    Conf,
    Cons,
    Dirs,
    Dump,
}

impl Word {
    const ALL: [Self; 15] = [
        Self::Ruok,
        Self::Isro,
        Self::Srvr,
        Self::Stat,
        Self::Mntr,
        Self::Envi,
        Self::Wchs,
        Self::Wchc,
        Self::Wchp,
        Self::Crst,
        Self::Srst,
        Self::Conf,
        Self::Cons,
        Self::Dirs,
        Self::Dump,
    ];

    fn of(bytes: [u8; 4]) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name().as_bytes() == bytes)
    }

    /// Whether a release knows it. One that it does not know is no command.
    fn is_of(self, version: ZooKeeperVersion) -> bool {
        self != Self::Dirs || version.has(ZooKeeperChange::DirectorySizes)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ruok => "ruok",
            Self::Isro => "isro",
            Self::Srvr => "srvr",
            Self::Stat => "stat",
            Self::Mntr => "mntr",
            Self::Envi => "envi",
            Self::Wchs => "wchs",
            Self::Wchc => "wchc",
            Self::Wchp => "wchp",
            Self::Crst => "crst",
            Self::Srst => "srst",
            Self::Conf => "conf",
            Self::Cons => "cons",
            Self::Dirs => "dirs",
            Self::Dump => "dump",
        }
    }
}

impl Answer<'_> {
    fn has(&self, change: ZooKeeperChange) -> bool {
        self.config.version.has(change)
    }

    /// What is said instead of the answer: the word is not allowed, or the server does not serve.
    fn refusal(&self, word: Word) -> Option<String> {
        if word != Word::Srvr && !self.config.four_letter_words {
            let name = word.name();
            return Some(format!("{name} is not executed because it is not in the whitelist.\n"));
        }
        let is_always_answered = matches!(word, Word::Ruok | Word::Envi | Word::Isro);
        (!is_always_answered && !self.serves()).then(|| NOT_SERVING.to_owned())
    }

    fn is_read_only(&self) -> bool {
        self.quorum.is_read_only(self.now, self.config)
    }

    fn serves(&self) -> bool {
        self.quorum.serving() != Serving::Nobody || self.is_read_only()
    }

    fn text(&self, word: Word) -> String {
        match word {
            Word::Ruok => "imok".into(),
            Word::Envi => self.environment(),
            Word::Isro if self.is_read_only() => "ro".into(),
            Word::Isro => if self.serves() { "rw" } else { "null" }.into(),
            Word::Srvr => self.version_line() + &self.server(),
            Word::Stat => self.version_line() + &self.clients() + &self.server(),
            Word::Mntr => self.monitor(),
            Word::Wchs => self.watch_counts(),
            Word::Wchc => self.watches_by_session(),
            Word::Wchp => self.watches_by_path(),
            Word::Crst => "Connection stats reset.\n".into(),
            Word::Srst => "Server stats reset.\n".into(),
            Word::Conf => self.settings(),
            Word::Cons => self.connections(),
            Word::Dirs => self.directories(),
            Word::Dump => self.dump(),
        }
    }

    /// Of watches for data; those for children are a table of their own, which ZooKeeper never shows.
    fn watch_counts(&self) -> String {
        let by_conn = self.service.clients.watches.data_by_conn();
        let paths: BTreeSet<_> = by_conn.values().flatten().collect();
        let total: usize = by_conn.values().map(BTreeSet::len).sum();
        let (conns, paths) = (by_conn.len(), paths.len());
        format!("{conns} connections watching {paths} paths\nTotal watches:{total}\n")
    }

    fn watches_by_session(&self) -> String {
        let mut text = String::new();
        for (conn, paths) in self.service.clients.watches.data_by_conn() {
            text.push_str(&format!("{:#x}\n", self.service.clients.session(conn)));
            paths.iter().for_each(|path| text.push_str(&format!("\t{path}\n")));
        }
        text + "\n"
    }

    fn watches_by_path(&self) -> String {
        let mut by_path: BTreeMap<_, Vec<ConnId>> = BTreeMap::new();
        for (conn, paths) in self.service.clients.watches.data_by_conn() {
            paths.into_iter().for_each(|path| by_path.entry(path).or_default().push(conn));
        }
        let mut text = String::new();
        for (path, conns) in by_path {
            text.push_str(&format!("{path}\n"));
            for conn in conns {
                text.push_str(&format!("\t{:#x}\n", self.service.clients.session(conn)));
            }
        }
        text + "\n"
    }

    fn version_line(&self) -> String {
        let mut text = format!("Zookeeper version: {}\n", self.version());
        if self.mode() == READ_ONLY {
            text.push_str("READ-ONLY mode; serving only read-only clients\n");
        }
        text
    }

    /// The release that the server behaves like, and that it is simulated.
    fn version(&self) -> String {
        let release = self.config.version;
        let built = release.built();
        format!("{release}-kafka-sim-{}, built on {built}", env!("CARGO_PKG_VERSION"))
    }

    fn mode(&self) -> &'static str {
        if self.is_read_only() { READ_ONLY } else { self.quorum.mode() }
    }

    fn clients(&self) -> String {
        let mut text = "Clients:\n".to_owned();
        for (conn, connection) in self.service.clients.iter() {
            let (interest, counts) = self.counts(conn, connection);
            let address = address(conn, connection);
            text.push_str(&format!(" /{address}[{interest}]({counts})\n"));
        }
        text.push('\n');
        text
    }

    fn server(&self) -> String {
        let Service { storage, pipeline, clients, .. } = self.service;
        let (stats, db) = (&clients.stats, &storage.db);
        let mut text = format!(
            "Latency min/avg/max: {}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n\
             Zxid: {}\nMode: {}\nNode count: {}\n",
            self.latencies(),
            stats.received,
            stats.sent,
            clients.len(),
            pipeline.len(),
            db.last_zxid,
            self.mode(),
            self.znodes(),
        );
        let has_sizes = self.has(ZooKeeperChange::ProposalSizes);
        if has_sizes && self.quorum.learners().is_some() {
            let sizes = stats.proposals.texts().join("/");
            text.push_str(&format!("Proposal sizes last/min/max: {sizes}\n"));
        }
        text
    }

    /// ZooKeeper stores the root under two keys, and counts both.
    fn znodes(&self) -> usize {
        self.service.storage.db.tree.len() + 1
    }

    /// Shortest, mean and longest latency.
    fn latencies(&self) -> String {
        let latency = &self.service.clients.stats.latency;
        format!("{}/{}/{}", latency.min_ms(), self.average(), latency.max_ms)
    }

    /// The mean latency: up to 3.5 in whole milliseconds, cut off.
    fn average(&self) -> String {
        let latency = &self.service.clients.stats.latency;
        match self.has(ZooKeeperChange::MetricsFramework) {
            true => latency.average(),
            false => latency.whole_average().to_string(),
        }
    }

    /// The gauges of ZooKeeper that the simulation has; not files of the host, TLS and response sizes.
    fn monitor(&self) -> String {
        let lines = match self.has(ZooKeeperChange::MetricsFramework) {
            true => self.gauges(),
            false => self.old_gauges(),
        };
        lines.iter().map(|(key, value)| format!("zk_{key}\t{value}\n")).collect()
    }

    /// Latencies, and what came and went.
    fn traffic(&self) -> [(&'static str, String); 7] {
        let Service { pipeline, clients, .. } = self.service;
        let stats = &clients.stats;
        [
            ("avg_latency", self.average()),
            ("max_latency", stats.latency.max_ms.to_string()),
            ("min_latency", stats.latency.min_ms().to_string()),
            ("packets_received", stats.received.to_string()),
            ("packets_sent", stats.sent.to_string()),
            ("num_alive_connections", clients.len().to_string()),
            ("outstanding_requests", pipeline.len().to_string()),
        ]
    }

    /// What the tree holds.
    fn data(&self) -> [(&'static str, String); 4] {
        let Service { storage, clients, .. } = self.service;
        let db = &storage.db;
        [
            ("znode_count", self.znodes().to_string()),
            ("watch_count", clients.watches.len().to_string()),
            ("ephemerals_count", db.tree.ephemeral_count().to_string()),
            ("approximate_data_size", db.tree.size_bytes().to_string()),
        ]
    }

    /// Up to 3.5.
    fn old_gauges(&self) -> Vec<(&'static str, String)> {
        let Service { pipeline, clients, .. } = self.service;
        let mut lines = vec![("version", self.version())];
        lines.extend(self.traffic());
        lines.push(("server_state", self.mode().into()));
        lines.extend(self.data());
        if let Some((learners, synced)) = self.quorum.learners() {
            lines.extend([
                ("followers", learners.to_string()),
                ("synced_followers", synced.to_string()),
                ("pending_syncs", pipeline.pending_syncs().to_string()),
            ]);
            if self.has(ZooKeeperChange::ProposalSizes) {
                let [last, min, max] = clients.stats.proposals.texts();
                lines.extend([
                    ("last_proposal_size", last),
                    ("max_proposal_size", max),
                    ("min_proposal_size", min),
                ]);
            }
        }
        lines
    }

    /// Since 3.6.
    fn gauges(&self) -> Vec<(&'static str, String)> {
        let Service { storage, pipeline, sessions, clients, .. } = self.service;
        let (stats, db) = (&clients.stats, &storage.db);
        let uptime_ms = self.now.since(stats.since).as_millis();
        let mut lines = vec![("version", self.version()), ("server_state", self.mode().into())];
        if let Some(state) = self.quorum.peer_state() {
            lines.push(("peer_state", state.to_owned()));
        }
        lines.extend(self.traffic());
        lines.push(("uptime", uptime_ms.to_string()));
        lines.extend(self.data());
        lines.extend([
            ("global_sessions", db.sessions.len().to_string()),
            ("local_sessions", sessions.local.len().to_string()),
            ("auth_failed_count", stats.auth_failed.to_string()),
        ]);
        if let Some(servers) = self.quorum.size() {
            lines.push(("quorum_size", servers.to_string()));
        }
        if let Some((learners, synced)) = self.quorum.learners() {
            let [last, min, max] = stats.proposals.texts();
            lines.extend([
                ("learners", learners.to_string()),
                ("synced_followers", synced.to_string()),
                ("pending_syncs", pipeline.pending_syncs().to_string()),
                ("leader_uptime", uptime_ms.to_string()),
                ("last_proposal_size", last),
                ("max_proposal_size", max),
                ("min_proposal_size", min),
            ]);
        }
        lines
    }

    /// The keys of ZooKeeper's `Environment` without memory. There is no virtual machine and no operating system:
    /// their values are those that ZooKeeper prints when it cannot find them out.
    fn environment(&self) -> String {
        const NOT_THERE: [&str; 13] = [
            "java.version",
            "java.vendor",
            "java.home",
            "java.class.path",
            "java.library.path",
            "java.io.tmpdir",
            "java.compiler",
            "os.name",
            "os.arch",
            "os.version",
            "user.name",
            "user.home",
            "user.dir",
        ];
        let host = &self.config.host;
        let version = self.version();
        let mut text = format!("Environment:\nzookeeper.version={version}\nhost.name={host}\n");
        NOT_THERE.iter().for_each(|key| text.push_str(&format!("{key}=<NA>\n")));
        text
    }
}

/// The address of a client. The simulated network has no ports, but readers of the answer expect one: it is made
/// from the connection's number, in Linux's `ip_local_port_range`.
fn address(conn: ConnId, connection: &Connection) -> String {
    let host = connection.ids.iter().find(|id| &*id.scheme == "ip").map_or("", |id| &*id.id);
    format!("{host}:{}", 32_768 + conn.0 % 28_232)
}
