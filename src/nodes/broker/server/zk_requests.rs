//! The server's requests to ZooKeeper, and the session that carries them.
//!
//! After a connection loss it is unknown whether a request took effect. As Kafka does
//! (`KafkaZkClient.retryRequestsUntilConnected`), the request is sent again when the session is connected
//! again; so an answer may be that of a request whose first try took effect. When the session expires,
//! writes are given up and reads are sent again in the next session.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::nodes::broker::Config;
use crate::nodes::broker::config::PORT;
use crate::nodes::broker::context::{Context, IsrChange, Part};
use crate::nodes::broker::znodes::{paths, payload, producer_ids};
use crate::nodes::session::Session;
use crate::releases::Change;
use crate::vocab::{BrokerId, TopicPartition};
use crate::wire::zookeeper::{
    Code, Create, Delete, MultiOp, Reply, Request, SetData, create_flags,
};

/// The entity that is all brokers (`ConfigEntityName.Default`).
pub const ALL_BROKERS: &str = "<default>";

/// A request of the server, as what it is for.
#[derive(Clone, Debug)]
pub enum Op {
    /// Create a persistent znode without data, if it does not exist.
    Ensure(Arc<str>),
    /// Read `/cluster/id`.
    ReadClusterId,
    /// Create `/cluster/id` with this id.
    CreateClusterId(String),
    /// Create this broker's registration.
    Register,
    /// See which session holds this broker's registration.
    SeeRegistration,
    /// Remove the registration of this broker's expired session.
    Unregister,
    /// List `/config/changes`, and watch it.
    ListConfigChanges,
    /// Read a settings notification.
    ReadConfigChange(Arc<str>),
    /// Read a topic's settings.
    ReadTopicConfig(Arc<str>),
    /// Read what is set for a broker, or for all (`<default>`), while they run.
    ReadBrokerConfig(Arc<str>),
    /// Write a partition's state with other in-sync replicas.
    WriteIsr(IsrChange),
    /// See whether a refused write took effect earlier.
    RereadIsr(IsrChange),
    /// Notify the controller of changed in-sync replicas.
    NotifyIsrChanges(Vec<TopicPartition>),
    /// Read the block of producer ids that was taken last.
    ReadProducerIds,
    /// Write the next one.
    WriteProducerIds {
        /// Its first id.
        start: i64,
        /// dataVersion of the last one.
        version: i32,
    },
    /// Mark a topic for deletion, for a DeleteTopics with this number.
    MarkForDeletion(u64, Arc<str>),
    /// A request of administration.
    Admin {
        /// The number of the work that it belongs to.
        number: u64,
        /// Its place there.
        index: usize,
        /// What is asked.
        request: Request,
    },
    /// Read `/controller`, to shut down.
    FindController,
    /// Read the controller's registration, to shut down.
    FindControllerHost(BrokerId),
}

/// The partition state that a change of the ISR would write; `leader` is this broker.
pub fn proposed_state(leader: BrokerId, change: &IsrChange) -> payload::PartitionState {
    payload::PartitionState {
        controller_epoch: change.controller_epoch,
        leader,
        leader_epoch: change.leader_epoch,
        isr: change.isr.clone(),
    }
}

/// Owns the session, and the requests of the server that are not answered yet.
#[derive(Debug)]
pub struct ZkRequests {
    config: Arc<Config>,
    /// The controller's requests go out on it, too.
    pub session: Session,
    next: u64,
    pending: BTreeMap<u64, Op>,
    /// To be sent when the session is connected.
    stalled: Vec<Op>,
    connected: bool,
}

impl ZkRequests {
    /// No requests, and a session that is not started.
    pub fn new(config: Arc<Config>, session: Session) -> Self {
        Self {
            config,
            session,
            next: 0,
            pending: BTreeMap::new(),
            stalled: Vec::new(),
            connected: false,
        }
    }

    /// Sends a request, now or when the session is connected.
    pub fn ask(&mut self, cx: &mut Context<'_>, op: Op) {
        if !self.connected {
            self.stalled.push(op);
            return;
        }
        let request = self.request(cx, &op);
        self.next += 1;
        let number = self.next;
        self.pending.insert(number, op);
        self.session.request(cx.clock, cx.effects, request, Part::Server.mark(number));
    }

    /// Whether the release has settings of brokers that change while they run (1.1+).
    pub fn knows_dynamic_settings(&self) -> bool {
        self.config.version.has(Change::DynamicBrokerSettings)
    }

    /// Reads what was set for this broker and for all while they ran.
    pub fn ask_for_broker_settings(&mut self, cx: &mut Context<'_>) {
        for entity in [ALL_BROKERS.to_owned(), self.config.id.to_string()] {
            self.ask(cx, Op::ReadBrokerConfig(entity.into()));
        }
    }

    /// Reads what is set for an entity, if it is this broker or all of them.
    pub fn ask_for_settings_of(&mut self, cx: &mut Context<'_>, entity: &str) {
        let is_meant = entity == ALL_BROKERS || entity == self.config.id.to_string();
        if is_meant && self.knows_dynamic_settings() {
            self.ask(cx, Op::ReadBrokerConfig(entity.into()));
        }
    }

    /// The session is connected: what waited is sent.
    pub fn connected(&mut self, cx: &mut Context<'_>) {
        self.connected = true;
        for op in std::mem::take(&mut self.stalled) {
            self.ask(cx, op);
        }
    }

