//! Small histories for the checkers' tests: one partition `orders-0`, brokers b1 to b3, producer p0,
//! consumer c0. A story is built by calls, and judged as often as needed.

use std::ops::Range;
use std::sync::Arc;

use crate::checkers::{Evidence, Judge, Judged, Judgement, Property, Verdict};
use crate::history::{
    AppendedBatch, BrokerObservation, Call, ClientObservation, Election, Fact, Follower, Leading,
    Life, Observation, Outcome, Recorder, Replica, SessionObservation, ZooKeeperObservation,
};
use crate::model::{ConsumerTerms, Modelled, ProducerTerms, Terms, TopicTerms};
use crate::vocab::{Acks, BrokerId, NodeId, Offset, Roster, Time, TopicPartition, Zxid};

#[derive(Clone)]
enum Told {
    Observed(NodeId, Observation),
    Fault(String),
    Undone(String),
    Life(NodeId, Life),
    Fact(Fact),
}

/// A history in the making.
#[derive(Clone)]
pub struct Story {
    /// What it is judged by.
    pub terms: Terms,
    now: Time,
    told: Vec<(Time, Told)>,
    invoked: Vec<u64>,
    final_log: Option<Option<BrokerId>>,
    final_records: Vec<(Offset, Arc<str>, u64)>,
    /// Transactions of ZooKeeper so far, and dataVersion of the partition's state.
    stored: (i64, i32),
}

impl Default for Story {
    fn default() -> Self {
        let mut roster = Roster::default();
        let brokers = [1, 2, 3].map(|id| (BrokerId(id), roster.add(&format!("b{id}"))));
        let producer = roster.add("p0");
        let consumer = roster.add("c0");
        assert_eq!(roster.add("z1"), Self::Z1);
        assert_eq!((brokers[0].1, producer, consumer), (Self::B1, Self::P0, Self::C0));
        let terms = Terms {
            roster,
            brokers: brokers.to_vec(),
            producers: vec![ProducerTerms {
                node: producer,
                topic: "orders".into(),
                acks: Acks::All,
                idempotent: false,
                ordered: false,
                is_external: false,
            }],
            consumers: vec![ConsumerTerms::new(consumer, None, vec!["orders".into()])],
            topics: vec![TopicTerms {
                name: "orders".into(),
                min_insync_replicas: 2,
                unclean_leader_election: false,
                assignment: Vec::new(),
            }],
            ..Terms::default()
        };
        Self {
            terms,
            now: Time::ZERO,
            told: Vec::new(),
            invoked: Vec::new(),
            final_log: None,
            final_records: Vec::new(),
            stored: (0, -1),
        }
    }
}

/// The partition that stories are about.
pub fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

impl Story {
    /// The node b1.
    pub const B1: NodeId = NodeId(0);
    /// The producer.
    pub const P0: NodeId = NodeId(3);
    /// The consumer.
    pub const C0: NodeId = NodeId(4);
    /// ZooKeeper's server.
    pub const Z1: NodeId = NodeId(5);

    /// A story whose producer is idempotent.
    pub fn idempotent() -> Self {
        let mut story = Self::default();
        story.terms.producers[0].idempotent = true;
        story.terms.producers[0].ordered = true;
        story
    }

    /// A story of b1 to b3, where b1 leads epoch 0 with b2 in sync and b3 assigned.
    pub fn replicated() -> Self {
        let mut story = Self::default();
        story.created(&[1, 2, 3]).stored(Some(1), 0, &[1, 2], 1);
        story.became_leader(1, 0, 0).isr_known(1, &[1, 2], 2).became_follower(2, 0, 1);
        story
    }

    /// What was violated, in words; `None` when the property holds.
    pub fn violation(&self, property: &Property) -> Option<String> {
        match self.judgement().verdict(property) {
            Verdict::Violated(evidence) => Some(evidence.to_string()),
            verdict => {
                assert_eq!(verdict, &Verdict::Holds);
                None
            }
        }
    }

