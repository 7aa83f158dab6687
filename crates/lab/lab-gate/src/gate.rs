//! Whether a candidate may replace a baseline: held, regressed or open, from a verdict file alone.
//!
//! Of each figure the test over the file's rounds gives an interval of the ratio of candidate to baseline. The whole interval
//! within the limit: held. The whole interval beyond it: regressed. Otherwise open. With several figures the intervals share
//! the probability of error (Bonferroni), so that it holds for all of them together.

use lab_verdict::judge::spread;
use lab_verdict::looks::nominal_levels;
use lab_verdict::walsh::Walsh;
use lab_verdict::{Interval, log_ratio, power};

use crate::decision::{Answer, Decision, Outcome};
use crate::verdict_file::{Better, Comparison, Kind, Target, VerdictFile};
use crate::words;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Target that is in use.
    pub baseline: String,
    /// Target that is to replace it.
    pub candidate: String,
    /// How much worse a figure of the candidate may be (0.05: 5 %). More is a regression.
    pub max_regression: f64,
    /// The figures that decide; none named: those that decide in the file.
    pub figures: Vec<String>,
}

/// A question that the file cannot answer as it was asked.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum WrongQuestion {
    /// No such target.
    #[error("--{option}: the file has no target {name:?}; it has {known}")]
    Target {
        /// baseline or candidate.
        option: &'static str,
        /// As asked.
        name: String,
        /// Those of the file.
        known: String,
    },
    /// Baseline and candidate are the same.
    #[error("--baseline and --candidate name the same target {0:?}; name two")]
    Same(String),
    /// No such figure.
    #[error("--figure: the file has no figure {name:?}; it has {known}")]
    Figure {
        /// As asked.
        name: String,
        /// Those of the file.
        known: String,
    },
}

impl Gate {
    /// Decides.
    ///
    /// # Errors
    /// The file has no such target or figure.
    pub fn decide(&self, file: &VerdictFile) -> Result<Decision, WrongQuestion> {
        let baseline = self.target(file, "baseline", &self.baseline)?;
        let candidate = self.target(file, "candidate", &self.candidate)?;
        if self.baseline == self.candidate {
            return Err(WrongQuestion::Same(self.baseline.clone()));
        }
        let pairs = self.pairs(file)?;
        let counted = pairs
            .iter()
            .filter(|pair| pair.no_verdict.is_none() && !pair.rounds.is_empty())
            .count()
            .max(1);
        let level = Level::of(file, counted);
        let mut answers: Vec<Answer> = pairs.iter().map(|pair| self.answer(pair, &level)).collect();
        let (forced, reasons) = self.forced(file, baseline, candidate, answers.is_empty());
        if file.kind == Kind::AuditFailed || file.kind == Kind::Smoke {
            // Figures of services that lose work, or of five requests, mean nothing.
            answers.clear();
        }
        let worst = answers.iter().map(|answer| answer.outcome).max();
        let outcome = forced.or(worst).unwrap_or(Outcome::Open);
        let mut next: Vec<String> = Vec::new();
        for remedy in answers.iter().filter_map(|answer| answer.next.as_ref()) {
            if outcome == Outcome::Open && !next.contains(remedy) {
                next.push(remedy.clone());
            }
        }
        let mut decision = Decision {
            outcome,
            exit_status: outcome.exit_status(),
            sentence: String::new(),
            baseline: self.baseline.clone(),
            candidate: self.candidate.clone(),
            max_regression: self.max_regression,
            answers,
            reasons,
            next,
        };
        decision.sentence = words::sentence(&decision);
        Ok(decision)
    }

