//! The words that show settings, connections and sessions: `conf`, `cons`, `dirs`, `dump`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Answer, address};
use crate::nodes::zookeeper::acl::AuthId;
use crate::nodes::zookeeper::connection::Connection;
use crate::releases::ZooKeeperChange;
use crate::vocab::{ConnId, Time};

/// Where clients connect, and the ports of `server.N`, as in ZooKeeper's sample configuration.
const CLIENT_PORT: u16 = 2_181;
const QUORUM_PORT: u16 = 2_888;
const ELECTION_PORT: u16 = 3_888;

/// A log file is this long from its beginning: its header, and `zookeeper.preAllocSize`.
const LOG_FILE_BYTES: usize = 65_536 * 1_024 + 16;

/// `zookeeper.nio.sessionlessCnxnTimeout`, in milliseconds: connections expire in buckets of so long.
const SESSIONLESS_TIMEOUT_MS: u64 = 10_000;

const DATA_DIR: &str = "/zookeeper/version-2";

impl Answer<'_> {
    /// The settings (`ZooKeeperServer.dumpConf`, `QuorumZooKeeperServer.dumpConf`).
    pub(super) fn settings(&self) -> String {
        let config = self.config;
        let is_alone = config.ensemble.is_empty();
        let has_dirs = self.has(ZooKeeperChange::DirectorySizes);
        let mut lines = vec![("clientPort", CLIENT_PORT.to_string())];
        if has_dirs {
            lines.push(("secureClientPort", "-1".into()));
        }
        lines.push(("dataDir", DATA_DIR.into()));
        if has_dirs {
            lines.push(("dataDirSize", self.directory_bytes().to_string()));
        }
        lines.push(("dataLogDir", DATA_DIR.into()));
        if has_dirs {
            lines.push(("dataLogSize", self.directory_bytes().to_string()));
        }
        let min = config.min_session_timeout_ms.unwrap_or(config.tick_ms * 2);
        let max = config.max_session_timeout_ms.unwrap_or(config.tick_ms * 20);
        lines.extend([
            ("tickTime", config.tick_ms.to_string()),
            // There is no limit, as in the configuration that Kafka comes with.
            ("maxClientCnxns", "0".into()),
            ("minSessionTimeout", min.to_string()),
            ("maxSessionTimeout", max.to_string()),
        ]);
        if self.has(ZooKeeperChange::MetricsFramework) {
            lines.push(("clientPortListenBacklog", "-1".into()));
        }
        let id = if is_alone { 0 } else { config.server_id };
        lines.push(("serverId", id.to_string()));
        if !is_alone {
            lines.extend([
                ("initLimit", config.init_limit.to_string()),
                ("syncLimit", config.sync_limit.to_string()),
                ("electionAlg", "3".into()),
                ("electionPort", ELECTION_PORT.to_string()),
                ("quorumPort", QUORUM_PORT.to_string()),
                ("peerType", "0".into()),
            ]);
        }
        let mut text: String =
            lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        if !is_alone && has_dirs {
            text.push_str("membership: \n");
            for (id, node) in &config.ensemble {
                let host = AuthId::of_peer(*node).id;
                let ports = format!("{QUORUM_PORT}:{ELECTION_PORT}");
                _ = writeln!(text, "server.{id}={host}:{ports}:participant");
            }
            text.push_str("version=0");
        }
        text
    }

    /// Sizes of the directories, which are one.
    pub(super) fn directories(&self) -> String {
        let bytes = self.directory_bytes();
        format!("datadir_size: {bytes}\nlogdir_size: {bytes}\n")
    }

    /// What the files of log and snapshots come to. Snapshots count as if they held the tree of now.
    fn directory_bytes(&self) -> usize {
        let (logs, snapshots) = self.service.storage.log.file_counts();
        logs * LOG_FILE_BYTES + snapshots * self.service.storage.db.tree.size_bytes()
    }

    /// What came and went on each connection (`ServerCnxn.dumpConnectionInfo`).
    pub(super) fn connections(&self) -> String {
        let mut text = String::new();
        for (conn, connection) in self.service.clients.iter() {
            let (interest, counts) = self.counts(conn, connection);
            _ = write!(text, " /{}[{interest}]({counts}", address(conn, connection));
            if let Some(session) = connection.session {
                self.operations(&mut text, session, connection);
            }
            text.push_str(")\n");
        }
        text + "\n"
    }

    fn operations(&self, text: &mut String, session: i64, connection: &Connection) {
        let timeout_ms = self.timeout_ms(session);
        let Connection { since_wall_ms, answered, .. } = connection;
        let operation = answered.operation();
        _ = write!(text, ",sid={session:#x},lop={operation},est={since_wall_ms},to={timeout_ms}");
        if let Some(cxid) = answered.cxid {
            _ = write!(text, ",lcxid={cxid:#x}");
        }
        let latency = &answered.latency;
        let average = latency.whole_average();
        _ = write!(
            text,
            ",lzxid={:#x},lresp={},llat={},minlat={},avglat={average},maxlat={}",
            answered.zxid.0,
            answered.at_ms,
            answered.last_ms,
            latency.min_ms(),
            latency.max_ms
        );
    }

    fn timeout_ms(&self, session: i64) -> i32 {
        let of_db = self.service.storage.db.sessions.get(session);
        let known = of_db.or_else(|| self.service.sessions.local.get(session));
        known.map_or(0, |session| session.timeout_ms)
    }

    /// Sessions, ephemeral znodes and, since 3.5, connections.
    pub(super) fn dump(&self) -> String {
        let mut text = "SessionTracker dump:\n".to_owned();
        self.dump_sessions(&mut text);
        text.push_str("ephemeral nodes dump:\n");
        self.dump_ephemerals(&mut text);
        if self.has(ZooKeeperChange::DirectorySizes) {
            text.push_str("Connections dump:\nConnections ");
            let clients = &self.service.clients;
            let mut sets: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
            for (conn, connection) in clients.iter() {
                let session = connection.session.unwrap_or(0);
                let timeout_ms = match u64::try_from(self.timeout_ms(session)) {
                    Ok(ms) if ms > 0 => ms,
                    _ => SESSIONLESS_TIMEOUT_MS,
                };
                let over = connection.heard.at.as_millis() + timeout_ms;
                let bucket = (over / SESSIONLESS_TIMEOUT_MS + 1) * SESSIONLESS_TIMEOUT_MS;
                let address = address(conn, connection);
                let line = format!("ip: /{address} sessionId: {session:#x}");
                sets.entry(bucket).or_default().insert(line);
            }
            self.dump_sets(&mut text, &sets);
        }
        text
    }

    /// A server that leads, or is alone, knows when sessions expire; others know how long they last.
    fn dump_sessions(&self, text: &mut String) {
        let sessions = &self.service.sessions;
        if self.quorum.follows() {
            if !self.has(ZooKeeperChange::DirectorySizes) {
                // The class has no text of its own, and is shown as Java shows any object.
                text.push_str("org.apache.zookeeper.server.quorum.LearnerSessionTracker@0\n");
                return;
            }
            let known = &self.service.storage.db.sessions;
            _ = writeln!(text, "Global Sessions({}):", known.len());
            for (id, session) in known.iter() {
                _ = writeln!(text, "{id:#x}\t{}ms", session.timeout_ms);
            }
            return;
        }
        let sets = sessions.expiry.sets().map(|(at_ms, ids)| {
            (at_ms, ids.iter().map(|id| format!("{id:#x}")).collect::<BTreeSet<_>>())
        });
        text.push_str("Session ");
        self.dump_sets(text, &sets.collect());
    }

    /// What expires when, by the server's clock (`ExpiryQueue.dump`).
    fn dump_sets(&self, text: &mut String, sets: &BTreeMap<u64, BTreeSet<String>>) {
        _ = write!(text, "Sets ({})", sets.len());
        if self.has(ZooKeeperChange::DirectorySizes) {
            _ = write!(text, "/({})", sets.values().map(BTreeSet::len).sum::<usize>());
        }
        text.push_str(":\n");
        for (at_ms, ones) in sets {
            // Up to 3.4 the clock that counts from the machine's start is shown as if it counted from 1970.
            let wall_ms = match self.has(ZooKeeperChange::DirectorySizes) {
                true => self.wall_of(Time::from_millis(*at_ms)),
                false => i64::try_from(*at_ms).unwrap_or(i64::MAX),
            };
            _ = writeln!(text, "{} expire at {}:", ones.len(), date(wall_ms));
            ones.iter().for_each(|one| _ = writeln!(text, "\t{one}"));
        }
    }

    fn wall_of(&self, at: Time) -> i64 {
        let from_now = at.as_millis() as i64 - self.now.as_millis() as i64;
        self.wall_ms + from_now
    }

    fn dump_ephemerals(&self, text: &mut String) {
        let mut by_owner: BTreeMap<i64, Vec<_>> = BTreeMap::new();
        for (path, owner) in self.service.storage.db.tree.all_ephemerals() {
            by_owner.entry(owner).or_default().push(path);
        }
        _ = writeln!(text, "Sessions with Ephemerals ({}):", by_owner.len());
        for (owner, paths) in by_owner {
            _ = writeln!(text, "{owner:#x}:");
            paths.iter().for_each(|path| _ = writeln!(text, "\t{path}"));
        }
    }

    /// The interest of Java's selector in a connection (1 for reading, 0 once a word was read), and its counts.
    pub(super) fn counts(&self, conn: ConnId, connection: &Connection) -> (u8, String) {
        let interest = if conn == self.by { 0 } else { 1 };
        let Connection { received, sent, .. } = connection;
        let queued = connection.waiting.len();
        (interest, format!("queued={queued},recved={received},sent={sent}"))
    }
}

/// A moment as Java's `Date` shows it, in UTC.
fn date(wall_ms: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, i64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let seconds = wall_ms.max(0) / 1_000;
    let days = seconds / 86_400;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + i64::from(is_leap(year)) {
        rest -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    loop {
        let length = MONTHS[month].1 + i64::from(month == 1 && is_leap(year));
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    let (day, name) = (DAYS[(days % 7) as usize], MONTHS[month].0);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{day} {name} {:02} {hour:02}:{minute:02}:{second:02} UTC {year}", rest + 1)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_javas() {
        assert_eq!(date(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(date(951_782_400_000), "Tue Feb 29 00:00:00 UTC 2000");
        assert_eq!(date(1_520_585_855_999), "Fri Mar 09 08:57:35 UTC 2018");
        assert_eq!(date(1_796_078_489_000), "Mon Nov 30 22:41:29 UTC 2026");
    }
}
