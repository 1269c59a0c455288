//! Mutants → text: a list of them, and the table of which checker finds which.

use std::fmt::{self, Write};

use super::numbers::stopped;
use super::style::{Paint, Style};
use super::table::Table;
use crate::checkers::PROPERTIES;
use crate::run::mutants::{Hunt, MUTANT_CASES, MutantResult};
use crate::vocab::Mutant;

/// All mutants, each with the bug, its source, and the commands that show it.
pub fn mutants(style: Style) -> String {
    let mut out = String::new();
    list(&mut out, style).expect("a string takes everything");
    out
}

fn list(out: &mut String, style: Style) -> fmt::Result {
    for &mutant in Mutant::ALL {
        writeln!(out, "{}", style.paint(Paint::Heading, mutant))?;
        writeln!(out, "  {:<6}  {}", "bug", mutant.wrong())?;
        writeln!(out, "  {:<6}  {}", "source", mutant.source())?;
        for case in MUTANT_CASES.iter().filter(|case| case.mutant == mutant) {
            writeln!(out, "  {:<6}  {}", "run", case.command())?;
        }
    }
    Ok(())
}

/// The table mutant × checker: in how many seeds each checker failed the run.
pub fn mutants_table(hunt: &Hunt, style: Style) -> String {
    let mut out = String::new();
    table(&mut out, &hunt.results, style).expect("a string takes everything");
    if hunt.not_run > 0 {
        let stopped = stopped(hunt.ran, hunt.not_run, "runs");
        writeln!(out, "\n{}", style.paint(Paint::Warning, stopped)).expect("as above");
    }
    out
}

fn table(out: &mut String, results: &[MutantResult], style: Style) -> fmt::Result {
    let finds = |property: usize| results.iter().filter(|result| result.by[property] > 0).count();
    let columns: Vec<usize> = (0..PROPERTIES.len()).filter(|&index| finds(index) > 0).collect();
    let numbers = columns.iter().map(|index| (index + 1).to_string());
    let mut table = Table::new(["mutant".into(), "found".into()].into_iter().chain(numbers));
    table.narrow();
    for result in results {
        let found = format!("{}/{}", result.found, result.seeds);
        let paint = match (result.found, result.seeds) {
            (1.., _) => Paint::Good,
            // It was stopped before.
            (0, 0) => Paint::Faint,
            (0, 1..) => Paint::Bad,
        };
        let name = result.case.mutant.name().to_owned();
        let by = columns.iter().map(|&index| match result.by[index] {
            0 => style.paint(Paint::Faint, ".").to_string(),
            seeds => seeds.to_string(),
        });
        table.row([name, style.paint(paint, found).to_string()].into_iter().chain(by));
    }
    table.write(out, style)?;
    writeln!(out)?;
    let mut legend = Table::new(["", "property", "mutants found"]);
    legend.align_left(["property"]);
    for (index, property) in PROPERTIES.iter().enumerate() {
        let number = format!("{:>2}", index + 1);
        legend.row([number, property.name.to_owned(), finds(index).to_string()]);
    }
    legend.write(out, style)
}
