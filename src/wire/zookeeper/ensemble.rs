//! Messages between the servers of an ensemble.
//!
//! Two kinds of connection. An **election** connection carries a [`Hello`] of the server that connected, then
//! [`Notification`]s. A **learner** connection, from a server to the leader that it wants to follow, carries
//! [`Packet`]s, each encoded as ZooKeeper's `QuorumPacket`: a type, a zxid, a buffer, a list of identities.
//! Different from ZooKeeper: every message follows its length, so that a stream can be cut without knowing
//! what is in it; a snapshot is the buffer of its packet; a revalidation carries the session's password, which
//! is drawn here and not computed from the session's id.

use bytes::Bytes;

use super::types::Identity;
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};

/// The largest message that a server takes from another, in bytes: a snapshot has to fit.
pub const MAX_ENSEMBLE_FRAME: usize = 1 << 30;

/// `QuorumCnxManager.PROTOCOL_VERSION_V1`, in front of a [`Hello`].
const ELECTION_PROTOCOL: i64 = -65_536;
/// `Notification.CURRENTVERSION`.
const NOTIFICATION_VERSION: i32 = 2;
/// The version of ZAB that a learner sends (`LearnerInfo.protocolVersion`).
const ZAB_VERSION: i32 = 0x1_0000;

/// Number of a server in its ensemble (`myid`).
pub type ServerId = u8;

fn server_id(value: i64) -> Result<ServerId, JuteError> {
    ServerId::try_from(value).map_err(|_| JuteError::Unknown(value as i32))
}

fn epoch_of(zxid: i64) -> Result<u32, JuteError> {
    u32::try_from(zxid >> 32).map_err(|_| JuteError::Unknown(zxid as i32))
}

/// What a server is doing (`QuorumPeer.ServerState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It looks for a leader.
    Looking = 0,
    /// It follows one.
    Following = 1,
    /// It leads.
    Leading = 2,
}

/// The first message on an election connection: the server that connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The server.
    pub from: ServerId,
}

impl Hello {
    /// The whole frame.
    pub fn encode(self) -> Bytes {
        let mut to = Writer::framed();
        to.long(ELECTION_PROTOCOL);
        to.long(self.from.into());
        // The election address; the simulated network finds servers by their names.
        to.string("");
        to.frame()
    }

    /// Whether a connection's first payload is of this kind; of a learner's connection it is not.
    pub fn is_in(payload: &[u8]) -> bool {
        payload.starts_with(&ELECTION_PROTOCOL.to_be_bytes())
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// When it is no such message.
    pub fn decode(payload: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(payload);
        if from.long()? != ELECTION_PROTOCOL {
            return Err(JuteError::Unknown(0));
        }
        Ok(Self { from: server_id(from.long()?)? })
    }
}

/// A vote, as a server sends it to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What the sender is doing.
    pub state: ServerState,
    /// The leader that it votes for, or that it knows.
    pub leader: ServerId,
    /// The last transaction of that one.
    pub zxid: Zxid,
    /// The sender's round of elections (`electionEpoch`).
    pub round: i64,
    /// `currentEpoch` of that one.
    pub peer_epoch: u32,
}

impl Notification {
    /// The whole frame.
    pub fn encode(&self) -> Bytes {
        let mut to = Writer::framed();
        to.int(self.state as i32);
        to.long(self.leader.into());
        to.long(self.zxid.0);
        to.long(self.round);
        to.long(self.peer_epoch.into());
        to.int(NOTIFICATION_VERSION);
        // The configuration of the ensemble, which never changes here.
        to.buffer(Some(&[]));
        to.frame()
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// When it is no such message.
    pub fn decode(payload: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(payload);
        let state = match from.int()? {
            0 => ServerState::Looking,
            1 => ServerState::Following,
            2 => ServerState::Leading,
            other => return Err(JuteError::Unknown(other)),
        };
        let (leader, zxid, round) = (server_id(from.long()?)?, Zxid(from.long()?), from.long()?);
        let peer_epoch = from.long()?;
        let peer_epoch =
            u32::try_from(peer_epoch).map_err(|_| JuteError::Unknown(peer_epoch as i32))?;
        Ok(Self { state, leader, zxid, round, peer_epoch })
    }
}

/// A client's write or sync, on its way from the server that it is connected to to the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The client's session.
    pub session: i64,
    /// The session's number of the request.
    pub cxid: i32,
    /// The operation.
    pub op: i32,
    /// The request's body, as the client sent it; of a new session its timeout and its password.
    pub body: Bytes,
    /// As what the client's connection is known: scheme and id.
    pub ids: Vec<Identity>,
}

