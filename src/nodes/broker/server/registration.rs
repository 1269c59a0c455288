//! Becoming a broker of the cluster: znodes, cluster id, registration; and again after the session expired.
//!
//! Order (`KafkaServer.startup`): persistent znodes, `/cluster/id`, then since 1.1 registration before the
//! controller starts, in 1.0 and before the other way round (`KafkaHealthcheck` was last). Requests are
//! taken last; before, they wait in the sockets.
//!
//! When a process crashed and its session is still alive, its registration is still there. The broker then fails to
//! start, with `NodeExistsException` (before 1.1 with a `RuntimeException` of the same meaning), and shuts down in an
//! orderly way: its logs are loaded by then, so they are flushed, and the marker of a clean shutdown is written. What
//! starts it again is its supervisor, if it has one. That is observed as [`BrokerObservation::RegistrationBlocked`],
//! or without a supervisor as [`BrokerObservation::Halted`].

use std::time::Duration;

use tracing::{info, warn};
use uuid::Uuid;

use super::timers::TimerFor;
use super::zk_requests::{Op, ZkRequests, data};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, Part};
use crate::nodes::broker::replica::ReplicaManager;
use crate::nodes::broker::znodes::{paths, payload};
use crate::vocab::{BrokerEpoch, Zxid};
use crate::wire::zookeeper::{Code, MultiResult, Reply};

/// Pause before another try when ZooKeeper answers with an error.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for its first session.
    New,
    /// Creates persistent znodes; so many are left.
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

/// How far the broker is with its registration.
#[derive(Debug)]
pub struct Registration {
    phase: Phase,
    drawn_cluster_id: Uuid,
    cluster_id: Option<String>,
    epoch: Option<BrokerEpoch>,
    /// The current session, or the last one.
    session: i64,
    /// Sessions of this process that expired.
    old_sessions: Vec<i64>,
    /// Whether an earlier process is still registered, so that this one ends.
    has_failed: bool,
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
            has_failed: false,
        }
    }

    /// The cluster's id, once it is known.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The broker epoch of the last registration.
    pub fn epoch(&self) -> Option<BrokerEpoch> {
        self.epoch
    }

    /// Whether the start has failed, as an earlier process is still registered.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Registering begins.
    pub fn begin(&mut self) {
        self.phase = Phase::Registering;
    }
}

/// What the broker does next on its way to being registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It waits for ZooKeeper, or for a timer.
    Wait,
    /// The cluster is known: it registers.
    Register,
    /// It is registered: it goes to work.
    Work,
    /// An earlier process is still registered: it ends.
    GiveUp,
}

/// The parts that registering works with.
#[derive(Debug)]
pub struct RegistrationHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// How far it is.
    pub registration: &'a mut Registration,
    /// Requests to ZooKeeper.
    pub zk: &'a mut ZkRequests,
    /// For the cluster id.
    pub replicas: &'a mut ReplicaManager,
}

