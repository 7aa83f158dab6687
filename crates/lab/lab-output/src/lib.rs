//! What the lab's commands print: lines, tables, JSON. They write to standard output here alone; the display of a session is
//! that of `lab-bench`.
//!
//! - this file: lines, JSON, and the table
//! - [`words`]: figures in words

pub mod words;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use anyhow::Result;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};
use serde::Serialize;

pub use words::{counted, duration, thousands};

/// Why standard output took something not, if so; the first time counts.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Prints a line. A reader that goes away (`weir runs list | head`) is no error; what else fails is kept for [`failure`].
pub fn line(text: &str) {
    if let Err(error) = write_line(io::stdout().lock(), text) {
        // Only the first is wanted.
        drop(FAILURE.set(error));
    }
}

/// Why something that was printed is not there, a full disk say.
pub fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}

/// Prints a line to standard error. A reader that goes away (`weir feed 2>&1 | head`) is no error, and no reason to stop; there
/// is nobody left to tell of another.
pub fn error_line(text: &str) {
    drop(write_line(io::stderr().lock(), text));
}

fn write_line(mut out: impl Write, text: &str) -> io::Result<()> {
    let written = out
        .write_all(format!("{text}\n").as_bytes())
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            tracing::trace!(%error, "nobody reads the output");
            Ok(())
        }
        written => written,
    }
}

/// Prints a value as indented JSON.
pub fn json<T: Serialize>(value: &T) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table without lines, its columns two spaces apart.
pub struct Table(comfy_table::Table);

impl Table {
    /// A table of these columns.
    pub fn new(headers: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(NOTHING)
            .set_header(headers.iter().map(|h| h.to_uppercase()));
        if let Some(width) = terminal_width() {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        Self(table)
    }

    /// Aligns columns of numbers to the right.
    #[must_use]
    pub fn numbers(mut self, columns: &[usize]) -> Self {
        for column in columns {
            if let Some(column) = self.0.column_mut(*column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Adds a row.
    pub fn row<I, S>(&mut self, cells: I)
    where
        I: IntoIterator<Item = S>,
        S: ToString,
    {
        self.0.add_row(
            cells
                .into_iter()
                .map(|cell| cell.to_string())
                .collect::<Vec<_>>(),
        );
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each cell has a blank at either side; the one at the line's beginning is of no use.
        let lines: Vec<String> = self
            .0
            .lines()
            .map(|line| {
                line.strip_prefix(' ')
                    .unwrap_or(&line)
                    .trim_end()
                    .to_owned()
            })
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Columns of the terminal; none where standard output is none.
pub fn terminal_width() -> Option<u16> {
    if !io::stdout().is_terminal() {
        return None;
    }
    crossterm::terminal::size()
        .ok()
        .map(|(columns, _)| columns)
        .filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_trailing_blanks() {
        let mut table = Table::new(&["Name", "Count"]);
        table.row(["a", "1"]);
        table.row(["bbb", "22"]);
        let text = table.to_string();
        assert_eq!(
            text,
            "NAME  COUNT
a     1
bbb   22"
        );
    }
}
