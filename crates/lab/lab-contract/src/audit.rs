//! The audit: what the generator counted as done against what the target is seen to have done.
//!
//! - this file: what an audit says, and that of ingestion: events in the database
//! - `subject`: what an audit needs, and what it gives
//! - `balance`, `stream`, `log`: those of the other scenarios; `null`: that of a target that does nothing
//! - `claims`: what a generator says that it did; `counters`: what a service counted itself

mod balance;
mod claims;
mod counters;
mod log;
mod null;
mod stream;
mod subject;

use anyhow::{Context, Result};
use lab_model::scenario::Scenario;

use crate::verify::{Merges, merge_concurrently};

pub use claims::{Claims, Counts, StreamClaims};
pub use counters::CountersAt;
use subject::Fault;
pub use subject::{Audited, Baseline, Comparison, Subject};

/// Audits a run whose measurement has ended and whose target still runs.
pub async fn audit(subject: Subject<'_>, baseline: &Baseline, claims: &Claims) -> Result<Audited> {
    if subject.target.null {
        return null::audit(subject, baseline, claims).await;
    }
    match subject.target.scenario {
        Scenario::Ingest => {
            let database = subject
                .database
                .context("there is no application database")?;
            let stored = database.count_events(subject.run_label).await?;
            let merges = merge_concurrently(subject.target, subject.at, database).await?;
            Ok(of_events(&claims.counts, stored, merges))
        }
        Scenario::Balance => balance::audit(subject, baseline, claims).await,
        Scenario::Stream => stream::audit(subject, baseline, claims).await,
        Scenario::Log => log::audit(subject, claims).await,
        // Nobody but the user knows where to look: see `found`.
        Scenario::Own => Ok(of_own(&claims.counts, None)),
    }
}

/// The audit of a user's own service: how much of the acknowledged work it has, by the user's own number, and how that was
/// found. None: nobody looked.
#[must_use]
pub fn of_own(sent: &Counts, found: Option<(i64, &str)>) -> Audited {
    let (acknowledged, in_doubt) = (sent.acknowledged, sent.in_doubt());
    let fault = match found {
        Some((stored, _)) if stored < acknowledged => Some(Fault::new("lost")),
        Some((stored, _)) if stored > acknowledged + in_doubt => Some(Fault::new("surplus")),
        _ => None,
    };
    let counts = (acknowledged, in_doubt, found.map(|(stored, _)| stored));
    let audited = Audited::of(Scenario::Own, counts, fault, None);
    match found {
        Some((_, how)) => audited.with("how", how),
        None => audited,
    }
}

/// Judges the count of the run's events in the database: everything acknowledged is there, and nothing beyond what was
/// sent. An event that was sent but answered with an error, or not at all, may be there. The generators never change one
/// entity twice at a time, so merges that do are sent after the run and judged beside it.
fn of_events(sent: &Counts, stored: i64, merges: Merges) -> Audited {
    let (acknowledged, in_doubt) = (sent.acknowledged, sent.in_doubt());
    let fault = if stored < acknowledged {
        Some(Fault::new("lost"))
    } else if stored > acknowledged + in_doubt {
        Some(Fault::new("surplus"))
    } else if merges.stored < merges.acknowledged {
        Some(Fault::new("lost_updates"))
    } else {
        None
    };
    let counts = (acknowledged, in_doubt, Some(stored));
    Audited::of(Scenario::Ingest, counts, fault, None)
        .with("merges_acknowledged", merges.acknowledged)
        .with("merges_stored", merges.stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_of_events_names_its_fault() {
        let audited = |sent: i64, acknowledged: i64, stored: i64, merged: i64| {
            let counts = Counts {
                sent,
                acknowledged,
                failed: 0,
            };
            let merges = Merges {
                acknowledged: 192,
                stored: merged,
            };
            let audited = of_events(&counts, stored, merges);
            assert_eq!(audited.passed, audited.counts.unwrap().passed);
            audited.facts.get("fault").cloned().unwrap_or_default()
        };
        assert!(audited(5, 5, 5, 192).is_null());
        assert!(audited(7, 5, 6, 192).is_null());
        assert_eq!(audited(5, 5, 3, 192), "lost");
        assert_eq!(audited(6, 5, 9, 192), "surplus");
        assert_eq!(audited(5, 5, 5, 180), "lost_updates");
    }
}
