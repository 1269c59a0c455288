//! What each observation is in a story.

use std::sync::Arc;

use super::{Kind, Story};
use crate::history::{
    BrokerObservation, Call, ClientObservation, Fact, Observation, Outcome, ZooKeeperObservation,
};
use crate::vocab::{Acks, BrokerId, Offset, TopicPartition};

type Told = (Kind, Option<TopicPartition>, String);

/// What is told of an observation; nothing of what matters to nobody.
pub(super) fn observation(story: &Story, observation: &Observation) -> Option<Told> {
    match observation {
        Observation::Client(observation) => client(story, observation),
        Observation::Broker(observation) => election(story, observation)
            .or_else(|| replica(story, observation))
            .or_else(|| broker(story, observation)),
        Observation::ZooKeeper(observation) => zookeeper(observation),
        // What comes of it is told by brokers and servers.
        Observation::Session(_) => None,
    }
}

fn client(story: &Story, observation: &ClientObservation) -> Option<Told> {
    use ClientObservation::*;
    let told = match observation {
        Invoked { op, call: Call::Produce { topic } } => {
            (Kind::Record, None, format!("is handed record {op} for {topic}"))
        }
        LeadersAsked { of } => {
            (Kind::Ask, None, format!("asks {} who leads", story.terms.name(*of)))
        }
        LeaderLearned { at, leader, leader_epoch } => {
            let leader = leader.map_or_else(|| "nobody".into(), |leader| story.broker(leader));
            let text = format!("learns that {leader} leads in epoch {leader_epoch}");
            (Kind::Leader, Some(at.clone()), text)
        }
        BatchSent { at, to, records, acks } => {
            let (what, to) = (record_numbers(records), story.terms.name(*to));
            (Kind::Send, Some(at.clone()), format!("sends {what} to {to}, acks={acks}"))
        }
        Completed { op, outcome } => {
            let (at, text) = match outcome {
                Outcome::Produced { at, offset: -1 } => {
                    (Some(at), format!("counts record {op} as sent; nobody will answer"))
                }
                Outcome::Produced { at, offset } => {
                    (Some(at), format!("has the answer: record {op} is at offset {offset}"))
                }
                Outcome::Failed { error } => (None, format!("gives record {op} up: {error}")),
                Outcome::Unknown { error } => {
                    (None, format!("never learns what became of record {op}: {error}"))
                }
            };
            (Kind::Answer, at.cloned(), text)
        }
        Consumed { at, offset, producer, record, .. } => {
            let text = format!("reads record {record} of {producer} at offset {offset}");
            (Kind::Read, Some(at.clone()), text)
        }
        BrokersLearned { nodes } => {
            let names: Vec<_> = nodes.iter().map(|node| story.terms.name(*node)).collect();
            (Kind::Ask, None, format!("asks {} from now on", names.join(" ")))
        }
        // A first position is none that was lost.
        PositionReset { from: None, .. } => return None,
        PositionReset { at, from: Some(from), to } => {
            let text = format!("has its position reset from {from} to {to}");
            (Kind::MatrixFault, Some(at.clone()), text)
        }
        ProtocolError { at, why } => {
            (Kind::MatrixFault, Some(at.clone()), format!("is sent what no leader may send: {why}"))
        }
        CommandGiven { command } => (Kind::Command, None, format!("$ {command}")),
        CommandPrinted { lines } => (Kind::Command, None, format!("prints {}", lines.join("\n"))),
    };
    Some(told)
}

