//! Plays the recorded steps, as `zk_vectors.py` does.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_sim::vocab::ConnId;
use kafka_sim::wire::frames::Frames;
use kafka_sim::wire::jute::{Reader, Writer};
use kafka_sim::wire::zookeeper::{
    Code, ConnectResponse, MAX_FRAME, MultiResult, Reply, ReplyHeader, Stat, WatchedEvent, op, xid,
};
use serde_json::{Value, json};

use super::kazoo::Kazoo;
use super::requests::{encode, number, string, text};
use super::world::World;

/// The connection was closed instead of an answer.
pub struct Gone;

/// One raw connection.
#[derive(Clone)]
struct Peer {
    conn: ConnId,
    session: i64,
    password: Bytes,
    xid: i32,
    last_zxid: i64,
    events: Vec<(i32, i32, String)>,
}

struct Answer {
    xid: i32,
    zxid: i64,
    code: Code,
    body: Bytes,
    /// Events that came before it.
    events_before: usize,
}

pub struct Raw {
    pub world: World,
    peers: BTreeMap<String, Peer>,
    kazoo: Kazoo,
    mark: i64,
}

fn stat(stat: &Stat, session: i64) -> Value {
    let mut ranks = [stat.czxid, stat.mzxid, stat.pzxid].to_vec();
    ranks.sort();
    ranks.dedup();
    let rank = |zxid| ranks.iter().position(|ranked| *ranked == zxid);
    let owner = match stat.ephemeral_owner {
        0 => json!(0),
        owner if owner == session => json!("self"),
        _ => json!("other"),
    };
    let times = match stat.mtime.cmp(&stat.ctime) {
        std::cmp::Ordering::Less => "lt",
        std::cmp::Ordering::Equal => "eq",
        std::cmp::Ordering::Greater => "ge",
    };
    json!({
        "version": stat.version, "cversion": stat.cversion, "aversion": stat.aversion,
        "dataLength": stat.data_length, "numChildren": stat.num_children, "owner": owner,
        "zx": [rank(stat.czxid), rank(stat.mzxid), rank(stat.pzxid)], "t": times,
    })
}

fn latin1(data: &Option<Bytes>) -> Value {
    data.as_ref().map_or(Value::Null, |data| {
        data.iter().map(|byte| char::from(*byte)).collect::<String>().into()
    })
}

fn sorted(children: Vec<std::sync::Arc<str>>) -> Value {
    let mut children: Vec<String> = children.iter().map(|child| child.to_string()).collect();
    children.sort();
    json!(children)
}

fn error(code: Code) -> Value {
    json!({"err": code.name()})
}

impl Raw {
    pub fn new(world: World) -> Self {
        Self { world, peers: BTreeMap::new(), kazoo: Kazoo::default(), mark: 0 }
    }

    /// Plays one step and says what came of it, in the recording's form.
    pub fn run(&mut self, step: &Value) -> Value {
        // Real requests take time; mtimes are compared with ctimes.
        self.world.pass(1);
        let (name, what, args) = (text(&step["s"]), text(&step["op"]), &step["args"]);
        if let Some(kazoo) = what.strip_prefix("k_") {
            return self.kazoo.run(&mut self.world, kazoo, args);
        }
        let result = match what {
            "connect" => self.connect(name, args),
            "reattach" => self.reattach(name, args),
            "future_zxid" => self.future_zxid(),
            _ => self.of_peer(name, what, args),
        };
        result.unwrap_or_else(|Gone| json!({"err": "CONNECTION_CLOSED"}))
    }

    fn of_peer(&mut self, name: &str, what: &str, args: &Value) -> Result<Value, Gone> {
        match what {
            "drop" => {
                self.world.drop_connection(self.peers[name].conn);
                Ok(json!({"ok": null}))
            }
            "sleep" => {
                self.world.pass(args["ms"].as_u64().expect("ms"));
                Ok(json!({"ok": null}))
            }
            "mark" => {
                self.mark = self.peers[name].last_zxid;
                Ok(json!({"ok": null}))
            }
            "events" => {
                self.receive(name);
                let mut events = std::mem::take(&mut self.peer(name).events);
                if args["sort"] == true {
                    events.sort();
                }
                Ok(json!({"ok": events}))
            }
            "zxid_delta" => self.zxid_delta(name, args),
            "pipeline" => self.pipeline(name, args),
            "watch_before_reply" => self.watch_before_reply(name, args),
            _ => self.request(name, what, args),
        }
    }

    fn peer(&mut self, name: &str) -> &mut Peer {
        self.peers.get_mut(name).expect("a session of that name")
    }

    fn greet(
        &mut self,
        last: i64,
        args: &Value,
        session: i64,
        password: &[u8],
    ) -> Result<(ConnId, ConnectResponse), Gone> {
        let conn = self.world.accept();
        let mut to = Writer::framed();
        to.int(0);
        to.long(last);
        to.int(number(&args["timeout"], 6_000) as i32);
        to.long(session);
        to.buffer(Some(password));
        match args["tail"].as_str().unwrap_or("00") {
            "" => {}
            tail => to.bool(tail == "01"),
        }
        self.world.send(conn, to.frame());
        let mut frames = Frames::new(MAX_FRAME);
        frames.push(self.world.take(conn));
        let payload = frames.pop().expect("frames").ok_or(Gone)?;
        Ok((conn, ConnectResponse::decode(payload).expect("a response")))
    }

