//! What a server keeps: the database in memory, the log on disk, and in an ensemble the recent transactions that a
//! learner may need.

use super::database::Database;
use super::history::{Entry, History};
use super::log::Log;
use super::observations;
use super::step::Step;
use crate::history::ZooKeeperObservation;
use crate::vocab::Zxid;
use xxhash_rust::xxh3::xxh3_64;

/// Database, log and history of one server; they change together.
#[derive(Debug)]
pub(super) struct Storage {
    /// What is applied.
    pub(super) db: Database,
    pub(super) log: Log,
    /// `None` for a standalone server, which has no learners.
    pub(super) history: Option<History>,
    /// Up to here the history of the run knows what is durable in this log.
    logged: Zxid,
}

/// A hash by which observations name a transaction.
fn hash(entry: &Entry) -> u64 {
    xxh3_64(&entry.bytes)
}

impl Storage {
    pub(super) fn new(db: Database, log: Log, history: Option<History>) -> Self {
        let logged = db.last_zxid;
        Self { db, log, history, logged }
    }

    /// The last transaction that is applied.
    pub(super) fn last_zxid(&self) -> Zxid {
        self.db.last_zxid
    }

    /// The history of a server of an ensemble.
    pub(super) fn history(&mut self) -> &mut History {
        self.history.as_mut().expect("only standalone servers have no history, and no peers")
    }

    /// Goes on with a snapshot when one is due.
    pub(super) fn go_on_with_snapshot(&mut self, step: &mut Step<'_>) {
        let taken = self.log.snapshot(&self.db, step.fx);
        if let (Some((snapshot, keep_from)), Some(history)) = (taken, &mut self.history) {
            history.snapshot(snapshot, keep_from);
        }
    }

    /// Everything up to `zxid` is durable here.
    pub(super) fn observe_logged(&mut self, step: &mut Step<'_>, zxid: Zxid) {
        let history = self.history.as_ref().expect("only servers of an ensemble observe this");
        for entry in history.after(self.logged).take_while(|entry| entry.zxid <= zxid) {
            let (zxid, hash) = (entry.zxid, hash(entry));
            step.observe(ZooKeeperObservation::Logged { zxid, hash });
        }
        self.logged = zxid;
    }

    /// The transaction is committed in the ensemble, and is about to be applied here.
    pub(super) fn commit(&mut self, step: &mut Step<'_>, zxid: Zxid) {
        let history = self.history();
        history.commit(zxid);
        let hash = history.entry(zxid).map_or(0, hash);
        step.observe(ZooKeeperObservation::Committed { zxid, hash });
    }

    /// Sessions and ephemeral znodes have changed by other means than a committed transaction.
    pub(super) fn observe_loaded(&self, step: &mut Step<'_>) {
        step.observe(observations::loaded(&self.db));
    }

    /// Cuts the log behind `zxid` and rebuilds the database without that end. The error says what is damaged.
    pub(super) fn truncate(&mut self, step: &mut Step<'_>, zxid: Zxid) -> Result<(), String> {
        let history = self.history.as_mut().expect("only a learner truncates its log");
        tracing::info!(from = %self.db.last_zxid, to = %zxid, "truncates its log");
        self.log.truncate(zxid, history, step.fx);
        history.truncate(zxid);
        self.logged = self.logged.min(zxid);
        self.db = history.state().map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Replaces everything by a leader's state as of `db.last_zxid`.
    pub(super) fn install(&mut self, step: &mut Step<'_>, db: Database) {
        let snapshot = super::snapshot::Snapshot::of(&db);
        self.log.install(&snapshot, step.fx);
        self.history().install(snapshot);
        self.logged = db.last_zxid;
        self.db = db;
    }

    /// Applies what the log holds behind the database. The error says what is damaged.
    pub(super) fn bring_up(&mut self, step: &mut Step<'_>) -> Result<(), String> {
        let before = self.db.last_zxid;
        let history =
            self.history.as_mut().expect("only a server of an ensemble looks for a leader");
        history.bring_up(&mut self.db).map_err(|error| error.to_string())?;
        history.commit_all();
        if self.db.last_zxid != before {
            self.observe_loaded(step);
        }
        Ok(())
    }
}
