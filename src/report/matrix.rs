//! The matrix → text and JSON: what was measured beside what was expected.

use std::fmt::{self, Write};
use std::path::PathBuf;

use serde_json::Value;

use super::json::document;
use super::numbers::{seconds, stopped, thousands};
use super::style::{Paint, Style, page};
use super::table::Table;
use crate::run::Build;
use crate::run::matrix::golden::Expected;
use crate::run::matrix::{Agreement, Count, Matrix, Measurement};
use crate::vocab::foreign::shell_path;

/// The matrix as text, ended with a newline; `files` are the failures that were written.
pub fn matrix_text(matrix: &Matrix, files: &[PathBuf], style: Style) -> String {
    page(style, |out, style| text(out, matrix, files, style))
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

/// How a cell agrees with the golden matrix, as a word with its colour.
fn word(agreement: Agreement) -> (&'static str, Paint) {
    match agreement {
        Agreement::Agrees => ("agrees", Paint::Good),
        Agreement::Explained => ("explained", Paint::Faint),
        Agreement::Unseen => ("UNSEEN", Paint::Warning),
        Agreement::Forbidden => ("FORBIDDEN", Paint::Bad),
    }
}

fn count(count: Count) -> String {
    match count.seeds {
        0 => "0".to_owned(),
        seeds => format!("{} in {}", thousands(count.records), thousands(seeds)),
    }
}

fn text(out: &mut String, matrix: &Matrix, files: &[PathBuf], style: Style) -> fmt::Result {
    let (first, last) = (matrix.first.0, matrix.last.0);
    writeln!(
        out,
        "{}  seeds {first}..{last}  \
         3 replicas in sync, min.insync.replicas=2, unclean election off\n",
        style.paint(Paint::Heading, "matrix")
    )?;
    let mut table = Table::new([
        "fault",
        "acks",
        "lost",
        "duplicated",
        "unanswered",
        "maximum",
        "loss",
        "duplicates",
        "golden",
        "unavailable",
    ]);
    table.align_left(["loss", "duplicates", "golden", "unavailable"]);
    let measured = matrix.cells.iter().filter(|measured| measured.ran > 0);
    measured.for_each(|measured| table.row(row(measured, style)));
    table.write(out, style)?;
    writeln!(
        out,
        "\nlost, duplicated  records in seeds; lost after their ack, with acks=0 after sending\n\
         unanswered        longest wait of a producer for an ack, median and maximum of the seeds\n\
         N, Y              golden: must never happen, must happen in some seed\n\
         golden            derived from Kafka's documentation and code, not measured"
    )?;
    explanations(out, matrix)?;
    for measured in &matrix.cells {
        wrong(out, measured, style)?;
    }
    for file in files {
        writeln!(out, "report  sim replay {}", shell_path(file))?;
    }
    if matrix.not_run > 0 {
        let ran = matrix.cells.iter().map(|measured| measured.ran).sum::<u64>();
        let stopped = stopped(ran, matrix.not_run, "runs");
        return writeln!(out, "\noutcome  {}", style.paint(Paint::Warning, stopped));
    }
    let (paint, verdict) = match matrix.worst() {
        None => (Paint::Good, "agrees with the golden matrix, except where explained"),
        Some(_) => (Paint::Bad, "does not agree with the golden matrix"),
    };
    writeln!(out, "\noutcome  {}", style.paint(paint, verdict))
}

fn row(measured: &Measurement, style: Style) -> [String; 10] {
    let Measurement { cell, golden, lost, duplicated, unanswered, .. } = measured;
    let agreement = |expected, agreement| {
        let (word, paint) = word(agreement);
        format!("{} {}", letter(expected), style.paint(paint, word))
    };
    [
        cell.fault.name().to_owned(),
        cell.acks.to_string(),
        count(*lost),
        count(*duplicated),
        seconds(unanswered.median),
        seconds(unanswered.max),
        agreement(golden.loss, measured.loss),
        agreement(golden.duplicates, measured.duplicates),
        golden.row.to_owned(),
        golden.unavailable.to_owned(),
    ]
}

/// Why an expected effect cannot show: each reason once, with the rows that it is for.
fn explanations(out: &mut String, matrix: &Matrix) -> fmt::Result {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for measured in &matrix.cells {
        let Expected::Unshown { why } = measured.golden.duplicates else { continue };
        if measured.duplicates != Agreement::Explained {
            continue;
        }
        let row = measured.golden.row;
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, rows)) => rows.push(row),
            None => reasons.push((why, vec![row])),
        }
    }
    reasons.iter().try_for_each(|(why, rows)| {
        writeln!(out, "\nexplained {}, acks=1, duplicates: {why}", rows.join(" "))
    })
}

