//! ZooKeeper's writes are linearizable, and no session's view of the znodes goes back.

use crate::checkers::{Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::{SessionAnswer, SessionCall, SessionObservation};
use crate::model::Model;
use crate::model::sessions::{Answered, Open};
use crate::model::znodes::Known;
use crate::vocab::{NodeId, Time, Zxid};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "znodes-are-consistent",
    statement: "a write to ZooKeeper comes after every write that was answered before it \
                was sent, and gives the znode the next version; no session sees less than it has \
                seen, also at another server; a read shows the znode as the transactions up to \
                its zxid made it; and behind a sync a session sees all that was decided when it \
                asked for it",
    source: "ZooKeeper's guarantees: linearizable writes, sequential consistency, single system \
             image, reliability (Z7, Z10)",
    leaves_out: "reads without a sync, which may be old; a sync at a server whose leader was \
                 deposed and does not know it (ZOOKEEPER-1675, row 81); names of children; what a \
                 new leader's history holds and nobody had applied",
    class: Class::Safety,
};

/// ZooKeeper's `NoNode`.
const NO_NODE: i32 = -101;

/// The first answer that broke it.
#[derive(Clone, Debug, Default)]
pub struct ZnodesAreConsistent {
    first: FirstCase,
}

/// What is wrong with the order of an answer.
fn order(answered: &Answered, open: &Open, zxid: Zxid, succeeded: bool) -> Option<String> {
    let Answered { seen, .. } = answered;
    if zxid < *seen {
        return Some(format!("was shown {zxid} by `{}`, when it had seen {seen}", open.call));
    }
    if open.call.is_write() && succeeded && zxid <= open.acknowledged {
        let known = open.acknowledged;
        let since = open.since;
        return Some(format!(
            "was told that `{}` happened at {zxid}, when {known} was known before {since:.3}",
            open.call
        ));
    }
    match open.decided {
        Some(decided) if open.call == SessionCall::Sync && succeeded && zxid < decided => {
            let since = open.since;
            Some(format!(
                "was at {zxid} behind a sync of {since:.3}, by when {decided} was decided"
            ))
        }
        _ => None,
    }
}

/// What is wrong with what a read of `path` at `zxid` shows: `Stat`, or nothing there.
fn shows(model: &Model, path: &str, zxid: Zxid, shown: Option<(Zxid, i32)>) -> Option<String> {
    let known = model.znodes.at(path, zxid);
    let is = match known {
        Known::Nothing => {
            let (mzxid, _) = shown?;
            // Nobody wrote it, unless it was there before anybody told of anything.
            let forgotten = model.znodes.is_quiet(Zxid(0), zxid)
                || mzxid <= Zxid(0)
                || !model.znodes.remembers(path, Zxid(0));
            return (!forgotten)
                .then(|| format!("was shown {path} as of {mzxid}, when nobody wrote it"));
        }
        Known::There(mzxid, version) => Some((mzxid, version)),
        Known::Gone => None,
    };
    let text = |znode: Option<(Zxid, i32)>| match znode {
        Some((mzxid, version)) => format!("version {version} of {mzxid}"),
        None => "nothing".to_owned(),
    };
    (is != shown)
        .then(|| format!("was shown {} for {path} at {zxid}, not {}", text(shown), text(is)))
}

/// What is wrong with a write that succeeded.
fn wrote(model: &Model, (path, wanted): (&str, i32), mzxid: Zxid, version: i32) -> Option<String> {
    let text = |what: String| Some(format!("set {path} at {mzxid} to version {version}, {what}"));
    if wanted >= 0 && version != wanted.wrapping_add(1) {
        return text(format!("and had asked for it behind {wanted}"));
    }
    match model.znodes.at(path, Zxid(mzxid.0 - 1)) {
        Known::There(_, before) if version != before.wrapping_add(1) => {
            text(format!("which was {before} before"))
        }
        Known::Gone => text("which was deleted".to_owned()),
        Known::There(..) | Known::Nothing => None,
    }
}

/// What is wrong with the content of an answer.
fn content(model: &Model, open: &Open, zxid: Zxid, answer: &SessionAnswer) -> Option<String> {
    use SessionAnswer::*;
    use SessionCall::*;
    match (&open.call, answer) {
        (Exists { path, .. } | GetData { path, .. }, Stat { mzxid, version }) => {
            shows(model, path, zxid, Some((*mzxid, *version)))
        }
        (Exists { path, .. } | GetData { path, .. }, Failed { code: NO_NODE }) => {
            shows(model, path, zxid, None)
        }
        (SetData { path, version: wanted }, Stat { mzxid, version }) => {
            wrote(model, (path, *wanted), *mzxid, *version)
        }
        (Create { .. }, Created { path, czxid: Some(czxid) }) => {
            match model.znodes.at(path, Zxid(czxid.0 - 1)) {
                Known::There(since, _) => {
                    Some(format!("created {path} at {czxid}, which was there since {since}"))
                }
                Known::Gone | Known::Nothing => None,
            }
        }
        _ => None,
    }
}

