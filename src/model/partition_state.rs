//! Partition states as ZooKeeper holds them: `/brokers/topics/T/partitions/P/state`, read from the
//! znode itself and not from what brokers make of it.

use serde::Deserialize;

use crate::vocab::{BrokerId, ControllerEpoch, LeaderEpoch, PartitionEpoch, Time, TopicPartition};

/// The znode that holds the epoch of the controller.
pub const CONTROLLER_EPOCH: &str = "/controller_epoch";

/// A partition's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// When it was stored, or found.
    pub time: Time,
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// dataVersion of the znode.
    pub version: PartitionEpoch,
    /// Epoch of the controller that wrote it, or that made its writer a leader; −1 when it is not known.
    pub controller_epoch: ControllerEpoch,
}

#[derive(Deserialize)]
struct Json {
    controller_epoch: i32,
    leader: i32,
    leader_epoch: i32,
    isr: Vec<i32>,
}

impl PartitionState {
    /// Reads what was stored; `None` when it is no state.
    pub fn read(time: Time, version: PartitionEpoch, data: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(data).ok()?;
        Some(Self {
            time,
            leader: (json.leader >= 0).then_some(BrokerId(json.leader)),
            leader_epoch: json.leader_epoch,
            isr: json.isr.into_iter().map(BrokerId).collect(),
            version,
            controller_epoch: json.controller_epoch,
        })
    }
}

/// The partition whose state is at `path`; `None` when it is another znode's.
pub fn partition_of_state(path: &str) -> Option<TopicPartition> {
    let (topic, rest) = path.strip_prefix("/brokers/topics/")?.split_once("/partitions/")?;
    let partition = rest.strip_suffix("/state")?.parse().ok()?;
    Some(TopicPartition::new(topic, partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_brokers_write_it() {
        let data = r#"{"controller_epoch":3,"leader":-1,"version":1,"leader_epoch":7,"isr":[2]}"#;
        let state = PartitionState::read(Time(5), 9, data).expect("a state");
        assert_eq!((state.leader, state.leader_epoch, state.version), (None, 7, 9));
        assert_eq!((state.isr, state.controller_epoch), (vec![BrokerId(2)], 3));
        assert_eq!(PartitionState::read(Time(5), 9, "[]"), None);
    }

    #[test]
    fn only_the_paths_of_states_name_a_partition() {
        let at = partition_of_state("/brokers/topics/orders/partitions/12/state");
        assert_eq!(at, Some(TopicPartition::new("orders", 12)));
        for path in
            ["/brokers/topics/orders", "/controller_epoch", "/brokers/topics/a/partitions/x/state"]
        {
            assert_eq!(partition_of_state(path), None, "{path}");
        }
    }
}
