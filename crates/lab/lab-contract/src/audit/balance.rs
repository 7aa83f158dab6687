//! The audit of balances: as many as were answered were counted by the service, and a sample of accounts is answered as
//! the table has them.

use anyhow::{Context, Result};
use lab_model::seeded;
use serde_json::json;

use super::claims::Claims;
use super::subject::{Audited, Baseline, Comparison, Subject};
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
    let counts = counted.map(|n| Comparison::of(sent.acknowledged, sent.in_doubt(), n));
    let stats = json!({
        "counted_by_service": counted, "database_reads": reads, "sampled": sampled, "differing": differing.len(),
        "payload_bytes": bytes,
    });
    Ok(judge(
        sent.acknowledged,
        sent.in_doubt(),
        counts,
        (sampled, &differing),
        stats,
    ))
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
    answered: i64,
    in_doubt: i64,
    counts: Option<Comparison>,
    (sampled, differing): (usize, &[String]),
    stats: serde_json::Value,
) -> Audited {
    let broken = match &counts {
        Some(counts) if !counts.passed && counts.stored < answered => Some(format!(
            "{answered} balances were answered, and the service counted {} requests that a read of its database \
             answered.",
            counts.stored
        )),
        Some(counts) if !counts.passed => Some(format!(
            "the service answered {} requests from its database, but only {answered} balances were received and \
             {in_doubt} are in doubt.",
            counts.stored
        )),
        _ => differing.first().map(|first| {
            format!(
                "{} of {sampled} accounts were answered after the run with other than the table has, {first} the \
                 first.",
                differing.len()
            )
        }),
    };
    let broken = broken.or_else(|| {
        (sampled == 0).then(|| "none of the seeded accounts is in the table.".to_owned())
    });
    let counted = match &counts {
        Some(counts) if in_doubt == 0 => format!(
            "{answered} balances were answered; the service counted {} requests answered from its database.",
            counts.stored
        ),
        Some(counts) => format!(
            "{answered} balances were answered, {in_doubt} requests are in doubt; the service counted {} answered \
             from its database.",
            counts.stored
        ),
        None => {
            format!("{answered} balances were answered; what the service counted is not known.")
        }
    };
    let good = format!(
        "{counted} After the run {sampled} accounts were asked for over the same protocol and compared with the table: \
         all are as it has them."
    );
    Audited::of(counts, broken, good, stats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answered: i64, in_doubt: i64, counted: i64, differing: &[String]) -> Audited {
        let counts = Some(Comparison::of(answered, in_doubt, counted));
        judge(answered, in_doubt, counts, (200, differing), json!({}))
    }

    #[test]
    fn counts_and_sample_must_both_hold() {
        let good = judged(5, 0, 5, &[]);
        assert!(
            good.passed && good.sentence.contains("200 accounts"),
            "{good:?}"
        );
        assert!(judged(5, 2, 6, &[]).passed);
        for (bad, word) in [
            (judged(5, 0, 4, &[]), "service counted 4"),
            (judged(5, 1, 9, &[]), "answered 9"),
            (judged(5, 0, 5, &["0.0.100050".into()]), "0.0.100050"),
        ] {
            assert!(!bad.passed && !bad.counts.unwrap().passed);
            assert!(bad.sentence.contains(word), "{}", bad.sentence);
        }
        let empty = judge(5, 0, None, (0, &[]), json!({}));
        assert!(!empty.passed && empty.counts.is_none());
        let uncounted = judge(5, 0, None, (200, &[]), json!({}));
        assert!(uncounted.passed && uncounted.sentence.contains("not known"));
    }
}
