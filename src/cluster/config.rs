//! From a plan to the settings of nodes and of the world. Nothing is decided here: every default is in
//! the scenario's property tables.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::ExternalListener;
use crate::nodes::broker;
use crate::nodes::clients::{
    AdminConfig, CommitEvery, CommitPolicy, ConnectionConfig, ConsumerConfig, Discover,
    GroupConfig, NewTopic, ProducerConfig, ResetPolicy, StartFrom, Strategy, TopicsConfig,
    TransactionConfig, Workload, ZnodesConfig, ZookeeperConsumerConfig,
};
use crate::nodes::zookeeper;
use crate::releases::defaults::BROKER;
use crate::releases::{KafkaVersion, ZooKeeperVersion};
use crate::scenario;
use crate::scenario::{
    BrokerPlan, CommandPlan, Commit, ConsumerPlan, Discovery, GroupPlan, OldConsumerPlan, Plan,
    ProducerPlan, Properties, ReadFrom, TopicPlan, TransactionPlan, ZooKeeperClientPlan,
};
use crate::substrate::{DiskConfig, NetworkConfig, WorldConfig};
use crate::vocab::{NodeId, Roster, Via};

/// The nodes of a plan, and the names under which they find one another.
#[derive(Clone, Debug)]
pub struct Names {
    /// All names.
    pub roster: Arc<Roster>,
    /// The ZooKeeper servers.
    pub zookeepers: Vec<NodeId>,
    /// The brokers, by rising id.
    pub brokers: Vec<NodeId>,
    /// What creates the topics.
    pub admin: NodeId,
    /// The producers.
    pub producers: Vec<NodeId>,
    /// The consumers.
    pub consumers: Vec<NodeId>,
    /// What an operator runs, each command on a node of its own.
    pub commands: Vec<NodeId>,
    /// Clients of ZooKeeper alone.
    pub zookeeper_clients: Vec<NodeId>,
    /// Stands for all external clients; none unless the cluster is served.
    pub outside: Option<NodeId>,
}

impl Names {
    /// Names the nodes of `plan`, in the order in which they are added to a world.
    pub fn of(plan: &Plan) -> Self {
        let mut roster = Roster::default();
        let zookeepers = plan.zookeepers.iter().map(|z| roster.add(&z.name)).collect();
        let brokers = plan.brokers.iter().map(|b| roster.add(&b.name)).collect();
        let admin = roster.add("admin");
        let producers = plan.producers.iter().map(|p| roster.add(&p.name)).collect();
        let consumers = plan.consumers.iter().map(|c| roster.add(&c.name)).collect();
        let commands = plan.commands.iter().map(|c| roster.add(&c.name)).collect();
        let clients = plan.zookeeper_clients.iter();
        let zookeeper_clients = clients.map(|c| roster.add(&c.name)).collect();
        Self {
            roster: Arc::new(roster),
            zookeepers,
            brokers,
            admin,
            producers,
            consumers,
            commands,
            zookeeper_clients,
            outside: None,
        }
    }

    /// As [`Names::of`], with the outside as the last node.
    pub fn with_outside(plan: &Plan) -> Self {
        let mut names = Self::of(plan);
        let mut roster = (*names.roster).clone();
        let mut name = "outside".to_owned();
        while roster.find(&name).is_some() {
            // Somebody called a client so.
            name.push('-');
        }
        names.outside = Some(roster.add(&name));
        names.roster = Arc::new(roster);
        names
    }
}

/// How long after a process was killed its connections are reset. Measured at brokers on an idle machine; 130 to 520 ms
/// on a busy one.
const DEATH: RangeInclusive<Duration> = Duration::from_millis(15)..=Duration::from_millis(40);

/// How long a broker works on an append before its answer leaves: the queues between its threads, and the threads.
const ANSWER_DELAY: RangeInclusive<Duration> =
    Duration::from_micros(200)..=Duration::from_millis(2);

/// The world of a plan, its wall clocks at another moment than usually if there is one.
pub fn world(plan: &Plan, wall_epoch_ms: Option<i64>) -> WorldConfig {
    WorldConfig {
        network: NetworkConfig {
            latency: plan.network.latency.low..=plan.network.latency.high,
            bandwidth: plan.network.bandwidth,
            loss: plan.network.loss,
            ..NetworkConfig::default()
        },
        disk: DiskConfig {
            write: plan.disk.write,
            fsync: plan.disk.fsync.low..=plan.disk.fsync.high,
        },
        death: DEATH,
        wall_epoch_ms: wall_epoch_ms.unwrap_or(WorldConfig::WALL_EPOCH_MS),
    }
}

