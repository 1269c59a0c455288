//! The line of each observation in a story.

use std::sync::Arc;

use super::super::turns::unclean_shutdown;
use super::{Kind, Story};
use crate::history::{
    BrokerObservation, Call, ClientObservation, Fact, GroupObservation, MemberEvent,
    MemberObservation, Observation, Outcome, TransactionEvent, TransactionObservation,
    TransactionOutcome, TransactionalObservation, ZooKeeperObservation,
};
use crate::vocab::{Acks, BrokerId, Offset, TopicPartition};

/// The kind of a moment, its partition if it has one, and its text.
type Line = (Kind, Option<TopicPartition>, String);

/// The line of an observation; many have none.
pub(super) fn observation(story: &Story, observation: &Observation) -> Option<Line> {
    match observation {
        Observation::Client(observation) => client(story, observation),
        Observation::External(external) => {
            let (kind, at, text) = client(story, &external.observation)?;
            Some((kind, at, format!("{}: {text}", external.client)))
        }
        Observation::Broker(BrokerObservation::Group(group)) => group_line(group),
        Observation::Broker(BrokerObservation::Transaction(did)) => transaction_line(did),
        Observation::Broker(observation) => election(story, observation)
            .or_else(|| replica(story, observation))
            .or_else(|| broker(story, observation)),
        Observation::ZooKeeper(observation) => zookeeper(observation),
        // Brokers and servers report its effects.
        Observation::Session(_) => None,
    }
}

fn client(story: &Story, observation: &ClientObservation) -> Option<Line> {
    use ClientObservation::*;
    let line = match observation {
        Invoked { op, call: Call::Produce { topic } } => {
            (Kind::Queue, None, format!("queues record {op} for {topic}"))
        }
        LeadersAsked { of } => {
            (Kind::Request, None, format!("requests metadata from {}", story.terms.name(*of)))
        }
        LeaderLearned { at, leader, leader_epoch } => {
            let text = match leader {
                Some(leader) => format!("{} leads epoch {leader_epoch}", story.broker(*leader)),
                None => format!("no leader, epoch {leader_epoch}"),
            };
            (Kind::Metadata, Some(at.clone()), format!("metadata: {text}"))
        }
        BatchSent { at, to, records, acks } => {
            let (what, to) = (record_numbers(records), story.terms.name(*to));
            (Kind::Send, Some(at.clone()), format!("sends {what} to {to}, acks={acks}"))
        }
        Completed { op, outcome } => {
            let (at, text) = match outcome {
                Outcome::Produced { at, offset: -1 } => {
                    (Some(at), format!("record {op} is sent; acks=0 has no acknowledgement"))
                }
                Outcome::Produced { at, offset } => {
                    (Some(at), format!("record {op} is acknowledged at offset {offset}"))
                }
                Outcome::Failed { error } => (None, format!("record {op} failed: {error}")),
                Outcome::Unknown { error } => {
                    (None, format!("record {op} may be written or not: {error}"))
                }
            };
            (Kind::Ack, at.cloned(), text)
        }
        Consumed { at, offset, producer, record, .. } => {
            let text = format!("reads record {record} of {producer} at offset {offset}");
            (Kind::Read, Some(at.clone()), text)
        }
        BrokersLearned { nodes } => {
            let names: Vec<_> = nodes.iter().map(|node| story.terms.name(*node)).collect();
            (Kind::Request, None, format!("metadata: brokers {}", names.join(" ")))
        }
        // The first position replaces none.
        PositionReset { from: None, .. } | RecordsPassed { .. } | IsolationChanged { .. } => {
            return None;
        }
        Refused { at, error } => {
            (Kind::Error, Some(at.clone()), format!("its request is refused: {error}"))
        }
        Member(member) => return member_line(member),
        Transactional(did) => return Some(transactional_line(did)),
        LifeEnded => (Kind::Request, None, "closed its last connection".to_owned()),
        NotFollowed { records } => {
            (Kind::Error, None, format!("{records} records are in no account"))
        }
        PositionReset { at, from: Some(from), to } => {
            let text = format!("position is reset from {from} to {to}");
            (Kind::Error, Some(at.clone()), text)
        }
        ProtocolError { at, why } => {
            (Kind::Error, Some(at.clone()), format!("receives an invalid response: {why}"))
        }
        CommandGiven { command } => (Kind::Command, None, format!("$ {command}")),
        CommandPrinted { lines } => (Kind::Command, None, format!("prints {}", lines.join("\n"))),
    };
    Some(line)
}

