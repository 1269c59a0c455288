//! Rows about the controller.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
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
    ReplicasGroupedByBroker: "replicas-grouped-by-broker", since(1, 1, 0),
        "KAFKA-5642", Test("replicas_go_offline_in_the_order_of_scalas_collections"),
        "The controller takes replicas out of ISRs broker by broker; before, replica by replica.";
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
    UnknownPreferredElectionSkipped: "unknown-preferred-election-skipped", since(2, 2, 0),
        "KIP-183 (KAFKA-5692)",
        Test("before_2_2_an_unknown_partition_leaves_the_election_in_zookeeper"),
        "A preferred election through ZooKeeper skips unknown partitions; before, it left \
         /admin/preferred_replica_election there, so that no other followed.";
    FinalizedFeatures: "finalized-features", since(2, 7, 0),
        "KIP-584 (KAFKA-10027, KAFKA-10028)",
        Test("a_started_cluster_has_the_znodes_of_its_release"),
        "The controller keeps finalized features in /feature, and a broker registers its \
         features.";
    TopicIds: "topic-ids", since(2, 8, 0),
        "KIP-516 (KAFKA-10545)", Test("topics_have_an_id_since_2_8_and_those_without_one_get_it"),
        "Topics have an ID, in their znode, in requests of the controller and in kafka-topics.";
} } }
pub(super) use rows;
