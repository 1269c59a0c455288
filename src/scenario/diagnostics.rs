//! What is wrong with a file, and where: one sentence, `file:line:col`, the line, a caret, one hint.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

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
/// error: unknown fault `crahs`
///   --> scenarios/x.toml:29:1
///    |
/// 29 | crahs = "leader(orders-0)"
///    | ^^^^^
///    |
///    = hint: did you mean `crash`? faults: crash, pause, …
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

    fn render_one(&self, found: &Diagnostic) -> String {
        let place = Snippet::source(&self.text)
            .path(&self.file_name)
            .annotation(AnnotationKind::Primary.span(within_a_line(&self.text, &found.span)));
        let mut group = Level::ERROR.primary_title(&found.message).element(place);
        if let Some(hint) = &found.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint));
        }
        Renderer::plain().render(&[group])
    }
}

/// The part of `span` in the line in which it begins: of a table or an open string that is what tells most. It is
/// moved to where characters begin and end, and into the text.
fn within_a_line(text: &str, span: &Span) -> Span {
    let start = text.floor_char_boundary(span.start);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    start..text.ceil_char_boundary(span.end).clamp(start, line_end)
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, found) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}", self.render_one(found))?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

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

    fn shown(text: &str, span: Span) -> String {
        let found = Diagnostic { span, message: "no".into(), hint: None };
        Diagnostics::new("f.toml", text, vec![found]).render()
    }

    #[test]
    fn a_caret_is_under_its_character_beyond_ascii_too() {
        let text = "a = 1\n\"ü 漢\" = oops";
        let at = text.find("oops").unwrap();
        let expected = "error: no\n --> f.toml:2:9\n  |\n2 | \"ü 漢\" = oops\n  |          ^^^^\n";
        assert_eq!(shown(text, at..at + 4), expected);
        // From the middle of a character.
        assert!(shown("ü = 1", 1..2).contains("f.toml:1:1\n"));
    }

    #[test]
    fn a_span_past_the_end_of_the_text_is_shown_at_its_end() {
        assert_eq!(shown("a", 90..99), "error: no\n --> f.toml:1:2\n  |\n1 | a\n  |  ^\n");
        assert_eq!(shown("", 0..0), "error: no\n --> f.toml:1:1\n  |\n1 |\n  | ^\n");
    }

    #[test]
    fn of_a_span_over_several_lines_the_first_is_shown() {
        let text = "a = \"\"\"one\ntwo\nthree\"\"\"\nb = 2\n";
        let expected = "error: no\n --> f.toml:1:5\n  |\n1 | a = \"\"\"one\n  |     ^^^^^^\n";
        assert_eq!(shown(text, 4..25), expected);
    }

    #[test]
    fn of_a_line_wider_than_a_terminal_the_part_with_the_mistake_is_shown() {
        // Padding of the standard library's formatting ends at 65,535 columns.
        let text = format!("x = \"{}\" ; oops ; {}\n", "y".repeat(70_000), "z".repeat(70_000));
        let at = text.find("oops").unwrap();
        let shown = shown(&text, at..at + 4);
        assert!(shown.contains(&format!(" --> f.toml:1:{}\n", at + 1)), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 160), "{shown}");
        let caret = lines.iter().find_map(|line| line.find("^^^^")).expect("a caret");
        let source = lines.iter().find(|line| line.contains("oops")).expect("the line");
        assert_eq!(source.chars().skip(caret).take(4).collect::<String>(), "oops", "{shown}");
    }

    #[test]
    fn no_escape_code_of_a_file_reaches_a_terminal() {
        assert!(!shown("a = \u{1b}[31m1", 4..5).contains('\u{1b}'));
    }
}
