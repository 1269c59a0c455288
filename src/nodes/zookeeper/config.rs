//! How a server is set up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::acl::AuthId;
use crate::releases::ZooKeeperVersion;
use crate::vocab::{Mutant, NodeId};

/// How a server is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The release that it behaves like.
    pub version: ZooKeeperVersion,
    /// `myid`: 1 to 254.
    pub server_id: u8,
    /// All servers of the ensemble, this one included, by their ids (`server.N`); empty for a standalone server.
    pub ensemble: BTreeMap<u8, NodeId>,
    /// `tickTime`, in milliseconds: sessions last 2 to 20 ticks and expire on a tick.
    pub tick_ms: u32,
    /// How far its ticks are from those of the clock, in milliseconds: they count from the start of its machine.
    pub tick_phase_ms: u64,
    /// `initLimit`, in ticks: how long a server may take to find, or to be brought up by, a leader.
    pub init_limit: u32,
    /// `syncLimit`, in ticks: how long leader and follower may be silent.
    pub sync_limit: u32,
    /// `minSessionTimeout`, in milliseconds; 2 ticks when not set.
    pub min_session_timeout_ms: Option<u32>,
    /// `maxSessionTimeout`, in milliseconds; 20 ticks when not set.
    pub max_session_timeout_ms: Option<u32>,
    /// `snapCount`: a snapshot is taken after a random half to whole of so many transactions; 2 at least.
    pub snap_count: u64,
    /// How much of a snapshot is written at a time, in bytes; transactions are applied in between.
    pub snapshot_piece_bytes: usize,
    /// The bug that is planted in it, if any.
    pub mutant: Option<Mutant>,
    /// `zookeeper.extendedTypesEnabled`: whether znodes may have a time to live.
    pub extended_types: bool,
    /// `znode.container.checkIntervalMs`: how often containers and znodes with a time to live are checked.
    pub sweep_interval_ms: u32,
    /// `znode.container.maxNeverUsedIntervalMs`: how long a container stays that never had a child; without
    /// a limit when not set.
    pub never_used_ms: Option<u32>,
    /// `localSessionsEnabled`: whether new sessions of an ensemble are local to their server.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: whether a local session becomes an ordinary one when it creates an
    /// ephemeral znode; otherwise the znode is refused.
    pub local_sessions_upgrading: bool,
    /// `readonlymode.enabled`: whether a server of an ensemble serves reads while it has no leader.
    pub read_only_mode: bool,
    /// `4lw.commands.whitelist=*`: whether more commands than `srvr` are answered.
    pub four_letter_words: bool,
    /// The name of the host.
    pub host: String,
    /// The node through which clients from outside connect, if there is one. Their address is the loopback
    /// address, as on a real server on the same machine.
    pub outside: Option<NodeId>,
}

impl Config {
    /// Whether this bug is planted.
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// So many ticks.
    pub(super) fn ticks(&self, count: u32) -> Duration {
        Duration::from_millis(u64::from(self.tick_ms) * u64::from(count))
    }

    /// The identity of a connection from `peer` before it authenticates.
    pub(super) fn identity(&self, peer: NodeId) -> AuthId {
        if self.outside == Some(peer) { AuthId::loopback() } else { AuthId::of_peer(peer) }
    }
}

impl Default for Config {
    /// The defaults of ZooKeeper, but for commands, which are all answered. Snapshots are written in pieces as
    /// large as the buffer of Java's `BufferedOutputStream`, through which ZooKeeper's go.
    fn default() -> Self {
        Self {
            version: ZooKeeperVersion::default(),
            server_id: 1,
            ensemble: BTreeMap::new(),
            tick_ms: 3_000,
            tick_phase_ms: 0,
            init_limit: 10,
            sync_limit: 5,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            snap_count: 100_000,
            snapshot_piece_bytes: 8_192,
            mutant: None,
            extended_types: false,
            sweep_interval_ms: 60_000,
            never_used_ms: None,
            local_sessions: false,
            local_sessions_upgrading: false,
            read_only_mode: false,
            four_letter_words: true,
            host: "localhost".to_owned(),
            outside: None,
        }
    }
}