/// What a member of a group did; heartbeats without an error are too many.
fn member_line(member: &MemberObservation) -> Option<Line> {
    use MemberEvent::*;
    let kind = match &member.what {
        Heartbeat { error: None, .. } => return None,
        CommitSent { .. } | CommitAnswered { .. } | CommittedFetched { .. } => Kind::Commit,
        _ => Kind::Group,
    };
    Some((kind, None, member.to_string()))
}

/// What the coordinator of a group did.
fn group_line(group: &GroupObservation) -> Option<Line> {
    use GroupObservation::*;
    let kind = match group {
        MemberHeard { .. } | CommitAccepted { .. } | CommitAcceptedInTransaction { .. } => {
            return None;
        }
        OffsetsCommitted { .. } | OffsetsForgotten { .. } => Kind::Commit,
        _ => Kind::Group,
    };
    Some((kind, None, group.to_string()))
}

/// What a producer with a transactional id did.
fn transactional_line(did: &TransactionalObservation) -> Line {
    use TransactionEvent::*;
    let is_rare = match &did.what {
        Initialized { .. } => true,
        Ended { outcome, .. } => {
            !matches!(outcome, TransactionOutcome::Committed | TransactionOutcome::Aborted)
        }
        Began { .. } | OffsetsSent { .. } | CommitAsked { .. } | AbortAsked { .. } => false,
    };
    (if is_rare { Kind::Transaction } else { Kind::Commit }, None, did.to_string())
}

/// What the coordinator of a transactional id did, or a leader with a transaction.
fn transaction_line(did: &TransactionObservation) -> Option<Line> {
    use TransactionObservation::*;
    let (kind, at) = match did {
        // The append has a line.
        Appended { .. } => return None,
        Written { .. } => (Kind::Commit, None),
        MarkerAppended { at, .. } | LastStableOffset { at, .. } => (Kind::Commit, Some(at.clone())),
        Loaded { .. }
        | Forgotten { .. }
        | CoordinatorElected { .. }
        | CoordinatorResigned { .. } => (Kind::Transaction, None),
    };
    Some((kind, at, did.to_string()))
}

/// Decisions of the controller, and changes of a replica's role.
fn election(story: &Story, observation: &BrokerObservation) -> Option<Line> {
    use BrokerObservation::*;
    let names = |brokers: &[BrokerId]| {
        let names = story.terms.broker_names(brokers);
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    };
    let line = match observation {
        LeaderElected { at, leader, leader_epoch, isr, election } => {
            let (leader, isr) = (story.broker(*leader), names(isr));
            let text =
                format!("elects leader {leader}, epoch {leader_epoch} ({election}), ISR {isr}");
            (Kind::Election, at, text)
        }
        LeaderLost { at, leader_epoch, isr } => {
            let text = format!("finds no leader for epoch {leader_epoch}, ISR {}", names(isr));
            (Kind::Election, at, text)
        }
        IsrChanged { at, from, to, .. } => {
            (Kind::Isr, at, format!("changes the ISR from {} to {}", names(from), names(to)))
        }
        IsrChangeDenied { at, .. } => (
            Kind::Isr,
            at,
            "refuses an ISR change that is written already: the write was sent twice".into(),
        ),
        StateFound { at, leader, leader_epoch, isr, .. } => {
            let leader = leader.map_or_else(|| "none".into(), |leader| story.broker(leader));
            let isr = names(isr);
            let text = format!("reads: leader {leader}, epoch {leader_epoch}, ISR {isr}");
            (Kind::Controller, at, text)
        }
        BecameLeader { at, leader_epoch, start, high_watermark } => {
            let text = format!(
                "becomes leader, epoch {leader_epoch} from offset {start}, high watermark \
                 {high_watermark}"
            );
            (Kind::Role, at, text)
        }
        BecameFollower { at, leader_epoch, leader } => {
            let leader = leader.map_or_else(|| "no leader".into(), |leader| story.broker(leader));
            (Kind::Role, at, format!("follows {leader}, epoch {leader_epoch}"))
        }
        _ => return None,
    };
    let (kind, at, text) = line;
    Some((kind, Some(at.clone()), text))
}

