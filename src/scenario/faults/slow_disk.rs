//! `slow-disk`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::quantity::Latency;
use super::field::{Binding, Field, FieldValue, Need};
use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};

/// Disk operations take this long; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SlowDisk {
    /// Each write to the page cache.
    pub write: Option<Duration>,
    /// Each fsync.
    pub fsync: Option<Latency>,
}

impl Describe for SlowDisk {
    const KIND: FaultKind = FaultKind {
        name: "slow-disk",
        does: "each write takes `write`, each fsync `fsync`; one left out stays as it is",
        allowed: Allowed::WithDisk,
        undone: Undone::By(Undo::Heal),
        example: "slow-disk = \"b1\"\nwrite = \"20ms\"\nfsync = \"50ms..100ms\"",
    };

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field {
                key: "write",
                about: "how long a write takes",
                example: "\"20ms\"",
                before: ", write ",
                need: Need::OneOf,
                value: FieldValue::Duration(Binding::Maybe(&mut self.write)),
            },
            Field {
                key: "fsync",
                about: "how long an fsync takes",
                example: "\"50ms..100ms\"",
                before: ", fsync ",
                need: Need::OneOf,
                value: FieldValue::Range(Binding::Maybe(&mut self.fsync)),
            },
        ]
    }
}
