//! A sweep → text and JSON.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json::document;
use super::numbers::{stopped, thousands};
use super::style::{Paint, Style, page};
use crate::run::{Build, Group, Sweep, Worst};
use crate::vocab::foreign::{Foreign, shell_path};

/// The failure files of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Those that were written, in the order of the seeds.
    pub written: Vec<PathBuf>,
    /// How many seeds failed beyond the number of files that a sweep writes.
    pub left_out: u64,
}

/// The sweep as text, ended with a newline.
pub fn sweep_text(sweep: &Sweep, files: &Files, build: Build, style: Style) -> String {
    page(style, |out, style| write_text(out, sweep, files, build, style))
}

/// The sweep as a JSON document, ended with a newline.
pub fn sweep_json(sweep: &Sweep, files: &Files, build: Build) -> String {
    let reports = files.written.iter().map(|file| file.display().to_string());
    document(
        sweep,
        [
            ("sim", serde_json::to_value(build).expect("a build is plain data")),
            ("reports", Value::from_iter(reports)),
            ("reports_left_out", files.left_out.into()),
            ("not_run", sweep.not_run().into()),
        ],
    )
}

pub(super) fn word(worst: Worst) -> (&'static str, Paint) {
    match worst {
        Worst::Inconclusive => ("inconclusive", Paint::Warning),
        Worst::NotConverged => ("not converged", Paint::Bad),
        Worst::Violated => ("violated", Paint::Bad),
        Worst::Panicked => ("panicked", Paint::Bad),
    }
}

fn seeds(count: u64) -> String {
    if count == 1 { "1 seed".to_owned() } else { format!("{} seeds", thousands(count)) }
}

fn write_text(
    out: &mut dyn Write,
    sweep: &Sweep,
    files: &Files,
    build: Build,
    style: Style,
) -> fmt::Result {
    let name = Path::new(&sweep.path).file_stem().unwrap_or_default().to_string_lossy();
    let (first, last) = (sweep.first.0, sweep.last.0);
    writeln!(
        out,
        "{}  seeds {first}..{last}  {} acknowledged records\n",
        style.paint(Paint::Heading, Foreign(&name)),
        thousands(sweep.acknowledged)
    )?;
    if sweep.not_run() > 0 {
        let stopped = stopped(sweep.ran, sweep.not_run(), "seeds");
        writeln!(out, "{}\n", style.paint(Paint::Warning, stopped))?;
    }
    let held = ("held", Paint::Good);
    for ((name, paint), count) in [
        (held, sweep.held),
        (word(Worst::Inconclusive), sweep.inconclusive),
        (word(Worst::NotConverged), sweep.not_converged),
        (word(Worst::Violated), sweep.violated),
        (word(Worst::Panicked), sweep.panicked),
    ] {
        if count > 0 || name == "held" || name == "violated" {
            writeln!(out, "{:<14}  {:>9}", style.paint(paint, name), thousands(count))?;
        }
    }
    let lost = sweep.permitted_loss;
    if lost.seeds > 0 {
        let (records, seeds) = (thousands(lost.records), seeds(lost.seeds));
        writeln!(
            out,
            "{:<14}  {records:>9} records in {seeds}",
            style.paint(Paint::Warning, "permitted loss")
        )?;
    }
    // As in a report, the worst comes last, next to the prompt.
    sweep.groups.iter().rev().try_for_each(|one| group(out, one, build, style))?;
    write_files(out, files)
}

fn group(out: &mut dyn Write, group: &Group, build: Build, style: Style) -> fmt::Result {
    let (word, paint) = word(group.status);
    let (word, name) = (style.paint(paint, word), style.paint(Paint::Heading, &group.name));
    let named: Vec<_> = group.seeds.iter().map(|seed| seed.0.to_string()).collect();
    let more = if group.count > named.len() as u64 { " …" } else { "" };
    writeln!(out, "\n{word}  {name}   {}: {}{more}", seeds(group.count), named.join(" "))?;
    writeln!(out, "  first   {}", group.sentence)?;
    writeln!(out, "  replay  {}        ({build})", group.replay)
}

fn write_files(out: &mut dyn Write, files: &Files) -> fmt::Result {
    let (Some(first), Some(last)) = (files.written.first(), files.written.last()) else {
        return Ok(());
    };
    let (first, count) = (shell_path(first), files.written.len());
    match count {
        1 => writeln!(out, "\nreports  {first}")?,
        _ => writeln!(out, "\nreports  {first} … {}, {count} files", shell_path(last))?,
    }
    match files.left_out {
        0 => Ok(()),
        more => writeln!(
            out,
            "         no file for the {} that failed after these; `--seed N` writes one",
            seeds(more)
        ),
    }
}
