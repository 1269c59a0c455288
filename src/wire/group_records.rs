//! Records of `__consumer_offsets`: what a group coordinator writes, and what the next one reads
//! (`GroupMetadataManager.readMessageKey` and its kin; since 2.5 generated from `OffsetCommitKey.json` and others).
//!
//! Text is an i16 length and UTF-8, bytes an i32 length, an array an i32 count; −1 is null. A key begins with its
//! version: 0 and 1 are offsets, 2 is a group.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

use crate::vocab::{LeaderEpoch, Offset};

/// The key of an offset, as all releases write it (0 is that of 0.8).
const OFFSET_KEY: i16 = 1;
/// The key of a group.
const GROUP_KEY: i16 = 2;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKey {
    /// A committed offset.
    Offset {
        /// The group.
        group: StrBytes,
        /// The topic that was read.
        topic: StrBytes,
        /// The partition of it.
        partition: i32,
    },
    /// A group's members.
    Group(StrBytes),
    /// Something of a later release; it is skipped.
    Unknown(i16),
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// The offset that is read next.
    pub offset: Offset,
    /// Leader epoch of the last record that was read; −1 when unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the client adds.
    pub metadata: StrBytes,
    /// When it was committed, in milliseconds since 1970.
    pub commit_ms: i64,
    /// When it is forgotten; `None` when the broker's retention decides.
    pub expire_ms: Option<i64>,
}

/// A member of a group as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberValue {
    /// Its id.
    pub id: StrBytes,
    /// `group.instance.id` (format 3).
    pub instance: Option<StrBytes>,
    /// `client.id`
    pub client_id: StrBytes,
    /// Its host, with a slash in front.
    pub client_host: StrBytes,
    /// Longest time to rejoin, in milliseconds (format 1); before, the session timeout.
    pub rebalance_timeout_ms: i32,
    /// Longest silence, in milliseconds.
    pub session_timeout_ms: i32,
    /// What it said of itself for the group's protocol.
    pub subscription: Bytes,
    /// What the leader gave it.
    pub assignment: Bytes,
}

/// A group's members as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupValue {
    /// For consumers `consumer`.
    pub protocol_type: StrBytes,
    /// How often it has rebalanced.
    pub generation: i32,
    /// The assignor.
    pub protocol: Option<StrBytes>,
    /// The member that assigns.
    pub leader: Option<StrBytes>,
    /// Since when it is in its state, in milliseconds since 1970 (format 2).
    pub state_since_ms: Option<i64>,
    /// Its members.
    pub members: Vec<MemberValue>,
}

pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    out.put_i16(i16::try_from(text.len()).expect("names are below 32 KiB"));
    out.put_slice(text.as_bytes());
}

fn put_nullable(out: &mut BytesMut, text: Option<&StrBytes>) {
    match text {
        Some(text) => put_text(out, text),
        None => out.put_i16(-1),
    }
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(i32::try_from(bytes.len()).expect("a request is below 2 GiB"));
    out.put_slice(bytes);
}

/// Reads what may be cut short.
pub(super) struct Reader<'a>(pub &'a mut Bytes);

impl Reader<'_> {
    pub fn i8(&mut self) -> Option<i8> {
        self.0.try_get_i8().ok()
    }

    pub fn i16(&mut self) -> Option<i16> {
        self.0.try_get_i16().ok()
    }

    pub fn i32(&mut self) -> Option<i32> {
        self.0.try_get_i32().ok()
    }

    pub fn i64(&mut self) -> Option<i64> {
        self.0.try_get_i64().ok()
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn nullable(&mut self) -> Option<Option<StrBytes>> {
        let length = self.i16()?;
        match usize::try_from(length) {
            Ok(length) => Some(Some(StrBytes::from_utf8(self.take(length)?).ok()?)),
            Err(_) => Some(None),
        }
    }

    pub fn text(&mut self) -> Option<StrBytes> {
        self.nullable()?
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.i32()?).ok()?;
        self.take(length)
    }
}

impl GroupKey {
    /// As it is stored.
    ///
    /// # Panics
    /// When it is [`GroupKey::Unknown`]: nothing writes that.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Offset { group, topic, partition } => {
                out.put_i16(OFFSET_KEY);
                put_text(&mut out, group);
                put_text(&mut out, topic);
                out.put_i32(*partition);
            }
            Self::Group(group) => {
                out.put_i16(GROUP_KEY);
                put_text(&mut out, group);
            }
            Self::Unknown(version) => panic!("nothing writes keys of version {version}"),
        }
        out.freeze()
    }

    /// Reads a key; `None` when it is cut short.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let mut reader = Reader(&mut bytes);
        Some(match reader.i16()? {
            0 | OFFSET_KEY => Self::Offset {
                group: reader.text()?,
                topic: reader.text()?,
                partition: reader.i32()?,
            },
            GROUP_KEY => Self::Group(reader.text()?),
            other => Self::Unknown(other),
        })
    }
}

impl OffsetValue {
    /// As format 1 (with the time of expiry), 2 (without) or 3 (with the leader epoch) stores it.
    pub fn encode(&self, format: i16) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(format);
        out.put_i64(self.offset);
        if format >= 3 {
            out.put_i32(self.leader_epoch);
        }
        put_text(&mut out, &self.metadata);
        out.put_i64(self.commit_ms);
        if format == 1 {
            out.put_i64(self.expire_ms.unwrap_or(-1));
        }
        out.freeze()
    }

    /// Reads a value of formats 0 to 3; `None` when it is cut short or of another.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let mut reader = Reader(&mut bytes);
        let format = reader.i16()?;
        if !(0..=3).contains(&format) {
            return None;
        }
        Some(Self {
            offset: reader.i64()?,
            leader_epoch: if format == 3 { reader.i32()? } else { -1 },
            metadata: reader.text()?,
            commit_ms: reader.i64()?,
            expire_ms: if format == 1 { reader.i64().filter(|at| *at >= 0) } else { None },
        })
    }
}

