//! Frames of a real 3.8.0 server, and of kazoo and zkCli, come out of decoding and encoding unchanged.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::Deserialize;

use super::*;
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;

#[derive(Deserialize)]
struct Recorded {
    crafted: Vec<Frame>,
    real_clients: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    client: String,
    label: String,
    dir: String,
    hex: String,
}

fn recorded() -> Recorded {
    serde_json::from_str(include_str!("../../tests/conformance/zk-frames.json")).unwrap()
}

fn bytes(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect::<Vec<u8>>().into()
}

fn payload(frame: &Bytes) -> Bytes {
    let mut frames = Frames::new(MAX_FRAME);
    frames.push(frame.clone());
    let payload = frames.pop().unwrap().unwrap();
    assert!(frames.pop().unwrap().is_none());
    payload
}

/// One client's frames in order: what was asked decides how an answer decodes.
#[derive(Default)]
struct Conversation {
    asked: BTreeMap<i32, VecDeque<i32>>,
}

impl Conversation {
    fn again(&mut self, frame: &Frame) -> Bytes {
        let connect = frame.label.to_lowercase().starts_with("connect")
            || frame.label.starts_with("reattach");
        let payload = payload(&bytes(&frame.hex));
        match (frame.dir.as_str(), connect) {
            ("c2s", true) => ConnectRequest::decode(payload).unwrap().encode(),
            ("s2c", true) => ConnectResponse::decode(payload).unwrap().encode(),
            ("c2s", false) => {
                let mut from = Reader::new(payload);
                let header = RequestHeader::decode(&mut from).unwrap();
                let request = Request::decode(header, &mut from).unwrap();
                assert_eq!(from.remaining(), 0, "{}", frame.label);
                assert_eq!(request.op(), header.op);
                self.asked.entry(header.xid).or_default().push_back(header.op);
                request.encode(header.xid)
            }
            _ => {
                let mut from = Reader::new(payload);
                let header = ReplyHeader::decode(&mut from).unwrap();
                if header.xid == xid::EVENT {
                    let event = WatchedEvent::decode(&mut from).unwrap();
                    assert_eq!(event.state, KeeperState::SYNC_CONNECTED);
                    return encode_event(event.kind, &event.path);
                }
                let op = self.asked.get_mut(&header.xid).unwrap().pop_front().unwrap();
                let result = match header.code {
                    Code::OK => Ok(Reply::decode(op, &mut from).unwrap()),
                    code => Err(code),
                };
                assert_eq!(from.remaining(), 0, "{}", frame.label);
                Reply::encode(result.as_ref().map_err(|code| *code), header.xid, header.zxid)
            }
        }
    }
}

#[test]
fn recorded_frames_decode_and_encode_to_the_same_bytes() {
    let recorded = recorded();
    let mut conversations: BTreeMap<String, Conversation> = BTreeMap::new();
    let frames: Vec<Frame> = recorded.crafted.into_iter().chain(recorded.real_clients).collect();
    assert_eq!(frames.len(), 116);
    for frame in &frames {
        let again = conversations.entry(frame.client.clone()).or_default().again(frame);
        assert_eq!(again, bytes(&frame.hex), "{} {}", frame.client, frame.label);
    }
}

#[test]
fn a_frame_cut_short_anywhere_is_an_error_and_no_panic() {
    for frame in recorded().crafted.iter().filter(|frame| frame.dir == "c2s") {
        let payload = payload(&bytes(&frame.hex));
        for len in 0..payload.len() {
            let mut from = Reader::new(payload.slice(..len));
            let Ok(header) = RequestHeader::decode(&mut from) else { continue };
            let decoded = Request::decode(header, &mut from);
            let bodiless =
                matches!(decoded, Ok(Request::Ping | Request::WhoAmI | Request::CloseSession));
            assert!(decoded.is_err() || bodiless, "{} {len}", frame.label);
        }
    }
}

#[test]
fn unknown_operations_are_not_bodies_that_do_not_decode() {
    let decode = |op, body: &'static [u8]| {
        let mut from = Reader::new(Bytes::from_static(body));
        Request::decode(RequestHeader { xid: 1, op }, &mut from)
    };
    assert_eq!(decode(77, b""), Err(RequestError::UnknownOp(77)));
    assert!(matches!(decode(op::GET_DATA, b"\0\0"), Err(RequestError::Body(_))));
    assert!(matches!(decode(op::ADD_WATCH, b"\0\0\0\x01/\0\0\0\x07"), Err(RequestError::Body(_))));
    assert!(matches!(decode(op::EXISTS, b"\xff\xff\xff\xff\0"), Err(RequestError::Body(_))));
}
