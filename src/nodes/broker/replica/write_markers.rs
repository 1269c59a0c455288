//! WriteTxnMarkers at the replica manager.

use kafka_protocol::messages::WriteTxnMarkersRequest;

use super::handlers::Blocked;
use super::manager::ReplicaManager;
use super::markers::WritingMarkers;
use crate::nodes::broker::context::{Context, MarkerAppended, ReplyTo};
use crate::nodes::broker::log::producers::Producers;

impl ReplicaManager {
    /// WriteTxnMarkers; answered when all markers are replicated.
    pub fn write_markers(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: WriteTxnMarkersRequest,
    ) {
        let writing = self.markers.begin(to, request);
        // One without markers.
        self.markers.answer_if_over(cx, writing.request());
        self.go_on_writing(cx, writing);
    }

    /// Writes markers, until they are in the logs or the handler has to block.
    pub(super) fn go_on_writing(&mut self, cx: &mut Context<'_>, writing: WritingMarkers) {
        let blocked = self.producing().go_on_writing(cx, writing);
        if let Some((waits_for, writing)) = blocked {
            self.handlers.block(waits_for, Blocked::Markers(Box::new(writing)));
        }
    }

    /// What is known of the producers of a partition, if it has a replica here.
    pub fn producers(&self, topic: &str, partition: i32) -> Option<&Producers> {
        let slot = self.replicas.find(topic, partition)?;
        Some(self.replicas.at(slot).log.producers())
    }

    /// A marker of a WriteTxnMarkers request is over, with these errors for its partitions.
    pub fn marker_ended(&mut self, cx: &mut Context<'_>, appended: MarkerAppended) {
        self.markers.ended(cx, appended);
    }
}
