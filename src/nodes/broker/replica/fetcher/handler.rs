//! The work of a follower: it begins and stops to follow, sends the next request, and reacts to its connection.

use std::collections::BTreeSet;

use bytes::Bytes;
use kafka_protocol::messages::ResponseKind;

use super::fetchers::{Asked, Fetchers};
use super::requests::RequestBuilder;
use super::responses::{ResponseHandler, observe_failed};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{ConnOwner, Context};
use crate::nodes::broker::replica::alarm::{Alarm, Due};
use crate::nodes::broker::replica::log_manager::LogManager;
use crate::nodes::broker::replica::partition::{Follower, ReplicaRole};
use crate::nodes::broker::replica::replicas::{Replicas, Slot};
use crate::nodes::broker::replica::truncation::{Truncator, begins_at_high_watermark, first_state};
use crate::vocab::{BrokerId, ConnId, Mutant, NodeId, Time};

/// The parts that following works with.
#[derive(Debug)]
pub struct FollowerHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a mut Replicas,
    /// The disk.
    pub logs: &'a mut LogManager,
    /// The fetchers.
    pub fetchers: &'a mut Fetchers,
    /// Their deadlines.
    pub alarm: &'a mut Alarm<Due>,
}

impl FollowerHandler<'_> {
    /// Begins to follow `leader`.
    pub fn follow(&mut self, cx: &mut Context<'_>, slot: Slot, leader: BrokerId, host: NodeId) {
        let protocol = self.config.version.truncation();
        let replica = self.replicas.at_mut(slot);
        let has_epoch = replica.log.epochs().latest().is_some();
        let state = first_state(protocol, has_epoch);
        let follower = Follower { leader: Some(leader), state, delayed_until: Time::ZERO };
        replica.role = ReplicaRole::Follower(follower);
        let high_watermark = replica.high_watermark;
        if begins_at_high_watermark(protocol, has_epoch)
            || self.config.is(Mutant::TruncateToOwnHighWatermark)
        {
            let Self { config, replicas, logs, .. } = self;
            Truncator { config, replicas, logs }.truncate(cx, slot, high_watermark);
        }
        if self.fetchers.get(leader).is_some_and(|fetcher| fetcher.channel.to() != host) {
            let slots = self.drop_fetcher(cx, leader);
            self.fetchers.add(self.config, leader, host).slots = slots;
        }
        let fetcher = self.fetchers.add(self.config, leader, host);
        fetcher.slots.insert(slot);
        fetcher.looks_at_all = true;
        if let Some(refused) = fetcher.ended_by.clone() {
            observe_failed(cx, self.replicas.at(slot), leader, refused);
        }
    }

    fn drop_fetcher(&mut self, cx: &mut Context<'_>, leader: BrokerId) -> BTreeSet<Slot> {
        let mut fetcher = self.fetchers.remove(leader);
        cx.disconnect(&mut fetcher.channel);
        for deadline in [fetcher.deadline, fetcher.resume].into_iter().flatten() {
            self.alarm.clear(deadline);
        }
        fetcher.slots
    }

    /// Ends the fetchers that have nothing left to fetch.
    pub fn drop_idle_fetchers(&mut self, cx: &mut Context<'_>) {
        for leader in self.fetchers.idle() {
            self.drop_fetcher(cx, leader);
        }
    }

    /// Ends all fetchers, for good.
    pub fn stop_fetchers(&mut self, cx: &mut Context<'_>) {
        for leader in self.fetchers.leaders() {
            self.drop_fetcher(cx, leader);
        }
    }

    /// Sends the next request to every leader that none is in flight to.
    pub fn drive_all(&mut self, cx: &mut Context<'_>) {
        self.fetchers.look_at_all();
        for leader in self.fetchers.leaders() {
            self.drive(cx, leader);
        }
    }

    /// Goes on with the fetcher of a follower whose append or truncation is over.
    pub fn drive_replica(&mut self, cx: &mut Context<'_>, slot: Slot) {
        // It may lead by now, or be deleted: an fsync takes its time.
        let role = self.replicas.get(slot).map(|replica| &replica.role);
        if let Some(&ReplicaRole::Follower(Follower { leader: Some(leader), .. })) = role {
            if let Some(fetcher) = self.fetchers.get_mut(leader) {
                fetcher.looks_at_all = true;
            }
            self.drive(cx, leader);
        }
    }

    /// Sends the next request to `leader`, if none is in flight and there is something to ask.
    pub fn drive(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let now = cx.clock.now;
        let Self { config, replicas, logs, fetchers, alarm } = self;
        // A replica that was stopped remembers its leader; the fetcher is gone with the last of them.
        let Some(fetcher) = fetchers.get_mut(leader) else { return };
        if fetcher.asked.is_some() || fetcher.ended_by.is_some() || logs.is_shutting_down() {
            return;
        }
        if fetcher.paused_until > now {
            let until = fetcher.paused_until;
            self.resume_at(cx, leader, until);
            return;
        }
        let builder = RequestBuilder { config, replicas, logs };
        let (request, delayed_until) = builder.next(fetcher, cx.clock.by_wall());
        let Some((api, version, body, asked)) = request else {
            if let Some(until) = delayed_until {
                self.resume_at(cx, leader, cx.clock.wakes_at(until));
            }
            return;
        };
        let timeout = config.replica_socket_timeout;
        fetcher.times_out_at = cx.clock.by_wall() + timeout;
        fetcher.deadline = Some(alarm.set_after(cx, timeout, Due::SocketTimeout(leader)));
        fetcher.asked = Some(asked);
        cx.send(ConnOwner::Fetcher(leader), &mut fetcher.channel, (api, version), &body, 0);
    }

    fn resume_at(&mut self, cx: &mut Context<'_>, leader: BrokerId, at: Time) {
        let fetcher = self.fetchers.get_mut(leader).expect("it was just looked at");
        if let Some(resume) = fetcher.resume {
            if resume.0 <= at {
                return;
            }
            self.alarm.clear(resume);
        }
        fetcher.resume = Some(self.alarm.set(cx, at, Due::Resume(leader)));
    }

    /// A pause is over, of the fetcher or of one of its replicas.
    pub fn resume(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let fetcher = self.fetchers.get_mut(leader).expect("its deadlines end with it");
        fetcher.resume = None;
        fetcher.looks_at_all = true;
        self.drive(cx, leader);
    }

    /// No answer within `replica.socket.timeout.ms`, unless the wall clock was set back.
    pub fn timed_out(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let fetcher = self.fetchers.get_mut(leader).expect("its deadlines end with it");
        if cx.clock.by_wall() < fetcher.times_out_at {
            let at = cx.clock.wakes_at(fetcher.times_out_at);
            fetcher.deadline = Some(self.alarm.set(cx, at, Due::SocketTimeout(leader)));
            return;
        }
        tracing::warn!(%leader, "fetcher: no answer in time");
        self.break_connection(cx, leader);
    }

    /// Closes a fetcher's connection and pauses it.
    fn break_connection(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let fetcher = self.fetchers.get_mut(leader).expect("its deadlines end with it");
        cx.disconnect(&mut fetcher.channel);
        self.pause(cx, leader);
    }

    fn pause(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let fetcher = self.fetchers.get_mut(leader).expect("it was just used");
        if let Some(Asked::Fetch) = fetcher.asked.take() {
            fetcher.session.lost();
        }
        fetcher.looks_at_all = true;
        if let Some(deadline) = fetcher.deadline.take() {
            self.alarm.clear(deadline);
        }
        fetcher.paused_until = cx.clock.now + self.config.replica_fetch_backoff;
        self.drive(cx, leader);
    }

    /// The connection to `leader` is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, leader: BrokerId, conn: ConnId) {
        let fetcher = self.fetchers.get_mut(leader).expect("it owns the connection");
        fetcher.channel.opened(cx.effects, conn);
    }

    /// The connection to `leader` is gone, or was refused.
    pub fn closed(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        tracing::debug!(%leader, "fetcher: connection lost");
        let fetcher = self.fetchers.get_mut(leader).expect("it owns the connection");
        fetcher.channel.closed();
        self.pause(cx, leader);
    }

    /// Bytes of `leader` arrived. Returns the replicas whose high watermark rose, and for which fetches wait.
    pub fn received(&mut self, cx: &mut Context<'_>, leader: BrokerId, bytes: Bytes) -> Vec<Slot> {
        let fetcher = self.fetchers.get_mut(leader).expect("it owns the connection");
        let mut responses = Vec::new();
        let result = fetcher.channel.received(bytes, &mut responses);
        let mut raised = Vec::new();
        for (_, response) in responses {
            raised.append(&mut self.answered(cx, leader, response));
        }
        if let Err(why) = result {
            tracing::warn!(%leader, %why, "fetcher: the leader broke the protocol");
            self.break_connection(cx, leader);
        }
        raised
    }

    fn answered(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        response: ResponseKind,
    ) -> Vec<Slot> {
        let Self { config, replicas, logs, fetchers, alarm } = self;
        let fetcher = fetchers.get_mut(leader).expect("it owns the connection");
        if let Some(deadline) = fetcher.deadline.take() {
            alarm.clear(deadline);
        }
        let asked = fetcher.asked.take().expect("the channel answers the request in flight");
        let raised = Vec::new();
        fetcher.looks_at_all |= !matches!(asked, Asked::Fetch);
        let mut responses = ResponseHandler { config, replicas, logs, fetcher, leader, raised };
        match (asked, response) {
            (Asked::Fetch, ResponseKind::Fetch(response)) => responses.fetched(cx, response),
            (Asked::Epochs(asked), ResponseKind::OffsetForLeaderEpoch(response)) => {
                responses.epochs_answered(cx, &asked, response);
            }
            (Asked::Offsets(asked), ResponseKind::ListOffsets(response)) => {
                responses.offsets_answered(cx, &asked, response);
            }
            (asked, response) => unreachable!("{response:?} does not answer {asked:?}"),
        }
        let raised = responses.raised;
        self.drive(cx, leader);
        raised
    }

    /// A file was replaced: fetchers that waited for the end of a truncation go on.
    pub fn end_cuts(&mut self, cx: &mut Context<'_>) {
        for slot in self.logs.take_ended_cuts(self.replicas) {
            self.drive_replica(cx, slot);
        }
    }
}
