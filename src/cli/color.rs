//! `--color`.

use clap::ValueEnum;

use crate::report::Style;

/// When the answer has colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless the environment says no.
    Auto,
    /// Whatever it is written to.
    Always,
    /// Not at all.
    Never,
}

/// The style for a stream.
pub fn style(when: When, is_terminal: bool) -> Style {
    match when {
        When::Always => Style::Colour,
        When::Auto if is_terminal && !declined() => Style::Colour,
        When::Auto | When::Never => Style::Plain,
    }
}

/// Whether the environment asks for no colour: <https://no-color.org>, or a terminal that cannot.
#[expect(clippy::disallowed_methods, reason = "colour is no part of a run")]
fn declined() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
}
