//! Requests of programs from outside.
//!
//! The decoder of `kafka-protocol` allocates as many elements as an array announces, before it has seen one: a
//! dozen bytes can make it allocate hundreds of gigabytes. So requests from outside are checked first: Produce,
//! which may be large, by skipping over it; the others, which are small, by a decoding in which every announced
//! number is compared with the bytes that are left, as no element takes less than one.
//!
//! What is decoded is larger than its bytes: an element of two bytes takes a hundred in memory. So requests without
//! records are limited to a mebibyte, and a Produce request to so many topics, partitions and tagged fields.
//!
//! A text may be longer than the protocol lets it be where its length is a varint. Kafka does not decode such a
//! request either: names are stored and answered with lengths of two bytes.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterClientQuotasRequest,
    AlterConfigsRequest, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest,
    AlterUserScramCredentialsRequest, ApiKey, ApiVersionsRequest, ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest, CreateAclsRequest, CreateDelegationTokenRequest,
    CreatePartitionsRequest, CreateTopicsRequest, DeleteAclsRequest, DeleteGroupsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeDelegationTokenRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, ElectLeadersRequest,
    EndTxnRequest, ExpireDelegationTokenRequest, FetchRequest, FindCoordinatorRequest,
    HeartbeatRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
    ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest, RenewDelegationTokenRequest, RequestHeader,
    SaslAuthenticateRequest, SaslHandshakeRequest, SyncGroupRequest, TxnOffsetCommitRequest,
    UpdateFeaturesRequest, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::buf::ByteBuf;
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::kafka::{KafkaWireError, RequestFrame, TEXT_MAX, decode_request};

/// Largest request that holds no records, in bytes: room for some 50,000 partitions.
const PLAIN_MAX: usize = 1 << 20;

/// Most topics, partitions and tagged fields of a Produce request, together: as many as a mebibyte has room for.
const PRODUCE_PARTS_MAX: usize = 100_000;

/// Whether clients, rather than other brokers, send requests of this API, as far as it is known here.
pub fn is_for_clients(api: ApiKey) -> bool {
    api == ApiKey::Produce || plain(api).is_some()
}

/// Decodes a request of a program from outside.
///
/// # Errors
/// See [`KafkaWireError`]; [`KafkaWireError::UnknownApi`] also for APIs that are for brokers only.
pub fn decode_foreign_request(payload: Bytes) -> Result<RequestFrame, KafkaWireError> {
    if let Some((api, version)) = spoken(&payload) {
        if !is_for_clients(api) {
            return Err(KafkaWireError::UnknownApi(api as i16));
        }
        check(api, version, &payload).map_err(|why| KafkaWireError::Body { api, version, why })?;
    }
    decode_request(payload)
}

/// The API and version of a request, if the decoder knows both.
fn spoken(payload: &[u8]) -> Option<(ApiKey, i16)> {
    let start = payload.first_chunk::<4>()?;
    let api = ApiKey::try_from(i16::from_be_bytes([start[0], start[1]])).ok()?;
    let version = i16::from_be_bytes([start[2], start[3]]);
    let versions = api.valid_versions();
    (versions.min..=versions.max).contains(&version).then_some((api, version))
}

fn check(api: ApiKey, version: i16, payload: &Bytes) -> Result<(), String> {
    let plain = plain(api);
    if plain.is_some() && payload.len() > PLAIN_MAX {
        return Err(format!("{} bytes, more than {PLAIN_MAX}", payload.len()));
    }
    let Some(check) = plain else {
        let mut walk = Walk { bytes: payload, at: 0, flexible: version >= 9, parts: 0 };
        return walk.produce(version).ok_or_else(|| "it is cut short, or too large".to_owned());
    };
    let mut bytes = payload.clone();
    RequestHeader::decode(&mut bytes, api.request_header_version(version))
        .map_err(|why| why.to_string())?;
    check(&mut BoundedReader { bytes, longest: 0 }, version)
}

/// A walk over a Produce request. Its steps are `None` when there are not the bytes that were announced, or too many
/// parts.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    flexible: bool,
    /// Topics, partitions and tagged fields so far.
    parts: usize,
}

