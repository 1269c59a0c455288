//! What a Kafka request is made of, in each API and version: found out by watching its own decoder.
//!
//! The decoder reads from a [`Probe`], which makes up each value that is asked for. A value that is one larger shows
//! what the value is: the length of a text, how many elements an array has, or a plain number. Numbers and texts that
//! stand out in what was decoded show what a field is called.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::{Buf, BufMut, Bytes, TryGetError};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_sim::wire::foreign::is_for_clients;

/// What a decoder asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A number of so many bytes.
    Number(usize),
    /// A byte: a flag, or an unsigned varint below 128.
    Byte,
    /// So many bytes.
    Bytes(usize),
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A number of so many bytes, a flag, or an id.
    Plain { field: String, size: usize },
    /// A text or bytes, behind their length.
    Text { field: String, length: Length },
    /// An array, with the parts of an element.
    Array { count: Length, element: Vec<Part> },
    /// Tagged fields.
    Tags,
}

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// In so many bytes; −1 is null.
    Fixed(usize),
    /// As an unsigned varint of one more; 0 is null.
    Varint,
}

impl Length {
    pub fn write(self, length: Option<usize>, to: &mut Vec<u8>) {
        match self {
            Self::Fixed(2) => to.put_i16(length.map_or(-1, |length| length as i16)),
            Self::Fixed(_) => to.put_i32(length.map_or(-1, |length| length as i32)),
            Self::Varint => varint(length.map_or(0, |length| length + 1), to),
        }
    }
}

