//! The order of settings in znodes: that in which Java's `Properties` goes over its names, since it is a
//! `ConcurrentHashMap` (Java 9; Kafka's releases before 2.1 were recorded with a later Java, too).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// The bins of a new map; it has twice as many when three quarters as many names are in it.
const BINS: usize = 16;

/// Settings that are written in that order.
pub struct Properties<'a>(pub &'a BTreeMap<String, String>);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bins = BINS;
        while self.0.len() >= bins / 4 * 3 {
            bins *= 2;
        }
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(name, _)| spread(name) as usize & (bins - 1));
        serializer.collect_map(all)
    }
}

/// The hash of a name: that of a Java string, with the high bits mixed in.
fn spread(name: &str) -> u32 {
    let add = |all: u32, unit: u16| all.wrapping_mul(31).wrapping_add(unit.into());
    let hash = name.encode_utf16().fold(0, add);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_in_the_order_that_real_brokers_write() {
        // Recorded: the znodes of 0.11.0.3 to 3.9.1.
        for order in [
            &["compression.type", "cleanup.policy", "segment.bytes"][..],
            &[
                "compression.type",
                "cleanup.policy",
                "min.insync.replicas",
                "segment.bytes",
                "unclean.leader.election.enable",
            ],
            &["cleanup.policy", "max.message.bytes"],
            &["cleanup.policy", "min.insync.replicas", "retention.ms"],
            &["max.message.bytes", "retention.ms"],
        ] {
            let set = order.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
            let text = serde_json::to_string(&Properties(&set)).expect("it is text");
            let expected: Vec<_> = order.iter().map(|name| format!("\"{name}\":\"1\"")).collect();
            assert_eq!(text, format!("{{{}}}", expected.join(",")));
        }
    }
}
