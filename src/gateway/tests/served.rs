//! A served cluster and clients of plain sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, MetadataRequest, RequestKind, ResponseKind,
};

use super::recordings::{Memory, record_to};
use super::{handshake, request, scenario};
use crate::checkers::RunOutcome;
use crate::gateway::{GatewayError, Recording, ServeOptions, serve, serving, wall};
use crate::run::{self, RunOptions};
use crate::scenario::Plan;
use crate::vocab::Seed;
use crate::wire::kafka::decode_response;

const SEED: Seed = Seed(42);
/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster that is served by a thread of this process.
pub struct Server {
    thread: JoinHandle<Result<RunOutcome, GatewayError>>,
    stop: Arc<AtomicBool>,
    notices: Memory,
    record: Memory,
}

impl Server {
    fn start(speed: u32) -> Self {
        Self::of(plan(), speed)
    }

    pub fn of(plan: Plan, speed: u32) -> Self {
        let (notices, record) = (Memory::default(), Memory::default());
        let stop = Arc::new(AtomicBool::new(false));
        let options = ServeOptions {
            kafka: "127.0.0.1:0".parse().expect("an address"),
            zookeeper: "127.0.0.1:0".parse().expect("an address"),
            advertised_host: None,
            speed,
            keep_running: true,
            record: Some(record_to(&record, 1 << 30)),
            notices: Box::new(notices.clone()),
            stop: stop.clone(),
            run: RunOptions::default(),
        };
        let thread = std::thread::spawn(move || serve(plan, options));
        let server = Self { thread, stop, notices, record };
        server.wait(|notices| notices.ends_with("ready\n"));
        server
    }

