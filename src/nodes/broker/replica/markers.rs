//! WriteTxnMarkers: the ends of transactions, which a transaction coordinator has written into the partitions of
//! others (`KafkaApis.handleWriteTxnMarkersRequest`).
//!
//! Each marker is an append of its own to all of its partitions, with `acks=all`; the request is answered when all are
//! over.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{
    ProduceResponse, ProducerId, ResponseKind, TopicName, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};

use super::acks::ACKS_ALL;
use super::handlers::WaitsFor;
use super::partition::PartitionReplica;
use super::produce::{ProduceHandler, check_leader};
use super::purgatory::{AppendedBy, Unsettled};
use super::replicas::Slot;
use crate::nodes::broker::config::OFFSETS_TOPIC;
use crate::nodes::broker::context::{Ask, Context, MarkerAppended, ReplyTo, TransactionCompleted};
use crate::nodes::broker::log::producers::Stale;
use crate::vocab::Offset;
use crate::wire::markers::EndMarker;

/// The partitions of a topic that can have markers.
const WITH_TRANSACTIONS: i8 = 2;

/// A partition by topic and number.
type Partition = (TopicName, i32);

/// One marker of a request.
#[derive(Debug)]
struct Marker {
    /// Whose transaction ends: id and epoch.
    producer: (i64, i16),
    end: EndMarker,
    partitions: Vec<Partition>,
}

/// A request that is being worked on.
#[derive(Debug)]
pub struct WritingMarkers {
    /// Its number.
    request: u64,
    markers: Vec<Marker>,
    /// What is next: the marker, and the partition of it.
    next: (usize, usize),
    /// The answers for the partitions of this marker so far.
    rows: Vec<PartitionProduceResponse>,
    unsettled: Vec<Unsettled>,
}

/// The errors of a producer's partitions; 0 where the marker is written.
type Errors = BTreeMap<Partition, i16>;

/// A request that waits for its appends.
#[derive(Debug)]
struct Waiting {
    to: ReplyTo,
    /// Markers that are not over.
    left: usize,
    /// Producer, commit or not, and partitions of each marker.
    markers: Vec<(i64, bool, Vec<Partition>)>,
    errors: BTreeMap<i64, Errors>,
}

/// Owns the requests that wait for their appends.
#[derive(Debug, Default)]
pub struct MarkerRequests {
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
}

fn markers_of(request: WriteTxnMarkersRequest) -> Vec<Marker> {
    let markers = request.markers.into_iter().map(|marker| {
        let end = EndMarker {
            commit: marker.transaction_result,
            coordinator_epoch: marker.coordinator_epoch,
        };
        let partitions = marker.topics.into_iter().flat_map(|topic| {
            let numbers = topic.partition_indexes.into_iter();
            numbers.map(move |number| (topic.name.clone(), number))
        });
        Marker {
            producer: (marker.producer_id.0, marker.producer_epoch),
            end,
            partitions: partitions.collect(),
        }
    });
    markers.collect()
}

fn response(errors: BTreeMap<i64, Errors>) -> WriteTxnMarkersResponse {
    let markers = errors.into_iter().map(|(producer, partitions)| {
        let mut topics: Vec<WritableTxnMarkerTopicResult> = Vec::new();
        for ((topic, number), code) in partitions {
            let row = WritableTxnMarkerPartitionResult::default()
                .with_partition_index(number)
                .with_error_code(code);
            match topics.last_mut().filter(|last| last.name == topic) {
                Some(last) => last.partitions.push(row),
                None => topics.push(
                    WritableTxnMarkerTopicResult::default()
                        .with_name(topic)
                        .with_partitions(vec![row]),
                ),
            }
        }
        WritableTxnMarkerResult::default()
            .with_producer_id(ProducerId(producer))
            .with_topics(topics)
    });
    WriteTxnMarkersResponse::default().with_markers(markers.collect())
}

impl MarkerRequests {
    /// A request came. Returns what is to be written.
    pub fn begin(&mut self, to: ReplyTo, request: WriteTxnMarkersRequest) -> WritingMarkers {
        let markers = markers_of(request);
        let request = self.next;
        self.next += 1;
        let of =
            |marker: &Marker| (marker.producer.0, marker.end.commit, marker.partitions.clone());
        let waiting = Waiting {
            to,
            left: markers.len(),
            markers: markers.iter().map(of).collect(),
            errors: BTreeMap::new(),
        };
        self.waiting.insert(request, waiting);
        let (rows, unsettled) = (Vec::new(), Vec::new());
        WritingMarkers { request, markers, next: (0, 0), rows, unsettled }
    }

