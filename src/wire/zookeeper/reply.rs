//! Replies: what a server answers.

use std::sync::Arc;

use bytes::Bytes;

use super::code::Code;
use super::types::{Acl, Identity, ReplyHeader, Stat, op};
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};

/// How one operation of a multi or multiRead ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have ZooKeeper's names")]
pub enum MultiResult {
    /// create.
    Create { path: Arc<str> },
    /// create2, createContainer, createTTL.
    Create2 { path: Arc<str>, stat: Stat },
    /// delete.
    Delete,
    /// setData.
    SetData(Stat),
    /// check.
    Check,
    /// getData.
    GetData { data: Option<Bytes>, stat: Stat },
    /// getChildren.
    GetChildren(Vec<Arc<str>>),
    /// It failed, or ([`Code::OK`]) would have succeeded, or ([`Code::RUNTIME_INCONSISTENCY`]) was not
    /// tried.
    Error(Code),
}

impl MultiResult {
    /// The code that made a multi fail; `None` when it did not.
    pub fn failure(results: &[Self]) -> Option<Code> {
        results.iter().find_map(|result| match result {
            Self::Error(code) if *code != Code::OK => Some(*code),
            _ => None,
        })
    }

    fn encode(&self, to: &mut Writer) {
        let (number, code) = match self {
            Self::Create { .. } => (op::CREATE, 0),
            Self::Create2 { .. } => (op::CREATE2, 0),
            Self::Delete => (op::DELETE, 0),
            Self::SetData(_) => (op::SET_DATA, 0),
            Self::Check => (op::CHECK, 0),
            Self::GetData { .. } => (op::GET_DATA, 0),
            Self::GetChildren(_) => (op::GET_CHILDREN, 0),
            Self::Error(code) => (op::ERROR, code.0),
        };
        to.int(number);
        to.bool(false);
        to.int(code);
        match self {
            Self::Create { path } => to.string(path),
            Self::Create2 { path, stat } => {
                to.string(path);
                stat.encode(to);
            }
            Self::SetData(stat) => stat.encode(to),
            Self::GetData { data, stat } => {
                to.buffer(data.as_deref());
                stat.encode(to);
            }
            Self::GetChildren(children) => to.strings(children),
            Self::Error(code) => to.int(code.0),
            Self::Delete | Self::Check => {}
        }
    }

    fn decode_all(from: &mut Reader) -> Result<Vec<Self>, JuteError> {
        let mut results = Vec::new();
        loop {
            let (number, done, _) = (from.int()?, from.bool()?, from.int()?);
            if done {
                return Ok(results);
            }
            results.push(match number {
                op::CREATE => Self::Create { path: from.string()? },
                op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                    Self::Create2 { path: from.string()?, stat: Stat::decode(from)? }
                }
                op::DELETE => Self::Delete,
                op::SET_DATA => Self::SetData(Stat::decode(from)?),
                op::CHECK => Self::Check,
                op::GET_DATA => Self::GetData { data: from.buffer()?, stat: Stat::decode(from)? },
                op::GET_CHILDREN => Self::GetChildren(from.strings()?),
                op::ERROR => Self::Error(Code(from.int()?)),
                other => return Err(JuteError::Unknown(other)),
            });
        }
    }
}

/// The body of a reply to a request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have ZooKeeper's names")]
pub enum Reply {
    /// Nothing: delete, ping, auth, setWatches, checkWatches, removeWatches, closeSession.
    Empty,
    /// create, sync.
    Path(Arc<str>),
    /// create2, createContainer, createTTL.
    Created { path: Arc<str>, stat: Stat },
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData.
    Data { data: Option<Bytes>, stat: Stat },
    /// getACL.
    Acl { acl: Vec<Acl>, stat: Stat },
    /// getChildren (names), getEphemerals (paths); in no order.
    Children(Vec<Arc<str>>),
    /// getChildren2.
    Children2 { children: Vec<Arc<str>>, stat: Stat },
    /// multi, multiRead. A multi that failed comes so too: see [`MultiResult::failure`].
    Multi(Vec<MultiResult>),
    /// getAllChildrenNumber.
    Count(i32),
    /// addWatch.
    WatchAdded(Code),
    /// whoAmI.
    Identities(Vec<Identity>),
    /// sasl.
    Token(Option<Bytes>),
}