fn narrow<N: TryFrom<i64>>(number: i64) -> N {
    // The tables of the scenario give each property the range of its type.
    N::try_from(number).unwrap_or_else(|_| panic!("{number} is beyond its property's type"))
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).expect("a property of less than 49 days")
}

/// A ZooKeeper server.
pub fn zookeeper(plan: &Plan, index: usize, names: &Names) -> zookeeper::Config {
    let properties = &plan.zookeepers[index].properties;
    let server_id = |index: usize| u8::try_from(index + 1).expect("fewer than 255 servers");
    let servers = names.zookeepers.iter().enumerate();
    let ensemble = match names.zookeepers.len() {
        1 => BTreeMap::new(),
        _ => servers.map(|(index, node)| (server_id(index), *node)).collect(),
    };
    zookeeper::Config {
        version: ZooKeeperVersion::named(properties.text("version"))
            .expect("the table of properties has these words"),
        server_id: server_id(index),
        ensemble,
        init_limit: narrow(properties.int("initLimit")),
        sync_limit: narrow(properties.int("syncLimit")),
        tick_ms: millis(properties.ms("tickTime")),
        min_session_timeout_ms: properties.optional_ms("minSessionTimeout").map(millis),
        max_session_timeout_ms: properties.optional_ms("maxSessionTimeout").map(millis),
        snap_count: narrow(properties.int("snapCount")),
        mutant: plan.mutant,
        extended_types: properties.bool("zookeeper.extendedTypesEnabled"),
        sweep_interval_ms: millis(properties.ms("znode.container.checkIntervalMs")),
        never_used_ms: match millis(properties.ms("znode.container.maxNeverUsedIntervalMs")) {
            0 => None,
            ms => Some(ms),
        },
        local_sessions: properties.bool("localSessionsEnabled"),
        local_sessions_upgrading: properties.bool("localSessionsUpgradingEnabled"),
        read_only_mode: properties.bool("readonlymode.enabled"),
        host: plan.zookeepers[index].name.clone(),
        outside: names.outside,
        ..zookeeper::Config::default()
    }
}

fn producer_id_expiration(p: &Properties) -> Duration {
    let own = p.optional_ms("producer.id.expiration.ms");
    own.or_else(|| p.optional_ms("transactional.id.expiration.ms")).unwrap_or(Duration::MAX)
}

fn groups(p: &Properties) -> broker::GroupSettings {
    broker::GroupSettings {
        min_session_timeout: p.ms("group.min.session.timeout.ms"),
        max_session_timeout: p.ms("group.max.session.timeout.ms"),
        initial_rebalance_delay: p
            .optional_ms("group.initial.rebalance.delay.ms")
            .unwrap_or_default(),
        max_size: p.optional_int("group.max.size").map(narrow),
        offset_metadata_max_bytes: narrow(p.int("offset.metadata.max.bytes")),
        offsets_commit_timeout: p.ms("offsets.commit.timeout.ms"),
        offsets_retention: Duration::from_mins(narrow(p.int("offsets.retention.minutes"))),
        offsets_retention_check_interval: p.ms("offsets.retention.check.interval.ms"),
    }
}

