//! Columns that line up.

use std::fmt::{self, Write};

use super::style::{Paint, Style};

/// Rows under a heading; the first column is left-aligned, all others right-aligned.
#[derive(Clone, Debug)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no row.
    pub fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { heading: heading.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has not as many cells as the heading.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.heading.len(), "a row has one cell for each column");
        self.rows.push(cells.to_vec());
    }

    /// Drops a column in which no row has anything but `empty`.
    pub fn drop_if_all(&mut self, column: &str, empty: &str) {
        let Some(index) = self.heading.iter().position(|name| name == column) else { return };
        if self.rows.iter().all(|row| row[index] == empty) {
            self.heading.remove(index);
            self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
        }
    }

    /// Writes the table, each line ended.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, style: Style) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.heading]);
            cells.map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.heading.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut line = format!("{:<1$}", cells[0], widths[0]);
            for (cell, &width) in cells.iter().zip(&widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            line.trim_end().to_owned()
        };
        writeln!(out, "{}", style.paint(Paint::Heading, line(&self.heading)))?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
    }
}

/// A number with its thousands apart: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn columns_line_up_and_empty_ones_go() {
        let mut table = Table::new(["name", "lost", "copies"]);
        table.row(["p0".into(), "0".into(), "1,000".into()]);
        table.row(["long-name".into(), "0".into(), "7".into()]);
        table.drop_if_all("lost", "0");
        table.drop_if_all("copies", "0");
        let mut out = String::new();
        table.write(&mut out, Style::Plain).expect("a string takes everything");
        assert_eq!(out, "name       copies\np0          1,000\nlong-name       7\n");
    }
}
