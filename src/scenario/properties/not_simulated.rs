//! Properties that a scenario may not set, because the simulation does not obey them: those of clients and ZooKeeper.
//! For brokers and topics the table of settings says it.

/// Properties of Kafka and ZooKeeper that people set often and that the simulation does not obey.
pub const NOT_SIMULATED: &[&str] = &[
    "compression.type",
    // Clients.
    "auto.commit.interval.ms",
    "bootstrap.servers",
    "client.id",
    "client.rack",
    "default.api.timeout.ms",
    "enable.auto.commit",
    "group.id",
    "group.instance.id",
    "heartbeat.interval.ms",
    "isolation.level",
    "max.poll.interval.ms",
    "max.poll.records",
    "partition.assignment.strategy",
    "partitioner.class",
    "session.timeout.ms",
    "transaction.timeout.ms",
    "transactional.id",
    // ZooKeeper.
    "forceSync",
    "preAllocSize",
];
