//! Markers: each leader of a partition of a transaction writes one, and when all are written, so is that the
//! transaction is complete (`TransactionMarkerChannelManager`, `TransactionMarkerRequestCompletionHandler`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::WriteTxnMarkersResponse;
use kafka_protocol::protocol::StrBytes;

use super::appends::Written;
use super::coordinator::TransactionCoordinator;
use super::deadlines::Due;
use super::marker::{Destination, Leads, Marker, Markers, Pending};
use super::state::{Next, Place, State};
use crate::nodes::broker::context::{Ask, Context};
use crate::releases::Change;
use crate::vocab::LeaderEpoch;

/// How long markers that a leader refused wait for news of another leader. Kafka sends them again at once; here that
/// would be many requests, of which only the one after the news counts.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

/// How the answer to a marker was taken.
enum Taken {
    /// These partitions are tried again.
    Again(BTreeSet<Place>),
    /// A newer producer or coordinator has taken over.
    Fenced,
}

impl TransactionCoordinator {
    /// It is written how a transaction ends, or that was loaded: its partitions get markers, and then it becomes
    /// `next`.
    pub(super) fn send_markers(
        &mut self,
        cx: &mut Context<'_>,
        id: &StrBytes,
        epoch: LeaderEpoch,
        next: Next,
    ) {
        let partition = self.partition(id);
        let known = self.find_mut(id).expect("it was just changed");
        let marker = Marker {
            id: id.clone(),
            coordinator: (partition, epoch),
            producer_id: known.producer_id,
            epoch: known.epoch,
            commit: next.state == State::CompleteCommit,
            places: known.partitions.clone(),
        };
        self.markers.pending.insert(id.clone(), Pending { id: id.clone(), epoch, next });
        if !marker.places.is_empty() {
            self.markers.unrouted.push(marker);
        }
        self.complete_if_done(cx, id);
    }

    /// Whether destinations are to be looked up: see [`TransactionCoordinator::route`].
    pub fn has_unrouted(&self) -> bool {
        !self.markers.unrouted.is_empty()
    }

    /// Sends markers to the leaders of their partitions.
    pub fn route(&mut self, cx: &mut Context<'_>, leads: Leads<'_>) {
        // The sender looks again after those without a leader whenever it wakes up.
        let leaderless = std::mem::take(&mut self.markers.leaderless);
        let unrouted = std::mem::take(&mut self.markers.unrouted);
        for marker in leaderless.into_iter().chain(unrouted) {
            let mut places: BTreeMap<Destination, BTreeSet<Place>> = BTreeMap::new();
            for place in &marker.places {
                places.entry(leads(&place.0, place.1)).or_default().insert(place.clone());
            }
            for (destination, places) in places {
                let marker = Marker { places, ..marker.clone() };
                match destination {
                    Destination::Gone => self.drop_places(cx, marker),
                    Destination::Unknown => self.markers.leaderless.push(marker),
                    Destination::At(broker, node) => self.senders.push(broker, node, marker),
                }
            }
        }
        self.senders.drive_all(cx, &mut self.alarm);
    }

    /// Partitions that are gone need no markers.
    fn drop_places(&mut self, cx: &mut Context<'_>, marker: Marker) {
        let Some(known) = self.find_in(&marker.id, marker.coordinator.1) else {
            self.forget_pending(&marker);
            return;
        };
        tracing::info!(id = %marker.id, places = ?marker.places, "no such partitions: no markers");
        known.partitions.retain(|place| !marker.places.contains(place));
        self.complete_if_done(cx, &marker.id);
    }

    /// What is known of the cluster has changed: markers that wait may have other destinations.
    pub fn metadata_changed(&mut self) {
        self.markers.unrouted.append(&mut self.markers.leaderless);
        self.markers.unrouted.append(&mut self.senders.take_unsent());
    }

    /// A leader refused markers: they are tried again after a pause, or when there is news.
    fn refused(&mut self, cx: &mut Context<'_>, marker: Marker) {
        self.markers.leaderless.push(marker);
        if !std::mem::replace(&mut self.markers.is_again_due, true) {
            self.alarm.set_after(cx, REFUSED_PAUSE, Due::MarkersAgain);
        }
    }

    /// Tries the markers again that leaders refused.
    pub(super) fn markers_again(&mut self) {
        self.markers.is_again_due = false;
        self.markers.unrouted.append(&mut self.markers.leaderless);
    }

    /// A transaction does not wait for its markers any more. Up to 3.7.0 that can hit the same transaction as its
    /// coordinator of a later epoch has it, which then never completes it.
    fn forget_pending(&mut self, marker: &Marker) {
        let compares = self.config.version.has(Change::MarkersForgottenByEpoch);
        let is_it = |pending: &Pending| !compares || pending.epoch == marker.coordinator.1;
        if self.markers.pending.get(&marker.id).is_some_and(is_it) {
            self.markers.pending.remove(&marker.id);
        }
    }

