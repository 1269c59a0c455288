//! Rows about replication.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    TruncationByEpoch: "truncation-by-epoch", since(0, 11, 0),
        "KIP-101 (KAFKA-1211)", Test("kip_101_a_restarted_follower_keeps_what_is_committed"),
        "A follower asks its leader where its last epoch ends and truncates there; before, it \
         truncated to its own high watermark.";
    TruncationComparesEpochs: "truncation-compares-epochs", since(2, 0, 0),
        "KIP-279 (KAFKA-6361)", Scenario("fast_elections"),
        "The answer to OffsetForLeaderEpoch names the epoch too, and a follower asks again \
         until both logs have it.";
    EpochInReplicaRequests: "epoch-in-replica-requests", since(2, 1, 0),
        "KIP-320 (KAFKA-7395)",
        Test("a_follower_of_an_older_epoch_is_fenced_until_it_gets_the_new_one"),
        "Requests of followers carry the leader epoch; a leader of another epoch refuses them, \
         and answers to an older epoch are dropped.";
    DivergenceInFetch: "divergence-in-fetch", since(2, 7, 0),
        "KIP-595 (KAFKA-10435)", Test("the_fetch_response_reports_divergence"),
        "The leader reports in the Fetch response where the logs diverge, and followers no \
         longer ask with OffsetForLeaderEpoch.";
    FetchSessions: "fetch-sessions", since(1, 1, 0),
        "KIP-227 (KAFKA-6254)", Test("a_session_answers_what_is_new_of_what_was_asked_before"),
        "A fetcher names only the partitions of which it asks something else than before, and is \
         answered only those that have something new; before, every fetch named all.";
    FetchFromFollowers: "fetch-from-followers", since(2, 4, 0),
        "KIP-392 (KAFKA-8443)", Test("consumers_may_read_from_a_follower_since_2_4"),
        "A follower answers consumers (Fetch v11 and later), up to its own high watermark; before, \
         it refused them with NOT_LEADER_OR_FOLLOWER.";
    FollowerAnswersAtHighWatermark: "follower-answers-at-high-watermark", since(3, 3, 2),
        "KAFKA-14334", Test("a_fetch_that_waits_at_a_follower_is_answered_since_3_3_2"),
        "A consumer's fetch that waits at a follower is answered when the high watermark rises \
         there; before, when its longest wait was over.";
    LastStableOffsetInEveryFetch: "last-stable-offset-in-every-fetch", since(2, 1, 0),
        "KIP-320 (KAFKA-7395)", Test("what_a_fetch_answer_has_besides_records"),
        "Every Fetch response has the last stable offset; before, only those of \
         `isolation.level=read_committed`.";
    UnknownIsolationIsAnswered: "unknown-isolation-is-answered", since(2, 7, 0),
        "KAFKA-9629", Test("an_unknown_isolation_level_is_refused"),
        "A Fetch request with an unknown isolation level is answered with UNKNOWN_SERVER_ERROR; \
         before, its connection was closed.";
    NoAbortedTransactionsOfUnknown: "no-aborted-transactions-of-unknown", since(3, 0, 0),
        "apache/kafka#9758", Test("what_a_fetch_answer_has_besides_records"),
        "In a Fetch response a partition that is refused as unknown, or with the whole request, \
         has an empty list of aborted transactions; before, it had none.";
    ConvertsWhileSending: "converts-while-sending", since(2, 0, 0),
        "KAFKA-6927", Test("old_clients_read_messages_of_their_format"),
        "Batches are converted for clients before 0.11 while they are sent, with the size that \
         they had; before, all at once, with the size that they get.";
    EpochStoredAtElection: "epoch-stored-at-election", since(2, 0, 1),
        "KAFKA-7415", Test("kafka_7415_an_epoch_without_records_has_to_be_known_too"),
        "A new leader stores its epoch at once; before, with the first record of the epoch.";
    FollowerRestartsInNewEpoch: "follower-restarts-in-new-epoch", since(2, 1, 0),
        "KIP-320 (KAFKA-6880)",
        Test("kafka_6880_a_follower_that_missed_elections_truncates_since_2_1"),
        "A follower truncates again in every new leader epoch; before, it went on fetching when \
         the leader was the same broker.";
    HaltOnShorterLeader: "halt-on-shorter-leader", until(2, 0, 0),
        "KAFKA-7414", Test("kafka_7414_before_2_0_1_a_broker_halts_rather_than_truncate"),
        "A broker without unclean elections halts when its leader's log ends before its own; \
         since, it truncates.";
    FailedPartitionAlone: "failed-partition-alone", since(2, 3, 0),
        "KIP-461 (KAFKA-8346)",
        Test("kip_461_a_follower_whose_log_ends_in_the_middle_of_a_batch_gives_the_partition_up"),
        "A follower partition that cannot append is marked as failed; before, it ended the \
         fetcher thread with all its partitions.";
    IsrByAlterPartition: "isr-by-alter-partition", since(2, 7, 0),
        "KIP-497 (KAFKA-8836)", Scenario("isr_change_without_controller"),
        "A leader asks the controller for ISR changes with AlterPartition; before, it wrote \
         them to ZooKeeper itself.";
    IsrJoinNeedsEpochStart: "isr-join-needs-epoch-start", since(2, 0, 1),
        "KAFKA-7128", Test("a_stale_high_watermark_admits_no_replica_since_2_1"),
        "A replica joins the ISR only when its log reaches the start of the leader's epoch; \
         before, the high watermark was enough.";
    SilentFollowerAtEndStays: "silent-follower-at-end-stays", since(2, 1, 0),
        "KAFKA-7152", Test("a_silent_follower_at_the_log_end_is_not_dropped_since_2_1"),
        "A follower whose log ends where the leader's does stays in the ISR even if it does not \
         fetch.";
    IsrJoinNeedsLiveBroker: "isr-join-needs-live-broker", since(3, 3, 0),
        "KIP-841 (KAFKA-13916)", Test("since_3_3_only_live_brokers_are_admitted"),
        "A leader proposes only replicas on live brokers for the ISR.";
    HighWatermarkAtEveryFetch: "high-watermark-at-every-fetch", until(2, 3, 1),
        "KAFKA-8841",
        Test("a_caught_up_follower_holds_the_high_watermark_though_it_is_not_in_sync"),
        "A leader looks at its high watermark at every fetch of a follower; since, only when \
         the follower has moved.";
    HighWatermarkWaitsAfterShrink: "high-watermark-waits-after-shrink",
        between((2, 7, 0), (3, 0, 2)),
        "KAFKA-13091", Test("kafka_13091_from_2_7_to_3_0_a_shrink_leaves_the_high_watermark"),
        "A leader does not look at its high watermark when an ISR change that it asked for is \
         written, but at its next append, or when a follower's log end moves.";
    HighWatermarkHeldBelowMinIsr: "high-watermark-held-below-min-isr", since(3, 7, 0),
        "KIP-966 (KAFKA-15583)", Scenario("lone_leader_3_7"),
        "The high watermark does not advance while the ISR is smaller than min.insync.replicas.";
    ReadsUnderPartitionLock: "reads-under-partition-lock", since(2, 1, 0),
        "KIP-320 (KAFKA-7395)",
        Test("a_parked_fetch_carries_the_lock_of_one_partition_to_another_since_2_1"),
        "Fetches and ListOffsets read under the partition's lock, which up to 2.6 is held while \
         the ISR is written to ZooKeeper; before, only followers' fetches waited for it.";
} } }
pub(super) use rows;
