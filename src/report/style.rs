//! Colour, for eyes only: it never carries meaning alone.

use std::fmt;

/// Whether a report has colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all; what is stored and compared.
    #[default]
    Plain,
    /// ANSI escape sequences.
    Colour,
}

/// What a piece of a report is, as far as its colour goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it should be.
    Good,
    /// As it must not be.
    Bad,
    /// Worth a look.
    Warning,
    /// A heading.
    Heading,
    /// Beside the point.
    Faint,
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
        let code = match self.paint {
            Paint::Good => "32",
            Paint::Bad => "1;31",
            Paint::Warning => "33",
            Paint::Heading => "1",
            Paint::Faint => "2",
        };
        write!(f, "\x1b[{code}m")?;
        self.text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}