/// A message between a learner and its leader. Numbers of types are those of ZooKeeper's `Leader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// To the leader: a server wants to follow.
    FollowerInfo {
        /// The server.
        from: ServerId,
        /// Its `acceptedEpoch`.
        accepted_epoch: u32,
    },
    /// To the learner: the epoch that begins.
    LeaderInfo {
        /// The epoch.
        epoch: u32,
    },
    /// To the leader: the epoch is accepted.
    AckEpoch {
        /// `currentEpoch`; `None` when this epoch was accepted before, so that this does not count.
        current_epoch: Option<u32>,
        /// The last transaction that the learner has.
        last_zxid: Zxid,
        /// Whether nothing but a snapshot can bring it up. Not in ZooKeeper, where such a learner is lost.
        needs_snapshot: bool,
    },
    /// To the learner: what is missing follows.
    Diff {
        /// Up to where.
        zxid: Zxid,
    },
    /// To the learner: what is behind this is no part of the history; then what is missing follows.
    Trunc {
        /// The last transaction to keep.
        zxid: Zxid,
    },
    /// To the learner: everything, as of `zxid`.
    Snap {
        /// As of when.
        zxid: Zxid,
        /// The state's bytes.
        state: Bytes,
    },
    /// To the learner: with this it has the history that the epoch begins with.
    NewLeader {
        /// The epoch.
        epoch: u32,
    },
    /// To the learner: it may serve clients.
    UpToDate,
    /// To the learner: a transaction.
    Proposal {
        /// Its place.
        zxid: Zxid,
        /// Its bytes.
        txn: Bytes,
    },
    /// To the leader: everything up to here is durable.
    Ack {
        /// Up to where.
        zxid: Zxid,
    },
    /// To the learner: this transaction is decided.
    Commit {
        /// Which.
        zxid: Zxid,
    },
    /// Both ways: alive. Back to the leader with the sessions whose clients were heard, and their timeouts in
    /// milliseconds.
    Ping {
        /// The last proposal.
        zxid: Zxid,
        /// The sessions.
        touched: Vec<(i64, i32)>,
    },
    /// To the leader: a client wants to attach to a session.
    Revalidate {
        /// The session.
        session: i64,
        /// The timeout that was granted, in milliseconds.
        timeout_ms: i32,
        /// What the client proves itself with.
        password: Option<Bytes>,
    },
    /// To the learner: whether it may.
    Revalidated {
        /// The session.
        session: i64,
        /// Whether it lives and the password was right.
        valid: bool,
    },
    /// To the learner: everything proposed before its oldest sync was sent.
    Sync,
    /// To the leader: a client's request.
    Request(Forwarded),
}

const REQUEST: i32 = 1;
const PROPOSAL: i32 = 2;
const ACK: i32 = 3;
const COMMIT: i32 = 4;
const PING: i32 = 5;
const REVALIDATE: i32 = 6;
const SYNC: i32 = 7;
const NEW_LEADER: i32 = 10;
const FOLLOWER_INFO: i32 = 11;
const UP_TO_DATE: i32 = 12;
const DIFF: i32 = 13;
const TRUNC: i32 = 14;
const SNAP: i32 = 15;
const LEADER_INFO: i32 = 17;
const ACK_EPOCH: i32 = 18;

fn plain(to: &mut Writer, kind: i32, zxid: Zxid) {
    with_data(to, kind, zxid, None);
}

fn with_data(to: &mut Writer, kind: i32, zxid: Zxid, data: Option<&[u8]>) {
    to.int(kind);
    to.long(zxid.0);
    to.buffer(data);
    to.int(-1);
}

fn built(build: impl FnOnce(&mut Writer)) -> Bytes {
    let mut data = Writer::new();
    build(&mut data);
    data.finish()
}

impl Packet {
    /// The whole frame.
    pub fn encode(&self) -> Bytes {
        let mut to = Writer::framed();
        self.encode_record(&mut to);
        to.frame()
    }

