//! The cells: one small cluster, one thing that happens to one replica, one `acks`.

use serde::{Serialize, Serializer};

use super::golden::{Expected, Golden, golden};
use crate::scenario::{self, Plan, Scenario};
use crate::vocab::{Acks, Seed};

/// The cluster of every cell, up to what happens to it.
///
/// All replicas are in sync when it happens; records and fetches take milliseconds, so that a record is under way to
/// the followers at most moments; and all is healed before the end. A partition takes `far` from the leader and
/// leaves `near` there. Producers give a silent leader up before its session has ended, and before a follower that
/// lags has left the in-sync replicas: what is not answered is sent again.
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

/// What happens to one replica, for 15 seconds: longer than its session and an election take, and than a
/// client waits for a silent broker, which is `request.timeout.ms` and then 10 s to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatrixFault {
    /// The leader's process dies; its page cache stays.
    LeaderCrash,
    /// The leader's host loses power, and what was not fsynced.
    LeaderPowerLoss,
    /// The leader and one of the two producers reach each other, and nobody else.
    LeaderPartitioned,
    /// The leader does not reach ZooKeeper, nor it the leader.
    LeaderCutFromZooKeeper,
    /// What a follower and the leader say to each other takes three seconds.
    SlowFollower,
}

impl MatrixFault {
    /// Everything that happens, in the order of the golden matrix, with the leader's trouble first.
    pub const ALL: &'static [Self] = &[
        Self::LeaderCrash,
        Self::LeaderPowerLoss,
        Self::LeaderPartitioned,
        Self::LeaderCutFromZooKeeper,
        Self::SlowFollower,
    ];

    /// What reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeaderCrash => "leader-crash",
            Self::LeaderPowerLoss => "leader-power-loss",
            Self::LeaderPartitioned => "leader-partitioned",
            Self::LeaderCutFromZooKeeper => "leader-cut-from-zookeeper",
            Self::SlowFollower => "slow-follower",
        }
    }

    const fn fault(self) -> &'static str {
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
        let text = format!("{BASE}{}", self.fault());
        let parsed = scenario::parse(&format!("matrix-{}.toml", self.name()), &text);
        parsed.unwrap_or_else(|wrong| panic!("the scenario of a cell is right: {wrong}"))
    }
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What happens.
    #[serde(rename = "fault")]
    pub trouble: MatrixFault,
    /// What producers wait for.
    #[serde(serialize_with = "as_text")]
    pub acks: Acks,
}

fn as_text<S: Serializer>(acks: &Acks, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(acks)
}

impl Cell {
    /// Every cell, row by row.
    pub fn all() -> impl Iterator<Item = Self> {
        let row = |&trouble| ALL_ACKS.iter().map(move |&acks| Self { trouble, acks });
        MatrixFault::ALL.iter().flat_map(row)
    }

    /// What is expected of it.
    pub fn golden(self) -> Golden {
        golden(self.trouble, self.acks)
    }

    /// What is played for it: `scenario`, which is that of its row, with its `acks`. A loss that is expected fails
    /// no run; one that must never be does, and leaves a failure file like any other.
    pub(super) fn plan(self, scenario: &Scenario, seed: Seed) -> Plan {
        let mut plan = scenario.plan(seed);
        plan.scenario = format!("matrix-{}-acks-{}.toml", self.trouble.name(), self.acks);
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
    fn the_plan_of_a_cell_has_its_acks_and_permits_what_is_foretold() {
        for cell in Cell::all() {
            let plan = cell.plan(&cell.trouble.scenario(), Seed(1));
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
