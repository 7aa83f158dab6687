//! Values out of a CSV file with a head line, or out of a JSONL file of objects.

use std::path::Path;

use serde_json::{Map, Value};

/// The rows of a file, each with its columns by name. Values of CSV are text; those of JSONL keep their type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    rows: Vec<Map<String, Value>>,
}

impl Rows {
    /// Reads a file by its ending.
    ///
    /// # Errors
    /// What is wrong with it, with the line where there is one.
    pub fn read(path: &Path) -> Result<Self, (Option<usize>, String)> {
        let text = std::fs::read_to_string(path).map_err(|error| (None, error.to_string()))?;
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Self::csv(&text),
            Some("jsonl" | "ndjson") => Self::jsonl(&text),
            _ => Err((None, "must end in .csv (with a head line) or .jsonl".into())),
        }
    }

    fn csv(text: &str) -> Result<Self, (Option<usize>, String)> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head = reader
            .headers()
            .map_err(|error| (Some(1), error.to_string()))?
            .clone();
        let mut rows = Vec::new();
        for (record, line) in reader.records().zip(2..) {
            let record = record.map_err(|error| (Some(line), error.to_string()))?;
            let cells = head.iter().zip(record.iter());
            rows.push(
                cells
                    .map(|(name, cell)| (name.to_owned(), cell.into()))
                    .collect(),
            );
        }
        Self { rows }.filled()
    }

    fn jsonl(text: &str) -> Result<Self, (Option<usize>, String)> {
        let lines = text
            .lines()
            .zip(1..)
            .filter(|(line, _)| !line.trim().is_empty());
        let rows = lines.map(|(line, number)| {
            serde_json::from_str(line)
                .map_err(|error| (Some(number), format!("no JSON object: {error}")))
        });
        let rows = rows.collect::<Result<_, _>>()?;
        Self { rows }.filled()
    }

    fn filled(self) -> Result<Self, (Option<usize>, String)> {
        if self.rows.is_empty() {
            return Err((None, "has no rows".into()));
        }
        Ok(self)
    }

    /// How many there are; at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never: a file without rows is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of the first row's columns.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        let first = self.rows.first();
        first.map_or_else(Vec::new, |row| row.keys().map(String::as_str).collect())
    }

    /// A value of the row at `index`, counted around; null where this row has no such column.
    #[must_use]
    pub fn value(&self, index: usize, column: &str) -> Value {
        let row = &self.rows[index % self.rows.len()];
        row.get(column).cloned().unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_values() {
        let csv = Rows::csv("name,age\nAnna,1\n\"B, C\",2\n").unwrap();
        let jsonl = Rows::jsonl("{\"name\":\"Anna\",\"age\":1}\n\n{\"name\":\"B, C\",\"age\":2}\n")
            .unwrap();
        assert_eq!(csv.value(3, "name"), "B, C");
        assert_eq!(jsonl.value(1, "name"), "B, C");
        assert_eq!(
            (csv.value(0, "age"), jsonl.value(0, "age")),
            ("1".into(), 1.into())
        );
        assert_eq!(jsonl.columns(), ["age", "name"]);
        assert_eq!(Rows::jsonl("{}\n[]\n").unwrap_err().0, Some(2));
        assert_eq!(Rows::csv("a\n").unwrap_err().1, "has no rows");
    }
}
