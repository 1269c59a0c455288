//! The failure block: what was violated, why, and how to see it again.

use std::fmt::{self, Write};

use super::numbers::{millis, thousands};
use super::provenance::Provenance;
use super::style::{Paint, Style};
use crate::checkers::{Evidence, Finding, RunOutcome};
use crate::model::Fired;
use crate::vocab::foreign::shell_path;

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
    let mut shown = Vec::new();
    for violation in outcome.violations() {
        head(out, &violation, style)?;
        if let Some(evidence) = violation.evidence {
            why(out, evidence, &mut shown)?;
        }
    }
    let replay = about.replay.clone().unwrap_or_else(|| outcome.replay());
    let (fingerprint, build) = (outcome.fingerprint, about.build);
    writeln!(out, "  replay  {replay}        (fingerprint {fingerprint}, {build})")?;
    match &about.file {
        Some(file) => writeln!(out, "  report  {}", shell_path(file)),
        None => Ok(()),
    }
}

/// `violated  NAME   SENTENCE`.
fn head(out: &mut dyn Write, violation: &Finding<'_>, style: Style) -> fmt::Result {
    let Finding { status, name, sentence, .. } = violation;
    let status = style.paint(Paint::Bad, status);
    writeln!(out, "{status}  {}   {sentence}", style.paint(Paint::Heading, name))
}

/// The causes of the first case, the faults before it, and the number of further cases. `shown` are the faults of the
/// finding above: those of most findings are the same.
pub(super) fn why(out: &mut dyn Write, evidence: &Evidence, shown: &mut Vec<Fired>) -> fmt::Result {
    let because = evidence.because();
    if !because.is_empty() {
        writeln!(out, "  because {}", because.join("; "))?;
    }
    let faults = evidence.faults();
    if !faults.is_empty() && faults == *shown {
        writeln!(out, "    after the same faults")?;
    } else {
        for fault in faults {
            writeln!(out, "    fault {}  {}", millis(fault.time), fault.text)?;
        }
        *shown = faults.to_vec();
    }
    match evidence.count() - 1 {
        0 => Ok(()),
        1 => writeln!(out, "    and 1 other case"),
        more => writeln!(out, "    and {} other cases", thousands(more)),
    }
}
