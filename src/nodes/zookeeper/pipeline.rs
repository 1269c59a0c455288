//! What is under way between a write and its answer: what was proposed, and what it will change.

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::Config;
use super::prepare::Preparer;
use super::replies::Shape;
use super::txn::Txn;
use crate::vocab::{ConnId, Zxid};

/// One proposal.
#[derive(Debug)]
pub(super) struct Proposal {
    /// It is done when everything up to here is committed.
    pub(super) zxid: Zxid,
    pub(super) content: Content,
    /// The client of this server that waits for it, and the form of the answer.
    pub(super) origin: Option<(ConnId, Shape)>,
}

/// What is proposed.
#[derive(Debug)]
pub(super) enum Content {
    /// A transaction.
    Txn(Box<Txn>),
    /// A sync of this path: it is no transaction, and is done with everything proposed before it.
    Sync(Arc<str>),
    /// The same for a client of the learner that is connected there.
    LearnerSync(ConnId),
}

/// The proposals of one server, in the order of their zxids.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) preparer: Preparer,
    proposals: VecDeque<Proposal>,
}

impl Pipeline {
    /// Nothing is under way; the next transaction follows `last`.
    pub(super) fn new(last: Zxid, config: &Config) -> Self {
        Self { preparer: Preparer::new(last, config), proposals: VecDeque::new() }
    }

    /// Adds a transaction that was appended to the log.
    pub(super) fn push_txn(&mut self, txn: Txn, origin: Option<(ConnId, Shape)>) {
        let (zxid, content) = (txn.zxid, Content::Txn(Box::new(txn)));
        self.proposals.push_back(Proposal { zxid, content, origin });
    }

    /// Adds a sync behind everything proposed so far.
    pub(super) fn push_sync(&mut self, content: Content, origin: Option<(ConnId, Shape)>) {
        let zxid = self.preparer.last_zxid();
        self.proposals.push_back(Proposal { zxid, content, origin });
    }

    /// Takes the oldest proposal, if it is done when everything up to `zxid` is committed.
    pub(super) fn pop(&mut self, zxid: Zxid) -> Option<Proposal> {
        self.proposals.pop_front_if(|next| next.zxid <= zxid)
    }

    /// The server stops leading: what it proposed is in the log, and the next leader decides about it.
    pub(super) fn clear(&mut self) {
        self.proposals.clear();
    }

    /// How many proposals are under way.
    pub(super) fn len(&self) -> usize {
        self.proposals.len()
    }

    /// How many of them are syncs.
    pub(super) fn pending_syncs(&self) -> usize {
        let is_sync = |next: &&Proposal| !matches!(next.content, Content::Txn(_));
        self.proposals.iter().filter(is_sync).count()
    }
}
