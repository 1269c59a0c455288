//! What is wrong with a file, and where: one sentence, `file:line:col`, the line, a caret, one hint.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::vocab::foreign::Foreign;
use crate::vocab::nearest;

/// Most findings that are shown.
const SHOWN_MAX: usize = 20;
/// Most findings that are kept: what is wrong with a file grows with the file.
const KEPT_MAX: usize = 1_000;
/// Longest message and hint, in bytes: they quote the file.
const SENTENCE_MAX: usize = 2_000;
/// Most names that a hint lists.
const LISTED_MAX: usize = 200;
/// Longest line that is shown as it is, in bytes. (What writes a padding ends at 65,535 columns.)
const LINE_MAX: usize = 1_000;
/// What of a longer one is shown of the span, and on both sides of it, in bytes.
const SPAN_MAX: usize = 60;
const AROUND: usize = 30;

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
    /// How many were found besides those.
    left_out: usize,
}

impl Diagnostics {
    /// The findings about `text`, sorted by place, and how many more were not kept.
    ///
    /// # Panics
    /// When there are none: a file without findings is a scenario.
    pub fn new(file_name: &str, text: &str, mut list: Vec<Diagnostic>, left_out: usize) -> Self {
        assert!(!list.is_empty(), "no diagnostics to report");
        list.sort_by_key(|d| (d.span.start, d.span.end));
        list.dedup();
        let file_name = Foreign(file_name).to_string();
        Self { file_name, text: text.to_owned(), list, left_out }
    }

    /// The findings, in the order of the text.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The first findings as plain text, one blank line between two, and how many more there are; what `Display`
    /// writes.
    pub fn render(&self) -> String {
        self.to_string()
    }

    fn render_one(&self, found: &Diagnostic) -> String {
        let start = self.text.floor_char_boundary(found.span.start);
        let line = Line::at(&self.text, start);
        let span = line.within(&self.text, &found.span);
        let (shown, span, is_cut) = cut(line.text, span);
        let place = Snippet::source(&*shown)
            .line_start(line.number)
            .path(&self.file_name)
            .annotation(AnnotationKind::Primary.span(span.clone()));
        let mut group = Level::ERROR.primary_title(&found.message).element(place);
        if let Some(hint) = &found.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint));
        }
        let rendered = Renderer::plain().render(&[group]);
        if !is_cut {
            return rendered;
        }
        // The column is that of the line, not of what is left of it.
        let column = |of: &str| of.chars().count() + 1;
        let place = |column| format!("{}:{}:{column}\n", self.file_name, line.number);
        let (wrong, right) = (column(&shown[..span.start]), column(&self.text[line.start..start]));
        rendered.replacen(&place(wrong), &place(right), 1)
    }
}

/// A line of a text.
struct Line<'t> {
    /// From 1.
    number: usize,
    /// Where it starts in the text.
    start: usize,
    /// Without its end.
    text: &'t str,
}

impl<'t> Line<'t> {
    /// The line in which `at` is; after the last line's end, that is an empty one.
    fn at(text: &'t str, at: usize) -> Self {
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let number = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let line = text[start..].split('\n').next().unwrap_or_default();
        Self { number, start, text: line.strip_suffix('\r').unwrap_or(line) }
    }

    /// The part of a span of the whole text in this line, in which it begins: of a table or an open string that is
    /// what is most specific. It is moved to where characters begin and end, and into the line.
    fn within(&self, text: &str, span: &Span) -> Span {
        let end = self.text.len();
        let start = (text.floor_char_boundary(span.start) - self.start).min(end);
        let to = text.ceil_char_boundary(span.end).saturating_sub(self.start);
        start..to.clamp(start, end)
    }
}

