//! Observations in words, for the event log and for people.

use std::fmt;

use super::{
    BrokerObservation, Call, ClientObservation, Election, Observation, Outcome, SessionAnswer,
    SessionCall, SessionObservation, WatchKind, ZooKeeperObservation,
};
use crate::vocab::BrokerId;

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => client.fmt(f),
            Self::Broker(broker) => broker.fmt(f),
            Self::ZooKeeper(zookeeper) => zookeeper.fmt(f),
            Self::Session(session) => session.fmt(f),
            Self::External(external) => {
                write!(f, "client {}", external.client)?;
                external.acks.map_or(Ok(()), |acks| write!(f, " (acks={acks})"))?;
                write!(f, ": {}", external.observation)
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Produced { at, offset: -1 } => write!(f, "ok, {at} at an unknown offset"),
            Self::Produced { at, offset } => write!(f, "ok, {at}@{offset}"),
            Self::Failed { error } => write!(f, "failed, {error}"),
            Self::Unknown { error } => write!(f, "unknown, {error}"),
        }
    }
}

impl fmt::Display for ClientObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoked { op, call: Call::Produce { topic } } => {
                write!(f, "invoked {op}: produce to {topic}")
            }
            Self::Completed { op, outcome } => write!(f, "completed {op}: {outcome}"),
            Self::Consumed { at, offset, leader_epoch, producer, record } => {
                write!(f, "consumed {at}@{offset} of epoch {leader_epoch}: {producer}:{record}")
            }
            Self::PositionReset { at, from: Some(from), to } => {
                write!(f, "position of {at} reset from {from} to {to}")
            }
            Self::PositionReset { at, from: None, to } => {
                write!(f, "position of {at} set to {to}")
            }
            Self::ProtocolError { at, why } => write!(f, "invalid response for {at}: {why}"),
            Self::LeadersAsked { of } => write!(f, "requested metadata from node {}", of.0),
            Self::LeaderLearned { at, leader: Some(leader), leader_epoch } => {
                write!(f, "metadata: {leader} leads {at} in epoch {leader_epoch}")
            }
            Self::LeaderLearned { at, leader: None, leader_epoch } => {
                write!(f, "metadata: no leader for {at} in epoch {leader_epoch}")
            }
            Self::BatchSent { at, to, records, acks } => {
                write!(f, "sent {records:?} for {at} to node {}, acks={acks}", to.0)
            }
            Self::CommandGiven { command } => write!(f, "ran `{command}`"),
            Self::CommandPrinted { lines } => write!(f, "printed {lines:?}"),
            Self::RecordsPassed { at, to } => write!(f, "passed records of {at} up to {to}"),
            Self::Refused { at, error } => write!(f, "refused for {at}: {error}"),
            Self::LifeEnded => f.write_str("closed its last connection"),
            Self::NotFollowed { records } => write!(f, "{records} records are in no account"),
            Self::Member(member) => member.fmt(f),
            Self::Transactional(transactional) => transactional.fmt(f),
            Self::IsolationChanged { read_committed: true } => f.write_str("reads committed"),
            Self::IsolationChanged { read_committed: false } => f.write_str("reads uncommitted"),
            Self::BrokersLearned { nodes } => {
                write!(f, "metadata: brokers on nodes")?;
                nodes.iter().try_for_each(|node| write!(f, " {}", node.0))
            }
        }
    }
}

/// Brokers as a list: `1,2,3`; `none` when there is none.
struct Brokers<'a>(&'a [BrokerId]);

impl fmt::Display for Brokers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("none") };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|broker| write!(f, ",{broker}"))
    }
}

impl fmt::Display for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Offline => "offline",
            Self::Unclean => "unclean",
            Self::Preferred => "preferred",
            Self::ControlledShutdown => "controlled shutdown",
            Self::Reassigned => "reassigned",
        })
    }
}