impl Walk<'_> {
    fn produce(&mut self, version: i16) -> Option<()> {
        // API key, version and correlation id; the client's name has no varint in any version.
        self.skip(8)?;
        self.short_text()?;
        self.tags()?;
        if version >= 3 {
            // transactional.id
            self.text()?;
        }
        // acks and timeout.ms
        self.skip(6)?;
        for _ in 0..self.count()? {
            self.part()?;
            self.text()?;
            for _ in 0..self.count()? {
                self.part()?;
                self.skip(4)?;
                let records = self.count()?;
                self.skip(records)?;
                self.tags()?;
            }
            self.tags()?;
        }
        self.tags()
    }

    fn part(&mut self) -> Option<()> {
        self.parts += 1;
        (self.parts <= PRODUCE_PARTS_MAX).then_some(())
    }

    fn skip(&mut self, size: usize) -> Option<()> {
        (size <= self.bytes.len() - self.at).then(|| self.at += size)
    }

    fn varint(&mut self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let size = rest.iter().take(4).take_while(|byte| *byte & 0x80 != 0).count() + 1;
        self.skip(size).map(|()| first_varint(rest))
    }

    /// The length of an array or of bytes; none when it is null.
    fn count(&mut self) -> Option<usize> {
        if self.flexible {
            return self.varint().map(|length| length.saturating_sub(1));
        }
        let length = *self.bytes[self.at..].first_chunk()?;
        self.at += 4;
        Some(usize::try_from(i32::from_be_bytes(length)).unwrap_or(0))
    }

    fn text(&mut self) -> Option<()> {
        if !self.flexible {
            return self.short_text();
        }
        let length = self.count()?;
        if length <= TEXT_MAX { self.skip(length) } else { None }
    }

    fn short_text(&mut self) -> Option<()> {
        let length = *self.bytes[self.at..].first_chunk()?;
        self.at += 2;
        self.skip(usize::try_from(i16::from_be_bytes(length)).unwrap_or(0))
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..if self.flexible { self.varint()? } else { 0 } {
            self.part()?;
            self.varint()?;
            let size = self.varint()?;
            self.skip(size)?;
        }
        Some(())
    }
}

