//! A look at a session that is judged while it grows: is every comparison decided?

use anyhow::Result;
use lab_report::Options;
use lab_report::model::Outcome;
use lab_verdict::Look;

use super::bench::Bench;
use crate::output::counted;
use crate::session_rows;

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Comparisons that are decided: different, or equal within the margin.
    pub(crate) decided: usize,
    /// Comparisons that decide.
    pub(crate) of: usize,
}

impl Looked {
    /// True where nothing is left to be found out.
    pub(crate) fn is_over(self) -> bool {
        self.of > 0 && self.decided == self.of
    }

    /// For the user.
    pub(crate) fn words(self, look: Look) -> String {
        format!(
            "Look {} of at most {}, after {} rounds: {} of {} decided.",
            look.number(),
            look.of(),
            look.rounds(),
            self.decided,
            counted(self.of, "comparison")
        )
    }
}

/// Judges what the session has measured so far, at the level of this look.
pub(crate) async fn at(bench: &Bench, look: Look) -> Result<Looked> {
    let rows = session_rows::read(&bench.store, std::slice::from_ref(&bench.session)).await?;
    let options = Options {
        look: Some(look),
        ..Options::of(&bench.plan.request.judging)
    };
    let report = lab_report::build(&rows, &options);
    let deciding = report.comparisons.iter().filter(|pair| pair.decides);
    let decided = deciding
        .clone()
        .filter(|pair| matches!(pair.outcome, Some(Outcome::Different | Outcome::Equal)));
    Ok(Looked {
        decided: decided.count(),
        of: deciding.count(),
    })
}