    fn encode_record(&self, to: &mut Writer) {
        match self {
            Self::FollowerInfo { from, accepted_epoch } => {
                let info = built(|to| {
                    to.long((*from).into());
                    to.int(ZAB_VERSION);
                    to.long(0);
                });
                with_data(to, FOLLOWER_INFO, Zxid::new(*accepted_epoch, 0), Some(&info));
            }
            Self::LeaderInfo { epoch } => {
                let zab = ZAB_VERSION.to_be_bytes();
                with_data(to, LEADER_INFO, Zxid::new(*epoch, 0), Some(&zab));
            }
            Self::AckEpoch { current_epoch, last_zxid, needs_snapshot } => {
                let epoch = built(|to| {
                    to.raw(&current_epoch.unwrap_or(u32::MAX).to_be_bytes());
                    to.bool(*needs_snapshot);
                });
                with_data(to, ACK_EPOCH, *last_zxid, Some(&epoch));
            }
            Self::Diff { zxid } => plain(to, DIFF, *zxid),
            Self::Trunc { zxid } => plain(to, TRUNC, *zxid),
            Self::Snap { zxid, state } => with_data(to, SNAP, *zxid, Some(state)),
            Self::NewLeader { epoch } => plain(to, NEW_LEADER, Zxid::new(*epoch, 0)),
            Self::UpToDate => plain(to, UP_TO_DATE, Zxid(-1)),
            Self::Proposal { zxid, txn } => with_data(to, PROPOSAL, *zxid, Some(txn)),
            Self::Ack { zxid } => plain(to, ACK, *zxid),
            Self::Commit { zxid } => plain(to, COMMIT, *zxid),
            Self::Ping { zxid, touched } => {
                let sessions = built(|to| {
                    for (session, timeout_ms) in touched {
                        to.long(*session);
                        to.int(*timeout_ms);
                    }
                });
                with_data(to, PING, *zxid, Some(&sessions));
            }
            Self::Revalidate { session, timeout_ms, password } => {
                let claim = built(|to| {
                    to.long(*session);
                    to.int(*timeout_ms);
                    to.buffer(password.as_deref());
                });
                with_data(to, REVALIDATE, Zxid(-1), Some(&claim));
            }
            Self::Revalidated { session, valid } => {
                let answer = built(|to| {
                    to.long(*session);
                    to.bool(*valid);
                });
                with_data(to, REVALIDATE, Zxid(-1), Some(&answer));
            }
            Self::Sync => plain(to, SYNC, Zxid(0)),
            Self::Request(request) => request.encode(to),
        }
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// When it is no such message.
    pub fn decode(payload: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(payload);
        let (kind, zxid) = (from.int()?, from.long()?);
        let data = from.buffer()?;
        let zxid_epoch = || epoch_of(zxid);
        let need = || data.clone().ok_or(JuteError::Null);
        let at = Zxid(zxid);
        Ok(match kind {
            FOLLOWER_INFO => {
                let mut info = Reader::new(need()?);
                Self::FollowerInfo { from: server_id(info.long()?)?, accepted_epoch: zxid_epoch()? }
            }
            LEADER_INFO => Self::LeaderInfo { epoch: zxid_epoch()? },
            ACK_EPOCH => {
                let mut epoch = Reader::new(need()?);
                let current_epoch = u32::try_from(epoch.int()?).ok();
                Self::AckEpoch { current_epoch, last_zxid: at, needs_snapshot: epoch.bool()? }
            }
            DIFF => Self::Diff { zxid: at },
            TRUNC => Self::Trunc { zxid: at },
            SNAP => Self::Snap { zxid: at, state: need()? },
            NEW_LEADER => Self::NewLeader { epoch: zxid_epoch()? },
            UP_TO_DATE => Self::UpToDate,
            PROPOSAL => Self::Proposal { zxid: at, txn: need()? },
            ACK => Self::Ack { zxid: at },
            COMMIT => Self::Commit { zxid: at },
            PING => Self::Ping { zxid: at, touched: sessions(data.clone().unwrap_or_default())? },
            REVALIDATE => revalidation(need()?)?,
            SYNC => Self::Sync,
            REQUEST => Self::Request(Forwarded::decode(need()?, &mut from)?),
            other => return Err(JuteError::Unknown(other)),
        })
    }
}

fn sessions(data: Bytes) -> Result<Vec<(i64, i32)>, JuteError> {
    let mut from = Reader::new(data);
    let mut touched = Vec::with_capacity(from.remaining() / 12);
    while from.remaining() > 0 {
        touched.push((from.long()?, from.int()?));
    }
    Ok(touched)
}

/// Distinguished by their lengths: an answer is a session and a boolean.
fn revalidation(data: Bytes) -> Result<Packet, JuteError> {
    let is_answer = data.len() == 9;
    let mut from = Reader::new(data);
    let session = from.long()?;
    if is_answer {
        return Ok(Packet::Revalidated { session, valid: from.bool()? });
    }
    let (timeout_ms, password) = (from.int()?, from.buffer()?);
    Ok(Packet::Revalidate { session, timeout_ms, password })
}

impl Forwarded {
    fn encode(&self, to: &mut Writer) {
        to.int(REQUEST);
        to.long(-1);
        let request = built(|to| {
            to.long(self.session);
            to.int(self.cxid);
            to.int(self.op);
            to.raw(&self.body);
        });
        to.buffer(Some(&request));
        to.count(self.ids.len());
        for id in &self.ids {
            to.string(&id.scheme);
            to.string(&id.user);
        }
    }

