//! The audit of the event log: every record that was acknowledged can be read, once, in the order in which its virtual
//! user sent it; a chain verifies besides.

use std::collections::HashMap;

use anyhow::{Context, Result};
use lab_model::scenario::Scenario;
use serde::Deserialize;
use serde_json::json;

use super::claims::{Claims, Counts};
use super::subject::{Audited, Fault, Subject};
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
                Ok(_) if !linked => Err(Fault::new("unlinked")),
                Ok(count) => Err(Fault::new("unverified").with("verified", count)),
                Err(error) => Err(Fault::new("chain").with("error", format!("{error:#}"))),
            });
        }
    }
    Ok(judge(&claims.counts, &found, chain))
}

fn judge(sent: &Counts, found: &Found, chain: Option<std::result::Result<u64, Fault>>) -> Audited {
    let (acknowledged, in_doubt, stored) = (sent.acknowledged, sent.in_doubt(), found.records);
    let kind = if chain.is_some() { "chain" } else { "topic" };
    let stats = json!({
        "read_back": stored, "disordered": found.disordered,
        "chain_verified": chain.as_ref().map(std::result::Result::is_ok),
    });
    let fault = if let Some(Err(fault)) = chain {
        Some(fault)
    } else if found.foreign > 0 {
        Some(Fault::new("foreign").with("foreign", found.foreign))
    } else if found.disordered > 0 {
        Some(Fault::new("disordered").with("disordered", found.disordered))
    } else if stored < acknowledged {
        Some(Fault::new("lost"))
    } else if stored > acknowledged + in_doubt {
        Some(Fault::new("surplus"))
    } else {
        None
    };
    let counts = (acknowledged, in_doubt, Some(stored));
    Audited::of(Scenario::Log, counts, fault, Some(stats)).with("kind", kind)
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

        let torn = Some(Err(Fault::new("chain").with("error", "torn")));
        let swapped = found(&[("r", 1, 2), ("r", 1, 1)]);
        let again = found(&[("r", 1, 1), ("r", 1, 1)]);
        let foreign = found(&[("r", 1, 1), ("q", 1, 1)]);
        let cases = [
            (judge(&sent(4, 4), &whole, None), "lost"),
            (judge(&sent(2, 2), &whole, None), "surplus"),
            (judge(&sent(3, 3), &whole, torn), "chain"),
            (judge(&sent(2, 2), &swapped, None), "disordered"),
            (judge(&sent(2, 2), &again, None), "disordered"),
            (judge(&sent(1, 2), &foreign, None), "foreign"),
        ];
        for (bad, fault) in cases {
            assert!(!bad.passed && !bad.counts.unwrap().passed);
            assert_eq!(bad.facts["fault"], fault);
        }
        let mut garbage = Found::default();
        garbage.take("r", [&b"no json"[..]].into_iter());
        assert_eq!((garbage.records, garbage.foreign), (0, 1));
    }
}
