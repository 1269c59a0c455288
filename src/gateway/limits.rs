//! What one server lets its clients have, by its settings.

use std::time::Duration;

use crate::scenario::Plan;

/// Connections of one server where its settings allow any number: `max.connections` of a broker (2.4) has no limit
/// by default, nor has a ZooKeeper server (`maxCnxns`).
const CONNECTIONS_MAX: usize = 1_024;
/// How long a connection to ZooKeeper may be open without a word (`zookeeper.nio.sessionlessCnxnTimeout`).
const SILENT_MAX: Duration = Duration::from_secs(10);

/// The limits of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whether it is a broker, and not a ZooKeeper server.
    pub is_broker: bool,
    /// `max.connections`
    pub connections: usize,
    /// Whether the next one waits to be accepted, as `max.connections` wants it; otherwise it is reset.
    pub waits: bool,
    /// `max.connections.per.ip`, `maxClientCnxns`: connections of one address.
    pub connections_per_ip: usize,
    /// `connections.max.idle.ms`: how long a connection may have no traffic, in virtual time; `None` is "for ever".
    pub idle: Option<Duration>,
    /// How long a connection may say nothing after it was opened.
    pub silent: Option<Duration>,
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Limits {
    /// Those of every server of `plan`, brokers first.
    pub fn of(plan: &Plan) -> Vec<Self> {
        let no_limit = i64::from(i32::MAX);
        let brokers = plan.brokers.iter().map(|broker| {
            let of = |name| broker.properties.optional_int(name).unwrap_or(no_limit);
            let most = of("max.connections");
            Self {
                is_broker: true,
                connections: if most == no_limit { CONNECTIONS_MAX } else { count(most) },
                waits: most != no_limit,
                connections_per_ip: count(of("max.connections.per.ip")),
                // Less than 0 is "for ever", too.
                idle: u64::try_from(of("connections.max.idle.ms")).ok().map(Duration::from_millis),
                silent: None,
            }
        });
        let zookeepers = plan.zookeepers.iter().map(|server| {
            // 0 is "no limit".
            let per_ip = match server.properties.int("maxClientCnxns") {
                0 => usize::MAX,
                most => count(most),
            };
            Self {
                is_broker: false,
                connections: CONNECTIONS_MAX,
                waits: false,
                connections_per_ip: per_ip,
                idle: None,
                silent: Some(SILENT_MAX),
            }
        });
        brokers.chain(zookeepers).collect()
    }
}
