//! The audit of the event log: every record that was acknowledged can be read, once, in the order in which its virtual
//! user sent it; a chain verifies besides.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::claims::{Claims, Counts};
use super::subject::{Audited, Comparison, Subject};
use crate::verify::LogClient;

/// Partitions of a run's topic, as the k6 script makes them.
const PARTITIONS: i32 = 4;

/// What the k6 scripts put into each record.
#[derive(Debug, Deserialize)]
struct Mark {
    run: String,
    vu: u64,
    n: u64,
}

/// What was read of a run.
#[derive(Debug, Default)]
struct Found {
    /// Of the run.
    records: i64,
    /// Not of the run, or unreadable.
    foreign: i64,
    /// Not after the record before it of the same virtual user: repeated, or out of order.
    disordered: i64,
    last: HashMap<u64, u64>,
}

impl Found {
    /// Takes the records of a partition in their order.
    fn take<'a>(&mut self, run: &str, records: impl Iterator<Item = &'a [u8]>) {
        for record in records {
            let mark = serde_json::from_slice::<Mark>(record);
            let Ok(mark) = mark.map_err(drop).and_then(|mark| match mark.run == run {
                true => Ok(mark),
                false => Err(()),
            }) else {
                self.foreign += 1;
                continue;
            };
            self.records += 1;
            let last = self.last.entry(mark.vu).or_default();
            if mark.n <= *last {
                self.disordered += 1;
            }
            *last = mark.n.max(*last);
        }
    }
}

pub(super) async fn audit(subject: Subject<'_>, claims: &Claims) -> Result<Audited> {
    let run = subject.run_label;
    let mut found = Found::default();
    let mut chain = None;
    match LogClient::connect(subject.target, subject.at).await? {
        LogClient::Topics(topics) => {
            for partition in 0..PARTITIONS {
                // A virtual user writes to one partition, so its records are in order there.
                let records = topics.read(run, partition).await;
                let records = records.with_context(|| format!("topic {run}"))?;
                found.take(run, records.iter().map(|record| &record.value[..]));
            }
        }
        LogClient::Chain(log) => {
            let entries = log
                .read(run)
                .await
                .with_context(|| format!("partition {run}"))?;
            found.take(run, entries.iter().map(|entry| entry.data.as_bytes()));
            let linked = entries
                .windows(2)
                .all(|pair| pair[1].seq == pair[0].seq + 1 && pair[1].prev_hash == pair[0].hash);
            let verified = log.verify(run).await;
            chain = Some(match verified {
                Ok(count) if linked && count == entries.len() as u64 => Ok(count),
                Ok(_) if !linked => {
                    Err("an entry does not hold the hash of the one before.".into())
                }
                Ok(count) => Err(format!("{count} of {} entries verify.", entries.len())),
                Err(error) => Err(format!("the chain does not verify: {error:#}.")),
            });
        }
    }
    Ok(judge(&claims.counts, &found, chain))
}

fn judge(sent: &Counts, found: &Found, chain: Option<std::result::Result<u64, String>>) -> Audited {
    let counts = Comparison::of(sent.acknowledged, sent.in_doubt(), found.records);
    let Comparison {
        acknowledged,
        in_doubt,
        stored,
        ..
    } = counts;
    let broken = if let Some(Err(what)) = &chain {
        Some(what.clone())
    } else if found.foreign > 0 {
        Some(format!(
            "{} records of the run's partitions are not the run's.",
            found.foreign
        ))
    } else if found.disordered > 0 {
        Some(format!(
            "{} of {stored} records are there again, or not in the order in which they were sent.",
            found.disordered
        ))
    } else if stored < acknowledged {
        let lost = acknowledged - stored;
        Some(format!(
            "{lost} of {acknowledged} acknowledged records are not in the log."
        ))
    } else if !counts.passed {
        Some(format!(
            "{stored} records are in the log, but only {acknowledged} were acknowledged and {in_doubt} are in doubt."
        ))
    } else {
        None
    };
    let doubt = if in_doubt > 0 {
        format!(", {in_doubt} are in doubt")
    } else {
        String::new()
    };
    let verified = if chain.is_some() {
        " The chain of hashes verifies."
    } else {
        " Each has its offset, without gaps."
    };
    let good = format!(
        "{acknowledged} records were acknowledged{doubt}; {stored} were read back, each once, those of a virtual user in \
         the order sent.{verified}"
    );
    let stats = json!({
        "read_back": stored, "disordered": found.disordered,
        "chain_verified": chain.map(|chain| chain.is_ok()),
    });
    Audited::of(Some(counts), broken, good, stats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(records: &[(&str, u64, u64)]) -> Found {
        let texts: Vec<String> = records
            .iter()
            .map(|(run, vu, n)| format!(r#"{{"run":"{run}","vu":{vu},"n":{n},"pad":"x"}}"#))
            .collect();
        let mut found = Found::default();
        found.take("r", texts.iter().map(String::as_bytes));
        found
    }

    fn sent(acknowledged: i64, sent: i64) -> Counts {
        Counts {
            sent,
            acknowledged,
            failed: 0,
        }
    }

    #[test]
    fn every_acknowledged_record_is_there_once_and_in_order() {
        let whole = found(&[("r", 1, 1), ("r", 2, 1), ("r", 1, 2)]);
        assert!(judge(&sent(3, 3), &whole, None).passed);
        // One that was not acknowledged may be there, or not.
        assert!(judge(&sent(2, 3), &whole, Some(Ok(3))).passed);
        let gap = found(&[("r", 1, 1), ("r", 1, 3)]);
        assert!(judge(&sent(2, 3), &gap, None).passed);

        let cases = [
            (judge(&sent(4, 4), &whole, None), "1 of 4 acknowledged"),
            (judge(&sent(2, 2), &whole, None), "3 records are in the log"),
            (
                judge(&sent(3, 3), &whole, Some(Err("torn.".into()))),
                "torn",
            ),
            (
                judge(&sent(2, 2), &found(&[("r", 1, 2), ("r", 1, 1)]), None),
                "1 of 2 records",
            ),
            (
                judge(&sent(2, 2), &found(&[("r", 1, 1), ("r", 1, 1)]), None),
                "there again",
            ),
            (
                judge(&sent(1, 2), &found(&[("r", 1, 1), ("q", 1, 1)]), None),
                "not the run's",
            ),
        ];
        for (bad, word) in cases {
            assert!(
                !bad.passed && bad.sentence.contains(word),
                "{word}: {}",
                bad.sentence
            );
        }
        let mut garbage = Found::default();
        garbage.take("r", [&b"no json"[..]].into_iter());
        assert_eq!((garbage.records, garbage.foreign), (0, 1));
    }
}