    /// What follows happens `ms` milliseconds after the start.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now = Time::from_millis(ms);
        self
    }

    /// A node observed something.
    pub fn told_by_node(&mut self, node: NodeId, observation: Observation) -> &mut Self {
        self.observed(node, observation)
    }

    fn observed(&mut self, node: NodeId, observation: Observation) -> &mut Self {
        self.told.push((self.now, Told::Observed(node, observation)));
        self
    }

    /// A broker observes something.
    pub fn broker(&mut self, broker: i32, observation: BrokerObservation) -> &mut Self {
        let node = self.terms.brokers.iter().find(|(id, _)| id.0 == broker).expect("b1 to b3").1;
        self.observed(node, Observation::Broker(observation))
    }

    fn invoked(&mut self, node: NodeId, op: u64) -> &mut Self {
        let call = Call::Produce { topic: "orders".into() };
        self.observed(node, Observation::Client(ClientObservation::Invoked { op, call }))
    }

    fn completed(&mut self, node: NodeId, op: u64, outcome: Outcome) -> &mut Self {
        self.observed(node, Observation::Client(ClientObservation::Completed { op, outcome }))
    }

    /// p0 began to send a record.
    pub fn sent(&mut self, record: u64) -> &mut Self {
        self.invoked.push(record);
        self.invoked(Self::P0, record)
    }

    /// p0 got an acknowledgement for a record at `offset`, which it sends now if not earlier.
    pub fn acknowledged(&mut self, record: u64, offset: Offset) -> &mut Self {
        if !self.invoked.contains(&record) {
            self.sent(record);
        }
        self.completed(Self::P0, record, Outcome::Produced { at: orders(), offset })
    }

    /// A node got an acknowledgement for its record at `offset`.
    pub fn acknowledged_by(&mut self, node: NodeId, record: u64, offset: Offset) -> &mut Self {
        self.invoked(node, record);
        self.completed(node, record, Outcome::Produced { at: orders(), offset })
    }

    /// p0 does not know what became of a record.
    pub fn unknown(&mut self, record: u64) -> &mut Self {
        let error = "REQUEST_TIMED_OUT".into();
        self.completed(Self::P0, record, Outcome::Unknown { error })
    }

    /// A record of p0 was certainly not written.
    pub fn failed(&mut self, record: u64) -> &mut Self {
        let error = "MESSAGE_TOO_LARGE".into();
        self.completed(Self::P0, record, Outcome::Failed { error })
    }

    /// z1 observed something.
    pub fn server(&mut self, observation: ZooKeeperObservation) -> &mut Self {
        self.observed(Self::Z1, Observation::ZooKeeper(observation))
    }

    /// A client of ZooKeeper observed something of its session.
    pub fn session(&mut self, node: NodeId, observation: SessionObservation) -> &mut Self {
        self.observed(node, Observation::Session(observation))
    }

    /// A node observed something.
    pub fn told_at(&mut self, node: NodeId, observation: Observation) -> &mut Self {
        self.observed(node, observation)
    }

    /// A broker saw its session expire.
    pub fn session_expired(&mut self, broker: i32, session: i64) -> &mut Self {
        self.broker(broker, BrokerObservation::SessionExpired { session })
    }

    /// c0 was handed a record of p0.
    pub fn consumed(&mut self, offset: Offset, record: u64) -> &mut Self {
        let (at, producer) = (orders(), "p0".into());
        let consumed =
            ClientObservation::Consumed { at, offset, leader_epoch: 0, producer, record };
        self.observed(Self::C0, Observation::Client(consumed))
    }

    /// c0 was handed a record of a client from outside: it names no producer.
    pub fn consumed_unnamed(&mut self, offset: Offset) -> &mut Self {
        let (at, producer) = (orders(), "".into());
        let consumed =
            ClientObservation::Consumed { at, offset, leader_epoch: 0, producer, record: 0 };
        self.observed(Self::C0, Observation::Client(consumed))
    }

    /// A node was sent what no leader may send.
    pub fn wrong_answer(&mut self, node: NodeId, why: &str) -> &mut Self {
        let wrong = ClientObservation::ProtocolError { at: orders(), why: why.into() };
        self.observed(node, Observation::Client(wrong))
    }

    /// c0 was put elsewhere.
    pub fn position_reset(&mut self, to: Offset) -> &mut Self {
        let reset = ClientObservation::PositionReset { at: orders(), from: Some(0), to };
        self.observed(Self::C0, Observation::Client(reset))
    }

    /// A broker took the lead with a log that ends at `start`.
    pub fn became_leader(&mut self, broker: i32, leader_epoch: i32, start: Offset) -> &mut Self {
        let (at, high_watermark) = (orders(), 0);
        let became = BrokerObservation::BecameLeader { at, leader_epoch, start, high_watermark };
        self.broker(broker, became)
    }

    /// A broker follows another.
    pub fn became_follower(&mut self, broker: i32, leader_epoch: i32, leader: i32) -> &mut Self {
        let (at, leader) = (orders(), Some(BrokerId(leader)));
        self.broker(broker, BrokerObservation::BecameFollower { at, leader_epoch, leader })
    }

    /// A broker appended a batch of one record.
    pub fn appended(&mut self, broker: i32, offset: Offset, leader_epoch: i32) -> &mut Self {
        let (at, base, last, checksum) = (orders(), offset, offset, 7);
        let appended = BrokerObservation::Appended { at, base, last, leader_epoch, checksum };
        self.broker(broker, appended)
    }

    /// A broker appended another batch of one record.
    pub fn appended_other(&mut self, broker: i32, offset: Offset, leader_epoch: i32) -> &mut Self {
        let (at, base, last, checksum) = (orders(), offset, offset, 8);
        let appended = BrokerObservation::Appended { at, base, last, leader_epoch, checksum };
        self.broker(broker, appended)
    }

    /// A broker cut its log.
    pub fn truncated(&mut self, broker: i32, from: Offset, to: Offset) -> &mut Self {
        self.broker(broker, BrokerObservation::Truncated { at: orders(), from, to })
    }

    /// The high watermark that a broker knows moved.
    pub fn high_watermark(&mut self, broker: i32, offset: Offset) -> &mut Self {
        self.broker(broker, BrokerObservation::HighWatermark { at: orders(), offset })
    }

    /// A process began and found a log that had lost everything from `end` on.
    pub fn loaded(&mut self, broker: i32, end: Offset) -> &mut Self {
        self.life(broker, Life::PowerLost).life(broker, Life::Started);
        let (at, from, high_watermark, batches) = (orders(), end, 0, Vec::<AppendedBatch>::new());
        let loaded =
            BrokerObservation::LogLoaded { at, start: 0, end, high_watermark, from, batches };
        self.broker(broker, loaded)
    }

    /// A leader knows these in-sync replicas.
    pub fn isr_known(&mut self, broker: i32, isr: &[i32], min: u32) -> &mut Self {
        self.isr_wanted(broker, isr, isr, min)
    }

    /// A leader has these in sync, and has asked for those.
    pub fn isr_wanted(&mut self, broker: i32, isr: &[i32], wanted: &[i32], min: u32) -> &mut Self {
        let (at, committed, maximal) = (orders(), broker_ids(isr), broker_ids(wanted));
        self.broker(broker, BrokerObservation::IsrKnown { at, committed, maximal, min })
    }

    /// A leader acknowledges what is below `end`.
    pub fn acknowledging(&mut self, broker: i32, end: Offset, acks: i16) -> &mut Self {
        self.broker(broker, BrokerObservation::Acknowledging { at: orders(), end, acks })
    }

    /// A leader hands a consumer what is below `end`.
    pub fn serving(&mut self, broker: i32, end: Offset) -> &mut Self {
        self.broker(broker, BrokerObservation::Serving { at: orders(), end })
    }

    fn znode(&mut self, path: &str, version: i32, data: &str) -> &mut Self {
        self.stored.0 += 1;
        let zxid = Zxid(self.stored.0);
        let (path, data) = (path.into(), data.into());
        let stored = ZooKeeperObservation::Stored { zxid, path, version, data };
        // No server of ZooKeeper is in the roster; which one reports it does not matter.
        self.observed(Self::C0, Observation::ZooKeeper(stored))
    }

    /// The topic was deleted: its next state is the first of another one.
    pub fn topic_deleted(&mut self) -> &mut Self {
        self.stored.1 = -1;
        self
    }

    /// The state of the partition was stored in ZooKeeper.
    pub fn stored(
        &mut self,
        leader: Option<i32>,
        leader_epoch: i32,
        isr: &[i32],
        controller_epoch: i32,
    ) -> &mut Self {
        self.stored.1 += 1;
        let leader = leader.unwrap_or(-1);
        let controller = format!(r#""controller_epoch":{controller_epoch},"version":1"#);
        let leading = format!(r#""leader":{leader},"leader_epoch":{leader_epoch},"isr":{isr:?}"#);
        let data = format!("{{{controller},{leading}}}");
        self.znode("/brokers/topics/orders/partitions/0/state", self.stored.1, &data)
    }

    /// An epoch of the controller was stored in ZooKeeper.
    pub fn controller_epoch(&mut self, epoch: i32) -> &mut Self {
        self.znode("/controller_epoch", epoch, &epoch.to_string())
    }

    /// b1, as controller, chose a leader.
    pub fn elected(
        &mut self,
        leader: i32,
        leader_epoch: i32,
        isr: &[i32],
        election: Election,
    ) -> &mut Self {
        let (at, leader, isr) = (orders(), BrokerId(leader), broker_ids(isr));
        let elected = BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, election };
        self.broker(1, elected)
    }

    /// b1, as controller, created the topic with one partition.
    pub fn created(&mut self, replicas: &[i32]) -> &mut Self {
        let assignment = vec![broker_ids(replicas)];
        self.broker(1, BrokerObservation::TopicCreated { topic: "orders".into(), assignment })
    }

    /// b1, as controller, left the partition without a leader.
    pub fn leader_lost(&mut self, leader_epoch: i32, isr: &[i32]) -> &mut Self {
        let (at, isr) = (orders(), broker_ids(isr));
        self.broker(1, BrokerObservation::LeaderLost { at, leader_epoch, isr })
    }

    /// The in-sync replicas changed.
    pub fn isr_changed(&mut self, from: &[i32], to: &[i32]) -> &mut Self {
        let (from, to) = (broker_ids(from), broker_ids(to));
        let changed = BrokerObservation::IsrChanged { at: orders(), from, to, partition_epoch: 1 };
        self.broker(1, changed)
    }

    /// b1, as controller, denied its leader a change of the in-sync replicas that it had written.
    pub fn isr_change_denied(&mut self) -> &mut Self {
        self.broker(1, BrokerObservation::IsrChangeDenied { at: orders(), partition_epoch: 1 })
    }

    /// b1, as new controller, found the partition in this state.
    pub fn state_found(
        &mut self,
        leader: i32,
        leader_epoch: i32,
        isr: &[i32],
        partition_epoch: i32,
    ) -> &mut Self {
        let (at, leader, isr) = (orders(), Some(BrokerId(leader)), broker_ids(isr));
        let found =
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, partition_epoch };
        self.broker(1, found)
    }

    /// A broker observed something.
    pub fn told_by(&mut self, broker: i32, observation: BrokerObservation) -> &mut Self {
        self.broker(broker, observation)
    }

    /// A turn in the life of z1's process.
    pub fn server_life(&mut self, life: Life) -> &mut Self {
        self.told.push((self.now, Told::Life(Self::Z1, life)));
        self
    }

    /// Something was read off the cluster.
    pub fn fact(&mut self, fact: Fact) -> &mut Self {
        self.told.push((self.now, Told::Fact(fact)));
        self
    }

    /// A broker's replica, as it is at the end.
    pub fn final_replica(&mut self, broker: i32, replica: Replica) -> &mut Self {
        let (at, broker, replica) = (orders(), BrokerId(broker), Some(replica));
        self.fact(Fact::FinalReplica { at, broker, replica })
    }

    /// A turn in the life of c0's process.
    pub fn consumer_life(&mut self, life: Life) -> &mut Self {
        self.told.push((self.now, Told::Life(Self::C0, life)));
        self
    }

    /// A turn in the life of a broker's process.
    pub fn life(&mut self, broker: i32, life: Life) -> &mut Self {
        let node = self.terms.brokers.iter().find(|(id, _)| id.0 == broker).expect("b1 to b3").1;
        self.told.push((self.now, Told::Life(node, life)));
        self
    }

    /// A broker became the controller.
    pub fn controller(&mut self, broker: i32, epoch: i32) -> &mut Self {
        self.broker(broker, BrokerObservation::ControllerElected { epoch })
    }

    /// A broker registered.
    pub fn registered(&mut self, broker: i32, epoch: i64) -> &mut Self {
        self.broker(broker, BrokerObservation::Registered { epoch })
    }

    /// A fault fired.
    pub fn fault(&mut self, text: &str) -> &mut Self {
        self.told.push((self.now, Told::Fault(text.into())));
        self
    }

    /// A fault was undone.
    pub fn undone(&mut self, text: &str) -> &mut Self {
        self.told.push((self.now, Told::Undone(text.into())));
        self
    }

    /// b1 leads at the end, and its log holds p0's records of these numbers at offsets of the same number.
    pub fn final_log(&mut self, records: Range<u64>) -> &mut Self {
        self.final_log = Some(Some(BrokerId(1)));
        for record in records {
            self.final_record(record as Offset, record);
        }
        self
    }

    /// The final log holds a record of p0.
    pub fn final_record(&mut self, offset: Offset, record: u64) -> &mut Self {
        self.foreign_record(offset, "p0", record)
    }

    /// The final log holds a record of any producer.
    pub fn foreign_record(&mut self, offset: Offset, producer: &str, record: u64) -> &mut Self {
        self.final_records.push((offset, producer.into(), record));
        self
    }

    /// Nobody leads at the end.
    pub fn leaderless(&mut self) -> &mut Self {
        self.final_log = Some(None);
        self
    }

    /// Has all of it judged.
    pub fn judgement(&self) -> Judgement {
        let judged = Modelled::new(self.terms.clone(), Judge::default());
        let mut recorder = Recorder::new(judged);
        for (time, told) in &self.told {
            match told {
                Told::Observed(node, observation) => recorder.observed(*time, *node, observation),
                Told::Fault(text) => recorder.fault(*time, text, &[]),
                Told::Life(node, life) => recorder.life(*time, *node, *life),
                Told::Undone(text) => recorder.undone(*time, text, &[]),
                Told::Fact(fact) => recorder.fact(*time, fact),
            }
        }
        if let Some(leader) = self.final_log {
            recorder.final_log(self.now, &orders(), leader, self.final_records.len() as Offset);
        }
        for (offset, producer, record) in &self.final_records {
            recorder.final_record(self.now, &orders(), *offset, producer, *record);
        }
        let Modelled { model, reader } =
            recorder.finish().expect("there is no event log").subscriber;
        reader.finish(model, self.now)
    }
}

