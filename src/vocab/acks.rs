//! `acks`: what a producer waits for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A producer's `acks`: what a leader does before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Acks {
    /// `0`: it does not answer; "acknowledged" means handed to the network.
    #[serde(rename = "0")]
    None,
    /// `1`: it appends to its own log.
    #[serde(rename = "1")]
    Leader,
    /// `all`: it waits until every in-sync replica has the record.
    #[serde(rename = "all")]
    All,
}

impl Acks {
    /// The number on the wire: 0, 1 or −1.
    pub const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        })
    }
}
