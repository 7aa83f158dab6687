//! The ranked table that heads a report of more than two targets: places, ratios to the first, and who is not ranked and why.

use super::model::{
    Comparison, Interval, Metric, Outcome, Places, RankedTarget, Ranking, Report, Standing,
};
use super::options::Options;
use super::verdict::phrase;

/// A table for each payload of each scenario of more than two targets in which something was judged.
pub fn tables(report: &Report, options: &Options) -> Vec<Ranking> {
    let scenarios = report
        .scenarios
        .iter()
        .filter(|scenario| scenario.targets.len() > 2);
    scenarios
        .flat_map(|scenario| {
            scenario
                .payloads
                .iter()
                .filter_map(|payload| table(report, payload, &scenario.targets, options))
        })
        .collect()
}

/// The comparisons that a table rests on.
pub(crate) struct Judged<'a> {
    metric: Metric,
    pairs: Vec<&'a Comparison>,
}

impl<'a> Judged<'a> {
    pub(crate) fn of(report: &'a Report, payload: &str) -> Option<Self> {
        let own = || {
            let pairs = report.comparisons.iter();
            pairs.filter(|pair| pair.payload == payload && pair.decides)
        };
        let metric = own().find(|pair| pair.outcome.is_some())?.metric;
        let pairs = own().filter(|pair| pair.metric == metric).collect();
        Some(Self { metric, pairs })
    }

    fn between(&self, a: usize, b: usize) -> Option<&'a Comparison> {
        let both = |pair: &&&Comparison| {
            (pair.higher, pair.lower) == (a, b) || (pair.higher, pair.lower) == (b, a)
        };
        self.pairs.iter().find(both).copied()
    }

    /// Ratio of one target to another with interval and level; `None` where they were not judged.
    pub(crate) fn turned(
        &self,
        of: usize,
        to: usize,
    ) -> Option<(f64, Option<Interval>, Option<f64>)> {
        let pair = self.between(of, to).filter(|pair| pair.outcome.is_some())?;
        Some(match pair.higher == of {
            true => (pair.ratio, pair.interval, pair.level),
            false => (
                1.0 / pair.ratio,
                pair.interval.map(Interval::inverted),
                pair.level,
            ),
        })
    }

    fn all_of(&self, target: usize) -> impl Iterator<Item = &'a Comparison> + '_ {
        let own = move |pair: &&Comparison| pair.higher == target || pair.lower == target;
        self.pairs.iter().copied().filter(own)
    }

    /// Of a rate more is better; of a cost or a time less.
    fn better(&self, pair: &Comparison) -> usize {
        match self.metric {
            Metric::Rate => pair.higher,
            Metric::Cpu | Metric::P99 => pair.lower,
        }
    }

    fn places(&self, target: usize, ranked: usize) -> Option<Places> {
        self.placed(target, ranked, |_| true)
    }

    /// The places within some of the targets, it among them.
    pub(crate) fn places_among(&self, target: usize, members: &[usize]) -> Option<Places> {
        self.placed(target, members.len(), |other| members.contains(&other))
    }

    fn placed(
        &self,
        target: usize,
        ranked: usize,
        takes_part: impl Fn(usize) -> bool,
    ) -> Option<Places> {
        self.all_of(target).find(|pair| pair.outcome.is_some())?;
        let (mut ahead, mut behind) = (0, 0);
        for pair in self.all_of(target) {
            let other = if pair.higher == target {
                pair.lower
            } else {
                pair.higher
            };
            if takes_part(other) && pair.outcome == Some(Outcome::Different) {
                if self.better(pair) == target {
                    behind += 1;
                } else {
                    ahead += 1;
                }
            }
        }
        Some(Places {
            best: ahead + 1,
            worst: ranked - behind,
        })
    }
}

fn table(report: &Report, payload: &str, targets: &[usize], options: &Options) -> Option<Ranking> {
    let judged = Judged::of(report, payload)?;
    let is_ranked = |target: &&usize| judged.places(**target, targets.len()).is_some();
    let ranked = targets.iter().filter(is_ranked).count();
    let mut rows: Vec<RankedTarget> = targets
        .iter()
        .map(|target| row(report, payload, *target, &judged, ranked))
        .collect();
    let sign = if judged.metric == Metric::Rate {
        -1.0
    } else {
        1.0
    };
    rows.sort_by(|a, b| {
        // By the middle of the places that a target may have; where those are equal by the figure.
        let middle = |places: Places| places.best + places.worst;
        let key = |row: &RankedTarget| row.places.map_or(usize::MAX, middle);
        let figure = |row: &RankedTarget| row.figure.map_or(f64::INFINITY, |figure| sign * figure);
        key(a).cmp(&key(b)).then(figure(a).total_cmp(&figure(b)))
    });
    let named = options.reference.as_ref().and_then(|reference| {
        let is_named = |target: &usize| report.targets[*target].name == *reference;
        targets.iter().copied().find(is_named)
    });
    let base = named.or(rows.first().map(|row| row.target))?;
    for row in &mut rows {
        if row.places.is_some() {
            to_base(row, base, &judged);
        }
    }
    let (answer, target, outcome, why) = answer(report, &rows, &judged);
    Some(Ranking {
        payload: payload.to_owned(),
        metric: judged.metric,
        question: question(report, judged.metric, payload),
        answer,
        target,
        outcome,
        why,
        base,
        by_reference: named.is_some(),
        rows,
    })
}