impl GroupValue {
    /// As format 0 to 3 stores it.
    pub fn encode(&self, format: i16) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(format);
        put_text(&mut out, &self.protocol_type);
        out.put_i32(self.generation);
        put_nullable(&mut out, self.protocol.as_ref());
        put_nullable(&mut out, self.leader.as_ref());
        if format >= 2 {
            out.put_i64(self.state_since_ms.unwrap_or(-1));
        }
        out.put_i32(i32::try_from(self.members.len()).expect("fewer than 2³¹ members"));
        for member in &self.members {
            put_text(&mut out, &member.id);
            if format >= 3 {
                put_nullable(&mut out, member.instance.as_ref());
            }
            put_text(&mut out, &member.client_id);
            put_text(&mut out, &member.client_host);
            if format >= 1 {
                out.put_i32(member.rebalance_timeout_ms);
            }
            out.put_i32(member.session_timeout_ms);
            put_bytes(&mut out, &member.subscription);
            put_bytes(&mut out, &member.assignment);
        }
        out.freeze()
    }

    /// Reads a value of formats 0 to 3; `None` when it is cut short or of another.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let mut reader = Reader(&mut bytes);
        let format = reader.i16()?;
        if !(0..=3).contains(&format) {
            return None;
        }
        let mut value = Self {
            protocol_type: reader.text()?,
            generation: reader.i32()?,
            protocol: reader.nullable()?,
            leader: reader.nullable()?,
            ..Self::default()
        };
        if format >= 2 {
            value.state_since_ms = reader.i64().filter(|at| *at >= 0);
        }
        for _ in 0..reader.i32()? {
            let mut member = MemberValue { id: reader.text()?, ..MemberValue::default() };
            if format >= 3 {
                member.instance = reader.nullable()?;
            }
            member.client_id = reader.text()?;
            member.client_host = reader.text()?;
            let first = reader.i32()?;
            member.rebalance_timeout_ms = first;
            member.session_timeout_ms = if format >= 1 { reader.i32()? } else { first };
            member.subscription = reader.bytes()?;
            member.assignment = reader.bytes()?;
            value.members.push(member);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    #[test]
    fn keys_are_laid_out_as_in_kafka() {
        let offset = GroupKey::Offset { group: text("g"), topic: text("t"), partition: 3 };
        let bytes = [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3];
        assert_eq!(offset.encode()[..], bytes);
        assert_eq!(GroupKey::Group(text("g")).encode()[..], [0, 2, 0, 1, b'g']);
        let old = Bytes::copy_from_slice(&[&[0, 0], &bytes[2..]].concat());
        assert_eq!(GroupKey::decode(old), Some(offset), "a key of 0.8");
        let later = Bytes::from_static(&[0, 3, 9, 9]);
        assert_eq!(GroupKey::decode(later), Some(GroupKey::Unknown(3)));
        assert_eq!(GroupKey::decode(Bytes::from_static(&[0, 1, 0, 9, b'g'])), None);
    }

    #[test]
    fn each_format_of_an_offset_holds_what_it_has() {
        let whole = OffsetValue {
            offset: 5,
            leader_epoch: 2,
            metadata: text("m"),
            commit_ms: 7,
            expire_ms: Some(9),
        };
        let no_epoch = OffsetValue { leader_epoch: -1, ..whole.clone() };
        let back = |format| OffsetValue::decode(whole.encode(format)).unwrap();
        assert_eq!(back(1), no_epoch);
        assert_eq!(back(2), OffsetValue { expire_ms: None, ..no_epoch });
        assert_eq!(back(3), OffsetValue { expire_ms: None, ..whole.clone() });
        // Version, offset, leader epoch, metadata, time.
        let mut bytes = vec![0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 1, b'm'];
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(whole.encode(3)[..], bytes);
    }

    #[test]
    fn each_format_of_a_group_holds_what_it_has() {
        let member = MemberValue {
            id: text("m"),
            instance: Some(text("i")),
            client_id: text("c"),
            client_host: text("/h"),
            rebalance_timeout_ms: 3,
            session_timeout_ms: 4,
            subscription: Bytes::from_static(b"s"),
            assignment: Bytes::from_static(b"a"),
        };
        let group = GroupValue {
            protocol_type: text("consumer"),
            generation: 2,
            protocol: Some(text("range")),
            leader: Some(text("m")),
            state_since_ms: Some(8),
            members: vec![member.clone()],
        };
        let back = |format| GroupValue::decode(group.encode(format)).unwrap();
        assert_eq!(back(3), group);
        let no_instance = MemberValue { instance: None, ..member };
        assert_eq!(back(2), GroupValue { members: vec![no_instance.clone()], ..group.clone() });
        let no_time = GroupValue { state_since_ms: None, ..group.clone() };
        assert_eq!(back(1), GroupValue { members: vec![no_instance.clone()], ..no_time.clone() });
        let old = MemberValue { rebalance_timeout_ms: 4, ..no_instance };
        assert_eq!(back(0), GroupValue { members: vec![old], ..no_time });
        let empty = GroupValue { protocol: None, leader: None, members: vec![], ..group };
        // Type, generation, no protocol, no leader, time, no members.
        let mut bytes = vec![0, 2, 0, 8];
        bytes.extend(b"consumer");
        bytes.extend([0, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
        assert_eq!(empty.encode(2)[..], bytes);
    }
}
