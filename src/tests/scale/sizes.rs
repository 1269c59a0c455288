//! Scenarios of one kind and many sizes.

/// Three brokers, with so many partitions of one topic, producers and consumers. However many producers there are, they
/// send 100 records per second together.
pub fn scenario(partitions: u32, producers: u32, consumers: u32, seconds: u32) -> String {
    format!(
        r#"
kafka = "1.0"
duration = "{seconds}s"
[cluster]
brokers = 3
zookeepers = 1
[[topic]]
name = "orders"
partitions = {partitions}
replication-factor = 3
"min.insync.replicas" = 2
[[producer]]
name = "p"
count = {producers}
topic = "orders"
acks = "all"
rate = "100/{producers}s"
[[consumer]]
name = "c"
count = {consumers}
topics = ["orders"]
"#
    )
}

/// Three brokers, with so many partitions of one topic and consumers, which share them as a `group` or each read all.
pub fn consumers(partitions: u32, consumers: u32, group: bool, seconds: u32) -> String {
    let group = if group { "group = \"g\"\n\"auto.offset.reset\" = \"earliest\"\n" } else { "" };
    format!(
        r#"
kafka = "2.8"
duration = "{seconds}s"
[cluster]
brokers = 3
zookeepers = 1
[broker]
"offsets.topic.num.partitions" = 3
[[topic]]
name = "orders"
partitions = {partitions}
replication-factor = 3
"min.insync.replicas" = 2
[[producer]]
name = "p"
topic = "orders"
acks = "all"
rate = "100/s"
[[consumer]]
name = "c"
count = {consumers}
topics = ["orders"]
{group}"#
    )
}

/// One producer, with or without an id, and no consumer.
pub fn producer(idempotent: bool, seconds: u32) -> String {
    format!(
        r#"
kafka = "2.8"
duration = "{seconds}s"
[cluster]
brokers = 3
zookeepers = 1
[[topic]]
name = "orders"
partitions = 3
replication-factor = 3
"min.insync.replicas" = 2
[[producer]]
name = "p"
topic = "orders"
acks = "all"
rate = "500/s"
"enable.idempotence" = {idempotent}
"#
    )
}