/// What a metric asks, with the payload where there are several.
pub(crate) fn question(report: &Report, metric: Metric, payload: &str) -> String {
    let what = match metric {
        Metric::Rate => "Successes a second".to_owned(),
        Metric::Cpu => format!("CPU of the service for {}", report.words.one),
        Metric::P99 => "99th percentile of the latency".to_owned(),
    };
    if report.payloads.len() > 1 {
        format!("{what}, {payload}")
    } else {
        what
    }
}

fn row(
    report: &Report,
    payload: &str,
    target: usize,
    judged: &Judged<'_>,
    ranked: usize,
) -> RankedTarget {
    let rate = report
        .throughput
        .iter()
        .find(|row| row.target == target && row.payload == payload);
    let cost = report
        .cost
        .iter()
        .find(|row| row.target == target && row.payload == payload);
    let last = report.phases.last().map(|phase| phase.number);
    let p99_ms = report
        .phase_rows
        .iter()
        .find(|row| {
            row.target == target && row.payload == payload && Some(row.phase.number) == last
        })
        .and_then(|row| row.latency.p99);
    let places = judged.places(target, ranked);
    let info = &report.targets[target];
    let stack: Vec<&str> = [&info.language, &info.framework]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    RankedTarget {
        target,
        stack: stack.join(" · "),
        figure: match judged.metric {
            Metric::Rate => rate.map(|row| row.median),
            Metric::Cpu => cost.and_then(|row| row.cpu_us.target),
            Metric::P99 => p99_ms,
        },
        ratio: None,
        interval: None,
        level: None,
        p99_ms,
        memory_mb: cost.and_then(|row| row.memory_peak_mb),
        reason: places
            .is_none()
            .then(|| why_not_ranked(report, payload, target, judged)),
        places,
    }
}

/// The first reason that is known: of its trials, of its comparisons, of its runs.
fn why_not_ranked(report: &Report, payload: &str, target: usize, judged: &Judged<'_>) -> String {
    let of_trials = report
        .throughput
        .iter()
        .find(|row| row.target == target && row.payload == payload)
        .and_then(|row| row.reason.clone());
    let of_pairs = || {
        let mut pairs = judged.all_of(target);
        pairs.find_map(|pair| match &pair.no_verdict {
            Some(reason) => Some(reason.clone()),
            None => (pair.rounds < pair.rounds_needed).then(|| {
                format!(
                    "{} of the {} rounds that are needed",
                    pair.rounds, pair.rounds_needed
                )
            }),
        })
    };
    let of_runs = || {
        let mut runs = report.runs.iter();
        let own = runs.find(|run| {
            run.target == target && run.payload == payload && run.standing != Standing::Counted
        });
        own.and_then(|run| run.reasons.first().cloned())
    };
    of_trials
        .or_else(of_pairs)
        .or_else(of_runs)
        .unwrap_or_else(|| "it was not compared".to_owned())
}

/// The ratio to the base and its interval, turned to the side that the table reads from.
fn to_base(row: &mut RankedTarget, base: usize, judged: &Judged<'_>) {
    if let Some((ratio, interval, level)) = judged.turned(row.target, base) {
        row.ratio = Some(ratio);
        row.interval = interval;
        row.level = level;
    }
}

fn answer(
    report: &Report,
    rows: &[RankedTarget],
    judged: &Judged<'_>,
) -> (String, Option<usize>, Outcome, String) {
    let name = |row: &RankedTarget| report.targets[row.target].name.as_str();
    let lead: Vec<&RankedTarget> = rows
        .iter()
        .filter(|row| row.places.is_some_and(|places| places.best == 1))
        .collect();
    if let [first] = lead[..]
        && first.places.is_some_and(|places| places.worst == 1)
    {
        let verb = match judged.metric {
            Metric::Rate => "does the most",
            Metric::Cpu => "costs the least",
            Metric::P99 => "takes the least",
        };
        let next = rows.get(1).and_then(|next| {
            let pair = judged.between(first.target, next.target)?;
            Some(format!(
                "{} × against {}, {}",
                phrase::ratio_beside_interval(pair),
                name(next),
                phrase::certainty(pair)
            ))
        });
        return (
            format!("{} {verb}", name(first)),
            Some(first.target),
            Outcome::Different,
            next.unwrap_or_default(),
        );
    }
    let all_equal = lead.len() > 1
        && lead.iter().enumerate().all(|(place, a)| {
            lead[place + 1..].iter().all(|b| {
                let pair = judged.between(a.target, b.target);
                pair.is_some_and(|pair| pair.outcome == Some(Outcome::Equal))
            })
        });
    let margin = lab_verdict::words::percent(report.margin);
    let answer = match lead[..] {
        [a, b] if all_equal => format!("{} and {}, equal within {margin}", name(a), name(b)),
        _ if all_equal => format!("{} targets, equal within {margin}", lead.len()),
        [a, b] => format!("Not decided: {} or {}", name(a), name(b)),
        _ => format!("Not decided between {} targets", lead.len().max(2)),
    };
    let mut why: Vec<String> = Vec::new();
    if let [a, b, ..] = lead[..] {
        why.extend(judged.between(a.target, b.target).map(|pair| {
            let certainty = match pair.outcome {
                Some(Outcome::Equal) => phrase::equality(pair),
                _ => phrase::certainty(pair),
            };
            let next = pair.next.as_ref();
            format!(
                "{} to {}: {} ×, {}{}",
                report.targets[pair.higher].name,
                report.targets[pair.lower].name,
                phrase::ratio_beside_interval(pair),
                certainty,
                next.map_or(String::new(), |next| format!("; {next}"))
            )
        }));
    }
    let outcome = if all_equal {
        Outcome::Equal
    } else {
        Outcome::Open
    };
    (answer, None, outcome, why.join("; "))
}
