//! InitProducerId with a transactional id: its producer gets an id and an epoch, and others are fenced.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::InitProducerIdRequest;

use super::answers::initialized;
use super::appends::Written;
use super::coordinator::TransactionCoordinator;
use super::ending::Ended;
use super::state::{NO_EPOCH, State, Transaction, fenced, is_exhausted};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};

/// What has room in a record. Kafka closes the connection when it reads a longer text.
const LONGEST_ID: usize = i16::MAX as usize;

/// What InitProducerId makes of a transactional id.
enum Init {
    /// Its producer gets this epoch, behind that one.
    Epoch(i16, i16),
    /// No epoch is left: it gets another producer id. The epoch before is this one.
    Rotate(i16),
    /// Its transaction has to be aborted first.
    Fence,
}

/// The producer id and epoch that the client has, as it says (KIP-360).
fn expected(request: &InitProducerIdRequest) -> Option<(i64, i16)> {
    let (id, epoch) = (request.producer_id.0, request.producer_epoch);
    (id >= 0 && epoch >= 0).then_some((id, epoch))
}

/// What is to be done with a transactional id that is known (`prepareInitProducerIdTransit`).
fn init(
    config: &Config,
    known: &Transaction,
    request: &InitProducerIdRequest,
) -> Result<Init, ResponseError> {
    if known.pending.is_some() {
        return Err(ResponseError::ConcurrentTransactions);
    }
    let expected = expected(request);
    // A client that had the last epoch of the id before may not have got the answer that gave it this id.
    let is_of = |(id, epoch): (i64, i16)| {
        known.epoch == NO_EPOCH
            || id == known.producer_id
            || (id == known.last_producer_id && is_exhausted(epoch))
    };
    if !expected.is_none_or(is_of) {
        return Err(fenced(config.version));
    }
    match known.state {
        State::PrepareCommit | State::PrepareAbort => {
            return Err(ResponseError::ConcurrentTransactions);
        }
        State::Ongoing => return Ok(Init::Fence),
        _ => {}
    }
    let expected = expected.map(|(_, epoch)| epoch);
    if is_exhausted(known.epoch) && expected.is_none_or(|epoch| epoch == known.epoch) {
        return Ok(Init::Rotate(if expected.is_some() { known.epoch } else { NO_EPOCH }));
    }
    let bumped = known.epoch.saturating_add(1);
    match expected {
        None => Ok(Init::Epoch(bumped, NO_EPOCH)),
        Some(epoch) if known.epoch == NO_EPOCH || epoch == known.epoch => {
            Ok(Init::Epoch(bumped, known.epoch))
        }
        // Its last request was not answered: it gets the same again.
        Some(epoch) if epoch == known.last_epoch => Ok(Init::Epoch(known.epoch, known.last_epoch)),
        Some(_) => Err(fenced(config.version)),
    }
}

impl TransactionCoordinator {
    fn checked(
        &self,
        request: &InitProducerIdRequest,
    ) -> Result<Option<&Transaction>, ResponseError> {
        let id = request.transactional_id.as_ref().map_or("", |id| id.as_str());
        let timeouts = 1..=self.config.transactions.max_timeout_ms;
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(ResponseError::InvalidRequest);
        }
        if !timeouts.contains(&request.transaction_timeout_ms) {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        Ok(self.find(id)?.1)
    }

    /// Whether a new producer id is needed to answer a request.
    pub fn needs_producer_id(&self, request: &InitProducerIdRequest) -> bool {
        match self.checked(request) {
            Ok(None) => true,
            Ok(Some(known)) => matches!(init(&self.config, known, request), Ok(Init::Rotate(_))),
            Err(_) => false,
        }
    }

    /// InitProducerId with a transactional id; `new_id` is there when it
    /// [is needed](TransactionCoordinator::needs_producer_id).
    pub fn init_producer_id(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &InitProducerIdRequest,
        new_id: Option<i64>,
    ) {
        let is_known = match self.checked(request) {
            Ok(known) => known.is_some(),
            Err(error) => return initialized(cx, to, Err(error)),
        };
        let id = request.transactional_id.clone().expect("it was just checked").0;
        let timeout_ms = request.transaction_timeout_ms;
        if !is_known {
            let new_id = new_id.expect("a new transactional id needs one");
            let new = Transaction::new(id.clone(), new_id, timeout_ms, cx.clock.wall_ms);
            let partition = self.partition(&id);
            let owned = self.owned.get_mut(&partition).expect("it coordinates the id");
            owned.transactions.insert(id.clone(), new);
        }
        let config = self.config.clone();
        let known = self.find_mut(&id).expect("it was just found or made");
        let producer = match init(&config, known, request) {
            Err(error) => return initialized(cx, to, Err(error)),
            Ok(Init::Fence) => return self.fence(cx, &id, Ended::Init(to)),
            Ok(Init::Epoch(epoch, last)) => (known.producer_id, epoch, last),
            Ok(Init::Rotate(last)) => (new_id.expect("it is needed"), 0, last),
        };
        let next = known.prepare_producer(producer, timeout_ms, cx.clock.wall_ms);
        self.write(cx, &id, next, Written::Init(to));
    }
}
