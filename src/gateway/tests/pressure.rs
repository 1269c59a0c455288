//! A server that does not read for a while: its clients wait, and nothing is lost.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestKind};

use super::request;
use super::served::{Server, frame, play_back_of};
use crate::gateway::recording::Entry;
use crate::scenario;
use crate::vocab::{Seed, Time};

const CLUSTER: &str = r#"
kafka = "2.8"
duration = "60s"
[cluster]
brokers = 1
zookeepers = 1
[broker]
"zookeeper.session.timeout.ms" = 40000
[network]
latency = "1ms..2ms"
[[fault]]
at = "10s"
pause = "b1"
resume-after = "20s"
"#;
/// How much a client tries to send to a paused broker.
const FLOOD: usize = 48 << 20;
/// What the kernel's own buffers of the two sockets may take, at most.
const SOCKETS: usize = 24 << 20;

/// A request that a broker reads and refuses: there is no such topic.
fn large_request() -> Bytes {
    let records = Bytes::from(vec![7; 200_000]);
    let part = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default().with_partition_data(vec![part]);
    let body = ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]);
    request(ApiKey::Produce, 7, 5, &RequestKind::Produce(body))
}

/// Writes whole requests until the stream takes no more; how many, and what is left of the last one.
fn flood(stream: &mut TcpStream, request: &Bytes) -> (usize, Bytes) {
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket");
    let mut requests = 0;
    loop {
        let mut rest = request.clone();
        requests += 1;
        while !rest.is_empty() {
            match stream.write(&rest) {
                Ok(size) => _ = rest.split_to(size),
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return (requests, rest);
                }
                Err(why) => panic!("{why}"),
            }
        }
        assert!(requests * request.len() < FLOOD, "nothing holds the client back");
    }
}

#[test]
fn a_paused_broker_slows_its_clients_and_answers_all_of_them_later() {
    let parsed = scenario::parse("pressure.toml", CLUSTER);
    let plan = parsed.unwrap_or_else(|wrong| panic!("{wrong}")).plan(Seed(1));
    let server = Server::of(plan.clone(), 4);
    let (mut stream, request) = (server.connect("b1"), large_request());
    // Before the pause, each is answered at once.
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
    loop {
        stream.write_all(&request).expect("it takes the request");
        if stream.peek(&mut [0]).is_err() {
            break;
        }
        frame(&mut stream);
    }
    let (requests, rest) = flood(&mut stream, &request);
    assert!(requests * request.len() < SOCKETS, "{requests} requests");
    stream.set_write_timeout(None).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    stream.write_all(&rest).expect("it takes the rest when it goes on");
    // The request at the start of the pause, and the flood.
    for _ in 0..=requests {
        assert_eq!(frame(&mut stream)[..4], 5_i32.to_be_bytes());
    }
    let (served, recording) = server.end();
    let came: usize = recording
        .entries
        .iter()
        .filter(|(at, _)| (Time::from_millis(10_100)..Time::from_millis(30_000)).contains(at))
        .map(|(_, entry)| match entry {
            Entry::Bytes(_, bytes) => bytes.len(),
            _ => 0,
        })
        .sum();
    assert!(came <= 256 * 1_024, "{came} bytes came while it stood still");
    assert_eq!(play_back_of(plan, recording).fingerprint, served.fingerprint);
}
