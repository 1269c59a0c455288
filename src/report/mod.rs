//! Outcome → text and JSON. It decides nothing: whatever a report says is in the outcome.
//!
//! Both come from one [`RunOutcome`](crate::checkers::RunOutcome), so they cannot disagree. Neither has
//! wall-clock time or a path that was not given by the user: reports of equal runs are equal, to the byte.

mod json;
mod mutants;
pub mod story;
mod style;
mod table;
mod text;
mod turns;

pub use json::json;
pub use mutants::{catches, mutants};
pub use style::{Paint, Style};
pub use text::text;

#[cfg(test)]
mod tests;
