//! What a leader or a standalone server ends because its time is over: sessions, containers, znodes with a time to
//! live.

use super::prepare::Write;
use super::propose::Proposer;
use super::step::Step;
use super::tree::Znode;
use super::txn::Lifetime;
use crate::history::ZooKeeperObservation;

/// The timer of expiry fired: closes the sessions whose timeout is over.
pub(super) fn expire_sessions(proposer: &mut Proposer<'_>, step: &mut Step<'_>) {
    let service = &mut *proposer.service;
    if !service.storage.log.is_ready() {
        // Nothing can be written yet, and clients could not be heard.
        service.sessions.track_all(step.clock.now, &service.storage.db);
        return;
    }
    for (session, heard) in service.sessions.expiry.expired(step.clock.now) {
        let service = &*proposer.service;
        if !service.pipeline.preparer.is_live(&service.storage.db, session) {
            continue;
        }
        tracing::info!(session = format!("{session:#x}"), "session expired");
        step.observe(ZooKeeperObservation::SessionExpired { session, heard });
        proposer.propose(step, None, session, 0, Write::CloseSession);
    }
}

/// Deletes containers that lost their last child, or never had one for too long, and znodes whose time to live is
/// over (`ContainerManager.checkContainers`).
pub(super) fn sweep(proposer: &mut Proposer<'_>, step: &mut Step<'_>) {
    let perished = |znode: &Znode| {
        let unchanged_for_ms = step.clock.wall_ms - znode.mtime;
        let is_unused = |ms: u32| unchanged_for_ms > i64::from(ms);
        znode.children.is_empty()
            && match znode.lifetime {
                Lifetime::Container if znode.creates > 0 => true,
                Lifetime::Container => step.config.never_used_ms.is_some_and(is_unused),
                Lifetime::Ttl { ms } => unchanged_for_ms > ms,
                Lifetime::Persistent | Lifetime::Ephemeral { .. } => false,
            }
    };
    let tree = &proposer.service.storage.db.tree;
    let paths: Vec<_> = tree
        .perishable()
        .filter(|(_, znode)| perished(znode))
        .map(|(path, _)| path.clone())
        .collect();
    for path in paths {
        proposer.propose(step, None, 0, 0, Write::DeletePerished { path });
    }
}
