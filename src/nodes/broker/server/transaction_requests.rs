//! Requests about transactions, each with what the coordinator has to know beside it, and the way of its markers.

use kafka_protocol::messages::{InitProducerIdRequest, RequestKind};

use super::broker::Broker;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::transaction::Destination;

impl Broker {
    /// A request for the transaction coordinator.
    pub(super) fn transaction_request(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        body: RequestKind,
    ) {
        match body {
            RequestKind::InitProducerId(request) => self.init_producer_id(cx, to, request),
            RequestKind::AddPartitionsToTxn(request) => {
                let metadata = &self.metadata;
                let knows = |topic: &str, partition: i32| metadata.has_partition(topic, partition);
                self.transactions.add_partitions(cx, to, request, &knows);
            }
            RequestKind::AddOffsetsToTxn(request) => {
                self.transactions.add_offsets(cx, to, request);
            }
            RequestKind::EndTxn(request) => self.transactions.end_transaction(cx, to, request),
            RequestKind::DescribeTransactions(request) => {
                self.transactions.describe_transactions(cx, to, request);
            }
            RequestKind::ListTransactions(request) => {
                self.transactions.list_transactions(cx, to, &request);
            }
            other => unreachable!("{other:?} is not about transactions"),
        }
    }

    /// InitProducerId, with a transactional id or without.
    pub(super) fn init_producer_id(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: InitProducerIdRequest,
    ) {
        if let Some(request) = self.producer_ids().init_producer_id(cx, to, request) {
            let needs_id = self.transactions.needs_producer_id(&request);
            let mut ids = self.producer_ids();
            let id = if needs_id { Some(ids.id_for(cx, to, &request)) } else { None };
            match id {
                None => self.transactions.init_producer_id(cx, to, &request, None),
                Some(Some(id)) => self.transactions.init_producer_id(cx, to, &request, Some(id)),
                // It waits for ids, or was refused.
                Some(None) => {}
            }
        }
    }

    /// Sends markers on their way, as far as this broker knows the leaders of the partitions.
    pub(super) fn route_markers(&mut self, cx: &mut Context<'_>) {
        let (metadata, roster) = (&self.metadata, &self.roster);
        let leads = |topic: &str, partition: i32| {
            if !metadata.has_partition(topic, partition) {
                return Destination::Gone;
            }
            let leader = metadata.leader(topic, partition);
            let host = leader.and_then(|id| Some((id, metadata.broker(id)?)));
            let node = host.and_then(|(id, at)| Some((id, roster.find(&at.internal.host)?)));
            node.map_or(Destination::Unknown, |(id, node)| Destination::At(id, node))
        };
        self.transactions.route(cx, &leads);
    }
}
