//! Partitions by topic, as consumers write them for each other: `ConsumerProtocol`'s assignments and what the sticky
//! assignor remembers.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::vocab::TopicPartition;

/// An i32 number of topics, each a text and an i32 number of i32 partitions; what follows is left. `None` when the
/// bytes break off.
pub fn read_partitions(bytes: &mut Bytes) -> Option<Vec<TopicPartition>> {
    let mut partitions = Vec::new();
    for _ in 0..bytes.try_get_i32().ok()? {
        let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        if length > bytes.len() {
            return None;
        }
        let topic: Arc<str> = std::str::from_utf8(&bytes.split_to(length)).ok()?.into();
        for _ in 0..bytes.try_get_i32().ok()? {
            partitions.push(TopicPartition::new(topic.clone(), bytes.try_get_i32().ok()?));
        }
    }
    Some(partitions)
}
