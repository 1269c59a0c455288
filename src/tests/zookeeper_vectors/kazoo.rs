//! The steps that were recorded through kazoo's client, played through the session that brokers use.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_sim::nodes::session::{Session, SessionConfig, SessionEvent};
use kafka_sim::nodes::zookeeper::Effects;
use kafka_sim::vocab::step::{Closed, Effect};
use kafka_sim::vocab::{ConnId, NodeId, Seed, Time, TimerId};
use kafka_sim::wire::zookeeper::{
    Code, Create, Delete, EventKind, MultiOp, MultiResult, Reply, Request, SetData, VersionCheck,
    create_flags,
};
use serde_json::{Value, json};

use super::world::World;

#[derive(Default)]
pub struct Kazoo {
    client: Option<Client>,
}

/// A session, its connections, and its timer.
struct Client {
    session: Session,
    fx: Effects,
    /// The session's name of a connection, and the server's.
    conns: BTreeMap<ConnId, ConnId>,
    timer: Option<(Time, TimerId)>,
    events: Vec<SessionEvent>,
    next_tag: u64,
}

impl Client {
    fn new(world: &mut World) -> Self {
        let mut client = Self {
            session: Session::new(
                SessionConfig::new(vec![NodeId(0)], 6_000, 1),
                Seed(1).stream("session"),
            ),
            fx: Effects::default(),
            conns: BTreeMap::new(),
            timer: None,
            events: Vec::new(),
            next_tag: 0,
        };
        client.session.start(world.clock(), &mut client.fx);
        client.play(world);
        client
    }

