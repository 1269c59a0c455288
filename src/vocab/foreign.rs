//! Text that files and clients bring, made safe for a terminal and for a shell.
//!
//! A name may hold anything: an escape sequence that clears the screen, a mark that reverses the line, a line break
//! that begins a false verdict, a quote that ends a command.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::path::Path;

/// Whether a terminal would obey this character, or hide it, instead of showing it: control characters (C0, DEL, C1),
/// line separators, marks that turn the direction of writing, and characters without width.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text in one line: what is unprintable is written `\n`, `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a>(pub &'a str);

/// A text of several lines: as [`Foreign`], but line breaks and tabs stay.
#[derive(Clone, Copy, Debug)]
pub struct ForeignLines<'a>(pub &'a str);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, f, is_unprintable)
    }
}

impl fmt::Display for ForeignLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, f, is_unprintable_in_lines)
    }
}

/// [`is_unprintable`] in a text whose line breaks and tabs are meant.
pub fn is_unprintable_in_lines(c: char) -> bool {
    is_unprintable(c) && !matches!(c, '\n' | '\t')
}

fn escape(text: &str, out: &mut impl Write, is_escaped: fn(char) -> bool) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(is_escaped) {
        let c = rest[at..].chars().next().expect("one was found");
        out.write_str(&rest[..at])?;
        match c {
            '\n' | '\r' | '\t' => write!(out, "{}", c.escape_default())?,
            c => write!(out, "{}", c.escape_unicode())?,
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.write_str(rest)
}

/// A path as a command line for a shell has it: as it is if nothing in it is special, or else in quotes. Bytes that are
/// no text, or that a terminal would obey, are written as bash, zsh and POSIX of 2024 have them: `$'a\033b'`.
pub fn shell_path(path: impl AsRef<OsStr>) -> String {
    let bytes = path.as_ref().as_encoded_bytes();
    if bytes.starts_with(b"-") {
        // Not an option.
        return shell_path(Path::new(".").join(path.as_ref()));
    }
    let plain = |c: char| c.is_alphanumeric() || "_-./:,+=@%".contains(c);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Ok(text) if !text.contains(is_unprintable) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => byte_by_byte(bytes),
    }
}

fn byte_by_byte(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if is_unprintable(c) => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                    write!(out, "\\{byte:03o}").expect("a string takes everything");
                }),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\{byte:03o}").expect("a string takes everything");
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, shown) in [
            ("orders-0", "orders-0"),
            ("ü 漢 é", "ü 漢 é"),
            ("a\x1b[2Jb", r"a\u{1b}[2Jb"),
            ("\x1b]0;title\x07", r"\u{1b}]0;title\u{7}"),
            ("a\u{9b}31mb\x7f", r"a\u{9b}31mb\u{7f}"),
            ("x\nviolated", r"x\nviolated"),
            ("abc\u{202e}lmot.", r"abc\u{202e}lmot."),
            ("a\u{200b}\u{feff}b\u{2066}", r"a\u{200b}\u{feff}b\u{2066}"),
        ] {
            assert_eq!(Foreign(text).to_string(), shown);
        }
        assert_eq!(ForeignLines("a\n\tb\r\x1bc").to_string(), "a\n\tb\\r\\u{1b}c");
    }

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        for (word, quoted) in [
            ("scenarios/leader_crash.toml", "scenarios/leader_crash.toml"),
            ("größe.toml", "größe.toml"),
            ("", "''"),
            ("-x.toml", "./-x.toml"),
            ("a b.toml", "'a b.toml'"),
            ("it's.toml", r"'it'\''s.toml'"),
            ("x; rm -rf ~", "'x; rm -rf ~'"),
            ("$(date)`date`\"*", "'$(date)`date`\"*'"),
            ("a\x1b[2J'\\", r"$'a\033[2J\'\\'"),
            ("a\u{202e}b", r"$'a\342\200\256b'"),
        ] {
            assert_eq!(shell_path(word), quoted);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_a_path_back_as_it_was() {
        use std::os::unix::ffi::OsStrExt;
        let all: Vec<u8> = (1..=255).collect();
        for word in [&b"a b"[..], b"it's", b"\xff\xfe'\n\x1b[m", b"~", b"a\\nb", b"#x", &all] {
            let word = OsStr::from_bytes(word);
            let script = format!("printf %s {}", shell_path(word));
            #[expect(clippy::disallowed_methods, reason = "a shell tells what a shell reads")]
            let said = std::process::Command::new("bash")
                .env("LC_ALL", "C")
                .args(["-c", &script])
                .output();
            assert_eq!(OsStr::from_bytes(&said.expect("there is a shell").stdout), word);
        }
    }
}