/// A follower's replica in epoch 4.
pub fn replica(log_end: Offset, high_watermark: Offset) -> Replica {
    Replica {
        log_start: 0,
        log_end,
        high_watermark,
        leader_epoch: 4,
        leading: None,
        log_hash: 0,
        differs_at: None,
    }
}

/// A leader's replica in epoch 4; all of b1 to b3 are known to have its log.
pub fn leading(log_end: Offset, high_watermark: Offset, isr: &[i32]) -> Replica {
    let follower = |id| Follower {
        broker: BrokerId(id),
        log_end: Some(log_end),
        fetched: Some(Time::from_millis(60_000)),
    };
    let leading = Leading {
        isr: broker_ids(isr),
        is_isr_pending: false,
        is_held_below_min_isr: false,
        followers: [1, 2, 3].map(follower).to_vec(),
    };
    Replica { leading: Some(leading), ..replica(log_end, high_watermark) }
}

/// The evidence against a story.
///
/// # Panics
/// When `property` holds.
pub fn rejects(story: &Story, property: &Property) -> Evidence {
    match story.judgement().verdict(property) {
        Verdict::Violated(evidence) => evidence.clone(),
        verdict => panic!("{} is {verdict:?}", property.name),
    }
}

impl Judgement {
    /// What was said of `property`.
    pub fn judged(&self, property: &Property) -> &Judged {
        self.find(property).expect("every property is judged")
    }

    /// The verdict on `property`.
    pub fn verdict(&self, property: &Property) -> &Verdict {
        &self.judged(property).verdict
    }
}
