//! The recorded conversation of bytes, asked again: everything but times, ids and passwords is the same.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kafka_sim::vocab::ConnId;
use kafka_sim::wire::frames::Frames;
use kafka_sim::wire::jute::Reader;
use kafka_sim::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, MAX_FRAME, MultiResult, Reply, ReplyHeader,
    RequestHeader, Stat, encode_event, xid,
};
use serde_json::Value;

use super::world::World;

fn bytes(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect::<Vec<u8>>().into()
}

/// Both sides of the comparison without what cannot be the same.
struct Masker {
    asked: BTreeMap<i32, VecDeque<i32>>,
}

impl Masker {
    fn reply(&mut self, payload: Bytes) -> Bytes {
        let mut from = Reader::new(payload);
        let header = ReplyHeader::decode(&mut from).expect("a header");
        if header.xid == xid::EVENT {
            let event =
                kafka_sim::wire::zookeeper::WatchedEvent::decode(&mut from).expect("an event");
            assert_eq!(header.zxid.0, -1);
            return encode_event(event.kind, &event.path);
        }
        let op = self.asked.get_mut(&header.xid).and_then(VecDeque::pop_front).expect("a request");
        if header.code != Code::OK {
            return Reply::encode(Err(header.code), header.xid, header.zxid);
        }
        let mut reply = Reply::decode(op, &mut from).expect("a reply");
        assert_eq!(from.remaining(), 0);
        match &mut reply {
            Reply::Created { stat, .. }
            | Reply::Stat(stat)
            | Reply::Data { stat, .. }
            | Reply::Acl { stat, .. }
            | Reply::Children2 { stat, .. } => mask(stat),
            Reply::Multi(results) => results.iter_mut().for_each(|result| match result {
                MultiResult::SetData(stat)
                | MultiResult::Create2 { stat, .. }
                | MultiResult::GetData { stat, .. } => mask(stat),
                _ => {}
            }),
            _ => {}
        }
        Reply::encode(Ok(&reply), header.xid, header.zxid)
    }
}

fn mask(stat: &mut Stat) {
    (stat.ctime, stat.mtime) = (0, i64::from(stat.mtime > stat.ctime));
    stat.ephemeral_owner = stat.ephemeral_owner.signum();
}

struct Conversation {
    world: World,
    /// The two sessions that the recording opens, in order.
    sessions: Vec<(ConnId, ConnectResponse)>,
    masker: Masker,
}

impl Conversation {
    fn take(&mut self, conn: ConnId) -> Vec<Bytes> {
        let mut frames = Frames::new(MAX_FRAME);
        frames.push(self.world.take(conn));
        std::iter::from_fn(|| frames.pop().expect("frames")).collect()
    }

    fn connect(&mut self, request: Bytes, expected: Bytes) {
        let mut request = ConnectRequest::decode(request.slice(4..)).expect("a request");
        let mut expected = ConnectResponse::decode(expected.slice(4..)).expect("a response");
        let new = request.session == 0;
        if !new {
            let second = &self.sessions[1].1;
            request.session = second.session;
            let right = request.password.as_deref() != Some(&[1; 16]);
            if right {
                request.password = second.password.clone();
                (expected.session, expected.password) = (second.session, second.password.clone());
            }
        }
        let conn = self.world.accept();
        self.world.send(conn, request.encode());
        let frames = self.take(conn);
        let response = ConnectResponse::decode(frames[0].clone()).expect("a response");
        assert_eq!(frames.len(), 1);
        if new {
            (expected.session, expected.password) = (response.session, response.password.clone());
            self.sessions.push((conn, response.clone()));
        }
        assert_eq!(response, expected);
        assert_eq!(self.world.is_closed(conn), response.session == 0);
    }
}

#[test]
fn recorded_requests_are_answered_with_the_recorded_bytes() {
    let recorded: Value =
        serde_json::from_str(include_str!("../conformance/zk-frames.json")).expect("JSON");
    let frames = recorded["crafted"].as_array().expect("frames");
    let world = World::new();
    let masker = Masker { asked: BTreeMap::new() };
    let mut talk = Conversation { world, sessions: Vec::new(), masker };
    let mut at = 0;
    while at < frames.len() {
        let label = frames[at]["label"].as_str().expect("a label");
        let request = bytes(frames[at]["hex"].as_str().expect("hex"));
        assert_eq!(frames[at]["dir"], "c2s");
        let end = (at + 1..frames.len())
            .find(|next| frames[*next]["dir"] == "c2s")
            .unwrap_or(frames.len());
        let expected: Vec<Bytes> = frames[at + 1..end]
            .iter()
            .map(|frame| bytes(frame["hex"].as_str().expect("hex")))
            .collect();
        at = end;
        // Between two recorded requests there was time.
        talk.world.pass(1);
        if label.starts_with("connect") || label.starts_with("reattach") {
            talk.connect(request, expected[0].clone());
            continue;
        }
        let conn = talk.sessions[0].0;
        let header = RequestHeader::decode(&mut Reader::new(request.slice(4..))).expect("a header");
        talk.world.send(conn, request);
        let got = talk.take(conn);
        // Once for each side of the comparison.
        talk.masker.asked.entry(header.xid).or_default().extend([header.op; 2]);
        assert_eq!(got.len(), expected.len(), "{label}");
        for (got, expected) in got.into_iter().zip(expected) {
            let expected = talk.masker.reply(expected.slice(4..));
            assert_eq!(talk.masker.reply(got), expected, "{label}");
        }
    }
}
