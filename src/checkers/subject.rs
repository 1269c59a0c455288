//! What a property looks at, and whether a run had any of it.
//!
//! A property that had nothing to look at holds, and its verdict shows nothing: the report says so. Where the
//! scenario was made to have some (a producer sent records, and none was acknowledged), or an `[expect]` hangs on
//! it, the verdict is inconclusive.

use crate::model::Model;
use crate::vocab::{Acks, Happening};

/// What a property, or an expectation, is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Brokers and ZooKeeper servers: every run has them.
    Cluster,
    /// Records that producers sent.
    Operations,
    /// Records that were acknowledged at an offset.
    Acknowledgements,
    /// Records that consumers read.
    Reads,
    /// Offsets of records, in acknowledgements or in what consumers read.
    Offsets,
    /// Records of producers in the final logs.
    FinalRecords,
    /// Batches of idempotent producers.
    ProducerBatches,
    /// Consumer groups.
    Groups,
    /// Transactions of producers.
    Transactions,
    /// Leaders of partitions.
    Leaders,
    /// Controllers.
    Controllers,
    /// Sessions at ZooKeeper.
    Sessions,
    /// An ensemble of ZooKeeper servers that had a leader.
    Ensemble,
}

impl Subject {
    /// What a happening needs, so that its absence shows anything.
    pub fn of(happening: Happening) -> Self {
        match happening {
            Happening::LeaderElected
            | Happening::UncleanLeaderElected
            | Happening::PreferredLeaderElected
            | Happening::LeaderLost
            | Happening::IsrShrunk
            | Happening::IsrExpanded
            | Happening::Truncated => Self::Leaders,
            Happening::ControllerElected => Self::Controllers,
            Happening::SessionExpired | Happening::BrokerRegisteredAgain => Self::Sessions,
            Happening::OperationFailed
            | Happening::OperationUnknown
            | Happening::RequestRefused => Self::Operations,
            Happening::PositionReset => Self::Reads,
            Happening::RecordLost => Self::Acknowledgements,
            Happening::RecordDuplicated | Happening::RecordReordered => Self::FinalRecords,
            Happening::ZooKeeperLeaderChanged => Self::Ensemble,
            Happening::UncleanShutdownRecovered
            | Happening::BrokerHalted
            | Happening::ZooKeeperSnapshotRead => Self::Cluster,
        }
    }

    /// Why a run had none of it, in a clause; `None` when it had some.
    pub fn missing(self, model: &Model) -> Option<String> {
        let accounts = model.ledger.accounts();
        let acknowledged = accounts.iter().any(|account| account.acknowledged() > 0);
        let readers = model.reading.readers();
        let read = readers.iter().any(|reader| reader.read > 0);
        let in_log = |account: &crate::model::ledger::Account| {
            account.topics.values().any(|topic| !topic.in_log.is_empty())
        };
        let (has_any, none) = match self {
            Self::Cluster => return None,
            Self::Operations => {
                let sent = accounts.iter().any(|account| !account.invoked.is_empty());
                (sent, if accounts.is_empty() { "no producer" } else { "no record was sent" })
            }
            Self::Acknowledgements if acknowledged => return None,
            Self::Acknowledgements => return Some(unacknowledged(model)),
            Self::Reads if readers.is_empty() => (false, "no consumer"),
            Self::Reads => (read, "no consumer read a record"),
            Self::Offsets => (acknowledged || read, "no offset of a record was seen"),
            Self::FinalRecords => (accounts.iter().any(in_log), "no final log holds a record"),
            Self::ProducerBatches => (model.producer_logs.has_batches, "no idempotent producer"),
            Self::Groups => (model.groups.has_any(), "no consumer group"),
            Self::Transactions => (model.transactional.has_any(), "no transactional producer"),
            Self::Leaders => (model.epoch_holders.has_leaders(), "no partition had a leader"),
            Self::Controllers => (model.epoch_holders.has_controllers(), "no controller"),
            Self::Sessions => (model.server_trees.has_sessions(), "no session at ZooKeeper"),
            Self::Ensemble if model.ensemble.is_one() => (false, "ZooKeeper is a single server"),
            Self::Ensemble => (model.epoch_holders.has_ensemble(), "ZooKeeper had no leader"),
        };
        (!has_any).then(|| none.to_owned())
    }

