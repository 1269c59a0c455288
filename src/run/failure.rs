//! Failures on disk: `reports/<scenario>-<seed>.toml`.

use std::io;
use std::path::{Component, Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::sealed::{Damage, damage, seal};
use super::{BUILD, Build, Ran, RunError, files, single};
use crate::scenario::{self, Failure, Found, FoundViolation, Plan};
use crate::vocab::foreign::Foreign;

/// Default folder of failure files, below the current directory.
pub const REPORTS: &str = "reports";

/// How many characters of a scenario's path are in the name of a failure file, when not the whole path is.
const PATH_SHOWN: usize = 80;

/// Why a failure cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", Foreign(path))]
pub struct Unwritable {
    /// The file or folder.
    pub path: String,
    /// The error of the operating system.
    pub source: io::Error,
}

/// Whether a failure file has to be as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Its last line must say so.
    Checked,
    /// It was edited.
    Edited,
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

/// The name of a plan's failure: `scenarios.leader_crash-42.toml`, and after the seed its mutant.
///
/// No two scenarios, seeds or mutants share one. The folders of the scenario are before its name. Where that leaves
/// two paths alike, because a name has a dot, a blank or the like, or the path is absolute, a hash of the whole path
/// is at the end.
pub fn failure_name(plan: &Plan) -> String {
    let path = Path::new(&plan.scenario);
    let path = path.with_extension("");
    let parts: Vec<_> = path.components().filter(|part| *part != Component::CurDir).collect();
    let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name = |part: &Component<'_>| part.as_os_str().to_string_lossy().into_owned();
    let names: Vec<String> = parts.iter().map(name).collect();
    let joined = names.join(".");
    let is_whole = joined.len() <= PATH_SHOWN
        && plan.scenario.ends_with(".toml")
        && names.iter().all(|name| name.chars().all(is_usual));
    let seed = plan.seed.0;
    let mutant = plan.mutant.map_or_else(String::new, |mutant| format!("-{mutant}"));
    if is_whole {
        return format!("{joined}-{seed}{mutant}.toml");
    }
    // Its last part identifies it best.
    let last: String = names.last().map_or("", |name| name).chars().take(PATH_SHOWN).collect();
    let last = last.replace(|c| !is_usual(c), "_");
    let hash = xxh3_64(plan.scenario.as_bytes());
    format!("{last}-{seed}{mutant}~{hash:016x}.toml")
}

/// Writes the failure file of a run into `folder`, which is created if missing; replaces an earlier file of the same
/// scenario, seed and mutant. `None` when the run did not fail.
///
/// # Errors
/// [`Unwritable`].
pub fn write_failure(ran: &Ran, folder: &Path) -> Result<Option<PathBuf>, Unwritable> {
    let Some(failure) = failure(ran, BUILD) else { return Ok(None) };
    let path = folder.join(failure_name(&ran.plan));
    let unwritable = |path: &Path| {
        let path = path.display().to_string();
        move |source| Unwritable { path, source }
    };
    std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let text = seal(scenario::write(&failure));
    files::write_whole(&path, text.as_bytes()).map_err(unwritable(&path))?;
    Ok(Some(path))
}

/// Reads the failure at `path`.
///
/// # Errors
/// [`RunError::Unreadable`]; [`RunError::Scenario`] with all that is wrong in it; [`RunError::Damaged`] when it is not
/// as it was written, and has to be.
pub fn read_failure(path: &Path, integrity: Integrity) -> Result<Failure, RunError> {
    let (name, text) = single::read(path)?;
    let damage = damage(&text).filter(|_| integrity == Integrity::Checked);
    let parsed = scenario::parse_failure(&name, &text);
    let Some(damage) = damage else { return parsed.map_err(single::wrong) };
    let known = match parsed {
        // The cut may be inside of a word. That is no mistake of its author: what is before it says which run it was.
        Err(wrong) if damage == Damage::CutOff => {
            let mut ends = text.rmatch_indices("\n\n").map(|(end, _)| &text[..=end]);
            let before = ends.find_map(|before| scenario::parse_failure(&name, before).ok());
            before.ok_or(wrong)
        }
        parsed => parsed,
    };
    let again = known.map_err(single::wrong)?.plan.command();
    Err(RunError::Damaged { path: path.into(), damage, again })
}