    fn target<'a>(
        &self,
        file: &'a VerdictFile,
        option: &'static str,
        name: &str,
    ) -> Result<&'a Target, WrongQuestion> {
        file.target(name).ok_or_else(|| WrongQuestion::Target {
            option,
            name: name.to_owned(),
            known: names(file.targets.iter().map(|target| target.name.as_str())),
        })
    }

    /// The comparisons of the two in the figures that decide.
    fn pairs<'a>(&self, file: &'a VerdictFile) -> Result<Vec<&'a Comparison>, WrongQuestion> {
        for name in &self.figures {
            let known = |pair: &&Comparison| pair.figure == *name;
            if !file.comparisons.iter().any(|pair| known(&pair)) {
                return Err(WrongQuestion::Figure {
                    name: name.clone(),
                    known: names(file.comparisons.iter().map(|pair| pair.figure.as_str())),
                });
            }
        }
        let both = |pair: &&Comparison| {
            let pair = (pair.a.as_str(), pair.b.as_str());
            let asked = (self.baseline.as_str(), self.candidate.as_str());
            pair == asked || pair == (asked.1, asked.0)
        };
        let wanted = |pair: &&Comparison| match self.figures.as_slice() {
            [] => pair.decides,
            named => named.contains(&pair.figure),
        };
        let pairs = file.comparisons.iter().filter(both).filter(wanted);
        Ok(pairs.collect())
    }

    /// What the whole file says whatever the figures: an outcome, where it forces one, and why.
    fn forced(
        &self,
        file: &VerdictFile,
        baseline: &Target,
        candidate: &Target,
        is_empty: bool,
    ) -> (Option<Outcome>, Vec<String>) {
        let name = &candidate.name;
        if candidate.audit_failed > 0 {
            let why = format!(
                "the audit of {name} failed in {} of {} trials: it does not do the work that it acknowledges",
                candidate.audit_failed, candidate.trials
            );
            return (Some(Outcome::Regressed), vec![why]);
        }
        let alive = |target: &Target| target.counted + target.disturbed > 0;
        if candidate.trials > 0 && !alive(candidate) && alive(baseline) {
            let why = candidate.reasons.first().map_or("", String::as_str);
            let why = format!("no trial of {name} was finished: {why}");
            return (Some(Outcome::Regressed), vec![why]);
        }
        if file.kind == Kind::Smoke {
            let why = "a smoke run measures nothing: run compare";
            return (Some(Outcome::Open), vec![why.to_owned()]);
        }
        if file.kind == Kind::AuditFailed {
            let failed = file.targets.iter().filter(|target| target.audit_failed > 0);
            let failed = names(failed.map(|target| target.name.as_str()));
            let why = format!("the audit of {failed} failed, so nothing of this session is judged");
            return (Some(Outcome::Open), vec![why]);
        }
        if is_empty {
            let why = "the file compares no figure of these two: they have no session in common, or another reference \
                       was named";
            return (Some(Outcome::Open), vec![why.to_owned()]);
        }
        (None, Vec::new())
    }

    fn answer(&self, pair: &Comparison, level: &Level) -> Answer {
        let is_turned = pair.a == self.baseline;
        let rounds = pair.rounds.iter();
        let figures: Vec<(f64, f64)> = rounds
            .map(|round| match is_turned {
                true => (round.b, round.a),
                false => (round.a, round.b),
            })
            .collect();
        let differences: Vec<f64> = figures
            .iter()
            .filter_map(|(candidate, baseline)| log_ratio(*candidate, *baseline))
            .collect();
        let walsh = Walsh::of(&differences);
        let allowed = pair.no_verdict.is_none();
        let interval = walsh.interval(level.alpha).filter(|_| allowed);
        let limit = match pair.better {
            Better::Less => 1.0 + self.max_regression,
            Better::More => 1.0 / (1.0 + self.max_regression),
        };
        let outcome = interval.map_or(Outcome::Open, |interval| {
            outcome(interval, pair.better, limit)
        });
        let next = (outcome == Outcome::Open).then(|| {
            let distance = walsh.ratio().map(|ratio| (ratio / limit).ln().abs());
            next(pair, &differences, distance, level)
        });
        let of = |pick: fn(&(f64, f64)) -> f64| {
            lab_verdict::quantile::median(&figures.iter().map(pick).collect::<Vec<_>>())
        };
        Answer {
            figure: pair.figure.clone(),
            unit: pair.unit.clone(),
            payload: pair.payload.clone(),
            better: pair.better,
            outcome,
            rounds: differences.len(),
            baseline: of(|both| both.1),
            candidate: of(|both| both.0),
            ratio: walsh.ratio(),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            level: 1.0 - level.alpha,
            limit,
            reason: pair.no_verdict.clone(),
            next,
        }
    }
}

fn outcome(interval: Interval, better: Better, limit: f64) -> Outcome {
    let (certainly_within, certainly_beyond) = match better {
        Better::Less => (interval.high <= limit, interval.low > limit),
        Better::More => (interval.low >= limit, interval.high < limit),
    };
    match (certainly_within, certainly_beyond) {
        (true, _) => Outcome::Held,
        (_, true) => Outcome::Regressed,
        _ => Outcome::Open,
    }
}

/// What would decide an open answer.
fn next(pair: &Comparison, differences: &[f64], distance: Option<f64>, level: &Level) -> String {
    if pair.no_verdict.is_some() {
        return "repeat the session where nothing disturbs it".to_owned();
    }
    let least = power::least_rounds(level.comparisons, level.overall);
    if differences.len() < least {
        return format!(
            "at least {least} rounds are needed, {} are there",
            differences.len()
        );
    }
    let spread = spread(differences).filter(|spread| *spread > 0.0);
    let needed = spread.zip(distance).and_then(|(spread, distance)| {
        power::rounds_needed(distance, level.comparisons, level.overall, spread)
    });
    let affordable = 100.max(4 * differences.len());
    match needed.filter(|rounds| *rounds <= affordable) {
        Some(rounds) => {
            let rounds = rounds.max(differences.len() + 1);
            format!("if the ratio is the one seen, {rounds} rounds would decide")
        }
        None => "the ratio seen lies at the limit: rounds with less spread, or another limit, would decide".to_owned(),
    }
}

/// The level at which each figure is tested.
struct Level {
    alpha: f64,
    overall: f64,
    comparisons: usize,
}

impl Level {
    fn of(file: &VerdictFile, comparisons: usize) -> Self {
        let overall = file.settings.alpha;
        let look = file.settings.look.and_then(|look| look.look());
        let alpha = match look {
            Some(look) => nominal_levels(look.of(), comparisons, overall)[look.number() - 1],
            None => overall / comparisons as f64,
        };
        Self {
            alpha,
            overall,
            comparisons,
        }
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = Vec::new();
    for name in all {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    known.join(", ")
}
