//! The matrix → text and JSON: what was measured beside what was expected.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::json::document;
use super::style::{Paint, Style};
use super::table::thousands;
use crate::run::Build;
use crate::run::matrix::golden::Expected;
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
fn letter(expected: Expected) -> &'static str {
    match expected {
        Expected::Never => "N",
        Expected::Sometimes | Expected::Unshown { .. } => "Y",
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
    for (expected, agreement) in
        [(golden.loss, measured.loss), (golden.duplicates, measured.duplicates)]
    {
        let (word, paint) = word(agreement);
        write!(out, "  {} {:<9}", letter(expected), style.paint(paint, word))?;
    }
    writeln!(out, "  {} {}", golden.row, golden.unavailable)
}

/// Why what is expected is not shown: each reason once, with the cells that it is of.
fn explanations(out: &mut String, matrix: &Matrix) -> fmt::Result {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for measured in &matrix.cells {
        let Expected::Unshown { why } = measured.golden.duplicates else { continue };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Worst;
    use crate::run::matrix::{Cell, MatrixFault, Unanswered};
    use crate::vocab::{Acks, Seed};

    fn cell(acks: Acks, lost: Count, loss: Agreement) -> Measurement {
        let cell = Cell { trouble: MatrixFault::LeaderCrash, acks };
        let (median, max) = (Duration::from_millis(6_051), Duration::from_secs(7));
        Measurement {
            cell,
            golden: cell.golden(),
            ran: 9,
            acknowledged: 1_000,
            lost,
            duplicated: Count { seeds: 1, records: 2 },
            unanswered: Unanswered { median, max },
            loss,
            duplicates: Agreement::Agrees,
            kept: None,
        }
    }

    fn matrix(cells: Vec<Measurement>) -> Matrix {
        Matrix { first: Seed(1), last: Seed(9), cells }
    }

    /// What stands in the table of a matrix, and what it ends with.
    fn said(matrix: &Matrix) -> (Vec<String>, String) {
        let text = matrix_text(matrix, &[], Style::Plain);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let rows = text.lines().filter(|line| line.starts_with("leader-crash"));
        let last = text.lines().last().unwrap_or_default();
        (rows.map(words).collect(), last.to_owned())
    }

    #[test]
    fn each_cell_says_what_was_seen_and_whether_it_may_be() {
        let seen = Count { seeds: 3, records: 1_200 };
        let agreeing = matrix(vec![cell(Acks::Leader, seen, Agreement::Agrees)]);
        let (rows, last) = said(&agreeing);
        let golden = "F1 session timeout + election";
        let row =
            format!("leader-crash 1 1,200 in 3 2 in 1 6.051s 7.000s Y agrees Y agrees {golden}");
        assert_eq!(rows, [row]);
        assert!(last.starts_with("outcome  agrees"), "{last}");
        let unseen = cell(Acks::Leader, Count::default(), Agreement::Unseen);
        let wrong = matrix(vec![cell(Acks::All, seen, Agreement::Forbidden), unseen]);
        let (rows, last) = said(&wrong);
        assert!(rows[0].contains("N FORBIDDEN") && rows[1].contains("Y UNSEEN"), "{rows:?}");
        assert!(last.starts_with("outcome  does not agree"), "{last}");
        assert_eq!(wrong.worst(), Some(Worst::Violated));
    }

    #[test]
    fn a_run_that_did_not_hold_is_told_of_with_its_file() {
        let mut kept = cell(Acks::Leader, Count { seeds: 1, records: 1 }, Agreement::Agrees);
        kept.kept = Some((Worst::NotConverged, 2));
        let files = [PathBuf::from("reports/x-1.toml")];
        let text = matrix_text(&matrix(vec![kept]), &files, Style::Plain);
        let told = "\nnot converged  leader-crash acks=1: 2 of 9 seeds did not hold\n";
        assert!(text.contains(told), "{text}");
        assert!(text.contains("\nreport  sim replay reports/x-1.toml\n"), "{text}");
        assert!(text.contains("\noutcome  does not agree"), "{text}");
    }

    #[test]
    fn json_says_the_same() {
        let seen = Count { seeds: 3, records: 1_200 };
        let text = matrix_json(
            &matrix(vec![cell(Acks::All, seen, Agreement::Forbidden)]),
            &[],
            Build { version: "0.3.0", commit: "9e1c2ab" },
        );
        let document: Value = serde_json::from_str(&text).expect("one document");
        assert_eq!((&document["schema"], &document["agrees"]), (&1.into(), &false.into()));
        let cell = &document["cells"][0];
        assert_eq!((&cell["fault"], &cell["acks"]), (&"leader-crash".into(), &"all".into()));
        assert_eq!(
            (&cell["loss"], &cell["golden"]["loss"]),
            (&"forbidden".into(), &"never".into())
        );
        assert_eq!(cell["unanswered"]["median_ns"], 6_051_000_000_u64);
    }
}
