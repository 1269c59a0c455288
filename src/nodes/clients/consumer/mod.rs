//! A consumer, as the Java client's behaves. Without a group it is as with `assign`: it reads every partition of its
//! topics, from the leader, and keeps its positions in memory only. In a [`group`] it reads those that it is given, and
//! begins where the group has committed.
//!
//! From 2.3 on it asks every new leader whether its position is still in the log (KIP-320); before, it notices
//! a truncated log only when its position is out of range.

mod aborted;
mod assignment;
pub mod assignors;
mod config;
mod fetcher;
mod group;
mod manual;
mod records;
mod requests;
mod responses;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kafka_protocol::messages::ResponseKind;
use tracing::debug;

pub use self::aborted::{AbortedFilter, named};
use self::assignment::Assignment;
pub use self::assignors::Strategy;
pub use self::config::{ConsumerConfig, ResetPolicy, StartFrom};
use self::fetcher::{Fetcher, InFlight};
use self::group::{Application, COORDINATOR_TAG, Client, Member, Progress};
pub use self::group::{CommitPolicy, GroupConfig};
use self::records::Producers;
use self::responses::ResponseHandler;
use super::connections::{Connections, Happenings};
use super::metadata::{METADATA_TAG, Metadata, MetadataConfig};
use super::protocol::ApiVersions;
use super::wake::{Wake, earlier};
use crate::nodes::Effects;
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Offset, Roster, Stream, Time, TopicPartition};

/// A consumer's place in its group, and the application that reads by it.
#[derive(Debug)]
struct Membership {
    member: Member,
    application: Application,
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    config: ConsumerConfig,
    versions: ApiVersions,
    net: Connections,
    happened: Happenings,
    metadata: Metadata,
    assignment: Assignment,
    in_flight: InFlight,
    producers: Producers,
    membership: Option<Box<Membership>>,
    /// Whether its owner says what it reads.
    is_manual: bool,
    wake: Wake,
}

impl Consumer {
    /// A consumer that starts with [`Input::Start`]. `roster` is its DNS.
    pub fn new(config: ConsumerConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let versions = ApiVersions::of(config.version);
        let metadata_config = MetadataConfig {
            release: config.version,
            max_age: config.metadata_max_age,
            retry_backoff: config.retry_backoff,
            allow_auto_create: config.allow_auto_create,
            matching: config.matching.clone(),
        };
        let (bootstrap, topics) = (&config.bootstrap, &config.topics);
        let metadata = Metadata::new(metadata_config, versions.metadata, roster, bootstrap, topics);
        let membership = config.group.clone().map(|group| {
            let member = Member::new(&config, group, stream.below_name("coordinator"));
            Box::new(Membership { member, application: Application::default() })
        });
        Self {
            versions,
            net: Connections::new(&config.name, config.connection.clone(), stream),
            happened: Happenings::default(),
            metadata,
            assignment: Assignment::default(),
            in_flight: InFlight::default(),
            producers: Producers::default(),
            membership,
            is_manual: false,
            wake: Wake::default(),
            config,
        }
    }

    /// The nodes that it sends Metadata requests to.
    pub fn asks(&self) -> &[NodeId] {
        self.metadata.nodes()
    }

