//! Outcome → text and JSON. It decides nothing: everything that a report says is in the outcome.
//!
//! Both come from one [`RunOutcome`](crate::checkers::RunOutcome), so they cannot disagree. Neither has
//! wall-clock time or a path that was not given by the user: reports of equal runs are equal, to the byte.

mod explain;
mod failure;
mod json;
mod matrix;
mod mutants;
mod numbers;
mod provenance;
mod releases;
mod replay;
pub mod story;
mod style;
mod sweep;
mod table;
mod text;
mod turns;

pub use explain::{explain, likely};
pub use json::json;
pub use matrix::{matrix_json, matrix_text};
pub use mutants::{mutants, mutants_table};
pub use provenance::Provenance;
pub use releases::{
    releases, releases_asked, releases_difference, releases_difference_json, releases_json,
};
pub use replay::{replay_json, replay_text};
pub use style::{Paint, Style};
pub use sweep::{Files, sweep_json, sweep_text};
pub use text::text;

#[cfg(test)]
mod tests;
