//! Requests by which partitions are added, until they are answered.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, ResponseKind, TransactionalId,
};

use super::answers::{WITH_FENCED, as_known, code};
use crate::nodes::broker::context::{Context, ReplyTo};

/// Who asks for the partitions.
#[derive(Clone, Debug)]
pub enum Adding {
    /// AddPartitionsToTxn of one transaction: its topics, as they are to be answered.
    One(ReplyTo, Vec<AddPartitionsToTxnTopicResult>),
    /// The same of one of many, in the request with this number.
    OfMany(u64, TransactionalId, Vec<AddPartitionsToTxnTopicResult>),
    /// AddOffsetsToTxn.
    Offsets(ReplyTo),
}

/// A request with many transactions that is not answered yet.
#[derive(Debug)]
struct Many {
    to: ReplyTo,
    left: usize,
    results: Vec<AddPartitionsToTxnResult>,
}

/// Owns the requests with many transactions.
#[derive(Debug, Default)]
pub struct Batches {
    next: u64,
    waiting: BTreeMap<u64, Many>,
}

/// Gives all partitions one error.
fn set_errors(topics: &mut [AddPartitionsToTxnTopicResult], error: Option<ResponseError>) {
    for row in topics.iter_mut().flat_map(|topic| &mut topic.results_by_partition) {
        row.partition_error_code = code(error);
    }
}

impl Adding {
    /// Answers with an error, or with success.
    pub fn end(self, cx: &mut Context<'_>, batches: &mut Batches, error: Option<ResponseError>) {
        let known = |to: ReplyTo| error.map(|error| as_known(error, to.version, WITH_FENCED));
        match self {
            Self::One(to, mut topics) => {
                set_errors(&mut topics, known(to));
                answer_one(cx, to, topics);
            }
            Self::Offsets(to) => {
                let response = AddOffsetsToTxnResponse::default().with_error_code(code(known(to)));
                cx.reply(to, ResponseKind::AddOffsetsToTxn(response));
            }
            Self::OfMany(number, id, mut topics) => {
                set_errors(&mut topics, error);
                batches.done(cx, number, id, topics);
            }
        }
    }
}

/// Answers an AddPartitionsToTxn of one transaction.
pub fn answer_one(cx: &mut Context<'_>, to: ReplyTo, topics: Vec<AddPartitionsToTxnTopicResult>) {
    let response = AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics);
    cx.reply(to, ResponseKind::AddPartitionsToTxn(response));
}

impl Batches {
    /// A request with so many transactions.
    pub fn begin(&mut self, to: ReplyTo, left: usize) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, Many { to, left, results: Vec::new() });
        self.next
    }

    /// One of the transactions is done; the last one answers the request.
    pub fn done(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        id: TransactionalId,
        topics: Vec<AddPartitionsToTxnTopicResult>,
    ) {
        let Some(many) = self.waiting.get_mut(&number) else { return };
        let result = AddPartitionsToTxnResult::default();
        many.results.push(result.with_transactional_id(id).with_topic_results(topics));
        many.left -= 1;
        if many.left == 0 {
            let many = self.waiting.remove(&number).expect("it was just there");
            let response =
                AddPartitionsToTxnResponse::default().with_results_by_transaction(many.results);
            cx.reply(many.to, ResponseKind::AddPartitionsToTxn(response));
        }
    }
}
