//! How an answer of ZooKeeper is wrong: its zxid, or what it shows of a znode.

use std::fmt;
use std::sync::Arc;

use super::Model;
use super::sessions::{Answered, Open};
use super::znode_reads::{NO_NODE, Read, read};
use super::znodes::Known;
use crate::history::{SessionAnswer, SessionCall};
use crate::vocab::{Time, Zxid};

/// How an answer is wrong. Displayed as what its client did, without a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are the words of the sentence that each variant displays"
)]
pub enum AnswerError {
    /// The session had seen a later transaction.
    Older { call: SessionCall, zxid: Zxid, seen: Zxid },
    /// A write came before one that was acknowledged before it was sent.
    WrittenBefore { call: SessionCall, zxid: Zxid, acknowledged: Zxid, since: Time },
    /// A sync did not reach what was committed when it was sent.
    SyncedBefore { zxid: Zxid, committed: Zxid, since: Time },
    /// A read showed an mzxid at which no transaction wrote the znode.
    NeverWritten { path: Arc<str>, mzxid: Zxid },
    /// A read showed another state than the transactions up to its zxid made; `None` is no znode.
    OtherState { path: Arc<str>, zxid: Zxid, shown: Option<(Zxid, i32)>, is: Option<(Zxid, i32)> },
    /// A write succeeded though it asked for another version.
    OtherVersion { path: Arc<str>, version: i32, mzxid: Zxid, wanted: i32 },
    /// A write did not give the znode the next version.
    NotNextVersion { path: Arc<str>, version: i32, mzxid: Zxid, before: i32 },
    /// A write changed a znode that was deleted.
    SetDeleted { path: Arc<str>, version: i32, mzxid: Zxid },
    /// A create succeeded though the znode existed.
    Existed { path: Arc<str>, czxid: Zxid, since: Zxid },
}

/// The state of a znode in words.
fn state(znode: Option<(Zxid, i32)>) -> String {
    match znode {
        Some((mzxid, version)) => format!("version {version} of {mzxid}"),
        None => "no znode".to_owned(),
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { call, zxid, seen } => {
                write!(f, "got the answer to `{call}` at {zxid} after it had seen {seen}")
            }
            Self::WrittenBefore { call, zxid, acknowledged, since } => write!(
                f,
                "saw `{call}` succeed at {zxid}, but {acknowledged} was acknowledged before \
                 {since:.3}"
            ),
            Self::SyncedBefore { zxid, committed, since } => write!(
                f,
                "synced at {since:.3} and was at {zxid}, but {committed} was committed by then"
            ),
            Self::NeverWritten { path, mzxid } => {
                write!(f, "read {path} as of {mzxid}, which no transaction wrote")
            }
            Self::OtherState { path, zxid, shown, is } => {
                let (shown, is) = (state(*shown), state(*is));
                write!(f, "read {shown} for {path} at {zxid} instead of {is}")
            }
            Self::OtherVersion { path, version, mzxid, wanted } => write!(
                f,
                "set {path} to version {version} at {mzxid}, but had asked for version {wanted}"
            ),
            Self::NotNextVersion { path, version, mzxid, before } => write!(
                f,
                "set {path} to version {version} at {mzxid}, but the version before was {before}"
            ),
            Self::SetDeleted { path, version, mzxid } => {
                write!(f, "set {path} to version {version} at {mzxid}, but it was deleted")
            }
            Self::Existed { path, czxid, since } => {
                write!(f, "created {path} at {czxid}, but it existed since {since}")
            }
        }
    }
}

impl Model {
    /// How the answer at hand is wrong, if it is one and if it is.
    pub fn answer_error(&self, zxid: Zxid, answer: &SessionAnswer) -> Option<AnswerError> {
        let answered = self.sessions.answered()?;
        let open = answered.open.as_ref()?;
        let succeeded = !matches!(answer, SessionAnswer::Failed { .. });
        out_of_order(answered, open, zxid, succeeded)
            .or_else(|| self.wrong_content(&open.call, zxid, answer))
    }

    fn wrong_content(
        &self,
        call: &SessionCall,
        zxid: Zxid,
        answer: &SessionAnswer,
    ) -> Option<AnswerError> {
        use SessionAnswer::{Created, Failed, Stat};
        use SessionCall::{Create, Exists, GetData, SetData};
        match (call, answer) {
            (Exists { path, .. } | GetData { path, .. }, Stat { mzxid, version }) => {
                self.wrong_read(path, zxid, Some((*mzxid, *version)))
            }
            (Exists { path, .. } | GetData { path, .. }, Failed { code: NO_NODE }) => {
                self.wrong_read(path, zxid, None)
            }
            (SetData { path, version: wanted }, Stat { mzxid, version }) => {
                self.wrong_write((path, *wanted), *mzxid, *version)
            }
            (Create { .. }, Created { path, czxid: Some(czxid) }) => {
                let (path, czxid) = (path.clone(), *czxid);
                match self.znodes.at(&path, Zxid(czxid.0 - 1)) {
                    Known::There(since, _) => Some(AnswerError::Existed { path, czxid, since }),
                    Known::Gone | Known::Nothing => None,
                }
            }
            _ => None,
        }
    }

    /// A read of `path` at `zxid` that shows this mzxid and version, or no znode.
    fn wrong_read(
        &self,
        path: &Arc<str>,
        zxid: Zxid,
        shown: Option<(Zxid, i32)>,
    ) -> Option<AnswerError> {
        let path = path.clone();
        match read(&self.znodes, &path, zxid, shown) {
            Read::AsWritten => None,
            Read::NeverWritten(mzxid) => Some(AnswerError::NeverWritten { path, mzxid }),
            Read::Instead(is) => Some(AnswerError::OtherState { path, zxid, shown, is }),
        }
    }

    /// A write that succeeded: it asked for a version, or for any (−1).
    fn wrong_write(
        &self,
        (path, wanted): (&Arc<str>, i32),
        mzxid: Zxid,
        version: i32,
    ) -> Option<AnswerError> {
        let path = path.clone();
        if wanted >= 0 && version != wanted.wrapping_add(1) {
            return Some(AnswerError::OtherVersion { path, version, mzxid, wanted });
        }
        match self.znodes.at(&path, Zxid(mzxid.0 - 1)) {
            Known::There(_, before) if version != before.wrapping_add(1) => {
                Some(AnswerError::NotNextVersion { path, version, mzxid, before })
            }
            Known::Gone => Some(AnswerError::SetDeleted { path, version, mzxid }),
            Known::There(..) | Known::Nothing => None,
        }
    }
}

/// What is wrong with the zxid of an answer.
fn out_of_order(
    answered: &Answered,
    open: &Open,
    zxid: Zxid,
    succeeded: bool,
) -> Option<AnswerError> {
    let (seen, call, since) = (answered.seen, &open.call, open.since);
    if zxid < seen {
        return Some(AnswerError::Older { call: call.clone(), zxid, seen });
    }
    if call.is_write() && succeeded && zxid <= open.acknowledged {
        let (call, acknowledged) = (call.clone(), open.acknowledged);
        return Some(AnswerError::WrittenBefore { call, zxid, acknowledged, since });
    }
    let committed = open.decided.filter(|committed| zxid < *committed)?;
    (*call == SessionCall::Sync && succeeded).then_some(AnswerError::SyncedBefore {
        zxid,
        committed,
        since,
    })
}
