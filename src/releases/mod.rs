//! What differs between Kafka releases: one table of named changes, and beside it the API versions and the defaults.
//!
//! Nothing outside this folder compares releases. Code asks `kafka.has(Change::…)`, [`apis::highest`] and the tables
//! of [`defaults`].

pub mod apis;
mod asked;
mod changes;
pub mod defaults;
mod difference;
mod first;
mod limits;
pub mod loggers;
pub mod settings;
pub mod texts;
mod version;
pub mod zookeeper;

pub use asked::{Asked, take_asked, unnoted};
pub use changes::{Change, IsrPath, Period, Row, Shown, TABLE, Truncation};
pub use difference::{ChangedDefault, Difference, difference};
pub use version::{KafkaVersion, UnknownVersion};
pub use zookeeper::{ZooKeeperChange, ZooKeeperVersion};