    fn keep(&mut self, name: &str, conn: ConnId, response: &ConnectResponse) {
        let peer = Peer {
            conn,
            session: response.session,
            password: response.password.clone().expect("a password"),
            xid: 0,
            last_zxid: 0,
            events: Vec::new(),
        };
        self.peers.insert(name.to_owned(), peer);
    }

    fn connect(&mut self, name: &str, args: &Value) -> Result<Value, Gone> {
        let (conn, response) = self.greet(0, args, 0, &[0; 16])?;
        self.keep(name, conn, &response);
        let tail = response.read_only.map_or("", |read_only| if read_only { "01" } else { "00" });
        Ok(json!({"ok": {
            "proto": response.protocol_version, "timeout": response.timeout_ms,
            "pwlen": response.password.map_or(0, |password| password.len()),
            "sid_nonzero": response.session != 0, "tail": tail,
        }}))
    }

    fn reattach(&mut self, name: &str, args: &Value) -> Result<Value, Gone> {
        let from = self.peers[text(&args["frm"])].clone();
        let password =
            if args["pw"] == "bad" { Bytes::from(vec![1; 16]) } else { from.password.clone() };
        let (conn, response) = self.greet(0, args, from.session, &password)?;
        let same = response.session == from.session;
        if same && response.timeout_ms > 0 {
            self.keep(name, conn, &response);
        } else {
            assert!(self.world.is_closed(conn), "a refused connection is closed");
        }
        let answered = response.password.expect("a password");
        Ok(json!({"ok": {
            "same_sid": same, "timeout": response.timeout_ms, "pw_same": answered == from.password,
            "zero_pw": answered[..] == [0; 16],
        }}))
    }

    fn future_zxid(&mut self) -> Result<Value, Gone> {
        self.greet(0x7fff_ffff_ffff, &json!({}), 0, &[0; 16])?;
        Ok(json!({"ok": "accepted"}))
    }

    fn post(&mut self, name: &str, op: i32, number: Option<i32>, body: &[u8]) -> Result<i32, Gone> {
        let peer = self.peer(name);
        let number = number.unwrap_or_else(|| {
            peer.xid += 1;
            peer.xid
        });
        let conn = peer.conn;
        if self.world.is_closed(conn) {
            return Err(Gone);
        }
        let mut to = Writer::framed();
        to.int(number);
        to.int(op);
        to.raw(body);
        self.world.send(conn, to.frame());
        Ok(number)
    }

    /// Takes what arrived: events are kept, answers come back.
    fn receive(&mut self, name: &str) -> Vec<Answer> {
        let bytes = self.world.take(self.peers[name].conn);
        let mut frames = Frames::new(MAX_FRAME);
        frames.push(bytes);
        let peer = self.peer(name);
        let (mut answers, mut events_before) = (Vec::new(), 0);
        while let Some(payload) = frames.pop().expect("frames") {
            let mut from = Reader::new(payload);
            let header = ReplyHeader::decode(&mut from).expect("a header");
            if header.xid == xid::EVENT {
                assert_eq!(header.zxid.0, -1, "3.8 sends no zxid with an event");
                let event = WatchedEvent::decode(&mut from).expect("an event");
                peer.events.push((event.kind as i32, event.state.0, event.path.to_string()));
                events_before += 1;
                continue;
            }
            if header.zxid.0 > 0 {
                peer.last_zxid = header.zxid.0;
            }
            let body = from.raw(from.remaining()).expect("the rest");
            let (xid, zxid, code) = (header.xid, header.zxid.0, header.code);
            answers.push(Answer { xid, zxid, code, body, events_before });
        }
        answers
    }

    fn call(
        &mut self,
        name: &str,
        op: i32,
        number: Option<i32>,
        body: Writer,
    ) -> Result<Answer, Gone> {
        let number = self.post(name, op, number, &body.finish())?;
        let answer = self.receive(name).pop().ok_or(Gone)?;
        assert_eq!(answer.xid, number);
        Ok(answer)
    }

    fn zxid_delta(&mut self, name: &str, args: &Value) -> Result<Value, Gone> {
        self.request(name, "exists", &json!({"path": "/zkv"}))?;
        let mut last = self.peers[name].last_zxid;
        let mut steps = Vec::new();
        for op in args["ops"].as_array().expect("ops") {
            self.request(name, text(&op[0]), &op[1])?;
            let now = self.peers[name].last_zxid;
            steps.push(now - last);
            last = now;
        }
        Ok(json!({"ok": steps}))
    }

