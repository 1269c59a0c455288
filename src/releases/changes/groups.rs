//! Rows about groups of consumers and their offsets.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
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
    FirstJoinWaits: "first-join-waits", since(0, 11, 0),
        "KIP-134 (KAFKA-4925)", Test("the_first_member_needs_a_protocol_since_1_0"),
        "A group's first generation begins when members had time to come; before, with the first \
         JoinGroup, which was answered UNKNOWN_SERVER_ERROR when no protocol could be chosen.";
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
    RejoinDuringSyncRebalances: "rejoin-during-sync-rebalances", since(2, 5, 0),
        "KAFKA-9801", Test("a_static_member_that_comes_back_during_the_sync_has_an_assignment"),
        "A static member that comes back while its group waits for the assignment begins another \
         rebalance; before, it was answered, and the assignment named its old id.";
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
} } }
pub(super) use rows;
