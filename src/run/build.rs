//! The version of this code.

use std::fmt;

use serde::Serialize;

/// A version of this code. The same plan and seed give the same run in the same version only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The package's version: `0.1.0`.
    pub version: &'static str,
    /// The commit: `9e1c2ab`; `9e1c2ab-dirty` when something was changed since; `unknown` without git.
    pub commit: &'static str,
}

/// This code. Reports take the build as an argument, so that tests can give a made-up commit.
pub const BUILD: Build = Build { version: env!("CARGO_PKG_VERSION"), commit: env!("SIM_COMMIT") };

impl fmt::Display for Build {
    /// `sim 0.1.0, 9e1c2ab`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim {}, {}", self.version, self.commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_a_short_hash_or_unknown() {
        let hash = BUILD.commit.strip_suffix("-dirty").unwrap_or(BUILD.commit);
        let is_hash = hash.len() >= 7 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash || BUILD.commit == "unknown", "{BUILD}");
    }
}