    /// Carries what goes back and forth until nothing does.
    fn play(&mut self, world: &mut World) {
        loop {
            let effects: Vec<_> = self.fx.drain().collect();
            for effect in effects {
                match effect {
                    Effect::Connect { conn, .. } => {
                        self.conns.insert(conn, world.accept());
                        self.session.on_opened(world.clock(), &mut self.fx, conn);
                    }
                    Effect::Send { conn, bytes } => {
                        if let Some(there) = self.conns.get(&conn) {
                            world.send(*there, bytes);
                        }
                    }
                    Effect::Close(conn) => {
                        if let Some(there) = self.conns.remove(&conn) {
                            world.drop_connection(there);
                        }
                    }
                    Effect::SetTimer { id, at, .. } => self.timer = Some((at, id)),
                    Effect::CancelTimer(_) => self.timer = None,
                    // Checkers read it; there are none here.
                    Effect::Observe(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            for (conn, there) in self.conns.clone() {
                let bytes = world.take(there);
                if !bytes.is_empty() {
                    self.session.on_received(world.clock(), &mut self.fx, conn, bytes);
                }
            }
            self.events.extend(std::iter::from_fn(|| self.session.poll()));
            if self.fx.as_slice().is_empty() {
                return;
            }
        }
    }

    fn call(&mut self, world: &mut World, request: Request) -> Result<Reply, Code> {
        self.next_tag += 1;
        self.session.request(world.clock(), &mut self.fx, request, self.next_tag);
        self.play(world);
        let wanted = self.next_tag;
        let ours = |event: &SessionEvent| match event {
            SessionEvent::Reply { tag, .. } => *tag == wanted,
            _ => false,
        };
        let at = self.events.iter().position(ours).expect("an answer");
        match self.events.remove(at) {
            SessionEvent::Reply { result, .. } => result,
            other => panic!("{other:?}"),
        }
    }

    fn create(
        &mut self,
        world: &mut World,
        path: &str,
        data: &str,
        flags: i32,
    ) -> Result<(String, i32), Code> {
        let create = Create::new(path, Some(Bytes::copy_from_slice(data.as_bytes())), flags);
        match self.call(world, Request::Create(create))? {
            Reply::Created { path, stat } => Ok((path.to_string(), stat.version)),
            other => panic!("{other:?}"),
        }
    }

    fn ensure(&mut self, world: &mut World, path: &str) -> Result<(), Code> {
        for (slash, _) in
            path.char_indices().skip(1).filter(|(_, c)| *c == '/').chain([(path.len(), '/')])
        {
            match self.create(world, &path[..slash], "", create_flags::PERSISTENT) {
                Ok(_) | Err(Code::NODE_EXISTS) => {}
                Err(code) => return Err(code),
            }
        }
        Ok(())
    }

    fn get(&mut self, world: &mut World, path: &str, watch: bool) -> Result<Value, Code> {
        match self.call(world, Request::GetData { path: path.into(), watch })? {
            Reply::Data { data, stat } => {
                let data = String::from_utf8(data.unwrap_or_default().to_vec()).expect("text");
                Ok(json!([data, stat.version, stat.num_children]))
            }
            other => panic!("{other:?}"),
        }
    }

    fn set(
        &mut self,
        world: &mut World,
        path: &str,
        value: &str,
        version: i32,
    ) -> Result<i32, Code> {
        let data = Some(Bytes::copy_from_slice(value.as_bytes()));
        match self.call(world, Request::SetData(SetData { path: path.into(), data, version }))? {
            Reply::Stat(stat) => Ok(stat.version),
            other => panic!("{other:?}"),
        }
    }

    fn children(&mut self, world: &mut World, path: &str) -> Result<Vec<String>, Code> {
        match self.call(world, Request::GetChildren { path: path.into(), watch: false })? {
            Reply::Children(children) => {
                let mut children: Vec<_> = children.iter().map(|child| child.to_string()).collect();
                children.sort();
                Ok(children)
            }
            other => panic!("{other:?}"),
        }
    }

    fn delete(&mut self, world: &mut World, path: &str, recursive: bool) -> Result<(), Code> {
        if recursive {
            for child in self.children(world, path)? {
                self.delete(world, &format!("{path}/{child}"), true)?;
            }
        }
        let delete = Delete { path: path.into(), version: -1 };
        self.call(world, Request::Delete(delete)).map(|_| ())
    }

    fn transaction(&mut self, world: &mut World, ops: &Value) -> Result<Value, Code> {
        let op = |op: &Value| {
            let path = op[1].as_str().expect("a path").into();
            let data = || Some(Bytes::copy_from_slice(op[2].as_str().expect("data").as_bytes()));
            match op[0].as_str().expect("an operation") {
                "create" => {
                    let create = Create::persistent(path, data());
                    MultiOp::Create(Create { op: kafka_sim::wire::zookeeper::op::CREATE, ..create })
                }
                "check" => MultiOp::Check(VersionCheck {
                    path,
                    version: op[2].as_i64().expect("a version") as i32,
                }),
                "set_data" => MultiOp::SetData(SetData { path, data: data(), version: -1 }),
                "delete" => MultiOp::Delete(Delete { path, version: -1 }),
                other => panic!("no operation {other}"),
            }
        };
        let ops = ops.as_array().expect("ops").iter().map(op).collect();
        let Reply::Multi(results) = self.call(world, Request::Multi(ops))? else {
            panic!("no multi")
        };
        let present = |result: &MultiResult| match result {
            MultiResult::Create { path } => json!(&**path),
            MultiResult::Check | MultiResult::Delete => json!(true),
            MultiResult::SetData(_) => json!("ZnodeStat"),
            MultiResult::Error(Code::OK) => json!("RolledBackError"),
            MultiResult::Error(Code::RUNTIME_INCONSISTENCY) => json!("RuntimeInconsistency"),
            MultiResult::Error(code) => json!(format!("{}Error", code.name())),
            other => panic!("{other:?}"),
        };
        Ok(results.iter().map(present).collect())
    }

    fn watch(&mut self, world: &mut World, path: &str, value: &str) -> Result<Value, Code> {
        self.get(world, path, true)?;
        self.events.clear();
        self.set(world, path, value, -1)?;
        let [SessionEvent::Watch(event)] = &self.events[..] else { panic!("{:?}", self.events) };
        assert_eq!(event.kind, EventKind::DataChanged);
        Ok(json!(["CHANGED", &*event.path]))
    }

    /// kazoo's lock: a sequential znode below the path; the first one holds it.
    fn lock(&mut self, world: &mut World, path: &str) -> Result<Value, Code> {
        self.ensure(world, path)?;
        let (mine, _) = self.create(
            world,
            &format!("{path}/x__lock__"),
            "me",
            create_flags::EPHEMERAL_SEQUENTIAL,
        )?;
        let children = self.children(world, path)?;
        let got = format!("{path}/{}", children[0]) == mine;
        let mut contenders = Vec::new();
        for child in &children {
            contenders.push(self.get(world, &format!("{path}/{child}"), false)?[0].clone());
        }
        self.delete(world, &mine, false)?;
        Ok(json!([got, contenders]))
    }

    fn reconnect(&mut self, world: &mut World, path: &str) -> Result<Value, Code> {
        let before = self.session.id();
        let conn = *self.conns.keys().next().expect("a connection");
        let there = self.conns.remove(&conn).expect("a connection");
        world.drop_connection(there);
        self.session.on_closed(world.clock(), &mut self.fx, conn, Closed::Reset);
        self.play(world);
        while !self.session.is_connected() {
            let (at, id) = self.timer.take().expect("it tries again");
            let wait = at.since(world.now()).max(Duration::from_millis(1));
            world.pass(wait.as_millis() as u64);
            self.session.on_timer(world.clock(), &mut self.fx, id);
            self.play(world);
        }
        self.get(world, path, false)?;
        Ok(json!(self.session.id() == before))
    }
}

impl Kazoo {
    pub fn run(&mut self, world: &mut World, what: &str, args: &Value) -> Value {
        let client = self.client.get_or_insert_with(|| Client::new(world));
        let text = |field: &str| args[field].as_str().unwrap_or_default().to_owned();
        let path = text("path");
        let result = match what {
            "ensure" => client.ensure(world, &path).map(|()| json!(true)),
            "create" => {
                let flags =
                    i32::from(args["ephemeral"] == true) + 2 * i32::from(args["sequence"] == true);
                if args["makepath"] == true {
                    let above = &path[..path.rfind('/').expect("a slash")];
                    client.ensure(world, above).expect("the parents");
                }
                client.create(world, &path, &text("value"), flags).map(|(path, version)| {
                    if args["include_data"] == true { json!([path, version]) } else { json!(path) }
                })
            }
            "get" => client.get(world, &path, false),
            "set" => {
                let version = args["version"].as_i64().unwrap_or(-1) as i32;
                client.set(world, &path, &text("value"), version).map(|version| json!(version))
            }
            "exists" => match client
                .call(world, Request::Exists { path: path.as_str().into(), watch: false })
            {
                Ok(Reply::Stat(stat)) => Ok(json!(stat.version)),
                Err(Code::NO_NODE) => Ok(Value::Null),
                other => panic!("{other:?}"),
            },
            "children" => client.children(world, &path).map(|children| json!(children)),
            "delete" => {
                client.delete(world, &path, args["recursive"] == true).map(|()| Value::Null)
            }
            "txn" => client.transaction(world, &args["ops"]),
            "watch" => client.watch(world, &path, &text("value")),
            "lock" => client.lock(world, &path),
            "reconnect" => client.reconnect(world, &path),
            "stop" => {
                client.session.close(world.clock(), &mut client.fx);
                client.play(world);
                assert_eq!(client.events.pop(), Some(SessionEvent::Closed));
                Ok(Value::Null)
            }
            other => panic!("no step {other}"),
        };
        match result {
            Ok(value) => json!({"ok": value}),
            Err(code) => json!({"err": code.name()}),
        }
    }
}
