//! A release of Kafka, and the lines that releases belong to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kafka release, down to the patch: 2.8.1.
///
/// Before 1.0 Kafka numbered its releases with four parts: in 0.10.2.1 the line is 0.10.2 and the patch 1. Of 0.10 and
/// 0.11 only the last lines are simulated, 0.10.2 and 0.11.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KafkaVersion {
    major: u8,
    minor: u8,
    patch: u8,
}

/// A line of releases: all that differ in the patch only.
#[derive(Clone, Copy, Debug)]
struct Line {
    major: u8,
    minor: u8,
    /// Its last patch at Maven Central (`org.apache.kafka:kafka_2.11` to `kafka_2.13`); each line has all from 0.
    last: u8,
}

const fn line(major: u8, minor: u8, last: u8) -> Line {
    Line { major, minor, last }
}

const LINES: [Line; 23] = [
    line(0, 10, 2),
    line(0, 11, 3),
    line(1, 0, 2),
    line(1, 1, 1),
    line(2, 0, 1),
    line(2, 1, 1),
    line(2, 2, 2),
    line(2, 3, 1),
    line(2, 4, 1),
    line(2, 5, 1),
    line(2, 6, 3),
    line(2, 7, 2),
    line(2, 8, 2),
    line(3, 0, 2),
    line(3, 1, 2),
    line(3, 2, 3),
    line(3, 3, 2),
    line(3, 4, 1),
    line(3, 5, 2),
    line(3, 6, 2),
    line(3, 7, 2),
    line(3, 8, 1),
    line(3, 9, 2),
];

impl Line {
    const fn release(self, patch: u8) -> KafkaVersion {
        KafkaVersion { major: self.major, minor: self.minor, patch }
    }

    const fn newest(self) -> KafkaVersion {
        self.release(self.last)
    }

    fn releases(self) -> impl Iterator<Item = KafkaVersion> {
        (0..=self.last).map(move |patch| self.release(patch))
    }

    /// As scenarios write it: 0.10, 2.8.
    fn short(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Whether `text` names the line: 0.10 and 0.10.2, 2.8.
    fn is_named(self, text: &str) -> bool {
        let full = self.newest().to_string();
        text == self.short() || full.rsplit_once('.').is_some_and(|(line, _)| line == text)
    }
}

const fn newest_of_all() -> [KafkaVersion; LINES.len()] {
    let mut all = [LINES[0].newest(); LINES.len()];
    let mut index = 0;
    while index < LINES.len() {
        all[index] = LINES[index].newest();
        index += 1;
    }
    all
}

impl Default for KafkaVersion {
    /// The newest release.
    fn default() -> Self {
        LINES[LINES.len() - 1].newest()
    }
}

impl KafkaVersion {
    /// The newest release of every line, oldest first.
    pub const ALL: &'static [Self] = &newest_of_all();

    /// The newest release of the line `major.minor`: what a user who wants "Kafka 2.8" downloads.
    ///
    /// # Panics
    /// When no such line is simulated.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self::line(major, minor).newest()
    }

    /// The release with this patch number: `patched(2, 8, 1)` is 2.8.1, `patched(0, 10, 1)` is 0.10.2.1.
    ///
    /// # Panics
    /// When there is no such release.
    pub const fn patched(major: u8, minor: u8, patch: u8) -> Self {
        let line = Self::line(major, minor);
        assert!(patch <= line.last, "the line has no such patch");
        line.release(patch)
    }

    /// Every release of every line, oldest first.
    pub fn every() -> impl Iterator<Item = Self> {
        LINES.iter().flat_map(|line| line.releases())
    }

    /// The lines' names as scenarios write them, oldest first.
    pub fn lines() -> Vec<String> {
        LINES.iter().map(|line| line.short()).collect()
    }

    const fn line(major: u8, minor: u8) -> Line {
        let mut index = 0;
        while index < LINES.len() {
            if LINES[index].major == major && LINES[index].minor == minor {
                return LINES[index];
            }
            index += 1;
        }
        panic!("no such line of releases is simulated")
    }

