//! The table: every behaviour that differs between releases is one row.
//!
//! Where a source does not name the patch, the release was read from the tags of Kafka's repository. To add a row:
//! write it here, ask for it with `kafka.has(Change::…)`, and name what shows it.

use super::KafkaVersion;
use super::asked;

/// What shows a row at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A scenario, by the name of its file without `.toml`.
    Scenario(&'static str),
    /// A test, by the name of its function.
    Test(&'static str),
}

/// The releases that have a behaviour: from the first to the last, or to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first release; the oldest one when all earlier Kafka releases behave so too.
    pub first: KafkaVersion,
    /// The last release, if the behaviour went away.
    pub last: Option<KafkaVersion>,
}

impl Period {
    /// Whether `release` behaves so.
    #[inline]
    pub const fn contains(self, release: KafkaVersion) -> bool {
        let is_over = match self.last {
            Some(last) => !last.at_least(release),
            None => false,
        };
        release.at_least(self.first) && !is_over
    }
}

/// One difference between releases.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What code asks for.
    pub change: Change,
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// The releases that have it.
    pub period: Period,
    /// The KIP, the JIRA issue or the pull request that brought it or took it away.
    pub source: &'static str,
    /// What it is, and what was before or after.
    pub sentence: &'static str,
    /// What shows it.
    pub shown: Shown,
}

const OLDEST: KafkaVersion = KafkaVersion::patched(0, 10, 0);

const fn since(major: u8, minor: u8, patch: u8) -> Period {
    Period { first: KafkaVersion::patched(major, minor, patch), last: None }
}

const fn until(major: u8, minor: u8, patch: u8) -> Period {
    Period { first: OLDEST, last: Some(KafkaVersion::patched(major, minor, patch)) }
}

const fn between(first: (u8, u8, u8), last: (u8, u8, u8)) -> Period {
    Period {
        first: KafkaVersion::patched(first.0, first.1, first.2),
        last: Some(KafkaVersion::patched(last.0, last.1, last.2)),
    }
}

macro_rules! table {
    ($(
        $change:ident: $name:literal, $period:expr,
        $source:literal, $shown:expr,
        $sentence:literal;
    )*) => {
        /// A behaviour that differs between releases: a row of [`TABLE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Change {
            $(#[doc = $sentence] $change,)*
        }

        /// Every row, in the order of [`Change`].
        pub const TABLE: &[Row] = {
            use Shown::{Scenario, Test};
            &[$(Row {
                change: Change::$change,
                name: $name,
                period: $period,
                source: $source,
                sentence: $sentence,
                shown: $shown,
            },)*]
        };
    };
}