/// Seeds of a cell that failed for another reason.
fn wrong(out: &mut String, measured: &Measurement, style: Style) -> fmt::Result {
    let Some((worst, seeds)) = measured.failed else { return Ok(()) };
    let (word, paint) = super::sweep::word(worst);
    writeln!(
        out,
        "\n{}  {} acks={}: {} of {} seeds did not hold",
        style.paint(paint, word),
        measured.cell.fault.name(),
        measured.cell.acks,
        thousands(seeds),
        thousands(measured.ran)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::run::Worst;
    use crate::run::matrix::{Cell, MatrixFault, Unanswered};
    use crate::vocab::{Acks, Seed};

    fn cell(acks: Acks, lost: Count, loss: Agreement) -> Measurement {
        let cell = Cell { fault: MatrixFault::LeaderCrash, acks };
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
            failed: None,
        }
    }

    fn matrix(cells: Vec<Measurement>) -> Matrix {
        Matrix { first: Seed(1), last: Seed(9), not_run: 0, cells }
    }

    /// The rows of a matrix, and its last line.
    fn printed(matrix: &Matrix) -> (Vec<String>, String) {
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
        let (rows, last) = printed(&agreeing);
        let golden = "F1 session timeout + election";
        let row =
            format!("leader-crash 1 1,200 in 3 2 in 1 6.051s 7.000s Y agrees Y agrees {golden}");
        assert_eq!(rows, [row]);
        assert!(last.starts_with("outcome  agrees"), "{last}");
        let unseen = cell(Acks::Leader, Count::default(), Agreement::Unseen);
        let wrong = matrix(vec![cell(Acks::All, seen, Agreement::Forbidden), unseen]);
        let (rows, last) = printed(&wrong);
        assert!(rows[0].contains("N FORBIDDEN") && rows[1].contains("Y UNSEEN"), "{rows:?}");
        assert!(last.starts_with("outcome  does not agree"), "{last}");
        assert_eq!(wrong.worst(), Some(Worst::Violated));
    }

    #[test]
    fn a_run_that_did_not_hold_is_reported_with_its_file() {
        let mut failing = cell(Acks::Leader, Count { seeds: 1, records: 1 }, Agreement::Agrees);
        failing.failed = Some((Worst::NotConverged, 2));
        let files = [PathBuf::from("reports/x-1.toml")];
        let text = matrix_text(&matrix(vec![failing]), &files, Style::Plain);
        let failed = "\nnot converged  leader-crash acks=1: 2 of 9 seeds did not hold\n";
        assert!(text.contains(failed), "{text}");
        assert!(text.contains("\nreport  sim replay reports/x-1.toml\n"), "{text}");
        assert!(text.contains("\noutcome  does not agree"), "{text}");
    }

    #[test]
    fn a_matrix_that_was_stopped_shows_what_it_has_and_judges_nothing() {
        let seen = Count { seeds: 3, records: 1_200 };
        let empty = Measurement { ran: 0, ..cell(Acks::None, Count::default(), Agreement::Unseen) };
        let stopped = Matrix {
            not_run: 126,
            ..matrix(vec![cell(Acks::Leader, seen, Agreement::Agrees), empty])
        };
        let (rows, last) = printed(&stopped);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(last, "outcome  stopped after 9 of 135 runs");
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