    /// One marker of a request is over, with these errors for its partitions. What a group coordinator wrote in the
    /// transaction counts from now on, or never.
    pub fn ended(&mut self, cx: &mut Context<'_>, appended: MarkerAppended) {
        let MarkerAppended { request, marker, codes } = appended;
        let waiting = self.waiting.get_mut(&request).expect("it waits for its markers");
        let (producer, commit, partitions) = &mut waiting.markers[marker];
        let of_producer = waiting.errors.entry(*producer).or_default();
        let mut offsets = Vec::new();
        for (partition, code) in std::mem::take(partitions).into_iter().zip(codes) {
            if code == 0 && partition.0.as_str() == OFFSETS_TOPIC {
                offsets.push(partition.1);
            }
            of_producer.insert(partition, code);
        }
        if !offsets.is_empty() {
            let (producer_id, partitions, commit) = (*producer, offsets, *commit);
            let completed = TransactionCompleted { producer_id, partitions, commit };
            cx.ask(Ask::TransactionCompleted(completed));
        }
        waiting.left -= 1;
        self.answer_if_over(cx, request);
    }

    /// Answers a request all of whose markers are over.
    pub fn answer_if_over(&mut self, cx: &mut Context<'_>, request: u64) {
        if self.waiting.get(&request).is_some_and(|waiting| waiting.left == 0) {
            let Waiting { to, errors, .. } = self.waiting.remove(&request).expect("it is there");
            cx.reply(to, ResponseKind::WriteTxnMarkers(response(errors)));
        }
    }
}

impl WritingMarkers {
    /// The request's number.
    pub fn request(&self) -> u64 {
        self.request
    }

    /// The marker that is next, and the partition of it, if one is left.
    fn next(&self) -> Option<(&Marker, Option<&Partition>)> {
        let marker = self.markers.get(self.next.0)?;
        Some((marker, marker.partitions.get(self.next.1)))
    }
}

/// Whether a replica takes a marker.
fn check(
    partition: &PartitionReplica,
    (id, epoch): (i64, i16),
    end: EndMarker,
) -> Result<(), ResponseError> {
    match partition.log.producers().check_marker(id, epoch, end.coordinator_epoch) {
        Ok(()) => Ok(()),
        Err(Stale::Producer) => Err(ResponseError::InvalidProducerEpoch),
        Err(Stale::Coordinator) => Err(ResponseError::TransactionCoordinatorFenced),
    }
}

impl ProduceHandler<'_> {
    /// Writes the marker that is next into the partition that is next. Returns where it is, and behind what.
    fn write_marker(
        &mut self,
        cx: &mut Context<'_>,
        writing: &WritingMarkers,
        slot: Option<Slot>,
    ) -> Result<(Slot, Offset), ResponseError> {
        let slot = slot.ok_or(ResponseError::UnknownTopicOrPartition)?;
        let partition = self.leader.replicas.at(slot);
        if partition.settings.magic < WITH_TRANSACTIONS {
            return Err(ResponseError::UnsupportedForMessageFormat);
        }
        if self.logs.is_shutting_down() {
            return Err(ResponseError::NotLeaderOrFollower);
        }
        check_leader(partition, ACKS_ALL, self.leader.config.version)?;
        let Marker { producer, end, .. } = &writing.markers[writing.next.0];
        check(partition, *producer, *end)?;
        let batch = end.batch(*producer, cx.clock.wall_ms);
        let (_, required) = self.append(cx, slot, &batch);
        Ok((slot, required))
    }

    /// Lets a marker wait for the in-sync replicas of its partitions.
    fn marker_written(&mut self, cx: &mut Context<'_>, writing: &mut WritingMarkers) {
        let rows = std::mem::take(&mut writing.rows);
        let unsettled = std::mem::take(&mut writing.unsettled);
        let by = AppendedBy::Marker { request: writing.request, marker: writing.next.0 };
        writing.next = (writing.next.0 + 1, 0);
        let topic = TopicProduceResponse::default().with_partition_responses(rows);
        let response = ProduceResponse::default().with_responses(vec![topic]);
        if unsettled.is_empty() {
            return by.end(cx, response);
        }
        let due = cx.clock.now + self.leader.config.request_timeout;
        self.wait(cx, by, (ACKS_ALL, due), response, unsettled);
    }

    /// Writes markers; gives them back when the handler has to block.
    pub fn go_on_writing(
        &mut self,
        cx: &mut Context<'_>,
        mut writing: WritingMarkers,
    ) -> Option<(WaitsFor, WritingMarkers)> {
        while let Some((_, partition)) = writing.next() {
            let Some((topic, number)) = partition else {
                self.marker_written(cx, &mut writing);
                continue;
            };
            let slot = self.leader.replicas.find(topic, *number);
            if let Some(slot) = slot
                && (self.is_writing(slot) || self.leader.replicas.writes_isr(slot))
            {
                return Some((WaitsFor::Lock(slot), writing));
            }
            let written = self.write_marker(cx, &writing, slot);
            let code = written.as_ref().err().map_or(0, ResponseError::code);
            let place = (0, writing.rows.len());
            writing.rows.push(PartitionProduceResponse::default().with_error_code(code));
            writing.next.1 += 1;
            let Ok((slot, required)) = written else { continue };
            writing.unsettled.push(Unsettled { place, slot, required });
            if self.is_writing(slot) {
                return Some((WaitsFor::OwnAppend(slot), writing));
            }
            if let Some(locked) = self.leader.hold_fetch(slot) {
                return Some((WaitsFor::Lock(locked), writing));
            }
        }
        None
    }
}