table! {
    // Replication.
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
    // What a broker answers.
    OffsetNotAvailable: "offset-not-available", since(2, 2, 0),
        "KIP-207 (KAFKA-2334)", Test("a_new_leader_does_not_list_an_end_that_goes_back"),
        "ListOffsets answers OFFSET_NOT_AVAILABLE until the high watermark reaches the leader's \
         epoch; before, the end could go back.";
    InvalidRecordError: "invalid-record-error", since(2, 4, 0),
        "KIP-467 (KAFKA-8729)", Test("errors_before_the_append_write_nothing"),
        "Produce answers INVALID_RECORD for a batch that is not valid; before, CORRUPT_MESSAGE.";
    Zstd: "zstd", since(2, 1, 0),
        "KIP-110 (KAFKA-4514)", Test("compressed_batches_are_opened_and_kept_as_they_came"),
        "Batches can be compressed with zstd.";
    ApiVersionsRangeInError: "api-versions-range-in-error", since(2, 4, 0),
        "KIP-511 (KAFKA-8855)", Test("the_answer_to_an_unknown_version_names_the_range_since_2_4"),
        "The error for an unsupported version of ApiVersions names the supported range of \
         ApiVersions.";
    TopicCreationByController: "topic-creation-by-controller", since(2, 8, 0),
        "KAFKA-9751", Test("a_topic_that_a_client_asks_for_is_created"),
        "A broker asks the controller to create a topic automatically, and checks every name that \
         Metadata asks for; before, it wrote to ZooKeeper itself.";
    StrictOffsetsTopicReplication: "strict-offsets-topic-replication", since(0, 11, 0),
        "KIP-115 (KAFKA-3959)", Test("fewer_brokers_than_replicas_have_no_coordinator_since_0_11"),
        "The offsets topic is created only with offsets.topic.replication.factor replicas; \
         before, fewer were taken.";
    // Idempotent producers.
    IdempotentProducers: "idempotent-producers", since(0, 11, 0),
        "KIP-98 (KAFKA-4815)", Test("a_batch_that_is_sent_again_is_answered_as_the_first_time"),
        "Producers can be idempotent: what they send again is written once.";
    BatchesRemembered: "batches-remembered", since(1, 0, 0),
        "KAFKA-5494", Test("a_batch_that_is_sent_again_is_answered_as_the_first_time"),
        "A leader remembers the last five batches of an idempotent producer; before, one.";
    UnknownProducersRefused: "unknown-producers-refused", since(1, 0, 0),
        "KAFKA-5793", Test("a_batch_out_of_order_is_refused_as_in_each_release"),
        "A batch of a producer that the leader does not know has to be its first, else the answer \
         is UNKNOWN_PRODUCER_ID; before, OUT_OF_ORDER_SEQUENCE_NUMBER.";
    ProducersBeginAnywhere: "producers-begin-anywhere", since(2, 5, 0),
        "KIP-360 (KAFKA-8710)", Test("a_batch_out_of_order_is_refused_as_in_each_release"),
        "A producer that the leader does not know may begin with any sequence.";
    DuplicateSequenceError: "duplicate-sequence-error", between((1, 0, 0), (1, 0, 1)),
        "KAFKA-6683", Test("a_batch_out_of_order_is_refused_as_in_each_release"),
        "A batch before those that are remembered is answered DUPLICATE_SEQUENCE_NUMBER.";
    ProducerBumpsEpoch: "producer-bumps-epoch", since(2, 5, 0),
        "KIP-360 (KAFKA-8710)",
        Test("since_2_5_the_epoch_rises_when_the_next_batch_is_out_of_order"),
        "A producer whose batch is out of order begins its next epoch; before, it got another id.";
    ProducerIdsFromController: "producer-ids-from-controller", since(3, 0, 0),
        "KAFKA-12620", Test("producer_ids_come_in_blocks_from_each_place_of_a_release"),
        "A broker asks the controller for producer ids with AllocateProducerIds; before, it wrote \
         to ZooKeeper itself.";
    ProducerIdsNotAwaited: "producer-ids-not-awaited", since(3, 6, 0),
        "KAFKA-14694", Test("producer_ids_come_in_blocks_from_each_place_of_a_release"),
        "InitProducerId is answered COORDINATOR_LOAD_IN_PROGRESS while the broker waits for ids; \
         before, it waited, too.";
    // Groups.
    GroupIdsChecked: "group-ids-checked", since(2, 0, 0),
        "KAFKA-6773", Test("a_group_without_a_name_is_refused_as_in_each_release"),
        "Every request for a group is refused when the group has no name, but for those of \
         offsets, of descriptions and of deletions; before, JoinGroup and DeleteGroups alone.";
    LoadingErrorFirst: "loading-error-first", since(1, 1, 0),
        "KIP-229 (KAFKA-6275)", Test("while_groups_are_loaded_each_release_says_so_in_its_way"),
        "A coordinator that loads answers COORDINATOR_LOAD_IN_PROGRESS; before, NOT_COORDINATOR.";
    CoordinatorEpochsCompared: "coordinator-epochs-compared", since(2, 8, 1),
        "KAFKA-10614", Test("a_late_resignation_does_not_unload_a_group_since_2_8_1"),
        "A broker ignores that it leads or follows a partition of __consumer_offsets in a leader \
         epoch that it has acted on.";
    NoGenerationInJoinErrors: "no-generation-in-join-errors", since(2, 2, 0),
        "KIP-394 (KAFKA-7824)", Test("a_group_without_a_name_is_refused_as_in_each_release"),
        "The error of a JoinGroup has generation -1; before, 0.";
    GroupsNeedProtocols: "groups-need-protocols", since(1, 0, 0),
        "KAFKA-6005", Test("the_first_member_needs_a_protocol_since_1_0"),
        "The first member of a group needs a protocol type and a protocol.";
    CompletingRebalanceNamed: "completing-rebalance-named", since(1, 1, 0),
        "KAFKA-5565", Test("a_group_is_described_in_each_of_its_states"),
        "A group that waits for its assignment is CompletingRebalance; before, AwaitingSync.";
    NewMembersExpire: "new-members-expire", since(2, 1, 0),
        "KAFKA-7610", Test("a_new_member_waits_for_five_minutes_at_most_since_2_1"),
        "A new member whose JoinGroup waits is removed after five minutes; before, never.";
    FullGroupsKeepMembers: "full-groups-keep-members", since(2, 6, 0),
        "KAFKA-9885", Test("a_full_group_takes_no_more_members"),
        "A group that has reached group.max.size takes members that it has; while it rebalances, \
         as many as join first.";
    StaticMembers: "static-members", since(2, 3, 0),
        "KIP-345 (KAFKA-7018)", Test("a_static_member_that_comes_back_has_its_assignment"),
        "A member with group.instance.id keeps its place while it is away; requests are checked \
         against the generation before the state of the group.";
    StaticMembersPersisted: "static-members-persisted", since(2, 6, 1),
        "KAFKA-10284", Test("a_static_member_that_comes_back_has_its_assignment"),
        "The new id of a static member that came back is written before it is answered; before, \
         the next coordinator did not know it.";
    HeartbeatsBeforeSync: "heartbeats-before-sync", since(2, 6, 1),
        "KAFKA-10134", Test("a_member_that_has_joined_may_beat_before_it_syncs_since_2_6_1"),
        "A heartbeat between JoinGroup and SyncGroup is right; before, REBALANCE_IN_PROGRESS.";
    PendingSyncsExpire: "pending-syncs-expire", since(2, 8, 1),
        "KAFKA-12890", Test("a_member_that_never_syncs_is_removed_since_2_8_1"),
        "A member that does not ask for its assignment within the rebalance timeout is removed.";
    JoinRenewsTimeouts: "join-renews-timeouts", since(3, 3, 2),
        "KAFKA-14009", Test("timeouts_of_a_member_are_renewed_since_3_3_2"),
        "A member that joins again sets its timeouts again; before, those of its first JoinGroup \
         stayed.";
    CommitsCheckMemberFirst: "commits-check-member-first", since(2, 4, 0),
        "KAFKA-8487", Test("a_commit_during_a_rebalance_is_refused_as_in_each_release"),
        "OffsetCommit is checked for its member and generation before the state of the group.";
    CommitsNeedPartition: "commits-need-partition", since(2, 0, 0),
        "KAFKA-6796", Test("a_commit_for_what_is_not_there_is_refused"),
        "OffsetCommit refuses partitions that there are not; before, topics.";
    OffsetFetchFailsWhole: "offset-fetch-fails-whole", since(3, 5, 0),
        "KAFKA-14367", Test("requests_that_are_refused_name_no_partitions_since_3_5"),
        "An OffsetFetch of version 1 that is refused as a whole is answered without partitions; \
         before, each partition had the error.";
    OffsetsExpireWithGroup: "offsets-expire-with-group", since(2, 1, 0),
        "KIP-211 (KAFKA-4682)", Test("offsets_expire_as_in_each_release"),
        "Committed offsets expire when their group has been without members for the retention \
         time; before, that time after each commit.";
    UnreadOffsetsExpire: "unread-offsets-expire", since(2, 4, 0),
        "KAFKA-8730", Test("offsets_expire_as_in_each_release"),
        "Committed offsets of topics that no member of a group reads expire.";
    OffsetDeleteListsTopicOnce: "offset-delete-lists-topic-once", since(2, 6, 0),
        "apache/kafka#8485", Test("offsets_are_deleted_unless_a_member_reads_them"),
        "The answer to OffsetDelete has each topic once; before, once for each partition.";
    FindCoordinatorText: "find-coordinator-text", since(2, 3, 0),
        "KAFKA-8056", Test("the_answer_has_a_text_since_2_3"),
        "The answer to FindCoordinator has a text.";
    // Settings and topics.
    UnknownTopicHasConfigs: "unknown-topic-has-configs", until(1, 1, 1),
        "KAFKA-6778", Test("configs_of_a_topic_that_does_not_exist_are_the_defaults_up_to_1_1"),
        "DescribeConfigs of a topic that does not exist answers the defaults; since, \
         UNKNOWN_TOPIC_OR_PARTITION.";
    ConfigsOfAllBrokers: "configs-of-all-brokers", since(1, 1, 0),
        "KIP-226 (KAFKA-6241)",
        Test("configs_of_all_brokers_and_of_loggers_come_with_their_release"),
        "DescribeConfigs of a broker without a name answers what is set for all brokers; before, \
         INVALID_REQUEST.";
    ConfigsOfLoggers: "configs-of-loggers", since(2, 4, 0),
        "KIP-412 (KAFKA-7800)",
        Test("configs_of_all_brokers_and_of_loggers_come_with_their_release"),
        "DescribeConfigs knows the loggers of a broker.";
    NoConfigNamesAreAll: "no-config-names-are-all", since(2, 7, 0),
        "KAFKA-9432", Test("an_empty_list_of_names_asks_for_all_since_2_7"),
        "DescribeConfigs with an empty list of names answers all settings; before, none.";
    ResourceTypeKept: "resource-type-kept", since(2, 7, 0),
        "KAFKA-9432", Test("resources_of_other_types_are_refused_in_the_words_of_the_release"),
        "DescribeConfigs gives a resource type that it does not know back as it came; before, as \
         0.";
    InvalidConfigError: "invalid-config-error", since(2, 1, 0),
        "KAFKA-7409", Test("settings_are_checked_with_the_errors_of_the_release"),
        "CreateTopics answers INVALID_CONFIG for a value that a setting cannot have; before, \
         UNKNOWN_SERVER_ERROR.";
    NullConfigOnTheWire: "null-config-on-the-wire", since(0, 11, 0),
        "KIP-133 (KAFKA-3267)", Test("a_setting_without_a_value_cannot_be_sent_up_to_0_10"),
        "CreateTopics can have a setting without a value; before, a broker closed the connection.";
    NullConfigRefused: "null-config-refused", since(2, 6, 0),
        "KAFKA-9695", Test("settings_are_checked_with_the_errors_of_the_release"),
        "CreateTopics answers INVALID_REQUEST, since 3.3 INVALID_CONFIG, for a setting without a \
         value; before, UNKNOWN_SERVER_ERROR.";
    NullConfigIsInvalidConfig: "null-config-is-invalid-config", since(3, 3, 0),
        "KAFKA-13863", Test("settings_are_checked_with_the_errors_of_the_release"),
        "CreateTopics answers INVALID_CONFIG for a setting without a value; before, \
         INVALID_REQUEST.";
    DefaultsForMinusOne: "defaults-for-minus-one", since(2, 4, 0),
        "KIP-464 (KAFKA-8305)", Test("minus_one_is_the_default_since_2_4"),
        "CreateTopics takes -1 partitions and -1 replicas for the broker's defaults; before, it \
         refused them.";
    AssignmentWithoutGaps: "assignment-without-gaps", since(2, 3, 0),
        "KAFKA-7864", Test("assignments_are_checked_as_the_release_does"),
        "CreateTopics refuses an assignment whose partitions are not 0, 1, 2 and so on.";
    TopicTwiceAnsweredTwice: "topic-twice-answered-twice", since(2, 3, 0),
        "KAFKA-7832", Test("a_topic_that_is_asked_for_twice_is_answered_as_the_release_does"),
        "CreateTopics answers a topic that is twice in the request twice; before, once.";
    ServerErrorsSaySomething: "server-errors-say-something", until(2, 5, 1),
        "apache/kafka#9030", Test("settings_are_checked_with_the_errors_of_the_release"),
        "UNKNOWN_SERVER_ERROR comes with the exception's message.";
    NewScalaCollections: "new-scala-collections", since(2, 7, 0),
        "KAFKA-9718", Test("assignments_are_checked_as_the_release_does"),
        "Brokers are run with Scala 2.13, whose collections print their own names.";
    ElectionNotNeeded: "election-not-needed", since(2, 4, 0),
        "KIP-460 (KAFKA-8286)", Test("an_election_that_is_not_needed_is_answered_as_such"),
        "ElectLeaders answers ELECTION_NOT_NEEDED where the right replica leads; before, nothing.";
    OperationsUnknownUnasked: "operations-unknown-unasked", since(2, 5, 0),
        "apache/kafka#7710", Test("operations_are_answered_when_they_are_asked_for"),
        "Metadata says that permitted operations are unknown where they were not asked for; \
         before, that there are none.";
    TopicsById: "topics-by-id", since(3, 1, 0),
        "KIP-516 (KAFKA-10774)", Test("a_topic_is_found_by_its_id"),
        "Metadata finds topics by their id.";
    ClientNameChecked: "client-name-checked", since(2, 4, 0),
        "KIP-511 (KAFKA-8855)", Test("a_client_has_to_name_itself_properly"),
        "ApiVersions refuses a client software name or version that is not one.";
    // What producers send.
    BatchesOfFormat2: "batches-of-format-2", since(0, 11, 0),
        "KIP-98 (KAFKA-4816)", Test("messages_of_old_formats_are_taken_and_kept"),
        "Brokers store record batches of format 2; before, messages of format 1.";
    MessageFormatIgnored: "message-format-ignored", since(3, 0, 0),
        "KIP-724 (KAFKA-12415)", Test("a_topic_may_have_an_older_format_up_to_2_8"),
        "message.format.version has no effect.";
    RecordsCheckedByPartition: "records-checked-by-partition", since(2, 4, 0),
        "KAFKA-8729", Test("what_is_no_batch_ends_the_connection_or_is_refused"),
        "Produce refuses records that are not one batch of format 2 for their partition; before, \
         it closed the connection.";
    RecordsCheckedApart: "records-checked-apart", since(2, 8, 0),
        "KAFKA-9628", Test("what_is_no_batch_ends_the_connection_or_is_refused"),
        "Produce refuses records without a whole batch for their partition; before, it closed the \
         connection.";
    TransactionNeedsId: "transaction-needs-id", since(2, 1, 0),
        "KAFKA-7304", Test("a_transactional_batch_needs_a_transactional_id_since_2_1"),
        "Produce refuses transactional batches without a transactional id.";
    RecordErrorsHaveText: "record-errors-have-text", since(2, 6, 0),
        "KAFKA-9565", Test("records_that_cannot_be_stored_are_named"),
        "Errors of single records have a text.";
    RejectedRecordsNamed: "rejected-records-named", since(3, 0, 0),
        "KAFKA-12675", Test("records_that_cannot_be_stored_are_named"),
        "The text of an INVALID_RECORD lists the first records that were rejected.";
    AppendTimeBitCleared: "append-time-bit-cleared", since(3, 6, 0),
        "KIP-937 (KAFKA-14991)", Test("the_bit_of_the_append_time_is_not_the_producers"),
        "A batch that says it has the time of its append is stored without saying so; before, it \
         was refused.";
    ReplicaNotAvailableError: "replica-not-available-error", between((2, 4, 0), (2, 5, 1)),
        "KIP-392 (KAFKA-8443)", Test("a_fetch_of_a_partition_that_is_elsewhere_is_refused"),
        "A consumer that may read from followers is answered REPLICA_NOT_AVAILABLE by a broker \
         without a replica; since, NOT_LEADER_OR_FOLLOWER.";
    KnownPartitionIsElsewhere: "known-partition-is-elsewhere", since(2, 0, 0),
        "KAFKA-6650", Test("a_partition_that_is_elsewhere_has_another_error_since_2_0"),
        "A broker without a replica of a partition that it knows answers NOT_LEADER; before, \
         UNKNOWN_TOPIC_OR_PARTITION.";
    MaxTimestampListed: "max-timestamp-listed", since(3, 0, 0),
        "KIP-734 (KAFKA-12541)", Test("special_timestamps_are_those_of_the_release"),
        "ListOffsets takes -3 for the record with the largest timestamp; before, for a time.";
    EarliestLocalListed: "earliest-local-listed", since(3, 5, 0),
        "KIP-405 (KAFKA-14522)", Test("special_timestamps_are_those_of_the_release"),
        "ListOffsets takes -4 for the start of what is on the broker; before, for a time.";
    SpecialTimestampsByVersion: "special-timestamps-by-version", since(3, 9, 0),
        "KIP-1005 (KAFKA-15857)", Test("special_timestamps_are_those_of_the_release"),
        "ListOffsets knows -5, and refuses special timestamps in versions of the request that do \
         not have them.";
    OddListOffsetsByPartition: "odd-list-offsets-by-partition", since(2, 8, 0),
        "KAFKA-10332", Test("a_partition_that_is_listed_twice_is_refused"),
        "ListOffsets with an unknown isolation level is answered with an error; before, it closed \
         the connection. A partition that is there twice is answered twice; before, once.";
    EpochOfPartitionElsewhere: "epoch-of-partition-elsewhere", since(2, 1, 0),
        "KIP-320 (KAFKA-7395)", Test("a_partition_that_is_elsewhere_has_another_error_since_2_0"),
        "OffsetForLeaderEpoch answers NOT_LEADER for a known partition that is elsewhere, too.";
    // The controller.
    ControllerFencedByEpoch: "controller-fenced-by-epoch", since(2, 1, 0),
        "KAFKA-6082", Scenario("zombie_controller"),
        "The controller checks /controller_epoch in every write, so a replaced controller \
         cannot write.";
    ControllerEndsWithSession: "controller-ends-with-session", since(1, 1, 0),
        "KAFKA-5642",
        Test("an_expired_session_ends_the_term_at_once_since_1_1_and_with_the_next_session_before"),
        "A controller whose ZooKeeper session expires resigns at once; before, after all queued \
         events.";
    LastIsrMemberStays: "last-isr-member-stays", since(1, 1, 0),
        "KAFKA-5642", Test("only_up_to_1_0_an_unclean_topic_may_lose_its_last_in_sync_replica"),
        "The controller never empties an ISR; before, it did for topics with unclean elections.";
    BrokerEpochs: "broker-epochs", since(2, 2, 0),
        "KIP-380 (KAFKA-7235)", Scenario("unseen_restart"),
        "A broker has an epoch for each registration, so the controller notices a fast restart.";
    BrokerChangeWithoutPartitions: "broker-change-without-partitions", since(2, 2, 0),
        "KAFKA-7537",
        Test("a_new_broker_makes_the_controller_repeat_all_partitions_to_the_others_before_2_2"),
        "UpdateMetadata about changed brokers carries no partitions to brokers that were there \
         before.";
    DeadReplicasLeaveAtFailover: "dead-replicas-leave-at-failover", since(2, 3, 0),
        "KAFKA-3143",
        Test("kafka_3143_before_2_3_a_new_controller_leaves_dead_replicas_in_the_isr"),
        "A new controller takes the replicas of dead brokers out of the ISR; before, a dead \
         follower stayed until the leader noticed that it lags.";
    ControllerAddressKept: "controller-address-kept", since(2, 7, 0),
        "KAFKA-10270", Test("the_channel_to_the_controller_keeps_to_the_one_it_found"),
        "A broker sends AlterPartition to the controller that it found first, until a request is \
         lost or answered with NOT_CONTROLLER.";
    ShutdownAsksKnownController: "shutdown-asks-known-controller", since(3, 0, 0),
        "KAFKA-9189", Test("a_shutdown_finds_the_controller_in_the_metadata_since_3_0"),
        "A broker that shuts down takes the controller from its metadata; before, it read \
         /controller and waited for as long as ZooKeeper was away.";
    ShutdownEndsWithLastTry: "shutdown-ends-with-last-try", since(3, 1, 0),
        "apache/kafka#11246", Test("a_shutdown_does_not_pause_after_its_last_try_since_3_1"),
        "A controlled shutdown that failed for the last time goes on at once; before, it paused \
         for controlled.shutdown.retry.backoff.ms first.";
    ShutdownWakesThreads: "shutdown-wakes-threads", since(3, 2, 0),
        "apache/kafka#11653", Test("the_steps_of_a_shutdown_take_time"),
        "A broker that shuts down wakes the threads that it waits for; before, those of \
         purgatories and quotas held it up for two seconds and more, one after the other.";
    AlterPartitionChecksState: "alter-partition-checks-state", since(3, 3, 0),
        "KIP-841 (KAFKA-13916, KAFKA-14154)",
        Test("alter_partition_is_refused_with_the_errors_of_the_release"),
        "AlterPartition is refused when its partition epoch is not the controller's or a \
         replica's broker is not live.";
    FinalizedFeatures: "finalized-features", since(2, 7, 0),
        "KIP-584 (KAFKA-10027, KAFKA-10028)",
        Test("a_started_cluster_has_the_znodes_of_its_release"),
        "The controller keeps finalized features in /feature, and a broker registers its \
         features.";
    TopicIds: "topic-ids", since(2, 8, 0),
        "KIP-516 (KAFKA-10545)", Test("topics_have_an_id_since_2_8_and_those_without_one_get_it"),
        "Topics have an ID, in their znode, in requests of the controller and in kafka-topics.";
    // Znodes.
    RegistersBeforeController: "registers-before-controller", since(1, 1, 0),
        "KAFKA-5473", Test("brokers_register_when_they_start"),
        "A broker registers before its controller starts; before, the controller started first.";
    ConfigZnodesOfUsersAndBrokers: "config-znodes-of-users-and-brokers", since(1, 1, 0),
        "KAFKA-6320", Test("a_started_cluster_has_the_znodes_of_its_release"),
        "A broker creates /config/users and /config/brokers when it starts.";
    ConfigZnodeOfIps: "config-znode-of-ips", since(2, 8, 0),
        "KIP-612 (KAFKA-10024)", Test("a_started_cluster_has_the_znodes_of_its_release"),
        "A broker creates /config/ips when it starts.";
    ProducerIdZnode: "producer-id-znode", since(0, 11, 0),
        "KIP-98", Test("a_started_cluster_has_the_znodes_of_its_release"),
        "A broker creates /latest_producer_id_block when it starts.";
    LogDirEventZnode: "log-dir-event-znode", since(1, 0, 0),
        "KIP-112 (KAFKA-4763)", Test("the_root_lists_what_the_owner_of_a_1_0_cluster_sees"),
        "A broker creates /log_dir_event_notification when it starts.";
    ReassignmentInTopicZnode: "reassignment-in-topic-znode", since(2, 4, 0),
        "KIP-455 (KAFKA-8345)", Test("assignments_are_written_as_the_release_writes_them"),
        "The znode of a topic has version 2 and lists adding and removing replicas.";
    FeatureZnodeWithoutMinimum: "feature-znode-without-minimum", since(3, 3, 0),
        "KAFKA-13833", Test("small_payloads_are_written_as_kafka_writes_them"),
        "The znode /feature has version 2.";
    MigrationInControllerZnode: "migration-in-controller-znode", since(3, 4, 0),
        "KIP-866 (KAFKA-14304)", Test("states_and_controllers_are_written_as_kafka_writes_them"),
        "The znode /controller has version 2 and the epoch of a KRaft controller.";
    // Clients.
    NotLeaderOrFollower: "not-leader-or-follower", since(2, 6, 0),
        "KAFKA-10223", Test("the_name_of_error_6_changed_in_2_6"),
        "Error 6 is called NOT_LEADER_OR_FOLLOWER; before, NOT_LEADER_FOR_PARTITION.";
    ConsumerChecksEpochEnd: "consumer-checks-epoch-end", since(2, 3, 0),
        "KIP-320 (KAFKA-7747)", Test("before_2_3_a_new_leader_is_not_asked_and_gets_no_epoch"),
        "A consumer asks a new leader where its epoch ends, and so detects a truncated log.";
    DeliveryTimeout: "delivery-timeout", since(2, 1, 0),
        "KIP-91 (KAFKA-5886)", Scenario("delivery_timeouts"),
        "delivery.timeout.ms ends every record of a producer; before, retries could go on \
         without end.";
    StickyPartitioner: "sticky-partitioner", since(2, 4, 0),
        "KIP-480 (KAFKA-8601)", Test("records_without_a_key_spread_as_their_release_spreads_them"),
        "Records without a key fill a batch of one partition before the next; before, each went \
         to the next partition.";
    PartitionerByBytes: "partitioner-by-bytes", since(3, 3, 0),
        "KIP-794 (KAFKA-10888)", Test("records_without_a_key_spread_as_their_release_spreads_them"),
        "Records without a key move to another partition after batch.size bytes, not after a \
         batch.";
    LostRequestsOldestFirst: "lost-requests-oldest-first", since(2, 0, 0),
        "apache/kafka#4642", Test("a_lost_connection_turns_its_batches_around_since_2_0"),
        "A client whose connection is lost ends its requests oldest first, and each batch goes \
         back to the head of its queue: the order of a producer's batches is turned around.";
    // Tools.
    TopicsToolAsksBrokers: "topics-tool-asks-brokers", since(2, 2, 0),
        "KIP-377 (KAFKA-7433)", Scenario("describe_topic"),
        "kafka-topics has --bootstrap-server.";
    TopicsToolReadsZooKeeper: "topics-tool-reads-zookeeper", until(2, 8, 2),
        "KAFKA-12596", Test("a_topic_is_described_as_in_each_release"),
        "kafka-topics has --zookeeper; gone in 3.0.";
    TopicsToolMissesInZooKeeper: "topics-tool-misses-in-zookeeper", since(2, 2, 0),
        "KAFKA-7054", Test("what_is_not_there_is_printed_as_in_each_release"),
        "kafka-topics --zookeeper --describe fails when the topic does not exist; before, it \
         printed nothing.";
    TopicsToolMissesAtBrokers: "topics-tool-misses-at-brokers", since(2, 4, 0),
        "KAFKA-8670", Test("what_is_not_there_is_printed_as_in_each_release"),
        "kafka-topics --bootstrap-server --describe fails when the topic does not exist; \
         before, it printed nothing.";
    TopicsToolNamesMissing: "topics-tool-names-missing", since(2, 3, 1),
        "KAFKA-8670", Test("what_is_not_there_is_printed_as_in_each_release"),
        "kafka-topics names the topic that does not exist; before, it printed empty brackets.";
    TopicsToolLayout: "topics-tool-layout", since(2, 4, 0),
        "apache/kafka#7136", Test("a_topic_is_described_as_in_each_release"),
        "kafka-topics --describe puts a space behind colons, prints none instead of leader -1, \
         and marks each partition of a topic that is being deleted.";
    TopicsToolConfigOrder: "topics-tool-config-order", since(2, 4, 0),
        "apache/kafka#7136", Scenario("describe_topic"),
        "kafka-topics --zookeeper prints the configs in the order of a HashMap; before, of a \
         Hashtable.";
    TopicsToolElr: "topics-tool-elr", since(3, 8, 0),
        "KIP-966 (KAFKA-15585)", Test("a_topic_is_described_as_in_each_release"),
        "kafka-topics --describe prints Elr and LastKnownElr.";
    TopicsToolOwnZooKeeperClient: "topics-tool-own-zookeeper-client", since(1, 1, 0),
        "KAFKA-5647", Scenario("describe_topic"),
        "kafka-topics uses Kafka's own ZooKeeper client, which gives up with \
         ZooKeeperClientTimeoutException.";
    AdminTimeoutNamesCall: "admin-timeout-names-call", since(2, 7, 0),
        "apache/kafka#8050", Scenario("describe_topic"),
        "The admin client names the call that timed out.";
}

