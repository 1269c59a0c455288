//! Requests that wait: produce requests for the high watermark, fetches for data.
//!
//! Partitions name the requests that wait for them, so that a partition's progress costs only as much as
//! there are requests that it may complete.

use std::collections::{BTreeMap, VecDeque};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ProduceResponse, ResponseKind};

use super::acks::{ACKS_ALL, ACKS_LEADER, observe_acknowledged};
use super::alarm::{Alarm, Deadline, Due};
use super::fetch_partitions::FetchParams;
use super::fetch_sessions::{FetchSessions, FetchSource};
use super::partition::{PartitionReplica, WaitingFetch};
use super::replicas::{Replicas, Slot};
use crate::nodes::broker::config::OFFSETS_TOPIC;
use crate::nodes::broker::context::{Ask, Context, MarkerAppended, ReplyTo};
use crate::releases::KafkaVersion;
use crate::vocab::{ConnId, Offset};

/// A partition of a produce request that is not settled.
#[derive(Debug)]
pub struct Unsettled {
    /// Where in the response: topic and partition.
    pub place: (usize, usize),
    /// The leader's replica.
    pub slot: Slot,
    /// The offset behind its last record.
    pub required: Offset,
}

/// Who waits for an append.
#[derive(Clone, Copy, Debug)]
pub enum AppendedBy {
    /// A producer.
    Client(ReplyTo),
    /// The group coordinator, with its number of the append.
    Groups(u64),
    /// A WriteTxnMarkers request, for one of its markers.
    Marker {
        /// Its number.
        request: u64,
        /// The marker's place in it.
        marker: usize,
    },
    /// The transaction coordinator, with its number of the append.
    Transactions(u64),
}

impl AppendedBy {
    /// Tells how it ended.
    pub fn end(self, cx: &mut Context<'_>, response: ProduceResponse) {
        match self {
            Self::Client(to) => cx.reply(to, ResponseKind::Produce(response)),
            Self::Groups(_) | Self::Transactions(_) => {
                let part = &response.responses[0].partition_responses[0];
                let result = match ResponseError::try_from_code(part.error_code) {
                    None => Ok(part.base_offset),
                    Some(error) => Err(error),
                };
                self.ended(cx, result);
            }
            Self::Marker { request, marker } => {
                let rows = &response.responses[0].partition_responses;
                let codes = rows.iter().map(|part| part.error_code).collect();
                cx.ask(Ask::MarkerAppended(MarkerAppended { request, marker, codes }));
            }
        }
    }

    /// The coordinator whose topic this is.
    pub fn coordinator(topic: &str, number: u64) -> Self {
        if topic == OFFSETS_TOPIC { Self::Groups(number) } else { Self::Transactions(number) }
    }

    /// Tells a coordinator how it ended: with the first offset or an error.
    ///
    /// # Panics
    /// When a request waits: it gets a response.
    pub fn ended(self, cx: &mut Context<'_>, result: Result<Offset, ResponseError>) {
        match self {
            Self::Groups(number) => cx.ask(Ask::OffsetsAppended { number, result }),
            Self::Transactions(number) => {
                cx.ask(Ask::TransactionsAppended { number, result: result.map(|_| ()) });
            }
            Self::Client(_) | Self::Marker { .. } => panic!("a request gets a response"),
        }
    }

    fn client(self) -> Option<ConnId> {
        match self {
            Self::Client(to) => Some(to.conn),
            Self::Groups(_) | Self::Transactions(_) | Self::Marker { .. } => None,
        }
    }
}

/// A produce request that waits.
#[derive(Debug)]
pub struct DelayedProduce {
    /// Where its response goes.
    pub to: AppendedBy,
    /// When its `timeout_ms` is over.
    pub deadline: Deadline,
    /// The response as it will be if all goes well.
    pub response: ProduceResponse,
    /// What it waits for; never empty.
    pub unsettled: Vec<Unsettled>,
}

/// A fetch that waits.
#[derive(Debug)]
pub struct DelayedFetch {
    /// Where its response goes.
    pub to: ReplyTo,
    /// When its `max_wait_ms` is over.
    pub deadline: Deadline,
    /// What it asks.
    pub params: FetchParams,
    /// And of which partitions.
    pub source: FetchSource,
    /// Whether a thread that looked at it is blocked at a partition's lock: others pass it by.
    pub is_held: bool,
}

fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

/// The fetches that wait for a replica, in the order in which they came.
pub fn waiting_fetches(
    replicas: &Replicas,
    sessions: &FetchSessions,
    slot: Slot,
) -> Vec<WaitingFetch> {
    let replica = replicas.get(slot);
    let named = replica.into_iter().flat_map(|replica| replica.waiting_fetches.iter().copied());
    let of_sessions = sessions.waiting_at(slot);
    let of_sessions = of_sessions.map(|(number, place)| WaitingFetch { number, place });
    let mut waiting: Vec<WaitingFetch> = named.chain(of_sessions).collect();
    waiting.sort_unstable_by_key(|waiting| waiting.number);
    waiting
}

/// The first partition of a fetch whose ISR is being written.
fn first_locked(
    replicas: &Replicas,
    sessions: &FetchSessions,
    fetch: &DelayedFetch,
) -> Option<Slot> {
    match &fetch.source {
        FetchSource::Named { partitions, .. } => {
            let mut slots = partitions.iter().filter_map(|(_, asked)| asked.slot);
            slots.find(|slot| replicas.writes_isr(*slot))
        }
        FetchSource::Session(id) => sessions.first_of(*id, replicas.isr_writes()),
    }
}

/// A request that waits, by its number.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Produce(u64),
    Fetch(u64),
}

/// Owns the requests that wait.
#[derive(Debug, Default)]
pub struct Purgatory {
    produces: BTreeMap<u64, DelayedProduce>,
    fetches: BTreeMap<u64, DelayedFetch>,
    /// By the client's connection: a connection has one request at a time.
    clients: BTreeMap<ConnId, Waiting>,
    /// Fetches that are due, while the thread that answers those is blocked at the first.
    overdue: VecDeque<u64>,
    next_request: u64,
}

impl Purgatory {
    /// A number for a request that is about to wait.
    pub fn number(&mut self) -> u64 {
        let number = self.next_request;
        self.next_request += 1;
        number
    }

    /// How many produce requests wait, and how many requests in all.
    #[cfg(test)]
    pub fn waiting(&self) -> (usize, usize) {
        (self.produces.len(), self.clients.len())
    }

    /// Lets a produce request wait: for the high watermark with `acks=all`, else for fsyncs.
    pub fn park_produce(
        &mut self,
        replicas: &mut Replicas,
        number: u64,
        acks: i16,
        delayed: DelayedProduce,
    ) {
        for part in &delayed.unsettled {
            let replica = replicas.at_mut(part.slot);
            let waiting = if acks == ACKS_ALL {
                &mut replica.waiting_commits
            } else {
                &mut replica.waiting_flushes
            };
            // A batch that was sent again waits for an offset below those of others.
            let entry = (part.required, number);
            let n = waiting.partition_point(|other| *other < entry);
            waiting.insert(n, entry);
        }
        if let Some(conn) = delayed.to.client() {
            self.clients.insert(conn, Waiting::Produce(number));
        }
        self.produces.insert(number, delayed);
    }