/// The unsigned varint at the beginning of `bytes`.
fn first_varint(bytes: &[u8]) -> usize {
    let mut value = 0;
    for (shift, byte) in (0..35).step_by(7).zip(bytes) {
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

type Check = fn(&mut BoundedReader, i16) -> Result<(), String>;

fn decodes<T: Decodable>(reader: &mut BoundedReader, version: i16) -> Result<(), String> {
    T::decode(reader, version).map_err(|why| why.to_string())?;
    // Texts, and tagged fields that no release of Kafka has.
    fits(reader.longest)
}

fn fits(length: usize) -> Result<(), String> {
    match length <= TEXT_MAX {
        true => Ok(()),
        false => Err(format!("a text of {length} bytes, more than {TEXT_MAX}")),
    }
}

fn all_fit<'t>(texts: impl IntoIterator<Item = &'t StrBytes>) -> Result<(), String> {
    texts.into_iter().try_for_each(|text| fits(text.len()))
}

/// Of JoinGroup, which has bytes beside its texts.
fn join_group(reader: &mut BoundedReader, version: i16) -> Result<(), String> {
    let request = JoinGroupRequest::decode(reader, version).map_err(|why| why.to_string())?;
    let texts = [&request.group_id.0, &request.member_id, &request.protocol_type];
    let optional = [&request.group_instance_id, &request.reason];
    let names = request.protocols.iter().map(|protocol| &protocol.name);
    all_fit(texts.into_iter().chain(optional.into_iter().flatten()).chain(names))
}

/// Of SyncGroup, which has bytes beside its texts.
fn sync_group(reader: &mut BoundedReader, version: i16) -> Result<(), String> {
    let request = SyncGroupRequest::decode(reader, version).map_err(|why| why.to_string())?;
    let texts = [&request.group_id.0, &request.member_id];
    let optional = [&request.group_instance_id, &request.protocol_type, &request.protocol_name];
    let members = request.assignments.iter().map(|assigned| &assigned.member_id);
    all_fit(texts.into_iter().chain(optional.into_iter().flatten()).chain(members))
}

/// Of requests that have bytes, and no text.
fn without_text<T: Decodable>(reader: &mut BoundedReader, version: i16) -> Result<(), String> {
    T::decode(reader, version).map(drop).map_err(|why| why.to_string())
}

/// How a request without records is checked; `None` for APIs that are not for clients, and for Produce.
fn plain(api: ApiKey) -> Option<Check> {
    Some(match api {
        ApiKey::Fetch => decodes::<FetchRequest>,
        ApiKey::ListOffsets => decodes::<ListOffsetsRequest>,
        ApiKey::Metadata => decodes::<MetadataRequest>,
        ApiKey::OffsetCommit => decodes::<OffsetCommitRequest>,
        ApiKey::OffsetFetch => decodes::<OffsetFetchRequest>,
        ApiKey::FindCoordinator => decodes::<FindCoordinatorRequest>,
        ApiKey::JoinGroup => join_group,
        ApiKey::Heartbeat => decodes::<HeartbeatRequest>,
        ApiKey::LeaveGroup => decodes::<LeaveGroupRequest>,
        ApiKey::SyncGroup => sync_group,
        ApiKey::DescribeGroups => decodes::<DescribeGroupsRequest>,
        ApiKey::ListGroups => decodes::<ListGroupsRequest>,
        ApiKey::DeleteGroups => decodes::<DeleteGroupsRequest>,
        ApiKey::ApiVersions => decodes::<ApiVersionsRequest>,
        ApiKey::CreateTopics => decodes::<CreateTopicsRequest>,
        ApiKey::DeleteTopics => decodes::<DeleteTopicsRequest>,
        ApiKey::DeleteRecords => decodes::<DeleteRecordsRequest>,
        ApiKey::InitProducerId => decodes::<InitProducerIdRequest>,
        ApiKey::WriteTxnMarkers => decodes::<WriteTxnMarkersRequest>,
        ApiKey::DescribeProducers => decodes::<DescribeProducersRequest>,
        ApiKey::OffsetDelete => decodes::<OffsetDeleteRequest>,
        ApiKey::OffsetForLeaderEpoch => decodes::<OffsetForLeaderEpochRequest>,
        ApiKey::AddPartitionsToTxn => decodes::<AddPartitionsToTxnRequest>,
        ApiKey::AddOffsetsToTxn => decodes::<AddOffsetsToTxnRequest>,
        ApiKey::EndTxn => decodes::<EndTxnRequest>,
        ApiKey::TxnOffsetCommit => decodes::<TxnOffsetCommitRequest>,
        ApiKey::DescribeTransactions => decodes::<DescribeTransactionsRequest>,
        ApiKey::ListTransactions => decodes::<ListTransactionsRequest>,
        ApiKey::DescribeConfigs => decodes::<DescribeConfigsRequest>,
        ApiKey::AlterConfigs => decodes::<AlterConfigsRequest>,
        ApiKey::IncrementalAlterConfigs => decodes::<IncrementalAlterConfigsRequest>,
        ApiKey::AlterPartitionReassignments => decodes::<AlterPartitionReassignmentsRequest>,
        ApiKey::ListPartitionReassignments => decodes::<ListPartitionReassignmentsRequest>,
        ApiKey::DescribeClientQuotas => decodes::<DescribeClientQuotasRequest>,
        ApiKey::AlterClientQuotas => decodes::<AlterClientQuotasRequest>,
        ApiKey::UpdateFeatures => decodes::<UpdateFeaturesRequest>,
        ApiKey::CreatePartitions => decodes::<CreatePartitionsRequest>,
        ApiKey::ElectLeaders => decodes::<ElectLeadersRequest>,
        ApiKey::DescribeCluster => decodes::<DescribeClusterRequest>,
        ApiKey::SaslHandshake => decodes::<SaslHandshakeRequest>,
        ApiKey::SaslAuthenticate => without_text::<SaslAuthenticateRequest>,
        ApiKey::DescribeAcls => decodes::<DescribeAclsRequest>,
        ApiKey::CreateAcls => decodes::<CreateAclsRequest>,
        ApiKey::DeleteAcls => decodes::<DeleteAclsRequest>,
        ApiKey::CreateDelegationToken => decodes::<CreateDelegationTokenRequest>,
        ApiKey::RenewDelegationToken => without_text::<RenewDelegationTokenRequest>,
        ApiKey::ExpireDelegationToken => without_text::<ExpireDelegationTokenRequest>,
        ApiKey::DescribeDelegationToken => decodes::<DescribeDelegationTokenRequest>,
        ApiKey::DescribeUserScramCredentials => decodes::<DescribeUserScramCredentialsRequest>,
        ApiKey::AlterUserScramCredentials => decodes::<AlterUserScramCredentialsRequest>,
        ApiKey::ConsumerGroupHeartbeat => decodes::<ConsumerGroupHeartbeatRequest>,
        ApiKey::ConsumerGroupDescribe => decodes::<ConsumerGroupDescribeRequest>,
        ApiKey::AlterReplicaLogDirs => decodes::<AlterReplicaLogDirsRequest>,
        ApiKey::DescribeLogDirs => decodes::<DescribeLogDirsRequest>,
        _ => return None,
    })
}

/// Bytes that give a decoder smaller numbers than they hold, where the true ones cannot be lengths.
///
/// A plain number may come out wrong, which is why the decoded value is dropped. A length that comes out too small
/// still makes the decoder run out of bytes: it is one more than there are bytes, and no element takes less than one.
struct BoundedReader {
    bytes: Bytes,
    /// Length of the longest text, or of other bytes, so far.
    longest: usize,
}

impl Buf for BoundedReader {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let truth = self.bytes.try_get_i32()?;
        let most = i32::try_from(self.bytes.len()).map_or(i32::MAX, |left| left.saturating_add(1));
        Ok(truth.min(most))
    }

    /// Only varints are read so, and flags: a byte with the highest bit begins, or continues, a varint.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let is_long = self.bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        let value = if is_long { first_varint(&self.bytes) } else { 0 };
        if value > self.bytes.len() {
            return Err(TryGetError { requested: value, available: self.bytes.len() });
        }
        self.bytes.try_get_u8()
    }
}

