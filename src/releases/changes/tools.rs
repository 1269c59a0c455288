//! Rows about Kafka's command-line tools.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
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
} } }
pub(super) use rows;
