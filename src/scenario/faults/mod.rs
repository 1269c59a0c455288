//! The table of faults: what each kind is called, what it does, what undoes it, and its fields.
//!
//! A new kind is a file in this folder, its line in the list below, and its arm in `cluster/faults.rs`. Reading,
//! writing and printing follow from what the file says; a test injects every kind and heals it.

mod clock;
mod crash;
mod cut;
mod field;
mod kind;
mod partition;
mod pause;
mod power_loss;
mod reset;
mod restart;
mod shutdown;
mod slow;
mod slow_disk;
mod target;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use clock::ClockStep;
pub use crash::Crash;
pub use cut::OneWayCut;
pub use field::{Binding, Field, FieldValue, Keyword, Need};
pub use kind::{Allowed, Describe, FaultKind, Undo, Undone};
pub use partition::{Direction, NetworkPartition};
pub use pause::Pause;
pub use power_loss::PowerLoss;
pub use reset::ConnectionReset;
pub use restart::Restart;
pub use shutdown::CleanShutdown;
pub use slow::Slow;
pub use slow_disk::SlowDisk;
pub use target::Target;

use super::quantity::show;
use crate::vocab::Time;

macro_rules! kinds {
    ($($Kind:ident),* $(,)?) => {
        /// Every kind of fault, in the order in which help lists them.
        pub const KINDS: &[FaultKind] = &[$($Kind::KIND),*];

        /// What a fault does.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Action {
            $(
                #[doc = concat!("See [`", stringify!($Kind), "`].")]
                $Kind($Kind),
            )*
        }

        impl Action {
            /// One of each kind, in the order of [`KINDS`], with its fields still to be set.
            pub fn blanks() -> Vec<Self> {
                vec![$(Self::$Kind($Kind::default())),*]
            }

            /// The row of the table.
            pub const fn kind(&self) -> FaultKind {
                match self {
                    $(Self::$Kind(_) => $Kind::KIND,)*
                }
            }

            /// Its keys, besides its name, in the order in which they are written and printed.
            pub fn fields(&mut self) -> Vec<Field<'_>> {
                match self {
                    $(Self::$Kind(action) => action.fields(),)*
                }
            }
        }
    };
}

kinds! {
    Crash,
    PowerLoss,
    CleanShutdown,
    Restart,
    Pause,
    NetworkPartition,
    OneWayCut,
    Slow,
    ConnectionReset,
    SlowDisk,
    ClockStep,
}

impl Action {
    /// Its fields, to be looked at.
    pub fn with_fields<R>(&self, look: impl FnOnce(&[Field<'_>]) -> R) -> R {
        look(&self.clone().fields())
    }

    /// The targets that its fields name, besides those that it hits.
    pub fn others(&self) -> Vec<Target> {
        self.with_fields(|fields| fields.iter().flat_map(Field::targets).cloned().collect())
    }
}

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When.
    pub at: Time,
    /// What is done.
    pub action: Action,
    /// The nodes that it hits. A role is resolved when the fault fires, and skipped if no node has it then.
    pub targets: Vec<Target>,
    /// How long after `at` it is undone, for the nodes and links that it was done to; `None` leaves it to the end
    /// of the plan's `duration`, or undone never, where [`Undo`] says so.
    pub undo_after: Option<Duration>,
}

impl fmt::Display for Fault {
    /// One line without the time: `crash leader(orders-0), restart after 5s`. It is part of the history, and so
    /// of the fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.action.kind();
        write!(f, "{} {}", kind.name, target::list(&self.targets))?;
        let fields =
            |fields: &[Field<'_>]| fields.iter().filter_map(Field::printed).collect::<String>();
        f.write_str(&self.action.with_fields(fields))?;
        match (kind.undone, self.undo_after) {
            (Undone::By(undo), Some(after)) => write!(f, ", {} after {}", undo.verb(), show(after)),
            _ => Ok(()),
        }
    }
}

/// The table as rows of Markdown: the fault, what it does, and its other keys.
pub fn markdown() -> Vec<String> {
    let row = |mut action: Action| {
        let kind = action.kind();
        let keys = action.fields().iter().map(|f| format!("`{}`: {}", f.key, f.about)).collect();
        let undo = match kind.undone {
            Undone::By(undo) => format!("`{}`", undo.key()),
            Undone::Never(_) => String::new(),
        };
        let keys: Vec<String> = [keys, vec![undo]].concat();
        let keys: Vec<String> = keys.into_iter().filter(|key| !key.is_empty()).collect();
        format!("| `{}` | {} | {} |", kind.name, kind.does, keys.join("; "))
    };
    Action::blanks().into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_unlike_and_every_example_begins_with_its_name() {
        for (index, mut action) in Action::blanks().into_iter().enumerate() {
            let kind = action.kind();
            assert_eq!(kind, KINDS[index]);
            assert!(kind.example.starts_with(&format!("{} = ", kind.name)), "{}", kind.name);
            let of_kind = action.fields().iter().map(|field| field.key).collect::<Vec<_>>();
            for key in of_kind {
                assert!(KINDS.iter().all(|kind| kind.name != key), "`{key}` is a fault's name");
            }
            let alike = KINDS.iter().filter(|other| other.name == kind.name).count();
            assert_eq!(alike, 1, "{}", kind.name);
        }
    }

    #[test]
    fn the_documentation_of_the_format_has_every_row_of_the_table() {
        let documentation = include_str!("../mod.rs");
        for row in markdown() {
            assert!(documentation.contains(&format!("//! {row}\n")), "missing: //! {row}");
        }
    }
}
