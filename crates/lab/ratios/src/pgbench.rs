//! pgbench as the other side: one prepared statement per transaction, an upsert as the services make it, or a select
//! by primary key.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use lab_host::child_environment;

use load_engine::cpu;
use load_engine::events::ledger::SLOTS;
use load_engine::events::template::{keyed_attribute_text, slot_name};

/// What a run of pgbench said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PgbenchResult {
    /// Transactions a second, without the time of connecting.
    pub(crate) rate: f64,
    /// Mean latency, milliseconds.
    pub(crate) latency_ms: f64,
    /// Transactions that were committed.
    pub(crate) transactions: u64,
    /// CPU-seconds of pgbench itself.
    pub(crate) cpu_seconds: f64,
}

/// Rows of a multi-row upsert.
pub(crate) const ROWS: u32 = 256;

/// The mark that the document carries.
const FIRST_SLOT: u32 = 1;

/// What each transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// The producers' statement, over this many keys.
    Upsert { keys: u32 },
    /// The same statement for [`ROWS`] rows at a time; a key that is drawn twice is written once.
    MultiRow { keys: u32 },
    /// One of the seeded accounts by its primary key.
    SelectAccount,
}

impl Script {
    fn text(self) -> String {
        match self {
            Self::Upsert { keys } => format!(
                "\\set key random(0, {})\n\
                 INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)\n\
                 VALUES ('Car', 'car-pgbench-' || :key::text, now(), now(), :attributes::text::jsonb)\n\
                 ON CONFLICT (entity_type, id) DO UPDATE\n\
                 SET data = entity.data || excluded.data, updated_at = excluded.updated_at;\n",
                keys - 1
            ),
            // Keys in random order, as those of events; sorted, so that all statements lock in one order. The document is
            // made once a statement and grows by a mark of sixteen in turn, as those of audited events do.
            Self::MultiRow { keys } => format!(
                "\\set slot random(0, {})\n\
                 WITH event AS MATERIALIZED (\n\
                 SELECT replace(:attributes::text, '\"{}\"', '\"e' || lpad(:slot::text, 2, '0') || '\"') AS attributes)\n\
                 INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)\n\
                 SELECT 'Car', 'car-pgbench-' || key, now(), now(), event.attributes::jsonb\n\
                 FROM (SELECT DISTINCT floor(random() * {keys})::int AS key\n\
                 FROM generate_series(1, {ROWS}) ORDER BY 1) AS keys, event\n\
                 ON CONFLICT (entity_type, id) DO UPDATE\n\
                 SET data = entity.data || excluded.data, updated_at = excluded.updated_at;\n",
                SLOTS - 1,
                slot_name(FIRST_SLOT),
            ),
            Self::SelectAccount => "\\set number random(100000, 109999)\n\
                 SELECT account_id, balance_tinybar, updated_at FROM accounts\n\
                 WHERE account_id = '0.0.' || :number::text;\n"
                .into(),
        }
    }
}

/// Where and how to run it.
pub(crate) struct Pgbench<'a> {
    pub(crate) program: &'a Path,
    pub(crate) port: u16,
    pub(crate) clients: u32,
    pub(crate) script: Script,
    /// For its script.
    pub(crate) folder: &'a Path,
}

impl Pgbench<'_> {
    /// Runs for `seconds`.
    pub(crate) async fn run(&self, seconds: u32) -> anyhow::Result<PgbenchResult> {
        let script = self.folder.join("pgbench.sql");
        std::fs::write(&script, self.script.text())?;
        let mut command = tokio::process::Command::from(self.command(&script, seconds));
        let before = cpu::of_ended_children();
        let output = command
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start pgbench")?;
        let cpu_seconds = cpu::of_ended_children() - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "pgbench failed: {errors}");
        let result = parse(&text, cpu_seconds);
        result.with_context(|| format!("pgbench said something unexpected:\n{text}{errors}"))
    }

    fn command(&self, script: &Path, seconds: u32) -> Command {
        let mut command = Command::new(self.program);
        child_environment::clean(&mut command)
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--host=127.0.0.1",
                "--username=postgres",
            ])
            .arg(format!("--port={}", self.port))
            .arg(format!("--client={}", self.clients))
            .arg(format!("--jobs={}", self.clients.min(2)))
            .arg(format!("--time={seconds}"))
            .arg(format!(
                "--define=attributes={}",
                keyed_attribute_text("pgbench", &slot_name(FIRST_SLOT))
            ))
            .arg(format!("--file={}", script.display()))
            .arg(crate::postgres::DATABASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

fn parse(text: &str, cpu_seconds: f64) -> Option<PgbenchResult> {
    let number = |before: &str| {
        let rest = &text[text.find(before)? + before.len()..];
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    // "10/10" where a count of transactions was asked for; here it is one number.
    let transactions = number("number of transactions actually processed: ")?;
    // Not printed before version 15.
    let failed = number("number of failed transactions: ").unwrap_or(0.0);
    (failed == 0.0).then_some(PgbenchResult {
        rate: number("tps = ")?,
        latency_ms: number("latency average = ")?,
        transactions: transactions as u64,
        cpu_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "pgbench (15.12)\nnumber of clients: 50\n\
        number of transactions actually processed: 141600\n\
        number of failed transactions: 0 (0.000%)\nlatency average = 2.823 ms\n\
        initial connection time = 61.2 ms\ntps = 17712.530 (without initial connection time)\n";

    #[test]
    fn its_output_is_understood() {
        let expected = PgbenchResult {
            rate: 17712.53,
            latency_ms: 2.823,
            transactions: 141_600,
            cpu_seconds: 1.5,
        };
        assert_eq!(parse(OUTPUT, 1.5), Some(expected));
    }

    #[test]
    fn failed_transactions_are_no_result() {
        assert_eq!(
            parse(&OUTPUT.replace("transactions: 0", "transactions: 3"), 1.5),
            None
        );
    }
}
