//! Hostile bytes in bulk, straight into the simulated connections: no node panics, and a well-behaved client beside
//! them is answered.
//!
//! The bytes are drawn from a seed. The message of a panic has the number of the case, which is enough to
//! repeat it.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateAclsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeLogDirsRequest, ElectLeadersRequest,
    FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, RequestKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{handshake, request, scenario};
use crate::cluster::{ExternalListener, Inbound, Live, News, Played, Visitor};
use crate::run::{self, Listeners, RunOptions};
use crate::vocab::{NodeId, Seed, Stream, Time};
use crate::wire::records::{BATCH_HEADER_BYTES, BatchBuilder};

/// Cases for each protocol.
const CASES: u64 = 400;

/// Requests that brokers take, with nothing in them.
fn requests() -> Vec<(ApiKey, RequestKind)> {
    vec![
        (ApiKey::Produce, RequestKind::Produce(ProduceRequest::default())),
        (ApiKey::Fetch, RequestKind::Fetch(FetchRequest::default())),
        (ApiKey::ListOffsets, RequestKind::ListOffsets(ListOffsetsRequest::default())),
        (ApiKey::Metadata, RequestKind::Metadata(MetadataRequest::default())),
        (ApiKey::FindCoordinator, RequestKind::FindCoordinator(FindCoordinatorRequest::default())),
        (ApiKey::ApiVersions, RequestKind::ApiVersions(ApiVersionsRequest::default())),
        (ApiKey::CreateTopics, RequestKind::CreateTopics(CreateTopicsRequest::default())),
        (
            ApiKey::OffsetForLeaderEpoch,
            RequestKind::OffsetForLeaderEpoch(OffsetForLeaderEpochRequest::default()),
        ),
        (ApiKey::DescribeConfigs, RequestKind::DescribeConfigs(DescribeConfigsRequest::default())),
        (ApiKey::ElectLeaders, RequestKind::ElectLeaders(ElectLeadersRequest::default())),
        (ApiKey::DescribeCluster, RequestKind::DescribeCluster(DescribeClusterRequest::default())),
        (ApiKey::DeleteTopics, RequestKind::DeleteTopics(DeleteTopicsRequest::default())),
        (ApiKey::DescribeLogDirs, RequestKind::DescribeLogDirs(DescribeLogDirsRequest::default())),
        (ApiKey::CreateAcls, RequestKind::CreateAcls(CreateAclsRequest::default())),
    ]
}

/// Random bytes, of which many are such as lengths and flags have.
fn noise(stream: &mut Stream, most: u64) -> Vec<u8> {
    let length = stream.below(most);
    (0..length)
        .map(|_| match stream.below(4) {
            0 => 0,
            1 => 0xff,
            2 => stream.below(8) as u8,
            _ => stream.below(256) as u8,
        })
        .collect()
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame");
    [&length.to_be_bytes()[..], payload].concat()
}

/// Changes a few bytes, or the length.
fn damage(stream: &mut Stream, bytes: &mut Vec<u8>) {
    for _ in 0..stream.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = stream.below(bytes.len() as u64) as usize;
        match stream.below(4) {
            0 => bytes[at] = stream.below(256) as u8,
            1 => bytes[at] ^= 1 << stream.below(8),
            2 => bytes.truncate(at),
            _ => {
                let more = noise(stream, 12);
                bytes.splice(at..at, more);
            }
        }
    }
}

/// A batch whose header and checksum are right, with noise that is said to be compressed.
fn opaque_batch(stream: &mut Stream) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    builder.push(0, None, Some(b"value"));
    let mut bytes = builder.build().bytes[..BATCH_HEADER_BYTES].to_vec();
    bytes[22] = stream.below(8) as u8;
    let magic: &[u8] = match bytes[22] {
        1 => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0],
        2 => b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01",
        3 => &[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82],
        4 => &[0x28, 0xb5, 0x2f, 0xfd],
        _ => &[],
    };
    bytes.extend(magic);
    bytes.extend(noise(stream, 200));
    let length = u32::try_from(bytes.len() - 12).expect("a small batch");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

fn produce(stream: &mut Stream) -> Vec<u8> {
    let part = PartitionProduceData::default()
        .with_index(stream.below(2) as i32)
        .with_records(Some(opaque_batch(stream)));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str("orders")))
        .with_partition_data(vec![part]);
    let body = ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]);
    request(ApiKey::Produce, 7, 7, &RequestKind::Produce(body)).to_vec()
}

fn kafka(stream: &mut Stream) -> Vec<u8> {
    let all = requests();
    let (api, body) = &all[stream.below(all.len() as u64) as usize];
    match stream.below(5) {
        4 => produce(stream),
        // A right header, and anything behind it.
        0 | 1 => {
            let mut payload = Vec::new();
            payload.extend((*api as i16).to_be_bytes());
            payload.extend((stream.below(14) as i16).to_be_bytes());
            payload.extend([0, 0, 0, 7, 0xff, 0xff]);
            payload.extend(noise(stream, 120));
            framed(&payload)
        }
        // A right request, damaged.
        2 => {
            let versions = api.valid_versions();
            let least = match api {
                ApiKey::Produce => 3,
                ApiKey::Fetch => 4,
                _ => versions.min,
            };
            let most = versions.max.min(least + 6);
            let version = least + stream.below((most - least + 1) as u64) as i16;
            let mut bytes = request(*api, version, 7, body).to_vec();
            damage(stream, &mut bytes);
            bytes
        }
        _ => noise(stream, 200),
    }
}

