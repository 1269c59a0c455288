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
} } }
pub(super) use rows;
