//! Becoming a broker of the cluster: znodes, cluster id, registration; and again after the session expired.
//!
//! Order (`KafkaServer.startup`): persistent znodes, `/cluster/id`, then since 1.1 registration before the
//! controller starts, in 1.0 and before the other way round (`KafkaHealthcheck` was last). Requests are
//! taken last; before, they wait in the sockets.
//!
//! A registration that stands in the way, of a process that crashed and whose session lives on, makes a
//! real broker end with `NodeExistsException` (before 1.1 with a `RuntimeException` of the same meaning), and
//! whoever supervises it starts it again. Here the broker itself tries again each second until the old
//! session has expired: to the rest of the cluster that is the same, as a broker that is not registered leads
//! nothing and follows nobody. That it has to wait is told once, as
//! [`BrokerObservation::RegistrationBlocked`].

use std::time::Duration;

use tracing::{info, warn};
use uuid::Uuid;

use super::zk_requests::{Op, data};
use super::{Broker, TimerFor};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Context, Part};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::Change;
use crate::vocab::{BrokerEpoch, Zxid};
use crate::wire::zookeeper::{Code, MultiResult, Reply};

/// How long the supervisor of a real broker takes to start it again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for its first session.
    New,
    /// So many znodes are not ensured yet.
    Ensuring(usize),
    /// Reads or makes the cluster id.
    ClusterId,
    /// Tries to register.
    Registering,
    /// Is registered.
    Registered,
    /// The session expired; waits for the next.
    Expired,
}

/// Where the broker stands in becoming one.
#[derive(Debug)]
pub struct Registration {
    phase: Phase,
    drawn_cluster_id: Uuid,
    cluster_id: Option<String>,
    epoch: Option<BrokerEpoch>,
    /// The session that stands, or stood last.
    session: i64,
    /// Sessions of this process that expired.
    old_sessions: Vec<i64>,
    /// The foreign session that stands in the way; told already.
    blocked_by: Option<i64>,
}

impl Registration {
    /// A broker that has not begun. Its cluster gets `drawn_cluster_id` when it has none.
    pub fn new(drawn_cluster_id: Uuid) -> Self {
        Self {
            phase: Phase::New,
            drawn_cluster_id,
            cluster_id: None,
            epoch: None,
            session: 0,
            old_sessions: Vec::new(),
            blocked_by: None,
        }
    }

    /// The id that the cluster gets when it has none.
    pub fn drawn_cluster_id(&self) -> String {
        payload::encode_uuid(self.drawn_cluster_id)
    }

    /// The cluster's id, once it is known.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The broker epoch of the last registration.
    pub fn epoch(&self) -> Option<BrokerEpoch> {
        self.epoch
    }
}

impl Broker {
    fn registers_before_controller(&self) -> bool {
        self.config.version.has(Change::RegistersBeforeController)
    }

    pub(super) fn session_connected(&mut self, cx: &mut Context<'_>) {
        self.registration.session = self.session.id();
        self.send_stalled(cx);
        match self.registration.phase {
            Phase::New => {
                let paths = paths::ensured_at_start(self.config.version);
                self.registration.phase = Phase::Ensuring(paths.len());
                for path in paths {
                    self.ask_zookeeper(cx, Op::Ensure(path.into()));
                }
            }
            Phase::Expired => {
                if self.registration.cluster_id.is_some() {
                    self.begin_to_register(cx);
                } else {
                    self.registration.phase = Phase::New;
                    self.session_connected(cx);
                }
            }
            Phase::Ensuring(_) | Phase::ClusterId | Phase::Registering | Phase::Registered => {}
        }
    }

    pub(super) fn session_expired(&mut self, cx: &mut Context<'_>) {
        warn!(broker = %self.config.id, "session at ZooKeeper expired");
        let session = self.registration.session;
        cx.effects.observe(Observation::Broker(BrokerObservation::SessionExpired { session }));
        self.registration.old_sessions.push(session);
        self.registration.phase = Phase::Expired;
        self.give_up_asking(cx);
        self.controller.session_expired(cx);
        self.session.renew(cx.clock, cx.effects);
    }

    pub(super) fn path_ensured(&mut self, cx: &mut Context<'_>, result: Result<Reply, Code>) {
        if let Err(code) = result
            && code != Code::NODE_EXISTS
        {
            warn!(broker = %self.config.id, %code, "cannot create a znode");
        }
        // The parent of the cluster id is ensured later; nothing waits for it.
        let Phase::Ensuring(left) = self.registration.phase else { return };
        if left > 1 {
            self.registration.phase = Phase::Ensuring(left - 1);
        } else {
            self.registration.phase = Phase::ClusterId;
            self.ask_zookeeper(cx, Op::ReadClusterId);
        }
    }

