//! The matrix → text and JSON: what was measured beside what was foretold.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::json::document;
use super::style::{Paint, Style};
use super::table::thousands;
use crate::run::Build;
use crate::run::matrix::golden::Foretold;
use crate::run::matrix::{Agreement, Count, Matrix, Measurement};

/// The matrix as text, ended with a newline; `files` are the failures that were written.
pub fn matrix_text(matrix: &Matrix, files: &[PathBuf], style: Style) -> String {
    let mut out = String::new();
    text(&mut out, matrix, files, style).expect("a string takes everything");
    out
}

/// The matrix as a JSON document, ended with a newline.
pub fn matrix_json(matrix: &Matrix, files: &[PathBuf], build: Build) -> String {
    let reports = files.iter().map(|file| file.display().to_string());
    document(
        matrix,
        [
            ("agrees", matrix.worst().is_none().into()),
            ("sim", serde_json::to_value(build).expect("a build is plain data")),
            ("reports", Value::from_iter(reports)),
        ],
    )
}

/// The letter of the golden matrix.
fn letter(foretold: Foretold) -> &'static str {
    match foretold {
        Foretold::Never => "N",
        Foretold::Sometimes | Foretold::Unshown { .. } => "Y",
    }
}

/// The word of it, if any, and its colour.
fn word(agreement: Agreement) -> (&'static str, Paint) {
    match agreement {
        Agreement::Agrees => ("agrees", Paint::Good),
        Agreement::Explained => ("explained", Paint::Faint),
        Agreement::Unseen => ("UNSEEN", Paint::Warning),
        Agreement::Forbidden => ("FORBIDDEN", Paint::Bad),
    }
}

fn seconds(span: Duration) -> String {
    format!("{}.{:03}s", thousands(span.as_secs()), span.subsec_millis())
}

fn count(count: Count) -> String {
    match count.seeds {
        0 => "0".to_owned(),
        seeds => format!("{} in {}", thousands(count.records), thousands(seeds)),
    }
}

/// One line of the table, its cells padded; the words of agreement are painted by the caller.
fn line(cells: [&str; 5]) -> String {
    let [fault, acks, lost, duplicated, unanswered] = cells;
    format!("{fault:<27}  {acks:>4}  {lost:>15}  {duplicated:>14}  {unanswered:>16}")
}

fn text(out: &mut String, matrix: &Matrix, files: &[PathBuf], style: Style) -> fmt::Result {
    let (first, last) = (matrix.first.0, matrix.last.0);
    writeln!(
        out,
        "{}  seeds {first}..{last}  \
         3 replicas in sync, min.insync.replicas=2, unclean election off\n",
        style.paint(Paint::Heading, "matrix")
    )?;
    let heading = line(["fault", "acks", "lost", "duplicated", "unanswered"]);
    let heading = format!("{heading}  {:<11}  {:<11}  golden unavailable", "loss", "duplicates");
    writeln!(out, "{}", style.paint(Paint::Heading, heading))?;
    for measured in &matrix.cells {
        row(out, measured, style)?;
    }
    writeln!(
        out,
        "\nlost, duplicated  \
         records in seeds; lost of what was acknowledged, with acks=0 of what was sent\n\
         unanswered        the longest of either producer, median and maximum of the seeds\n\
         N, Y              golden: must never happen, must happen in some seed\n\
         golden            derived from Kafka's documentation and code, not measured"
    )?;
    explanations(out, matrix)?;
    for measured in &matrix.cells {
        wrong(out, measured, style)?;
    }
    for file in files {
        writeln!(out, "report  sim replay {}", file.display())?;
    }
    let (paint, verdict) = match matrix.worst() {
        None => (Paint::Good, "agrees with the golden matrix, but for what is explained"),
        Some(_) => (Paint::Bad, "does not agree with the golden matrix"),
    };
    writeln!(out, "\noutcome  {}", style.paint(paint, verdict))
}

fn row(out: &mut String, measured: &Measurement, style: Style) -> fmt::Result {
    let unanswered = &measured.unanswered;
    let unanswered = format!("{} {}", seconds(unanswered.median), seconds(unanswered.max));
    let (fault, acks) = (measured.cell.trouble.name(), measured.cell.acks.to_string());
    let (lost, duplicated) = (count(measured.lost), count(measured.duplicated));
    write!(out, "{}", line([fault, &acks, &lost, &duplicated, &unanswered]))?;
    let golden = &measured.golden;
    for (foretold, agreement) in
        [(golden.loss, measured.loss), (golden.duplicates, measured.duplicates)]
    {
        let (word, paint) = word(agreement);
        write!(out, "  {} {:<9}", letter(foretold), style.paint(paint, word))?;
    }
    writeln!(out, "  {} {}", golden.row, golden.unavailable)
}

/// Why what is foretold is not shown: each reason once, with the cells that it is of.
fn explanations(out: &mut String, matrix: &Matrix) -> fmt::Result {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for measured in &matrix.cells {
        let Foretold::Unshown { why } = measured.golden.duplicates else { continue };
        if measured.duplicates != Agreement::Explained {
            continue;
        }
        let row = measured.golden.row;
        match told.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, rows)) => rows.push(row),
            None => told.push((why, vec![row])),
        }
    }
    told.iter().try_for_each(|(why, rows)| {
        writeln!(out, "\nexplained {}, acks=1, duplicates: {why}", rows.join(" "))
    })
}

/// What is wrong with a cell, whatever it is about.
fn wrong(out: &mut String, measured: &Measurement, style: Style) -> fmt::Result {
    let Some((worst, seeds)) = measured.kept else { return Ok(()) };
    let (word, paint) = super::sweep::word(worst);
    writeln!(
        out,
        "\n{}  {} acks={}: {} of {} seeds did not hold",
        style.paint(paint, word),
        measured.cell.trouble.name(),
        measured.cell.acks,
        thousands(seeds),
        thousands(measured.ran)
    )
}
