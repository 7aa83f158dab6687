//! The audit: what the generator counted as done against what the target is seen to have done.
//!
//! - this file: what an audit says, and that of ingestion: events in the database
//! - `subject`: what an audit needs, and what it gives
//! - `balance`, `stream`, `log`: those of the other scenarios
//! - `claims`: what a generator says that it did; `counters`: what a service counted itself

mod balance;
mod claims;
mod counters;
mod log;
mod stream;
mod subject;

use anyhow::{Context, Result};
use lab_model::scenario::Scenario;

use crate::application_db::ApplicationDb;

pub use claims::{Claims, Counts, StreamClaims};
pub use counters::CountersAt;
pub use subject::{Audited, Baseline, Comparison, Subject};

/// Audits a run whose measurement has ended and whose target still runs.
pub async fn audit(subject: Subject<'_>, baseline: &Baseline, claims: &Claims) -> Result<Audited> {
    match subject.target.scenario {
        Scenario::Ingest => {
            let database = subject
                .database
                .context("there is no application database")?;
            let counts = of_events(database, subject.run_label, &claims.counts).await?;
            Ok(Audited {
                sentence: sentence(&counts),
                passed: counts.passed,
                counts: Some(counts),
                stats: None,
            })
        }
        Scenario::Balance => balance::audit(subject, baseline, claims).await,
        Scenario::Stream => stream::audit(subject, baseline, claims).await,
        Scenario::Log => log::audit(subject, claims).await,
        Scenario::Own => Ok(Audited {
            counts: None,
            passed: true,
            sentence: "Not audited: weir.toml has no [audit], so nobody looked behind the answers."
                .into(),
            stats: None,
        }),
    }
}

/// Counts the run's events in the database and judges them: everything acknowledged is there, and nothing
/// beyond what was sent. An event that was sent but answered with an error, or not at all, may be there.
async fn of_events(
    database: &ApplicationDb,
    run_label: &str,
    counts: &Counts,
) -> Result<Comparison> {
    let stored = database.count_events(run_label).await?;
    Ok(Comparison::of(
        counts.acknowledged,
        counts.in_doubt(),
        stored,
    ))
}

/// The audit of ingestion as a sentence.
pub fn sentence(audit: &Comparison) -> String {
    let Comparison {
        acknowledged,
        in_doubt,
        stored,
        passed,
    } = *audit;
    if passed && in_doubt == 0 {
        return format!("All {acknowledged} acknowledged events are in the database, once each.");
    }
    if passed {
        return format!(
            "{acknowledged} events were acknowledged, {stored} are stored; {in_doubt} were sent without an \
             acknowledgement and may be stored."
        );
    }
    if stored < acknowledged {
        let lost = acknowledged - stored;
        return format!(
            "Audit: {lost} of {acknowledged} acknowledged events are not in the database."
        );
    }
    format!(
        "Audit: {stored} events are stored, but only {acknowledged} were acknowledged and {in_doubt} in doubt."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_is_wrong() {
        assert!(sentence(&Comparison::of(5, 0, 5)).starts_with("All 5"));
        assert!(sentence(&Comparison::of(5, 2, 6)).contains("2 were sent"));
        assert!(sentence(&Comparison::of(5, 0, 3)).contains("2 of 5 acknowledged events are not"));
        assert!(sentence(&Comparison::of(5, 1, 9)).contains("9 events are stored"));
    }
}
