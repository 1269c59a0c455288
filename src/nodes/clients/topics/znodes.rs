//! `kafka-topics --zookeeper`: reads the znodes, and asks no broker.
//!
//! `/brokers/ids` and `/brokers/topics` first; then of each topic `/brokers/topics/T`, `/config/topics/T` and
//! `/admin/delete_topics/T`; then each partition's `state`. After a broken connection everything is read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::config::{Progress, TopicsConfig};
use super::description::{ClusterDescription, TopicDescription, TopicPartitionInfo};
use super::{java, print};
use crate::nodes::Effects;
use crate::nodes::clients::wake::Wake;
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::step::Input;
use crate::vocab::{Clock, Stream, Time, TopicsAction};
use crate::wire::zookeeper::{Code, Reply, Request};

/// Token of the session's timers; the command's own has another.
const SESSION_TOKEN: u64 = 1;
/// The session timeout, and how long the tool waits for its first connection (`TopicCommand`).
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a request reads: topics by their place in the description, partitions by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Children of `/brokers/ids`.
    Live,
    /// Children of `/brokers/topics`.
    Names,
    /// `/brokers/topics/T`
    Assignment(usize),
    /// `/admin/delete_topics/T`
    Deletion(usize),
    /// `/config/topics/T`
    Configs(usize),
    /// `/brokers/topics/T/partitions/P/state`
    State(usize, i32),
}

/// What is read of ZooKeeper.
#[derive(Debug)]
pub struct Znodes {
    config: TopicsConfig,
    session: Session,
    description: ClusterDescription,
    pending: BTreeMap<u64, Read>,
    next_tag: u64,
    deadline: Option<Time>,
    is_printed: bool,
    wake: Wake,
}

