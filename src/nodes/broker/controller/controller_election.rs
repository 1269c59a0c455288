//! Which broker is the controller: the election through `/controller`, and resignation.
//!
//! Since 2.1 one multi creates `/controller` and raises `/controller_epoch`, so an epoch belongs to one
//! election. Before, the winner of `/controller` raised the epoch afterwards, by a conditional write.

use super::calls::{Answer, Call};
use super::event_manager::Step;
use super::kafka_controller::Controller;
use super::term::Term;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::Change;
use crate::vocab::{BrokerId, ControllerEpoch, Mutant};
use crate::wire::zookeeper::Code;

/// The broker that `/controller` names.
fn named_controller(answer: &Answer) -> Option<BrokerId> {
    // There is no controller.
    let Answer::Data { data, .. } = answer else { return None };
    match payload::Controller::decode(data) {
        Ok(controller) => Some(controller.broker),
        Err(why) => {
            tracing::warn!(%why, "/controller cannot be read");
            None
        }
    }
}

/// What `/controller_epoch` says, and its version.
fn stored_epoch(answer: &Answer) -> Option<(ControllerEpoch, i32)> {
    // No controller was elected yet.
    let Answer::Data { data, stat } = answer else { return None };
    let epoch = payload::decode_controller_epoch(data).ok()?;
    Some((epoch, stat.version))
}

impl Controller {
    /// `Reelect` and `ControllerChange`: reads `/controller` and watches it.
    pub(super) fn read_controller(&mut self, cx: &mut Context<'_>, elect: bool) {
        let calls =
            vec![Call::exists(paths::CONTROLLER, true), Call::get(paths::CONTROLLER, false)];
        self.ask(cx, calls, move |this, cx, answers| {
            this.controller_id = named_controller(&answers[1]);
            if this.is_active() && this.controller_id != Some(this.config.id) {
                this.resign(cx);
            }
            if elect && this.controller_id.is_none() {
                this.try_election(cx);
            } else {
                tracing::debug!(broker = %this.config.id, controller = ?this.controller_id,
                    "read which broker is the controller");
            }
        });
    }

    fn own_payload(&self, cx: &Context<'_>) -> bytes::Bytes {
        let own = payload::Controller { broker: self.config.id, timestamp_ms: cx.clock.wall_ms };
        own.encode(self.config.version)
    }

    fn try_election(&mut self, cx: &mut Context<'_>) {
        if self.config.version.has(Change::ControllerFencedByEpoch) {
            self.elect_by_multi(cx);
        } else {
            self.elect_by_create(cx);
        }
    }

    fn elect_by_multi(&mut self, cx: &mut Context<'_>) {
        self.ask(cx, vec![Call::get(paths::CONTROLLER_EPOCH, false)], |this, cx, answers| {
            let Some((epoch, version)) = stored_epoch(&answers[0]) else {
                return this.create_epoch(cx, &answers[0]);
            };
            let own = this.own_payload(cx);
            let reuses = this.config.is(Mutant::ReuseControllerEpoch) && epoch > 0;
            let epoch = if reuses { epoch } else { epoch + 1 };
            let call = Call::elect(own, payload::encode_controller_epoch(epoch), version);
            this.ask(cx, vec![call], move |this, cx, answers| match &answers[0] {
                Answer::Stat(stat) => this.elected(cx, epoch, stat.version),
                Answer::Failed(Code::NODE_EXISTS | Code::BAD_VERSION) => {
                    this.check_election(cx, epoch);
                }
                other => {
                    tracing::warn!(?other, "the election of the controller failed");
                    this.event_manager.first([Step::ReadController { elect: true }]);
                }
            });
        });
    }

    fn create_epoch(&mut self, cx: &mut Context<'_>, answer: &Answer) {
        if *answer != Answer::Failed(Code::NO_NODE) {
            tracing::warn!(?answer, "/controller_epoch cannot be read");
            return;
        }
        let call = Call::create(paths::CONTROLLER_EPOCH, Some(payload::encode_controller_epoch(0)));
        self.ask(cx, vec![call.unfenced()], |this, cx, _| this.elect_by_multi(cx));
    }

