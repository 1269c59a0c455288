//! How a learner gets the leader's history: by what it lacks (DIFF), by truncating what only it has (TRUNC), or as a
//! whole (SNAP). The choice is that of `LearnerHandler.syncFollower`.

use crate::nodes::zookeeper::history::{Entry, History};
use crate::vocab::Zxid;

/// The first packet for a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It has a beginning of the history.
    Diff(Zxid),
    /// It has more than that, and keeps what is up to here.
    Trunc(Zxid),
    /// It gets the whole state.
    Snap,
}

/// How one learner is brought up.
#[derive(Debug, PartialEq, Eq)]
pub struct SyncPlan<'a> {
    /// What comes first.
    pub opening: Opening,
    /// The decided transactions that it lacks, after that.
    pub missing: Vec<&'a Entry>,
    /// What it has then.
    pub upto: Zxid,
}

impl SyncPlan<'_> {
    /// Everything, as of `last_processed`.
    pub fn snap(last_processed: Zxid) -> Self {
        Self::only(Opening::Snap, last_processed)
    }

    fn only(opening: Opening, upto: Zxid) -> Self {
        Self { opening, missing: Vec::new(), upto }
    }
}

fn epoch(zxid: Zxid) -> i64 {
    zxid.0 >> 32
}

/// Whether it is the beginning of an epoch, which is no transaction.
fn begins_epoch(zxid: Zxid) -> bool {
    zxid.0 & 0xffff_ffff == 0
}

/// The plan for a learner whose last transaction is `peer_last`, by a leader that has applied up to
/// `last_processed`.
pub fn plan(history: &History, last_processed: Zxid, peer_last: Zxid) -> SyncPlan<'_> {
    let mut log = history.committed_log();
    let (min, max) = match (log.clone().next(), log.next_back()) {
        (Some(first), Some(last)) => (first.zxid, last.zxid),
        _ => (last_processed, last_processed),
    };
    let snap = SyncPlan::snap(last_processed);
    if peer_last == last_processed {
        return SyncPlan::only(Opening::Diff(peer_last), peer_last);
    }
    if peer_last > max && !begins_epoch(peer_last) {
        return SyncPlan::only(Opening::Trunc(max), max);
    }
    if (min..=max).contains(&peer_last) {
        return from_log(history.committed_log(), peer_last, max).unwrap_or(snap);
    }
    if peer_last < min
        && let Some(older) = history.logged_since(peer_last)
    {
        let all = older.chain(history.committed_log());
        return from_log(all, peer_last, max).unwrap_or(snap);
    }
    snap
}

/// What a learner lacks of `log`, and the first packet; `None` when `log` does not contain enough to say that.
fn from_log<'a>(
    log: impl Iterator<Item = &'a Entry>,
    peer_last: Zxid,
    last: Zxid,
) -> Option<SyncPlan<'a>> {
    let mut plan: Option<SyncPlan<'a>> = None;
    let mut before = None;
    for entry in log {
        if entry.zxid < peer_last {
            before = Some(entry.zxid);
            continue;
        }
        if plan.is_none() {
            let opening = if entry.zxid == peer_last || begins_epoch(peer_last) {
                Opening::Diff(last)
            } else if epoch(entry.zxid) != epoch(peer_last) {
                // Its end is of an epoch that the log knows no end of: nothing can be cut safely.
                return None;
            } else {
                Opening::Trunc(before?)
            };
            plan = Some(SyncPlan::only(opening, peer_last));
        }
        let plan = plan.get_or_insert_with(|| SyncPlan::only(Opening::Diff(last), peer_last));
        if entry.zxid > peer_last {
            plan.missing.push(entry);
            plan.upto = entry.zxid;
        }
    }
    plan.or_else(|| begins_epoch(peer_last).then(|| SyncPlan::only(Opening::Diff(last), peer_last)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn zxid((epoch, counter): (u32, u32)) -> Zxid {
        Zxid::new(epoch, counter)
    }

    fn history(zxids: &[(u32, u32)]) -> History {
        let entry = |at: &(u32, u32)| Entry { zxid: zxid(*at), bytes: Bytes::from_static(b"x") };
        History::new(None, zxids.iter().map(entry).collect())
    }

    #[test]
    fn a_learner_is_brought_up_as_zookeeper_does_it() {
        let log = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];
        let last = (2, 2);
        type Case = ((u32, u32), Opening, &'static [(u32, u32)]);
        let diff = Opening::Diff(zxid(last));
        let cases: &[Case] = &[
            // The same.
            ((2, 2), diff, &[]),
            // Behind, in this epoch and in an earlier one.
            ((2, 1), diff, &[(2, 2)]),
            ((1, 1), diff, &[(1, 2), (1, 3), (2, 1), (2, 2)]),
            // Ahead.
            ((2, 5), Opening::Trunc(zxid(last)), &[]),
            // An end that an earlier epoch left behind.
            ((1, 4), Opening::Snap, &[]),
            // The beginning of an epoch is no transaction.
            ((2, 0), diff, &[(2, 1), (2, 2)]),
            ((3, 0), Opening::Snap, &[]),
            // Before everything that is at hand.
            ((0, 0), Opening::Snap, &[]),
        ];
        let history = history(&log);
        for (peer, opening, missing) in cases {
            let plan = plan(&history, zxid(last), zxid(*peer));
            assert_eq!(plan.opening, *opening, "{peer:?}");
            let sent: Vec<Zxid> = plan.missing.iter().map(|entry| entry.zxid).collect();
            assert_eq!(sent, missing.iter().copied().map(zxid).collect::<Vec<_>>(), "{peer:?}");
        }
    }

    #[test]
    fn a_hole_in_the_same_epoch_is_cut() {
        let history = history(&[(1, 1), (1, 2), (1, 5)]);
        let plan = plan(&history, zxid((1, 5)), zxid((1, 3)));
        assert_eq!(plan.opening, Opening::Trunc(zxid((1, 2))));
        assert_eq!(plan.missing.iter().map(|e| e.zxid).collect::<Vec<_>>(), [zxid((1, 5))]);
    }

    #[test]
    fn a_leader_that_serves_without_a_transaction_gives_everything_to_an_empty_learner() {
        let history = history(&[]);
        let serving = zxid((1, 0));
        assert_eq!(plan(&history, serving, Zxid(0)).opening, Opening::Snap);
        assert_eq!(plan(&history, Zxid(0), Zxid(0)).opening, Opening::Diff(Zxid(0)));
    }

    #[test]
    fn an_epoch_without_transactions_needs_nothing_cut() {
        let history = history(&[(1, 1), (1, 2)]);
        let plan = plan(&history, zxid((3, 0)), zxid((1, 2)));
        assert_eq!((plan.opening, plan.missing.len()), (Opening::Diff(zxid((1, 2))), 0));
    }
}
