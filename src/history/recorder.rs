//! The recorder: takes every event once, and passes it on to the fingerprint, to the event log when there
//! is one, and, if checkers may know of it, to the subscriber. It keeps no event itself.

use std::io::{self, Write};
use std::sync::Arc;

use super::event::{Event, EventKind, Life};
use super::event_log::EventLog;
use super::fact::Fact;
use super::fingerprint::{self, Fingerprint};
use super::observation::Observation;
use crate::vocab::step::{Closed, DiskRequest};
use crate::vocab::{BrokerId, ConnId, DiskOpId, NodeId, Offset, Roster, Time, TopicPartition};

/// Gets everything that checkers may know: observations of nodes, faults, and the final facts.
pub trait Subscriber {
    /// A node observed something about itself.
    fn observed(&mut self, time: Time, node: NodeId, observation: &Observation);
    /// A fault was injected.
    fn fault(&mut self, time: Time, text: &str, targets: &[NodeId]);
    /// Whether the fault that was injected last had an effect: `none` says why not. `fault` is the same number for
    /// all faults of a plan that do the same to the same targets.
    fn effect(&mut self, _fault: usize, _none: Option<&str>) {}
    /// A fault was undone: healed, resumed, restarted.
    fn undone(&mut self, time: Time, text: &str, targets: &[NodeId]);
    /// A process began, ended or stopped running.
    fn life(&mut self, time: Time, node: NodeId, life: Life);
    /// Something was read off the cluster after the run ended.
    fn fact(&mut self, time: Time, fact: &Fact);
}

/// For runs without a subscriber.
impl Subscriber for () {
    fn observed(&mut self, _: Time, _: NodeId, _: &Observation) {}
    fn fault(&mut self, _: Time, _: &str, _: &[NodeId]) {}
    fn undone(&mut self, _: Time, _: &str, _: &[NodeId]) {}
    fn life(&mut self, _: Time, _: NodeId, _: Life) {}
    fn fact(&mut self, _: Time, _: &Fact) {}
}

/// Both get everything, the first one first.
impl<A: Subscriber, B: Subscriber> Subscriber for (A, B) {
    fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        self.0.observed(time, node, observation);
        self.1.observed(time, node, observation);
    }
    fn fault(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        self.0.fault(time, text, targets);
        self.1.fault(time, text, targets);
    }
    fn effect(&mut self, fault: usize, none: Option<&str>) {
        self.0.effect(fault, none);
        self.1.effect(fault, none);
    }
    fn undone(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        self.0.undone(time, text, targets);
        self.1.undone(time, text, targets);
    }
    fn life(&mut self, time: Time, node: NodeId, life: Life) {
        self.0.life(time, node, life);
        self.1.life(time, node, life);
    }
    fn fact(&mut self, time: Time, fact: &Fact) {
        self.0.fact(time, fact);
        self.1.fact(time, fact);
    }
}

/// It gets everything, if there is one.
impl Subscriber for Option<Box<dyn Subscriber>> {
    fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        if let Some(subscriber) = self {
            subscriber.observed(time, node, observation);
        }
    }
    fn fault(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        if let Some(subscriber) = self {
            subscriber.fault(time, text, targets);
        }
    }
    fn effect(&mut self, fault: usize, none: Option<&str>) {
        if let Some(subscriber) = self {
            subscriber.effect(fault, none);
        }
    }
    fn undone(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        if let Some(subscriber) = self {
            subscriber.undone(time, text, targets);
        }
    }
    fn life(&mut self, time: Time, node: NodeId, life: Life) {
        if let Some(subscriber) = self {
            subscriber.life(time, node, life);
        }
    }
    fn fact(&mut self, time: Time, fact: &Fact) {
        if let Some(subscriber) = self {
            subscriber.fact(time, fact);
        }
    }
}

/// What is left of a recorder when the run is over.
#[derive(Debug)]
pub struct Recorded<S> {
    /// The subscriber.
    pub subscriber: S,
    /// The hash over all events.
    pub fingerprint: Fingerprint,
    /// How many events there were.
    pub events: u64,
}

