//! InitProducerId: ids of idempotent producers (`ProducerIdManager`).
//!
//! A broker has a block of a thousand ids, and hands them out one by one. Up to 2.8 it takes a block from ZooKeeper
//! itself, the first one as it starts; since then it asks the controller when it needs one, and requests may be refused
//! meanwhile, to be sent again.

use std::collections::VecDeque;
use std::ops::Range;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, BrokerId as WireBrokerId, InitProducerIdRequest,
    InitProducerIdResponse, RequestKind, ResponseKind,
};
use tracing::{info, warn};

use super::controller_channel::{CallEnd, ControllerClient};
use super::zk_requests::Op;
use crate::nodes::broker::context::{Ask, Context, Purpose, ReplyTo};
use crate::nodes::broker::znodes::producer_ids::{BLOCK_SIZE, next_start};
use crate::releases::Change;
use crate::vocab::BrokerEpoch;
use crate::wire::zookeeper::{Code, Reply};

/// The first id of a block behind which the next block is asked for (`PidPrefetchThreshold`), since 3.0.
const PREFETCH_AT: i64 = BLOCK_SIZE as i64 * 9 / 10;

/// The ids of one broker.
#[derive(Debug, Default)]
pub struct ProducerIds {
    /// What is left of the block.
    block: Range<i64>,
    /// The block behind it (3.0+).
    next: Option<Range<i64>>,
    /// Requests that wait for a block.
    waiting: VecDeque<(ReplyTo, InitProducerIdRequest)>,
    /// Whether a block is asked for.
    asking: bool,
    /// Whether this process has asked as it started.
    has_started: bool,
}

impl ProducerIds {
    fn take(&mut self) -> Option<i64> {
        if self.block.is_empty() {
            self.block = self.next.take()?;
        }
        self.block.next()
    }
}

fn answer(cx: &mut Context<'_>, to: ReplyTo, result: Result<i64, ResponseError>) {
    let response = match result {
        Ok(id) => InitProducerIdResponse::default().with_producer_id(id.into()),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    };
    cx.reply(to, ResponseKind::InitProducerId(response));
}

/// The parts that InitProducerId works with.
#[derive(Debug)]
pub struct ProducerIdHandler<'a> {
    /// This broker's own; −1 before it is registered.
    pub broker_epoch: BrokerEpoch,
    /// The ids.
    pub ids: &'a mut ProducerIds,
    /// The ways to ZooKeeper and to the controller.
    pub client: ControllerClient<'a>,
}

impl ProducerIdHandler<'_> {
    /// The broker has started: up to 2.8 it takes a block, whether there will be producers or not. Only the first call
    /// counts. It comes behind the election of a controller, which in Kafka goes on at the same time.
    pub fn start(&mut self, cx: &mut Context<'_>) {
        let version = self.client.config.version;
        let is_first = !std::mem::replace(&mut self.ids.has_started, true);
        let takes_block = version.has(Change::IdempotentProducers)
            && !version.has(Change::ProducerIdsFromController);
        if is_first && takes_block {
            self.ask(cx);
        }
    }

    /// InitProducerId without a transactional id; answered when there is an id. One with a transactional id is given
    /// back: it is for the transaction coordinator.
    pub fn init_producer_id(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: InitProducerIdRequest,
    ) -> Option<InitProducerIdRequest> {
        if (request.producer_id.0 < 0) != (request.producer_epoch < 0) {
            answer(cx, to, Err(ResponseError::InvalidRequest));
            return None;
        }
        if request.transactional_id.is_some() {
            return Some(request);
        }
        if let Some(id) = self.id_for(cx, to, &request) {
            answer(cx, to, Ok(id));
        }
        None
    }

    /// An id for a request. `None` when there is none: the request comes back as [`Ask::InitProducerId`] when there is
    /// one, or is refused.
    pub fn id_for(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &InitProducerIdRequest,
    ) -> Option<i64> {
        let version = self.client.config.version;
        match self.ids.take() {
            Some(id) => {
                let is_late = id % i64::from(BLOCK_SIZE) == PREFETCH_AT;
                if is_late && version.has(Change::ProducerIdsFromController) {
                    self.ask(cx);
                }
                return Some(id);
            }
            None if version.has(Change::ProducerIdsNotAwaited) => {
                self.ask(cx);
                answer(cx, to, Err(ResponseError::CoordinatorLoadInProgress));
            }
            None => {
                self.ids.waiting.push_back((to, request.clone()));
                self.ask(cx);
            }
        }
        None
    }

    /// Asks for a block, unless one is asked for or in store.
    fn ask(&mut self, cx: &mut Context<'_>) {
        if self.ids.next.is_some() || std::mem::replace(&mut self.ids.asking, true) {
            return;
        }
        let config = self.client.config;
        if !config.version.has(Change::ProducerIdsFromController) {
            self.client.zk.ask(cx, Op::ReadProducerIds);
            return;
        }
        let request = AllocateProducerIdsRequest::default()
            .with_broker_id(WireBrokerId(config.id.0))
            .with_broker_epoch(self.broker_epoch);
        let (body, to) = (RequestKind::AllocateProducerIds(request), self.client.controller_node());
        if self.client.call(cx, Purpose::AllocateProducerIds, to, 0, body).is_err() {
            self.failed(cx);
        }
    }

    /// No block came: requests that waited are refused, to be sent again.
    fn failed(&mut self, cx: &mut Context<'_>) {
        self.ids.asking = false;
        for (to, _) in std::mem::take(&mut self.ids.waiting) {
            answer(cx, to, Err(ResponseError::CoordinatorLoadInProgress));
        }
    }

    fn got(&mut self, cx: &mut Context<'_>, block: Range<i64>) {
        info!(broker = %self.client.config.id, ?block, "has a block of producer ids");
        self.ids.asking = false;
        self.ids.next = Some(block);
        for (to, request) in std::mem::take(&mut self.ids.waiting) {
            cx.ask(Ask::InitProducerId(to, request));
        }
    }

    /// The controller answered, or did not.
    pub fn allocated(&mut self, cx: &mut Context<'_>, end: CallEnd) {
        match end {
            Some(ResponseKind::AllocateProducerIds(response)) if response.error_code == 0 => {
                let start = response.producer_id_start.0;
                self.got(cx, start..start + i64::from(response.producer_id_len));
            }
            other => {
                warn!(broker = %self.client.config.id, ?other, "no block of producer ids");
                self.failed(cx);
            }
        }
    }

    /// The last block was read: the next one is written over it.
    pub fn read(&mut self, cx: &mut Context<'_>, result: &Result<Reply, Code>) {
        let Ok(Reply::Data { data, stat }) = result else {
            warn!(broker = %self.client.config.id, ?result, "no block of producer ids");
            return self.failed(cx);
        };
        match next_start(&data.clone().unwrap_or_default()) {
            Ok(start) => {
                let version = stat.version;
                self.client.zk.ask(cx, Op::WriteProducerIds { start, version });
            }
            Err(why) => {
                warn!(broker = %self.client.config.id, %why, "no block of producer ids");
                self.failed(cx);
            }
        }
    }

    /// The next block was written, or another broker took it first. Without the session it is not known: the block
    /// may be lost.
    pub fn written(&mut self, cx: &mut Context<'_>, start: i64, result: &Result<Reply, Code>) {
        match result {
            Ok(_) => self.got(cx, start..start + i64::from(BLOCK_SIZE)),
            Err(_) => self.client.zk.ask(cx, Op::ReadProducerIds),
        }
    }
}
