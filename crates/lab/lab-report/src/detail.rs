//! What a page leaves out, step by step, where it would be too large; and the sentence that says so.

use super::model::{Level, Report, RunInfo, Standing};
use super::series;

/// One step towards a smaller page; each keeps what the steps before left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// At most this many points in a time series.
    Points(usize),
    /// Phases of single trials; the medians over trials stay.
    TrialPhases,
    /// Checks of trials that were within their bounds.
    PassedChecks,
    /// All time series.
    Series,
    /// Trials: at most this many of those that count, and as many of those that do not.
    Trials(usize),
}

/// In the order in which they are taken.
pub(crate) const STEPS: [Step; 8] = [
    Step::Points(150),
    Step::Points(80),
    Step::Points(40),
    Step::TrialPhases,
    Step::PassedChecks,
    Step::Series,
    Step::Trials(100),
    Step::Trials(20),
];

impl Step {
    /// Takes it out of the report; says what, where there was something.
    pub(crate) fn take(self, report: &mut Report) -> Option<String> {
        match self {
            Self::Points(most) => {
                let longer = report.series.iter().any(|series| series.t.len() > most);
                for series in &mut report.series {
                    *series = series::thinner(series, most);
                }
                longer.then(|| format!("points of the time series beyond {most} each"))
            }
            Self::TrialPhases => {
                let any = report.runs.iter().any(|run| !run.phases.is_empty());
                report.runs.iter_mut().for_each(|run| run.phases.clear());
                any.then(|| "the phases of single trials".to_owned())
            }
            Self::PassedChecks => {
                let before: usize = report.runs.iter().map(|run| run.checks.len()).sum();
                for run in &mut report.runs {
                    run.checks.retain(|check| check.level != Level::Ok);
                }
                let after: usize = report.runs.iter().map(|run| run.checks.len()).sum();
                (after < before).then(|| "checks within their bounds".to_owned())
            }
            Self::Series => {
                let any = !report.series.is_empty();
                report.series.clear();
                any.then(|| "all time series".to_owned())
            }
            Self::Trials(most) => {
                let all = report.runs.len();
                keep(&mut report.runs, most);
                let left = all - report.runs.len();
                (left > 0)
                    .then(|| format!("{left} of {all} trials (their figures are in the medians)"))
            }
        }
    }

    /// The sentence of this step takes the place of that of the one before.
    fn replaces(self, before: Self) -> bool {
        matches!(
            (self, before),
            (Self::Points(_) | Self::Series, Self::Points(_)) | (Self::Trials(_), Self::Trials(_))
        )
    }
}

/// The sentences of the steps taken so far.
#[derive(Default)]
pub(crate) struct LeftOut(Vec<(Step, String)>);

impl LeftOut {
    pub(crate) fn add(&mut self, step: Step, said: Option<String>) {
        let Some(said) = said else {
            return;
        };
        self.0.retain(|(before, _)| !step.replaces(*before));
        self.0.push((step, said));
    }

    /// One paragraph; none where nothing was left out.
    pub(crate) fn paragraph(&self) -> Option<String> {
        let said: Vec<&str> = self.0.iter().map(|(_, said)| said.as_str()).collect();
        (!said.is_empty()).then(|| {
            format!(
                "With this many trials the page leaves out, to stay under 1 MB: {}. `weir report --format json` and \
                 `--format markdown` have all trials.",
                lab_words::words::list(&said)
            )
        })
    }
}

/// The first ones of each kind, in the order run.
fn keep(runs: &mut Vec<RunInfo>, most: usize) {
    let (mut counted, mut others) = (0, 0);
    runs.retain(|run| {
        let number = match run.standing {
            Standing::Counted => &mut counted,
            Standing::Invalid | Standing::LeftOut => &mut others,
        };
        *number += 1;
        *number <= most
    });
}