impl Checker for ZnodesAreConsistent {
    fn session(&mut self, model: &Model, time: Time, node: NodeId, told: &SessionObservation) {
        let SessionObservation::Answered { zxid, answer, .. } = told else { return };
        let Some(answered) = model.sessions.answered() else { return };
        let Some(open) = &answered.open else { return };
        let succeeded = !matches!(answer, SessionAnswer::Failed { .. });
        let wrong = order(answered, open, *zxid, succeeded);
        let wrong = wrong.or_else(|| content(model, open, *zxid, answer));
        if let Some(wrong) = wrong {
            self.first.of_node(model, time, &model.sessions.pair(node), wrong);
        }
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::ZooKeeperObservation;

    /// A story, told by z1 and by the sessions of b1 and c0.
    #[derive(Clone)]
    struct Told {
        story: Story,
        xid: i32,
    }

    impl Told {
        fn new() -> Self {
            let mut story = Story::default();
            for (session, node) in [(1, Story::B1), (2, Story::C0)] {
                let attached = SessionObservation::Attached { session, server: Story::Z1 };
                story.session(node, attached);
            }
            Self { story, xid: 0 }
        }

        fn stored(&mut self, zxid: i64, version: i32) -> &mut Self {
            let (zxid, path, data) = (Zxid(zxid), "/a".into(), "".into());
            self.story.server(ZooKeeperObservation::Stored { zxid, path, version, data });
            self
        }

        fn asks(&mut self, node: NodeId, call: SessionCall) -> i32 {
            self.xid += 1;
            self.story.session(node, SessionObservation::Asked { xid: self.xid, call });
            self.xid
        }

        fn answers(&mut self, node: NodeId, xid: i32, zxid: i64, answer: SessionAnswer) {
            let zxid = Zxid(zxid);
            self.story.session(node, SessionObservation::Answered { xid, zxid, answer });
        }

        fn call(&mut self, node: NodeId, call: SessionCall, zxid: i64, answer: SessionAnswer) {
            let xid = self.asks(node, call);
            self.answers(node, xid, zxid, answer);
        }

        fn holds(&self) -> bool {
            self.story.violation(&PROPERTY).is_none()
        }

        fn wrong(&self) -> String {
            rejects(&self.story, &PROPERTY).to_string()
        }
    }

    fn read() -> SessionCall {
        SessionCall::GetData { path: "/a".into(), watch: false }
    }

    fn set(version: i32) -> SessionCall {
        SessionCall::SetData { path: "/a".into(), version }
    }

    fn stat(mzxid: i64, version: i32) -> SessionAnswer {
        SessionAnswer::Stat { mzxid: Zxid(mzxid), version }
    }

    const MISSING: SessionAnswer = SessionAnswer::Failed { code: NO_NODE };

    fn created() -> Told {
        let mut told = Told::new();
        told.stored(1, 0);
        told
    }

    #[test]
    fn writes_in_order_and_reads_that_are_old_are_accepted() {
        let mut told = created();
        told.stored(2, 1).call(Story::B1, set(0), 2, stat(2, 1));
        told.call(Story::C0, read(), 1, stat(1, 0));
        told.call(Story::C0, SessionCall::Sync, 2, SessionAnswer::Done);
        told.call(Story::C0, read(), 2, stat(2, 1));
        assert!(told.holds());
        let removed = ZooKeeperObservation::Removed { zxid: Zxid(3), path: "/a".into() };
        told.story.server(removed);
        told.call(Story::B1, read(), 3, MISSING);
        assert!(told.holds());
    }

    #[test]
    fn a_view_that_goes_back_is_rejected() {
        let mut told = created();
        told.stored(2, 1).call(Story::C0, read(), 2, stat(2, 1));
        let attached = SessionObservation::Attached { session: 2, server: Story::Z1 };
        told.story.session(Story::C0, attached);
        told.call(Story::C0, read(), 1, stat(1, 0));
        let text = "c0 was shown 0x1 by `getData /a`, when it had seen 0x2, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn another_session_may_see_less() {
        let mut told = created();
        told.stored(2, 1).call(Story::C0, read(), 2, stat(2, 1));
        told.story.session(Story::C0, SessionObservation::Expired);
        let attached = SessionObservation::Attached { session: 3, server: Story::Z1 };
        told.story.session(Story::C0, attached);
        told.call(Story::C0, read(), 1, stat(1, 0));
        assert!(told.holds());
    }

    #[test]
    fn a_read_that_shows_what_never_was_is_rejected() {
        for (zxid, shown) in [(2, stat(1, 0)), (2, MISSING), (1, stat(1, 1)), (2, stat(3, 2))] {
            let mut told = created();
            told.stored(2, 1).call(Story::C0, read(), zxid, shown);
            assert_eq!(rejects(&told.story, &PROPERTY).count(), 1);
        }
    }

    #[test]
    fn two_writes_on_the_same_version_are_rejected() {
        let mut told = created();
        told.stored(2, 1).stored(3, 1).call(Story::B1, set(0), 2, stat(2, 1));
        told.call(Story::C0, set(0), 3, stat(3, 1));
        let text = "c0 set /a at 0x3 to version 1, which was 1 before, at 0.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn a_write_before_one_that_was_known_is_rejected() {
        let mut told = created();
        told.stored(5, 1).call(Story::B1, set(0), 5, stat(5, 1));
        told.story.at(2_000);
        let delete = SessionCall::Delete { path: "/b".into() };
        told.call(Story::C0, delete, 4, SessionAnswer::Done);
        let text = "c0 was told that `delete /b` happened at 0x4, \
                    when 0x5 was known before 2.000s, at 2.000s";
        assert_eq!(told.wrong(), text);
    }

    #[test]
    fn a_sync_that_leaves_out_what_was_decided_is_rejected_unless_the_leader_was_deposed() {
        let leading = |epoch| ZooKeeperObservation::Leading { epoch, zxid: Zxid(0), digest: 0 };
        for deposed in [false, true] {
            let mut told = Told::new();
            told.story.server(leading(1));
            told.stored(1, 0).stored(2, 1);
            if deposed {
                let leading = crate::history::Observation::ZooKeeper(leading(2));
                told.story.told_at(Story::P0, leading);
            }
            told.call(Story::C0, SessionCall::Sync, 1, SessionAnswer::Done);
            assert_eq!(told.holds(), deposed);
        }
    }
}