/// Changes of a replica's log, and its followers' fetches.
fn replica(story: &Story, observation: &BrokerObservation) -> Option<Line> {
    use BrokerObservation::*;
    let (kind, at, text) = match observation {
        Truncated { at, from, to } if to < from => {
            (Kind::Truncation, at, format!("truncates its log from {from} to {to}"))
        }
        Appended { at, base, last, leader_epoch, .. } => {
            let what = offsets(*base, *last);
            (Kind::Append, at, format!("appends {what}, epoch {leader_epoch}"))
        }
        HandedToFollower { at, follower, from } => {
            let follower = story.broker(*follower);
            (Kind::Fetch, at, format!("{follower} fetches from offset {from}"))
        }
        FollowerFetched { at, follower, offset } => {
            let follower = story.broker(*follower);
            (Kind::Fetch, at, format!("{follower} fetched up to offset {offset}"))
        }
        Acknowledging { at, end, acks } => {
            let acks = if *acks == Acks::All.wire() { "all".to_owned() } else { acks.to_string() };
            (Kind::Ack, at, format!("acknowledges up to offset {end}, acks={acks}"))
        }
        FetchingFailed { at, leader, end, refused } => {
            let leader = story.broker(*leader);
            let text = format!(
                "stops fetching at offset {end}: records of {refused} from {leader} do not follow \
                 its log"
            );
            (Kind::Error, at, text)
        }
        HighWatermark { at, offset } => (Kind::Commit, at, format!("high watermark {offset}")),
        _ => return None,
    };
    Some((kind, Some(at.clone()), text))
}

/// Events of a broker that are not about a partition.
fn broker(story: &Story, observation: &BrokerObservation) -> Option<Line> {
    use BrokerObservation::*;
    let (kind, text) = match observation {
        Recovered { clean: true, .. } => (Kind::Process, "loads its logs".to_owned()),
        Recovered { clean: false, truncated_bytes } => {
            (Kind::Process, unclean_shutdown(*truncated_bytes))
        }
        Registered { epoch } => (Kind::Session, format!("registers, broker epoch {epoch}")),
        SessionExpired { session } => (Kind::Session, format!("session {session:#x} expired")),
        RegistrationBlocked { session } => {
            let why = format!("its previous session {session:#x} is open");
            (Kind::Session, format!("cannot start while {why}: flushes its logs and ends"))
        }
        ControllerElected { epoch } => {
            (Kind::Controller, format!("becomes controller, epoch {epoch}"))
        }
        ControllerResigned { epoch } => {
            (Kind::Controller, format!("resigns as controller, epoch {epoch}"))
        }
        BrokersKnown { brokers, .. } => {
            let names: Vec<_> = brokers.iter().map(|(id, _)| story.broker(*id)).collect();
            (Kind::Controller, format!("live brokers: {}", names.join(" ")))
        }
        TopicCreated { topic, assignment } => {
            let replicas = assignment.iter().map(|ids| story.terms.broker_names(ids).join(" "));
            let replicas = replicas.collect::<Vec<_>>().join(" | ");
            (Kind::Controller, format!("creates topic {topic}, replicas {replicas}"))
        }
        PartitionReassigned { at, replicas } => {
            let replicas = story.terms.broker_names(replicas).join(" ");
            (Kind::Controller, format!("reassigns {at}, replicas {replicas}"))
        }
        Halted { why } => (Kind::Process, format!("halts: {why}")),
        _ => return None,
    };
    Some((kind, None, text))
}

fn zookeeper(observation: &ZooKeeperObservation) -> Option<Line> {
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

/// The partition, the node and the text of a fact.
pub(super) fn fact(
    story: &Story,
    fact: &Fact,
) -> (Option<TopicPartition>, Option<Arc<str>>, String) {
    match fact {
        Fact::FinalLog { at, leader, end } => {
            let leader = leader.map(|leader| story.broker(leader));
            (Some(at.clone()), leader, format!("is the final leader, log end offset {end}"))
        }
        Fact::FinalReplica { at, broker, replica } => {
            let text = match replica {
                Some(replica) => format!(
                    "final log end offset {}, high watermark {}",
                    replica.log_end, replica.high_watermark
                ),
                None => "no replica at the end".to_owned(),
            };
            (Some(at.clone()), Some(story.broker(*broker)), text)
        }
        Fact::FinalPosition { consumer, at, position } => {
            let position = position.map_or_else(|| "none".into(), |offset| offset.to_string());
            let text = format!("final position {position}");
            (Some(at.clone()), story.name(*consumer), text)
        }
        Fact::Unconverged { why } => (None, None, format!("the cluster did not converge: {why}")),
        Fact::FinalRecord { at, offset, producer, record } => {
            let text =
                format!("the final log has record {record} of {producer} at offset {offset}");
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