    /// Why a run had none of it, if it was made to have some: producers sent records, and none was acknowledged.
    pub fn due_but_missing(self, model: &Model) -> Option<String> {
        let mut accounts = model.ledger.accounts().iter();
        let is_due = self == Self::Acknowledgements
            && accounts.clone().any(|account| !account.invoked.is_empty())
            && accounts.all(|account| account.unconfirmed() == 0);
        is_due.then(|| self.missing(model)).flatten()
    }
}

/// Why no record was acknowledged.
fn unacknowledged(model: &Model) -> String {
    let accounts = model.ledger.accounts();
    let sent: u64 = accounts.iter().map(|account| account.invoked.len()).sum();
    if accounts.is_empty() {
        return "no producer".to_owned();
    } else if sent == 0 {
        return "no record was sent".to_owned();
    } else if accounts.iter().all(|account| account.terms.acks == Acks::None) {
        return "no producer asks for acknowledgements".to_owned();
    }
    let (failed, unknown) = accounts.iter().fold((0, 0), |(failed, unknown), account| {
        (failed + account.failed, unknown + account.unknown)
    });
    let errors = accounts.iter().flat_map(|account| &account.errors);
    let mut text = format!("none of {sent} records was acknowledged: {failed} failed");
    if unknown > 0 {
        text += &format!(", {unknown} ended unknown");
    }
    if let Some((error, _)) = errors.max_by_key(|(_, count)| **count) {
        text += &format!(" ({error})");
    }
    if let Some(why) = refused(model) {
        text += &format!("; {why}");
    }
    text
}

/// The first partition whose leader refuses `acks=all` at the end, as too few replicas are in sync.
fn refused(model: &Model) -> Option<String> {
    let asks_all = |topic: &str| {
        let mut accounts = model.ledger.accounts().iter();
        accounts.any(|it| it.terms.acks == Acks::All && *it.terms.topic == *topic)
    };
    let mut partitions = model.partitions().filter(|at| asks_all(&at.topic));
    partitions.find_map(|at| {
        let (_, lead) = model.leader(&at)?;
        let (isr, least) = (lead.isr.len(), lead.min);
        (isr < least as usize).then(|| {
            format!(
                "{at} has {isr} of the {least} in-sync replicas that acks=all takes \
                 (NOT_ENOUGH_REPLICAS)"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::checkers::clients::{acknowledged_is_in_the_final_log, acknowledged_is_read};
    use crate::checkers::testing::Story;
    use crate::checkers::{Status, Verdict};

    #[test]
    fn a_run_without_an_acknowledgement_is_inconclusive_and_says_why() {
        let property = &acknowledged_is_in_the_final_log::PROPERTY;
        let mut story = Story::default();
        let judged = story.judgement().judged(property).clone();
        assert_eq!(judged.nothing_to_judge.as_deref(), Some("no record was sent"));
        assert_eq!(judged.status(), Status::Held);
        story.sent(0).unknown(0);
        let verdict = story.judgement().verdict(property).clone();
        let Verdict::Inconclusive(why) = verdict else { panic!("nothing was acknowledged") };
        assert!(why.starts_with("none of 1 records was acknowledged: 0 failed, 1 ended unknown ("));
        story.acknowledged(1, 0).final_log(1..2);
        assert_eq!(story.judgement().judged(property).nothing_to_judge, None);
    }

    #[test]
    fn a_property_that_had_nothing_to_look_at_holds_and_says_so() {
        let mut story = Story::default();
        story.acknowledged(0, 0).final_log(0..1);
        let judged = story.judgement().judged(&acknowledged_is_read::PROPERTY).clone();
        assert_eq!(
            (judged.verdict, judged.nothing_to_judge.as_deref()),
            (Verdict::Holds, Some("no consumer read a record"),)
        );
        story.consumed(0, 0);
        let judgement = story.judgement();
        assert_eq!(judgement.judged(&acknowledged_is_read::PROPERTY).nothing_to_judge, None);
    }
}
