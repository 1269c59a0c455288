//! Rows about settings and topics.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
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
    ConfigErrorsNeverNull: "config-errors-never-null", since(2, 7, 0),
        "KAFKA-9432", Test("an_error_without_a_text_has_an_empty_one_since_2_7"),
        "DescribeConfigs answers an empty text where it has nothing to say; before, none.";
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
        "Brokers are run with Scala 2.13, whose collections print their own names, and have \
         another order.";
    ElectionNotNeeded: "election-not-needed", since(2, 4, 0),
        "KIP-460 (KAFKA-8286)", Test("an_election_that_is_not_needed_is_answered_as_such"),
        "ElectLeaders answers ELECTION_NOT_NEEDED where the right replica leads; before, nothing.";
    OperationsUnknownUnasked: "operations-unknown-unasked", since(2, 5, 0),
        "apache/kafka#7710", Test("operations_are_answered_when_they_are_asked_for"),
        "Metadata says that permitted operations are unknown where they were not asked for; \
         before, that there are none.";
    PartitionsInOrderOfBins: "partitions-in-order-of-bins", until(2, 0, 1),
        "KAFKA-7019", Test("partitions_come_in_the_order_of_their_map_up_to_2_0"),
        "Metadata lists a topic's partitions in the order of Scala's mutable map.";
    TopicsById: "topics-by-id", since(3, 1, 0),
        "KIP-516 (KAFKA-10774)", Test("a_topic_is_found_by_its_id"),
        "Metadata finds topics by their id.";
    ClientNameChecked: "client-name-checked", since(2, 4, 0),
        "KIP-511 (KAFKA-8855)", Test("a_client_has_to_name_itself_properly"),
        "ApiVersions refuses a client software name or version that is not one.";
    DeletionDisabledError: "deletion-disabled-error", since(2, 1, 0),
        "KIP-322 (KAFKA-5975)", Test("topics_are_not_deleted_where_that_is_disabled"),
        "DeleteTopics is refused at once when delete.topic.enable is false; before, it was \
         answered REQUEST_TIMED_OUT.";
    DeletedTwiceAnsweredTwice: "deleted-twice-answered-twice", since(2, 3, 0),
        "KAFKA-8332", Test("topics_are_deleted_as_a_client_asks"),
        "A topic that DeleteTopics names twice is answered twice; before, once.";
    UnknownPartitionInLogDirs: "unknown-partition-in-log-dirs", since(2, 1, 0),
        "KIP-320 (KAFKA-7395)", Test("replicas_move_to_no_other_directory"),
        "AlterReplicaLogDirs answers UNKNOWN_TOPIC_OR_PARTITION for a partition that the cluster \
         does not have; before, REPLICA_NOT_AVAILABLE.";
} } }
pub(super) use rows;