impl Reply {
    /// The whole frame of the reply to request `xid`, from a server that has applied `zxid`.
    pub fn encode(result: Result<&Self, Code>, xid: i32, zxid: Zxid) -> Bytes {
        let mut to = Writer::framed();
        let code = result.err().unwrap_or(Code::OK);
        ReplyHeader { xid, zxid, code }.encode(&mut to);
        if let Ok(reply) = result {
            reply.encode_body(&mut to);
        }
        to.frame()
    }

    fn encode_body(&self, to: &mut Writer) {
        match self {
            Self::Empty => {}
            Self::Path(path) => to.string(path),
            Self::Created { path, stat } => {
                to.string(path);
                stat.encode(to);
            }
            Self::Stat(stat) => stat.encode(to),
            Self::Data { data, stat } => {
                to.buffer(data.as_deref());
                stat.encode(to);
            }
            Self::Acl { acl, stat } => {
                Acl::encode_list(acl, to);
                stat.encode(to);
            }
            Self::Children(children) => to.strings(children),
            Self::Children2 { children, stat } => {
                to.strings(children);
                stat.encode(to);
            }
            Self::Multi(results) => {
                results.iter().for_each(|result| result.encode(to));
                to.int(-1);
                to.bool(true);
                to.int(-1);
            }
            Self::Token(token) => to.buffer(token.as_deref()),
            Self::Count(count) => to.int(*count),
            Self::WatchAdded(code) => to.int(code.0),
            Self::Identities(identities) => {
                to.count(identities.len());
                for identity in identities {
                    to.string(&identity.scheme);
                    to.string(&identity.user);
                }
            }
        }
    }

    /// Reads the body of the reply to a request of operation `number`, behind a header that says success.
    ///
    /// # Errors
    /// When the bytes are no such reply.
    pub fn decode(number: i32, from: &mut Reader) -> Result<Self, JuteError> {
        Ok(match number {
            op::DELETE
            | op::PING
            | op::AUTH
            | op::CHECK
            | op::CHECK_WATCHES
            | op::REMOVE_WATCHES
            | op::SET_WATCHES
            | op::SET_WATCHES2
            | op::CLOSE_SESSION => Self::Empty,
            op::CREATE | op::SYNC => Self::Path(from.string()?),
            op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                Self::Created { path: from.string()?, stat: Stat::decode(from)? }
            }
            op::EXISTS | op::SET_DATA | op::SET_ACL => Self::Stat(Stat::decode(from)?),
            op::GET_DATA | op::RECONFIG => {
                Self::Data { data: from.buffer()?, stat: Stat::decode(from)? }
            }
            op::GET_ACL => Self::Acl { acl: Acl::decode_list(from)?, stat: Stat::decode(from)? },
            op::GET_CHILDREN | op::GET_EPHEMERALS => Self::Children(from.strings()?),
            op::GET_CHILDREN2 => {
                Self::Children2 { children: from.strings()?, stat: Stat::decode(from)? }
            }
            op::MULTI | op::MULTI_READ => Self::Multi(MultiResult::decode_all(from)?),
            op::SASL => Self::Token(from.buffer()?),
            op::GET_ALL_CHILDREN_NUMBER => Self::Count(from.int()?),
            op::ADD_WATCH => Self::WatchAdded(Code(from.int()?)),
            op::WHO_AM_I => {
                let decode = |from: &mut Reader| {
                    let scheme = from.string()?;
                    Ok(Identity { scheme, user: from.string()? })
                };
                Self::Identities(
                    (0..from.count()?).map(|_| decode(from)).collect::<Result<_, _>>()?,
                )
            }
            other => return Err(JuteError::Unknown(other)),
        })
    }
}
