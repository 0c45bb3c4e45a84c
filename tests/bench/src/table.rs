//! Plain tables, readable in a terminal and in a text file: the first column to the left, figures to the right.

use std::fmt::Write as _;
use std::io::Write as _;

/// A table that is printed when it is whole.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { rows: vec![columns.iter().map(|&column| column.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self) {
        line(&self.text());
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut padded = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let written = match index {
                    0 => write!(padded, "{cell:<width$}"),
                    _ => write!(padded, "  {cell:>width$}"),
                };
                written.expect("a string takes everything");
            }
            text.push_str("  ");
            text.push_str(padded.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A line on standard output. A reader that has gone away (`| head`) is no reason to stop measuring.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// `12345.6` as `12,346`.
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.423` as `42 %`.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_below_each_other() {
        let mut table = Table::new(&["what", "events/s"]);
        table.row(vec!["a".to_owned(), count(1_234_567.4)]);
        table.row(vec!["longer".to_owned(), count(999.6)]);
        assert_eq!(table.text(), "  what     events/s\n  a       1,234,567\n  longer      1,000\n");
    }
}