    fn wait(&self, until: impl Fn(&str) -> bool) {
        while !until(&self.notices.text()) {
            assert!(!self.thread.is_finished(), "it ended: {}", self.notices.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn address(&self, server: &str) -> SocketAddr {
        let notices = self.notices.text();
        let line = notices.lines().find(|line| line.contains(&format!(" {server} ")));
        let address = line.and_then(|line| line.rsplit(' ').next()).expect("it was announced");
        address.parse().expect("an address")
    }

    pub fn connect(&self, server: &str) -> TcpStream {
        self.try_to_connect(server).expect("somebody listens")
    }

    fn try_to_connect(&self, server: &str) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address(server))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Ends it; also what was recorded.
    pub fn end(self) -> (RunOutcome, Recording) {
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.join().expect("it does not panic").expect("it serves");
        (outcome, Recording::parse(&self.record.bytes()).expect("a whole recording"))
    }
}

fn plan() -> Plan {
    run::load(&scenario()).expect("the scenario is right").plan(SEED)
}

fn play_back(recording: Recording) -> RunOutcome {
    play_back_of(plan(), recording)
}

pub fn play_back_of(plan: Plan, recording: Recording) -> RunOutcome {
    recording.belongs_to(&plan).expect("it was made with this plan");
    let outside = recording.header.outside.clone();
    let play = move |live: crate::cluster::Live<'_, _>| serving::play_back(live, &recording);
    run::run_live(plan, RunOptions::default(), outside, play).expect("no event log").0
}

pub fn frame(stream: &mut TcpStream) -> Bytes {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload).expect("the whole answer");
    payload.into()
}

fn metadata(stream: &mut TcpStream) -> kafka_protocol::messages::MetadataResponse {
    let body = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
    stream.write_all(&request(ApiKey::Metadata, 7, 3, &body)).expect("it takes the request");
    match decode_response(ApiKey::Metadata, 7, frame(stream)) {
        Ok(ResponseKind::Metadata(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// How the server ends a connection: `true` with a reset.
fn ends_with_reset(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => false,
        Err(why) if why.kind() == ErrorKind::ConnectionReset => true,
        Err(why) => panic!("the connection does not end: {why}"),
    }
}

#[test]
fn a_served_session_can_be_had_again() {
    let began = wall::now_ms();
    let server = Server::start(1);
    let mut client = server.connect("b2");
    let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
    client.write_all(&request(ApiKey::ApiVersions, 0, 9, &body)).expect("it takes the request");
    assert_eq!(frame(&mut client)[..4], 9_i32.to_be_bytes());
    let told = metadata(&mut client);
    for broker in &told.brokers {
        let real = server.address(&format!("b{}", broker.node_id.0));
        assert_eq!((&*broker.host, broker.port), ("127.0.0.1", i32::from(real.port())));
    }
    assert_eq!(told.brokers.len(), 3);
    let mut other = server.connect("z1");
    other.write_all(&handshake()).expect("it takes the handshake");
    assert_eq!(frame(&mut other).len(), 37);
    drop(client);
    let (served, recording) = server.end();
    assert!(recording.entries.len() >= 6, "{recording:?}");
    // Its clients live in the present: so do its wall clocks.
    let shown = recording.header.outside.wall_epoch_ms.expect("a time");
    assert!((began..=wall::now_ms()).contains(&shown), "{shown}");
    for _ in 0..2 {
        let again = play_back(recording.clone());
        assert_eq!(again.fingerprint, served.fingerprint);
        assert_eq!((again.events, again.simulated), (served.events, served.simulated));
    }
}

#[test]
fn a_crashed_broker_resets_its_connections_refuses_new_ones_and_takes_them_when_it_is_back() {
    let server = Server::start(4);
    let (mut crashing, mut other) = (server.connect("b1"), server.connect("b2"));
    metadata(&mut crashing);
    metadata(&mut other);
    assert!(ends_with_reset(&mut crashing), "b1 crashes at 8 s");
    assert_eq!(metadata(&mut other).topics.len(), 1, "b2 lives on");
    let mut refused = 0;
    loop {
        let body = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
        let mut stream = match server.try_to_connect("b1") {
            Ok(stream) => stream,
            Err(why) if why.kind() == ErrorKind::ConnectionRefused => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            // The kernel had accepted it when the listener was closed.
            Err(why) if why.kind() == ErrorKind::ConnectionReset => continue,
            Err(why) => panic!("{why}"),
        };
        let asked = stream.write_all(&request(ApiKey::Metadata, 7, 3, &body));
        if asked.is_ok() && stream.read_exact(&mut [0; 4]).is_ok() {
            break;
        }
    }
    assert!(refused > 0, "the port is closed for three seconds");
    let (served, recording) = server.end();
    assert_eq!(play_back(recording).fingerprint, served.fingerprint);
}

#[test]
fn hostile_bytes_end_their_own_connection_and_no_other() {
    let server = Server::start(1);
    let mut honest = server.connect("b3");
    metadata(&mut honest);
    let unknown_api = [0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    let huge = [0x7f, 0xff, 0xff, 0xff];
    for server_name in ["b3", "z1"] {
        for bytes in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &unknown_api, &huge, &[0xff; 64]] {
            let mut stream = server.connect(server_name);
            stream.write_all(bytes).expect("it takes a few bytes");
            let mut rest = Vec::new();
            let ended = stream.read_to_end(&mut rest).map_err(|why| why.kind());
            let is_over = matches!(ended, Ok(_) | Err(ErrorKind::ConnectionReset));
            assert!(is_over, "{server_name}: {bytes:?}: {ended:?}");
        }
    }
    // One byte at a time.
    let mut slow = server.connect("b3");
    let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
    for byte in request(ApiKey::ApiVersions, 0, 9, &body) {
        slow.write_all(&[byte]).expect("it takes a byte");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(frame(&mut slow)[..4], 9_i32.to_be_bytes());
    // A well-behaved one beside many that send nothing.
    let crowd: Vec<TcpStream> = (0..200).map(|_| server.connect("b3")).collect();
    metadata(&mut honest);
    metadata(&mut server.connect("b3"));
    drop(crowd);
    let (served, recording) = server.end();
    assert_eq!(play_back(recording).fingerprint, served.fingerprint);
}

#[test]
fn a_frame_without_an_api_key_was_ignored_before_1_0() {
    // Recorded: `frame.zero-length`, `frame.one-byte` of 0.11.0.3 and 1.1.1.
    let text = std::fs::read_to_string(scenario()).expect("the scenario is there");
    let (head, tail) = text.split_once("kafka = \"").expect("it names a release");
    let (_, tail) = tail.split_once('"').expect("it ends");
    for (kafka, is_ignored) in [("0.11", true), ("1.0", false)] {
        let text = format!("{head}kafka = \"{kafka}\"{tail}");
        let parsed = crate::scenario::parse("cluster.toml", &text);
        let plan = parsed.unwrap_or_else(|wrong| panic!("{wrong}")).plan(SEED);
        let server = Server::of(plan, 1);
        // A megabyte of empty frames once took a stack frame each.
        let many = vec![0; 1 << 20];
        for bytes in [&[0, 0, 0, 0][..], &[0, 0, 0, 1, 7], &many] {
            let mut stream = server.connect("b3");
            // The connection may be closed already, here and below.
            drop(stream.write_all(bytes));
            let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
            drop(stream.write_all(&request(ApiKey::ApiVersions, 0, 9, &body)));
            let answered = stream.read_exact(&mut [0; 4]).is_ok();
            assert_eq!(answered, is_ignored, "{kafka}: {} bytes", bytes.len());
        }
        server.end();
    }
}

#[test]
fn words_of_four_letters_are_answered_also_to_who_only_listens_and_that_is_the_end() {
    let server = Server::start(1);
    let ask = |word: &str, only_listens: bool| {
        let mut stream = server.connect("z1");
        stream.write_all(word.as_bytes()).expect("it takes four letters");
        if only_listens {
            stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an end");
        answer
    };
    for only_listens in [false, true] {
        assert_eq!(ask("ruok", only_listens), "imok");
        assert_eq!(ask("isro", only_listens), "rw");
        for (word, begins, has) in [
            ("srvr", "Zookeeper version: 3.5.9-", "\nMode: standalone\nNode count: "),
            ("stat", "Zookeeper version: 3.5.9-", "\nClients:\n /"),
            ("mntr", "zk_version\t3.5.9-", "\nzk_server_state\tstandalone\n"),
            ("envi", "Environment:\nzookeeper.version=3.5.9-", "\nhost.name=z1\n"),
        ] {
            let answer = ask(word, only_listens);
            assert!(answer.starts_with(begins) && answer.contains(has), "{answer}");
            assert!(answer.ends_with('\n'), "{answer}");
        }
    }
    assert!(ask("stat", true).contains("\n /127.0.0.1:"), "clients are on this machine");
    server.end();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let options = ServeOptions {
        kafka: address,
        zookeeper: "127.0.0.1:0".parse().expect("an address"),
        advertised_host: None,
        speed: 1,
        keep_running: false,
        record: None,
        notices: Box::new(Memory::default()),
        stop: Arc::default(),
        run: RunOptions::default(),
    };
    let error = serve(plan(), options).expect_err("somebody listens there");
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
}
