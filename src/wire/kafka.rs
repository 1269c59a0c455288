//! Kafka requests and responses with their headers, as the published protocol has them.
//!
//! The messages themselves are those of the crate `kafka-protocol`; this file has the headers, the length
//! prefix and the rule for unsupported versions.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

/// Largest frame that is accepted, in bytes (`socket.request.max.bytes`).
pub const MAX_FRAME_BYTES: usize = 100 * 1024 * 1024;

/// The timestamp in ListOffsets that asks for a log's end.
pub const LATEST_TIMESTAMP: i64 = -1;
/// The timestamp in ListOffsets that asks for a log's start.
pub const EARLIEST_TIMESTAMP: i64 = -2;

/// Bytes that are no Kafka message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaWireError {
    /// Too short for a header, or the header does not decode.
    #[error("header does not decode")]
    Header,
    /// No such API.
    #[error("no API with key {0}")]
    UnknownApi(i16),
    /// The API is known, the version is not.
    #[error("{api:?} has no version {version}")]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version that was asked for.
        version: i16,
        /// To answer with (`ApiVersions` alone is answered; others end the connection).
        correlation_id: i32,
    },
    /// The body does not decode.
    #[error("{api:?} v{version} does not decode: {why}")]
    Body {
        /// The API.
        api: ApiKey,
        /// Its version.
        version: i16,
        /// What the decoder says.
        why: String,
    },
}

/// A request as a server sees it.
#[derive(Clone, Debug)]
pub struct RequestFrame {
    /// The API.
    pub api: ApiKey,
    /// The API's version, which the response has to have too.
    pub version: i16,
    /// Given back in the response.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<StrBytes>,
    /// The message.
    pub body: RequestKind,
}

/// Room that a frame begins with, in bytes: enough for most that carry a record of the default size.
const FRAME_ROOM_BYTES: usize = 320;

fn framed(buffer: BytesMut) -> Bytes {
    let mut buffer = buffer;
    let length = i32::try_from(buffer.len() - 4).expect("a frame below 2 GiB");
    buffer[..4].copy_from_slice(&length.to_be_bytes());
    buffer.freeze()
}

/// Encodes a request with its length and header.
///
/// # Panics
/// When the version cannot express the message: our own mistake, never the peer's.
pub fn encode_request(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: &StrBytes,
    body: &RequestKind,
) -> Bytes {
    let mut buffer = BytesMut::with_capacity(FRAME_ROOM_BYTES);
    buffer.extend_from_slice(&[0; 4]);
    RequestHeader::default()
        .with_request_api_key(api as i16)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(client_id.clone()))
        .encode(&mut buffer, api.request_header_version(version))
        .and_then(|()| body.encode(&mut buffer, version))
        .unwrap_or_else(|why| panic!("{api:?} v{version} does not encode: {why}"));
    framed(buffer)
}

/// Decodes a request from a frame's payload.
///
/// # Errors
/// See [`KafkaWireError`].
pub fn decode_request(mut payload: Bytes) -> Result<RequestFrame, KafkaWireError> {
    let Some(start) = payload.first_chunk::<8>() else { return Err(KafkaWireError::Header) };
    let key = i16::from_be_bytes([start[0], start[1]]);
    let version = i16::from_be_bytes([start[2], start[3]]);
    let correlation_id = i32::from_be_bytes([start[4], start[5], start[6], start[7]]);
    let api = ApiKey::try_from(key).map_err(|()| KafkaWireError::UnknownApi(key))?;
    let versions = api.valid_versions();
    if version < versions.min || version > versions.max {
        return Err(KafkaWireError::UnsupportedVersion { api, version, correlation_id });
    }
    let header = RequestHeader::decode(&mut payload, api.request_header_version(version))
        .map_err(|_| KafkaWireError::Header)?;
    let body = RequestKind::decode(api, &mut payload, version)
        .map_err(|why| KafkaWireError::Body { api, version, why: why.to_string() })?;
    Ok(RequestFrame { api, version, correlation_id, client_id: header.client_id, body })
}

/// Longest text of the protocol in bytes: `Short.MAX_VALUE`, also where its length is a varint.
pub const TEXT_MAX: usize = i16::MAX as usize;

/// Encodes a response with its length and header.
///
/// # Panics
/// When the version cannot express the message: our own mistake, never the peer's.
pub fn encode_response(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    body: &ResponseKind,
) -> Bytes {
    let mut buffer = BytesMut::with_capacity(FRAME_ROOM_BYTES);
    buffer.extend_from_slice(&[0; 4]);
    ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(&mut buffer, api.response_header_version(version))
        .and_then(|()| body.encode(&mut buffer, version))
        .unwrap_or_else(|why| panic!("{api:?} v{version} does not encode: {why}"));
    framed(buffer)
}

/// The correlation id of a response payload, which says what request it answers.
pub fn correlation_id(payload: &[u8]) -> Option<i32> {
    payload.first_chunk::<4>().map(|id| i32::from_be_bytes(*id))
}

/// Decodes a response of a known API and version from a frame's payload.
///
/// # Errors
/// See [`KafkaWireError`].
pub fn decode_response(
    api: ApiKey,
    version: i16,
    mut payload: Bytes,
) -> Result<ResponseKind, KafkaWireError> {
    ResponseHeader::decode(&mut payload, api.response_header_version(version))
        .map_err(|_| KafkaWireError::Header)?;
    let body = ResponseKind::decode(api, &mut payload, version)
        .map_err(|why| KafkaWireError::Body { api, version, why: why.to_string() })?;
    if payload.has_remaining() {
        let why = format!("{} bytes too many", payload.remaining());
        return Err(KafkaWireError::Body { api, version, why });
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

    use super::*;

    #[test]
    fn requests_survive_the_round_trip_in_every_version() {
        let client = StrBytes::from_static_str("p0");
        for version in 0..=12 {
            let mut request = MetadataRequest::default();
            if version >= 4 {
                request.allow_auto_topic_creation = version % 2 == 0;
            }
            let body = RequestKind::Metadata(request);
            let frame = encode_request(ApiKey::Metadata, version, 7, &client, &body);
            let back = decode_request(frame.slice(4..)).unwrap();
            assert_eq!(back.body, body);
            assert_eq!((back.correlation_id, back.version), (7, version));
        }
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        let client = StrBytes::from_static_str("p0");
        let body = RequestKind::Metadata(MetadataRequest::default());
        let frame = encode_request(ApiKey::Metadata, 9, 7, &client, &body).slice(4..);
        for length in 0..frame.len() {
            assert!(decode_request(frame.slice(..length)).is_err());
        }
        let mut other = BytesMut::from(&frame[..]);
        other[1] = 99;
        assert_eq!(decode_request(other.freeze()).unwrap_err(), KafkaWireError::UnknownApi(99));
    }

    #[test]
    fn responses_survive_the_round_trip() {
        let body = ResponseKind::Metadata(MetadataResponse::default());
        let frame = encode_response(ApiKey::Metadata, 9, 3, &body);
        assert_eq!(correlation_id(&frame[4..]), Some(3));
        assert_eq!(decode_response(ApiKey::Metadata, 9, frame.slice(4..)).unwrap(), body);
    }
}
