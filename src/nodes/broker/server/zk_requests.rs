//! What the server asks of ZooKeeper, and telling the answers to whom they concern.
//!
//! A connection loss leaves it open whether a request took effect. As Kafka does
//! (`KafkaZkClient.retryRequestsUntilConnected`), the request is sent again when the session is connected
//! again, and whoever gets the answer allows for the first try having landed. When the session expires,
//! writes are given up and reads are sent again in the next session.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tracing::warn;

use super::Broker;
use crate::nodes::broker::context::{Context, IsrChange, Part};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::Change;
use crate::vocab::{BrokerId, TopicPartition};
use crate::wire::zookeeper::{
    Code, Create, Delete, MultiOp, Reply, Request, SetData, create_flags,
};

/// A request of the server, as what it is for.
#[derive(Clone, Debug)]
pub enum Op {
    /// Create a persistent znode with this data (null when `None`), if it does not exist.
    Ensure(Arc<str>),
    /// Read `/cluster/id`.
    ReadClusterId,
    /// Create `/cluster/id`.
    CreateClusterId,
    /// Create this broker's registration.
    Register,
    /// See whose registration stands in the way.
    SeeRegistration,
    /// Remove the registration of this broker's expired session.
    Unregister,
    /// List `/config/changes`, and watch it.
    ListConfigChanges,
    /// Read a settings notification.
    ReadConfigChange(Arc<str>),
    /// Read a topic's settings.
    ReadTopicConfig(Arc<str>),
    /// Write a partition's state with other in-sync replicas.
    WriteIsr(IsrChange),
    /// See whether a refused write is what stands there.
    RereadIsr(IsrChange),
    /// Tell the controller of changed in-sync replicas.
    NotifyIsrChanges(Vec<TopicPartition>),
    /// Read `/controller`, to shut down.
    FindController,
    /// Read the controller's registration, to shut down.
    FindControllerHost(BrokerId),
}

/// Requests that are not answered yet.
#[derive(Debug, Default)]
pub struct ZkRequests {
    next: u64,
    pending: BTreeMap<u64, Op>,
    /// To be sent when the session is connected.
    stalled: Vec<Op>,
    connected: bool,
}

impl ZkRequests {
    /// The session has no connection.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }
}

impl Broker {
    /// Sends a request of the server to ZooKeeper, now or when it is connected.
    pub(super) fn ask_zookeeper(&mut self, cx: &mut Context<'_>, op: Op) {
        if !self.zk_requests.connected {
            self.zk_requests.stalled.push(op);
            return;
        }
        let request = self.zookeeper_request(cx, &op);
        self.zk_requests.next += 1;
        let number = self.zk_requests.next;
        self.zk_requests.pending.insert(number, op);
        self.session.request(cx.clock, cx.effects, request, Part::Shell.mark(number));
    }

    /// The session is connected: what waited is sent.
    pub(super) fn send_stalled(&mut self, cx: &mut Context<'_>) {
        self.zk_requests.connected = true;
        for op in std::mem::take(&mut self.zk_requests.stalled) {
            self.ask_zookeeper(cx, op);
        }
    }

    /// The session expired: what is to be read is read in the next one, what was to be written is given up.
    pub(super) fn give_up_asking(&mut self, cx: &mut Context<'_>) {
        self.zk_requests.connected = false;
        let pending = std::mem::take(&mut self.zk_requests.pending);
        let stalled = std::mem::take(&mut self.zk_requests.stalled);
        for op in pending.into_values().chain(stalled) {
            match op {
                Op::ReadTopicConfig(_)
                | Op::ReadConfigChange(_)
                | Op::FindController
                | Op::FindControllerHost(_) => self.zk_requests.stalled.push(op),
                Op::WriteIsr(change) | Op::RereadIsr(change) => self.isr_refused(cx, &change.at),
                Op::NotifyIsrChanges(partitions) => self.isr.notification_failed(partitions),
                // Registering begins anew with the new session.
                Op::Ensure(_)
                | Op::ReadClusterId
                | Op::CreateClusterId
                | Op::Register
                | Op::SeeRegistration
                | Op::Unregister
                | Op::ListConfigChanges => {}
            }
        }
    }

    fn zookeeper_request(&self, cx: &Context<'_>, op: &Op) -> Request {
        let read = |path: String| Request::GetData { path: path.into(), watch: false };
        let own = || paths::broker(self.config.id);
        match op {
            Op::Ensure(path) => Request::Create(Create::persistent(path.clone(), None)),
            Op::ReadClusterId => read(paths::CLUSTER_ID.to_owned()),
            Op::CreateClusterId => {
                let data = payload::encode_cluster_id(&self.registration.drawn_cluster_id());
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
            Op::WriteIsr(change) => Request::SetData(SetData {
                path: paths::partition_state(&change.at).into(),
                data: Some(self.isr_state(change).encode()),
                version: change.partition_epoch,
            }),
            Op::RereadIsr(change) => read(paths::partition_state(&change.at)),
            Op::NotifyIsrChanges(partitions) => Request::Create(Create::new(
                paths::ISR_CHANGE_PREFIX,
                Some(payload::encode_partitions(partitions)),
                create_flags::PERSISTENT_SEQUENTIAL,
            )),
            Op::FindController => read(paths::CONTROLLER.to_owned()),
            Op::FindControllerHost(broker) => read(paths::broker(*broker)),
        }
    }

    fn registration_request(&self, path: String, wall_ms: i64) -> Request {
        let data = payload::BrokerRegistration {
            host: self.config.host.clone(),
            port: super::PORT,
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

    /// ZooKeeper answered request `number` of the server.
    pub(super) fn zookeeper_replied(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        result: Result<Reply, Code>,
    ) {
        // What an expired session was asked for is settled already.
        let Some(op) = self.zk_requests.pending.remove(&number) else { return };
        if result == Err(Code::CONNECTION_LOSS) {
            self.zk_requests.stalled.push(op);
            return;
        }
        if result == Err(Code::SESSION_EXPIRED) {
            self.zk_requests.pending.insert(number, op);
            return;
        }
        match op {
            Op::Ensure(_) => self.path_ensured(cx, result),
            Op::ReadClusterId => self.cluster_id_read(cx, &result),
            Op::CreateClusterId => self.ask_zookeeper(cx, Op::ReadClusterId),
            Op::Register => self.registration_answered(cx, result),
            Op::SeeRegistration => self.registration_seen(cx, &result),
            Op::Unregister => self.ask_zookeeper(cx, Op::Register),
            Op::ListConfigChanges => self.config_changes_listed(cx, result),
            Op::ReadConfigChange(_) => self.config_change_read(cx, &result),
            Op::ReadTopicConfig(topic) => self.topic_config_read(cx, &topic, &result),
            Op::WriteIsr(change) => self.isr_written(cx, change, &result),
            Op::RereadIsr(change) => self.isr_reread(cx, change, &result),
            Op::NotifyIsrChanges(partitions) => {
                if let Err(code) = result {
                    warn!(broker = %self.config.id, %code, "cannot notify of ISR changes");
                    self.isr.notification_failed(partitions);
                }
            }
            Op::FindController => self.controller_found(cx, &result),
            Op::FindControllerHost(broker) => self.controller_host_found(cx, broker, &result),
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