/// Takes the events of a run, in order.
pub struct Recorder<S> {
    hasher: fingerprint::Hasher,
    events: u64,
    last: Time,
    log: Option<EventLog>,
    subscriber: S,
}

impl<S: Subscriber> Recorder<S> {
    /// A recorder that feeds `subscriber` and writes no event log.
    pub fn new(subscriber: S) -> Self {
        let hasher = fingerprint::Hasher::default();
        Self { hasher, events: 0, last: Time::ZERO, log: None, subscriber }
    }

    /// Writes every event as a line to `out` too, naming nodes as `roster` does.
    #[must_use]
    pub fn with_event_log(mut self, out: Box<dyn Write>, roster: Roster) -> Self {
        self.log = Some(EventLog::new(out, roster));
        self
    }

    /// A turn in the life of a process.
    pub fn life(&mut self, time: Time, node: NodeId, life: Life) {
        self.record(time, Some(node), EventKind::Life(life));
        self.subscriber.life(time, node, life);
    }

    /// A fault fired. `text` names nodes, not roles, or both: `crash leader(orders-0) = b2`.
    pub fn fault(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        self.record(time, None, EventKind::Fault { text, targets });
        self.subscriber.fault(time, text, targets);
    }

    /// Whether the last fault had an effect, see [`Subscriber::effect`]. It follows from what was recorded before,
    /// so it is no event of its own.
    pub fn effect(&mut self, fault: usize, none: Option<&str>) {
        self.subscriber.effect(fault, none);
    }

    /// A fault was undone: `restart b2`.
    pub fn undone(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        self.record(time, None, EventKind::Fault { text, targets });
        self.subscriber.undone(time, text, targets);
    }

    /// `node` asked for a connection.
    pub fn connecting(&mut self, time: Time, node: NodeId, conn: ConnId, to: NodeId) {
        self.record(time, Some(node), EventKind::Connecting { conn, to });
    }

    /// A connection that `node` asked for is open.
    pub fn opened(&mut self, time: Time, node: NodeId, conn: ConnId, peer: NodeId) {
        self.record(time, Some(node), EventKind::Opened { conn, peer });
    }

    /// `peer` connected to `node`.
    pub fn accepted(&mut self, time: Time, node: NodeId, conn: ConnId, peer: NodeId) {
        self.record(time, Some(node), EventKind::Accepted { conn, peer });
    }

    /// `bytes` of `from` arrived at `node`.
    pub fn delivered(
        &mut self,
        time: Time,
        node: NodeId,
        conn: ConnId,
        from: NodeId,
        bytes: &[u8],
    ) {
        self.record(time, Some(node), EventKind::delivered(conn, from, bytes));
    }

    /// `node` closed a connection.
    pub fn closing(&mut self, time: Time, node: NodeId, conn: ConnId) {
        self.record(time, Some(node), EventKind::Closing { conn });
    }

    /// A connection of `node` with `peer` ended.
    pub fn closed(&mut self, time: Time, node: NodeId, conn: ConnId, peer: NodeId, why: Closed) {
        self.record(time, Some(node), EventKind::Closed { conn, peer, why });
    }

    /// A timer of `node` was due.
    pub fn timer(&mut self, time: Time, node: NodeId, token: u64) {
        self.record(time, Some(node), EventKind::Timer { token });
    }

    /// `node` used its disk.
    pub fn disk(&mut self, time: Time, node: NodeId, op: DiskOpId, request: &DiskRequest) {
        self.record(time, Some(node), EventKind::Disk { op, request: request.into() });
    }

    /// A disk operation of `node` ended.
    pub fn disk_done(&mut self, time: Time, node: NodeId, op: DiskOpId) {
        self.record(time, Some(node), EventKind::DiskDone { op });
    }

