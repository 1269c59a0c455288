//! CreatePartitions: the assignment of each topic is read, checked and written with more partitions, one topic after
//! the other, and the request is answered when this broker's metadata have leaders for them
//! (`ZkAdminManager.createPartitions`, `DelayedCreatePartitions`). The controller does the rest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::admin_calls::{exists, get, set};
use super::broker::Broker;
use super::growths::{Growth, Row};
use super::timers::TimerFor;
use super::zk_requests::data;
use crate::nodes::broker::context::{Context, Part, ReplyTo};
use crate::nodes::broker::controller::assign_more;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::TopicAssignment;
use crate::releases::Change;
use crate::vocab::BrokerId;
use crate::wire::zookeeper::{Code, Reply};

/// Kafka's error, and a text if there is one.
type Refusal = (ResponseError, String);

/// What is left of a request.
#[derive(Debug)]
struct Work {
    to: ReplyTo,
    timeout_ms: i32,
    validate_only: bool,
    left: VecDeque<CreatePartitionsTopic>,
    rows: Vec<Row>,
    /// What is answered behind them: topics that were refused before any was looked at.
    refused: Vec<Row>,
}

fn row(name: &TopicName, partitions: i32, error: Option<Refusal>) -> Row {
    let (error, why) = error.map_or((None, None), |(error, why)| (Some(error), Some(why)));
    Row { name: name.clone(), partitions, error, why: why.filter(|why| !why.is_empty()) }
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn reply(cx: &mut Context<'_>, to: ReplyTo, rows: &[Row]) {
    let result = |row: &Row| {
        CreatePartitionsTopicResult::default()
            .with_name(row.name.clone())
            .with_error_code(row.error.map_or(0, |error| error.code()))
            .with_error_message(row.why.clone().map(StrBytes::from_string))
    };
    let results = rows.iter().map(result).collect();
    let response = CreatePartitionsResponse::default().with_results(results);
    cx.reply(to, ResponseKind::CreatePartitions(response));
}

/// Why partitions cannot have these replicas (`AdminManager.createPartitions`,
/// `AdminZkClient.validateReplicaAssignment`); `first` is the number of the first new partition.
fn chosen(
    topic: &CreatePartitionsTopic,
    brokers: &[BrokerId],
    first: i32,
    factor: usize,
) -> Option<Result<Vec<Vec<BrokerId>>, Refusal>> {
    let given = topic.assignments.as_ref()?;
    let refuse = |why: String| Some(Err((ResponseError::InvalidReplicaAssignment, why)));
    let rows: Vec<Vec<BrokerId>> =
        given.iter().map(|one| one.broker_ids.iter().map(|id| BrokerId(id.0)).collect()).collect();
    let mut seen: BTreeSet<BrokerId> = brokers.iter().copied().collect();
    let mut unknown = rows.iter().flatten().copied().collect::<Vec<_>>();
    unknown.retain(|id| seen.insert(*id));
    if !unknown.is_empty() {
        return refuse(format!("Unknown broker(s) in replica assignment: {}.", joined(&unknown)));
    }
    let more = topic.count - first;
    if rows.len() != more as usize {
        return refuse(format!(
            "Increasing the number of partitions by {more} but {} assignments provided.",
            rows.len()
        ));
    }
    for (id, replicas) in (first..).zip(&rows) {
        if replicas.is_empty() {
            return refuse(format!("Cannot have replication factor of 0 for partition id {id}."));
        }
        if replicas.iter().collect::<BTreeSet<_>>().len() != replicas.len() {
            return refuse(format!(
                "Duplicate brokers not allowed in replica assignment: {} for partition id {id}.",
                joined(replicas)
            ));
        }
    }
    let unequal = (first..).zip(&rows).filter(|(_, replicas)| replicas.len() != factor);
    let (ids, factors): (Vec<i32>, Vec<usize>) =
        unequal.map(|(id, replicas)| (id, replicas.len())).unzip();
    if !ids.is_empty() {
        return refuse(format!(
            "Inconsistent replication factor between partitions, partition 0 has {factor} while \
             partitions [{}] have replication factors [{}], respectively.",
            joined(&ids),
            joined(&factors)
        ));
    }
    Some(Ok(rows))
}

/// The assignment with the new partitions.
fn grown(
    topic: &CreatePartitionsTopic,
    mut assignment: TopicAssignment,
    brokers: &[BrokerId],
) -> Result<TopicAssignment, Refusal> {
    let name = &*topic.name;
    let (old, new) = (assignment.partitions.len() as i32, topic.count);
    if new < old {
        let why = format!(
            "Topic currently has {old} partitions, which is higher than the requested {new}."
        );
        return Err((ResponseError::InvalidPartitions, why));
    }
    if new == old {
        let why = format!("Topic already has {old} partitions.");
        return Err((ResponseError::InvalidPartitions, why));
    }
    let Some(first) = assignment.partitions.get(&0).cloned() else {
        let why = format!(
            "Unexpected existing replica assignment for topic '{name}', partition id 0 is missing."
        );
        return Err((ResponseError::UnknownServerError, why));
    };
    let rows = match chosen(topic, brokers, old, first.len()) {
        Some(rows) => rows?,
        None if first.len() > brokers.len() => {
            let why = format!(
                "Replication factor: {} larger than available brokers: {}.",
                first.len(),
                brokers.len()
            );
            return Err((ResponseError::InvalidReplicationFactor, why));
        }
        None => assign_more(brokers, &first, old as usize, (new - old) as usize),
    };
    assignment.partitions.extend((old..).zip(rows));
    Ok(assignment)
}

impl Broker {
    /// CreatePartitions; answered when the partitions have leaders, or at the request's timeout.
    pub(super) fn create_partitions(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: CreatePartitionsRequest,
    ) {
        let mut times: BTreeMap<TopicName, usize> = BTreeMap::new();
        for topic in &request.topics {
            *times.entry(topic.name.clone()).or_default() += 1;
        }
        if !self.controller.is_active() {
            let refusal = || Some((ResponseError::NotController, String::new()));
            let rows: Vec<_> = times.keys().map(|name| row(name, 0, refusal())).collect();
            return reply(cx, to, &rows);
        }
        let (mut left, mut refused) = (VecDeque::new(), Vec::new());
        for name in times.iter().filter(|(_, times)| **times > 1).map(|(name, _)| name) {
            let why = "Duplicate topic in request.".to_owned();
            refused.push(row(name, 0, Some((ResponseError::InvalidRequest, why))));
        }
        for topic in request.topics {
            if times[&topic.name] > 1 {
                continue;
            }
            if self.controller.is_to_be_deleted(&topic.name) {
                let why = "The topic is queued for deletion.".to_owned();
                let error = ResponseError::InvalidTopicException;
                refused.push(row(&topic.name, 0, Some((error, why))));
            } else {
                left.push_back(topic);
            }
        }
        let CreatePartitionsRequest { timeout_ms, validate_only, .. } = request;
        let rows = Vec::new();
        let work = Work { to, timeout_ms, validate_only, left, rows, refused };
        if self.config.version.has(Change::ReassignmentInTopicZnode) {
            return self.grow_next(cx, work);
        }
        let is_there = exists(paths::REASSIGN_PARTITIONS);
        self.ask_zookeeper_once(cx, is_there, |this, cx, answer| {
            let mut work = work;
            if answer.is_ok() {
                let why = "A partition reassignment is in progress.".to_owned();
                let refusal = (ResponseError::ReassignmentInProgress, why);
                let left = std::mem::take(&mut work.left).into_iter();
                work.rows.extend(left.map(|topic| row(&topic.name, 0, Some(refusal.clone()))));
            }
            this.grow_next(cx, work);
        });
    }

    fn grow_next(&mut self, cx: &mut Context<'_>, mut work: Work) {
        let Some(topic) = work.left.pop_front() else { return self.await_growth(cx, work) };
        let read = get(paths::topic(&topic.name));
        self.ask_zookeeper_once(cx, read, move |this, cx, answer| {
            let grown = this.grown(&topic, &answer);
            match grown {
                Ok(assignment) if !work.validate_only => {
                    let write =
                        set(paths::topic(&topic.name), assignment.encode(this.config.version));
                    this.ask_zookeeper_once(cx, write, move |this, cx, answer| {
                        let failed = answer
                            .err()
                            .map(|code| (ResponseError::UnknownServerError, code.to_string()));
                        work.rows.push(row(&topic.name, topic.count, failed));
                        this.grow_next(cx, work);
                    });
                }
                other => {
                    work.rows.push(row(&topic.name, topic.count, other.err()));
                    this.grow_next(cx, work);
                }
            }
        });
    }

    fn grown(
        &self,
        topic: &CreatePartitionsTopic,
        answer: &Result<Reply, Code>,
    ) -> Result<TopicAssignment, Refusal> {
        let name = &*topic.name;
        let assignment = match answer {
            Err(Code::NO_NODE) => {
                let why = format!("The topic '{name}' does not exist.");
                return Err((ResponseError::UnknownTopicOrPartition, why));
            }
            answer => data(answer).map(|data| TopicAssignment::decode(&data)),
        };
        let Some(Ok(assignment)) = assignment else {
            return Err((ResponseError::UnknownServerError, String::new()));
        };
        if !assignment.adding_replicas.is_empty() || !assignment.removing_replicas.is_empty() {
            let why = format!("A partition reassignment is in progress for the topic '{name}'.");
            return Err((ResponseError::ReassignmentInProgress, why));
        }
        grown(topic, assignment, &self.controller.registered())
    }

    fn await_growth(&mut self, cx: &mut Context<'_>, work: Work) {
        let Work { to, timeout_ms, validate_only, mut rows, refused, .. } = work;
        let is_grown = rows.iter().any(|row| row.error.is_none());
        if timeout_ms <= 0 || validate_only || !is_grown {
            if !validate_only {
                for row in rows.iter_mut().filter(|row| row.error.is_none()) {
                    row.error = Some(ResponseError::RequestTimedOut);
                }
            }
            rows.extend(refused);
            return reply(cx, to, &rows);
        }
        let number = self.growths.add(Growth { to, rows, refused });
        let wait = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
        cx.timer(Part::Server, cx.clock.now + wait, TimerFor::Growth(number).number());
        self.end_growths(cx);
    }

    /// Answers the requests whose partitions all have leaders.
    pub(super) fn end_growths(&mut self, cx: &mut Context<'_>) {
        for number in self.growths.done(&self.metadata) {
            self.end_growth(cx, number);
        }
    }

    /// Answers a request, its time being over or its partitions led.
    pub(super) fn end_growth(&mut self, cx: &mut Context<'_>, number: u64) {
        let Some(growth) = self.growths.take(number) else { return };
        let mut rows = growth.rows;
        for row in rows.iter_mut().filter(|row| row.error.is_none()) {
            if !row.is_led(&self.metadata) {
                row.error = Some(ResponseError::RequestTimedOut);
            }
        }
        rows.extend(growth.refused);
        reply(cx, growth.to, &rows);
    }
}
