//! What the servers of an ensemble may never do, held against what they observe, one event at a time.

use std::collections::{BTreeMap, BTreeSet};

use kafka_sim::checkers::Judge;
use kafka_sim::history::{Observation, Subscriber, ZooKeeperObservation};
use kafka_sim::model::{Modelled, Terms};
use kafka_sim::substrate::{Observer, What, WorldEvent};
use kafka_sim::vocab::{Roster, Zxid};

/// What is known of one server.
#[derive(Debug, Default)]
struct Server {
    accepted: u32,
    current: u32,
    applied: Option<Zxid>,
    durable: BTreeSet<Zxid>,
}

/// The rules' memory.
#[derive(Debug)]
pub struct Rules {
    /// The checkers of whole runs, which know the clients' side too.
    pub judge: Modelled<Judge>,
    servers: BTreeMap<u16, Server>,
    count: usize,
    contents: BTreeMap<Zxid, u64>,
    committed: BTreeSet<Zxid>,
    /// With which transaction the history ends that each epoch began with. As counters have no gaps, that says of
    /// every transaction which one is before it.
    starts: BTreeMap<u32, Zxid>,
    digests: BTreeMap<Zxid, u64>,
    /// Who led which epoch.
    pub leaders: BTreeMap<u32, u16>,
    pub leading: Option<u16>,
    pub truncated: usize,
    pub installed: usize,
}

fn epoch(zxid: Zxid) -> u32 {
    (zxid.0 >> 32) as u32
}

impl Rules {
    /// For an ensemble of `count` servers; `roster` names all nodes.
    pub fn new(count: usize, roster: Roster) -> Self {
        Self {
            judge: Modelled::new(Terms { roster, ..Terms::default() }, Judge::default()),
            servers: BTreeMap::new(),
            count,
            contents: BTreeMap::new(),
            committed: BTreeSet::new(),
            starts: BTreeMap::new(),
            digests: BTreeMap::new(),
            leaders: BTreeMap::new(),
            leading: None,
            truncated: 0,
            installed: 0,
        }
    }

    fn same_content(&mut self, zxid: Zxid, hash: u64) {
        let known = *self.contents.entry(zxid).or_insert(hash);
        assert_eq!(known, hash, "{zxid} means two things");
    }

    fn same_state(&mut self, zxid: Zxid, digest: u64) {
        let known = *self.digests.entry(zxid).or_insert(digest);
        assert_eq!(known, digest, "two states at {zxid}");
    }

    fn last_committed(&self) -> Zxid {
        self.committed.last().copied().unwrap_or_default()
    }

    /// The transaction that a zxid stands for: the beginning of an epoch is the end of what was before.
    fn transaction(&self, mut zxid: Zxid) -> Zxid {
        while zxid.0 & 0xffff_ffff == 0
            && let Some(start) = self.starts.get(&epoch(zxid))
        {
            zxid = *start;
        }
        zxid
    }

    fn before(&self, zxid: Zxid) -> Zxid {
        self.transaction(Zxid(zxid.0 - 1))
    }

    /// Whether `zxid` is in the history that ends with `last`.
    fn contains(&self, last: Zxid, zxid: Zxid) -> bool {
        let mut last = self.transaction(last);
        while epoch(last) > epoch(zxid) {
            last = self.transaction(Zxid::new(epoch(last), 0));
        }
        epoch(last) == epoch(zxid) && last >= zxid
    }

    fn begins(&mut self, node: u16, zxid: Zxid, digest: u64) {
        self.same_state(zxid, digest);
        self.servers.entry(node).or_default().applied = Some(zxid);
    }

    fn commits(&mut self, node: u16, zxid: Zxid) {
        let server = self.servers.entry(node).or_default();
        let applied = server.applied.replace(zxid).expect("it serves");
        assert!(applied < zxid, "node {node} applied {applied} and then {zxid}");
        let (applied, before) = (self.transaction(applied), self.before(zxid));
        assert_eq!(applied, before, "node {node} went from {applied} to {zxid}");
        let last = self.last_committed();
        let newest = *self.starts.last_key_value().expect("a server has led").1;
        if last >= zxid || newest >= zxid {
            let known = self.contains(last, zxid) || self.contains(newest, zxid);
            assert!(known, "{zxid} was decided after {last}");
        }
        if !self.committed.insert(zxid) {
            return;
        }
        let have = self.servers.values().filter(|server| server.durable.contains(&zxid)).count();
        assert!(have > self.count / 2, "{zxid} was decided with {have} copies");
    }

    fn observe(&mut self, node: u16, observation: &ZooKeeperObservation) {
        match observation {
            ZooKeeperObservation::EpochsWritten { accepted, current } => {
                let server = self.servers.entry(node).or_default();
                assert!(*accepted >= server.accepted && *current >= server.current);
                assert!(accepted >= current);
                (server.accepted, server.current) = (*accepted, *current);
            }
            ZooKeeperObservation::Logged { zxid, hash } => {
                self.same_content(*zxid, *hash);
                self.servers.entry(node).or_default().durable.insert(*zxid);
            }
            ZooKeeperObservation::Committed { zxid, hash } => {
                self.same_content(*zxid, *hash);
                self.commits(node, *zxid);
            }
            ZooKeeperObservation::Leading { epoch, zxid, digest } => {
                let before = self.leaders.insert(*epoch, node);
                assert_eq!(before, None, "two led epoch {epoch}");
                // A leader that stood still may read its majority's answers when a newer epoch has begun: what counts
                // is the order of epochs, and it decides nothing.
                let earlier = self.committed.range(..Zxid::new(*epoch, 0)).next_back();
                let last = earlier.copied().unwrap_or_default();
                let kept = last == Zxid(0) || self.contains(*zxid, last);
                assert!(kept, "epoch {epoch} begins with {zxid}, {last} was decided");
                self.starts.insert(*epoch, *zxid);
                self.begins(node, *zxid, *digest);
                self.leading = self.leaders.last_key_value().map(|(_, newest)| *newest);
            }
            ZooKeeperObservation::Following { zxid, digest, .. } => {
                self.begins(node, *zxid, *digest);
            }
            ZooKeeperObservation::Truncated { to } => {
                self.truncated += 1;
                let last = self.last_committed();
                let server = self.servers.entry(node).or_default();
                let lost = server.durable.split_off(&Zxid(to.0 + 1));
                let lost = lost.iter().find(|zxid| self.committed.contains(zxid));
                assert_eq!(lost, None, "node {node} cut what was decided, up to {last}");
            }
            ZooKeeperObservation::Installed { .. } => {
                self.installed += 1;
                self.servers.entry(node).or_default().durable.clear();
            }
            ZooKeeperObservation::Halted { why } => panic!("node {node} halted: {why}"),
            _ => {}
        }
    }
}

impl Observer<Observation> for Rules {
    fn event(&mut self, event: &WorldEvent<'_, Observation>) {
        let What::Observed(observation) = event.what else { return };
        self.judge.observed(event.time, event.node, observation);
        if let Observation::ZooKeeper(seen) = observation {
            self.observe(event.node.0, seen);
        }
    }
}