    /// `node` observed something about itself.
    pub fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        self.record(time, Some(node), EventKind::Observed(observation));
        self.subscriber.observed(time, node, observation);
    }

    /// The run is over, and `leader`'s log of `at` counts; without a leader, no log does. This
    /// comes for every partition, before its records.
    pub fn final_log(
        &mut self,
        time: Time,
        at: &TopicPartition,
        leader: Option<BrokerId>,
        end: Offset,
    ) {
        self.fact(time, &Fact::FinalLog { at: at.clone(), leader, end });
    }

    /// A workload's record in the final log of `at`; in the order of offsets.
    pub fn final_record(
        &mut self,
        time: Time,
        at: &TopicPartition,
        offset: Offset,
        producer: &Arc<str>,
        record: u64,
    ) {
        let (at, producer) = (at.clone(), producer.clone());
        self.fact(time, &Fact::FinalRecord { at, offset, producer, record });
    }

    /// Something was read off the cluster after the run ended.
    pub fn fact(&mut self, time: Time, fact: &Fact) {
        self.record(time, None, EventKind::Fact(fact));
        self.subscriber.fact(time, fact);
    }

    fn record(&mut self, time: Time, node: Option<NodeId>, kind: EventKind<'_>) {
        assert!(time >= self.last, "an event of {time} after one of {}", self.last);
        self.last = time;
        self.events += 1;
        let event = Event { time, node, kind };
        self.hasher.add(&event);
        if let Some(log) = &mut self.log {
            log.add(self.events, &event);
        }
    }

    /// The fingerprint of the events so far.
    pub fn fingerprint(&self) -> Fingerprint {
        self.hasher.fingerprint()
    }

    /// How many events there were so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The subscriber.
    pub fn subscriber(&self) -> &S {
        &self.subscriber
    }

    /// Ends the history and flushes the event log.
    ///
    /// # Errors
    /// The first error that the event log's writer gave.
    pub fn finish(self) -> io::Result<Recorded<S>> {
        let fingerprint = self.hasher.fingerprint();
        if let Some(log) = self.log {
            log.finish()?;
        }
        Ok(Recorded { subscriber: self.subscriber, fingerprint, events: self.events })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::history::{BrokerObservation, ClientObservation, Outcome};

    /// A writer that others can look into, and that can fail.
    #[derive(Clone, Default)]
    struct Shared {
        bytes: Rc<RefCell<Vec<u8>>>,
        room: Option<usize>,
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut all = self.bytes.borrow_mut();
            if self.room.is_some_and(|room| all.len() + bytes.len() > room) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            all.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn roster() -> Roster {
        let mut roster = Roster::default();
        for name in ["b1", "b2", "p0"] {
            roster.add(name);
        }
        roster
    }

    fn play(recorder: &mut Recorder<impl Subscriber>) {
        let (b1, b2, p0) = (NodeId(0), NodeId(1), NodeId(2));
        let at = TopicPartition::new("orders", 0);
        let conn = ConnId(17);
        recorder.life(Time::ZERO, b2, Life::Started);
        recorder.connecting(Time(500), p0, conn, b2);
        recorder.opened(Time(1_000), p0, conn, b2);
        recorder.accepted(Time(1_001), b2, conn, p0);
        recorder.delivered(Time(2_000), b2, conn, p0, b"abc");
        recorder.timer(Time(2_500), b1, 0x12);
        let append =
            DiskRequest::Append { file: "orders-0/0.log".into(), bytes: b"abc".to_vec().into() };
        recorder.disk(Time(2_500), b2, DiskOpId(5), &append);
        recorder.disk_done(Time(2_600), b2, DiskOpId(5));
        let outcome = Outcome::Produced { at: at.clone(), offset: 7 };
        let completed = ClientObservation::Completed { op: 3, outcome };
        recorder.observed(Time(3_000), p0, &Observation::Client(completed));
        recorder.fault(Time::from_millis(8_000), "crash leader(orders-0) = b2", &[b2]);
        recorder.life(Time::from_millis(8_000), b2, Life::Crashed);
        recorder.closed(Time::from_millis(8_001), p0, conn, b2, Closed::Reset);
        recorder.closing(Time::from_millis(8_001), p0, ConnId(18));
        let end = Time::from_millis(9_000);
        recorder.final_log(end, &at, Some(BrokerId(1)), 8);
        recorder.final_record(end, &at, 7, &"p0".into(), 3);
    }

    #[test]
    fn the_event_log_is_one_stable_line_per_event() {
        let out = Shared::default();
        let mut recorder = Recorder::new(()).with_event_log(Box::new(out.clone()), roster());
        play(&mut recorder);
        recorder.finish().expect("the writer never fails");
        let text = String::from_utf8(out.bytes.take()).expect("text");
        insta::assert_snapshot!(text, @r"
        [s 0.000000000 e 1] b2 started
        [s 0.000000500 e 2] p0 connecting to b2 on 17
        [s 0.000001000 e 3] p0 opened 17 to b2
        [s 0.000001001 e 4] b2 accepted 17 from p0
        [s 0.000002000 e 5] b2 delivered 3 bytes from p0 on 17, 78af5f94892f3950
        [s 0.000002500 e 6] b1 timer 0x12
        [s 0.000002500 e 7] b2 disk 5: append 3 bytes to orders-0/0.log
        [s 0.000002600 e 8] b2 disk 5 done
        [s 0.000003000 e 9] p0 observed: completed 3: ok, orders-0@7
        [s 8.000000000 e 10] - fault: crash leader(orders-0) = b2; aimed at b2
        [s 8.000000000 e 11] b2 crashed
        [s 8.001000000 e 12] p0 closed 17 to b2, reset
        [s 8.001000000 e 13] p0 closing 18
        [s 9.000000000 e 14] - fact: orders-0 ends at offset 8, led by broker 1
        [s 9.000000000 e 15] - fact: orders-0@7 holds record 3 of p0
        ");
    }

    #[test]
    fn an_event_log_does_not_change_the_fingerprint() {
        let mut plain = Recorder::new(());
        play(&mut plain);
        let mut logged = Recorder::new(()).with_event_log(Box::new(io::sink()), roster());
        play(&mut logged);
        let (plain, logged) = (plain.finish().expect("no log"), logged.finish().expect("a sink"));
        assert_eq!((plain.fingerprint, plain.events), (logged.fingerprint, logged.events));
        assert_eq!(plain.events, 15);
    }

    #[test]
    fn an_event_log_that_cannot_be_written_is_an_error_at_the_end() {
        let out = Shared { room: Some(100), ..Shared::default() };
        let mut recorder = Recorder::new(()).with_event_log(Box::new(out), roster());
        play(&mut recorder);
        let error = recorder.finish().expect_err("the writer has room for 100 bytes");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[derive(Default)]
    struct Counts {
        observed: u32,
        faults: u32,
        lives: u32,
        facts: u32,
    }

    impl Subscriber for Counts {
        fn observed(&mut self, _: Time, _: NodeId, _: &Observation) {
            self.observed += 1;
        }
        fn fault(&mut self, _: Time, _: &str, _: &[NodeId]) {
            self.faults += 1;
        }
        fn undone(&mut self, _: Time, _: &str, _: &[NodeId]) {}
        fn life(&mut self, _: Time, _: NodeId, _: Life) {
            self.lives += 1;
        }
        fn fact(&mut self, _: Time, _: &Fact) {
            self.facts += 1;
        }
    }

    #[test]
    fn a_subscriber_hears_what_judges_may_know_and_nothing_else() {
        let mut recorder = Recorder::new(Counts::default());
        play(&mut recorder);
        let Counts { observed, faults, lives, facts } = recorder.subscriber();
        assert_eq!((observed, faults, lives, facts), (&1, &1, &2, &2));
    }

    #[test]
    #[should_panic(expected = "after one of")]
    fn time_does_not_go_back() {
        let mut recorder = Recorder::new(());
        recorder.timer(Time(2), NodeId(0), 0);
        let expired = Observation::Broker(BrokerObservation::SessionExpired { session: 1 });
        recorder.observed(Time(1), NodeId(0), &expired);
    }
}
