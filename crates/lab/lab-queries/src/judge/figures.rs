//! The CSV file as sessions of rounds. A file that is wrong is refused whole, with the line and the column.

use std::collections::HashMap;
use std::fmt;

/// Rounds that a session may have: the interval's memory grows with their square.
const MAX_ROUNDS: usize = 5_000;
/// Columns that are no figures.
const KNOWN: [&str; 5] = ["round", "target", "payload", "valid", "session"];

/// All that the file holds.
#[derive(Debug)]
pub(super) struct Table {
    /// Names of the figures, in the order of the columns.
    pub(super) figures: Vec<String>,
    /// Sessions in order of first appearance; one without a name where the file has no such column.
    pub(super) sessions: Vec<Session>,
}

/// One session: judged alone.
#[derive(Debug)]
pub(super) struct Session {
    /// Its name; none where the file has no column for it.
    pub(super) name: Option<String>,
    /// Targets in order of first appearance.
    pub(super) targets: Vec<String>,
    /// Payloads in order of first appearance.
    pub(super) payloads: Vec<Payload>,
}

/// The rounds of a session under one payload.
#[derive(Debug)]
pub(super) struct Payload {
    /// Its name; none where the file has no column for it.
    pub(super) name: Option<String>,
    /// Rounds in order of first appearance.
    pub(super) rounds: Vec<Round>,
}

/// One round.
#[derive(Debug)]
pub(super) struct Round {
    /// Its name.
    pub(super) name: String,
    /// Its trials in the order of the file.
    pub(super) trials: Vec<Trial>,
}

/// One row.
#[derive(Debug)]
pub(super) struct Trial {
    /// Index into the session's targets.
    pub(super) target: usize,
    /// The trial counts.
    pub(super) valid: bool,
    /// A value for each figure; none where the cell is empty.
    pub(super) figures: Vec<Option<f64>>,
}

/// What is wrong with the file, and where.
#[derive(Debug)]
pub(super) struct WrongFile(String);

impl WrongFile {
    pub(super) fn unreadable(error: &std::io::Error) -> Self {
        Self(format!("cannot be read: {error}"))
    }

    pub(super) fn not_utf8(error: &std::string::FromUtf8Error) -> Self {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self(format!("line {line}: not UTF-8"))
    }

    fn at(line: u64, column: &str, what: impl fmt::Display) -> Self {
        Self(format!("line {line}, column {column:?}: {what}"))
    }

    fn in_line(line: u64, what: impl fmt::Display) -> Self {
        Self(format!("line {line}: {what}"))
    }
}

impl fmt::Display for WrongFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where each column stands.
struct Columns {
    round: usize,
    target: usize,
    payload: Option<usize>,
    valid: Option<usize>,
    session: Option<usize>,
    /// Name and place of each figure.
    figures: Vec<(String, usize)>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, WrongFile> {
        for (place, name) in header.iter().enumerate() {
            if name.is_empty() {
                return Err(WrongFile::in_line(
                    1,
                    format!("column {} has no name", place + 1),
                ));
            }
            if header.iter().take(place).any(|earlier| earlier == name) {
                return Err(WrongFile::at(1, name, "stands twice"));
            }
        }
        let find = |wanted: &str| header.iter().position(|name| name == wanted);
        let require = |wanted: &str| {
            find(wanted).ok_or_else(|| {
                WrongFile::at(
                    1,
                    wanted,
                    "is missing; `round`, `target` and at least one figure are needed",
                )
            })
        };
        let figures: Vec<(String, usize)> = header
            .iter()
            .enumerate()
            .filter(|(_, name)| !KNOWN.contains(name))
            .map(|(place, name)| (name.to_owned(), place))
            .collect();
        let columns = Self {
            round: require("round")?,
            target: require("target")?,
            payload: find("payload"),
            valid: find("valid"),
            session: find("session"),
            figures,
        };
        if columns.figures.is_empty() {
            return Err(WrongFile::in_line(1, "no column holds a figure"));
        }
        Ok(columns)
    }
}

/// Reads the whole file.
pub(super) fn parse(text: &str) -> Result<Table, WrongFile> {
    // Spreadsheets begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let columns = Columns::of(reader.headers().map_err(broken)?)?;
    let mut building = Building::default();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let line = record.position().map_or(0, csv::Position::line);
        building.add(&columns, &record, line)?;
    }
    if building.sessions.is_empty() {
        return Err(WrongFile::in_line(2, "there are no rows"));
    }
    Ok(Table {
        figures: columns.figures.into_iter().map(|(name, _)| name).collect(),
        sessions: building.sessions,
    })
}

