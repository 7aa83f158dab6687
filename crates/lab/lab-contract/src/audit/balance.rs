//! The audit of balances: as many as were answered were counted by the service, and a sample of accounts is answered as
//! the table has them.

use anyhow::{Context, Result};
use lab_model::scenario::Scenario;
use lab_model::seeded;
use serde_json::json;

use super::claims::Claims;
use super::subject::{Audited, Baseline, Fault, Subject};
use crate::verify::BalanceClient;

/// Requests that a read of the database answered.
const COUNTED: &str = "balance_requests_total";
/// Those reads.
const READS: &str = "balance_reads_total";

/// Every Nth of the seeded accounts is asked for after the run.
const SAMPLE_STEP: usize = 50;

pub(super) async fn audit(
    subject: Subject<'_>,
    baseline: &Baseline,
    claims: &Claims,
) -> Result<Audited> {
    let sent = claims.counts;
    // Before the sample is asked for, which the service counts too.
    let (counted, reads) = match (&baseline.0, subject.counters) {
        (Some(before), Some(at)) => {
            let now = at.read().await?;
            (
                Some(now.since(before, COUNTED)?),
                Some(now.since(before, READS)?),
            )
        }
        _ => (None, None),
    };
    let Sample {
        accounts: sampled,
        differing,
        bytes,
    } = sample(subject).await?;
    let stats = json!({
        "counted_by_service": counted, "database_reads": reads, "sampled": sampled, "differing": differing.len(),
        "payload_bytes": bytes,
    });
    let counts = (sent.acknowledged, sent.in_doubt(), counted);
    Ok(judge(counts, (sampled, &differing), stats))
}

/// Accounts that were asked for after the run.
struct Sample {
    accounts: usize,
    /// Which were not answered as the table has them.
    differing: Vec<String>,
    /// Of an answer, without headers and framing: the mean. None where nothing was answered.
    bytes: Option<f64>,
}

/// Asks for accounts over the target's protocol and compares them with the table.
async fn sample(subject: Subject<'_>) -> Result<Sample> {
    let database = subject
        .database
        .context("there is no application database")?;
    let places = (0..seeded::ACCOUNTS).step_by(SAMPLE_STEP);
    let ids: Vec<String> = places.map(seeded::account_id).collect();
    let rows = database.accounts(&ids).await?;
    let client = BalanceClient::connect(subject.target, subject.at).await?;
    let mut differing = Vec::new();
    let mut bytes = Vec::new();
    for row in &rows {
        match client.sized_balance(&row.id).await {
            Ok((found, size)) if found == *row => bytes.push(size),
            _ => differing.push(row.id.clone()),
        }
    }
    Ok(Sample {
        accounts: rows.len(),
        differing,
        bytes: (!bytes.is_empty()).then(|| bytes.iter().sum::<usize>() as f64 / bytes.len() as f64),
    })
}

fn judge(
    (answered, in_doubt, counted): (i64, i64, Option<i64>),
    (sampled, differing): (usize, &[String]),
    stats: serde_json::Value,
) -> Audited {
    let fault = match (counted, differing.first()) {
        (Some(counted), _) if counted < answered => Some(Fault::new("lost")),
        (Some(counted), _) if counted > answered + in_doubt => Some(Fault::new("surplus")),
        (_, Some(first)) => Some(
            Fault::new("differing")
                .with("differing", differing.len())
                .with("first", first.as_str()),
        ),
        _ if sampled == 0 => Some(Fault::new("none_sampled")),
        _ => None,
    };
    let counts = (answered, in_doubt, counted);
    Audited::of(Scenario::Balance, counts, fault, Some(stats)).with("sampled", sampled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answered: i64, in_doubt: i64, counted: i64, differing: &[String]) -> Audited {
        let counts = (answered, in_doubt, Some(counted));
        judge(counts, (200, differing), json!({}))
    }

    #[test]
    fn counts_and_sample_must_both_hold() {
        let good = judged(5, 0, 5, &[]);
        assert!(good.passed && good.facts["sampled"] == 200, "{good:?}");
        assert!(judged(5, 2, 6, &[]).passed);
        for (bad, fault) in [
            (judged(5, 0, 4, &[]), "lost"),
            (judged(5, 1, 9, &[]), "surplus"),
            (judged(5, 0, 5, &["0.0.100050".into()]), "differing"),
        ] {
            assert!(!bad.passed && !bad.counts.unwrap().passed);
            assert_eq!(bad.facts["fault"], fault);
        }
        let empty = judge((5, 0, None), (0, &[]), json!({}));
        assert!(!empty.passed && empty.counts.is_none());
        let uncounted = judge((5, 0, None), (200, &[]), json!({}));
        assert!(uncounted.passed && uncounted.facts["stored"].is_null());
    }
}