/// What the controller decides, and who leads and follows.
fn election(story: &Story, observation: &BrokerObservation) -> Option<Told> {
    use BrokerObservation::*;
    let names = |brokers: &[BrokerId]| {
        let names = story.terms.broker_names(brokers);
        if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
    };
    let told = match observation {
        LeaderElected { at, leader, leader_epoch, isr, election } => {
            let (leader, isr) = (story.broker(*leader), names(isr));
            let text =
                format!("elects {leader} leader of epoch {leader_epoch} ({election}), ISR {isr}");
            (Kind::Election, at, text)
        }
        LeaderLost { at, leader_epoch, isr } => {
            let text = format!("leaves it leaderless in epoch {leader_epoch}, ISR {}", names(isr));
            (Kind::Election, at, text)
        }
        IsrChanged { at, from, to, .. } => {
            (Kind::Isr, at, format!("has the ISR changed from {} to {}", names(from), names(to)))
        }
        IsrChangeDenied { at, .. } => (
            Kind::Isr,
            at,
            "tells the leader that the ISR was not changed, as its write ran into itself".into(),
        ),
        StateFound { at, leader, leader_epoch, isr, .. } => {
            let leader = leader.map_or_else(|| "nobody".into(), |leader| story.broker(leader));
            let text =
                format!("finds {leader} leading in epoch {leader_epoch}, ISR {}", names(isr));
            (Kind::Controller, at, text)
        }
        BecameLeader { at, leader_epoch, start, high_watermark } => {
            let text = format!(
                "leads in epoch {leader_epoch} from offset {start}, high watermark {high_watermark}"
            );
            (Kind::Role, at, text)
        }
        BecameFollower { at, leader_epoch, leader } => {
            let leader = leader.map_or_else(|| "nobody".into(), |leader| story.broker(leader));
            (Kind::Role, at, format!("follows {leader} in epoch {leader_epoch}"))
        }
        _ => return None,
    };
    let (kind, at, text) = told;
    Some((kind, Some(at.clone()), text))
}

/// What a replica tells of its log, and of whom it serves.
fn replica(story: &Story, observation: &BrokerObservation) -> Option<Told> {
    use BrokerObservation::*;
    let (kind, at, text) = match observation {
        Truncated { at, from, to } if to < from => {
            (Kind::Truncation, at, format!("cuts its log from {from} to {to}"))
        }
        Appended { at, base, last, leader_epoch, .. } => {
            let what = offsets(*base, *last);
            (Kind::Append, at, format!("appends {what} of epoch {leader_epoch} to its log"))
        }
        HandedToFollower { at, follower, from } => {
            let follower = story.broker(*follower);
            (Kind::Fetch, at, format!("is pulled from by {follower}, from offset {from}"))
        }
        FollowerFetched { at, follower, offset } => {
            let follower = story.broker(*follower);
            let text = format!("hears that {follower} has everything below offset {offset}");
            (Kind::Fetch, at, text)
        }
        Acknowledging { at, end, acks } => {
            let acks = if *acks == Acks::All.wire() { "all".to_owned() } else { acks.to_string() };
            let text = format!("answers: all below offset {end} is acknowledged, acks={acks}");
            (Kind::Answer, at, text)
        }
        FetchingFailed { at, leader, end, refused } => {
            let (leader, what) =
                (story.broker(*leader), if at == refused { "it" } else { "another" });
            let text = format!(
                "fetches no more, at offset {end}: what {leader} sent of {what} does not follow on \
                 its log"
            );
            (Kind::MatrixFault, at, text)
        }
        HighWatermark { at, offset } => {
            (Kind::Commit, at, format!("knows everything below offset {offset} to be committed"))
        }
        _ => return None,
    };
    Some((kind, Some(at.clone()), text))
}