    /// The offset of the next record that it reads of a partition, once it knows one.
    pub fn position(&self, at: &TopicPartition) -> Option<Offset> {
        self.assignment.position(at)
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Timer { id, .. } => {
                if !self.wake.fired(id) {
                    return;
                }
            }
            Input::Shutdown => match &mut self.membership {
                Some(membership) if self.config.start <= clock.now => membership.application.end(),
                _ => return effects.exit(),
            },
            other => self.take(self.measured(clock), other, effects),
        }
        self.go_on(clock, effects);
    }

    /// The clock of all timeouts: the wall clock in the Java client (`Time.milliseconds`). Connections of the old
    /// consumer have the timeouts of their sockets.
    fn measured(&self, clock: Clock) -> Clock {
        if self.is_manual { clock } else { clock.of_wall() }
    }

    /// Does what is due.
    pub fn go_on(&mut self, clock: Clock, effects: &mut Effects) {
        if clock.now < self.config.start {
            return self.wake.arm(effects, Some(self.config.start));
        }
        match self.go_on_by(self.measured(clock), clock.now, effects) {
            Progress::Waits(next) if self.is_manual => self.wake.arm(effects, next),
            Progress::Waits(next) => {
                self.wake.arm(effects, next.map(|at| clock.wakes_at(at)));
            }
            Progress::Ended => effects.exit(),
        }
    }

    /// The same by the clock of timeouts, which is also that of the answer; `monotonic` is the other clock.
    fn go_on_by(&mut self, clock: Clock, monotonic: Time, effects: &mut Effects) -> Progress {
        if self.net.deadline().is_some_and(|deadline| deadline <= clock.now) {
            let mut happened = std::mem::take(&mut self.happened);
            self.net.expire(clock.now, effects, &mut happened);
            self.digest(clock, &mut happened, effects);
            self.happened = happened;
        }
        let Progress::Waits(member) = self.run_member(clock, monotonic, effects) else {
            return Progress::Ended;
        };
        let fetcher = Fetcher {
            config: &self.config,
            versions: &self.versions,
            metadata: &mut self.metadata,
            assignment: &mut self.assignment,
            in_flight: &mut self.in_flight,
            net: &mut self.net,
        };
        let ready = fetcher.send_ready(clock, effects);
        let metadata = self.metadata.refresh(clock.now, &mut self.net, effects);
        self.metadata.observe_changes(effects);
        let next = earlier(earlier(ready, metadata), earlier(self.net.deadline(), member));
        Progress::Waits(next)
    }

    /// Takes what came in on a connection.
    fn take(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match &mut self.membership {
            Some(membership) if membership.member.owns(&input) => {
                membership.member.handle(clock.now, input, effects);
            }
            _ => {
                let mut happened = std::mem::take(&mut self.happened);
                self.net.handle(clock.now, input, effects, &mut happened);
                self.digest(clock, &mut happened, effects);
                self.happened = happened;
            }
        }
    }

    /// The member of the group, and its application, go on as far as they can.
    fn run_member(&mut self, clock: Clock, monotonic: Time, effects: &mut Effects) -> Progress {
        let Some(membership) = &mut self.membership else { return Progress::Waits(None) };
        let Membership { member, application } = &mut **membership;
        let mut client = Client {
            config: &self.config,
            metadata: &mut self.metadata,
            assignment: &mut self.assignment,
            net: &mut self.net,
            can_validate: self.versions.offset_for_leader_epoch.is_some(),
        };
        member.report_begun(client.assignment, effects);
        member.set_monotonic(monotonic);
        let deadline = member.digest(clock.now, &mut client, effects);
        let times = (clock.now, monotonic);
        match application.run(times, member, (&mut client, &mut self.producers), effects) {
            Progress::Waits(next) => Progress::Waits(earlier(next, deadline)),
            Progress::Ended => Progress::Ended,
        }
    }

    fn digest(&mut self, clock: Clock, happened: &mut Happenings, effects: &mut Effects) {
        for (tag, body) in happened.responses.drain(..) {
            if let ResponseKind::Metadata(body) = &body {
                self.metadata.answered(clock.now, body);
                if self.membership.is_none() && !self.is_manual {
                    self.assignment.extend(&self.metadata, self.config.from);
                }
                continue;
            }
            if let (ResponseKind::FindCoordinator(body), Some(membership)) =
                (&body, &mut self.membership)
            {
                membership.member.found(clock.now, body, &self.metadata, effects);
                continue;
            }
            let sent = self.in_flight.end(tag, &mut self.assignment);
            if let ResponseKind::Fetch(body) = &body
                && !self.in_flight.answered(&sent, body)
            {
                debug!(error = body.error_code, "the fetch session is over");
                continue;
            }
            let mut handler = ResponseHandler {
                config: &self.config,
                assignment: &mut self.assignment,
                metadata: &mut self.metadata,
                producers: &mut self.producers,
                slots: &sent.slots,
                clock,
            };
            match body {
                ResponseKind::Fetch(body) => handler.fetched(&body, effects),
                ResponseKind::ListOffsets(body) => handler.listed(&body, effects),
                ResponseKind::OffsetForLeaderEpoch(body) => handler.validated(&body, effects),
                other => panic!("a consumer does not ask for {other:?}"),
            }
        }
        for tag in happened.lost.drain(..) {
            if tag == METADATA_TAG {
                self.metadata.lost();
            } else if tag == COORDINATOR_TAG {
                let membership = self.membership.as_mut().expect("a member sent it");
                membership.member.find_lost(clock.now);
            } else {
                self.in_flight.lost(tag, &mut self.assignment);
            }
        }
        if std::mem::take(&mut happened.disconnected) {
            self.metadata.request_update();
        }
    }
}