impl fmt::Display for BrokerObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered { clean, truncated_bytes } => {
                let shutdown = if *clean { "a clean" } else { "an unclean" };
                write!(f, "recovered after {shutdown} shutdown, {truncated_bytes} bytes cut")
            }
            Self::Registered { epoch } => write!(f, "registered, broker epoch {epoch}"),
            Self::SessionExpired { session } => write!(f, "session {session:#x} expired"),
            Self::ControllerElected { epoch } => write!(f, "became controller, epoch {epoch}"),
            Self::ControllerResigned { epoch } => {
                write!(f, "resigned as controller, epoch {epoch}")
            }
            Self::LeaderElected { at, leader, leader_epoch, isr, election } => write!(
                f,
                "elected {leader} to lead {at} in epoch {leader_epoch} ({election}), isr {}",
                Brokers(isr)
            ),
            Self::LeaderLost { at, leader_epoch, isr } => {
                write!(f, "no leader for {at} in epoch {leader_epoch}, isr {}", Brokers(isr))
            }
            Self::IsrChanged { at, from, to, partition_epoch } => write!(
                f,
                "isr of {at} changed from {} to {}, partition epoch {partition_epoch}",
                Brokers(from),
                Brokers(to)
            ),
            Self::IsrChangeDenied { at, partition_epoch } => write!(
                f,
                "refused the change of the isr of {at} to partition epoch {partition_epoch}"
            ),
            Self::TopicCreated { topic, assignment } => {
                write!(f, "created {topic}, assigned")?;
                assignment.iter().try_for_each(|replicas| write!(f, " {}", Brokers(replicas)))
            }
            Self::PartitionReassigned { at, replicas } => {
                write!(f, "reassigned {at} to {}", Brokers(replicas))
            }
            Self::Halted { why } => write!(f, "halted: {why}"),
            Self::StateFound { at, leader, leader_epoch, isr, partition_epoch } => {
                let leader = leader.map_or("no leader".to_owned(), |id| format!("leader {id}"));
                let isr = Brokers(isr);
                write!(f, "read {at}: {leader}, epoch {leader_epoch}, isr {isr}, ")?;
                write!(f, "partition epoch {partition_epoch}")
            }
            Self::RegistrationBlocked { session } => {
                write!(f, "cannot register while session {session:#x} is open")
            }
            Self::BrokersKnown { epoch, brokers } => {
                write!(f, "live brokers for controller epoch {epoch}:")?;
                brokers.iter().try_for_each(|(id, czxid)| write!(f, " {id} since {czxid}"))
            }
            Self::Group(group) => group.fmt(f),
            Self::Transaction(transaction) => transaction.fmt(f),
            Self::BecameLeader { .. }
            | Self::BecameFollower { .. }
            | Self::Appended { .. }
            | Self::Truncated { .. }
            | Self::HighWatermark { .. }
            | Self::HandedToFollower { .. }
            | Self::FollowerFetched { .. }
            | Self::LogLoaded { .. }
            | Self::IsrKnown { .. }
            | Self::Acknowledging { .. }
            | Self::Serving { .. }
            | Self::FetchingFailed { .. }
            | Self::ProducerAppended { .. }
            | Self::ProducersExpired { .. }
            | Self::BeginningDeleted { .. } => replica(self, f),
        }
    }
}

/// Observations of a replica.
fn replica(observation: &BrokerObservation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use BrokerObservation::*;
    match observation {
        BecameLeader { at, leader_epoch, start, high_watermark } => write!(
            f,
            "became leader of {at} in epoch {leader_epoch} from {start}, high watermark \
             {high_watermark}"
        ),
        BecameFollower { at, leader_epoch, leader: Some(leader) } => {
            write!(f, "follows {leader} on {at} in epoch {leader_epoch}")
        }
        BecameFollower { at, leader_epoch, leader: None } => {
            write!(f, "follows no leader on {at} in epoch {leader_epoch}")
        }
        Appended { at, base, last, leader_epoch, checksum } => {
            write!(f, "appended {at}@{base}..={last} of epoch {leader_epoch}, {checksum:08x}")
        }
        Truncated { at, from, to } => write!(f, "truncated {at} from {from} to {to}"),
        BeginningDeleted { at, start } => write!(f, "deleted {at} below {start}"),
        HighWatermark { at, offset } => write!(f, "high watermark of {at} is {offset}"),
        HandedToFollower { at, follower, from } => {
            write!(f, "sends records of {at} from {from} to follower {follower}")
        }
        FollowerFetched { at, follower, offset } => {
            write!(f, "follower {follower} of {at} fetched from {offset}")
        }
        LogLoaded { at, start, end, high_watermark, from, batches } => write!(
            f,
            "loaded {at} from {start} to {end}, high watermark {high_watermark}, {} batches \
             from {from}",
            batches.len()
        ),
        IsrKnown { at, committed, maximal, min } => write!(
            f,
            "leads {at} with isr {}, at most {}, at least {min}",
            Brokers(committed),
            Brokers(maximal)
        ),
        Acknowledging { at, end, acks } => {
            write!(f, "acknowledges {at} up to {end}, acks={acks}")
        }
        Serving { at, end } => write!(f, "serves {at} up to {end}"),
        FetchingFailed { at, leader, end, refused } => {
            write!(f, "stopped fetching {at} from {leader} at {end}: refused records of {refused}")
        }
        ProducerAppended { at, base, leader_epoch, batch } => write!(
            f,
            "appended {at}@{base} of epoch {leader_epoch} as {}..={} of producer {} in epoch {}",
            batch.first_sequence, batch.last_sequence, batch.producer, batch.epoch
        ),
        ProducersExpired { at, producers } => write!(f, "forgot producers {producers:?} of {at}"),
        _ => unreachable!("all others are above"),
    }
}