fn transactions(p: &Properties) -> broker::TransactionSettings {
    let int = |name| p.optional_int(name).map_or(0, narrow);
    let ms = |name| p.optional_ms(name).unwrap_or(Duration::MAX);
    broker::TransactionSettings {
        topic_num_partitions: p
            .optional_int("transaction.state.log.num.partitions")
            .map_or(1, narrow),
        topic_replication_factor: p
            .optional_int("transaction.state.log.replication.factor")
            .map_or(1, narrow),
        topic_min_isr: int("transaction.state.log.min.isr"),
        topic_segment_bytes: int("transaction.state.log.segment.bytes"),
        max_timeout_ms: p
            .optional_ms("transaction.max.timeout.ms")
            .map_or(0, |span| i32::try_from(span.as_millis()).unwrap_or(i32::MAX)),
        abort_interval: ms("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        id_expiration: ms("transactional.id.expiration.ms"),
        expiry_interval: ms("transaction.remove.expired.transaction.cleanup.interval.ms"),
    }
}

/// A broker, with the address that it advertises to external clients when there is one.
pub fn broker(
    plan: &Plan,
    broker: &BrokerPlan,
    names: &Names,
    listener: Option<&ExternalListener>,
) -> broker::Config {
    let external = listener.zip(names.outside).map(|(listener, peer)| broker::ExternalListener {
        peer,
        advertised: broker::Endpoint { host: listener.host.clone(), port: listener.port.into() },
    });
    let p = &broker.properties;
    let imbalance_check = narrow(p.int("leader.imbalance.check.interval.seconds"));
    broker::Config {
        id: broker.id,
        host: broker.name.clone(),
        external,
        version: plan.kafka,
        mutant: plan.mutant,
        supervisor: plan.supervisor,
        start_up: plan.start_up.low..=plan.start_up.high,
        was_up: true,
        answer_delay: ANSWER_DELAY,
        zookeepers: names.zookeepers.clone(),
        session_timeout: p.ms("zookeeper.session.timeout.ms"),
        replica_lag_time_max: p.ms("replica.lag.time.max.ms"),
        replica_fetch_wait_max: p.ms("replica.fetch.wait.max.ms"),
        replica_fetch_min_bytes: narrow(p.int("replica.fetch.min.bytes")),
        replica_fetch_max_bytes: narrow(p.int("replica.fetch.max.bytes")),
        replica_fetch_response_max_bytes: narrow(p.int("replica.fetch.response.max.bytes")),
        replica_fetch_backoff: p.ms("replica.fetch.backoff.ms"),
        replica_socket_timeout: p.ms("replica.socket.timeout.ms"),
        high_watermark_checkpoint_interval: p.ms("replica.high.watermark.checkpoint.interval.ms"),
        recovery_point_checkpoint_interval: p.ms("log.flush.offset.checkpoint.interval.ms"),
        log_flush_interval_messages: p.int("log.flush.interval.messages"),
        log_flush_interval: p.optional_ms("log.flush.interval.ms"),
        log_flush_scheduler_interval: p.ms("log.flush.scheduler.interval.ms"),
        log_segment_bytes: narrow(p.int("log.segment.bytes")),
        message_max_bytes: narrow(p.int("message.max.bytes")),
        fetch_max_bytes: p.optional_int("fetch.max.bytes").map(narrow),
        max_fetch_sessions: p
            .optional_int("max.incremental.fetch.session.cache.slots")
            .map_or(0, narrow),
        num_io_threads: narrow(p.int("num.io.threads")),
        socket_request_max_bytes: narrow(p.int("socket.request.max.bytes")),
        min_insync_replicas: narrow(p.int("min.insync.replicas")),
        unclean_leader_election: p.bool("unclean.leader.election.enable"),
        num_partitions: narrow(p.int("num.partitions")),
        default_replication_factor: narrow(p.int("default.replication.factor")),
        offsets_topic_num_partitions: narrow(p.int("offsets.topic.num.partitions")),
        offsets_topic_replication_factor: narrow(p.int("offsets.topic.replication.factor")),
        offsets_topic_segment_bytes: narrow(p.int("offsets.topic.segment.bytes")),
        groups: groups(p),
        transactions: transactions(p),
        producer_id_expiration: producer_id_expiration(p),
        auto_create_topics: p.bool("auto.create.topics.enable"),
        auto_leader_rebalance: p.bool("auto.leader.rebalance.enable"),
        leader_imbalance_check_interval: Duration::from_secs(imbalance_check),
        leader_imbalance_per_broker_percentage: narrow(
            p.int("leader.imbalance.per.broker.percentage"),
        ),
        controlled_shutdown: p.bool("controlled.shutdown.enable"),
        controlled_shutdown_max_retries: narrow(p.int("controlled.shutdown.max.retries")),
        controlled_shutdown_retry_backoff: p.ms("controlled.shutdown.retry.backoff.ms"),
        controller_socket_timeout: p.ms("controller.socket.timeout.ms"),
        request_timeout: p.ms("request.timeout.ms"),
        server_properties: p.unlike(BROKER, plan.kafka),
        dynamic: broker::DynamicSettings::default(),
    }
}

fn connection(properties: &Properties, max_in_flight: usize) -> ConnectionConfig {
    let reconnect_backoff = properties.ms("reconnect.backoff.ms");
    ConnectionConfig {
        request_timeout: properties.ms("request.timeout.ms"),
        reconnect_backoff,
        reconnect_backoff_max: properties
            .optional_ms("reconnect.backoff.max.ms")
            .unwrap_or(reconnect_backoff),
        max_in_flight,
        ..ConnectionConfig::default()
    }
}

fn retry_backoff_max(properties: &Properties) -> Duration {
    properties
        .optional_ms("retry.backoff.max.ms")
        .unwrap_or_else(|| properties.ms("retry.backoff.ms"))
}

fn shared(names: &[String]) -> Vec<Arc<str>> {
    names.iter().map(|name| name.as_str().into()).collect()
}

/// What creates the plan's topics.
pub fn admin(plan: &Plan, names: &Names) -> AdminConfig {
    let topic = |topic: &TopicPlan| NewTopic {
        name: topic.name.as_str().into(),
        partitions: narrow(topic.assignment.len() as i64),
        replication_factor: narrow(topic.assignment[0].len() as i64),
        assignment: Some(topic.assignment.clone()),
        configs: topic.overrides.clone(),
    };
    let topics = plan.topics.iter().map(topic).collect();
    AdminConfig::new("admin", plan.kafka, names.brokers.clone(), topics)
}

/// A command of an operator.
pub fn command(plan: &Plan, command: &CommandPlan, names: &Names) -> TopicsConfig {
    let all = match command.command.via {
        Via::Brokers => &names.brokers,
        Via::ZooKeeper => &names.zookeepers,
    };
    let named = command.command.hosts.iter().filter_map(|host| names.roster.find(host));
    let named: Vec<NodeId> = named.collect();
    TopicsConfig {
        name: command.name.as_str().into(),
        version: plan.kafka,
        line: command.run.as_str().into(),
        command: command.command.clone(),
        servers: if named.is_empty() { all.clone() } else { named },
    }
}

/// A client of ZooKeeper alone. Its sessions last as long as brokers' do.
pub fn zookeeper_client(plan: &Plan, client: &ZooKeeperClientPlan, names: &Names) -> ZnodesConfig {
    let broker = &plan.brokers[0].properties;
    ZnodesConfig {
        name: client.name.as_str().into(),
        servers: names.zookeepers.clone(),
        session_timeout_ms: narrow(broker.int("zookeeper.session.timeout.ms")),
        interval: client.rate.interval(),
        znodes: client.znodes,
        move_every: client.move_every,
        stop: client.stop,
    }
}

/// A producer.
pub fn producer(plan: &Plan, producer: &ProducerPlan, names: &Names) -> ProducerConfig {
    let p = &producer.properties;
    let broker = &plan.brokers[0].properties;
    ProducerConfig {
        name: producer.name.as_str().into(),
        version: plan.kafka,
        mutant: plan.mutant,
        bootstrap: names.brokers.clone(),
        discover: match producer.discover {
            Discovery::Broker => Discover::Metadata,
            Discovery::ZooKeeper => Discover::ZooKeeper {
                servers: names.zookeepers.clone(),
                session_timeout: broker.ms("zookeeper.session.timeout.ms"),
            },
        },
        workload: Workload {
            topics: shared(std::slice::from_ref(&producer.topic)),
            interval: producer.rate.interval(),
            burst: 1,
            start: producer.start,
            stop: Some(producer.stop),
            record_bytes: narrow(i64::try_from(producer.record_size).unwrap_or(i64::MAX)),
            keys: 0,
            first_record: 0,
        },
        acks: producer.acks,
        idempotence: producer.idempotence,
        transactions: producer.transactions.as_ref().map(transactions_of),
        retries: narrow(p.int("retries")),
        retry_backoff: p.ms("retry.backoff.ms"),
        retry_backoff_max: retry_backoff_max(p),
        delivery_timeout: p.optional_ms("delivery.timeout.ms"),
        linger: p.ms("linger.ms"),
        batch_size: narrow(p.int("batch.size")),
        max_request_size: narrow(p.int("max.request.size")),
        buffer_memory: narrow(p.int("buffer.memory")),
        max_block: p.ms("max.block.ms"),
        metadata_max_age: p.ms("metadata.max.age.ms"),
        connection: connection(p, narrow(p.int("max.in.flight.requests.per.connection"))),
    }
}

fn transactions_of(plan: &TransactionPlan) -> TransactionConfig {
    TransactionConfig {
        id: plan.id.as_str().into(),
        timeout: plan.properties.ms("transaction.timeout.ms"),
        commit_every: match plan.commit_every {
            scenario::CommitEvery::Records(count) => CommitEvery::Records(count),
            scenario::CommitEvery::Span(span) => CommitEvery::Span(span),
        },
        abort_rate: plan.abort_rate,
        restart_when_fenced: plan.restart_when_fenced,
    }
}

/// A consumer.
pub fn consumer(plan: &Plan, consumer: &ConsumerPlan, names: &Names) -> ConsumerConfig {
    let p = &consumer.properties;
    let topics = match &consumer.matching {
        Some(_) => Vec::new(),
        None => shared(&consumer.topics),
    };
    let defaults =
        ConsumerConfig::new(consumer.name.as_str(), plan.kafka, names.brokers.clone(), topics);
    ConsumerConfig {
        mutant: plan.mutant,
        matching: consumer.matching.clone(),
        start: consumer.start,
        from: match consumer.from {
            ReadFrom::Beginning => StartFrom::Beginning,
            ReadFrom::End => StartFrom::End,
        },
        group: consumer.group.as_ref().map(group),
        auto_offset_reset: match p.text("auto.offset.reset") {
            "earliest" => ResetPolicy::Earliest,
            "latest" => ResetPolicy::Latest,
            _ => ResetPolicy::None,
        },
        read_committed: p.optional_text("isolation.level") == Some("read_committed"),
        fetch_min_bytes: narrow(p.int("fetch.min.bytes")),
        fetch_max_wait: p.ms("fetch.max.wait.ms"),
        fetch_max_bytes: narrow(p.int("fetch.max.bytes")),
        max_partition_fetch_bytes: narrow(p.int("max.partition.fetch.bytes")),
        retry_backoff: p.ms("retry.backoff.ms"),
        metadata_max_age: p.ms("metadata.max.age.ms"),
        connection: connection(p, defaults.connection.max_in_flight),
        ..defaults
    }
}

/// An old consumer that reads as `reader` says. It sends the requests of 0.10.2, in whose time it was finished.
pub fn zookeeper_consumer(
    reader: ConsumerConfig,
    old: &OldConsumerPlan,
    names: &Names,
) -> ZookeeperConsumerConfig {
    let p = &old.properties;
    ZookeeperConsumerConfig {
        reader: ConsumerConfig {
            version: KafkaVersion::new(0, 10),
            fetch_max_wait: p.ms("fetch.wait.max.ms"),
            max_partition_fetch_bytes: narrow(p.int("fetch.message.max.bytes")),
            retry_backoff: p.ms("refresh.leader.backoff.ms"),
            ..reader
        },
        group: old.group.as_str().into(),
        servers: names.zookeepers.clone(),
        session_timeout: p.ms("zookeeper.session.timeout.ms"),
        auto_commit: p.bool("auto.commit.enable").then(|| p.ms("auto.commit.interval.ms")),
        rebalance_max_retries: u32::try_from(p.int("rebalance.max.retries")).unwrap_or(u32::MAX),
        rebalance_backoff: p.ms("rebalance.backoff.ms"),
    }
}

/// The place of a consumer in its group.
fn group(group: &GroupPlan) -> GroupConfig {
    let p = &group.properties;
    let known = group.strategies.iter().filter_map(|name| Strategy::named(name));
    GroupConfig {
        id: group.id.as_str().into(),
        instance: group.instance.as_deref().map(Into::into),
        strategies: known.collect(),
        session_timeout: p.ms("session.timeout.ms"),
        heartbeat_interval: p.ms("heartbeat.interval.ms"),
        max_poll_interval: p.ms("max.poll.interval.ms"),
        max_poll_records: narrow(p.int("max.poll.records")),
        api_timeout: p.optional_ms("default.api.timeout.ms"),
        commit: match group.commit {
            Commit::BeforeProcessing => CommitPolicy::BeforeProcessing,
            Commit::AfterProcessing => CommitPolicy::AfterProcessing,
            Commit::ByClient if p.bool("enable.auto.commit") => {
                CommitPolicy::Auto(p.ms("auto.commit.interval.ms"))
            }
            Commit::ByClient => CommitPolicy::Never,
        },
        processing: group.processing,
    }
}
