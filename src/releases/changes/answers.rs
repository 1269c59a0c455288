//! Rows about what brokers answer, but for the subjects that have a file of their own.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
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
    TinyFramesClose: "tiny-frames-close", since(1, 0, 0),
        "KAFKA-5607", Test("a_frame_without_an_api_key_was_ignored_before_1_0"),
        "A request of less than two bytes closes its connection; before, it was ignored.";
    UnassignedReplicaAlone: "unassigned-replica-alone", since(1, 0, 0),
        "KAFKA-5758", Test("a_client_that_says_it_is_a_replica_gets_nothing"),
        "A Fetch request of a replica that a partition does not have gets no records of it; \
         before, the whole request was answered with UNKNOWN_SERVER_ERROR.";
    UnassignedReplicaRefused: "unassigned-replica-refused", since(3, 3, 0),
        "KAFKA-13837", Test("a_client_that_says_it_is_a_replica_gets_nothing"),
        "A Fetch request of a replica that a partition does not have is refused there with \
         UNKNOWN_LEADER_EPOCH, without a leader epoch with NOT_LEADER_OR_FOLLOWER.";
    NoMechanismsWithoutSasl: "no-mechanisms-without-sasl", since(1, 0, 0),
        "KIP-152 (KAFKA-4764)", Test("without_sasl_its_requests_come_too_late"),
        "SaslHandshake on a listener without SASL is refused without naming mechanisms; before, \
         with sasl.enabled.mechanisms.";
    AllTopicsInLogDirs: "all-topics-in-log-dirs", between((2, 6, 0), (3, 6, 2)),
        "KAFKA-9435", Test("a_log_directory_is_described_with_the_topics_of_the_release"),
        "DescribeLogDirs names all topics of a directory, those that it is not asked about \
         without partitions.";
} } }
pub(super) use rows;
