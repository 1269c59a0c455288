//! The story of one record: from the metadata request to the last replica whose high watermark passes it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Kind, Moment, Source};
use crate::history::{BrokerObservation, ClientObservation, Fact, Observation, Outcome};
use crate::vocab::{BrokerId, Offset, Time, TopicPartition};

/// A record of a workload, by its producer's name and its number there: `p0:3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordId {
    /// Name of the producer's node.
    pub producer: String,
    /// Counted from 0 for each producer.
    pub number: u64,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.producer, self.number)
    }
}

impl FromStr for RecordId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected the name of a producer and the number of a record, as in p0:3";
        let (producer, number) = text.rsplit_once(':').ok_or(wrong)?;
        let number = number.parse().map_err(|_| wrong)?;
        if producer.is_empty() {
            return Err(wrong);
        }
        Ok(Self { producer: producer.to_owned(), number })
    }
}

/// The moments of `record`, and the faults, elections and ISR changes between them.
pub(super) fn of_record(record: &RecordId, moments: Vec<Moment>) -> Vec<Moment> {
    let (partition, offset) = place(record, &moments);
    let mut trace = Trace {
        record,
        partition,
        offset,
        sent: false,
        asked: None,
        learned: None,
        holders: BTreeSet::new(),
        handed: BTreeSet::new(),
        acknowledged: BTreeSet::new(),
        committed: BTreeSet::new(),
        answered: false,
    };
    let own: Vec<bool> = moments.iter().enumerate().map(|(n, m)| trace.takes(n, m)).collect();
    let is_own = |n: usize| own[n] || trace.learned.is_some_and(|both| both.contains(&n));
    let mine = || (0..moments.len()).filter(|&n| is_own(n)).map(|n| moments[n].time);
    let span = mine().min().unwrap_or(Time::MAX)..=mine().max().unwrap_or(Time::ZERO);
    let turning = |moment: &Moment| {
        let is_turn = matches!(moment.kind, Kind::Fault | Kind::Election | Kind::Isr | Kind::Role);
        let is_here = moment.at.is_none() || moment.at == trace.partition;
        is_turn && is_here && span.contains(&moment.time)
    };
    let kept: Vec<bool> = (0..moments.len()).map(|n| is_own(n) || turning(&moments[n])).collect();
    moments.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(moment, _)| moment).collect()
}

/// Partition and offset of a record: as acknowledged, as in the final log, or as a consumer read it.
fn place(record: &RecordId, moments: &[Moment]) -> (Option<TopicPartition>, Option<Offset>) {
    let mut sent_to = None;
    let mut seen = None;
    for moment in moments {
        let is_producer = moment.node.as_deref() == Some(&*record.producer);
        match &moment.source {
            Source::Observed(Observation::Client(client)) => match client {
                ClientObservation::Completed { op, outcome: Outcome::Produced { at, offset } }
                    if is_producer && *op == record.number && *offset >= 0 =>
                {
                    return (Some(at.clone()), Some(*offset));
                }
                ClientObservation::BatchSent { at, records, .. }
                    if is_producer && records.contains(&record.number) =>
                {
                    sent_to = Some(at.clone());
                }
                ClientObservation::Consumed { at, offset, producer, record: number, .. }
                    if **producer == *record.producer && *number == record.number =>
                {
                    seen = Some((at.clone(), *offset));
                }
                _ => {}
            },
            Source::Fact(Fact::FinalRecord { at, offset, producer, record: number })
                if **producer == *record.producer && *number == record.number =>
            {
                seen = Some((at.clone(), *offset));
            }
            _ => {}
        }
    }
    match seen {
        Some((at, offset)) => (Some(at), Some(offset)),
        None => (sent_to, None),
    }
}

/// Follows a record through a story.
struct Trace<'a> {
    record: &'a RecordId,
    partition: Option<TopicPartition>,
    offset: Option<Offset>,
    sent: bool,
    /// The producer's last metadata request.
    asked: Option<usize>,
    /// The last request before it sent the record that brought new metadata, and that metadata.
    learned: Option<[usize; 2]>,
    /// Brokers that have appended the record and not truncated it since.
    holders: BTreeSet<Arc<str>>,
    handed: BTreeSet<BrokerId>,
    acknowledged: BTreeSet<BrokerId>,
    committed: BTreeSet<Arc<str>>,
    /// Whether a leader has acknowledged the record.
    answered: bool,
}

impl Trace<'_> {
    /// Whether moment number `n` is about the record.
    fn takes(&mut self, n: usize, moment: &Moment) -> bool {
        match &moment.source {
            Source::Observed(Observation::Client(client)) => self.takes_client(n, moment, client),
            Source::Observed(Observation::Broker(broker)) if moment.at == self.partition => {
                self.takes_broker(moment, broker)
            }
            Source::Fact(Fact::FinalRecord { producer, record, .. }) => {
                **producer == *self.record.producer && *record == self.record.number
            }
            _ => false,
        }
    }

    fn takes_client(&mut self, n: usize, moment: &Moment, client: &ClientObservation) -> bool {
        let number = self.record.number;
        let is_producer = moment.node.as_deref() == Some(&*self.record.producer);
        match client {
            ClientObservation::Consumed { producer, record, .. } => {
                **producer == *self.record.producer && *record == number
            }
            _ if !is_producer => false,
            ClientObservation::Invoked { op, .. } | ClientObservation::Completed { op, .. } => {
                *op == number
            }
            ClientObservation::BatchSent { records, .. } => {
                let is_in_it = records.contains(&number);
                self.sent |= is_in_it;
                is_in_it
            }
            ClientObservation::LeadersAsked { .. } if !self.sent => {
                self.asked = Some(n);
                false
            }
            ClientObservation::LeaderLearned { .. } if !self.sent => {
                if moment.at == self.partition {
                    self.learned = self.asked.map(|asked| [asked, n]);
                }
                false
            }
            _ => false,
        }
    }

    fn takes_broker(&mut self, moment: &Moment, broker: &BrokerObservation) -> bool {
        let (Some(own), Some(node), true) = (self.offset, &moment.node, self.sent) else {
            return false;
        };
        match broker {
            BrokerObservation::Appended { base, last, .. } => {
                (*base..=*last).contains(&own) && self.holders.insert(node.clone())
            }
            BrokerObservation::HandedToFollower { follower, from, .. } => {
                self.holders.contains(node) && *from <= own && self.handed.insert(*follower)
            }
            BrokerObservation::FollowerFetched { follower, offset, .. } => {
                self.holders.contains(node) && *offset > own && self.acknowledged.insert(*follower)
            }
            BrokerObservation::HighWatermark { offset, .. } => {
                *offset > own && self.committed.insert(node.clone())
            }
            BrokerObservation::Acknowledging { end, .. } => {
                *end > own && !std::mem::replace(&mut self.answered, true)
            }
            BrokerObservation::Truncated { from, to, .. } if *to <= own && own < *from => {
                // The broker may fetch it again.
                self.handed.clear();
                self.acknowledged.clear();
                self.committed.remove(node);
                self.holders.remove(node)
            }
            _ => false,
        }
    }
}