    fn pipeline(&mut self, name: &str, args: &Value) -> Result<Value, Gone> {
        let count = args["n"].as_i64().expect("n");
        let mut posted = Vec::new();
        for n in 0..count {
            let mut body = Writer::new();
            string(&mut body, text(&args["path"]));
            body.string(&n.to_string());
            body.int(-1);
            posted.push(self.post(name, op::SET_DATA, None, &body.finish())?);
        }
        let answers = self.receive(name);
        assert_eq!(answers.iter().map(|answer| answer.xid).collect::<Vec<_>>(), posted);
        let version = |answer: &Answer| match decode(op::SET_DATA, answer) {
            Reply::Stat(stat) => stat.version,
            other => panic!("{other:?}"),
        };
        let mut steps: Vec<i32> =
            answers.windows(2).map(|two| version(&two[1]) - version(&two[0])).collect();
        steps.sort();
        steps.dedup();
        let monotone = answers.windows(2).all(|two| two[1].zxid > two[0].zxid);
        Ok(json!({"ok": {"in_order": true, "version_step": steps, "zxid_monotone": monotone}}))
    }

    fn watch_before_reply(&mut self, name: &str, args: &Value) -> Result<Value, Gone> {
        self.request(name, "get", &json!({"path": args["path"], "watch": true}))?;
        let mut body = Writer::new();
        string(&mut body, text(&args["path"]));
        body.string("w");
        body.int(-1);
        let answer = self.call(name, op::SET_DATA, None, body)?;
        self.peer(name).events.pop();
        let order = if answer.events_before == 1 { ["event", "reply"] } else { ["reply", "event"] };
        Ok(json!({"ok": {"order": order, "event_zxid": -1}}))
    }

    fn request(&mut self, name: &str, what: &str, args: &Value) -> Result<Value, Gone> {
        let (op, number, body) = encode(what, args, self.mark);
        let answer = self.call(name, op, number, body)?;
        if what == "close" {
            assert!(self.world.is_closed(self.peers[name].conn), "the server closes behind it");
        }
        if answer.code != Code::OK {
            assert!(answer.body.is_empty(), "an error has no body");
            return Ok(error(answer.code));
        }
        let session = self.peers[name].session;
        Ok(json!({"ok": present(what, args, op, &answer, session)}))
    }
}

fn decode(op: i32, answer: &Answer) -> Reply {
    let mut from = Reader::new(answer.body.clone());
    let reply = Reply::decode(op, &mut from).expect("a reply");
    assert_eq!(from.remaining(), 0);
    reply
}

/// What a successful answer says, in the recording's form.
fn present(what: &str, args: &Value, op: i32, answer: &Answer, session: i64) -> Value {
    if what == "addwatch" {
        return json!(answer.body.len());
    }
    match decode(op, answer) {
        Reply::Empty => json!(answer.body.len()),
        Reply::Path(path) => json!(&*path),
        Reply::Created { path, stat: of } => json!({"path": &*path, "stat": stat(&of, session)}),
        // The root's counters depend on the server's history.
        Reply::Stat(of) if what == "set" && args["path"] == "/" => {
            json!({"dataLength": of.data_length})
        }
        Reply::Stat(of) => stat(&of, session),
        Reply::Data { data, stat: of } => {
            json!({"data": latin1(&data), "stat": stat(&of, session)})
        }
        Reply::Acl { acl, stat: of } => {
            let list: Vec<_> =
                acl.iter().map(|acl| json!([acl.perms, &*acl.scheme, &*acl.id])).collect();
            json!({"acl": list, "stat": stat(&of, session)})
        }
        Reply::Children(children) => sorted(children),
        Reply::Children2 { children, stat: of } => {
            json!({"children": sorted(children), "stat": stat(&of, session)})
        }
        Reply::Count(count) => json!(count),
        Reply::Token(token) => latin1(&token),
        Reply::WatchAdded(code) => json!(code.0),
        Reply::Identities(identities) => {
            let mut all: Vec<_> =
                identities.iter().map(|id| (id.scheme.to_string(), id.user.to_string())).collect();
            all.sort();
            json!(all)
        }
        Reply::Multi(results) if what == "multiread" => results.iter().map(present_read).collect(),
        Reply::Multi(results) => {
            let results: Vec<_> =
                results.iter().map(|result| present_item(result, session)).collect();
            json!({"header_err": answer.code.0, "results": results})
        }
    }
}

fn present_read(result: &MultiResult) -> Value {
    match result {
        MultiResult::GetData { data, .. } => json!({"data": latin1(data)}),
        MultiResult::GetChildren(children) => json!({"children": sorted(children.clone())}),
        MultiResult::Error(code) => error(*code),
        other => panic!("{other:?}"),
    }
}

fn present_item(result: &MultiResult, session: i64) -> Value {
    match result {
        MultiResult::Error(code) => json!({"err": code.name(), "hdr_err": code.0}),
        MultiResult::Create { path } => json!({"create": &**path}),
        MultiResult::Create2 { path, stat: of } => {
            json!({"type": 15, "path": &**path, "stat": stat(of, session)})
        }
        MultiResult::SetData(of) => json!({"set": stat(of, session)}),
        MultiResult::Delete => json!({"type": 2}),
        MultiResult::Check => json!({"type": 13}),
        other => panic!("{other:?}"),
    }
}