    /// One partition of a produce request is settled, with success or an error.
    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        alarm: &mut Alarm<Due>,
        request: u64,
        slot: Slot,
        error: Option<ResponseError>,
    ) {
        let delayed = self.produces.get_mut(&request);
        let delayed = delayed.expect("a replica lists only requests that wait for it");
        let n = delayed.unsettled.iter().position(|part| part.slot == slot);
        let n = n.expect("a replica lists a request once for each part that is not settled");
        let (topic, partition) = delayed.unsettled.swap_remove(n).place;
        let part = &mut delayed.response.responses[topic].partition_responses[partition];
        part.error_code = code(error);
        if delayed.unsettled.is_empty() {
            let delayed = self.produces.remove(&request).expect("it was just looked at");
            alarm.clear(delayed.deadline);
            if let Some(conn) = delayed.to.client() {
                self.clients.remove(&conn);
            }
            delayed.to.end(cx, delayed.response);
        }
    }

    /// Settles the produce requests that the high watermark, or an fsync, has reached.
    pub fn complete_produces(
        &mut self,
        cx: &mut Context<'_>,
        alarm: &mut Alarm<Due>,
        version: KafkaVersion,
        slot: Slot,
        replica: &mut PartitionReplica,
    ) {
        if replica.waiting_commits.is_empty() && replica.waiting_flushes.is_empty() {
            return;
        }
        let leader = replica.leader().expect("produce requests wait for leaders only");
        let too_few = leader.isr.maximal().len() < replica.min_isr(version);
        let error = too_few.then_some(ResponseError::NotEnoughReplicasAfterAppend);
        let (committed, flushed) = (replica.high_watermark, replica.log.flushed_end());
        let reached = |required: &mut (Offset, u64)| required.0 <= committed;
        while let Some((end, request)) = replica.waiting_commits.pop_front_if(reached) {
            if error.is_none() {
                observe_acknowledged(cx, replica, end, ACKS_ALL);
            }
            self.settle(cx, alarm, request, slot, error);
        }
        let reached = |required: &mut (Offset, u64)| required.0 <= flushed;
        while let Some((end, request)) = replica.waiting_flushes.pop_front_if(reached) {
            observe_acknowledged(cx, replica, end, ACKS_LEADER);
            self.settle(cx, alarm, request, slot, None);
        }
    }

    /// Leadership is lost: what was appended may be committed or not.
    pub fn fail_produces(
        &mut self,
        cx: &mut Context<'_>,
        alarm: &mut Alarm<Due>,
        slot: Slot,
        replica: &mut PartitionReplica,
        error: ResponseError,
    ) {
        let mut waiting = std::mem::take(&mut replica.waiting_commits);
        waiting.append(&mut replica.waiting_flushes);
        for (_, request) in waiting {
            self.settle(cx, alarm, request, slot, Some(error));
        }
    }

    /// Takes a produce request out, and off the lists of its replicas.
    fn take_produce(&mut self, replicas: &mut Replicas, number: u64) -> DelayedProduce {
        let delayed = self.produces.remove(&number).expect("the produce request waits");
        for part in &delayed.unsettled {
            let replica = replicas.at_mut(part.slot);
            let entry = (part.required, number);
            for waiting in [&mut replica.waiting_commits, &mut replica.waiting_flushes] {
                if let Ok(n) = waiting.binary_search(&entry) {
                    waiting.remove(n);
                }
            }
        }
        if let Some(conn) = delayed.to.client() {
            self.clients.remove(&conn);
        }
        delayed
    }

    /// A produce request has waited for its `timeout_ms`. What was appended may still be committed.
    pub fn produce_timed_out(
        &mut self,
        cx: &mut Context<'_>,
        replicas: &mut Replicas,
        number: u64,
    ) {
        let mut delayed = self.take_produce(replicas, number);
        for part in &delayed.unsettled {
            let (topic, partition) = part.place;
            let part = &mut delayed.response.responses[topic].partition_responses[partition];
            part.error_code = ResponseError::RequestTimedOut.code();
        }
        delayed.to.end(cx, delayed.response);
    }

    /// Lets a fetch wait for data. All its partitions are here: another one is an error, which is answered at once.
    pub fn park_fetch(
        &mut self,
        replicas: &mut Replicas,
        sessions: &mut FetchSessions,
        number: u64,
        delayed: DelayedFetch,
    ) {
        match &delayed.source {
            FetchSource::Session(id) => {
                sessions.get_mut(*id).expect("it was just read").waiting = Some(number);
            }
            FetchSource::Named { partitions, .. } => {
                for (place, asked) in partitions.iter() {
                    let slot = asked.slot.expect("a fetch with an error does not wait");
                    let waiting = WaitingFetch { number, place };
                    replicas.at_mut_beside(slot).waiting_fetches.push(waiting);
                }
            }
        }
        self.clients.insert(delayed.to.conn, Waiting::Fetch(number));
        self.fetches.insert(number, delayed);
    }

    /// A fetch, if it waits still.
    pub fn find_fetch(&self, number: u64) -> Option<&DelayedFetch> {
        self.fetches.get(&number)
    }

    /// Whether a fetch that waits names a partition whose ISR is being written, so that a thread that looks at it is
    /// blocked.
    pub fn is_locked(&self, replicas: &Replicas, sessions: &FetchSessions, number: u64) -> bool {
        let is_locked = |fetch| first_locked(replicas, sessions, fetch).is_some();
        replicas.reads_wait() && self.fetches.get(&number).is_some_and(is_locked)
    }

    /// A handler has appended to `slot` and looks at the fetches that wait for that: the lock at which it is blocked.
    pub fn hold_fetch(
        &mut self,
        replicas: &Replicas,
        sessions: &FetchSessions,
        slot: Slot,
    ) -> Option<Slot> {
        if !replicas.reads_wait() {
            return None;
        }
        waiting_fetches(replicas, sessions, slot).iter().find_map(|waiting| {
            let fetch = self.fetches.get_mut(&waiting.number).filter(|fetch| !fetch.is_held)?;
            let locked = first_locked(replicas, sessions, fetch)?;
            fetch.is_held = true;
            Some(locked)
        })
    }

    /// The fetches that wait for `slot` and at which handlers were blocked; others may look at them again.
    pub fn take_held(
        &mut self,
        replicas: &Replicas,
        sessions: &FetchSessions,
        slot: Slot,
    ) -> Vec<u64> {
        let waiting = waiting_fetches(replicas, sessions, slot);
        let numbers = waiting.iter().map(|waiting| waiting.number);
        let fetches = &mut self.fetches;
        let release = |number: &u64| {
            let fetch = fetches.get_mut(number).expect("a replica lists fetches that wait");
            std::mem::take(&mut fetch.is_held)
        };
        numbers.filter(release).collect()
    }

    /// Whether the thread that answers fetches that are due is blocked.
    pub fn has_overdue(&self) -> bool {
        !self.overdue.is_empty()
    }

    /// A fetch is due, and the thread that answers it is blocked.
    pub fn fetch_overdue(&mut self, number: u64) {
        self.overdue.push_back(number);
        if let Some(fetch) = self.fetches.get_mut(&number) {
            fetch.is_held = true;
        }
    }

    /// The next fetch that is due and waits still, unless the thread is blocked at it.
    pub fn next_overdue(&mut self, replicas: &Replicas, sessions: &FetchSessions) -> Option<u64> {
        loop {
            let &number = self.overdue.front()?;
            if self.is_locked(replicas, sessions, number) {
                return None;
            }
            self.overdue.pop_front();
            if self.fetches.contains_key(&number) {
                return Some(number);
            }
        }
    }

    /// A fetch that waits.
    pub fn fetch(&self, number: u64) -> &DelayedFetch {
        &self.fetches[&number]
    }

    /// Takes a fetch out, and off the lists of its replicas.
    pub fn take_fetch(
        &mut self,
        alarm: &mut Alarm<Due>,
        replicas: &mut Replicas,
        sessions: &mut FetchSessions,
        number: u64,
    ) -> DelayedFetch {
        let delayed = self.fetches.remove(&number).expect("the fetch waits");
        match &delayed.source {
            FetchSource::Session(id) => {
                sessions.get_mut(*id).expect("a session outlives its request").waiting = None;
            }
            FetchSource::Named { partitions, .. } => {
                for slot in partitions.all().filter_map(|asked| asked.slot) {
                    let waiting = &mut replicas.at_mut_beside(slot).waiting_fetches;
                    if let Some(n) = waiting.iter().position(|other| other.number == number) {
                        waiting.swap_remove(n);
                    }
                }
            }
        }
        self.clients.remove(&delayed.to.conn);
        alarm.clear(delayed.deadline);
        delayed
    }

    /// A client's connection is gone: its request needs no answer. What it appended stays.
    pub fn client_gone(
        &mut self,
        alarm: &mut Alarm<Due>,
        replicas: &mut Replicas,
        sessions: &mut FetchSessions,
        conn: ConnId,
    ) {
        match self.clients.get(&conn) {
            // Most connections close while no request of theirs waits.
            None => {}
            Some(&Waiting::Produce(number)) => {
                let delayed = self.take_produce(replicas, number);
                alarm.clear(delayed.deadline);
            }
            Some(&Waiting::Fetch(number)) => {
                self.take_fetch(alarm, replicas, sessions, number);
            }
        }
    }
}
