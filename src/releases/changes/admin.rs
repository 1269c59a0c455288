//! Rows about requests of administration.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    DynamicBrokerSettings: "dynamic-broker-settings", since(1, 1, 0),
        "KIP-226 (KAFKA-6241)", Test("a_brokers_settings_change_while_it_runs"),
        "AlterConfigs sets what brokers obey while they run; before, only settings of topics.";
    ConfigChangesEnsured: "config-changes-ensured", since(1, 1, 0),
        "KAFKA-5646", Test("single_settings_are_altered_and_every_broker_obeys"),
        "A broker tries to create /config/changes before each notification of changed settings.";
    UncleanTopicElectsAtOnce: "unclean-topic-elects-at-once", since(2, 1, 0),
        "KAFKA-6835", Test("a_topic_that_allows_unclean_leaders_gets_one_at_once_since_2_1"),
        "A topic that allows unclean elections gets leaders at once; before, at the next change \
         of brokers.";
    ConfigResourceNamed: "config-resource-named", since(2, 0, 0),
        "KAFKA-7005", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs names a resource ConfigResource(…) in texts; before, Resource(…} with a \
         brace.";
    AlteredBrokerPrinted: "altered-broker-printed", until(2, 3, 1),
        "KAFKA-7800", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs of another broker names it with its whole resource; since, with its id.";
    AlteredTypeKept: "altered-type-kept", since(2, 6, 0),
        "KAFKA-9433", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs gives a resource type that it does not know back as it came; before, as 0.";
    AlteredTopicUnknown: "altered-topic-unknown", since(2, 7, 0),
        "KAFKA-10033", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs answers UNKNOWN_TOPIC_OR_PARTITION for a topic that is not there; before, \
         UNKNOWN_SERVER_ERROR.";
    AlteredOneByOne: "altered-one-by-one", since(3, 2, 0),
        "KAFKA-13552", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs checks each resource for itself; before, a resource of a strange type, and \
         since 2.6 a missing value, refused the whole request.";
    AlteredInvalidConfig: "altered-invalid-config", since(3, 3, 0),
        "KAFKA-13899", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs answers INVALID_CONFIG for a value that a setting cannot have; before, \
         INVALID_REQUEST.";
    ReassignmentErrorsSayWhy: "reassignment-errors-say-why", since(2, 5, 0),
        "KAFKA-9329", Test("a_reassignment_is_checked_in_the_words_of_the_release"),
        "AlterPartitionReassignments says what is wrong with a list of replicas; before, that it \
         is wrong.";
    ControllerMutationQuota: "controller-mutation-quota", since(2, 7, 0),
        "KIP-599 (KAFKA-9915)", Test("quotas_are_kept_and_told"),
        "Users and clients can have a quota of controller_mutation_rate.";
    AppendedOnce: "appended-once", since(3, 3, 0),
        "KAFKA-13862", Test("lists_are_appended_to_as_the_release_does"),
        "IncrementalAlterConfigs appends to a list only what is not there.";
    ScramNamesDecoded: "scram-names-decoded", since(3, 5, 2),
        "KAFKA-15243", Test("scram_credentials_are_kept_and_told"),
        "DescribeUserScramCredentials of all users names them as they are; before, as their \
         znodes.";
    AlteredNullCloses: "altered-null-closes", between((2, 0, 0), (2, 5, 1)),
        "KAFKA-9433", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "AlterConfigs with a setting without a value closes the connection; before and after, it \
         is answered with an error.";
    IncrementalNullRefused: "incremental-null-refused", since(2, 6, 0),
        "KAFKA-9695", Test("altered_settings_are_refused_in_the_words_of_the_release"),
        "IncrementalAlterConfigs answers INVALID_REQUEST for a setting without a value; before, \
         UNKNOWN_SERVER_ERROR.";
} } }
pub(super) use rows;