    /// Drops the markers of a partition of `__transaction_state` that are not sent yet.
    pub(super) fn drop_markers(&mut self, partition: i32) {
        let Markers { unrouted, leaderless, .. } = &mut self.markers;
        let is_of = |marker: &mut Marker| marker.coordinator.0 == partition;
        let mut dropped: Vec<Marker> = unrouted.extract_if(.., is_of).collect();
        dropped.extend(leaderless.extract_if(.., is_of));
        dropped.extend(self.senders.take_of(partition));
        for marker in dropped {
            self.forget_pending(&marker);
        }
    }

    /// A request with markers ended, with an answer or without.
    pub(super) fn markers_ended(
        &mut self,
        cx: &mut Context<'_>,
        markers: Vec<Marker>,
        response: Option<&WriteTxnMarkersResponse>,
    ) {
        for marker in markers {
            let epoch = marker.coordinator.1;
            if self.find_in(&marker.id, epoch).is_none() {
                self.forget_pending(&marker);
                continue;
            }
            let Some(response) = response else {
                self.markers.unrouted.push(marker);
                continue;
            };
            match self.take_answer(cx, &marker, response) {
                Taken::Fenced => self.forget_pending(&marker),
                Taken::Again(places) if places.is_empty() => self.complete_if_done(cx, &marker.id),
                Taken::Again(places) => self.refused(cx, Marker { places, ..marker }),
            }
        }
    }

    fn take_answer(
        &mut self,
        cx: &mut Context<'_>,
        marker: &Marker,
        response: &WriteTxnMarkersResponse,
    ) -> Taken {
        use ResponseError as E;
        let of_producer = response.markers.iter().filter(|m| m.producer_id.0 == marker.producer_id);
        let known = self.find_mut(&marker.id).expect("it was just found");
        let (mut again, mut is_fenced) = (BTreeSet::new(), false);
        for topic in of_producer.flat_map(|result| &result.topics) {
            for part in &topic.partitions {
                let place = (topic.name.0.clone(), part.partition_index);
                match E::try_from_code(part.error_code) {
                    // The producer cannot have written to a partition of an older format.
                    None | Some(E::UnsupportedForMessageFormat | E::UnsupportedVersion) => {
                        known.partitions.remove(&place);
                    }
                    Some(
                        E::UnknownTopicOrPartition
                        | E::NotLeaderOrFollower
                        | E::NotEnoughReplicas
                        | E::NotEnoughReplicasAfterAppend
                        | E::RequestTimedOut
                        | E::KafkaStorageError,
                    ) => {
                        again.insert(place);
                    }
                    Some(E::InvalidProducerEpoch | E::TransactionCoordinatorFenced) => {
                        is_fenced = true;
                    }
                    // The thread that sends markers ends the process.
                    Some(error) => cx.ask(Ask::Halt(format!(
                        "Unexpected error {error} while sending a marker for {}",
                        marker.id
                    ))),
                }
            }
        }
        if is_fenced { Taken::Fenced } else { Taken::Again(again) }
    }

    /// Writes that a transaction is complete, if it has all of its markers.
    fn complete_if_done(&mut self, cx: &mut Context<'_>, id: &StrBytes) {
        let Some(pending) = self.markers.pending.get(id) else { return };
        let epoch = pending.epoch;
        let has_all = self.find_in(id, epoch).is_none_or(|known| known.partitions.is_empty());
        if has_all && let Some(pending) = self.markers.pending.remove(id) {
            self.write_complete(cx, pending);
        }
    }

    fn write_complete(&mut self, cx: &mut Context<'_>, pending: Pending) {
        // Another coordinator goes on with it, or this one when it has loaded it.
        if self.find_in(&pending.id, pending.epoch).is_some() {
            let (id, next) = (pending.id.clone(), pending.next.clone());
            self.write(cx, &id, next, Written::Complete(pending));
        }
    }

    /// That a transaction is complete could not be written. The sender tries again when it wakes up, which is after
    /// `request.timeout.ms` at the latest.
    pub(super) fn complete_later(&mut self, cx: &mut Context<'_>, pending: Pending) {
        if self.markers.again.is_empty() {
            self.alarm.set_after(cx, self.config.request_timeout, Due::CompleteAgain);
        }
        self.markers.again.push(pending);
    }

    /// The sender wakes up.
    pub(super) fn complete_again(&mut self, cx: &mut Context<'_>) {
        for pending in std::mem::take(&mut self.markers.again) {
            self.write_complete(cx, pending);
        }
    }
}