impl Change {
    /// The row.
    #[inline]
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// How a follower finds out where its log parts from its leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truncation {
    /// Truncate to the follower's own high watermark (before 0.11).
    HighWatermark,
    /// Ask for the end offset of the last epoch, by offset alone (KIP-101, 0.11–1.x).
    Kip101,
    /// Ask by epoch and offset until both sides agree (KIP-279, 2.0).
    Kip279,
    /// KIP-279 with the current leader epoch in every request (KIP-320, 2.1–2.6).
    Kip320,
    /// The leader reports divergence in the fetch response itself (KIP-595, 2.7+).
    OnFetch,
}

/// Who writes a changed ISR to ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsrPath {
    /// The partition's leader (up to 2.6).
    ZooKeeper,
    /// The controller, asked by the leader with AlterPartition (KIP-497, 2.7+).
    AlterPartition,
}

impl KafkaVersion {
    /// Whether this release behaves so.
    #[inline]
    pub fn has(self, change: Change) -> bool {
        asked::note(change);
        change.row().period.contains(self)
    }

    /// How followers truncate.
    pub fn truncation(self) -> Truncation {
        if self.has(Change::DivergenceInFetch) {
            Truncation::OnFetch
        } else if self.has(Change::EpochInReplicaRequests) {
            Truncation::Kip320
        } else if self.has(Change::TruncationComparesEpochs) {
            Truncation::Kip279
        } else if self.has(Change::TruncationByEpoch) {
            Truncation::Kip101
        } else {
            Truncation::HighWatermark
        }
    }

