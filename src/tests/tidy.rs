//! Style that neither rustfmt nor clippy looks after. There are no exemptions.

use crate::source::{SourceFile, sources};

/// Width of code; rustfmt's, which it gives up on for long texts.
const CODE_COLUMNS: usize = 100;
/// Width of comments, which rustfmt leaves alone.
const COMMENT_COLUMNS: usize = 120;
/// Lines of a file, its tests included.
const FILE_LINES: usize = 700;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES: usize = 70;

/// What may not be in code, and what to do instead. Split in two so that this list does not name them.
const BANNED: &[(&str, &str, &str)] = &[
    ("todo", "!(", "write it, or leave the caller without it"),
    ("unimplemented", "!(", "write it, or leave the caller without it"),
    ("dbg", "!(", "use tracing"),
    ("#[al", "low(", "use #[expect(…, reason = \"…\")]"),
    ("#![al", "low(", "use #![expect(…, reason = \"…\")]"),
    ("#[ig", "nore", "a test that does not run is no test"),
    ("Hash", "Map::new()", "its order is not part of the seed: BTreeMap"),
];

fn findings(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<_> = file.text.lines().collect();
    if !file.text.starts_with("//!") {
        found.push(format!("{}: begins with no module documentation (//!)", file.path));
    }
    if lines.len() > FILE_LINES {
        let count = lines.len();
        found.push(format!("{}: {count} lines, more than {FILE_LINES}", file.path));
    }
    for (number, line) in (1..).zip(&lines) {
        let comment = line.trim_start().starts_with("//");
        let table_row = line.trim_start().trim_start_matches(['/', '!', ' ']).starts_with('|');
        let limit = if comment { COMMENT_COLUMNS } else { CODE_COLUMNS };
        let width = line.chars().count();
        if width > limit && !(comment && (table_row || line.contains("http"))) {
            found.push(format!("{}:{number}: {width} columns, more than {limit}", file.path));
        }
        if line.ends_with([' ', '\t']) {
            found.push(format!("{}:{number}: blanks at the end", file.path));
        }
        for (first, second, cure) in BANNED {
            if !comment && line.contains(&format!("{first}{second}")) {
                found.push(format!("{}:{number}: {first}{second}…: {cure}", file.path));
            }
        }
    }
    found.extend(long_functions(file, &lines));
    found
}

/// A function begins at a line whose code starts with `fn` after its qualifiers, and ends at the first line
/// that is a closing brace at the same indentation; rustfmt sees to that.
fn long_functions(file: &SourceFile, lines: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let qualifiers = ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe "];
        let bare = qualifiers.iter().fold(code, |code, word| code.trim_start_matches(word));
        if !bare.starts_with("fn ") || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let indentation = &line[..line.len() - code.len()];
        let closing = format!("{indentation}}}");
        let length = lines[index..].iter().position(|line| *line == closing).map(|end| end + 1);
        if let Some(length) = length.filter(|&length| length > FUNCTION_LINES) {
            let (path, number) = (&file.path, index + 1);
            found.push(format!("{path}:{number}: {length} lines, more than {FUNCTION_LINES}"));
        }
    }
    found
}

#[test]
fn the_source_is_tidy() {
    let found: Vec<_> = sources().iter().flat_map(findings).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn of(text: &str) -> Vec<String> {
    findings(&SourceFile { path: "x.rs".into(), text: text.into() })
}

#[test]
fn each_untidiness_is_seen() {
    let wide = "x".repeat(CODE_COLUMNS + 1);
    let wide_comment = format!("// {}", "x".repeat(COMMENT_COLUMNS));
    let body = |lines: usize| "    x();\n".repeat(lines);
    let long = format!("pub fn long(\n) {{\n{}}}\n", body(FUNCTION_LINES));
    let nested = format!("impl X {{\n    fn long() {{\n{}    }}\n}}\n", body(FUNCTION_LINES));
    let many = "x\n".repeat(FILE_LINES);
    let banned = BANNED.iter().map(|(first, second, _)| format!("{first}{second}"));
    let texts = [wide, wide_comment, long, nested, many, "blank ".into()];
    for text in texts.into_iter().chain(banned) {
        assert_eq!(of(&format!("//! X.\n{text}")).len(), 1, "{text}");
    }
    assert_eq!(of("fn main() {}\n").len(), 1);
}

#[test]
fn what_is_tidy_is_left_alone() {
    let just = format!("fn just() {{\n{}}}\n", "    x();\n".repeat(FUNCTION_LINES - 2));
    let row = format!("/// | {} |\n", "x".repeat(2 * COMMENT_COLUMNS));
    let declared =
        format!("trait X {{\n    fn x();\n{}}}\n", "    fn y();\n".repeat(FUNCTION_LINES));
    for text in [just, row, declared] {
        assert_eq!(of(&format!("//! X.\n{text}")), [""; 0]);
    }
}
