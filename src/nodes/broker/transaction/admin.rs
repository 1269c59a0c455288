//! ListTransactions, DescribeTransactions (KIP-664).

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::list_transactions_response as listed;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse, ResponseKind, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::coordinator::TransactionCoordinator;
use super::state::{State, Transaction};
use super::stored::by_topic;
use crate::nodes::broker::answer_room::AnswerRoom;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};

fn described(known: &Transaction) -> TransactionState {
    let topics = by_topic(&known.partitions).into_iter().map(|(topic, partitions)| {
        TopicData::default().with_topic(TopicName(topic)).with_partitions(partitions)
    });
    TransactionState::default()
        .with_producer_id(known.producer_id.into())
        .with_producer_epoch(known.epoch)
        .with_transaction_state(StrBytes::from_static_str(known.state.name()))
        .with_transaction_timeout_ms(known.timeout_ms)
        .with_transaction_start_time_ms(known.start_ms)
        .with_topics(topics.collect())
}

impl TransactionCoordinator {
    /// DescribeTransactions.
    pub fn describe_transactions(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: DescribeTransactionsRequest,
    ) {
        let mut response = DescribeTransactionsResponse::default();
        let mut room = AnswerRoom::default();
        for id in request.transactional_ids {
            let found = if id.is_empty() {
                Err(ResponseError::InvalidRequest)
            } else {
                self.find(&id)
                    .and_then(|(_, known)| known.ok_or(ResponseError::TransactionalIdNotFound))
            };
            let state = match found {
                Ok(known) => described(known),
                Err(error) => TransactionState::default().with_error_code(error.code()),
            };
            let parts = 1 + state.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>();
            if room.take(parts, id.len()).is_none() {
                return cx.ask(Ask::Close(to.conn));
            }
            response.transaction_states.push(state.with_transactional_id(id));
        }
        cx.reply(to, ResponseKind::DescribeTransactions(response));
    }

    /// ListTransactions: those of this coordinator.
    pub fn list_transactions(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &ListTransactionsRequest,
    ) {
        if self.loads.is_any_loading() {
            let error = ResponseError::CoordinatorLoadInProgress.code();
            let response = ListTransactionsResponse::default().with_error_code(error);
            return cx.reply(to, ResponseKind::ListTransactions(response));
        }
        let state_of = |name: &StrBytes| State::ALL.into_iter().find(|one| *one.name() == **name);
        let names: BTreeSet<&StrBytes> = request.state_filters.iter().collect();
        let unknown = names.iter().filter(|name| state_of(name).is_none());
        let states: Vec<State> = names.iter().filter_map(|name| state_of(name)).collect();
        let producers: BTreeSet<i64> = request.producer_id_filters.iter().map(|id| id.0).collect();
        let at_least = request.duration_filter;
        let is_wanted = |known: &&Transaction| {
            (producers.is_empty() || producers.contains(&known.producer_id))
                && (names.is_empty() || states.contains(&known.state))
                && (at_least < 0 || cx.clock.wall_ms - known.start_ms > at_least)
        };
        let all = self.owned.values().flat_map(|owned| owned.transactions.values());
        let rows = all.filter(is_wanted).map(|known| {
            listed::TransactionState::default()
                .with_transactional_id(TransactionalId(known.id.clone()))
                .with_producer_id(known.producer_id.into())
                .with_transaction_state(StrBytes::from_static_str(known.state.name()))
        });
        let response = ListTransactionsResponse::default()
            .with_unknown_state_filters(unknown.map(|name| (*name).clone()).collect())
            .with_transaction_states(rows.collect());
        cx.reply(to, ResponseKind::ListTransactions(response));
    }
}
