//! A transaction that is to end, and who waits for it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{EndTxnResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use super::answers::{WITH_FENCED, as_known, code, initialized};
use crate::nodes::broker::context::{Context, ReplyTo};

/// Why a transaction ends, and who waits for it.
#[derive(Clone, Copy, Debug)]
pub enum Ended {
    /// EndTxn.
    Client(ReplyTo),
    /// InitProducerId, while the transaction of the producer before is ongoing. The client has to ask again.
    Init(ReplyTo),
    /// It is over its timeout.
    Timeout,
}

impl Ended {
    /// Answers.
    pub fn answer(self, cx: &mut Context<'_>, id: &StrBytes, error: Option<ResponseError>) {
        match self {
            Self::Client(to) => {
                let error = error.map(|error| as_known(error, to.version, WITH_FENCED));
                let response = EndTxnResponse::default().with_error_code(code(error));
                cx.reply(to, ResponseKind::EndTxn(response));
            }
            Self::Init(to) => {
                let error = error.unwrap_or(ResponseError::ConcurrentTransactions);
                initialized(cx, to, Err(error));
            }
            Self::Timeout => tracing::info!(%id, ?error, "a transaction is over its timeout"),
        }
    }
}

/// A transaction that is to end.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The transactional id.
    pub id: StrBytes,
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch: as the client says, or the one that fences.
    pub epoch: i16,
    /// Whether it is committed.
    pub commit: bool,
    /// Why it ends.
    pub by: Ended,
}
