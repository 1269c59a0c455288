//! AllocateProducerIds (3.0+): the controller takes blocks of producer ids for brokers (`ZkProducerIdManager`).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, ResponseKind,
};

use super::calls::{Answer, Call};
use super::kafka_controller::Controller;
use super::refusals::refuse_producer_ids;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::{paths, producer_ids};
use crate::vocab::BrokerId;
use crate::wire::zookeeper::Code;

impl Controller {
    pub(super) fn process_allocate_producer_ids(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &AllocateProducerIdsRequest,
    ) {
        let broker = BrokerId(request.broker_id.0);
        match self.known.brokers.get(&broker) {
            None => refuse_producer_ids(cx, to, ResponseError::BrokerIdNotRegistered),
            Some(known) if known.epoch != request.broker_epoch => {
                refuse_producer_ids(cx, to, ResponseError::StaleBrokerEpoch);
            }
            Some(_) => self.take_producer_ids(cx, to, broker),
        }
    }

    /// Reads the last block, and writes the next one over it, if no other has.
    fn take_producer_ids(&mut self, cx: &mut Context<'_>, to: ReplyTo, broker: BrokerId) {
        let read = vec![Call::get(paths::LATEST_PRODUCER_ID_BLOCK, false)];
        self.ask(cx, read, move |controller, cx, answers| {
            let Some(Answer::Data { data, stat }) = answers.into_iter().next() else {
                return refuse_producer_ids(cx, to, ResponseError::UnknownServerError);
            };
            let Ok(start) = producer_ids::next_start(&data) else {
                return refuse_producer_ids(cx, to, ResponseError::UnknownServerError);
            };
            let block = producer_ids::encode(broker, start);
            let path = paths::LATEST_PRODUCER_ID_BLOCK;
            let write = vec![Call::set(path, block, stat.version).unfenced()];
            controller.ask(cx, write, move |controller, cx, answers| {
                match answers.into_iter().next() {
                    Some(Answer::Stat(_)) => {
                        let response = AllocateProducerIdsResponse::default()
                            .with_producer_id_start(start.into())
                            .with_producer_id_len(producer_ids::BLOCK_SIZE);
                        cx.reply(to, ResponseKind::AllocateProducerIds(response));
                    }
                    Some(Answer::Failed(Code::BAD_VERSION)) => {
                        controller.take_producer_ids(cx, to, broker);
                    }
                    other => {
                        tracing::warn!(?other, "no block of producer ids");
                        refuse_producer_ids(cx, to, ResponseError::UnknownServerError);
                    }
                }
            });
        });
    }
}