impl Znodes {
    /// A session that is not started yet; `stream` draws its pauses.
    pub fn new(config: TopicsConfig, stream: Stream) -> Self {
        let timeout_ms = i32::try_from(TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        let servers = SessionConfig::new(config.servers.clone(), timeout_ms, SESSION_TOKEN);
        Self {
            config,
            session: Session::new(servers, stream),
            description: ClusterDescription::default(),
            pending: BTreeMap::new(),
            next_tag: 0,
            deadline: None,
            is_printed: false,
            wake: Wake::default(),
        }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) -> Progress {
        let session = &mut self.session;
        match input {
            Input::Start(_) => {
                session.start(clock, effects);
                self.deadline = Some(clock.now + TIMEOUT);
                self.wake.arm(effects, self.deadline);
                self.begin(clock, effects);
            }
            Input::Timer { id, token: SESSION_TOKEN } => session.on_timer(clock, effects, id),
            Input::Timer { id, .. } => {
                if self.wake.fired(id) && !self.is_printed && self.deadline.is_some() {
                    return Progress::Printed(vec![unreachable_zookeeper(&self.config)]);
                }
            }
            Input::Opened(conn) => session.on_opened(clock, effects, conn),
            Input::Received { conn, bytes } => session.on_received(clock, effects, conn, bytes),
            Input::Closed { conn, why } => session.on_closed(clock, effects, conn, why),
            Input::Accepted { .. } | Input::DiskDone(_) | Input::Shutdown => {}
        }
        self.digest(clock, effects)
    }

    /// Closes the session; says whether it is closed already.
    pub fn close(&mut self, clock: Clock, effects: &mut Effects) -> bool {
        self.is_printed = true;
        self.session.close(clock, effects);
        self.digest(clock, effects) == Progress::Ends
    }

    fn digest(&mut self, clock: Clock, effects: &mut Effects) -> Progress {
        while let Some(event) = self.session.poll() {
            match event {
                SessionEvent::Closed => return Progress::Ends,
                // Everything is printed; the session expires later.
                SessionEvent::Disconnected | SessionEvent::Expired if self.is_printed => {
                    return Progress::Ends;
                }
                // The timeout is for the first connection only; the tool waits for the next one without a limit.
                SessionEvent::Connected => self.deadline = None,
                SessionEvent::Expired => {
                    self.session.renew(clock, effects);
                    self.begin(clock, effects);
                }
                SessionEvent::Reply { tag, result, .. } => {
                    // An answer from before the tool started to read from the beginning again.
                    let Some(read) = self.pending.remove(&tag) else { continue };
                    self.read(clock, read, result, effects);
                    if self.pending.is_empty() {
                        return Progress::Printed(self.print());
                    }
                }
                SessionEvent::Watch(_) | SessionEvent::Disconnected => {}
            }
        }
        Progress::Waits
    }

    /// Reads everything, from the beginning.
    fn begin(&mut self, clock: Clock, effects: &mut Effects) {
        self.pending.clear();
        self.description = ClusterDescription::default();
        self.ask(clock, Read::Live, effects);
        self.ask(clock, Read::Names, effects);
    }

    fn ask(&mut self, clock: Clock, read: Read, effects: &mut Effects) {
        let name = |topic: usize| &self.description.topics[topic].name;
        let children = |path: &str| Request::GetChildren { path: path.into(), watch: false };
        let data = |path: String| Request::GetData { path: path.into(), watch: false };
        let request = match read {
            Read::Live => children("/brokers/ids"),
            Read::Names => children("/brokers/topics"),
            Read::Assignment(topic) => data(format!("/brokers/topics/{}", name(topic))),
            Read::Configs(topic) => data(format!("/config/topics/{}", name(topic))),
            Read::Deletion(topic) => {
                let path = format!("/admin/delete_topics/{}", name(topic)).into();
                Request::Exists { path, watch: false }
            }
            Read::State(topic, partition) => {
                let topic = name(topic);
                data(format!("/brokers/topics/{topic}/partitions/{partition}/state"))
            }
        };
        self.pending.insert(self.next_tag, read);
        self.session.request(clock, effects, request, self.next_tag);
        self.next_tag += 1;
    }

    fn read(
        &mut self,
        clock: Clock,
        read: Read,
        result: Result<Reply, Code>,
        effects: &mut Effects,
    ) {
        let reply = match result {
            Ok(reply) => reply,
            // Gone, or never there: it stays out of the description.
            Err(Code::NO_NODE) => return,
            Err(Code::SESSION_EXPIRED) => return,
            Err(error) => {
                tracing::debug!(?read, ?error, "ZooKeeper could not be read, begins again");
                return self.begin(clock, effects);
            }
        };
        match (read, reply) {
            (Read::Live, Reply::Children(ids)) => {
                self.description.live = ids.iter().filter_map(|id| id.parse().ok()).collect();
            }
            (Read::Names, Reply::Children(names)) => self.names(clock, names, effects),
            (Read::Deletion(topic), Reply::Stat(_)) => {
                self.description.topics[topic].is_marked_for_deletion = true;
            }
            (Read::Configs(topic), Reply::Data { data, .. }) => {
                if let Some(value) = json(data.as_deref()) {
                    self.description.topics[topic].configs = configs(self.config.version, &value);
                }
            }
            (Read::Assignment(topic), Reply::Data { data, .. }) => {
                // A znode that another program wrote: the topic is printed without partitions.
                let Some(value) = json(data.as_deref()) else { return };
                let known = &mut self.description.topics[topic];
                known.id = value.get("topic_id").and_then(Value::as_str).map(str::to_owned);
                known.partitions = assignment(&value);
                let indices: Vec<i32> = known.partitions.iter().map(|one| one.index).collect();
                for index in indices {
                    self.ask(clock, Read::State(topic, index), effects);
                }
            }
            (Read::State(topic, index), Reply::Data { data, .. }) => {
                // The same: the partition is printed without a leader.
                let Some(value) = json(data.as_deref()) else { return };
                let mut partitions = self.description.topics[topic].partitions.iter_mut();
                if let Some(partition) = partitions.find(|partition| partition.index == index) {
                    partition.leader = value.get("leader").and_then(number);
                    partition.isr = value.get("isr").map(numbers).unwrap_or_default();
                }
            }
            (read, reply) => panic!("{read:?} answered by {reply:?}"),
        }
    }

    fn names(&mut self, clock: Clock, names: Vec<Arc<str>>, effects: &mut Effects) {
        let command = &self.config.command;
        let mut names: Vec<String> =
            names.iter().filter(|name| command.names(name)).map(ToString::to_string).collect();
        names.sort_unstable();
        let topic = |name| TopicDescription { name, ..TopicDescription::default() };
        self.description.topics = names.into_iter().map(topic).collect();
        let describes = command.action != TopicsAction::List;
        for topic in 0..self.description.topics.len() {
            self.ask(clock, Read::Deletion(topic), effects);
            if describes {
                self.ask(clock, Read::Configs(topic), effects);
                self.ask(clock, Read::Assignment(topic), effects);
            }
        }
    }

    fn print(&self) -> Vec<String> {
        print::lines(self.config.version, &self.config.command, &self.description)
    }
}

/// The first line of the exception with which the tool ends when it reaches no ZooKeeper server.
fn unreachable_zookeeper(config: &TopicsConfig) -> String {
    let thread = "Exception in thread \"main\"";
    if config.version.has(Change::TopicsToolOwnZooKeeperClient) {
        format!(
            "{thread} kafka.zookeeper.ZooKeeperClientTimeoutException: Timed out waiting for \
             connection while in state: CONNECTING"
        )
    } else {
        let hosts: Vec<_> =
            config.command.hosts.iter().map(|host| format!("{host}:2181")).collect();
        let hosts = if hosts.is_empty() { "localhost:2181".to_owned() } else { hosts.join(",") };
        format!(
            "{thread} org.I0Itec.zkclient.exception.ZkTimeoutException: Unable to connect to \
             zookeeper server '{hosts}' with timeout of 30000 ms"
        )
    }
}

fn json(data: Option<&[u8]>) -> Option<Value> {
    serde_json::from_slice(data?).ok()
}

fn number(value: &Value) -> Option<i32> {
    i32::try_from(value.as_i64()?).ok()
}

fn numbers(value: &Value) -> Vec<i32> {
    value.as_array().into_iter().flatten().filter_map(number).collect()
}

/// The partitions of a topic's znode, by rising number.
fn assignment(topic: &Value) -> Vec<TopicPartitionInfo> {
    let assigned = topic.get("partitions").and_then(Value::as_object);
    let partition = |(index, replicas): (&String, &Value)| {
        let index = index.parse().ok()?;
        Some(TopicPartitionInfo {
            index,
            replicas: numbers(replicas),
            ..TopicPartitionInfo::default()
        })
    };
    let mut partitions: Vec<_> = assigned.into_iter().flatten().filter_map(partition).collect();
    partitions.sort_by_key(|partition| partition.index);
    partitions
}

/// The settings of a topic's znode, in the order in which a release prints them: that of `Properties` before
/// 2.4, and of a `HashMap` since.
fn configs(version: KafkaVersion, topic: &Value) -> Vec<(String, String)> {
    let set = topic.get("config").and_then(Value::as_object);
    let config = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), value)
    };
    let mut configs: Vec<_> = set.into_iter().flatten().map(config).collect();
    java::hashtable_order(&mut configs, |(name, _)| name);
    if version.has(Change::TopicsToolConfigOrder) {
        java::hash_map_order(&mut configs, 16, |(name, _)| name);
    }
    configs
}
