//! The cells: one small cluster, one fault of one replica, one `acks`.

use serde::{Serialize, Serializer};

use super::golden::{Expected, Golden, golden};
use crate::scenario::{self, Plan, Scenario};
use crate::vocab::{Acks, Seed};

/// The cluster of every cell, without its fault.
///
/// All replicas are in sync when the fault comes; records and fetches take milliseconds, so that a record is on its
/// way to the followers at most moments; and all is healed before the end. A partition separates `far` from the
/// leader, not `near`. `request.timeout.ms` is below the session timeout and below replica.lag.time.max.ms, so
/// that producers retry before the leader or a slow follower leaves the ISR.
const BASE: &str = r#"
kafka = "2.8"
duration = "20s"

[cluster]
brokers = 3
zookeepers = 1

[broker]
"zookeeper.session.timeout.ms" = 6000
"replica.lag.time.max.ms" = 4000
"unclean.leader.election.enable" = false

[zookeeper]
tickTime = 500

[[topic]]
name = "orders"
partitions = 1
replication-factor = 3
"min.insync.replicas" = 2

[[producer]]
name = "near"
topic = "orders"
acks = "all"
rate = "100/s"
"request.timeout.ms" = 3000

[[producer]]
name = "far"
topic = "orders"
acks = "all"
rate = "100/s"
"request.timeout.ms" = 3000

[[consumer]]
name = "c0"
topics = ["orders"]

[network]
latency = "1ms..5ms"

[expect]
converge-within = "120s"

[[fault]]
at = "3s..4s"
"#;

/// Every `acks`, from the least to the most.
pub const ALL_ACKS: &[Acks] = &[Acks::None, Acks::Leader, Acks::All];

/// A fault of one replica, for 15 seconds: longer than the session timeout plus an election, and longer than a
/// client waits for a silent broker (`request.timeout.ms`, then 10 s to connect again).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatrixFault {
    /// The leader's process dies; its page cache stays.
    LeaderCrash,
    /// The leader's host loses power, and what was not fsynced.
    LeaderPowerLoss,
    /// The leader and one of the two producers reach only each other.
    LeaderPartitioned,
    /// The leader and ZooKeeper do not reach each other.
    #[serde(rename = "leader-cut-from-zookeeper")]
    LeaderCutFromZooKeeper,
    /// Messages between a follower and the leader take three seconds.
    SlowFollower,
}

impl MatrixFault {
    /// All faults, in the order of the golden matrix, those of the leader first.
    pub const ALL: &'static [Self] = &[
        Self::LeaderCrash,
        Self::LeaderPowerLoss,
        Self::LeaderPartitioned,
        Self::LeaderCutFromZooKeeper,
        Self::SlowFollower,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeaderCrash => "leader-crash",
            Self::LeaderPowerLoss => "leader-power-loss",
            Self::LeaderPartitioned => "leader-partitioned",
            Self::LeaderCutFromZooKeeper => "leader-cut-from-zookeeper",
            Self::SlowFollower => "slow-follower",
        }
    }

    /// Its table in the scenario, without `at`.
    const fn toml(self) -> &'static str {
        match self {
            Self::LeaderCrash => "crash = \"leader(orders-0)\"\nrestart-after = \"15s\"\n",
            Self::LeaderPowerLoss => "power-loss = \"leader(orders-0)\"\nrestart-after = \"15s\"\n",
            Self::LeaderPartitioned => {
                "partition = [\"leader(orders-0)\", \"near\"]\n\
                 from = [\"follower(orders-0, 1)\", \"follower(orders-0, 2)\", \
                         \"zookeepers\", \"far\", \"c0\"]\n\
                 heal-after = \"15s\"\n"
            }
            Self::LeaderCutFromZooKeeper => {
                "partition = \"leader(orders-0)\"\nfrom = \"zookeepers\"\nheal-after = \"15s\"\n"
            }
            Self::SlowFollower => {
                "slow = \"follower(orders-0, 2)\"\nto = \"leader(orders-0)\"\n\
                 latency = \"3s\"\nheal-after = \"15s\"\n"
            }
        }
    }

    /// The scenario of its row, with `acks=all`.
    pub fn scenario(self) -> Scenario {
        let text = format!("{BASE}{}", self.toml());
        let parsed = scenario::parse(&format!("matrix-{}.toml", self.name()), &text);
        parsed.unwrap_or_else(|wrong| panic!("the scenario of a cell is right: {wrong}"))
    }
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The fault.
    pub fault: MatrixFault,
    /// The acks of the producers.
    #[serde(serialize_with = "as_text")]
    pub acks: Acks,
}

fn as_text<S: Serializer>(acks: &Acks, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(acks)
}

impl Cell {
    /// Every cell, row by row.
    pub fn all() -> impl Iterator<Item = Self> {
        let row = |&fault| ALL_ACKS.iter().map(move |&acks| Self { fault, acks });
        MatrixFault::ALL.iter().flat_map(row)
    }

    /// What is expected of it.
    pub fn golden(self) -> Golden {
        golden(self.fault, self.acks)
    }

    /// The name of its scenario, which no other cell has.
    pub(super) fn name(self) -> String {
        format!("matrix-{}-acks-{}.toml", self.fault.name(), self.acks)
    }

    /// The plan of its run: `scenario`, the one of its fault, with its `acks`. A loss that is expected fails no run;
    /// a loss that must never happen does, and leaves a failure file.
    pub(super) fn plan(self, scenario: &Scenario, seed: Seed) -> Plan {
        let mut plan = scenario.plan(seed);
        plan.scenario = self.name();
        for producer in &mut plan.producers {
            producer.acks = self.acks;
        }
        plan.expect.acknowledged_loss_permitted = self.golden().loss != Expected::Never;
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_a_cell_has_its_acks_and_permits_the_expected_loss() {
        for cell in Cell::all() {
            let plan = cell.plan(&cell.fault.scenario(), Seed(1));
            assert_eq!(plan.producers.len(), 2);
            assert!(plan.producers.iter().all(|producer| producer.acks == cell.acks), "{cell:?}");
            assert_eq!(plan.faults.len(), 1, "{cell:?}");
            let permitted = plan.expect.acknowledged_loss_permitted;
            assert_eq!(permitted, cell.golden().loss == Expected::Sometimes, "{cell:?}");
        }
    }

    #[test]
    fn there_is_a_cell_for_every_fault_and_acks() {
        assert_eq!(Cell::all().count(), 15);
        assert!(MatrixFault::ALL.is_sorted() && ALL_ACKS.is_sorted());
    }
}
