//! Columns that line up.

use std::fmt::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding};

use super::style::{Paint, Style};

/// Rows under a heading. Its width depends on its cells alone, never on a terminal.
#[derive(Clone, Debug)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns that are aligned left; all others are aligned right.
    left: Vec<String>,
    /// Blanks between two columns.
    gap: usize,
}

impl Table {
    /// A table with these columns and no row. The first column is aligned left.
    pub fn new(heading: impl IntoIterator<Item: Into<String>>) -> Self {
        let heading: Vec<String> = heading.into_iter().map(Into::into).collect();
        let left = heading.first().cloned().into_iter().collect();
        Self { heading, rows: Vec::new(), left, gap: 2 }
    }

    /// Aligns these columns left, too.
    pub fn align_left<const N: usize>(&mut self, columns: [&str; N]) {
        self.left.extend(columns.map(str::to_owned));
    }

    /// Sets columns one blank apart; two are the default.
    pub fn narrow(&mut self) {
        self.gap = 1;
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has not as many cells as the heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.heading.len(), "a row has one cell for each column");
        self.rows.push(cells);
    }

    /// Drops a column in which no row has anything but `empty`.
    pub fn drop_if_all(&mut self, column: &str, empty: &str) {
        let Some(index) = self.heading.iter().position(|name| name == column) else { return };
        if self.rows.iter().all(|row| row[index] == empty) {
            self.heading.remove(index);
            self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
        }
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.heading.len()
    }

    /// Writes the table, each line ended.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, style: Style) -> fmt::Result {
        let mut builder = Builder::with_capacity(self.rows.len() + 1, self.heading.len());
        builder.push_record(&self.heading);
        self.rows.iter().for_each(|row| builder.push_record(row));
        let mut table = builder.build();
        table
            .with(tabled::settings::Style::empty())
            .with(Padding::new(0, self.gap, 0, 0))
            .with(Alignment::right());
        for (index, name) in self.heading.iter().enumerate() {
            if self.left.contains(name) {
                table.modify(Columns::one(index), Alignment::left());
            }
        }
        let text = table.to_string();
        let mut lines = text.lines().map(str::trim_end);
        let heading = lines.next().unwrap_or_default();
        writeln!(out, "{}", style.paint(Paint::Heading, heading))?;
        lines.try_for_each(|line| writeln!(out, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table, style: Style) -> String {
        let mut out = String::new();
        table.write(&mut out, style).expect("a string takes everything");
        out
    }

    #[test]
    fn columns_line_up_and_empty_ones_go() {
        let mut table = Table::new(["name", "lost", "copies"]);
        table.row(["p0".into(), "0".into(), "1,000".into()]);
        table.row(["long-name".into(), "0".into(), "7".into()]);
        table.drop_if_all("lost", "0");
        table.drop_if_all("copies", "0");
        let text = written(&table, Style::Plain);
        assert_eq!(text, "name       copies\np0          1,000\nlong-name       7\n");
    }

    #[test]
    fn colour_takes_no_room() {
        let table = |style: Style| {
            let mut table = Table::new(["name", "state", "more"]);
            table.align_left(["state"]);
            for (name, paint) in [("p0", Paint::Good), ("long-name", Paint::Bad)] {
                let cell = style.paint(paint, "painted").to_string();
                table.row([name.into(), cell, "7".into()]);
            }
            written(&table, style)
        };
        let coloured = table(Style::Colour);
        assert!(coloured.contains("\x1b[32mpainted\x1b[0m"), "{coloured:?}");
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, table(Style::Plain));
    }
}
