//! Draws the numbers of properties, and keeps them in the order that brokers, ZooKeeper and clients want.

use std::collections::BTreeMap;

use kafka_sim::releases::Change;
use kafka_sim::releases::defaults::{BROKER, DefaultValue, Property, Unit};

use super::{Like, Writer};

impl Writer<'_> {
    pub(super) fn number(&mut self, property: &Property, unit: Unit, default: DefaultValue) -> i64 {
        let range = property.range_in(self.title, self.version).expect("it is a number");
        let (min, max) = range.into_inner();
        let of_cluster = |most: u64| i64::try_from(most).expect("a small number");
        match property.name {
            "num.partitions"
            | "offsets.topic.num.partitions"
            | "transaction.state.log.num.partitions" => {
                return of_cluster(1 + self.below(4));
            }
            "default.replication.factor" if self.like != Like::Wild => {
                let brokers = self.brokers;
                return of_cluster(1 + self.below(brokers));
            }
            // One replica may be down for a while.
            "min.insync.replicas" if self.like != Like::Wild => {
                let most = self.replicas.saturating_sub(1).max(1);
                return of_cluster(1 + self.below(most));
            }
            "default.replication.factor" => return 1,
            // What brokers allow.
            "session.timeout.ms" if self.like != Like::Wild => {
                return of_cluster(6_000 + self.below(5_000));
            }
            _ => {}
        }
        let near = match (default, unit) {
            (DefaultValue::Is(i64::MAX), _) => 100,
            (DefaultValue::Is(number), _) => number,
            (_, Unit::Milliseconds) => 2_000,
            _ => 10,
        };
        let drawn = match self.like {
            Like::Wild => {
                let ends = [min, min.saturating_add(1), near, max.saturating_sub(1), max];
                self.one(&ends)
            }
            _ => {
                let near = [near / 20, near / 10, near / 5, near / 2, near];
                self.one(&near)
            }
        };
        drawn.clamp(min, max)
    }

    /// Brings numbers into the order that Kafka and ZooKeeper want.
    pub(super) fn order(&mut self, numbers: &mut BTreeMap<&str, i64>) {
        if self.title == "[broker]" {
            if self.like != Like::Wild && self.brokers < 3 {
                for internal in [
                    "offsets.topic.replication.factor",
                    "transaction.state.log.replication.factor",
                    "transaction.state.log.min.isr",
                ] {
                    let mut all = BROKER.iter().filter(|property| property.name == internal);
                    if all.any(|property| property.default_in(self.version).is_some()) {
                        numbers.insert(internal, 1);
                    }
                }
            }
            let wait = *numbers.get("replica.fetch.wait.max.ms").unwrap_or(&500);
            let mut least = i64::MAX;
            for (above, default) in
                [("replica.socket.timeout.ms", 30_000), ("replica.lag.time.max.ms", 10_000)]
            {
                least = least.min(*numbers.get(above).unwrap_or(&default));
            }
            if wait > least {
                numbers.insert("replica.fetch.wait.max.ms", least.max(0));
            }
            // Sessions that end in the time that a run has.
            if self.like != Like::Wild && !self.once_in(3) {
                numbers.insert("zookeeper.session.timeout.ms", 3_000);
            }
        }
        if self.title == "[zookeeper]" {
            let tick = *numbers.get("tickTime").unwrap_or(&3_000);
            let low = *numbers.get("minSessionTimeout").unwrap_or(&(2 * tick));
            let mut high = *numbers.get("maxSessionTimeout").unwrap_or(&(20 * tick));
            if self.like != Like::Wild && high < 3_000 {
                // A session that connecting to a far server takes longer than is of no use.
                high = 3_000;
                numbers.insert("maxSessionTimeout", high);
            }
            if low > high {
                numbers.insert("minSessionTimeout", high);
            }
        }
        if self.title == "group" {
            let session = *numbers.get("session.timeout.ms").unwrap_or(&10_000);
            let beat = *numbers.get("heartbeat.interval.ms").unwrap_or(&3_000);
            if beat >= session {
                numbers.insert("heartbeat.interval.ms", session - 1);
            }
        }
        if self.is_transactional {
            numbers.entry("retries").and_modify(|retries| *retries = (*retries).max(1));
            let most = if self.version.has(Change::BatchesRemembered) { 5 } else { 1 };
            let in_flight = numbers.entry("max.in.flight.requests.per.connection");
            in_flight.and_modify(|in_flight| *in_flight = (*in_flight).min(most));
        }
        if let Some(delivery) = numbers.get("delivery.timeout.ms").copied() {
            let linger = *numbers.get("linger.ms").unwrap_or(&0);
            let request = *numbers.get("request.timeout.ms").unwrap_or(&30_000);
            let least = linger.saturating_add(request).min(i64::from(i32::MAX));
            numbers.insert("delivery.timeout.ms", delivery.max(least));
        }
    }
}