fn zookeeper(stream: &mut Stream) -> Vec<u8> {
    const OPS: [i32; 27] = [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 100, 101, 102, 103,
        104, 106, -11,
    ];
    let mut bytes = handshake().to_vec();
    match stream.below(5) {
        0 => damage(stream, &mut bytes),
        1 => bytes = noise(stream, 200),
        2 => bytes = framed(&noise(stream, 60)),
        _ => {
            for xid in 1..=stream.below(4) as i32 {
                let op = OPS[stream.below(OPS.len() as u64) as usize];
                let path: &[u8] =
                    [&b"/"[..], b"/brokers/ids/1", b"/x", b""][stream.below(4) as usize];
                let mut payload = [xid.to_be_bytes(), op.to_be_bytes()].concat();
                payload.extend(framed(path));
                payload.extend(noise(stream, 60));
                if stream.below(3) == 0 {
                    damage(stream, &mut payload);
                }
                bytes.extend(framed(&payload));
            }
        }
    }
    bytes
}

/// A cluster with a well-behaved client of each protocol, and hostile ones.
struct Crowd<'p> {
    live: Live<'p, Listeners>,
    stream: Stream,
    next: u64,
}

impl Crowd<'_> {
    fn pass(&mut self, time: Duration) -> Vec<(Visitor, News)> {
        let mut news = Vec::new();
        self.live.run_until(self.live.now() + time);
        self.live.take_news(&mut news);
        news
    }

    fn open(&mut self, server: NodeId) -> Visitor {
        self.next += 1;
        let visitor = Visitor(self.next);
        self.live.let_in(Inbound::Open { visitor, server });
        visitor
    }

    fn say(&mut self, visitor: Visitor, bytes: impl Into<Bytes>) {
        self.live.let_in(Inbound::Bytes { visitor, bytes: bytes.into() });
    }

    /// Sends `bytes` in pieces, at several moments.
    fn say_in_pieces(&mut self, visitor: Visitor, mut bytes: Vec<u8>) {
        while !bytes.is_empty() {
            let size = (1 + self.stream.below(80) as usize).min(bytes.len());
            let rest = bytes.split_off(size);
            self.say(visitor, bytes);
            bytes = rest;
            self.pass(Duration::from_millis(1));
        }
    }

    fn is_answered(&mut self, visitor: Visitor) -> bool {
        let news = self.pass(Duration::from_millis(400));
        news.iter().any(|(to, news)| *to == visitor && matches!(news, News::Bytes(_)))
    }
}

fn besiege(server: &'static str, attack: fn(&mut Stream) -> Vec<u8>, honest: Bytes, first: Bytes) {
    let plan = run::load(&scenario()).expect("the scenario is right").plan(Seed(1));
    let listeners =
        (1..=3).map(|id| ExternalListener { server: format!("b{id}"), host: "h".into(), port: id });
    let play = move |live: Live<'_, Listeners>| -> (Played<Listeners>, ()) {
        let node = live.roster().find(server).expect("a server of the scenario");
        let stream = Seed(1).stream(&format!("fuzz/{server}"));
        let mut crowd = Crowd { live, stream, next: 0 };
        crowd.live.run_until(Time::from_millis(2_000));
        let client = crowd.open(node);
        crowd.say(client, first);
        assert!(crowd.is_answered(client), "the well-behaved client is answered");
        for case in 0..CASES {
            let bytes = attack(&mut crowd.stream);
            let stranger = crowd.open(node);
            crowd.say_in_pieces(stranger, bytes.clone());
            crowd.pass(Duration::from_millis(20));
            if crowd.stream.below(2) == 0 {
                crowd.live.let_in(Inbound::Close { visitor: stranger });
            }
            if case % 20 == 19 {
                crowd.say(client, honest.clone());
                assert!(
                    crowd.is_answered(client),
                    "case {case}, {bytes:02x?}: no client is answered"
                );
            }
        }
        (crowd.live.finish(), ())
    };
    run::run_live(plan, RunOptions::default(), listeners.collect::<Vec<_>>(), play)
        .expect("no event log");
}

#[test]
fn no_bytes_make_a_broker_fail() {
    let body = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
    let metadata = request(ApiKey::Metadata, 7, 3, &body);
    // Not the broker that the scenario crashes.
    besiege("b3", kafka, metadata.clone(), metadata);
}

#[test]
fn no_bytes_make_a_zookeeper_server_fail() {
    // A ping.
    let ping = framed(&[(-2_i32).to_be_bytes(), 11_i32.to_be_bytes()].concat());
    besiege("z1", zookeeper, ping.into(), handshake());
}
