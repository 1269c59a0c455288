//! The loggers of a broker, by release: log4j knows one by the name of each class that has logged or may.
//!
//! Source: DescribeConfigs of real brokers of 2.8.2 and 3.9.1, in a cluster of three with one topic; that a class was
//! there in the releases between, from the tags. A real broker gets more of them as it loads more classes.

use super::KafkaVersion;
use super::first::{V2_4, V2_7, V2_8, V3_0, V3_1, V3_2, V3_3, V3_5, V3_6, V3_7, V3_8, V3_9};

/// Loggers that came with a release, and went with one.
struct Group {
    from: KafkaVersion,
    gone_in: Option<KafkaVersion>,
    names: &'static [&'static str],
}

const GROUPS: &[Group] = &[
    Group {
        from: V2_4,
        gone_in: Some(V3_0),
        names: &[
            "kafka.common.ZkNodeChangeNotificationListener",
            "kafka.coordinator.transaction.ProducerIdManager",
            "kafka.network.Acceptor",
            "kafka.network.RequestChannel",
            "kafka.server.ClientQuotaManager",
            "kafka.server.ClientRequestQuotaManager",
            "org.apache.kafka.common.network.PlaintextChannelBuilder",
            "org.apache.kafka.common.requests.OffsetFetchRequest",
            "org.apache.zookeeper.SaslServerPrincipal",
            "org.apache.zookeeper.client.ZooKeeperSaslClient",
        ],
    },
    Group { from: V2_4, gone_in: Some(V3_1), names: &["kafka.log.Log"] },
    Group { from: V2_4, gone_in: Some(V3_2), names: &["kafka.server.DynamicConfigManager"] },
    Group {
        from: V2_4,
        gone_in: Some(V3_5),
        names: &[
            "kafka.log.AbstractIndex",
            "kafka.log.LogConfig",
            "kafka.log.OffsetIndex",
            "kafka.log.TimeIndex",
            "kafka.server.epoch.LeaderEpochFileCache",
            "kafka.utils.KafkaScheduler",
        ],
    },
    Group { from: V2_4, gone_in: Some(V3_7), names: &["kafka.server.BrokerMetadataCheckpoint"] },
    Group { from: V2_4, gone_in: Some(V3_9), names: &["kafka.utils.FileLock"] },
    Group {
        from: V2_4,
        gone_in: None,
        names: &[
            "com.yammer.metrics.reporting.JmxReporter",
            "kafka.cluster.Partition",
            "kafka.common.ZkNodeChangeNotificationListener$ChangeEventProcessThread",
            "kafka.controller.ControllerChannelManager",
            "kafka.controller.ControllerEventManager$ControllerEventThread",
            "kafka.controller.KafkaController",
            "kafka.controller.RequestSendThread",
            "kafka.controller.TopicDeletionManager",
            "kafka.controller.ZkPartitionStateMachine",
            "kafka.controller.ZkReplicaStateMachine",
            "kafka.coordinator.group.GroupCoordinator",
            "kafka.coordinator.transaction.TransactionCoordinator",
            "kafka.coordinator.transaction.TransactionMarkerChannelManager",
            "kafka.log.LogCleaner",
            "kafka.log.LogManager",
            "kafka.network.ConnectionQuotas",
            "kafka.network.Processor",
            "kafka.network.RequestChannel$",
            "kafka.network.SocketServer",
            "kafka.request.logger",
            "kafka.server.ClientQuotaManager$ThrottledChannelReaper",
            "kafka.server.DelayedCreatePartitions",
            "kafka.server.DelayedOperationPurgatory",
            "kafka.server.DelayedOperationPurgatory$ExpiredOperationReaper",
            "kafka.server.KafkaApis",
            "kafka.server.KafkaConfig",
            "kafka.server.KafkaRequestHandler",
            "kafka.server.KafkaServer",
            "kafka.server.ReplicaFetcherManager",
            "kafka.server.ReplicaManager",
            "kafka.server.ReplicaManager$LogDirFailureHandler",
            "kafka.utils.CoreUtils$",
            "kafka.utils.Log4jControllerRegistration$",
            "kafka.zk.AdminZkClient",
            "kafka.zk.KafkaZkClient",
            "kafka.zookeeper.ZooKeeperClient",
            "org.apache.kafka.clients.ClientUtils",
            "org.apache.kafka.clients.ClusterConnectionStates",
            "org.apache.kafka.clients.CommonClientConfigs",
            "org.apache.kafka.clients.NetworkClient",
            "org.apache.kafka.common.config.AbstractConfig",
            "org.apache.kafka.common.metrics.JmxReporter",
            "org.apache.kafka.common.metrics.Metrics",
            "org.apache.kafka.common.network.ChannelBuilders",
            "org.apache.kafka.common.network.NetworkReceive",
            "org.apache.kafka.common.network.Selector",
            "org.apache.kafka.common.protocol.Errors",
            "org.apache.kafka.common.security.JaasUtils",
            "org.apache.kafka.common.utils.AppInfoParser",
            "org.apache.kafka.common.utils.KafkaThread",
            "org.apache.kafka.common.utils.LoggingSignalHandler",
            "org.apache.kafka.common.utils.Utils",
            "org.apache.zookeeper.ClientCnxn",
            "org.apache.zookeeper.ClientCnxnSocket",
            "org.apache.zookeeper.ClientCnxnSocketNIO",
            "org.apache.zookeeper.CreateMode",
            "org.apache.zookeeper.ZooKeeper",
            "org.apache.zookeeper.client.StaticHostProvider",
            "org.apache.zookeeper.common.X509Util",
            "org.apache.zookeeper.common.ZKConfig",
            "org.apache.zookeeper.server.ZooKeeperThread",
            "root",
            "state.change.logger",
        ],
    },
    Group {
        from: V2_7,
        gone_in: Some(V3_0),
        names: &["kafka.server.ControllerMutationQuotaManager"],
    },
    Group { from: V2_7, gone_in: Some(V3_3), names: &["kafka.server.FinalizedFeatureCache"] },
    Group {
        from: V2_7,
        gone_in: Some(V3_7),
        names: &["kafka.server.BrokerToControllerRequestThread"],
    },
    Group {
        from: V2_7,
        gone_in: None,
        names: &[
            "kafka.server.FinalizedFeatureChangeListener",
            "kafka.server.FinalizedFeatureChangeListener$ChangeNotificationProcessorThread",
            "org.apache.kafka.common.utils.ConfigUtils",
        ],
    },
    Group { from: V2_8, gone_in: None, names: &["kafka.server.ZkAdminManager"] },
    Group {
        from: V3_0,
        gone_in: None,
        names: &[
            "kafka.log.LogCleaner$CleanerThread",
            "kafka.server.metadata.ZkMetadataCache",
            "org.apache.zookeeper.ZKWatchManager",
        ],
    },
    Group { from: V3_1, gone_in: None, names: &["kafka.log.UnifiedLog", "kafka.log.UnifiedLog$"] },
    Group {
        from: V3_2,
        gone_in: None,
        names: &["kafka.network.DataPlaneAcceptor", "kafka.server.ConfigAdminManager"],
    },
    Group {
        from: V3_5,
        gone_in: None,
        names: &[
            "org.apache.kafka.server.config.ConfigSynonym",
            "org.apache.kafka.server.util.KafkaScheduler",
            "org.apache.kafka.storage.internals.checkpoint.CheckpointFileWithFailureHandler",
            "org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache",
            "org.apache.kafka.storage.internals.log.AbstractIndex",
            "org.apache.kafka.storage.internals.log.LogConfig",
            "org.apache.kafka.storage.internals.log.LogDirFailureChannel",
            "org.apache.kafka.storage.internals.log.OffsetIndex",
            "org.apache.kafka.storage.internals.log.ProducerStateManager",
            "org.apache.kafka.storage.internals.log.TimeIndex",
        ],
    },
    Group { from: V3_6, gone_in: None, names: &["kafka.server.AddPartitionsToTxnManager"] },
    Group {
        from: V3_7,
        gone_in: None,
        names: &[
            "kafka.server.NodeToControllerRequestThread",
            "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
            "org.apache.kafka.metadata.properties.MetaPropertiesEnsemble",
            "org.apache.kafka.storage.internals.checkpoint.CleanShutdownFileHandler",
            "org.apache.kafka.storage.internals.log.LogSegment",
        ],
    },
    Group {
        from: V3_8,
        gone_in: None,
        names: &["org.apache.kafka.storage.internals.utils.Throttler"],
    },
    Group {
        from: V3_9,
        gone_in: None,
        names: &[
            "org.apache.kafka.server.metrics.LinuxIoMetricsCollector",
            "org.apache.kafka.server.util.FileLock",
        ],
    },
];

/// The names of the loggers of a broker, the root among them.
pub fn loggers(release: KafkaVersion) -> impl Iterator<Item = &'static str> {
    let is_there = move |group: &&Group| {
        release.at_least(group.from) && group.gone_in.is_none_or(|end| !release.at_least(end))
    };
    GROUPS.iter().filter(is_there).flat_map(|group| group.names.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggers_come_and_go_with_the_releases() {
        let has = |release: &str, name: &str| {
            loggers(release.parse().expect("a release")).any(|known| known == name)
        };
        for release in ["2.4", "2.8", "3.9"] {
            assert!(has(release, "root") && has(release, "kafka.server.ReplicaManager"));
        }
        let old = ["2.8", "3.0", "3.1"].map(|release| has(release, "kafka.log.Log"));
        let new = ["2.8", "3.0", "3.1"].map(|release| has(release, "kafka.log.UnifiedLog"));
        assert_eq!((old, new), ([true, true, false], [false, false, true]));
    }
}
