//! TOML text to a plan.
mod diagnostics;
pub mod properties;
pub mod quantity;
