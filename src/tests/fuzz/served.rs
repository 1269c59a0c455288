//! A small cluster that clients from outside talk to, in virtual time.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{
    ApiKey, FindCoordinatorRequest, FindCoordinatorResponse, GroupId, JoinGroupRequest,
    JoinGroupResponse, MetadataRequest, RequestKind, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use kafka_sim::checkers::RunOutcome;
use kafka_sim::cluster::{ExternalListener, Inbound, Live, News, Visitor};
use kafka_sim::run::{self, Listeners, RunOptions};
use kafka_sim::scenario;
use kafka_sim::vocab::{NodeId, Seed, Time};
use kafka_sim::wire::kafka::encode_request;

/// How long clients may take: a case that goes on is over.
const LONGEST: Duration = Duration::from_secs(1_200);

fn text(release: &str, brokers: u8) -> String {
    // A request with thousands of names would make thousands of topics, which is another matter.
    let creates = brokers > 1;
    format!(
        r#"
kafka = "{release}"
duration = "1200s"
[cluster]
brokers = {brokers}
zookeepers = 1
[broker]
"auto.create.topics.enable" = {creates}
"offsets.topic.num.partitions" = 2
"offsets.topic.replication.factor" = 1
[[topic]]
name = "orders"
partitions = 3
replication-factor = {brokers}
[[topic]]
name = "spare"
partitions = 1
replication-factor = 1
[[producer]]
name = "p"
topic = "orders"
rate = "2/s"
acks = "all"
stop = "10s"
[expect]
acknowledged-loss = "permitted"
"#
    )
}

/// Whom a client connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// A broker, 1 or 2.
    Broker(u8),
    /// ZooKeeper.
    ZooKeeper,
}

/// A cluster, a client that behaves well, and others.
pub struct Served<'p> {
    live: Live<'p, Listeners>,
    brokers: u8,
    next: u64,
    honest: Visitor,
    /// What came for each visitor, and whether it was closed.
    news: BTreeMap<Visitor, (Vec<u8>, bool)>,
}

/// Runs a cluster of this release; `clients` do what they do once it is ready.
pub fn play(
    release: &str,
    brokers: u8,
    clients: impl FnOnce(&mut Served<'_>) + Send + 'static,
) -> RunOutcome {
    let text = text(release, brokers);
    let plan = match scenario::parse("served.toml", &text) {
        Ok(scenario) => scenario.plan(Seed(1)),
        Err(wrong) => panic!("{wrong}"),
    };
    let listener =
        |server: &str, port| ExternalListener { server: server.into(), host: "h".into(), port };
    let names = (1..=brokers).map(|id| format!("b{id}")).chain(["z1".to_owned()]);
    let listeners: Vec<_> = names.zip(1..).map(|(name, port)| listener(&name, port)).collect();
    let (tell, told) = mpsc::channel();
    let play = move |live: Live<'_, Listeners>| {
        let mut served =
            Served { live, brokers, next: 0, honest: Visitor(0), news: BTreeMap::new() };
        while !served.live.is_ready() {
            served.pass(Duration::from_millis(100));
        }
        served.honest = served.open(Server::Broker(1));
        assert!(served.answers(), "the client that behaves well is answered");
        clients(&mut served);
        _ = tell.send(());
        (served.live.finish(), ())
    };
    let ran = run::run_live(plan, RunOptions::default(), listeners, play);
    let (outcome, ()) = ran.expect("nothing is written, and time passes");
    told.recv().expect("the clients are done");
    outcome
}

impl Served<'_> {
    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.live.now() + time;
        assert!(end < Time::ZERO + LONGEST, "a case is over in twenty minutes");
        self.live.run_until(end);
        let mut news = Vec::new();
        self.live.take_news(&mut news);
        for (visitor, what) in news {
            let (bytes, is_closed) = self.news.entry(visitor).or_default();
            match what {
                News::Bytes(more) => bytes.extend_from_slice(&more),
                News::Closed(_) => *is_closed = true,
            }
        }
    }

    fn node(&self, server: Server) -> NodeId {
        let name = match server {
            Server::Broker(id) => format!("b{id}"),
            Server::ZooKeeper => "z1".to_owned(),
        };
        self.live.roster().find(&name).expect("a server of the scenario")
    }

    /// A new connection.
    pub fn open(&mut self, server: Server) -> Visitor {
        self.next += 1;
        let visitor = Visitor(self.next);
        let server = self.node(server);
        self.live.let_in(Inbound::Open { visitor, server });
        visitor
    }

    /// Sends bytes.
    pub fn say(&mut self, visitor: Visitor, bytes: impl Into<Bytes>) {
        self.live.let_in(Inbound::Bytes { visitor, bytes: bytes.into() });
    }

    /// Ends a connection.
    pub fn close(&mut self, visitor: Visitor) {
        self.live.let_in(Inbound::Close { visitor });
        self.news.remove(&visitor);
    }

    /// Waits, for thirty seconds at most, until all that `visitor` sent is answered, or its connection is closed.
    pub fn wait(&mut self, visitor: Visitor) -> bool {
        for _ in 0..300 {
            self.pass(Duration::from_millis(100));
            let is_closed = self.news.get(&visitor).is_some_and(|news| news.1);
            if is_closed || self.live.is_answered(visitor) {
                return true;
            }
        }
        false
    }

    /// What came for `visitor` so far.
    pub fn taken(&mut self, visitor: Visitor) -> Bytes {
        let news = self.news.entry(visitor).or_default();
        std::mem::take(&mut news.0).into()
    }

    /// Whether the client that behaves well is answered soon.
    pub fn answers(&mut self) -> bool {
        let honest = self.honest;
        let body = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
        self.taken(honest);
        self.say(honest, request(ApiKey::Metadata, 1, &body));
        self.wait(honest) && !self.taken(honest).is_empty()
    }

    /// A member of the group `g`: its id.
    pub fn join_group(&mut self) -> String {
        let group = StrBytes::from_static_str("g");
        let find = FindCoordinatorRequest::default().with_key(group.clone());
        let find = RequestKind::FindCoordinator(find);
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str("range"))
            .with_metadata(Bytes::from_static(b"metadata"));
        let body = JoinGroupRequest::default()
            .with_group_id(GroupId(group))
            .with_session_timeout_ms(30_000)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol]);
        let join = RequestKind::JoinGroup(body);
        let members: Vec<_> = (1..=self.brokers).map(|id| self.open(Server::Broker(id))).collect();
        // Finding a coordinator creates the topic; one of the brokers is it, as soon as it has loaded that.
        for _ in 0..20 {
            for &member in &members {
                self.asked::<FindCoordinatorResponse>(member, ApiKey::FindCoordinator, &find);
                let joined = self.asked::<JoinGroupResponse>(member, ApiKey::JoinGroup, &join);
                if joined.error_code == 0 {
                    return joined.member_id.to_string();
                }
            }
        }
        panic!("a group has a coordinator within some seconds");
    }

    /// What a request of version 0 is answered.
    fn asked<R: Decodable>(&mut self, visitor: Visitor, api: ApiKey, body: &RequestKind) -> R {
        self.taken(visitor);
        self.say(visitor, request(api, 0, body));
        assert!(self.wait(visitor), "{api:?} is answered");
        let mut answer = self.taken(visitor);
        answer.advance(4);
        ResponseHeader::decode(&mut answer, 0).expect("a header");
        R::decode(&mut answer, 0).expect("an answer")
    }
}

/// A request's bytes.
pub fn request(api: ApiKey, version: i16, body: &RequestKind) -> Bytes {
    encode_request(api, version, 7, &StrBytes::from_static_str("fuzz"), body)
}
