//! Transactions of clients from outside, as their requests and the answers show them.
//!
//! A transaction begins with the first request that adds partitions or a group to it, which comes before its records.
//! What a producer sends with one transactional id has an account of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Accounts, Client, NAME_MAX, ProducerAccount};
use crate::history::{
    ClientObservation, CommittedOffset, TransactionEvent, TransactionOutcome,
    TransactionalObservation,
};
use crate::nodes::Effects;
use crate::nodes::clients::protocol::{code, error_name};
use crate::vocab::Acks;
use crate::vocab::foreign::Foreign;

/// Transactional ids of a run that have an account of their own; records of others are in those of their clients.
const IDS_MAX: usize = 256;

/// The transaction of one transactional id of a client.
#[derive(Debug, Default)]
struct Current {
    /// The transaction that is open, if one is.
    open: Option<u64>,
    /// The number of the next one.
    next: u64,
    /// The end that was asked for: whether a commit.
    asked: Option<bool>,
}

/// Owns the transactions of clients from outside.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    by_id: BTreeMap<(Client, Arc<str>), Current>,
    /// Clients whose last read was of committed transactions alone.
    read_committed: BTreeMap<Client, bool>,
}

/// How the answer to EndTxn ends a transaction; `None` when the client asks again.
fn outcome(error: i16, name: &'static str, commit: bool) -> Option<TransactionOutcome> {
    Some(match error {
        code::NONE if commit => TransactionOutcome::Committed,
        code::NONE => TransactionOutcome::Aborted,
        // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS.
        14 | 15 | 16 | 51 => return None,
        _ => TransactionOutcome::Fenced { error: name.into() },
    })
}

impl Accounts {
    /// The transactional id as it is shown, if what is done with it is followed.
    fn followed(&mut self, client: Client, id: &str) -> Option<Arc<str>> {
        let id: Arc<str> =
            Foreign(id).to_string().chars().take(NAME_MAX).collect::<String>().into();
        let by_id = &mut self.transactions.by_id;
        let key = (client, id.clone());
        if !by_id.contains_key(&key) {
            if by_id.len() == IDS_MAX {
                return None;
            }
            by_id.insert(key, Current::default());
        }
        Some(id)
    }

    /// The account of what a client sends with a transactional id, if that is followed.
    pub(super) fn transactional_producer(&mut self, client: Client, id: &str) -> Option<usize> {
        let id = self.followed(client, id)?;
        let mut known = self.clients[client].producers.iter().copied();
        if let Some(at) =
            known.find(|at| self.producers[*at].transactional_id.as_ref() == Some(&id))
        {
            return Some(at);
        }
        let name = self.free_name(format!("{} {id}", self.clients[client].name));
        let (acks, transactional_id) = (Acks::All, Some(id));
        self.producers.push(ProducerAccount { name, client, acks, transactional_id, records: 0 });
        self.clients[client].producers.push(self.producers.len() - 1);
        Some(self.producers.len() - 1)
    }

    fn transactional(
        &mut self,
        client: Client,
        id: &Arc<str>,
        what: TransactionEvent,
        effects: &mut Effects,
    ) {
        let Some(producer) = self.transactional_producer(client, id) else { return };
        let did = TransactionalObservation { id: id.clone(), what };
        self.observe(producer, ClientObservation::Transactional(did), effects);
    }

    fn current(&mut self, client: Client, id: &Arc<str>) -> &mut Current {
        self.transactions.by_id.entry((client, id.clone())).or_default()
    }

    /// A producer got an id and an epoch.
    pub fn initialized(
        &mut self,
        (client, id): (Client, &str),
        (producer, epoch): (i64, i16),
        effects: &mut Effects,
    ) {
        let Some(id) = self.followed(client, id) else { return };
        self.give_up(client, &id, effects);
        let got = TransactionEvent::Initialized { producer, epoch };
        self.transactional(client, &id, got, effects);
    }

    /// The open transaction, if there is one, is ended by none of this client's requests any more.
    fn give_up(&mut self, client: Client, id: &Arc<str>, effects: &mut Effects) {
        let error = error_name(self.version, code::NETWORK_EXCEPTION).into();
        let current = self.current(client, id);
        current.asked = None;
        if let Some(number) = current.open.take() {
            let outcome = TransactionOutcome::Unknown { error };
            self.transactional(client, id, TransactionEvent::Ended { number, outcome }, effects);
        }
    }

    /// Partitions are to be added: the transaction begins, unless it is open. Returns its number, if it is followed.
    pub fn added(&mut self, client: Client, id: &str, effects: &mut Effects) -> Option<u64> {
        let id = self.followed(client, id)?;
        let current = self.current(client, &id);
        if current.asked.is_some() {
            // The client has no answer to the end that it asked for, and goes on: it had one that was not seen.
            self.give_up(client, &id, effects);
        }
        let current = self.current(client, &id);
        if let Some(number) = current.open {
            return Some(number);
        }
        let number = current.next;
        current.next += 1;
        current.open = Some(number);
        self.transactional(client, &id, TransactionEvent::Began { number }, effects);
        Some(number)
    }

    /// Offsets are sent in a transaction.
    pub fn offsets_sent(
        &mut self,
        (client, id): (Client, &str),
        group: Arc<str>,
        offsets: Vec<CommittedOffset>,
        effects: &mut Effects,
    ) {
        let Some(number) = self.added(client, id, effects) else { return };
        let Some(id) = self.followed(client, id) else { return };
        let sent = TransactionEvent::OffsetsSent { number, group, offsets };
        self.transactional(client, &id, sent, effects);
    }

