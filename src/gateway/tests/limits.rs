//! What clients of a served cluster may have, and that no client has more.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiKey, FetchRequest, MetadataRequest, RequestKind, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::served::{Server, frame, play_back_of};
use super::{handshake, request};
use crate::scenario::{self, Plan};
use crate::vocab::Seed;

fn plan(broker: &str) -> Plan {
    let text = format!(
        "kafka = \"2.8\"\nduration = \"20s\"\n[cluster]\nbrokers = 1\nzookeepers = 1\n\
         [zookeeper]\nmaxClientCnxns = 2\n[broker]\n{broker}\n[[topic]]\nname = \"orders\"\n\
         partitions = 1\nreplication-factor = 1\n"
    );
    let parsed = scenario::parse("limits.toml", &text);
    parsed.unwrap_or_else(|wrong| panic!("{wrong}")).plan(Seed(1))
}

fn metadata() -> Bytes {
    let body = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
    request(ApiKey::Metadata, 7, 3, &body)
}

fn is_answered(stream: &mut TcpStream) -> bool {
    stream.write_all(&metadata()).is_ok() && stream.read_exact(&mut [0; 4]).is_ok()
}

/// Whether the server has ended a connection.
fn is_ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(why) if why.kind() == ErrorKind::ConnectionReset => true,
        Err(why) => panic!("it is not ended: {why}"),
    }
}

#[test]
fn an_address_has_as_many_connections_as_settings_allow() {
    let plan = plan("\"max.connections.per.ip\" = 3");
    let server = Server::of(plan.clone(), 1);
    let mut standing: Vec<TcpStream> = (0..3).map(|_| server.connect("b1")).collect();
    assert!(standing.iter_mut().all(is_answered));
    assert!(is_ended(&mut server.connect("b1")), "the fourth");
    drop(standing.pop());
    // Until the cluster knows that it is gone.
    while !is_answered(&mut server.connect("b1")) {}
    let mut sessions: Vec<TcpStream> = (0..2).map(|_| server.connect("z1")).collect();
    for session in &mut sessions {
        session.write_all(&handshake()).expect("it takes the handshake");
        assert_eq!(frame(session).len(), 37);
    }
    assert!(is_ended(&mut server.connect("z1")), "the third");
    let (served, recording) = server.end();
    assert_eq!(play_back_of(plan, recording).fingerprint, served.fingerprint);
}

#[test]
fn with_max_connections_the_next_client_waits_for_its_turn() {
    let server = Server::of(plan("\"max.connections\" = 1"), 1);
    let mut first = server.connect("b1");
    assert!(is_answered(&mut first));
    let mut second = server.connect("b1");
    second.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
    second.write_all(&metadata()).expect("the kernel takes it");
    let waits = second.read_exact(&mut [0; 4]).expect_err("it is not accepted yet");
    assert!(matches!(waits.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{waits}");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    second.read_exact(&mut [0; 4]).expect("it is its turn");
    server.end();
}

#[test]
fn a_connection_without_traffic_is_closed() {
    let plan = plan("\"connections.max.idle.ms\" = 2000");
    let server = Server::of(plan.clone(), 1);
    let (mut silent, mut talking) = (server.connect("b1"), server.connect("b1"));
    for _ in 0..20 {
        talking.write_all(&metadata()).expect("it takes the request");
        frame(&mut talking);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(is_ended(&mut silent));
    let (served, recording) = server.end();
    assert_eq!(play_back_of(plan, recording).fingerprint, served.fingerprint);
}

#[test]
fn a_request_above_the_limit_or_with_a_lie_ends_its_connection() {
    let server = Server::of(plan("\"socket.request.max.bytes\" = 1000"), 1);
    let mut honest = server.connect("b1");
    // Metadata v1 of the client `evil`, with 2^31 − 1 topics.
    let packet = b"\0\0\0\x12\0\x03\0\x01\0\0\0\x01\0\x04evil\x7f\xff\xff\xff";
    for bytes in [&packet[..], &1_001_u32.to_be_bytes()] {
        let mut stream = server.connect("b1");
        stream.write_all(bytes).expect("it takes a few bytes");
        assert!(is_ended(&mut stream), "{bytes:?}");
        assert!(is_answered(&mut honest));
        frame_rest(&mut honest);
    }
    server.end();
}

/// Reads what is left of an answer whose length was read.
fn frame_rest(stream: &mut TcpStream) {
    stream.set_nonblocking(true).expect("a socket");
    let _: std::io::Result<usize> = stream.read(&mut [0; 64 << 10]);
    stream.set_nonblocking(false).expect("a socket");
}

#[test]
fn requests_behind_a_fetch_wait_until_it_is_answered() {
    let plan = plan("");
    let server = Server::of(plan.clone(), 1);
    let mut stream = server.connect("b1");
    let part = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_static_str("orders")))
        .with_partitions(vec![part]);
    let fetch = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(300)
        .with_min_bytes(1)
        .with_topics(vec![topic]);
    let fetch = request(ApiKey::Fetch, 4, 5, &RequestKind::Fetch(fetch));
    stream.write_all(&[&fetch[..], &metadata(), &fetch, &metadata()].concat()).expect("room");
    let answers: Vec<_> = (0..4).map(|_| frame(&mut stream)[3]).collect();
    assert_eq!(answers, [5, 3, 5, 3]);
    let (served, recording) = server.end();
    let pieces = recording.entries.iter().filter_map(|(at, entry)| match entry {
        crate::gateway::recording::Entry::Bytes(_, bytes) => Some((*at, bytes.len())),
        _ => None,
    });
    let pieces: Vec<_> = pieces.collect();
    assert_eq!(pieces.len(), 4, "{pieces:?}");
    assert!(pieces[1].0 >= pieces[0].0 + Duration::from_millis(300), "{pieces:?}");
    assert_eq!(play_back_of(plan, recording).fingerprint, served.fingerprint);
}