    fn decode(data: Bytes, rest: &mut Reader) -> Result<Self, JuteError> {
        let mut from = Reader::new(data);
        let (session, cxid, op) = (from.long()?, from.int()?, from.int()?);
        let left = from.remaining();
        let body = from.raw(left)?;
        let mut ids = Vec::new();
        for _ in 0..rest.count()? {
            ids.push(Identity { scheme: rest.string()?, user: rest.string()? });
        }
        Ok(Self { session, cxid, op, body, ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_packet() -> Vec<Packet> {
        let zxid = Zxid::new(3, 7);
        let bytes = Bytes::from_static(b"bytes");
        let identity = Identity { scheme: "ip".into(), user: "10.0.0.1".into() };
        let forwarded =
            Forwarded { session: -5, cxid: 4, op: 1, body: bytes.clone(), ids: vec![identity] };
        vec![
            Packet::FollowerInfo { from: 3, accepted_epoch: 9 },
            Packet::LeaderInfo { epoch: 10 },
            Packet::AckEpoch { current_epoch: Some(8), last_zxid: zxid, needs_snapshot: false },
            Packet::AckEpoch { current_epoch: None, last_zxid: zxid, needs_snapshot: true },
            Packet::Diff { zxid },
            Packet::Trunc { zxid },
            Packet::Snap { zxid, state: bytes.clone() },
            Packet::NewLeader { epoch: 10 },
            Packet::UpToDate,
            Packet::Proposal { zxid, txn: bytes.clone() },
            Packet::Ack { zxid },
            Packet::Commit { zxid },
            Packet::Ping { zxid, touched: vec![(-1, 6_000), (2, 7)] },
            Packet::Revalidate { session: 1, timeout_ms: 4_000, password: Some(bytes) },
            Packet::Revalidated { session: 1, valid: true },
            Packet::Sync,
            Packet::Request(forwarded),
        ]
    }

    #[test]
    fn every_packet_survives_its_bytes_and_no_cut_of_them_panics() {
        for packet in every_packet() {
            let payload = packet.encode().slice(4..);
            for len in 0..payload.len() {
                // A type, a zxid and a buffer are needed; identities only if there are some.
                let _ = Packet::decode(payload.slice(..len));
            }
            assert!(Packet::decode(payload.slice(..12)).is_err(), "{packet:?}");
            assert_eq!(Packet::decode(payload), Ok(packet));
        }
    }

    #[test]
    fn the_bytes_of_a_proposal_are_those_of_a_quorum_packet() {
        let txn = Bytes::from_static(b"txn");
        let frame = Packet::Proposal { zxid: Zxid::new(1, 2), txn }.encode();
        let expected: &[u8] =
            b"\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\0\0\x03txn\xff\xff\xff\xff";
        assert_eq!(frame, expected);
    }

    #[test]
    fn votes_survive_their_bytes_and_nothing_else_is_one() {
        let vote = Notification {
            state: ServerState::Leading,
            leader: 2,
            zxid: Zxid::new(1, 5),
            round: 4,
            peer_epoch: 1,
        };
        let payload = vote.encode().slice(4..);
        assert_eq!(Notification::decode(payload.clone()), Ok(vote));
        for len in 0..36 {
            assert!(Notification::decode(payload.slice(..len)).is_err());
        }
        let unknown = [&[0, 0, 0, 9][..], &payload[4..]].concat();
        assert!(Notification::decode(unknown.into()).is_err());
    }

    #[test]
    fn a_hello_differs_from_a_learners_first_packet() {
        let hello = Hello { from: 5 }.encode().slice(4..);
        assert!(Hello::is_in(&hello));
        assert_eq!(Hello::decode(hello), Ok(Hello { from: 5 }));
        let info = Packet::FollowerInfo { from: 5, accepted_epoch: 0 }.encode().slice(4..);
        assert!(!Hello::is_in(&info));
        assert!(Hello::decode(info).is_err());
    }
}
