//! Clusters that are served for real, to clients made of plain sockets; and hostile bytes in bulk.
#![expect(clippy::disallowed_methods, reason = "real sockets live in real time, in threads")]

mod accounts;
mod faults;
mod fuzz;
mod limits;
mod pressure;
mod recordings;
mod served;

use std::path::PathBuf;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind};
use kafka_protocol::protocol::StrBytes;

use crate::wire::kafka::encode_request;

/// The scenario of these tests.
fn scenario() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/gateway/tests/cluster.toml")
}

fn request(api: ApiKey, version: i16, correlation_id: i32, body: &RequestKind) -> Bytes {
    encode_request(api, version, correlation_id, &StrBytes::from_static_str("test"), body)
}

/// A ConnectRequest of ZooKeeper for a new session of ten seconds.
fn handshake() -> Bytes {
    let mut bytes = vec![0, 0, 0, 45];
    // Protocol version and last zxid seen, the timeout, no session, its password, not read-only.
    bytes.extend([0; 12]);
    bytes.extend(10_000_i32.to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend([0, 0, 0, 16]);
    bytes.extend([0; 17]);
    bytes.into()
}