    /// Whether this is release `other` or a later one.
    #[inline]
    pub(super) const fn at_least(self, other: Self) -> bool {
        self.number() >= other.number()
    }

    #[inline]
    const fn number(self) -> u32 {
        (self.major as u32) << 16 | (self.minor as u32) << 8 | self.patch as u32
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        match (major, minor) {
            (0, 10) => write!(f, "0.10.2.{patch}"),
            (0, _) => write!(f, "0.{minor}.0.{patch}"),
            _ => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// A release that cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no simulated Kafka version `{text}`; there are {}", releases_or_lines(.releases))]
pub struct UnknownVersion {
    /// What was asked for.
    pub text: String,
    /// The releases of its line; none when the line is not simulated either.
    pub releases: Vec<KafkaVersion>,
}

fn releases_or_lines(releases: &[KafkaVersion]) -> String {
    match releases {
        [] => KafkaVersion::lines().join(", "),
        releases => releases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

impl FromStr for KafkaVersion {
    type Err = UnknownVersion;

    /// Reads a release (2.8.1) or a line (2.8), which is its newest release.
    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        if let Some(line) = LINES.iter().find(|line| line.is_named(text)) {
            return Ok(line.newest());
        }
        let found = Self::every().find(|release| release.to_string() == text);
        found.ok_or_else(|| {
            let named =
                |line: &&Line| text.rsplit_once('.').is_some_and(|(front, _)| line.is_named(front));
            let releases = LINES.iter().find(named).map(|line| line.releases().collect());
            UnknownVersion { text: text.to_owned(), releases: releases.unwrap_or_default() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_newest_release() {
        for (text, full) in [
            ("0.10", "0.10.2.2"),
            ("0.10.2", "0.10.2.2"),
            ("0.11", "0.11.0.3"),
            ("0.11.0", "0.11.0.3"),
            ("1.0", "1.0.2"),
            ("2.0", "2.0.1"),
            ("2.8", "2.8.2"),
            ("3.9", "3.9.2"),
        ] {
            let release: KafkaVersion = text.parse().unwrap();
            assert_eq!(release.to_string(), full, "{text}");
        }
        assert_eq!(KafkaVersion::new(2, 8), KafkaVersion::patched(2, 8, 2));
        assert_eq!(KafkaVersion::default(), KafkaVersion::new(3, 9));
    }

    #[test]
    fn every_release_is_read_as_it_prints() {
        let mut before = None;
        for release in KafkaVersion::every() {
            assert_eq!(release.to_string().parse(), Ok(release));
            assert!(before < Some(release), "{release} is out of order");
            before = Some(release);
        }
        assert_eq!(KafkaVersion::every().count(), 64);
        assert!(KafkaVersion::ALL.is_sorted() && KafkaVersion::ALL.len() == 23);
    }

    #[test]
    fn an_unknown_patch_names_those_of_its_line() {
        let patches = |text: &str| {
            let unknown = text.parse::<KafkaVersion>().unwrap_err();
            assert_eq!(unknown.text, text);
            unknown.releases.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(patches("2.8.3"), ["2.8.0", "2.8.1", "2.8.2"]);
        assert_eq!(patches("0.10.2.7"), ["0.10.2.0", "0.10.2.1", "0.10.2.2"]);
        assert_eq!(patches("0.10.1"), ["0.10.2.0", "0.10.2.1", "0.10.2.2"]);
        for text in ["2.9", "2.9.0", "4.0", "2", "", "2.8.", "2.8.0.1", "02.8", "x.y.z"] {
            let expected = if text == "2.8." { 3 } else { 0 };
            assert_eq!(patches(text).len(), expected, "{text}");
        }
    }

    #[test]
    fn releases_compare_by_number_and_not_by_text() {
        let of = |text: &str| text.parse::<KafkaVersion>().unwrap();
        assert!(of("0.10") < of("0.11") && of("0.11") < of("1.0"));
        assert!(of("2.0.0") < of("2.0.1") && of("2.0.1") < of("2.1.0"));
        assert!(of("2.0").at_least(of("2.0.1")) && !of("2.0.0").at_least(of("2.0.1")));
    }
}
