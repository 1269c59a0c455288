//! What a scenario asks for and cannot get, as real Kafka could not give it: no mistake, but seldom meant.

use super::plan::{Plan, ProducerPlan, TopicPlan};
use super::quantity::show;
use crate::releases::Change;
use crate::releases::defaults::{self, in_force};

/// What a producer reckons a record to take beside key and value: a batch's header, and the most of a record's
/// (`AbstractRecords.estimateSizeInBytesUpperBound`).
const ESTIMATED_OVERHEAD: i64 = 61 + 21;
/// What a batch of one small record takes beside its value.
const BATCH_OVERHEAD: i64 = 61 + 9;

/// Warnings about a plan, each a sentence without a full stop.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(plan.topics.iter().filter_map(|topic| too_few_replicas(plan, topic)));
    found.extend(plan.producers.iter().filter_map(|producer| too_large(plan, producer)));
    found.extend(sessions(plan));
    found.extend(idempotence(plan));
    found.dedup();
    found
}

/// Kafka 3.7 takes the smaller of `min.insync.replicas` and the number of replicas.
fn too_few_replicas(plan: &Plan, topic: &TopicPlan) -> Option<String> {
    let least = topic.properties.int("min.insync.replicas");
    let replicas = topic.assignment.first().map_or(0, Vec::len) as i64;
    let is_lowered = plan.kafka.has(Change::HighWatermarkHeldBelowMinIsr);
    (least > replicas && !is_lowered).then(|| {
        let name = &topic.name;
        format!(
            "topic `{name}` has {replicas} replicas and min.insync.replicas = {least}: with \
             acks=all every request is refused with NOT_ENOUGH_REPLICAS"
        )
    })
}

/// The producer and the broker each have a limit.
fn too_large(plan: &Plan, producer: &ProducerPlan) -> Option<String> {
    let (name, size) = (&producer.name, producer.record_size);
    let value = i64::try_from(size).unwrap_or(i64::MAX);
    let size = value.saturating_add(ESTIMATED_OVERHEAD);
    let limit = producer.properties.int("max.request.size");
    if size > limit {
        return Some(format!(
            "records of `{name}` take {size} bytes, more than max.request.size = {limit}: each \
             fails with RECORD_TOO_LARGE before it is sent"
        ));
    }
    let topic = plan.topics.iter().find(|topic| topic.name == producer.topic)?;
    let size = value.saturating_add(BATCH_OVERHEAD);
    let limit = topic.properties.int("max.message.bytes");
    (size > limit).then(|| {
        format!(
            "records of `{name}` take {size} bytes, more than max.message.bytes = {limit} of \
             `{}`: brokers refuse each with MESSAGE_TOO_LARGE",
            topic.name
        )
    })
}

/// ZooKeeper grants no session timeout outside its bounds: 2 and 20 ticks, unless they are set.
fn sessions(plan: &Plan) -> Option<String> {
    let zookeeper = &plan.zookeepers.first()?.properties;
    let tick = zookeeper.ms("tickTime");
    let bound = |key: &str, ticks| zookeeper.optional_ms(key).unwrap_or(tick * ticks);
    let (least, most) = (bound("minSessionTimeout", 2), bound("maxSessionTimeout", 20));
    let asked = plan.brokers.first()?.properties.ms("zookeeper.session.timeout.ms");
    let granted = asked.clamp(least, most);
    (granted != asked).then(|| {
        let bound = if asked < least { "minSessionTimeout" } else { "maxSessionTimeout" };
        format!(
            "zookeeper.session.timeout.ms = {} becomes {}, ZooKeeper's {bound}",
            show(asked),
            show(granted)
        )
    })
}

/// The default of 3.0 and later, which is not obeyed.
fn idempotence(plan: &Plan) -> Option<String> {
    let is_default = in_force(defaults::IDEMPOTENCE, plan.kafka) == Some(true);
    (is_default && plan.producers.iter().any(|producer| !producer.idempotence)).then(|| {
        format!(
            "producers run without enable.idempotence, which is on by default in {}: it is not \
             simulated yet",
            plan.kafka
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;
    use crate::vocab::Seed;

    fn warned(kafka: &str, broker: &str, topic: &str, producer: &str) -> Vec<String> {
        let text = format!(
            "kafka = \"{kafka}\"\nduration = \"9s\"\n[cluster]\nbrokers = 2\n[broker]\n{broker}\n\
             [[topic]]\nname = \"t\"\n{topic}\n[[producer]]\nname = \"p0\"\ntopic = \"t\"\n\
             rate = \"1/s\"\n{producer}\n"
        );
        let scenario = parse("w.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}"));
        warnings(&scenario.plan(Seed(0)))
    }

    #[test]
    fn what_is_usual_has_no_warning() {
        assert_eq!(warned("2.8", "", "", ""), [""; 0]);
    }

    #[test]
    fn too_few_replicas_for_min_insync_replicas_are_named_before_3_7() {
        let topic = "replication-factor = 1\n\"min.insync.replicas\" = 2";
        let found = warned("2.8", "", topic, "");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("topic `t` has 1 replicas and min.insync.replicas = 2"));
        assert!(!warned("3.7", "", topic, "").iter().any(|text| text.contains("min.insync")));
    }

    #[test]
    fn records_above_a_limit_are_named() {
        let large = "record-size = \"2MiB\"";
        let found = warned("2.8", "", "", large);
        assert!(found[0].contains("2097234 bytes, more than max.request.size = 1048576"));
        let passes = format!("{large}\n\"max.request.size\" = 9000000");
        let found = warned("2.8", "", "", &passes);
        assert!(found[0].contains("more than max.message.bytes = 1048588 of `t`"), "{found:?}");
        let taken = "\"message.max.bytes\" = 9000000";
        assert_eq!(warned("2.8", taken, "", &passes), [""; 0]);
    }

    #[test]
    fn session_timeouts_beyond_zookeepers_bounds_are_named() {
        for (ms, becomes) in [(1_000, "6s, ZooKeeper's min"), (90_000, "1m, ZooKeeper's max")] {
            let broker = format!("\"zookeeper.session.timeout.ms\" = {ms}");
            let found = warned("2.8", &broker, "", "");
            assert!(found[0].contains(&format!("becomes {becomes}SessionTimeout")), "{found:?}");
        }
    }

    #[test]
    fn a_default_that_is_not_obeyed_is_named() {
        let found = warned("3.9", "", "", "");
        assert!(found[0].starts_with("producers run without enable.idempotence"), "{found:?}");
    }
}
