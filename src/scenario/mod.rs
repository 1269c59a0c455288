//! TOML text to a plan.
