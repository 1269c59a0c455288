//! ControlledShutdown: a broker that wants to stop hands its leaderships over first
//! (`KafkaController.doControlledShutdown`).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::controlled_shutdown_response::RemainingPartition;
use kafka_protocol::messages::{
    ControlledShutdownRequest, ControlledShutdownResponse, ResponseKind,
};

use super::batch::topic_name;
use super::context::{ControllerContext, ControllerPartition, Replica};
use super::election::Strategy;
use super::event_manager::Step;
use super::kafka_controller::Controller;
use super::refusals::refuse_controlled_shutdown;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::{BrokerId, TopicPartition};

impl ControllerContext {
    /// The partitions that a broker leads and could hand over, and its other replicas.
    fn led_and_followed(&self, id: BrokerId) -> (Vec<TopicPartition>, Vec<Replica>) {
        let acts_on = |at: &TopicPartition, one: &ControllerPartition| {
            one.replicas.contains(&id)
                && one.replicas.len() > 1
                && one.leadership.is_some()
                && !self.is_to_be_deleted(at)
        };
        let (mut led, mut followed) = (Vec::new(), Vec::new());
        for (at, one) in self.partitions.iter().filter(|(at, one)| acts_on(at, one)) {
            if one.leader() == Some(id) {
                led.push(at.clone());
            } else {
                followed.push((at.clone(), id));
            }
        }
        (led, followed)
    }
}

impl Controller {
    /// The request's turn has come.
    pub(super) fn process_controlled_shutdown(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &ControlledShutdownRequest,
    ) {
        let id = BrokerId(request.broker_id.0);
        let Some(broker) = self.known.brokers.get(&id) else {
            return refuse_controlled_shutdown(cx, to, ResponseError::BrokerNotAvailable);
        };
        if to.version >= 2 && request.broker_epoch != -1 && request.broker_epoch < broker.epoch {
            return refuse_controlled_shutdown(cx, to, ResponseError::StaleBrokerEpoch);
        }
        tracing::info!(broker = %id, "controlled shutdown");
        self.known.shutting_down.insert(id);
        let (led, followed) = self.known.led_and_followed(id);
        // Goes out with the elections: it stops fetching before it leaves the in-sync replicas.
        for (at, _) in &followed {
            self.batch.stop_replica(id, at, false);
        }
        self.event_manager.first([
            Step::Elect(led, Strategy::ControlledShutdown),
            Step::Flush,
            Step::ReplicasOffline(followed),
            Step::Flush,
            Step::AnswerControlledShutdown(to, id),
        ]);
    }

    /// Answers with what the broker leads still; it asks again while that is something.
    pub(super) fn answer_controlled_shutdown(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        id: BrokerId,
    ) {
        let led = self.known.partitions.iter();
        let led = led.filter(|(_, one)| one.leader() == Some(id) && one.replicas.len() > 1);
        let remaining = led.map(|(at, _)| {
            RemainingPartition::default()
                .with_topic_name(topic_name(&at.topic))
                .with_partition_index(at.partition)
        });
        let response =
            ControlledShutdownResponse::default().with_remaining_partitions(remaining.collect());
        cx.reply(to, ResponseKind::ControlledShutdown(response));
    }
}
