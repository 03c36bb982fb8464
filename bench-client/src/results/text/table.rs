//! Columns as wide as what is in them.

use std::fmt;

/// Rows of cells, the first column to the left, two spaces between columns.
#[derive(Debug, Clone)]
pub struct Table {
    indent: usize,
    right: bool,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// All columns to the left.
    #[must_use]
    pub fn left(indent: usize) -> Self {
        Self {
            indent,
            right: false,
            rows: Vec::new(),
        }
    }

    /// Columns after the first to the right, for numbers.
    #[must_use]
    pub fn right(indent: usize) -> Self {
        Self {
            right: true,
            ..Self::left(indent)
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    }
}

impl fmt::Display for Table {
    /// Lines without spaces at their ends, and no line end after the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        for (i, row) in self.rows.iter().enumerate() {
            let mut line = " ".repeat(self.indent);
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let space = " ".repeat(width - cell.chars().count());
                if column > 0 {
                    line.push_str("  ");
                }
                if self.right && column > 0 {
                    line.extend([&space, cell.as_str()]);
                } else {
                    line.extend([cell.as_str(), &space]);
                }
            }
            let end = if i + 1 < self.rows.len() { "\n" } else { "" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["", "µs", "b"], ["longer", "1", "22"]];
        let fill = |mut table: Table| {
            rows.iter()
                .for_each(|row| table.row(row.map(str::to_owned).to_vec()));
            table.to_string()
        };
        assert_eq!(fill(Table::right(2)), "          µs   b\n  longer   1  22");
        assert_eq!(fill(Table::left(0)), "        µs  b\nlonger  1   22");
        assert_eq!(Table::left(3).to_string(), "");
    }
}
