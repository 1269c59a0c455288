//! Mutants: known bugs, planted by name, so that checkers can be shown to find them.
//!
//! A mutant is reached at one site of the product code, where its bug once was or could have been. A run has
//! at most one; a scenario names it by `mutant = "…"`, the command line by `--mutant`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::nearest;

macro_rules! mutants {
    ($($(#[doc = $wrong:literal])+ $name:ident = $kebab:literal from $source:literal;)+) => {
        /// A planted bug. What each one does wrong is what its documentation says.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum Mutant {
            $($(#[doc = $wrong])+ $name,)+
        }

        impl Mutant {
            /// Every mutant: of the brokers' replication, of the controller, of ZooKeeper, of clients.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that a scenario, the command line and a report use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $kebab,)+
                }
            }

            /// Where the bug is known from: a row of the catalogue of known failures, an issue of Kafka or
            /// ZooKeeper, or the guarantee that it breaks.
            pub const fn source(self) -> &'static str {
                match self {
                    $(Self::$name => $source,)+
                }
            }

            /// What is wrong, in a sentence.
            pub fn wrong(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($wrong,)+).trim(),)+
                }
            }
        }
    };
}

mutants! {
    /// A leader acknowledges what producers send and appends none of it: so gross that a chain of scenario, run,
    /// history, model and checkers which does not find it finds nothing.
    CanaryAcknowledgeWithoutAppend = "canary-acknowledge-without-append"
        from "none: it shows that a run can fail";
    /// A follower begins by cutting its log to its own high watermark, which trails its leader's.
    TruncateToOwnHighWatermark = "truncate-to-own-high-watermark"
        from "KIP-101, KAFKA-1211 (row 2)";
    /// A leader acknowledges acks=all when only it has appended.
    AcknowledgeAlone = "acknowledge-alone"
        from "Kafka's documentation of acks=all (R11)";
    /// A leader appends and acknowledges acks=all however few replicas are in sync.
    IgnoreMinInsyncReplicas = "ignore-min-insync-replicas"
        from "Kafka's documentation of min.insync.replicas (R11)";
    /// A follower that has reached the new leader's old high watermark joins the in-sync replicas, though
    /// it has not reached the start of the leader's epoch.
    JoinBelowEpochStart = "join-below-epoch-start"
        from "KAFKA-7128 (row 7)";
    /// A leader moves its high watermark over the in-sync replicas that it wants before the change is
    /// committed.
    CommitOverPendingShrink = "commit-over-pending-shrink"
        from "KIP-497 (row 8)";
    /// A leader moves its high watermark while fewer replicas than min.insync.replicas are in sync.
    CommitBelowMinInsyncReplicas = "commit-below-min-insync-replicas"
        from "KAFKA-15583 (row 23)";
    /// A leader moves its high watermark back to where an in-sync replica's log ends.
    LowerHighWatermark = "lower-high-watermark"
        from "Partition.maybeIncrementLeaderHW (R9)";
    /// A follower takes its leader's high watermark as it is, beyond the end of its own log.
    TakeHighWatermarkBeyondEnd = "take-high-watermark-beyond-end"
        from "ReplicaFetcherThread.processPartitionData (R5)";
    /// A leader does not look at its high watermark again when the in-sync replicas have shrunk.
    StallAfterShrink = "stall-after-shrink"
        from "KAFKA-13091 (row 32)";
    /// A leader whose AlterPartition request got no response waits for one for ever.
    ForgetUnansweredIsrChange = "forget-unanswered-isr-change"
        from "KAFKA-12686, KAFKA-13254 (row 31)";
    /// Consumers read up to the end of the leader's log, beyond what is committed.
    ReadAboveHighWatermark = "read-above-high-watermark"
        from "KAFKA-9196, KAFKA-3159 (row 38, R10)";
    /// A consumer that is ahead of a new leader's high watermark gets OFFSET_OUT_OF_RANGE.
    OutOfRangeAboveHighWatermark = "out-of-range-above-high-watermark"
        from "KIP-392, OFFSET_NOT_AVAILABLE (row 40)";
    /// A follower does not send the epoch of its last record when it fetches: logs are compared by offsets
    /// alone.
    CompareOffsetsOnly = "compare-offsets-only"
        from "KIP-101 scenario 2, KAFKA-3919 (row 3, R6)";
    /// A follower takes the first answer to where its last epoch ends, though it does not know the epoch
    /// that the answer is about.
    TruncateByOneAnswer = "truncate-by-one-answer"
        from "KIP-279, KAFKA-6361 (row 4)";
    /// A leader records its epoch only with the first record that it appends.
    ForgetEpochOfElection = "forget-epoch-of-election"
        from "KAFKA-7415 (row 4)";
    /// A leader serves fetches of any leader epoch.
    FetchUnfenced = "fetch-unfenced"
        from "KIP-320, KAFKA-6880 (row 5)";
    /// A broker that becomes leader stays in the epoch that it followed in.
    LeadInOldEpoch = "lead-in-old-epoch"
        from "KIP-101 (R8)";
    /// A broker leaves the marker of a clean shutdown where it is when it starts.
    KeepCleanShutdownMarker = "keep-clean-shutdown-marker"
        from "KAFKA-10471 (row 16)";
    /// A leader acknowledges acks=1 before the fsync that flush.messages asks for.
    AcknowledgeBeforeFlush = "acknowledge-before-flush"
        from "Kafka's documentation of flush.messages (row 15)";
    /// The controller elects any live replica when no in-sync replica lives, though the topic forbids it.
    ElectOutsideIsr = "elect-outside-isr"
        from "KAFKA-4623 (row 13, R14)";
    /// The controller elects a leader and leaves it out of the in-sync replicas.
    ElectWithoutJoining = "elect-without-joining"
        from "KAFKA-708 (row 25, R1)";
    /// An election does not increase the leader epoch.
    ReuseLeaderEpoch = "reuse-leader-epoch"
        from "KIP-101 (R8)";
    /// The controller does not notice a broker that restarted between two reads of the broker list.
    MissBouncedBrokers = "miss-bounced-brokers"
        from "KIP-380, KAFKA-7235 (row 11)";
    /// A new controller takes over the controller epoch of the one before.
    ReuseControllerEpoch = "reuse-controller-epoch"
        from "KAFKA-6082 (row 26, R15)";
    /// A controller whose session expired finishes what it had begun in its next session, and writes it
    /// without checking that no other controller was elected meanwhile.
    WriteAsZombie = "write-as-zombie"
        from "KAFKA-6082 (row 26, R15)";
    /// ZooKeeper applies and answers a write before it is on disk.
    ApplyBeforeFsync = "apply-before-fsync"
        from "ZOOKEEPER-3911, ZOOKEEPER-4646 (row 65, Z10)";
    /// ZooKeeper lets a session write while it is being closed.
    CreateInClosingSession = "create-in-closing-session"
        from "ZOOKEEPER-1208, ZOOKEEPER-1496 (row 76, Z9)";
    /// ZooKeeper leaves the ephemeral znodes of a session that it closes.
    LeaveEphemerals = "leave-ephemerals"
        from "ZOOKEEPER-2355 (row 70, Z9)";
    /// ZooKeeper fires no watch for the znodes that go with a session.
    NoWatchEventForSessionEnd = "no-watch-event-for-session-end"
        from "ZOOKEEPER-1667 (row 79, Z8)";
    /// ZooKeeper rounds the moment at which a session expires down to its tick.
    RoundSessionsDown = "round-sessions-down"
        from "ZooKeeper's ExpiryQueue (guarantees: sessions)";
    /// A learner writes the new currentEpoch before the history that it took over is on disk.
    EpochBeforeLog = "epoch-before-log"
        from "ZOOKEEPER-4643 (row 66, Z4)";
    /// A leader of an ensemble lets a learner keep the end of its log that no other server has.
    DiffInsteadOfTrunc = "diff-instead-of-trunc"
        from "ZOOKEEPER-1549 (Z3)";
    /// A ZooKeeper server accepts a client that has seen a newer zxid than its own.
    ServeClientWithNewerZxid = "serve-client-with-newer-zxid"
        from "ZooKeeper's guarantees: single system image (Z7)";
    /// A ZooKeeper server to which a client moves ignores the changes that its watches missed.
    ArmWatchesFromNow = "arm-watches-from-now"
        from "ZOOKEEPER-1667, ZOOKEEPER-1412 (row 79, Z8)";
    /// ZooKeeper answers a write before it fires the watches for it.
    FireWatchesLate = "fire-watches-late"
        from "ZooKeeper's guarantees of watches (Z8)";
    /// ZooKeeper's leader takes a session's writes also from the server that its client has left.
    WriteForMovedSession = "write-for-moved-session"
        from "ZOOKEEPER-417, ZOOKEEPER-2886 (row 78, Z6)";
    /// A leader appends a batch of an idempotent producer again that it has.
    AppendRepeatedBatches = "append-repeated-batches"
        from "KIP-98 (row 43, X1)";
    /// A leader knows again only the last batch of each idempotent producer, though five may be in flight.
    RememberOneBatch = "remember-one-batch"
        from "KAFKA-5494 (X1)";
    /// A new leader does not know which batches of idempotent producers are in its log.
    LeadWithoutSequences = "lead-without-sequences"
        from "KIP-98 (rows 44, 45, X1)";
    /// A leader that knows a batch of an idempotent producer forgets it after a second, and appends a late retry again.
    ForgetQuietProducers = "forget-quiet-producers"
        from "KAFKA-14097, KIP-854 (row 45, X1)";
    /// A broker that truncates its log goes on knowing the sequences of the batches that are gone.
    KeepTruncatedSequences = "keep-truncated-sequences"
        from "KIP-98; ProducerStateManager.truncateAndReload (X1)";
    /// A leader lets consumers of committed transactions read up to its high watermark.
    ReadOpenTransactions = "read-open-transactions"
        from "KIP-98, KAFKA-9807 (row 55, X5)";
    /// A leader names no aborted transactions to consumers of committed ones.
    NameNoAbortedTransactions = "name-no-aborted-transactions"
        from "KIP-98, KAFKA-13727 (row 56, X3)";
    /// A broker that takes transactional ids over aborts the transactions that are to be committed.
    AbortPreparedCommits = "abort-prepared-commits"
        from "TransactionStateManager.loadTransactionsForTxnTopicPartition (X3)";
    /// A coordinator accepts offsets from members that it has removed, and of earlier generations.
    CommitUnfenced = "commit-unfenced"
        from "GroupCoordinator.validateOffsetCommit (C1, C4)";
    /// A coordinator answers a commit before the offsets are written.
    AnswerCommitsEarly = "answer-commits-early"
        from "GroupMetadataManager.storeOffsets, offsets.commit.required.acks (C2)";
    /// A broker that takes groups over stops reading before the end of its log.
    StopLoadingEarly = "stop-loading-early"
        from "KAFKA-4362, KAFKA-5600 (row 60, C2)";
    /// A broker that takes groups over keeps the first offset of each partition, not the last.
    LoadFirstOffsets = "load-first-offsets"
        from "KAFKA-5247 (rows 59 and 60, C3)";
    /// A coordinator answers a member, whose session does not begin again.
    IgnoreSignsOfLife = "ignore-signs-of-life"
        from "GroupCoordinator.completeAndScheduleNextHeartbeatExpiration (L9)";
    /// A coordinator keeps members however long they are silent.
    KeepSilentMembers = "keep-silent-members"
        from "Kafka documentation, session.timeout.ms (L9)";
    /// A coordinator gives each member the same assignment.
    AssignToAll = "assign-to-all"
        from "GroupCoordinator.setAndPropagateAssignment (C1)";
    /// A rebalance ends in the generation in which it began.
    ReuseGeneration = "reuse-generation"
        from "GroupMetadata.initNextGeneration (C1)";
    /// A member commits what it has polled before it processes it, though its application commits afterwards.
    CommitBeforeProcessed = "commit-before-processed"
        from "Kafka documentation, 4.6: message delivery semantics";
    /// A member commits the end of what it has fetched, not of what it has polled.
    CommitFetched = "commit-fetched"
        from "KafkaConsumer.position, commitSync";
    /// A member sends no heartbeats while its application processes records.
    HeartbeatInPollOnly = "heartbeat-in-poll-only"
        from "KIP-62 (L9)";
    /// A member that has given up a partition goes on with the records of it that it has fetched.
    ReadRevoked = "read-revoked"
        from "Fetcher.fetchRecords, KIP-429 (C1)";
    /// The leader of a cooperative group gives a partition to its next owner, and leaves it to the one that has it.
    ShareMovedPartitions = "share-moved-partitions"
        from "CooperativeStickyAssignor.adjustAssignment, KAFKA-12984 (C1)";
    /// A producer queues a batch to be retried after the batches that wait.
    RetryBehindOthers = "retry-behind-others"
        from "KAFKA-8483 (row 46)";
    /// A producer ends an operation as failed that it sent and has no response to.
    FailUnanswered = "fail-unanswered"
        from "KAFKA-13574 (type rule of part 2b)";
    /// A producer whose operation timed out ends it again when the response comes.
    EndTwice = "end-twice"
        from "Jepsen's Kafka checker (part 2b)";
    /// A producer that gets NOT_LEADER_OR_FOLLOWER does not look for another leader before
    /// metadata.max.age.ms.
    WaitForMetadataAge = "wait-for-metadata-age"
        from "Kafka's NOT_LEADER_OR_FOLLOWER (L6)";
    /// A consumer with a new leader continues from the last record that it read, not from the one
    /// after it.
    ResumeAtLastRecord = "resume-at-last-record"
        from "Jepsen's Kafka checker, nonmonotonic-poll (part 2b)";
    /// A consumer that asks a new leader where its epoch ended continues from there, even if it had read
    /// less.
    GoOnFromEpochEnd = "go-on-from-epoch-end"
        from "KIP-320; Jepsen's Kafka checker, poll-skip (part 2b)";
    /// A consumer that gets NOT_LEADER_OR_FOLLOWER does not look for another leader.
    KeepFormerLeader = "keep-former-leader"
        from "KIP-320, KAFKA-7747 (L6)";
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no mutant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMutant {
    /// What was written.
    pub name: String,
    /// What was most likely meant.
    pub nearest: Option<Mutant>,
}

impl std::error::Error for UnknownMutant {}

impl fmt::Display for UnknownMutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no mutant is called `{}`", self.name)?;
        match self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => f.write_str("; `sim mutants` lists them"),
        }
    }
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(text: &str) -> Result<Self, UnknownMutant> {
        let find = |name: &str| Self::ALL.iter().copied().find(|mutant| mutant.name() == name);
        find(text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|mutant| mutant.name()).collect();
            UnknownMutant { name: text.to_owned(), nearest: nearest(text, &names).and_then(find) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_the_one_that_is_stored() {
        for &mutant in Mutant::ALL {
            assert_eq!(mutant.name().parse(), Ok(mutant));
            assert_eq!(serde_json::to_value(mutant).expect("a unit variant"), mutant.name());
        }
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        for &mutant in Mutant::ALL {
            let wrong = mutant.wrong();
            assert!(wrong.ends_with('.') && !wrong[..wrong.len() - 1].contains(". "), "{wrong}");
            assert!(!wrong.contains("  "), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one_suggested() {
        let text = |name: &str| name.parse::<Mutant>().expect_err("no such mutant").to_string();
        assert!(text("elect-outside-irs").ends_with("did you mean `elect-outside-isr`?"));
        assert!(text("explode").ends_with("`sim mutants` lists them"));
    }
}
