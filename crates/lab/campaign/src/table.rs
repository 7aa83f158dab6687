//! What came of it, as a table in Markdown.

use std::time::Duration;

use crate::load::kept::Findings;
use crate::scenario::{Done, Kind};

/// The rounds of one scenario.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) rounds: u64,
    pub(crate) done: Done,
    pub(crate) acknowledged: u64,
    pub(crate) failed: u64,
    pub(crate) findings: Findings,
}

impl Row {
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_clean() && self.done.broken.is_empty()
    }

    fn line(&self) -> String {
        if let Some(why) = &self.done.left_out {
            return format!("| {} | left out: {why} | | | | | | |", self.name);
        }
        let broken = self.findings.broken.len() + self.done.broken.len();
        format!(
            "| {} | {} {} | {} | {} | {} | {} | {} | {} |",
            self.name,
            self.done.acts,
            self.kind.unit(),
            self.acknowledged,
            self.failed,
            self.findings.lost,
            self.findings.repeated,
            seconds(self.done.slowest),
            broken
        )
    }
}

/// The whole table.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| scenario | done | acknowledged | not acknowledged | lost | twice or foreign | health back after, at most | other promises broken |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows.iter().filter(|row| row.rounds > 0) {
        text.push_str(&row.line());
        text.push('\n');
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_promise_shows() {
        let mut row = Row {
            kind: Kind::KillServices,
            name: "kill-services".to_owned(),
            rounds: 1,
            done: Done {
                acts: 7,
                slowest: Duration::from_millis(1260),
                ..Done::default()
            },
            acknowledged: 100,
            failed: 3,
            findings: Findings::default(),
        };
        assert!(row.is_clean());
        row.findings.lost = 1;
        assert!(!row.is_clean());
        let line = "| kill-services | 7 kills | 100 | 3 | 1 | 0 | 1.3 s | 0 |";
        assert!(table(&[row]).ends_with(&format!("{line}\n")));
    }
}
