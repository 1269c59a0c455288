//! Scenarios of one kind and many sizes.

/// Three brokers, and so many partitions of one topic.
fn cluster(kafka: &str, partitions: u32, seconds: u32) -> String {
    format!(
        r#"
kafka = "{kafka}"
duration = "{seconds}s"
[cluster]
brokers = 3
zookeepers = 1
[broker]
"offsets.topic.num.partitions" = 3
"transaction.state.log.num.partitions" = 3
[[topic]]
name = "orders"
partitions = {partitions}
replication-factor = 3
"min.insync.replicas" = 2
"#
    )
}

/// So many producers with acks=all, each at this rate.
fn producers(count: u32, rate: &str) -> String {
    format!(
        r#"
[[producer]]
name = "p"
count = {count}
topic = "orders"
acks = "all"
rate = "{rate}"
"#
    )
}

/// So many consumers of all partitions.
fn readers(count: u32) -> String {
    format!("\n[[consumer]]\nname = \"c\"\ncount = {count}\ntopics = [\"orders\"]\n")
}

/// So many partitions, producers and consumers. However many producers there are, they send 100 records per second
/// together.
pub fn scenario(partitions: u32, senders: u32, consumers: u32, seconds: u32) -> String {
    let rate = format!("100/{senders}s");
    cluster("1.0", partitions, seconds) + &producers(senders, &rate) + &readers(consumers)
}

/// So many partitions, one producer and one consumer, in a release that has fetch sessions.
pub fn with_sessions(partitions: u32, seconds: u32) -> String {
    cluster("2.8", partitions, seconds) + &producers(1, "100/s") + &readers(1)
}

/// So many partitions and consumers, which share them as a `group` or each read all.
pub fn consumers(partitions: u32, consumers: u32, group: bool, seconds: u32) -> String {
    let group = if group { "group = \"g\"\n\"auto.offset.reset\" = \"earliest\"\n" } else { "" };
    cluster("2.8", partitions, seconds) + &producers(1, "100/s") + &readers(consumers) + group
}

/// One producer and no consumer: `plain`, `idempotent`, or `transactional` with transactions of 100 ms.
pub fn producer(kind: &str, seconds: u32) -> String {
    let id = match kind {
        "transactional" => "\"transactional.id\" = \"t\"\ncommit-every = \"100ms\"\n",
        "idempotent" => "\"enable.idempotence\" = true\n",
        _ => "",
    };
    cluster("2.8", 3, seconds) + &producers(1, "500/s") + id
}