    pub(super) fn cluster_id_read(&mut self, cx: &mut Context<'_>, result: &Result<Reply, Code>) {
        match data(result).map(|data| payload::decode_cluster_id(&data)) {
            Some(Ok(id)) => {
                info!(broker = %self.config.id, id, "knows its cluster");
                self.replicas_mut().set_cluster_id(cx, &id);
                self.registration.cluster_id = Some(id);
                self.begin_to_register(cx);
            }
            Some(Err(why)) => {
                // Kafka cannot start either when the znode is damaged.
                warn!(broker = %self.config.id, %why, "no cluster id");
                let at = cx.clock.now + RETRY;
                cx.timer(Part::Shell, at, TimerFor::Registration as u64);
            }
            None => {
                self.ask_zookeeper(cx, Op::Ensure("/cluster".into()));
                self.ask_zookeeper(cx, Op::CreateClusterId);
            }
        }
    }

    fn begin_to_register(&mut self, cx: &mut Context<'_>) {
        self.registration.phase = Phase::Registering;
        if !self.registers_before_controller() {
            self.controller.session_ready(cx, &mut self.session);
            if !self.accepting {
                self.accept_requests(cx);
            }
        }
        self.ask_zookeeper(cx, Op::Register);
    }

    pub(super) fn register_again(&mut self, cx: &mut Context<'_>) {
        match self.registration.phase {
            Phase::Registering => self.ask_zookeeper(cx, Op::Register),
            Phase::ClusterId => self.ask_zookeeper(cx, Op::ReadClusterId),
            _ => {}
        }
    }

    pub(super) fn registration_answered(
        &mut self,
        cx: &mut Context<'_>,
        result: Result<Reply, Code>,
    ) {
        let answer = match result {
            Ok(Reply::Created { stat, .. }) => Ok(stat.czxid),
            Ok(Reply::Multi(results)) => match (MultiResult::failure(&results), results.last()) {
                (None, Some(MultiResult::SetData(stat))) => Ok(stat.czxid),
                (failure, _) => Err(failure.unwrap_or(Code::SYSTEM_ERROR)),
            },
            Ok(_) => Err(Code::SYSTEM_ERROR),
            Err(code) => Err(code),
        };
        match answer {
            Ok(czxid) => self.registered(cx, czxid),
            Err(Code::NODE_EXISTS) => self.ask_zookeeper(cx, Op::SeeRegistration),
            Err(code) => {
                warn!(broker = %self.config.id, %code, "cannot register");
                self.register_later(cx);
            }
        }
    }

    fn register_later(&mut self, cx: &mut Context<'_>) {
        let at = cx.clock.now + RETRY;
        cx.timer(Part::Shell, at, TimerFor::Registration as u64);
    }

    pub(super) fn registration_seen(&mut self, cx: &mut Context<'_>, result: &Result<Reply, Code>) {
        let Ok(Reply::Stat(stat)) = result else {
            // It is gone meanwhile.
            self.ask_zookeeper(cx, Op::Register);
            return;
        };
        if stat.ephemeral_owner == self.registration.session {
            // Its own: the answer to the first try was lost.
            self.registered(cx, stat.czxid);
        } else if self.registration.old_sessions.contains(&stat.ephemeral_owner) {
            self.ask_zookeeper(cx, Op::Unregister);
        } else {
            self.registration_blocked(cx, stat.ephemeral_owner);
            self.register_later(cx);
        }
    }

    fn registration_blocked(&mut self, cx: &mut Context<'_>, session: i64) {
        if self.registration.blocked_by.replace(session) == Some(session) {
            return;
        }
        warn!(
            broker = %self.config.id, session = format!("{session:#x}"),
            "is registered already, by a session that lives on; tries again each second"
        );
        let blocked = BrokerObservation::RegistrationBlocked { session };
        cx.effects.observe(Observation::Broker(blocked));
    }

    fn registered(&mut self, cx: &mut Context<'_>, czxid: Zxid) {
        let epoch = czxid.0;
        info!(broker = %self.config.id, epoch, "registered");
        self.registration.phase = Phase::Registered;
        self.registration.epoch = Some(epoch);
        cx.effects.observe(Observation::Broker(BrokerObservation::Registered { epoch }));
        if self.registers_before_controller() {
            self.controller.session_ready(cx, &mut self.session);
        }
        self.ask_zookeeper(cx, Op::ListConfigChanges);
        if !self.accepting && !self.shutdown.has_closed_sockets() {
            self.accept_requests(cx);
        }
    }
}
