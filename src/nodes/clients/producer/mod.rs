//! A producer, as the Java client's behaves.
//!
//! Each record is an operation. It ends `Produced` when the leader acknowledged it (with `acks=0`: when it was
//! written to the connection), `Failed` only when no attempt can have put it into a log, else `Unknown`.
//!
//! Left out: compression, and the splitting of a batch after MESSAGE_TOO_LARGE.

mod accumulator;
mod application;
mod config;
mod idempotence;
mod operations;
mod partitioner;
mod sender;
#[cfg(test)]
mod tests;
mod transactional;
mod transactions;

use std::sync::Arc;

use kafka_protocol::messages::ResponseKind;

use self::accumulator::Accumulator;
use self::application::{Application, SendParts};
pub use self::config::{Discover, ProducerConfig, Workload};
use self::idempotence::Idempotence;
use self::operations::{end_batch, reason};
use self::sender::{InFlight, PRODUCER_ID_TAG, Sender};
use self::transactional::Transactional;
pub use self::transactions::{CommitEvery, TransactionConfig};
use self::transactions::{Progress, TRANSACTION_TAG};
use super::connections::{Connections, Happenings};
use super::discovery::Discovery;
use super::metadata::{METADATA_TAG, Metadata, MetadataConfig};
use super::protocol::ApiVersions;
use super::wake::{Wake, earlier};
use crate::nodes::Effects;
use crate::releases::Change;
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Roster, Stream, Time};

/// A producer and the application that uses it.
#[derive(Debug)]
pub struct Producer {
    config: ProducerConfig,
    versions: ApiVersions,
    net: Connections,
    happened: Happenings,
    metadata: Metadata,
    /// The session, when leaders are read from ZooKeeper.
    discovery: Option<Discovery>,
    application: Application,
    accumulator: Accumulator,
    in_flight: InFlight,
    idempotence: Option<Idempotence>,
    transactional: Option<Box<Transactional>>,
    wake: Wake,
}

impl Producer {
    /// A producer that starts with [`Input::Start`]. `roster` is its DNS.
    pub fn new(config: ProducerConfig, roster: Arc<Roster>, mut stream: Stream) -> Self {
        let versions = ApiVersions::of(config.version);
        let metadata_config = MetadataConfig {
            release: config.version,
            max_age: config.metadata_max_age,
            retry_backoff: config.retry_backoff,
            allow_auto_create: true,
            matching: None,
        };
        let (bootstrap, topics) = (&config.bootstrap, &config.workload.topics);
        let metadata = Metadata::new(metadata_config, versions.metadata, roster, bootstrap, topics);
        let application = Application::new(&config, &mut stream);
        let discovery = match &config.discover {
            Discover::Metadata => None,
            Discover::ZooKeeper { servers, session_timeout } => {
                let stream = stream.below_name("session");
                Some(Discovery::new(servers.clone(), *session_timeout, stream))
            }
        };
        Self {
            versions,
            net: Connections::new(&config.name, config.connection.clone(), stream),
            happened: Happenings::default(),
            metadata,
            discovery,
            application,
            accumulator: Accumulator::new(&config),
            in_flight: InFlight::default(),
            idempotence: match (&config.transactions, config.idempotence) {
                (Some(_), _) => Some(Idempotence::transactional(config.version)),
                (None, idempotence) => idempotence.then(|| Idempotence::new(config.version)),
            },
            transactional: config.transactions.clone().map(|transactions| {
                Box::new(Transactional::new(transactions, config.version, config.retry_backoff))
            }),
            wake: Wake::default(),
            config,
        }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        // All timeouts of the Java client are measured on the wall clock (`Time.milliseconds`).
        let by_wall = clock.of_wall();
        let input = match &mut self.discovery {
            Some(discovery) => discovery.handle(clock, input, &mut self.metadata, effects),
            None => Some(input),
        };
        match input {
            Some(Input::Timer { id, .. }) if !self.wake.fired(id) => return,
            Some(Input::Shutdown) => self.application.close(),
            // The timer only says that something may be due.
            None | Some(Input::Timer { .. }) => {}
            Some(other) => {
                let mut happened = std::mem::take(&mut self.happened);
                self.net.handle(by_wall.now, other, effects, &mut happened);
                self.digest(by_wall, &mut happened, effects);
                self.happened = happened;
            }
        }
        self.expire(by_wall, effects);
        let application = self.run_application(clock, effects);
        let ready = self.send_ready(by_wall, effects);
        let metadata = match &mut self.discovery {
            // A Metadata request can create the topic, so it is sent when the first record needs it.
            _ if clock.now < self.config.workload.start => None,
            Some(discovery) => discovery.refresh(clock, &mut self.metadata, effects),
            None => self.metadata.refresh(by_wall.now, &mut self.net, effects),
        };
        self.metadata.observe_changes(effects);
        if self.application.is_closed() && self.is_idle() {
            effects.exit();
            return;
        }
        let timeouts = [
            ready,
            if self.discovery.is_some() { None } else { metadata },
            self.application.blocked_until(),
            self.net.deadline(),
            self.accumulator.next_expiry(),
            self.in_flight.next_expiry(),
        ];
        let timeout = timeouts.into_iter().fold(None, earlier).map(|at| clock.wakes_at(at));
        let session = if self.discovery.is_some() { metadata } else { None };
        let next = [timeout, session, application];
        self.wake.arm(effects, next.into_iter().fold(None, earlier));
    }

