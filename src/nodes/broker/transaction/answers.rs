//! Answers, as each version of them and its clients know them.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdResponse, ResponseKind};

use crate::nodes::broker::context::{Context, ReplyTo};

/// The first versions of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn whose clients know PRODUCER_FENCED.
pub const WITH_FENCED: i16 = 2;
/// The first version of InitProducerId whose clients do.
const INIT_WITH_FENCED: i16 = 4;

/// An error, as clients of this version of an API know it: PRODUCER_FENCED since `first`.
pub fn as_known(error: ResponseError, api_version: i16, first: i16) -> ResponseError {
    match error {
        ResponseError::ProducerFenced if api_version < first => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}

/// The error code of a result.
pub fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

/// Answers InitProducerId, with id and epoch or an error.
pub fn initialized(cx: &mut Context<'_>, to: ReplyTo, result: Result<(i64, i16), ResponseError>) {
    let response = match result {
        Ok((id, epoch)) => {
            InitProducerIdResponse::default().with_producer_id(id.into()).with_producer_epoch(epoch)
        }
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(as_known(error, to.version, INIT_WITH_FENCED).code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    };
    cx.reply(to, ResponseKind::InitProducerId(response));
}
