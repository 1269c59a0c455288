//! TOML text to a plan.
mod diagnostics;
mod draw;
mod fault;
mod plan;
pub mod properties;
pub mod quantity;
mod read;
mod walk;

pub use diagnostics::{Diagnostic, Diagnostics, Span};
pub use draw::Scenario;
pub use fault::{Action, Direction, Fault, Target};
pub use plan::{
    Acks, BrokerPlan, ConsumerPlan, CoordinatorPlan, Discovery, Disk, Expect, Network, Plan,
    ProducerPlan, ReadFrom, TopicPlan,
};
pub use properties::Properties;
pub use quantity::{DurationRange, Latency, Rate};
pub use read::parse;