    /// The application sends the records that are due, and ends transactions; returns when it goes on.
    fn run_application(&mut self, clock: Clock, effects: &mut Effects) -> Option<Time> {
        let mut may_send = self.run_transactions(clock, effects);
        if may_send {
            let parts = SendParts {
                config: &self.config,
                metadata: &mut self.metadata,
                accumulator: &mut self.accumulator,
                stream: self.net.stream(),
                transactions: self.transactional.as_mut().map(|of| &mut of.transactions),
            };
            self.application.run(clock, parts, effects);
            may_send = self.run_transactions(clock, effects);
        }
        let stop = self.config.workload.stop;
        let ends_at = self.transactional.as_ref().and_then(|of| of.ends_at(clock.now, stop));
        let due = self.application.due(clock.now, &self.config.workload).filter(|_| may_send);
        earlier(ends_at, due)
    }

    /// Sends requests to coordinators, else batches; returns when something else can be sent.
    fn send_ready(&mut self, clock: Clock, effects: &mut Effects) -> Option<Time> {
        match self.drive_transactions(clock, effects) {
            Progress::Busy(until) => until,
            Progress::Free => {
                let is_completing =
                    self.transactional.as_ref().is_some_and(|of| of.transactions.is_completing());
                let flush = self.application.flushes() || is_completing;
                self.sender().send_ready(clock, flush, effects)
            }
        }
    }

    /// The nodes that it sends Metadata requests to; none when it reads ZooKeeper instead.
    pub fn asks(&self) -> &[NodeId] {
        if self.discovery.is_some() { &[] } else { self.metadata.nodes() }
    }

    /// Whether every operation has ended.
    pub fn is_idle(&self) -> bool {
        let is_open = self.transactional.as_ref().is_some_and(|of| of.application.is_open());
        !is_open
            && !self.application.is_blocked()
            && self.accumulator.queued() == 0
            && self.in_flight.is_empty()
    }

    fn sender(&mut self) -> Sender<'_> {
        Sender {
            config: &self.config,
            version: self.versions.produce,
            init_producer_id: self.versions.init_producer_id,
            idempotence: self.idempotence.as_mut(),
            transactions: self.transactional.as_mut().map(|of| &mut of.transactions),
            accumulator: &mut self.accumulator,
            in_flight: &mut self.in_flight,
            metadata: &mut self.metadata,
            net: &mut self.net,
        }
    }

    fn digest(&mut self, clock: Clock, happened: &mut Happenings, effects: &mut Effects) {
        for (tag, body) in happened.responses.drain(..) {
            match body {
                ResponseKind::Metadata(body) => {
                    self.metadata.answered(clock.now, &body);
                }
                ResponseKind::Produce(body) => {
                    self.sender().answered(clock, tag, &body, effects);
                }
                ResponseKind::InitProducerId(body) if tag == PRODUCER_ID_TAG => {
                    self.sender().id_answered(clock, &body);
                }
                body if tag == TRANSACTION_TAG => {
                    if let (Some(of), Some(known)) =
                        (&mut self.transactional, &mut self.idempotence)
                    {
                        of.transactions.answered(&body, (&self.metadata, known), effects);
                    }
                }
                other => panic!("a producer does not ask for {other:?}"),
            }
        }
        if !self.config.version.has(Change::LostRequestsOldestFirst) {
            happened.lost.reverse();
        }
        for tag in happened.lost.drain(..) {
            if tag == METADATA_TAG {
                self.metadata.lost();
            } else if tag == PRODUCER_ID_TAG {
                self.sender().id_lost(clock);
            } else if tag == TRANSACTION_TAG {
                self.transactional.iter_mut().for_each(|of| of.transactions.lost());
            } else {
                self.sender().lost(clock, tag, effects);
            }
        }
        if std::mem::take(&mut happened.disconnected) {
            self.metadata.request_update();
        }
    }

    fn expire(&mut self, clock: Clock, effects: &mut Effects) {
        if self.net.deadline().is_some_and(|deadline| deadline <= clock.now) {
            let mut happened = std::mem::take(&mut self.happened);
            self.net.expire(clock.now, effects, &mut happened);
            self.digest(clock, &mut happened, effects);
            self.happened = happened;
        }
        let mut has_expired = false;
        for (slot, mut batch) in self.accumulator.expire(clock.now, &self.config) {
            has_expired = true;
            let at = &self.accumulator.queue(slot).at;
            tracing::debug!(%at, "a batch expires in the accumulator");
            self.accumulator.free(&mut batch);
            end_batch(&batch, reason::EXPIRED, effects);
            if let (Some(known), Some(number)) = (&mut self.idempotence, batch.number) {
                known.failed(slot, number, true);
            }
        }
        let expired =
            self.in_flight.expire(clock.now, &self.config, &mut self.accumulator, effects);
        for (slot, number) in expired {
            has_expired = true;
            if let Some(known) = &mut self.idempotence {
                known.failed(slot, number, true);
            }
        }
        self.fail_transaction(has_expired);
    }
}
