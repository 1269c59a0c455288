//! TOML text to a plan: what the cluster is, what clients do, and what goes wrong when.
//!
//! [`parse`] checks a file and reports everything that is wrong with it ([`Diagnostics`]);
//! [`Scenario::plan`] draws what is left to chance from a seed. A [`Plan`] is concrete.
//!
//! # The format
//!
//! ```toml
//! # A leader dies while acks=all writes are in flight. Nothing acknowledged may be lost.
//! kafka = "2.8"              # the release that brokers and clients behave like
//! duration = "30s"           # how long clients write and faults happen; then all is healed
//! [cluster]
//! brokers = 3                # nodes b1, b2, b3 with broker.id 1, 2, 3
//! zookeepers = 1             # node z1
//! [broker]                   # Kafka's own properties; the rest as that release has them
//! "zookeeper.session.timeout.ms" = 6000
//! [[topic]]
//! name = "orders"
//! partitions = 1
//! replication-factor = 3
//! "min.insync.replicas" = 2
//! [[producer]]
//! name = "p0"
//! topic = "orders"
//! acks = "all"
//! rate = "200/s"
//! [[consumer]]
//! name = "c0"
//! topics = ["orders"]
//! [network]
//! latency = "1ms..5ms"
//! [[fault]]
//! at = "8s"
//! crash = "leader(orders-0)"
//! restart-after = "5s"
//! [expect]
//! happened = ["leader-elected", "isr-shrunk", "isr-expanded"]
//! ```
//!
//! **Quantities.** A *duration* is `"250ms"` (us, ms, s, m, h). Where a *range* is allowed,
//! `"6s..10s"` is drawn from the seed, by a stream of its own: one more fault at the end moves none
//! of the others. A *rate* is `"200/s"` or `"1/2s"`, a *ratio* `"1/1000"`, a *size* `100` or `"1KiB"`.
//!
//! | table | key | value | default |
//! |---|---|---|---|
//! | top | `kafka` | a release, `"2.8.1"`, or a line, `"2.8"`: its newest release; 0.10.2 to 3.9 | required |
//! | | `duration` | duration | required |
//! | | `mutant` | the bug to plant, one of [`Mutant`](crate::vocab::Mutant) | none |
//! | `[cluster]` | `brokers` | 1 to 100 | required |
//! | | `zookeepers` | 1, 3 or 5 | 1 |
//! | | `supervisor` | duration after which a broker is started again whose start failed because its old session lives; or `"never"` | `"1s"` |
//! | | `start-up` | duration that a broker takes to come up when it starts again, or a range; `"0s"`: none | `"1s..4s"` |
//! | `[broker]` | | properties of [`properties::BROKER`] | the release's |
//! | `[zookeeper]` | | properties of [`properties::ZOOKEEPER`], as in `zoo.cfg` or as Java system properties | ZooKeeper's |
//! | `[[topic]]` | `name` | | required |
//! | | `partitions` | | `num.partitions` |
//! | | `replication-factor` | at most `brokers` | `default.replication.factor` |
//! | | `assignment` | broker ids per partition, `[[1, 2, 3]]`; replaces the two above | drawn by Kafka's rule |
//! | | | properties of [`properties::TOPIC`] | the brokers' |
//! | `[[producer]]` | `name` | the node's name | required |
//! | | `count` | how many such producers: `p0-0`, `p0-1`, … | one, `p0` |
//! | | `topic` | | required |
//! | | `acks` | `"all"`, 0, 1, as a number or a string | the release's |
//! | | `rate` | rate | required |
//! | | `record-size` | size of a record's value | 100 |
//! | | `start`, `stop` | range | 0s, the end |
//! | | `discover` | `"broker"` or `"zookeeper"`: where it looks up leaders | `"broker"` |
//! | | `"enable.idempotence"` | true or false; true sets `acks` to all | false |
//! | | `"transactional.id"` | name that makes it transactional, and idempotent; with `count`, `-0`, `-1` … is added | none |
//! | | `commit-every` | with it: how many records, or which duration, a transaction takes | `"100ms"` |
//! | | `abort-rate` | with it: ratio of transactions that the application aborts | `"0"` |
//! | | `restart-when-fenced` | with it: true or false: whether the application starts another producer when its own is fenced, instead of ending | false |
//! | | | with it: properties of [`properties::TRANSACTIONAL`] | the release's |
//! | | | properties of [`properties::PRODUCER`] | the release's |
//! | `[[consumer]]` | `name`, `count`, `start` | as a producer's | |
//! | | `topics` | names; every partition is read | required |
//! | | `topics-matching` | in a group, instead of `topics`: a regular expression that whole names match; topics that match later are read, too | |
//! | | `api` | `"zookeeper"`: the old consumer, whose `group` is made of znodes; up to Kafka 1.1 | `"kafka"` |
//! | | `from` | `"beginning"` or `"end"` | `"beginning"` |
//! | | `group` | name of the group that it is a member of (`group.id`): it reads the partitions that it is given | none: it reads all partitions, alone |
//! | | `commit` | in a group: `"before-processing"` or `"after-processing"`, by the application | by the client, as `enable.auto.commit` says |
//! | | `processing` | in a group: duration that the application takes for a record | `"0ms"` |
//! | | `group.instance.id` | in a group: makes it a static member; with `count`, `-0`, `-1` … is added | none |
//! | | `partition.assignment.strategy` | in a group: one or more of `"range"`, `"roundrobin"`, `"sticky"`, `"cooperative-sticky"` | the release's |
//! | | | in a group: properties of [`properties::MEMBER`] | the release's |
//! | | | with `api = "zookeeper"`: properties of [`properties::OLD_CONSUMER`] | the release's |
//! | | | properties of [`properties::CONSUMER`] | the release's |
//! | `[[zookeeper-client]]` | `name`, `count`, `start`, `stop` | as a producer's | |
//! | | `rate` | rate of requests: create, setData, delete, getData, exists, getChildren, sync | required |
//! | | `znodes` | how many znodes all of them work on, below `/load` | 8 |
//! | | `move-every` | duration, on average, after which it moves to another server | never |
//! | `[network]` | `latency` | range, one-way, drawn per message | `"200us..900us"` |
//! | | `loss` | ratio; a lost message is sent again by TCP | `"0"` |
//! | | `bandwidth` | `"100MiB/s"`, per link | no limit |
//! | `[disk]` | `write` | duration of a write to the page cache | `"0s"` |
//! | | `fsync` | range, drawn each time | `"500us..4ms"` |
//! | `[expect]` | `happened` | names of [`Happening`](crate::vocab::Happening): without one of them a run is inconclusive | none |
//! | | `never` | the same names: with one of them a run fails | none |
//! | | `acknowledged-loss` | `"forbidden"`, or `"permitted"`: counted, but no failure | `"forbidden"` |
//! | | `converge-within` | duration that the healed cluster may take | `"60s"`, or 30 s more than a client waits for a broker that lost power: its `request.timeout.ms`, of a member 5 s more than its `max.poll.interval.ms`, and of a transactional producer its `transaction.timeout.ms` and the interval at which coordinators look; at most `"10m"` |
//! | | `unavailable-at-most` | duration: a run with a longer time without an acknowledgement of some producer, or of a partition that records wait for, fails | no limit |
//! | | `latency-at-most` | `{p50 = "5ms", p99 = "200ms", max = "5s"}`, or some of them: a run fails in which a producer's acknowledgements take longer | no limit |
//! | | the name of a happening | how often it may happen: `2`, `"1..3"`, `"1.."`, or `{count = "1..3", partition = "orders-0", after = "5s", before = "20s"}`, or a list of those; a run with fewer is inconclusive, one with more fails | no limit |
//!
//! **Faults.** A `[[fault]]` has `at` (range), may be repeated (`times = 3` with `every = "5s"`),
//! and does one thing:
//!
//! | fault | what it does | other keys |
//! |---|---|---|
//! | `crash` | the process dies; peers see a reset; the page cache stays | `restart-after` |
//! | `power-loss` | the host loses power and goes silent; what was not fsynced may be lost | `restart-after` |
//! | `shutdown` | the process ends in an orderly way | `restart-after` |
//! | `restart` | starts a process that an earlier fault ended |  |
//! | `pause` | the process does not run, as in a long garbage collection; connections stay open | `resume-after` |
//! | `partition` | nothing passes between the targets and the others; they notice by timeouts | `from`: the others, or else every other node; `direction`: `"in"` or `"out"`, as the targets see it, or else both ways; `heal-after` |
//! | `cut` | what the targets send to `to` is lost, without a reset; the way back is open | `to`: the receivers; `heal-after` |
//! | `slow` | messages between the targets and the others take `latency` longer, both ways | `to`: the others, or else every other node; `latency`: how much longer; `heal-after` |
//! | `reset` | the connections between the targets and the others are reset | `to`: the others, or else every other node |
//! | `slow-disk` | each write takes `write`, each fsync `fsync`; one left out stays as it is | `write`: how long a write takes; `fsync`: how long an fsync takes; `heal-after` |
//! | `clock` | the wall clock is stepped; what is measured by it jumps | `step`: how far, with its sign |
//!
//! What can be undone and is not by the end of `duration` is undone then; but a process that a fault ended stays
//! stopped without `restart-after`. Targets are one or a list of: a node by name (`"b1"`, `"z1"`, `"p0"`);
//! `"brokers"`, `"zookeepers"`; a role, resolved when the fault fires: `"leader(orders-0)"`, `"controller"`,
//! `"follower(orders-0, 2)"` (the second replica in the order of the assignment, leaving out the leader),
//! `"leader(zookeeper)"`, `"follower(zookeeper, 1)"`; `"coordinator(billing)"`, the broker that coordinates a group;
//! `"transaction-coordinator(billing)"`, the one that coordinates the transactions of a producer.
//!
//! **Commands.** A `[[command]]` has `at` (range; `times` and `every` as a fault) and `run`: a command line that
//! an operator types at that moment, on a node of its own (`shell-1`, `shell-2`, … in the order of the file).
//! What it prints is in the history and in the report.
//!
//! | command | options |
//! |---|---|
//! | `kafka-topics` | `--list`, or `--describe` with at most one of `--under-replicated-partitions`, `--unavailable-partitions`, `--topics-with-overrides` |
//! | | `--topic` and topics, separated by `,` or `\|`; without it, all |
//! | | `--zookeeper z1:2181` (until 2.8) reads ZooKeeper, `--bootstrap-server b1:9092,b2:9092` (2.2 and later) asks brokers; `localhost` means any of them; without both, ZooKeeper is read before 2.2, and brokers are asked from 2.2 on |
//!
//! **Nothing is ignored.** An unknown key, a property that the simulation does not obey, a value
//! out of range, an unknown name, a fault that can never fire: each is an error that shows its place.
//! A key or a word that had another name in an earlier version is an error that gives the new name.
//!
//! # Failure files
//!
//! [`write`] makes a file of a plan that failed: a scenario with every property, time and assignment written
//! out, and beside it what ran and what was found. [`parse_failure`] reads it. On disk its last line is a comment with
//! the length and the hash of all before it (`run::read_failure` checks it).
//!
//! | table | key | value |
//! |---|---|---|
//! | top | `schema` | 1 |
//! | | `scenario` | the scenario's file |
//! | | `seed` | the seed that the plan was drawn from, and that the run draws the rest from |
//! | `[failure]` | `version`, `commit` | the code that ran it |
//! | | `fingerprint` | of the run; 16 hexadecimal digits |
//! | | `panicked` | message of a panic of the simulation |
//! | `[[failure.violated]]` | `property`, `sentence` | what was violated, the worst first |
//!
//! # What is not simulated yet
//!
//! Compaction; consumers whose offsets are part of a producer's transaction. Producers of 3.0 and later are idempotent
//! only where `enable.idempotence` or a `transactional.id` is set, though Kafka's default there is on.

mod diagnostics;
mod draw;
mod failure;
pub mod faults;
mod plan;
pub mod properties;
pub mod quantity;
mod read;
mod renamed;
mod walk;
mod warnings;
mod write;

#[cfg(test)]
mod tests;

pub use diagnostics::{Diagnostic, Diagnostics, Span};
pub use draw::Scenario;
pub use failure::{Failure, Found, FoundViolation};
pub use faults::{Action, Fault, Target};
pub use plan::{
    BrokerPlan, CommandPlan, Commit, CommitEvery, ConsumerPlan, Discovery, DiskPlan, Expect,
    GroupPlan, NetworkPlan, OldConsumerPlan, Plan, ProducerPlan, ReadFrom, TopicPlan,
    TransactionPlan, ZooKeeperClientPlan, ZooKeeperPlan,
};
pub use properties::Properties;
pub use quantity::{DurationRange, Latency, Rate};
pub use read::{Table, language, memory, parse, parse_failure};
pub use warnings::warnings;
pub use write::write;