impl fmt::Display for ZooKeeperObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered { zxid } => write!(f, "recovered up to {zxid}"),
            Self::SessionOpened { session, timeout_ms } => {
                write!(f, "session {session:#x} opened, timeout {timeout_ms}ms")
            }
            Self::SessionExpired { session, heard } => {
                write!(f, "session {session:#x} expired, last heartbeat at {heard}")
            }
            Self::SessionClosed { session } => write!(f, "session {session:#x} closed"),
            Self::Stored { zxid, path, version, data } => {
                write!(f, "stored {path} version {version} at {zxid}: {data}")
            }
            Self::SessionAttached { session, timeout_ms } => {
                write!(f, "session {session:#x} attached again, timeout {timeout_ms}ms")
            }
            Self::SessionEnded { session } => write!(f, "session {session:#x} ended"),
            Self::EphemeralCreated { path, session } => {
                write!(f, "ephemeral {path} of session {session:#x} created")
            }
            Self::EphemeralDeleted { path, session } => {
                write!(f, "ephemeral {path} of session {session:#x} deleted")
            }
            Self::TreeLoaded { sessions, ephemerals } => {
                let (sessions, ephemerals) = (sessions.len(), ephemerals.len());
                write!(f, "loaded a tree of {sessions} sessions and {ephemerals} ephemerals")
            }
            Self::Halted { why } => write!(f, "halted: {why}"),
            Self::Looking { round, zxid } => {
                write!(f, "looks for a leader in round {round}, last zxid {zxid}")
            }
            Self::Leading { epoch, zxid, .. } => write!(f, "leads epoch {epoch} from {zxid}"),
            Self::Following { epoch, leader, zxid, .. } => {
                write!(f, "follows server {leader} in epoch {epoch} from {zxid}")
            }
            Self::EpochsWritten { accepted, current } => {
                write!(f, "accepted epoch {accepted}, current epoch {current}")
            }
            Self::Logged { zxid, hash } => write!(f, "logged {zxid}, {hash:016x}"),
            Self::Committed { zxid, hash } => write!(f, "committed {zxid}, {hash:016x}"),
            Self::Truncated { to } => write!(f, "truncated its log to {to}"),
            Self::SnapshotTaken { zxid, contains } => {
                write!(f, "took a snapshot of {zxid}, with changes up to {contains}")
            }
            Self::SnapshotRead { zxid, contains } => {
                write!(f, "starts from a snapshot of {zxid}, with changes up to {contains}")
            }
            Self::Installed { zxid } => write!(f, "installed the leader's snapshot of {zxid}"),
            Self::Removed { zxid, path } => write!(f, "removed {path} at {zxid}"),
            Self::Written { zxid, session, xid } => {
                write!(f, "wrote request {xid} of session {session:#x} at {zxid}")
            }
        }
    }
}

impl fmt::Display for SessionCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watching = |watch: &bool| if *watch { ", watching" } else { "" };
        match self {
            Self::Exists { path, watch } => write!(f, "exists {path}{}", watching(watch)),
            Self::GetData { path, watch } => write!(f, "getData {path}{}", watching(watch)),
            Self::GetChildren { path, watch } => write!(f, "getChildren {path}{}", watching(watch)),
            Self::Create { path } => write!(f, "create {path}"),
            Self::SetData { path, version: -1 } => write!(f, "setData {path}"),
            Self::SetData { path, version } => write!(f, "setData {path} version {version}"),
            Self::Delete { path } => write!(f, "delete {path}"),
            Self::Sync => f.write_str("sync"),
            Self::Write => f.write_str("another write"),
            Self::Other => f.write_str("another request"),
        }
    }
}

impl fmt::Display for SessionAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { path, .. } => write!(f, "created {path}"),
            Self::Stat { mzxid, version } => write!(f, "version {version} of {mzxid}"),
            Self::Done => f.write_str("done"),
            Self::Failed { code } => write!(f, "failed, {code}"),
        }
    }
}

impl fmt::Display for WatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "was created",
            Self::Deleted => "was deleted",
            Self::DataChanged => "was changed",
            Self::ChildrenChanged => "has other children",
        })
    }
}

impl fmt::Display for SessionObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached { session, server } => {
                write!(f, "session {session:#x} is attached to node {}", server.0)
            }
            Self::Asked { xid, call } => write!(f, "request {xid}: {call}"),
            Self::Answered { xid, zxid, answer } => {
                write!(f, "response {xid} at {zxid}: {answer}")
            }
            Self::Rearmed { zxid } => write!(f, "set its watches again at {zxid}"),
            Self::Notified { kind, path } => write!(f, "watch event: {path} {kind}"),
            Self::Detached => f.write_str("disconnected from ZooKeeper"),
            Self::Expired => f.write_str("session expired"),
        }
    }
}
