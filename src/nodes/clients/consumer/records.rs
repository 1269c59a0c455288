//! Records out of what leaders sent: in order, from the position on.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tracing::warn;

use super::aborted::AbortedFilter;
use super::assignment::{Assigned, Assignment, Fetched, observe};
use crate::history::ClientObservation;
use crate::nodes::Effects;
use crate::vocab::{LeaderEpoch, Offset, Time};
use crate::wire::records::{Batch, BatchError, DECOMPRESSED_MAX, Record};
use crate::wire::workload;

/// The names of producers seen in records, so that equal names share their memory.
#[derive(Debug, Default)]
pub(super) struct Producers(BTreeSet<Arc<str>>);

impl Producers {
    fn intern(&mut self, name: &str) -> Arc<str> {
        self.0.get(name).cloned().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            self.0.insert(name.clone());
            name
        })
    }
}

/// Where a partition was before a poll: its slot, its position, and the leader epoch of the record before that.
pub(super) type Before = (usize, Offset, LeaderEpoch);

/// Reads records, and moves positions.
pub(super) struct RecordReader<'a> {
    pub(super) assignment: &'a mut Assignment,
    pub(super) producers: &'a mut Producers,
}

impl RecordReader<'_> {
    fn at(&mut self, slot: usize) -> &mut Assigned {
        &mut self.assignment.partitions[slot]
    }

    /// Hands at most so many records to `sink`, from the position on; whether these were all.
    pub(super) fn read(
        &mut self,
        slot: usize,
        fetched: &Fetched,
        mut most: usize,
        sink: &mut dyn FnMut(ClientObservation),
    ) -> Result<bool, Arc<str>> {
        let wrong = |why: BatchError| Arc::from(why.to_string());
        let Fetched { records, high_watermark, aborted } = fetched;
        let mut aborted = AbortedFilter::new(aborted);
        for batch in Batch::all(records) {
            let batch = batch.map_err(wrong)?;
            let is_left_out = aborted.leaves_out(&batch).map_err(wrong)?;
            let position = self.at(slot).position.unwrap_or(0);
            if batch.last_offset < position {
                continue;
            }
            batch.verify().map_err(wrong)?;
            // Batches that clients from outside wrote may be compressed.
            let records = match is_left_out || batch.is_control() {
                true => Vec::new(),
                false => batch.open(&mut DECOMPRESSED_MAX.clone()).map_err(wrong)?,
            };
            for record in records {
                if record.offset < position {
                    continue;
                }
                if record.offset >= *high_watermark {
                    let offset = record.offset;
                    let why = format!("record {offset} at high watermark {high_watermark}");
                    return Err(why.into());
                }
                if most == 0 {
                    return Ok(false);
                }
                most -= 1;
                sink(self.polled(slot, &batch, &record));
            }
            let assigned = self.at(slot);
            let to = batch.last_offset.saturating_add(1);
            assigned.last_epoch = batch.leader_epoch;
            if assigned.position.replace(to) != Some(to) {
                // There are no records for the application before it.
                sink(ClientObservation::RecordsPassed { at: assigned.at.clone(), to });
            }
        }
        Ok(true)
    }

    fn polled(&mut self, slot: usize, batch: &Batch, record: &Record) -> ClientObservation {
        let written = record.value.as_deref().and_then(workload::decode);
        let (name, number) = written.unwrap_or(("", 0));
        let producer = self.producers.intern(name);
        let assigned = self.at(slot);
        assigned.position = Some(record.offset.saturating_add(1));
        assigned.last_epoch = batch.leader_epoch;
        ClientObservation::Consumed {
            at: assigned.at.clone(),
            offset: record.offset,
            leader_epoch: batch.leader_epoch,
            producer,
            record: number,
        }
    }

    /// One poll of the application: at most so many records of what was fetched. A partition whose answer was wrong is
    /// fetched again from `again` on.
    pub(super) fn poll(
        &mut self,
        most: usize,
        again: Time,
        (polled, before): (&mut VecDeque<ClientObservation>, &mut Vec<Before>),
        effects: &mut Effects,
    ) {
        let mut left = most;
        while left > 0
            && let Some(slot) = self.assignment.arrived.front().copied()
        {
            let Some(fetched) = self.at(slot).fetched.take() else {
                self.assignment.arrived.pop_front();
                continue;
            };
            if let Some(position) = self.at(slot).position {
                before.push((slot, position, self.at(slot).last_epoch));
            }
            let most = left;
            let mut sink = |seen: ClientObservation| {
                left -= usize::from(matches!(seen, ClientObservation::Consumed { .. }));
                polled.push_back(seen);
            };
            match self.read(slot, &fetched, most, &mut sink) {
                Ok(true) => _ = self.assignment.arrived.pop_front(),
                Ok(false) => {
                    self.at(slot).fetched = Some(fetched);
                    break;
                }
                Err(why) => {
                    self.assignment.arrived.pop_front();
                    let assigned = self.at(slot);
                    assigned.not_before = again;
                    observe_wrong(assigned, why, effects);
                }
            }
        }
    }
}

/// What a leader sent is wrong.
pub(super) fn observe_wrong(assigned: &Assigned, why: Arc<str>, effects: &mut Effects) {
    let at = assigned.at.clone();
    warn!(%at, %why, "a fetch answer is wrong");
    observe(effects, ClientObservation::ProtocolError { at, why });
}
