//! The last line of a failure file, by which a reader knows that it has all of it, as it was written.
//!
//! Without it, a file that was cut off after some table is a file of another run, with fewer faults: replayed, its
//! failure would be gone.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// How the last line begins; to TOML it is a comment.
const BEGINS: &str = "# end: ";

/// What is wrong with a file's last line, or with what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// There is none.
    CutOff,
    /// It is of another text.
    Changed,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutOff => "was cut off: its last line is missing",
            Self::Changed => {
                "was changed since it was written: its last line has another length or hash"
            }
        })
    }
}

/// `text` with its last line.
pub(super) fn seal(text: String) -> String {
    let last = last_line(&text);
    text + &last
}

fn last_line(text: &str) -> String {
    format!("{BEGINS}{} bytes, xxh3 {:016x}\n", text.len(), xxh3_64(text.as_bytes()))
}

/// What is wrong with a text that [`seal`] made; `None` when it is as it was.
pub(super) fn damage(sealed: &str) -> Option<Damage> {
    let start = sealed.trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let (text, last) = sealed.split_at(start);
    match last {
        last if last == last_line(text) => None,
        last if last.starts_with(BEGINS) && last.ends_with('\n') => Some(Damage::Changed),
        _ => Some(Damage::CutOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_of_a_file_is_known_as_one() {
        let whole = seal("a = 1\n\n[b]\nc = 2\n".into());
        assert_eq!(damage(&whole), None);
        for end in 0..whole.len() {
            assert_eq!(damage(&whole[..end]), Some(Damage::CutOff), "{:?}", &whole[..end]);
        }
        assert_eq!(damage(&seal(String::new())), None);
    }

    #[test]
    fn every_change_is_seen() {
        let whole = seal("a = 1\n\n[b]\nc = 2\n".into());
        let at_end = whole.find(BEGINS).expect("a last line");
        for at in 0..whole.len() {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(damage(&changed).is_some(), "{changed}");
        }
        assert_eq!(damage(&whole.replace("c = 2", "c = 22")), Some(Damage::Changed));
        assert_eq!(damage(&whole[..at_end]), Some(Damage::CutOff));
        assert_eq!(damage(&format!("{whole}\n")), Some(Damage::Changed));
        assert_eq!(damage(&format!("{whole}more = 1\n")), Some(Damage::CutOff));
    }
}