    /// The session has no connection.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// The session expired: reads are sent again in the next one. Returns the writes of in-sync replicas,
    /// notifications and requests of administration, which are given up; registering starts again with the new session.
    pub fn expired(&mut self) -> Vec<Op> {
        self.connected = false;
        let pending = std::mem::take(&mut self.pending);
        let stalled = std::mem::take(&mut self.stalled);
        let mut given_up = Vec::new();
        for op in pending.into_values().chain(stalled) {
            match op {
                Op::ReadTopicConfig(_)
                | Op::ReadBrokerConfig(_)
                | Op::ReadConfigChange(_)
                | Op::ReadProducerIds
                | Op::FindController
                | Op::FindControllerHost(_) => self.stalled.push(op),
                Op::WriteProducerIds { .. } => self.stalled.push(Op::ReadProducerIds),
                Op::WriteIsr(_)
                | Op::RereadIsr(_)
                | Op::NotifyIsrChanges(_)
                | Op::MarkForDeletion(..)
                | Op::Admin { .. } => given_up.push(op),
                Op::Ensure(_)
                | Op::ReadClusterId
                | Op::CreateClusterId(_)
                | Op::Register
                | Op::SeeRegistration
                | Op::Unregister
                | Op::ListConfigChanges => {}
            }
        }
        given_up
    }

    /// The request that was answered; `None` when the answer decides nothing.
    pub fn answered(&mut self, number: u64, result: &Result<Reply, Code>) -> Option<Op> {
        // A request of an expired session was given up or is sent again.
        let op = self.pending.remove(&number)?;
        match result {
            Err(Code::CONNECTION_LOSS) => self.stalled.push(op),
            // The event that the session expired follows, and decides.
            Err(Code::SESSION_EXPIRED) => drop(self.pending.insert(number, op)),
            _ => return Some(op),
        }
        None
    }

    fn request(&self, cx: &Context<'_>, op: &Op) -> Request {
        let read = |path: String| Request::GetData { path: path.into(), watch: false };
        let own = || paths::broker(self.config.id);
        match op {
            Op::Ensure(path) => Request::Create(Create::persistent(path.clone(), None)),
            Op::ReadClusterId => read(paths::CLUSTER_ID.to_owned()),
            Op::CreateClusterId(id) => {
                let data = payload::encode_cluster_id(id);
                Request::Create(Create::persistent(paths::CLUSTER_ID, Some(data)))
            }
            Op::Register => self.registration_request(own(), cx.clock.wall_ms),
            Op::SeeRegistration => Request::Exists { path: own().into(), watch: false },
            Op::Unregister => Request::Delete(Delete { path: own().into(), version: -1 }),
            Op::ListConfigChanges => {
                Request::GetChildren2 { path: paths::CONFIG_CHANGES.into(), watch: true }
            }
            Op::ReadConfigChange(name) => read(format!("{}/{name}", paths::CONFIG_CHANGES)),
            Op::ReadTopicConfig(topic) => read(paths::topic_config(topic)),
            Op::ReadBrokerConfig(entity) => read(paths::broker_config(entity)),
            Op::WriteIsr(change) => Request::SetData(SetData {
                path: paths::partition_state(&change.at).into(),
                data: Some(proposed_state(self.config.id, change).encode()),
                version: change.partition_epoch,
            }),
            Op::RereadIsr(change) => read(paths::partition_state(&change.at)),
            Op::NotifyIsrChanges(partitions) => Request::Create(Create::new(
                paths::ISR_CHANGE_PREFIX,
                Some(payload::encode_partitions(partitions)),
                create_flags::PERSISTENT_SEQUENTIAL,
            )),
            Op::ReadProducerIds => read(paths::LATEST_PRODUCER_ID_BLOCK.to_owned()),
            Op::WriteProducerIds { start, version } => Request::SetData(SetData {
                path: paths::LATEST_PRODUCER_ID_BLOCK.into(),
                data: Some(producer_ids::encode(self.config.id, *start)),
                version: *version,
            }),
            Op::MarkForDeletion(_, topic) => {
                Request::Create(Create::persistent(paths::delete_topic(topic), None))
            }
            Op::Admin { request, .. } => request.clone(),
            Op::FindController => read(paths::CONTROLLER.to_owned()),
            Op::FindControllerHost(broker) => read(paths::broker(*broker)),
        }
    }

    fn registration_request(&self, path: String, wall_ms: i64) -> Request {
        let data = payload::BrokerRegistration {
            host: self.config.host.clone(),
            port: PORT,
            external: self.config.external.as_ref().map(|listener| listener.advertised.clone()),
            rack: None,
            timestamp_ms: wall_ms,
        }
        .encode(self.config.version);
        let path: Arc<str> = path.into();
        if self.config.version.has(Change::BrokerEpochs) {
            // Two steps, so that the Stat with the broker epoch comes back from the second one.
            Request::Multi(vec![
                MultiOp::Create(Create::ephemeral(path.clone(), None)),
                MultiOp::SetData(SetData { path, data: Some(data), version: 0 }),
            ])
        } else {
            Request::Create(Create::ephemeral(path, Some(data)))
        }
    }
}

/// The data in the answer to a getData; empty when it is null.
pub fn data(result: &Result<Reply, Code>) -> Option<Bytes> {
    match result {
        Ok(Reply::Data { data, .. }) => Some(data.clone().unwrap_or_default()),
        _ => None,
    }
}
