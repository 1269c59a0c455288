//! The failure block: what was violated, why, and how to see it again.

use std::fmt::{self, Write};

use super::provenance::Provenance;
use super::style::{Paint, Style};
use super::table::thousands;
use super::text::millis;
use crate::checkers::{Evidence, Finding, RunOutcome};

/// Writes every violation of `outcome`, and one way to see them all again.
///
/// # Errors
/// Those of the writer.
pub(super) fn block(
    out: &mut dyn Write,
    outcome: &RunOutcome,
    about: &Provenance,
    style: Style,
) -> fmt::Result {
    for violation in outcome.violations() {
        head(out, &violation, style)?;
        if let Some(evidence) = violation.evidence {
            why(out, evidence)?;
        }
    }
    let replay = about.replay.clone().unwrap_or_else(|| outcome.replay());
    let (fingerprint, build) = (outcome.fingerprint, about.build);
    writeln!(out, "  replay  {replay}        (fingerprint {fingerprint}, {build})")?;
    match &about.file {
        Some(file) => writeln!(out, "  report  {}", file.display()),
        None => Ok(()),
    }
}

/// `violated  NAME   SENTENCE`.
fn head(out: &mut dyn Write, violation: &Finding<'_>, style: Style) -> fmt::Result {
    let Finding { status, name, sentence, .. } = violation;
    let status = style.paint(Paint::Bad, status);
    writeln!(out, "{status}  {}   {sentence}", style.paint(Paint::Heading, name))
}

/// What led to the first case, what was done before, how many more cases there are.
pub(super) fn why(out: &mut dyn Write, evidence: &Evidence) -> fmt::Result {
    let because = evidence.because();
    if !because.is_empty() {
        writeln!(out, "  because {}", because.join("; "))?;
    }
    for fault in evidence.faults() {
        writeln!(out, "    fault {}  {}", millis(fault.time), fault.text)?;
    }
    match evidence.count() - 1 {
        0 => Ok(()),
        1 => writeln!(out, "    and 1 other case"),
        more => writeln!(out, "    and {} other cases", thousands(more)),
    }
}
