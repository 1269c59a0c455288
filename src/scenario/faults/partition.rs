//! `partition`.

use serde::{Deserialize, Serialize};

use super::field::{Binding, Field, FieldValue, Keyword, Need};
use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};
use super::target::Target;

/// Nothing passes between the targets and others; no connection is reset or refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkPartition {
    /// The others; `None` is every node that is no target, clients and ZooKeeper servers too.
    pub from: Option<Vec<Target>>,
    /// Which way nothing passes.
    pub direction: Direction,
}

/// Which way a partition stops messages, seen from the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// The targets receive nothing; what they send arrives.
    In,
    /// What the targets send is lost; they still receive.
    Out,
}

impl Describe for NetworkPartition {
    const KIND: FaultKind = FaultKind {
        name: "partition",
        does: "nothing passes between the targets and the others; they notice by timeouts",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Heal),
        example: "partition = \"b1\"\nfrom = [\"b2\", \"b3\"]\ndirection = \"in\"",
    };

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field {
                key: "from",
                about: "the others, or else every other node",
                example: "[\"b2\", \"b3\"]",
                before: " from ",
                need: Need::May,
                value: FieldValue::Targets(Binding::Maybe(&mut self.from)),
            },
            Field {
                key: "direction",
                about: "`\"in\"` or `\"out\"`, as the targets see it, or else both ways",
                example: "\"in\"",
                before: ", ",
                need: Need::May,
                value: FieldValue::Keyword(&mut self.direction),
            },
        ]
    }
}

impl Keyword for Direction {
    fn words(&self) -> &'static [&'static str] {
        &["both", "in", "out"]
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::In => "in",
            Self::Out => "out",
        }
    }

    fn set(&mut self, word: &str) {
        let all = [Self::Both, Self::In, Self::Out];
        let named = all.into_iter().find(|direction| direction.word() == word);
        *self = named.expect("one of the words");
    }

    fn printed(&self) -> Option<&'static str> {
        match self {
            Self::Both => None,
            Self::In => Some("inbound only"),
            Self::Out => Some("outbound only"),
        }
    }
}
