//! Streams that may end before what is written to them does.

use std::io::{self, Write};

use crate::vocab::foreign::is_unprintable_in_lines;

/// What is written when the reader, `head` or a pager, has seen enough goes nowhere: the verdict decides how the
/// process ends, not who listens.
#[derive(Debug)]
pub(super) struct UntilGone<W> {
    out: W,
    is_gone: bool,
}

impl<W: Write> UntilGone<W> {
    pub fn new(out: W) -> Self {
        Self { out, is_gone: false }
    }

    fn unless_gone<T>(
        &mut self,
        gone: T,
        write: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.is_gone {
            return Ok(gone);
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(gone)
            }
            done => done,
        }
    }
}

impl<W: Write> Write for UntilGone<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_gone(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_gone((), |out| out.flush())
    }
}

/// Stderr: where it cannot be written, there is no place left to say so.
#[derive(Debug)]
pub(super) struct Unheard<W>(pub W);

impl<W: Write> Write for Unheard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _: io::Result<()> = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _: io::Result<()> = self.0.flush();
        Ok(())
    }
}

/// Lines without a character that a terminal would obey: names in them come from files and clients.
#[derive(Debug)]
pub(super) struct Escaped<W> {
    out: W,
    /// The beginning of a character whose end was not written yet.
    begun: Vec<u8>,
}

impl<W: Write> Escaped<W> {
    pub fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_unprintable_in_lines) {
            let c = rest[at..].chars().next().expect("one was found");
            write!(self.out, "{}{}", &rest[..at], c.escape_unicode())?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.out.write_all(rest.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| write!(self.out, "\\x{byte:02x}"))
    }
}

impl<W: Write> Write for Escaped<W> {
    /// Takes all of `bytes`, or fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut rest = &all[..];
        while let Err(wrong) = std::str::from_utf8(rest) {
            let (valid, after) = rest.split_at(wrong.valid_up_to());
            self.text(str::from_utf8(valid).expect("so far it is text"))?;
            let Some(invalid) = wrong.error_len() else {
                self.begun = after.to_vec();
                return Ok(bytes.len());
            };
            self.bytes(&after[..invalid])?;
            rest = &after[invalid..];
        }
        self.text(str::from_utf8(rest).expect("the loop has ended"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.bytes(&begun)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_escaped_wherever_they_are_cut() {
        let text = "b1 \u{1b}[2Jü漢\u{202e}\r\nb2 \tx\n".as_bytes();
        let text = [text, b"\xff\xe6", b"x\n\xe6\xbc"].concat();
        let whole = "b1 \\u{1b}[2Jü漢\\u{202e}\\u{d}\nb2 \tx\n\\xff\\xe6x\n\\xe6\\xbc";
        for cut in 0..=text.len() {
            let mut escaped = Escaped::new(Vec::new());
            escaped.write_all(&text[..cut]).expect("room");
            escaped.write_all(&text[cut..]).expect("room");
            escaped.flush().expect("room");
            assert_eq!(String::from_utf8(escaped.out).expect("text"), whole, "cut at {cut}");
        }
    }
}