    /// The multi failed; but it may be an earlier one of this broker, whose answer was lost.
    fn check_election(&mut self, cx: &mut Context<'_>, epoch: ControllerEpoch) {
        let calls =
            vec![Call::get(paths::CONTROLLER, false), Call::get(paths::CONTROLLER_EPOCH, false)];
        self.ask(cx, calls, move |this, cx, answers| {
            let is_own = named_controller(&answers[0]) == Some(this.config.id);
            match stored_epoch(&answers[1]) {
                Some((stored, version)) if is_own && stored == epoch => {
                    this.elected(cx, epoch, version);
                }
                _ => this.event_manager.first([Step::ReadController { elect: false }]),
            }
        });
    }

    fn elect_by_create(&mut self, cx: &mut Context<'_>) {
        let own = self.own_payload(cx);
        let call = Call::ephemeral(paths::CONTROLLER, own.clone());
        self.ask(cx, vec![call], move |this, cx, answers| {
            if answers[0] == Answer::Done {
                this.event_manager.first([Step::CountEpoch]);
                return;
            }
            this.ask(cx, vec![Call::get(paths::CONTROLLER, false)], move |this, _, answers| {
                match &answers[0] {
                    // Its own earlier create, whose answer was lost.
                    Answer::Data { data, .. } if *data == own => {
                        this.event_manager.first([Step::CountEpoch]);
                    }
                    other => this.controller_id = named_controller(other),
                }
            });
        });
    }

    /// Up to 2.0: raises the epoch after `/controller` was created.
    pub(super) fn count_epoch(&mut self, cx: &mut Context<'_>) {
        self.ask(cx, vec![Call::get(paths::CONTROLLER_EPOCH, false)], |this, cx, answers| {
            let (epoch, call) = match stored_epoch(&answers[0]) {
                Some((epoch, version)) => {
                    let next = payload::encode_controller_epoch(epoch + 1);
                    (epoch + 1, Call::set(paths::CONTROLLER_EPOCH, next, version))
                }
                None => {
                    let first = payload::encode_controller_epoch(1);
                    (1, Call::create(paths::CONTROLLER_EPOCH, Some(first)))
                }
            };
            this.ask(cx, vec![call.unfenced()], move |this, cx, answers| match &answers[0] {
                Answer::Stat(stat) => this.elected(cx, epoch, stat.version),
                Answer::Done => this.elected(cx, epoch, 0),
                other => {
                    tracing::warn!(?other, "another broker raised the controller epoch");
                    this.give_up_election(cx);
                }
            });
        });
    }

    /// Up to 2.0: an election that could not be finished is given up by deleting `/controller`.
    fn give_up_election(&mut self, cx: &mut Context<'_>) {
        self.controller_id = None;
        self.ask(cx, vec![Call::delete(paths::CONTROLLER).unfenced()], |this, _, _| {
            this.event_manager.first([Step::ReadController { elect: true }]);
        });
    }

    fn elected(&mut self, cx: &mut Context<'_>, epoch: ControllerEpoch, epoch_version: i32) {
        tracing::info!(broker = %self.config.id, epoch, "elected as the controller");
        self.controller_id = Some(self.config.id);
        self.term = Some(Term { epoch, epoch_version });
        let elected = BrokerObservation::ControllerElected { epoch };
        cx.effects.observe(Observation::Broker(elected));
        self.event_manager.first([
            Step::FailoverFeatures,
            Step::FailoverWatch,
            Step::FailoverBrokers,
            Step::FailoverTopics,
            Step::FailoverStart,
        ]);
    }

    /// Stops being the controller: forgets everything, and what was not sent is never sent.
    pub(super) fn resign(&mut self, cx: &mut Context<'_>) {
        // It was not the controller when its session expired or it shut down.
        let Some(term) = self.term.take() else { return };
        tracing::info!(broker = %self.config.id, epoch = term.epoch, "resigned as the controller");
        self.known = Default::default();
        self.batch = Default::default();
        self.peers.clear(cx);
        self.timers.end_term();
        let resigned = BrokerObservation::ControllerResigned { epoch: term.epoch };
        cx.effects.observe(Observation::Broker(resigned));
    }
}
