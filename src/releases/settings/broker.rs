//! Settings of brokers: network, replication, topics, ZooKeeper and the rest.

use Allowed::{Any, AtLeast, OneOf, Release};
use DefaultText::{Gone, Is, Null, Required};
use Dynamic::{Never, Since};

use super::{ANY, AT_LEAST_0, AT_LEAST_1, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{
    V0_10, V0_11, V1_0, V1_1, V2_0, V2_1, V2_2, V2_3, V2_4, V2_5, V2_6, V2_7, V2_8, V3_0, V3_1,
    V3_2, V3_3, V3_4, V3_5, V3_6, V3_7, V3_8, V3_9,
};

settings! {
    GENERAL;
    "advertised.host.name": String, "", Never,
        &[(V0_10, Null), (V3_0, Gone)], ANY,
        "Host name that clients are given; replaced by advertised.listeners.";
    "advertised.listeners": String, "", Since(V1_1),
        &[(V0_10, Null)], ANY,
        "Listeners as clients are to reach them, if not as in listeners.";
    "advertised.port": Int, "", Never,
        &[(V0_10, Null), (V3_0, Gone)], ANY,
        "Port that clients are given; replaced by advertised.listeners.";
    "alter.config.policy.class.name": Class, "", Never,
        &[(V0_11, Null)], ANY,
        "Class that may refuse changes of settings.";
    "auto.create.topics.enable": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether a request for an unknown topic creates it.";
    "auto.leader.rebalance.enable": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether the controller gives leadership back to preferred replicas.";
    "background.threads": Int, "", Since(V1_1),
        &[(V0_10, Is("10"))], AT_LEAST_1,
        "Threads for housekeeping.";
    "broker.heartbeat.interval.ms": Int, "", Never,
        &[(V3_0, Is("2000"))], ANY,
        "Time between a broker's heartbeats, with KRaft.";
    "broker.id": Int, "", Never,
        &[(V0_10, Is("-1"))], ANY,
        "Number of the broker in its cluster.";
    "broker.id.generation.enable": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether a broker without a number gets one from ZooKeeper.";
    "broker.rack": String, "", Never,
        &[(V0_10, Null)], ANY,
        "Rack of the broker: replicas are spread over racks.";
    "broker.session.timeout.ms": Int, "", Never,
        &[(V3_0, Is("9000"))], ANY,
        "Time without heartbeats after which a broker is fenced, with KRaft.";
    "connection.failed.authentication.delay.ms": Int, "", Never,
        &[(V2_1, Is("100"))], AT_LEAST_0,
        "Time until a connection whose authentication failed is closed.";
    "connections.max.idle.ms": Long, "", Never,
        &[(V0_10, Is("600000"))], ANY,
        "Time after which an idle connection is closed.";
    "connections.max.reauth.ms": Long, "", Never,
        &[(V2_2, Is("0"))], ANY,
        "Longest time until a client has to authenticate again; 0 is never.";
    "control.plane.listener.name": String, "", Never,
        &[(V2_2, Null)], ANY,
        "Listener on which a broker takes the controller's requests.";
    "controlled.shutdown.enable": Boolean, "", Never,
        &[(V0_10, Is("true"))], ANY,
        "Whether a broker that stops first asks the controller to move its leaderships.";
    "controlled.shutdown.max.retries": Int, "", Never,
        &[(V0_10, Is("3"))], ANY,
        "Tries of a controlled shutdown.";
    "controlled.shutdown.retry.backoff.ms": Long, "", Never,
        &[(V0_10, Is("5000"))], ANY,
        "Pause before a controlled shutdown is tried again.";
    "controller.listener.names": String, "", Never,
        &[(V3_0, Null)], ANY,
        "Listeners of controllers, with KRaft.";
    "controller.socket.timeout.ms": Int, "", Never,
        &[(V0_10, Is("30000"))], ANY,
        "Longest wait on connections from the controller to brokers.";
    "create.topic.policy.class.name": Class, "", Never,
        &[(V0_10, Null)], ANY,
        "Class that may refuse new topics.";
    "default.replication.factor": Int, "", Never,
        &[(V0_10, Is("1"))], ANY,
        "Replicas of topics that name no number.";
    "delete.records.purgatory.purge.interval.requests": Int, "", Never,
        &[(V0_11, Is("1"))], ANY,
        "Finished waits of DeleteRecords after which they are cleared away.";
    "delete.topic.enable": Boolean, "", Never,
        &[(V0_10, Is("false")), (V1_0, Is("true"))], ANY,
        "Whether topics can be deleted.";
    "early.start.listeners": String, "", Never,
        &[(V3_3, Null)], ANY,
        "Listeners that open before authorization is ready.";
    "eligible.leader.replicas.enable": Boolean, "", Never,
        &[(V3_7, Is("false"))], ANY,
        "Whether eligible leader replicas are kept, with KRaft.";
    "fetch.max.bytes": Int, "", Never,
        &[(V2_5, Is("57671680"))], &[(V0_10, AtLeast(1024))],
        "Most bytes of an answer to Fetch.";
    "fetch.purgatory.purge.interval.requests": Int, "", Never,
        &[(V0_10, Is("1000"))], ANY,
        "Finished waits of Fetch after which they are cleared away.";
    "host.name": String, "", Never,
        &[(V0_10, Is("")), (V3_0, Gone)], ANY,
        "Host name on which the broker listens; replaced by listeners.";
    "initial.broker.registration.timeout.ms": Int, "", Never,
        &[(V3_0, Is("60000"))], ANY,
        "Time in which a broker has to register with the controllers, with KRaft.";
    "inter.broker.listener.name": String, "", Never,
        &[(V0_10, Null)], ANY,
        "Listener that brokers use among themselves.";
    "inter.broker.protocol.version": String, "", Never,
        &[(V0_10, Is("0.10.2-IV0")), (V0_11, Is("0.11.0-IV2")), (V1_0, Is("1.0-IV0")),
          (V1_1, Is("1.1-IV0")), (V2_0, Is("2.0-IV1")), (V2_1, Is("2.1-IV2")),
          (V2_2, Is("2.2-IV1")), (V2_3, Is("2.3-IV1")), (V2_4, Is("2.4-IV1")),
          (V2_5, Is("2.5-IV0")), (V2_6, Is("2.6-IV0")), (V2_7, Is("2.7-IV2")),
          (V2_8, Is("2.8-IV1")), (V3_0, Is("3.0-IV1")), (V3_1, Is("3.1-IV0")),
          (V3_2, Is("3.2-IV0")), (V3_3, Is("3.3-IV3")), (V3_4, Is("3.4-IV0")),
          (V3_5, Is("3.5-IV2")), (V3_6, Is("3.6-IV2")), (V3_7, Is("3.7-IV4")),
          (V3_8, Is("3.8-IV0")), (V3_9, Is("3.9-IV0"))],
        &[(V0_10, Any), (V2_1, Release)],
        "Release whose protocol brokers use among themselves.";
    "leader.imbalance.check.interval.seconds": Long, "", Never,
        &[(V0_10, Is("300"))], &[(V0_10, Any), (V3_2, AtLeast(1))],
        "Time between looks at which leaders are not the preferred ones.";
    "leader.imbalance.per.broker.percentage": Int, "", Never,
        &[(V0_10, Is("10"))], ANY,
        "Share of a broker's leaderships that may be elsewhere.";
    "listener.security.protocol.map": String, "", Since(V1_1),
        &[(V0_10, Is("SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,TRACE:TRACE,SASL_SSL:SASL_SSL,\
         PLAINTEXT:PLAINTEXT")),
          (V1_0, Is("PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:\
         SASL_SSL")),
          (V3_8, Is("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:\
         SASL_PLAINTEXT"))],
        ANY,
        "Security protocol of each listener.";
    "listeners": String, "", Since(V1_1),
        &[(V0_10, Null), (V3_0, Is("PLAINTEXT://:9092"))], ANY,
        "Addresses on which the broker listens.";
    "max.connection.creation.rate": Int, "", Since(V2_7),
        &[(V2_7, Is("2147483647"))], AT_LEAST_0,
        "Most connections that are accepted in a second.";
    "max.connections": Int, "", Since(V2_3),
        &[(V2_3, Is("2147483647"))], AT_LEAST_0,
        "Most connections of a broker.";
    "max.connections.per.ip": Int, "", Since(V2_1),
        &[(V0_10, Is("2147483647"))], &[(V0_10, AtLeast(1)), (V2_0, AtLeast(0))],
        "Most connections of one address.";
    "max.connections.per.ip.overrides": String, "", Since(V2_1),
        &[(V0_10, Is(""))], ANY,
        "Most connections of single addresses.";
    "max.incremental.fetch.session.cache.slots": Int, "", Never,
        &[(V1_1, Is("1000"))], AT_LEAST_0,
        "Most fetch sessions.";
    "max.request.partition.size.limit": Int, "", Never,
        &[(V3_8, Is("2000"))], AT_LEAST_1,
        "Most partitions of a request that describes them.";
    "min.insync.replicas": Int, "", Since(V1_1),
        &[(V0_10, Is("1"))], AT_LEAST_1,
        "Replicas in sync without which acks=all is refused.";
    "node.id": Int, "", Never,
        &[(V3_0, Is("-1"))], ANY,
        "Number of the node, with KRaft.";
    "num.io.threads": Int, "", Since(V1_1),
        &[(V0_10, Is("8"))], AT_LEAST_1,
        "Threads that handle requests.";
    "num.network.threads": Int, "", Since(V1_1),
        &[(V0_10, Is("3"))], AT_LEAST_1,
        "Threads that read requests and send answers.";
    "num.partitions": Int, "", Never,
        &[(V0_10, Is("1"))], AT_LEAST_1,
        "Partitions of topics that name no number.";
    "num.recovery.threads.per.data.dir": Int, "", Since(V1_1),
        &[(V0_10, Is("1"))], AT_LEAST_1,
        "Threads of each log directory at start and at shutdown.";
    "num.replica.alter.log.dirs.threads": Int, "", Never,
        &[(V1_1, Null)], ANY,
        "Threads that move replicas between log directories.";
    "num.replica.fetchers": Int, "", Since(V1_1),
        &[(V0_10, Is("1"))], ANY,
        "Fetcher threads for each broker that is followed.";
    "port": Int, "", Never,
        &[(V0_10, Is("9092")), (V3_0, Gone)], ANY,
        "Port on which the broker listens; replaced by listeners.";
    "process.roles": List, "", Never,
        &[(V3_0, Is(""))], &[(V0_10, OneOf(&["broker", "controller"]))],
        "Whether the process is broker, controller or both, with KRaft.";
    "queued.max.request.bytes": Long, "", Never,
        &[(V1_0, Is("-1"))], ANY,
        "Most bytes of waiting requests.";
    "queued.max.requests": Int, "", Never,
        &[(V0_10, Is("500"))], AT_LEAST_1,
        "Most waiting requests.";
    "replica.fetch.backoff.ms": Int, "", Never,
        &[(V0_10, Is("1000"))], AT_LEAST_0,
        "Pause of a fetcher after an error.";
    "replica.fetch.max.bytes": Int, "", Never,
        &[(V0_10, Is("1048576"))], AT_LEAST_0,
        "Most bytes that a follower fetches of one partition.";
    "replica.fetch.min.bytes": Int, "", Never,
        &[(V0_10, Is("1"))], ANY,
        "Least bytes for which a follower's fetch waits.";
    "replica.fetch.response.max.bytes": Int, "", Never,
        &[(V0_10, Is("10485760"))], AT_LEAST_0,
        "Most bytes that a follower fetches at once.";
    "replica.fetch.wait.max.ms": Int, "", Never,
        &[(V0_10, Is("500"))], ANY,
        "Longest wait of a follower's fetch.";
    "replica.high.watermark.checkpoint.interval.ms": Long, "", Never,
        &[(V0_10, Is("5000"))], ANY,
        "Time between writes of the high watermarks.";
    "replica.lag.time.max.ms": Long, "", Never,
        &[(V0_10, Is("10000")), (V2_5, Is("30000"))], ANY,
        "Time after which a follower that lags leaves the ISR.";
    "replica.selector.class": String, "", Never,
        &[(V2_4, Null)], ANY,
        "Class that chooses the replica from which a consumer reads.";
    "replica.socket.receive.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("65536"))], ANY,
        "Receive buffer of connections to leaders.";
    "replica.socket.timeout.ms": Int, "", Never,
        &[(V0_10, Is("30000"))], ANY,
        "Longest wait on connections to leaders.";
    "request.timeout.ms": Int, "", Never,
        &[(V0_10, Is("30000"))], ANY,
        "Longest wait for an answer of another broker.";
    "reserved.broker.max.id": Int, "", Never,
        &[(V0_10, Is("1000"))], AT_LEAST_0,
        "Largest number that broker.id may be.";
    "socket.listen.backlog.size": Int, "", Never,
        &[(V3_2, Is("50"))], AT_LEAST_1,
        "Connections that may wait to be accepted.";
    "socket.receive.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("102400"))], ANY,
        "Receive buffer of server sockets.";
    "socket.request.max.bytes": Int, "", Never,
        &[(V0_10, Is("104857600"))], AT_LEAST_1,
        "Most bytes of a request.";
    "socket.send.buffer.bytes": Int, "", Never,
        &[(V0_10, Is("102400"))], ANY,
        "Send buffer of server sockets.";
    "unclean.leader.election.enable": Boolean, "", Since(V1_1),
        &[(V0_10, Is("true")), (V0_11, Is("false"))], ANY,
        "Whether a replica that is not in sync may become leader.";
    "zookeeper.clientCnxnSocket": String, "", Never,
        &[(V2_5, Null)], ANY,
        "Class of the connection to ZooKeeper.";
    "zookeeper.connect": String, "", Never,
        &[(V0_10, Is("")), (V0_11, Required), (V2_8, Null)], ANY,
        "Servers of ZooKeeper as host:port, and the root for this cluster.";
    "zookeeper.connection.timeout.ms": Int, "", Never,
        &[(V0_10, Null)], ANY,
        "Longest wait for a connection to ZooKeeper.";
    "zookeeper.max.in.flight.requests": Int, "", Never,
        &[(V1_1, Is("10"))], AT_LEAST_1,
        "Most requests to ZooKeeper without an answer.";
    "zookeeper.metadata.migration.enable": Boolean, "", Never,
        &[(V3_4, Is("false"))], ANY,
        "Whether the cluster moves to KRaft.";
    "zookeeper.session.timeout.ms": Int, "", Never,
        &[(V0_10, Is("6000")), (V2_5, Is("18000"))], ANY,
        "Session timeout at ZooKeeper.";
    "zookeeper.set.acl": Boolean, "", Never,
        &[(V0_10, Is("false"))], ANY,
        "Whether znodes get access lists.";
    "zookeeper.sync.time.ms": Int, "", Never,
        &[(V0_10, Is("2000")), (V3_2, Gone)], ANY,
        "How far a ZooKeeper follower may be behind.";
}
