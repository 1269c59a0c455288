//! Commands of four letters, sent as text where a frame's length would stand.

use super::connection::Connection;
use super::{Config, Running, Step};
use crate::vocab::{ConnId, Time};

/// What every answer of a server that does not serve is, but for some.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// What a server calls itself that serves reads without a leader.
const READ_ONLY: &str = "read-only";

/// What is asked, and of whom.
struct Asked<'a> {
    running: &'a Running,
    config: &'a Config,
    now: Time,
    /// The connection that asks.
    by: ConnId,
}

impl Running {
    /// Answers `word` if it is a command. The connection is to be closed in any case.
    pub(super) fn answer_word(&mut self, at: &mut Step<'_>, conn: ConnId, word: [u8; 4]) -> bool {
        let Some(word) = Word::of(word) else { return false };
        self.stats.received += 1;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.received += 1;
        }
        let asked = Asked { running: self, config: at.config, now: at.clock.now, by: conn };
        let text = asked.answer(word);
        self.stats.sent += 1;
        at.fx.send(conn, text.into());
        true
    }
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
}

impl Word {
    const ALL: [Self; 6] = [Self::Ruok, Self::Isro, Self::Srvr, Self::Stat, Self::Mntr, Self::Envi];

    fn of(bytes: [u8; 4]) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name().as_bytes() == bytes)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ruok => "ruok",
            Self::Isro => "isro",
            Self::Srvr => "srvr",
            Self::Stat => "stat",
            Self::Mntr => "mntr",
            Self::Envi => "envi",
        }
    }
}

impl Asked<'_> {
    fn answer(&self, word: Word) -> String {
        if word != Word::Srvr && !self.config.four_letter_words {
            let name = word.name();
            return format!("{name} is not executed because it is not in the whitelist.\n");
        }
        let is_read_only = self.running.is_read_only(self.now, self.config);
        let serves = self.running.serves() || is_read_only;
        match word {
            Word::Ruok => "imok".into(),
            Word::Envi => self.environment(),
            Word::Isro if is_read_only => "ro".into(),
            Word::Isro => if serves { "rw" } else { "null" }.into(),
            Word::Srvr | Word::Stat | Word::Mntr if !serves => NOT_SERVING.into(),
            Word::Srvr => self.version_line() + &self.server(),
            Word::Stat => self.version_line() + &self.clients() + &self.server(),
            Word::Mntr => self.monitor(),
        }
    }

    fn version_line(&self) -> String {
        let mut text = format!("Zookeeper version: {}\n", version());
        if self.mode() == READ_ONLY {
            text.push_str("READ-ONLY mode; serving only read-only clients\n");
        }
        text
    }

    fn mode(&self) -> &'static str {
        let is_read_only = self.running.is_read_only(self.now, self.config);
        if is_read_only { READ_ONLY } else { self.running.mode() }
    }

    fn clients(&self) -> String {
        let mut text = "Clients:\n".to_owned();
        for (conn, connection) in &self.running.connections {
            // The selector's interest: in reading, and in nothing any more once a word was read.
            let interest = if *conn == self.by { 0 } else { 1 };
            let Connection { received, sent, .. } = connection;
            let queued = connection.waiting.len();
            text.push_str(&format!(
                " /{}[{interest}](queued={queued},recved={received},sent={sent})\n",
                address(*conn, connection)
            ));
        }
        text.push('\n');
        text
    }

    fn server(&self) -> String {
        let Running { stats, connections, proposals, state, .. } = self.running;
        let mut text = format!(
            "Latency min/avg/max: {}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n\
             Zxid: {}\nMode: {}\nNode count: {}\n",
            stats.latency,
            stats.received,
            stats.sent,
            connections.len(),
            proposals.len(),
            state.last_zxid,
            self.mode(),
            self.znodes(),
        );
        if self.running.learners().is_some() {
            let sizes = stats.proposals.texts().join("/");
            text.push_str(&format!("Proposal sizes last/min/max: {sizes}\n"));
        }
        text
    }

    /// ZooKeeper stores the root under two keys, and counts both.
    fn znodes(&self) -> usize {
        self.running.state.tree.len() + 1
    }

    /// What ZooKeeper registers as gauges and the simulation has (not: files of the host, TLS, response sizes).
    fn monitor(&self) -> String {
        let Running { stats, connections, proposals, state, .. } = self.running;
        let uptime_ms = self.now.since(self.running.role_since).as_millis();
        let mut lines = vec![("version", version()), ("server_state", self.mode().into())];
        if let Some(state) = self.running.peer_state() {
            lines.push(("peer_state", state.to_owned()));
        }
        lines.extend([
            ("avg_latency", stats.latency.average()),
            ("max_latency", stats.latency.max_ms.to_string()),
            ("min_latency", stats.latency.min_ms().to_string()),
            ("packets_received", stats.received.to_string()),
            ("packets_sent", stats.sent.to_string()),
            ("num_alive_connections", connections.len().to_string()),
            ("outstanding_requests", proposals.len().to_string()),
            ("uptime", uptime_ms.to_string()),
            ("znode_count", self.znodes().to_string()),
            ("watch_count", self.running.watches.len().to_string()),
            ("ephemerals_count", state.tree.ephemeral_count().to_string()),
            ("approximate_data_size", state.tree.size_bytes().to_string()),
            ("global_sessions", state.sessions.len().to_string()),
            ("local_sessions", self.running.local.len().to_string()),
            ("auth_failed_count", stats.auth_failed.to_string()),
        ]);
        if let Some(servers) = self.running.quorum_size() {
            lines.push(("quorum_size", servers.to_string()));
        }
        if let Some((learners, synced)) = self.running.learners() {
            let [last, min, max] = stats.proposals.texts();
            lines.extend([
                ("learners", learners.to_string()),
                ("synced_followers", synced.to_string()),
                ("pending_syncs", self.running.pending_syncs().to_string()),
                ("leader_uptime", uptime_ms.to_string()),
                ("last_proposal_size", last),
                ("max_proposal_size", max),
                ("min_proposal_size", min),
            ]);
        }
        lines.iter().map(|(key, value)| format!("zk_{key}\t{value}\n")).collect()
    }

    /// The keys of ZooKeeper's `Environment`, but for memory. There is no virtual machine and no operating
    /// system, which is said as ZooKeeper says it of what it cannot find out.
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
        let mut text = format!("Environment:\nzookeeper.version={}\nhost.name={host}\n", version());
        NOT_THERE.iter().for_each(|key| text.push_str(&format!("{key}=<NA>\n")));
        text
    }
}

/// The release that the server behaves as, and what it is.
fn version() -> String {
    format!("3.8.0-kafka-sim-{}, built on 2022-02-25 08:49 UTC", env!("CARGO_PKG_VERSION"))
}

/// Where a connection comes from. The simulated network has no ports; clients of this answer expect one, so the
/// connection's number stands for it, among those that Linux takes (`ip_local_port_range`).
fn address(conn: ConnId, connection: &Connection) -> String {
    let host = connection.ids.iter().find(|id| &*id.scheme == "ip").map_or("", |id| &*id.id);
    format!("{host}:{}", 32_768 + conn.0 % 28_232)
}
