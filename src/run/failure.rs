//! Failures on disk: `reports/<scenario>-<seed>.toml`.

use std::io;
use std::path::{Path, PathBuf};

use super::{BUILD, Build, Ran, RunError};
use crate::scenario::{self, Failure, Found, FoundViolation, Plan};

/// Default folder of failure files, below the current directory.
pub const REPORTS: &str = "reports";

/// Why a failure cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct Unwritable {
    /// The file or folder.
    pub path: String,
    /// The error of the operating system.
    pub source: io::Error,
}

/// The failure file of a run; `None` when the run did not fail.
pub fn failure(ran: &Ran, build: Build) -> Option<Failure> {
    if !ran.has_failed() {
        return None;
    }
    let judged = ran.outcome.as_ref().ok();
    let violations = judged.map(|outcome| outcome.violations()).unwrap_or_default();
    let violation = |found: crate::checkers::Finding<'_>| FoundViolation {
        property: found.name.into_owned(),
        sentence: found.sentence,
    };
    let found = Found {
        version: build.version.to_owned(),
        commit: build.commit.to_owned(),
        fingerprint: judged.map(|outcome| outcome.fingerprint.0),
        panicked: ran.outcome.as_ref().err().map(|panic| panic.message.clone()),
        violations: violations.into_iter().map(violation).collect(),
    };
    Some(Failure { plan: ran.plan.clone(), found })
}

/// The name of a plan's failure: `leader_crash-42.toml`.
pub fn failure_name(plan: &Plan) -> String {
    let stem = Path::new(&plan.scenario).file_stem().unwrap_or_default();
    format!("{}-{}.toml", stem.to_string_lossy(), plan.seed.0)
}

/// Writes the failure file of a run into `folder`, which is created if missing; replaces an earlier file of the same
/// scenario and seed. `None` when the run did not fail.
///
/// # Errors
/// [`Unwritable`].
#[expect(clippy::disallowed_methods, reason = "`run` writes failure files")]
pub fn write_failure(ran: &Ran, folder: &Path) -> Result<Option<PathBuf>, Unwritable> {
    let Some(failure) = failure(ran, BUILD) else { return Ok(None) };
    let path = folder.join(failure_name(&ran.plan));
    let unwritable = |path: &Path| {
        let path = path.display().to_string();
        move |source| Unwritable { path, source }
    };
    std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
    std::fs::write(&path, scenario::write(&failure)).map_err(unwritable(&path))?;
    Ok(Some(path))
}

/// Reads the failure at `path`.
///
/// # Errors
/// [`RunError::Unreadable`], or [`RunError::Scenario`] with all that is wrong in it.
pub fn read_failure(path: &Path) -> Result<Failure, RunError> {
    let (name, text) = super::single::read(path)?;
    scenario::parse_failure(&name, &text).map_err(|wrong| RunError::Scenario(wrong.render()))
}
