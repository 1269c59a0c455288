//! What groups write into `__consumer_offsets`, and what follows when it is written.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::{OffsetCommitResponse, TxnOffsetCommitResponse};
use kafka_protocol::protocol::StrBytes;

use super::state::Place;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::wire::group_records::OffsetValue;
use crate::wire::records::{Batch, BatchBuilder};

/// A record to be written: key, and value; no value is a tombstone.
pub type Record = (Bytes, Option<Bytes>);

/// A partition of an OffsetCommit that is being written.
#[derive(Debug)]
pub struct Commit {
    /// Where in the response: topic and partition.
    pub place: (usize, usize),
    /// The partition whose offset it is.
    pub of: Place,
    /// What is committed.
    pub value: OffsetValue,
}

/// Who commits offsets.
#[derive(Debug)]
pub struct Committer {
    /// The member; empty when the client is none.
    pub member: StrBytes,
    /// `group.instance.id`
    pub instance: Option<StrBytes>,
    /// The generation that it is in, as far as it knows; −1 when it is in none.
    pub generation: i32,
}

/// An OffsetCommit that is being written.
#[derive(Debug)]
pub struct Commits {
    /// The request.
    pub to: ReplyTo,
    /// The answer if all goes well.
    pub response: OffsetCommitResponse,
    /// What is written of it.
    pub commits: Vec<Commit>,
    /// Who sent it.
    pub by: Committer,
}

/// A TxnOffsetCommit that is being written.
#[derive(Debug)]
pub struct TransactionCommits {
    /// The request.
    pub to: ReplyTo,
    /// The producer id.
    pub producer: i64,
    /// The answer if all goes well.
    pub response: TxnOffsetCommitResponse,
    /// What is written of it.
    pub commits: Vec<Commit>,
}

/// What is being written.
#[derive(Debug)]
pub enum Written {
    /// The leader's assignment.
    Assignment {
        /// The generation that it is for.
        generation: i32,
        /// By member.
        assignment: BTreeMap<StrBytes, Bytes>,
    },
    /// That the group has no members.
    Empty,
    /// The new id of a static member, whose JoinGroup waits.
    StaticMember {
        /// Its id until now.
        old: StrBytes,
        /// Its id from now on.
        new: StrBytes,
        /// The leader, as the answer names it.
        leader: StrBytes,
    },
    /// Offsets.
    Offsets(Commits),
    /// Offsets that count when a transaction is committed.
    InTransaction(TransactionCommits),
}

/// Owns what is being written.
#[derive(Debug, Default)]
pub struct Appends {
    next: u64,
    pending: BTreeMap<u64, (StrBytes, Written)>,
}

fn batch(mut builder: BatchBuilder, wall_ms: i64, records: Vec<Record>) -> Batch {
    for (key, value) in records {
        builder.push(wall_ms, Some(&key), value.as_deref());
    }
    builder.build()
}

impl Appends {
    /// Has a group's records written. Returns the number with which [`Appends::take`] gives back `what`.
    pub fn append(
        &mut self,
        cx: &mut Context<'_>,
        (partition, group): (i32, StrBytes),
        records: Vec<Record>,
        what: Written,
    ) -> u64 {
        let builder = BatchBuilder::new(cx.clock.wall_ms);
        self.append_as(cx, builder, (partition, group), records, what)
    }

    /// Has records written in a batch that has been begun, as [`Appends::append`] does.
    pub fn append_as(
        &mut self,
        cx: &mut Context<'_>,
        builder: BatchBuilder,
        (partition, group): (i32, StrBytes),
        records: Vec<Record>,
        what: Written,
    ) -> u64 {
        self.next += 1;
        self.pending.insert(self.next, (group, what));
        let batch = batch(builder, cx.clock.wall_ms, records);
        cx.ask(Ask::AppendOffsets { partition, batch, number: Some(self.next) });
        self.next
    }

    /// Has tombstones written; nothing waits for them (`acks=0`).
    pub fn forget(cx: &mut Context<'_>, partition: i32, keys: Vec<Bytes>) {
        if keys.is_empty() {
            return;
        }
        let records = keys.into_iter().map(|key| (key, None)).collect();
        let builder = BatchBuilder::new(cx.clock.wall_ms);
        let batch = batch(builder, cx.clock.wall_ms, records);
        cx.ask(Ask::AppendOffsets { partition, batch, number: None });
    }

    /// What was being written, and of which group.
    pub fn take(&mut self, number: u64) -> Option<(StrBytes, Written)> {
        self.pending.remove(&number)
    }
}