/// A line that is not too long to be shown, and the span in it: of a longer one, what is around the span. The last
/// value is whether something was cut off.
fn cut(line: &str, span: Span) -> (Cow<'_, str>, Span, bool) {
    if line.len() <= LINE_MAX {
        return (Cow::Borrowed(line), span, false);
    }
    let end = line.floor_char_boundary(span.end.min(span.start + SPAN_MAX)).max(span.start);
    let from = line.floor_char_boundary(span.start.saturating_sub(AROUND));
    let to = line.ceil_char_boundary(end.saturating_add(AROUND));
    let before = if from > 0 { "..." } else { "" };
    let after = if to < line.len() { "..." } else { "" };
    let moved = |at: usize| at - from + before.len();
    let shown = format!("{before}{}{after}", &line[from..to]);
    (Cow::Owned(shown), moved(span.start)..moved(end), true)
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, found) in self.list.iter().take(SHOWN_MAX).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}", self.render_one(found))?;
        }
        match self.list.len().saturating_sub(SHOWN_MAX) + self.left_out {
            0 => Ok(()),
            1 => writeln!(f, "\nand 1 more error"),
            more => writeln!(f, "\nand {more} more errors"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// Where a reader puts what it finds, so that it can go on and find more.
#[derive(Debug, Default)]
pub(super) struct Sink {
    list: RefCell<Vec<Diagnostic>>,
    left_out: Cell<usize>,
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

    /// Reports, with a hint if there is one.
    pub fn push(&self, span: &Span, message: String, hint: Option<String>) {
        let mut list = self.list.borrow_mut();
        if list.len() >= KEPT_MAX {
            return self.left_out.set(self.left_out.get() + 1);
        }
        // It may quote a key, in which a line break would begin another message.
        let message = Foreign(&shortened(message)).to_string();
        let hint = hint.map(shortened);
        list.push(Diagnostic { span: span.clone(), message, hint });
    }

    /// Whether nothing was found yet.
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// What was found, and how much more was not kept.
    pub fn into_list(self) -> (Vec<Diagnostic>, usize) {
        (self.list.into_inner(), self.left_out.get())
    }
}

/// A sentence, cut in the middle when it is very long: its beginning and its end are most specific.
fn shortened(sentence: String) -> String {
    if sentence.len() <= SENTENCE_MAX {
        return sentence;
    }
    let head = sentence.floor_char_boundary(SENTENCE_MAX / 2);
    let tail = sentence.ceil_char_boundary(sentence.len() - SENTENCE_MAX / 2);
    format!("{}...{}", &sentence[..head], &sentence[tail..])
}

/// "did you mean …? things: a, b, c": the hint for a name that is not one of `valid`.
pub(super) fn did_you_mean<'a>(
    written: &str,
    things: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut valid = valid.into_iter();
    let first: Vec<&str> = valid.by_ref().take(LISTED_MAX).collect();
    if first.is_empty() {
        return format!("there are no {things}");
    }
    let list = first.join(", ");
    let list = if valid.next().is_some() { format!("{list}, ...") } else { list };
    let valid = first;
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
        Diagnostics::new("f.toml", text, vec![found], 0).render()
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
        for (before, after) in [(70_000, 70_000), (0, 70_000), (70_000, 0), (300, 300), (40_000, 3)]
        {
            // Characters of three bytes, so that no cut falls between two by chance.
            let text = format!("x = \"{}\" ; oops ; {}", "漢".repeat(before), "z".repeat(after));
            let at = text.find("oops").unwrap();
            let column = text[..at].chars().count() + 1;
            for end in [at + 4, text.len()] {
                let shown = shown(&text, at..end);
                assert!(shown.contains(&format!(" --> f.toml:1:{column}\n")), "{shown}");
                let lines: Vec<&str> = shown.lines().collect();
                assert!(lines.iter().all(|line| line.chars().count() <= 160), "{shown}");
                assert!(lines.iter().any(|line| line.contains("^^^^")), "{shown}");
                assert!(lines.iter().any(|line| line.contains("oops")), "{shown}");
            }
        }
    }

    #[test]
    fn a_line_of_a_megabyte_that_is_one_mistake_is_shown_in_part() {
        let text = "x".repeat(1 << 20);
        let shown = shown(&text, 0..text.len());
        assert!(shown.len() < 1_000, "{}", shown.len());
    }

    #[test]
    fn of_many_mistakes_the_first_are_shown_and_the_others_are_counted() {
        let text = "oops = 1\n".repeat(50_000);
        let sink = Sink::default();
        (0..50_000).for_each(|line| sink.error(&(9 * line..9 * line + 4), format!("no {line}")));
        let (list, left_out) = sink.into_list();
        let shown = Diagnostics::new("f.toml", &text, list, left_out).render();
        assert_eq!(shown.matches("error: no ").count(), 20);
        assert!(shown.contains(" --> f.toml:20:1\n"), "{shown}");
        assert!(shown.ends_with("\nand 49980 more errors\n"), "{shown}");
    }

    #[test]
    fn a_sentence_that_quotes_a_whole_file_is_shortened() {
        let sink = Sink::default();
        sink.error_with(&(0..1), format!("no `{}` here", "漢".repeat(90_000)), "x".repeat(90_000));
        let found = &sink.into_list().0[0];
        assert!(found.message.len() < 2_010 && found.message.ends_with("漢` here"));
        assert!(found.hint.as_ref().is_some_and(|hint| hint.len() < 2_010));
    }

    #[test]
    fn no_escape_code_of_a_file_reaches_a_terminal() {
        assert!(!shown("a = \u{1b}[31m1", 4..5).contains('\u{1b}'));
    }
}