fn broken(error: csv::Error) -> WrongFile {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => WrongFile::in_line(
            line,
            format!("{len} cells where the first line has {expected_len} columns"),
        ),
        _ => WrongFile::in_line(line, error),
    }
}

/// The table while rows come in; the maps find what a row belongs to.
#[derive(Default)]
struct Building {
    sessions: Vec<Session>,
    by_session: HashMap<String, usize>,
    by_target: HashMap<(usize, String), usize>,
    by_payload: HashMap<(usize, String), usize>,
    by_round: HashMap<(usize, usize, String), usize>,
}

impl Building {
    fn add(
        &mut self,
        columns: &Columns,
        record: &csv::StringRecord,
        line: u64,
    ) -> Result<(), WrongFile> {
        let name = |place: usize, column: &str| match record.get(place) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(WrongFile::at(line, column, "is empty")),
        };
        let optional =
            |place: Option<usize>, column: &str| place.map(|p| name(p, column)).transpose();
        let session = self.session(optional(columns.session, "session")?);
        let target = self.target(session, name(columns.target, "target")?);
        let payload = self.payload(session, optional(columns.payload, "payload")?);
        let round = name(columns.round, "round")?;
        let found = self.round(session, payload, round.clone());
        let valid = match columns.valid.and_then(|place| record.get(place)) {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => {
                return Err(WrongFile::at(
                    line,
                    "valid",
                    format!("{other:?} is neither true nor false"),
                ));
            }
        };
        let figures = columns
            .figures
            .iter()
            .map(|(name, place)| figure(record.get(*place).unwrap_or(""), name, line))
            .collect::<Result<_, _>>()?;
        let held = &mut self.sessions[session];
        let rounds = &mut held.payloads[payload].rounds;
        if rounds.len() > MAX_ROUNDS {
            return Err(WrongFile::at(
                line,
                "round",
                format!("more than {MAX_ROUNDS} rounds in a session"),
            ));
        }
        let trials = &mut rounds[found].trials;
        if trials.iter().any(|trial| trial.target == target) {
            let who = &held.targets[target];
            return Err(WrongFile::at(
                line,
                "target",
                format!("{who:?} stands twice in round {round:?}"),
            ));
        }
        trials.push(Trial {
            target,
            valid,
            figures,
        });
        Ok(())
    }

    fn session(&mut self, name: Option<String>) -> usize {
        let next = self.sessions.len();
        let key = name.clone().unwrap_or_default();
        let index = *self.by_session.entry(key).or_insert(next);
        if index == next {
            self.sessions.push(Session {
                name,
                targets: Vec::new(),
                payloads: Vec::new(),
            });
        }
        index
    }

    fn target(&mut self, session: usize, name: String) -> usize {
        let targets = &mut self.sessions[session].targets;
        let next = targets.len();
        let index = *self
            .by_target
            .entry((session, name.clone()))
            .or_insert(next);
        if index == next {
            targets.push(name);
        }
        index
    }

    fn payload(&mut self, session: usize, name: Option<String>) -> usize {
        let payloads = &mut self.sessions[session].payloads;
        let next = payloads.len();
        let key = (session, name.clone().unwrap_or_default());
        let index = *self.by_payload.entry(key).or_insert(next);
        if index == next {
            let rounds = Vec::new();
            payloads.push(Payload { name, rounds });
        }
        index
    }

    fn round(&mut self, session: usize, payload: usize, name: String) -> usize {
        let rounds = &mut self.sessions[session].payloads[payload].rounds;
        let next = rounds.len();
        let index = *self
            .by_round
            .entry((session, payload, name.clone()))
            .or_insert(next);
        if index == next {
            let trials = Vec::new();
            rounds.push(Round { name, trials });
        }
        index
    }
}

fn figure(cell: &str, column: &str, line: u64) -> Result<Option<f64>, WrongFile> {
    if cell.is_empty() {
        return Ok(None);
    }
    let wrong = |what: &str| Err(WrongFile::at(line, column, format!("{cell:?} {what}")));
    match cell.parse::<f64>() {
        Ok(value) if !value.is_finite() => wrong("is not a finite number"),
        Ok(value) if value < 0.0 => wrong("is negative: a ratio needs figures of zero or more"),
        Ok(value) => Ok(Some(value)),
        Err(_) => wrong("is not a number"),
    }
}

#[cfg(test)]
mod tests;