impl RegistrationHandler<'_> {
    /// The session is connected, for the first time or again.
    pub fn session_connected(&mut self, cx: &mut Context<'_>) -> Next {
        self.registration.session = self.zk.session.id();
        self.zk.connected(cx);
        match self.registration.phase {
            Phase::New => {
                let paths = paths::ensured_at_start(self.config.version);
                self.registration.phase = Phase::Ensuring(paths.len());
                for path in paths {
                    self.zk.ask(cx, Op::Ensure(path.into()));
                }
                Next::Wait
            }
            Phase::Expired if self.registration.cluster_id.is_some() => Next::Register,
            Phase::Expired => {
                self.registration.phase = Phase::New;
                self.session_connected(cx)
            }
            Phase::Ensuring(_) | Phase::ClusterId | Phase::Registering | Phase::Registered => {
                Next::Wait
            }
        }
    }

    /// The session expired.
    pub fn session_expired(&mut self, cx: &mut Context<'_>) {
        warn!(broker = %self.config.id, "session at ZooKeeper expired");
        let session = self.registration.session;
        cx.effects.observe(Observation::Broker(BrokerObservation::SessionExpired { session }));
        self.registration.old_sessions.push(session);
        self.registration.phase = Phase::Expired;
    }

    /// A persistent znode was created, or was there.
    pub fn path_ensured(&mut self, cx: &mut Context<'_>, result: Result<Reply, Code>) {
        if let Err(code) = result
            && code != Code::NODE_EXISTS
        {
            warn!(broker = %self.config.id, %code, "cannot create a znode");
        }
        // The parent of the cluster id is created later; nothing waits for it.
        let Phase::Ensuring(left) = self.registration.phase else { return };
        if left > 1 {
            self.registration.phase = Phase::Ensuring(left - 1);
        } else {
            self.registration.phase = Phase::ClusterId;
            self.zk.ask(cx, Op::ReadClusterId);
        }
    }

    /// `/cluster/id` was read.
    pub fn cluster_id_read(&mut self, cx: &mut Context<'_>, result: &Result<Reply, Code>) -> Next {
        match data(result).map(|data| payload::decode_cluster_id(&data)) {
            Some(Ok(id)) => {
                info!(broker = %self.config.id, id, "knows its cluster");
                self.replicas.set_cluster_id(cx, &id);
                self.registration.cluster_id = Some(id);
                Next::Register
            }
            Some(Err(why)) => {
                // Kafka cannot start either when the znode is damaged.
                warn!(broker = %self.config.id, %why, "no cluster id");
                self.retry_later(cx);
                Next::Wait
            }
            None => {
                let drawn = payload::encode_uuid(self.registration.drawn_cluster_id);
                self.zk.ask(cx, Op::Ensure("/cluster".into()));
                self.zk.ask(cx, Op::CreateClusterId(drawn));
                Next::Wait
            }
        }
    }

    /// The pause before another try is over.
    pub fn try_again(&mut self, cx: &mut Context<'_>) {
        match self.registration.phase {
            Phase::Registering => self.zk.ask(cx, Op::Register),
            Phase::ClusterId => self.zk.ask(cx, Op::ReadClusterId),
            // The session expired meanwhile: the next one registers by itself.
            Phase::New | Phase::Ensuring(_) | Phase::Expired | Phase::Registered => {}
        }
    }

    /// ZooKeeper answered the registration.
    pub fn registration_answered(
        &mut self,
        cx: &mut Context<'_>,
        result: Result<Reply, Code>,
    ) -> Next {
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
            Err(Code::NODE_EXISTS) => {
                self.zk.ask(cx, Op::SeeRegistration);
                Next::Wait
            }
            Err(code) => {
                warn!(broker = %self.config.id, %code, "cannot register");
                self.retry_later(cx);
                Next::Wait
            }
        }
    }

    fn retry_later(&mut self, cx: &mut Context<'_>) {
        let at = cx.clock.now + RETRY;
        cx.timer(Part::Server, at, TimerFor::Registration.number());
    }

    /// Another registration of this broker's id was looked at.
    pub fn registration_seen(
        &mut self,
        cx: &mut Context<'_>,
        result: &Result<Reply, Code>,
    ) -> Next {
        let Ok(Reply::Stat(stat)) = result else {
            // It is gone meanwhile.
            self.zk.ask(cx, Op::Register);
            return Next::Wait;
        };
        if stat.ephemeral_owner == self.registration.session {
            // Its own: the answer to the first try was lost.
            return self.registered(cx, stat.czxid);
        }
        if self.registration.old_sessions.contains(&stat.ephemeral_owner) {
            self.zk.ask(cx, Op::Unregister);
            return Next::Wait;
        }
        self.registration_blocked(cx, stat.ephemeral_owner);
        Next::GiveUp
    }

    fn registration_blocked(&mut self, cx: &mut Context<'_>, session: i64) {
        self.registration.has_failed = true;
        let why = format!("NodeExists: it is registered already, by the live session {session:#x}");
        warn!(broker = %self.config.id, why, "cannot start");
        cx.effects.observe(Observation::Broker(match self.config.supervisor {
            Some(_) => BrokerObservation::RegistrationBlocked { session },
            None => BrokerObservation::Halted { why: why.into() },
        }));
    }

    fn registered(&mut self, cx: &mut Context<'_>, czxid: Zxid) -> Next {
        let epoch = czxid.0;
        info!(broker = %self.config.id, epoch, "registered");
        self.registration.phase = Phase::Registered;
        self.registration.epoch = Some(epoch);
        cx.effects.observe(Observation::Broker(BrokerObservation::Registered { epoch }));
        Next::Work
    }
}