    /// The end of a transaction is asked for.
    pub fn end_asked(&mut self, client: Client, id: &str, commit: bool, effects: &mut Effects) {
        let Some(id) = self.followed(client, id) else { return };
        let current = self.current(client, &id);
        let Some(number) = current.open else { return };
        if current.asked.replace(commit) == Some(commit) {
            return;
        }
        let asked = match commit {
            true => TransactionEvent::CommitAsked { number },
            false => TransactionEvent::AbortAsked { number },
        };
        self.transactional(client, &id, asked, effects);
    }

    /// The end that was asked for is answered.
    pub fn end_answered(
        &mut self,
        (client, id): (Client, &str),
        (commit, error): (bool, i16),
        effects: &mut Effects,
    ) {
        let name = error_name(self.version, error);
        let Some(id) = self.followed(client, id) else { return };
        let Some(outcome) = outcome(error, name, commit) else { return };
        let current = self.current(client, &id);
        if current.asked != Some(commit) {
            return;
        }
        current.asked = None;
        let Some(number) = current.open.take() else { return };
        self.transactional(client, &id, TransactionEvent::Ended { number, outcome }, effects);
    }

    /// A client closed its last connection: its transactions are open for nobody.
    pub(super) fn end_transactions(&mut self, client: Client, effects: &mut Effects) {
        let ids = self.transactions.by_id.keys().filter(|(of, _)| *of == client);
        let ids: Vec<Arc<str>> = ids.map(|(_, id)| id.clone()).collect();
        ids.iter().for_each(|id| self.give_up(client, id, effects));
    }

    /// A client was answered a fetch of committed transactions alone, or of all.
    pub fn reads(&mut self, client: Client, read_committed: bool, effects: &mut Effects) {
        let before = self.transactions.read_committed.insert(client, read_committed);
        if before.unwrap_or(false) != read_committed {
            let changed = ClientObservation::IsolationChanged { read_committed };
            self.observe_reader(client, changed, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Observation;
    use crate::releases::KafkaVersion;
    use crate::vocab::step::Effect;

    fn accounts() -> Accounts {
        Accounts::new(Arc::default(), KafkaVersion::default())
    }

    /// What is observed, in words: the account, and what happened in it.
    fn told(effects: &mut Effects) -> Vec<String> {
        let external = effects.drain().filter_map(|effect| match effect {
            Effect::Observe(Observation::External(external)) => {
                Some(format!("{}: {}", external.client, external.observation))
            }
            _ => None,
        });
        external.collect()
    }

    #[test]
    fn a_transaction_begins_with_its_first_partition_and_ends_with_the_answer() {
        let (mut accounts, mut effects) = (accounts(), Effects::default());
        let client = accounts.connected("app");
        accounts.initialized((client, "x"), (7, 0), &mut effects);
        accounts.added(client, "x", &mut effects);
        accounts.added(client, "x", &mut effects);
        accounts.end_asked(client, "x", true, &mut effects);
        // CONCURRENT_TRANSACTIONS: it asks again.
        accounts.end_answered((client, "x"), (true, 51), &mut effects);
        accounts.end_asked(client, "x", true, &mut effects);
        accounts.end_answered((client, "x"), (true, 0), &mut effects);
        accounts.end_answered((client, "x"), (true, 0), &mut effects);
        accounts.added(client, "x", &mut effects);
        accounts.end_asked(client, "x", false, &mut effects);
        // INVALID_PRODUCER_EPOCH
        accounts.end_answered((client, "x"), (false, 47), &mut effects);
        assert_eq!(
            told(&mut effects),
            [
                "app x: transactional id x: initialized as producer 7 in epoch 0",
                "app x: transactional id x: began transaction 0",
                "app x: transactional id x: commits transaction 0",
                "app x: transactional id x: transaction 0 is committed",
                "app x: transactional id x: began transaction 1",
                "app x: transactional id x: aborts transaction 1",
                "app x: transactional id x: transaction 1 cannot be ended by its producer: \
                 INVALID_PRODUCER_EPOCH",
            ]
        );
    }

    #[test]
    fn a_producer_that_comes_again_has_given_its_transaction_up() {
        let (mut accounts, mut effects) = (accounts(), Effects::default());
        let client = accounts.connected("app");
        accounts.added(client, "x", &mut effects);
        accounts.end_asked(client, "x", true, &mut effects);
        accounts.initialized((client, "x"), (7, 1), &mut effects);
        // The answer to the process before.
        accounts.end_answered((client, "x"), (true, 0), &mut effects);
        accounts.added(client, "x", &mut effects);
        accounts.disconnected(client, [], true, &mut effects);
        assert_eq!(
            told(&mut effects),
            [
                "app x: transactional id x: began transaction 0",
                "app x: transactional id x: commits transaction 0",
                "app x: transactional id x: transaction 0 may be committed or not: \
                 NETWORK_EXCEPTION",
                "app x: transactional id x: initialized as producer 7 in epoch 1",
                "app x: transactional id x: began transaction 1",
                "app x: transactional id x: transaction 1 may be committed or not: \
                 NETWORK_EXCEPTION",
            ]
        );
    }
}
