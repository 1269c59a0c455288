//! What is expected of each cell: derived from what Kafka's documentation promises and from its code, not measured.
//!
//! The rows F1, F2, F5, F4 and F7 of the golden matrix, with `min.insync.replicas=2`, unclean leader election off,
//! and all replicas in sync when the fault comes. "Partitioned" is F5, the full partition with some clients on the
//! leader's side: of F3, where followers alone are cut off, nothing is lost whatever the `acks`.
//!
//! Where a cell of ours cannot show what the golden matrix says ([`Expected::Unshown`]), the reason is given here and
//! in the report.
//!
//! How long producers wait is shown beside what is expected, and not compared with it. Measured, it differs:
//!
//! - A silent leader (F2, `far` in F5) costs a client that waits for answers `request.timeout.ms` and then
//!   `socket.connection.setup.timeout.ms` (KIP-601), because metadata still names the old leader; that is
//!   longer than the session timeout and the election. With acks=0 no producer notices: what is sent is lost.
//! - A leader that is cut from ZooKeeper alone (F4) acknowledges acks=1 until the cut is healed, and
//!   acks=all until its followers follow the new leader; its clients then wait `request.timeout.ms`.
//! - A slow follower (F7) that is the controller stalls acks=all until it is healed: the leader's AlterPartition,
//!   by which the follower would leave the in-sync replicas, is as slow as its fetches.

use serde::Serialize;

use super::MatrixFault;
use crate::vocab::Acks;

/// What is expected of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// It must never happen.
    Never,
    /// It must be seen in some seed.
    Sometimes,
    /// The golden matrix says that it is seen in some seed; our runs cannot show it.
    Unshown {
        /// The reason.
        why: &'static str,
    },
}

/// What is expected of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Golden {
    /// The row of the golden matrix.
    pub row: &'static str,
    /// Whether acknowledged records are lost; with `acks=0` records that were sent.
    pub loss: Expected,
    /// Whether records are written twice by producers that are not idempotent.
    pub duplicates: Expected,
    /// How long producers get no ack.
    pub unavailable: &'static str,
}

/// In Kafka as in the simulation: acks=1 waits for no follower, and no client connection is cut.
const UNDISTURBED: Expected = Expected::Unshown {
    why: "the leader answers each record when it appends it, and no client connection is cut: \
          no appended record is sent again",
};

/// What the golden matrix says of a cell.
pub fn golden(fault: MatrixFault, acks: Acks) -> Golden {
    use Expected::{Never, Sometimes};
    let is_lost = fault != MatrixFault::SlowFollower && acks != Acks::All;
    let duplicates = match (acks, fault) {
        (Acks::None, _) | (Acks::Leader, MatrixFault::SlowFollower) => Never,
        (Acks::Leader, MatrixFault::LeaderCutFromZooKeeper) => UNDISTURBED,
        // The leader dies or is cut off between an append and its answer. A slow follower stalls acks=all for longer
        // than the request timeout of the cells.
        (Acks::Leader | Acks::All, _) => Sometimes,
    };
    let (row, unavailable) = match (fault, acks) {
        (MatrixFault::LeaderCrash, _) => ("F1", "session timeout + election"),
        (MatrixFault::LeaderPowerLoss, _) => ("F2", "session timeout + election"),
        (MatrixFault::LeaderPartitioned, _) => ("F5", "its side until heal, others as a crash"),
        (MatrixFault::LeaderCutFromZooKeeper, _) => ("F4", "session timeout + election + metadata"),
        (MatrixFault::SlowFollower, Acks::All) => ("F7", "1.5 replica.lag.time.max at most"),
        (MatrixFault::SlowFollower, _) => ("F7", "none"),
    };
    Golden { row, loss: if is_lost { Sometimes } else { Never }, duplicates, unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::matrix::Cell;

    #[test]
    fn acks_all_loses_nothing_and_acks_0_writes_nothing_twice() {
        for cell in Cell::all() {
            let golden = cell.golden();
            match cell.acks {
                Acks::All => assert_eq!(golden.loss, Expected::Never, "{cell:?}"),
                Acks::None => assert_eq!(golden.duplicates, Expected::Never, "{cell:?}"),
                Acks::Leader => {}
            }
        }
    }

    #[test]
    fn only_a_fault_of_the_leader_loses_what_it_alone_had() {
        let loses = |fault| golden(fault, Acks::Leader).loss == Expected::Sometimes;
        let losing: Vec<_> = MatrixFault::ALL.iter().copied().filter(|&one| loses(one)).collect();
        assert_eq!(losing, MatrixFault::ALL[..4]);
    }
}