/// An unsigned varint.
pub fn varint(mut value: usize, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// The first plain number that is made up for finding names; each further one is one more. Bytes begin at 100.
const MARK: u64 = 21_001;

/// What a decoder wants to read, made up: ones, unless `given` says otherwise.
#[derive(Default)]
struct Probe {
    reads: Vec<Read>,
    /// By the number of the read.
    given: BTreeMap<usize, u64>,
    /// By the number of the read.
    texts: BTreeMap<usize, Bytes>,
    /// Bytes that a fixed value has still.
    left: Bytes,
}

impl Probe {
    fn value(&mut self, read: Read, otherwise: u64) -> u64 {
        let value = self.given.get(&self.reads.len()).copied().unwrap_or(otherwise);
        self.reads.push(read);
        value
    }
}

impl Buf for Probe {
    fn remaining(&self) -> usize {
        1 << 20
    }

    fn chunk(&self) -> &[u8] {
        if self.left.is_empty() { &[0; 64] } else { &self.left }
    }

    fn advance(&mut self, count: usize) {
        self.left = Bytes::new();
        self.reads.push(Read::Bytes(count));
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        Ok(self.value(Read::Byte, 2) as u8)
    }

    fn try_get_i8(&mut self) -> Result<i8, TryGetError> {
        Ok(self.value(Read::Number(1), 1) as i8)
    }

    fn try_get_i16(&mut self) -> Result<i16, TryGetError> {
        Ok(self.value(Read::Number(2), 1) as i16)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        Ok(self.value(Read::Number(4), 1) as i32)
    }

    fn try_get_i64(&mut self) -> Result<i64, TryGetError> {
        Ok(self.value(Read::Number(8), 1) as i64)
    }
}

impl ByteBuf for Probe {
    fn peek_bytes(&mut self, _: std::ops::Range<usize>) -> Bytes {
        unreachable!("no decoder looks ahead")
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        let text = self.texts.get(&self.reads.len()).cloned();
        self.reads.push(Read::Bytes(size));
        text.unwrap_or_else(|| Bytes::from(vec![b'a'; size]))
    }
}

/// Decodes the body of a request; `None` when the decoder does not take it.
pub fn body(api: ApiKey, version: i16, from: &mut impl ByteBuf) -> Option<Box<dyn Debug>> {
    macro_rules! decode {
        ($($api:ident $request:ident),* $(,)?) => {
            match api {
                $(ApiKey::$api => Some(Box::new($request::decode(from, version).ok()?)),)*
                other => panic!("{other:?} is for clients, and has no row here"),
            }
        };
    }
    decode! {
        Produce ProduceRequest, Fetch FetchRequest, ListOffsets ListOffsetsRequest,
        Metadata MetadataRequest, OffsetCommit OffsetCommitRequest,
        OffsetFetch OffsetFetchRequest, FindCoordinator FindCoordinatorRequest,
        JoinGroup JoinGroupRequest, Heartbeat HeartbeatRequest, LeaveGroup LeaveGroupRequest,
        SyncGroup SyncGroupRequest, DescribeGroups DescribeGroupsRequest,
        ConsumerGroupHeartbeat ConsumerGroupHeartbeatRequest,
        ConsumerGroupDescribe ConsumerGroupDescribeRequest, ListGroups ListGroupsRequest,
        DeleteGroups DeleteGroupsRequest,
        ApiVersions ApiVersionsRequest, CreateTopics CreateTopicsRequest,
        DeleteTopics DeleteTopicsRequest, DeleteRecords DeleteRecordsRequest,
        InitProducerId InitProducerIdRequest,
        OffsetForLeaderEpoch OffsetForLeaderEpochRequest,
        AddPartitionsToTxn AddPartitionsToTxnRequest, AddOffsetsToTxn AddOffsetsToTxnRequest,
        EndTxn EndTxnRequest, TxnOffsetCommit TxnOffsetCommitRequest,
        WriteTxnMarkers WriteTxnMarkersRequest, DescribeProducers DescribeProducersRequest,
        DescribeTransactions DescribeTransactionsRequest,
        ListTransactions ListTransactionsRequest,
        DescribeConfigs DescribeConfigsRequest, AlterConfigs AlterConfigsRequest,
        IncrementalAlterConfigs IncrementalAlterConfigsRequest,
        AlterPartitionReassignments AlterPartitionReassignmentsRequest,
        ListPartitionReassignments ListPartitionReassignmentsRequest,
        DescribeClientQuotas DescribeClientQuotasRequest,
        AlterClientQuotas AlterClientQuotasRequest, UpdateFeatures UpdateFeaturesRequest,
        CreatePartitions CreatePartitionsRequest, ElectLeaders ElectLeadersRequest,
        DescribeCluster DescribeClusterRequest, OffsetDelete OffsetDeleteRequest,
        SaslHandshake SaslHandshakeRequest, SaslAuthenticate SaslAuthenticateRequest,
        DescribeAcls DescribeAclsRequest, CreateAcls CreateAclsRequest,
        DeleteAcls DeleteAclsRequest, CreateDelegationToken CreateDelegationTokenRequest,
        RenewDelegationToken RenewDelegationTokenRequest,
        ExpireDelegationToken ExpireDelegationTokenRequest,
        DescribeDelegationToken DescribeDelegationTokenRequest,
        DescribeUserScramCredentials DescribeUserScramCredentialsRequest,
        AlterUserScramCredentials AlterUserScramCredentialsRequest,
        AlterReplicaLogDirs AlterReplicaLogDirsRequest, DescribeLogDirs DescribeLogDirsRequest,
    }
}

/// Every API of clients, in every version that the decoder knows.
pub fn apis() -> impl Iterator<Item = (ApiKey, i16)> {
    let all = (0..=100).filter_map(|key| ApiKey::try_from(key).ok());
    all.filter(|api| is_for_clients(*api)).flat_map(|api| {
        let versions = api.valid_versions();
        (versions.min..=versions.max).map(move |version| (api, version))
    })
}

/// The parts of a request's body.
pub fn parts(api: ApiKey, version: i16) -> Vec<Part> {
    let mut finder = Finder { api, version, reads: Vec::new(), fields: BTreeMap::new() };
    finder.reads = finder.reads_with(&[]).unwrap_or_else(|| panic!("{api:?} v{version}"));
    finder.name_fields();
    let mut found = Vec::new();
    let mut at = 0;
    while at < finder.reads.len() {
        found.push(finder.part(&mut at));
    }
    found
}

/// Finds the parts of one API's version.
struct Finder {
    api: ApiKey,
    version: i16,
    /// Of a request with an element in each array.
    reads: Vec<Read>,
    /// The names, by the number of the read.
    fields: BTreeMap<usize, String>,
}

impl Finder {
    fn reads_with(&self, given: &[(usize, u64)]) -> Option<Vec<Read>> {
        let mut probe = Probe { given: given.iter().copied().collect(), ..Probe::default() };
        body(self.api, self.version, &mut probe).map(|_| probe.reads)
    }

    /// The reads when the value of one is one larger than it was.
    fn grown(&self, at: usize) -> Vec<Read> {
        let value = if self.reads[at] == Read::Byte { 3 } else { 2 };
        // Some small numbers are kinds, of which there may be one.
        self.reads_with(&[(at, value)]).unwrap_or_else(|| self.reads.clone())
    }

    fn is_length(&self, at: usize, grown: &[Read]) -> bool {
        let text = |reads: &[Read]| match reads.get(at + 1) {
            Some(Read::Bytes(size)) => Some(*size),
            _ => None,
        };
        text(grown).is_some_and(|size| text(&self.reads) == Some(size - 1))
    }

    /// Gives each plain value one of its own, and looks for it in what was decoded.
    fn name_fields(&mut self) {
        let mut probe = Probe::default();
        let mut marks = Vec::new();
        for at in 0..self.reads.len() {
            let grown = self.grown(at);
            let mark = match self.reads[at] {
                Read::Number(1) => 100 + at as u64 % 27,
                _ => MARK + at as u64,
            };
            if self.is_length(at, &grown) {
                let text = Bytes::from(mark.to_string());
                let one_more = u64::from(self.reads[at] == Read::Byte);
                probe.given.insert(at, text.len() as u64 + one_more);
                probe.texts.insert(at + 1, text);
                marks.push((at, mark));
            } else if grown.len() == self.reads.len()
                && matches!(self.reads[at], Read::Number(1 | 2 | 4 | 8))
            {
                probe.given.insert(at, mark);
                marks.push((at, mark));
            }
        }
        let Some(decoded) = body(self.api, self.version, &mut probe) else { return };
        let shown = format!("{decoded:?}");
        for (at, mark) in marks {
            let found = shown.split_once(&mark.to_string()).and_then(|(before, _)| {
                let (before, _) = before.rsplit_once(": ")?;
                before.rsplit([' ', '{', '(', ',']).next()
            });
            self.fields.insert(at, found.unwrap_or_default().to_owned());
        }
    }

    fn part(&self, at: &mut usize) -> Part {
        let here = *at;
        let grown = self.grown(here);
        let field = self.fields.get(&here).cloned().unwrap_or_default();
        let length = match self.reads[here] {
            Read::Number(size) => Length::Fixed(size),
            _ => Length::Varint,
        };
        *at += 1;
        if self.is_length(here, &grown) {
            *at += 1;
            return Part::Text { field, length };
        }
        let size = grown.len() - self.reads.len();
        if size == 0 {
            let size = match self.reads[here] {
                Read::Number(size) | Read::Bytes(size) => size,
                Read::Byte => 1,
            };
            return Part::Plain { field, size };
        }
        let none = self.reads_with(&[(here, u64::from(self.reads[here] == Read::Byte))]);
        // Two tagged fields are as many reads as an array of one element that has six.
        let fewer = none.map(|none| self.reads.len() - none.len());
        if self.reads[here] == Read::Byte && size == 3 && fewer == Some(3) && self.is_tag(here) {
            *at += 6;
            return Part::Tags;
        }
        let mut element = Vec::new();
        let end = here + 1 + size;
        while *at < end {
            element.push(self.part(at));
        }
        Part::Array { count: length, element }
    }

    /// Whether what is counted at `at` has a number, a size and that many bytes.
    fn is_tag(&self, at: usize) -> bool {
        self.reads[at + 1..].starts_with(&[Read::Byte, Read::Byte, Read::Bytes(2)])
    }
}