/// What a broker tells that is about no partition.
fn broker(story: &Story, observation: &BrokerObservation) -> Option<Told> {
    use BrokerObservation::*;
    let (kind, text) = match observation {
        Recovered { clean: true, .. } => (Kind::Process, "loads its logs".to_owned()),
        Recovered { clean: false, truncated_bytes } => {
            let text =
                format!("recovers from an unclean shutdown, {truncated_bytes} torn bytes cut");
            (Kind::Process, text)
        }
        Registered { epoch } => (Kind::Session, format!("registers, broker epoch {epoch}")),
        SessionExpired { session } => {
            (Kind::Session, format!("hears that its session {session:#x} has expired"))
        }
        RegistrationBlocked { session } => {
            let text = format!("cannot register while its former session {session:#x} lives");
            (Kind::Session, text)
        }
        ControllerElected { epoch } => {
            (Kind::Controller, format!("becomes the controller of epoch {epoch}"))
        }
        ControllerResigned { epoch } => {
            (Kind::Controller, format!("resigns as the controller of epoch {epoch}"))
        }
        BrokersKnown { brokers, .. } => {
            let names: Vec<_> = brokers.iter().map(|(id, _)| story.broker(*id)).collect();
            (Kind::Controller, format!("goes by these brokers as live: {}", names.join(" ")))
        }
        TopicCreated { topic, assignment } => {
            let replicas = assignment.iter().map(|ids| story.terms.broker_names(ids).join(" "));
            let replicas = replicas.collect::<Vec<_>>().join(" | ");
            (Kind::Controller, format!("creates {topic} on {replicas}"))
        }
        Halted { why } => (Kind::Process, format!("halts: {why}")),
        _ => return None,
    };
    Some((kind, None, text))
}

fn zookeeper(observation: &ZooKeeperObservation) -> Option<Told> {
    let kind = match observation {
        // Every transaction would be too much.
        ZooKeeperObservation::Logged { .. }
        | ZooKeeperObservation::Committed { .. }
        | ZooKeeperObservation::Removed { .. }
        | ZooKeeperObservation::Written { .. } => return None,
        ZooKeeperObservation::SessionOpened { .. }
        | ZooKeeperObservation::SessionExpired { .. }
        | ZooKeeperObservation::SessionClosed { .. }
        | ZooKeeperObservation::SessionAttached { .. }
        | ZooKeeperObservation::SessionEnded { .. }
        | ZooKeeperObservation::EphemeralCreated { .. }
        | ZooKeeperObservation::EphemeralDeleted { .. } => Kind::Session,
        _ => Kind::Process,
    };
    Some((kind, None, observation.to_string()))
}

/// What is told of a fact: where it is, whose it is, and what.
pub(super) fn fact(
    story: &Story,
    fact: &Fact,
) -> (Option<TopicPartition>, Option<Arc<str>>, String) {
    match fact {
        Fact::FinalLog { at, leader, end } => {
            let leader = leader.map(|leader| story.broker(leader));
            (Some(at.clone()), leader, format!("leads in the end, with a log up to offset {end}"))
        }
        Fact::FinalReplica { at, broker, replica } => {
            let text = match replica {
                Some(replica) => format!(
                    "has a log up to offset {} in the end, committed up to {}",
                    replica.log_end, replica.high_watermark
                ),
                None => "has no replica in the end".to_owned(),
            };
            (Some(at.clone()), Some(story.broker(*broker)), text)
        }
        Fact::FinalPosition { consumer, at, position } => {
            let position = position.map_or_else(|| "nowhere".into(), |offset| offset.to_string());
            let text = format!("would go on reading at {position}");
            (Some(at.clone()), story.name(*consumer), text)
        }
        Fact::Unconverged { why } => (None, None, format!("the cluster did not converge: {why}")),
        Fact::FinalRecord { at, offset, producer, record } => {
            let text = format!("the final log holds record {record} of {producer} at {offset}");
            (Some(at.clone()), None, text)
        }
    }
}

fn record_numbers(records: &[u64]) -> String {
    match records {
        [one] => format!("record {one}"),
        [first, .., last] if last - first == records.len() as u64 - 1 => {
            format!("records {first} to {last}")
        }
        _ => {
            let numbers: Vec<String> = records.iter().map(ToString::to_string).collect();
            format!("records {}", numbers.join(" "))
        }
    }
}

fn offsets(base: Offset, last: Offset) -> String {
    if base == last { format!("offset {base}") } else { format!("offsets {base} to {last}") }
}
