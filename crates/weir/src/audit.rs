//! The audit: what the generator counted as acknowledged against what is in the database.

mod command;

use anyhow::Result;
use metrics_db::{Audit, Check};

use crate::application_db::ApplicationDb;
use crate::summary::Counts;

pub use command::{AuditArgs, run};

/// Counts the run's events in the database and judges them: everything acknowledged is there, and nothing
/// beyond what was sent. An event that was sent but answered with an error, or not at all, may be there.
pub async fn audit(database: &ApplicationDb, run_label: &str, counts: &Counts) -> Result<Audit> {
    let stored = database.count_events(run_label).await?;
    Ok(Audit::judge(counts.acknowledged, counts.in_doubt(), stored))
}

/// The audit as a sentence.
pub fn sentence(audit: &Audit) -> String {
    let Audit {
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

/// The audit as a badge.
pub fn check(audit: &Audit) -> Check {
    let figure = format!("{} of {} stored", audit.stored, audit.acknowledged);
    let make = if audit.passed { Check::ok } else { Check::bad };
    make("audit", "Audit", figure, sentence(audit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_is_wrong() {
        assert!(sentence(&Audit::judge(5, 0, 5)).starts_with("All 5"));
        assert!(sentence(&Audit::judge(5, 2, 6)).contains("2 were sent"));
        assert!(sentence(&Audit::judge(5, 0, 3)).contains("2 of 5 acknowledged events are not"));
        assert!(sentence(&Audit::judge(5, 1, 9)).contains("9 events are stored"));
    }
}