    /// Who writes a changed ISR.
    pub fn isr_path(self) -> IsrPath {
        match self.has(Change::IsrByAlterPartition) {
            true => IsrPath::AlterPartition,
            false => IsrPath::ZooKeeper,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut names = BTreeSet::new();
        for (index, row) in TABLE.iter().enumerate() {
            let Row { change, name, period, source, sentence, .. } = row;
            assert_eq!(*change as usize, index, "{name} is not where its change says");
            assert!(names.insert(*name), "{name} is there twice");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(is_plain), "{name} is not kebab-case");
            assert!(period.last.is_none_or(|last| period.first < last), "{name}");
            let is_everywhere = period.first == OLDEST && period.last.is_none();
            assert!(!is_everywhere, "{name} does not differ between releases");
            let known = ["KIP-", "KAFKA-", "apache/kafka#"];
            assert!(known.iter().any(|start| source.starts_with(start)), "{name}: {source}");
            assert!(sentence.ends_with('.') && sentence.len() > 20, "{name}: {sentence}");
        }
    }

    #[test]
    fn a_row_ends_with_its_last_release() {
        let halts =
            |text: &str| text.parse::<KafkaVersion>().unwrap().has(Change::HaltOnShorterLeader);
        assert_eq!(["0.10.2.0", "1.1", "2.0.0"].map(halts), [true; 3]);
        assert_eq!(["2.0.1", "2.0", "2.1.0", "3.9"].map(halts), [false; 4]);
        let joins =
            |text: &str| text.parse::<KafkaVersion>().unwrap().has(Change::IsrJoinNeedsEpochStart);
        assert_eq!(
            ["1.1", "2.0.0", "2.0.1", "2.0", "3.9"].map(joins),
            [false, false, true, true, true]
        );
    }

    #[test]
    fn truncation_has_five_steps() {
        use Truncation::{HighWatermark, Kip101, Kip279, Kip320, OnFetch};
        for (text, expected) in [
            ("0.10", HighWatermark),
            ("0.11.0.0", Kip101),
            ("1.1", Kip101),
            ("2.0.0", Kip279),
            ("2.1.0", Kip320),
            ("2.6", Kip320),
            ("2.7.0", OnFetch),
            ("3.9", OnFetch),
        ] {
            let release: KafkaVersion = text.parse().unwrap();
            assert_eq!(release.truncation(), expected, "{text}");
            let path =
                if expected == OnFetch { IsrPath::AlterPartition } else { IsrPath::ZooKeeper };
            assert_eq!(release.isr_path(), path, "{text}");
        }
    }
}
