//! Mutants → text: which there are, and which checker finds which.

use std::fmt::{self, Write};

use super::style::{Paint, Style};
use crate::checkers::PROPERTIES;
use crate::run::mutants::{MUTANT_CASES, MutantResult};
use crate::vocab::Mutant;

/// All mutants, each with what is wrong, where it is known from, and the command that shows it.
pub fn mutants(style: Style) -> String {
    let mut out = String::new();
    list(&mut out, style).expect("a string takes everything");
    out
}

fn list(out: &mut String, style: Style) -> fmt::Result {
    for &mutant in Mutant::ALL {
        writeln!(out, "{}", style.paint(Paint::Heading, mutant))?;
        writeln!(out, "  {:<6}  {}", "wrong", mutant.wrong())?;
        writeln!(out, "  {:<6}  {}", "source", mutant.source())?;
        for hunt in MUTANT_CASES.iter().filter(|hunt| hunt.mutant == mutant) {
            writeln!(out, "  {:<6}  {}", "shown", hunt.command())?;
        }
    }
    Ok(())
}

/// The table mutant × checker: in how many seeds each checker failed the run.
pub fn catches(catches: &[MutantResult], style: Style) -> String {
    let mut out = String::new();
    table(&mut out, catches, style).expect("a string takes everything");
    out
}

fn table(out: &mut String, catches: &[MutantResult], style: Style) -> fmt::Result {
    let finds = |property: usize| catches.iter().filter(|catch| catch.by[property] > 0).count();
    let columns: Vec<usize> = (0..PROPERTIES.len()).filter(|&index| finds(index) > 0).collect();
    let widest = catches.iter().map(|catch| catch.hunt.mutant.name().len()).max().unwrap_or(0);
    let mut heading = format!("{:<widest$}  {:>7}", "mutant", "found");
    for index in &columns {
        write!(heading, " {:>2}", index + 1)?;
    }
    writeln!(out, "{}", style.paint(Paint::Heading, heading))?;
    for catch in catches {
        let found = format!("{}/{}", catch.found, catch.seeds);
        let paint = if catch.found > 0 { Paint::Good } else { Paint::Bad };
        let found = style.paint(paint, found);
        write!(out, "{:<widest$}  {found:>7}", catch.hunt.mutant.name())?;
        for &index in &columns {
            match catch.by[index] {
                0 => write!(out, " {:>2}", style.paint(Paint::Faint, "."))?,
                count => write!(out, " {count:>2}")?,
            }
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    for (index, property) in PROPERTIES.iter().enumerate() {
        let mutants = match finds(index) {
            0 => "finds none".to_owned(),
            1 => "finds 1 mutant".to_owned(),
            count => format!("finds {count} mutants"),
        };
        writeln!(out, "{:>2}  {:<34}  {mutants}", index + 1, property.name)?;
    }
    Ok(())
}
