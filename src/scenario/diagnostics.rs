//! What is wrong with a file, and where: `file:line:col`, the line, a caret, one sentence, one
//! hint.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use crate::vocab::nearest;

/// A piece of the file's text, in bytes.
pub type Span = Range<usize>;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where, in bytes of the text.
    pub span: Span,
    /// One sentence, in lower case and without a full stop.
    pub message: String,
    /// How to put it right.
    pub hint: Option<String>,
}

/// Everything that is wrong with one file, in the order of the text; never empty.
///
/// `Display` renders all of it as plain text, ending in a newline:
///
/// ```text
/// scenarios/x.toml:29:1: error: unknown fault `crahs`
///    29 | crahs = "leader(orders-0)"
///       | ^^^^^
///   hint: did you mean `crash`? faults: crash, pause, …
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    file_name: String,
    text: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The findings about `text`, sorted by place.
    ///
    /// # Panics
    /// When there are none: a file without findings is a scenario.
    pub fn new(file_name: &str, text: &str, mut list: Vec<Diagnostic>) -> Self {
        assert!(!list.is_empty(), "no diagnostics to report");
        list.sort_by_key(|d| (d.span.start, d.span.end));
        list.dedup();
        Self { file_name: file_name.to_owned(), text: text.to_owned(), list }
    }

    /// The findings, in the order of the text.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// All findings as plain text, one blank line between two; what `Display` writes.
    pub fn render(&self) -> String {
        self.to_string()
    }

    fn render_one(&self, found: &Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place::of(&self.text, found.span.start);
        let line_end = place.line_start + place.line.len();
        // A span over several lines (a table, an open string) is marked on its first one only.
        let end = found.span.end.clamp(found.span.start, line_end.max(found.span.start));
        let carets = self.text.get(found.span.start..end).map_or(1, |s| s.chars().count()).max(1);
        writeln!(
            f,
            "{}:{}:{}: error: {}",
            self.file_name, place.number, place.column, found.message
        )?;
        writeln!(f, "{:>5} | {}", place.number, place.line.replace('\t', " ").trim_end())?;
        writeln!(f, "      | {:indent$}{}", "", "^".repeat(carets), indent = place.column - 1)?;
        match &found.hint {
            Some(hint) => writeln!(f, "  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, found) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.render_one(found, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// A position as people count it.
pub(super) struct Place<'t> {
    /// Line, from 1.
    pub number: usize,
    /// Character within the line, from 1.
    pub column: usize,
    line: &'t str,
    line_start: usize,
}

impl<'t> Place<'t> {
    /// Where byte `offset` of `text` is; the end of the text when it is beyond.
    pub fn of(text: &'t str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].split('\n').next().unwrap_or_default();
        Self {
            number: before.matches('\n').count() + 1,
            column: text[line_start..offset].chars().count() + 1,
            line,
            line_start,
        }
    }
}

/// Where a reader puts what it finds, so that it can go on and find more.
#[derive(Debug, Default)]
pub(super) struct Sink {
    list: RefCell<Vec<Diagnostic>>,
}

impl Sink {
    /// Reports without a hint.
    pub fn error(&self, span: &Span, message: impl Into<String>) {
        self.push(span, message.into(), None);
    }

    /// Reports with a hint.
    pub fn error_with(&self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(span, message.into(), Some(hint.into()));
    }

    fn push(&self, span: &Span, message: String, hint: Option<String>) {
        self.list.borrow_mut().push(Diagnostic { span: span.clone(), message, hint });
    }

    /// Whether nothing was found yet.
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// What was found.
    pub fn into_list(self) -> Vec<Diagnostic> {
        self.list.into_inner()
    }
}

/// "did you mean …? things: a, b, c": the hint for a name that is not one of `valid`.
pub(super) fn did_you_mean<'a>(
    written: &str,
    things: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    if valid.is_empty() {
        return format!("there are no {things}");
    }
    let list = valid.join(", ");
    match nearest(written, &valid) {
        Some(name) => format!("did you mean `{name}`? {things}: {list}"),
        None => format!("{things}: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_a_character_beyond_ascii() {
        let text = "a = 1\n\"ü\" = oops";
        let at = text.find("oops").unwrap();
        let found = Diagnostic { span: at..at + 4, message: "no".into(), hint: None };
        let shown = Diagnostics::new("f.toml", text, vec![found]).render();
        assert_eq!(shown, "f.toml:2:7: error: no\n    2 | \"ü\" = oops\n      |       ^^^^\n");
    }

    #[test]
    fn a_span_past_the_end_of_the_text_is_shown_at_its_end() {
        let found = Diagnostic { span: 90..99, message: "no".into(), hint: None };
        let shown = Diagnostics::new("f.toml", "a", vec![found]).render();
        assert_eq!(shown, "f.toml:1:2: error: no\n    1 | a\n      |  ^\n");
    }
}
