//! Rows about znodes.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
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
} } }
pub(super) use rows;