impl ByteBuf for BoundedReader {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.longest = self.longest.max(size);
        self.bytes.split_to(size)
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
    use kafka_protocol::messages::{MetadataRequest, ProduceRequest, RequestKind};
    use kafka_protocol::protocol::StrBytes;

    use super::*;
    use crate::wire::kafka::encode_request;

    fn payload(api: ApiKey, version: i16, body: &RequestKind) -> Bytes {
        encode_request(api, version, 7, &StrBytes::from_static_str("x"), body).slice(4..)
    }

    fn header(api: ApiKey, version: i16) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_i16(api as i16);
        bytes.put_i16(version);
        bytes.put_i32(7);
        bytes.put_i16(-1);
        if api.request_header_version(version) >= 2 {
            bytes.put_u8(0);
        }
        bytes
    }

    #[test]
    fn an_honest_request_is_decoded_unchanged() {
        let fetch = FetchRequest::default().with_max_bytes(i32::MAX).with_max_wait_ms(500);
        for version in 4..=12 {
            let payload = payload(ApiKey::Fetch, version, &RequestKind::Fetch(fetch.clone()));
            let frame = decode_foreign_request(payload).unwrap();
            assert_eq!(frame.body, RequestKind::Fetch(fetch.clone()), "v{version}");
        }
        let records = Bytes::from(vec![9; 300_000]);
        let part = PartitionProduceData::default().with_index(3).with_records(Some(records));
        let topic = TopicProduceData::default().with_partition_data(vec![part; 2]);
        let produce = ProduceRequest::default().with_topic_data(vec![topic; 3]);
        for version in 3..=9 {
            let body = RequestKind::Produce(produce.clone());
            let frame = decode_foreign_request(payload(ApiKey::Produce, version, &body)).unwrap();
            assert_eq!(frame.body, body, "v{version}");
        }
    }

    #[test]
    fn no_room_is_made_for_elements_that_cannot_be_there() {
        for announced in [100_000_000, i32::MAX] {
            // Metadata v1: an array of topics; Produce v3: transactional.id, acks, timeout.ms, topics.
            let mut metadata = header(ApiKey::Metadata, 1);
            metadata.put_i32(announced);
            let mut produce = header(ApiKey::Produce, 3);
            produce.put_i16(-1);
            produce.put_slice(&[0; 6]);
            produce.put_i32(announced);
            // The same with varints.
            let mut flexible = header(ApiKey::Metadata, 9);
            flexible.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x07]);
            let mut compact = header(ApiKey::Produce, 9);
            compact.put_u8(0);
            compact.put_slice(&[0; 6]);
            compact.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x07]);
            for mut bytes in [metadata, produce, flexible, compact] {
                bytes.put_slice(&[1; 40]);
                let answer = decode_foreign_request(bytes.freeze());
                assert!(matches!(answer, Err(KafkaWireError::Body { .. })), "{answer:?}");
            }
        }
    }

    #[test]
    fn a_count_at_the_very_end_is_compared_with_the_nothing_that_is_left() {
        // Metadata v1 of the client `evil`; in Kafka's framing it has 22 bytes.
        let packet = b"\0\x03\0\x01\0\0\0\x01\0\x04evil\x7f\xff\xff\xff";
        let answer = decode_foreign_request(Bytes::from_static(packet));
        assert!(matches!(answer, Err(KafkaWireError::Body { .. })), "{answer:?}");
    }

    /// Real brokers of 2.8.2 and 3.9.1 close the connection.
    #[test]
    fn texts_are_no_longer_than_two_bytes_can_say() {
        let text = |length| StrBytes::from_string("g".repeat(length));
        let commit = |length| OffsetCommitRequest::default().with_group_id(text(length).into());
        let produce = |length| {
            let topic = TopicProduceData::default().with_name(text(length).into());
            ProduceRequest::default().with_topic_data(vec![topic])
        };
        let join = |length, bytes: usize| {
            let protocol = JoinGroupRequestProtocol::default()
                .with_name(text(length))
                .with_metadata(vec![0; bytes].into());
            JoinGroupRequest::default().with_protocols(vec![protocol])
        };
        let sync = |length, bytes: usize| {
            let assigned = SyncGroupRequestAssignment::default()
                .with_member_id(text(length))
                .with_assignment(vec![0; bytes].into());
            SyncGroupRequest::default().with_assignments(vec![assigned])
        };
        let decodes = |api, version, body: RequestKind| {
            decode_foreign_request(payload(api, version, &body)).is_ok()
        };
        for (length, fits) in [(TEXT_MAX, true), (TEXT_MAX + 1, false), (40_000, false)] {
            assert_eq!(decodes(ApiKey::OffsetCommit, 8, commit(length).into()), fits);
            assert_eq!(decodes(ApiKey::Produce, 9, produce(length).into()), fits);
            assert_eq!(decodes(ApiKey::JoinGroup, 6, join(length, 40_000).into()), fits);
            assert_eq!(decodes(ApiKey::SyncGroup, 4, sync(length, 40_000).into()), fits);
        }
    }

    #[test]
    fn no_request_has_more_parts_than_a_mebibyte_has_room_for() {
        // Produce v9: topics without a name and partitions, in three bytes each.
        let topics = 1_000_000;
        let mut produce = header(ApiKey::Produce, 9);
        produce.put_u8(0);
        produce.put_slice(&[0; 6]);
        produce.put_slice(&[0xc1, 0x84, 0x3d]);
        (0..topics).for_each(|_| produce.put_slice(&[1, 1, 0]));
        produce.put_u8(0);
        let answer = decode_foreign_request(produce.freeze());
        assert!(answer.unwrap_err().to_string().contains("too large"));
        // A header that is nothing but tagged fields.
        for api in [ApiKey::Produce, ApiKey::Metadata] {
            let mut tagged = header(api, 9);
            tagged.truncate(10);
            tagged.put_slice(&[0xc0, 0x84, 0x3d]);
            (0..1_000_000u32).for_each(|tag| {
                tagged.put_slice(&[tag as u8 | 0x80, (tag >> 7) as u8 | 0x80, (tag >> 14) as u8]);
                tagged.put_u8(0);
            });
            assert!(decode_foreign_request(tagged.freeze()).is_err(), "{api:?}");
        }
    }

    #[test]
    fn what_brokers_say_to_brokers_is_not_for_clients() {
        for api in [ApiKey::LeaderAndIsr, ApiKey::UpdateMetadata, ApiKey::AlterPartition] {
            let answer = decode_foreign_request(header(api, 0).freeze());
            assert_eq!(answer.unwrap_err(), KafkaWireError::UnknownApi(api as i16));
        }
    }

    #[test]
    fn a_large_request_without_records_is_refused() {
        let topic = kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(StrBytes::from_string("t".repeat(30_000)).into()));
        let request = MetadataRequest::default().with_topics(Some(vec![topic; 40]));
        let payload = payload(ApiKey::Metadata, 4, &RequestKind::Metadata(request));
        assert!(decode_foreign_request(payload).unwrap_err().to_string().contains("more than"));
    }
}
