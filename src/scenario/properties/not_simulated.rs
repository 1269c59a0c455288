//! Properties that a scenario may not set, because the simulation does not obey them: those of clients and ZooKeeper.
//! For brokers and topics the table of settings says it.

/// Properties of Kafka and ZooKeeper that people set often and that the simulation does not obey.
pub const NOT_SIMULATED: &[&str] = &[
    "compression.type",
    // Clients.
    "bootstrap.servers",
    "client.id",
    "client.rack",
    "isolation.level",
    "partitioner.class",
    "transaction.timeout.ms",
    "transactional.id",
    // ZooKeeper.
    "forceSync",
    "preAllocSize",
];
