//! Colour, for eyes only: it never carries meaning alone.

use std::fmt;

use anstyle::AnsiColor;

use crate::vocab::foreign::{ForeignLines, is_unprintable_in_lines};

/// A page for a terminal. What comes from files and clients may hold anything; where it holds what a terminal would
/// obey, all of it is escaped, and the page has no colour: in a plain page no escape sequence is ours.
pub(super) fn page(style: Style, write: impl Fn(&mut String, Style) -> fmt::Result) -> String {
    let written = |style| {
        let mut out = String::new();
        write(&mut out, style).expect("a string takes everything");
        out
    };
    let plain = written(Style::Plain);
    match plain.contains(is_unprintable_in_lines) {
        true => ForeignLines(&plain).to_string(),
        false if style == Style::Plain => plain,
        false => written(style),
    }
}

/// Whether a report has colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all; what is stored and compared.
    #[default]
    Plain,
    /// ANSI escape sequences.
    Colour,
}

/// The meaning of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Something is right.
    Good,
    /// Something is wrong.
    Bad,
    /// Worth a look.
    Warning,
    /// A heading.
    Heading,
    /// Less important.
    Faint,
}

impl Paint {
    const fn codes(self) -> anstyle::Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Heading => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
        }
    }
}

impl Style {
    /// `text` in its colour.
    pub fn paint<T: fmt::Display>(self, paint: Paint, text: T) -> Painted<T> {
        Painted { style: self, paint, text }
    }
}

/// A text in its colour.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    style: Style,
    paint: Paint,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    /// Padding applies to the text, not to the escape sequences around it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.style == Style::Plain {
            return self.text.fmt(f);
        }
        let codes = self.paint.codes();
        write!(f, "{}", codes.render())?;
        self.text.fmt(f)?;
        write!(f, "{}", codes.render_reset())
    }
}
