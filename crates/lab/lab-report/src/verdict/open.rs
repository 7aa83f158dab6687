//! The sentence of an open model: the rate is given and reached, so what differs is what it costs and how long it takes.

use super::{Sentence, compared};
use crate::model::{Comparison, Level, Metric, Report, Verdict, VerdictKind};
use crate::stats::{MIN_TRIALS, trials_needed};
use crate::words::{figure, p_value, ratio};
use lab_model::scenario::Terms;

pub(super) fn sentence(report: &Report, rate: f64, dead: &[usize], terms: &Terms) -> Verdict {
    let Some(payload) = compared::payload(report) else {
        return Sentence::new()
            .say("Nothing was measured.")
            .end(VerdictKind::Failed, Level::Bad);
    };
    let rows = compared::rows(report, payload);
    if rows.len() < 2 {
        return compared::alone(report, &rows, dead, terms);
    }
    if let Some(verdict) = compared::limited(report, &rows, terms) {
        return verdict;
    }
    let under = if report.payloads.len() > 1 {
        format!(" with the {payload} payload")
    } else {
        String::new()
    };
    let pairs = |metric| {
        let of = move |pair: &&Comparison| pair.payload == *payload && pair.metric == metric;
        report.comparisons.iter().filter(of)
    };
    // Of several targets the sentence tells the pair that lies furthest apart, of those that differ first; the table has
    // all.
    let told = |pair: &Comparison| match pair.differs {
        Some(true) => 2,
        None => 1,
        Some(false) => 0,
    };
    let widest = |metric| {
        pairs(metric).max_by(|a, b| told(a).cmp(&told(b)).then(a.ratio.total_cmp(&b.ratio)))
    };
    let (Some(cpu), p99) = (widest(Metric::Cpu), widest(Metric::P99)) else {
        return Sentence::new()
            .say("No verdict: the CPU of the services is not known.")
            .end(VerdictKind::NoVerdict, Level::Warn);
    };
    let among = match rows.len() {
        2 => String::new(),
        more => format!("of {more} targets "),
    };
    let mut say = Sentence::new().say(&format!(
        "At {} arrivals a second{under}, {among}",
        figure(rate)
    ));
    say = of_pair(say, report, cpu, &format!("service CPU {}", terms.one()));
    if let Some(p99) = p99 {
        say = of_pair(say.say("; "), report, p99, "p99 latency");
    }
    let told: Vec<Option<bool>> = [Some(cpu), p99]
        .into_iter()
        .flatten()
        .map(|pair| pair.differs)
        .collect();
    let kind = if told.iter().all(Option::is_none) {
        say = say.say(&why(cpu.trials, report.comparisons.len()));
        VerdictKind::Seen
    } else if told.contains(&Some(true)) {
        VerdictKind::Difference
    } else if told.contains(&None) {
        VerdictKind::Seen
    } else {
        VerdictKind::NoDifference
    };
    say.say(".").end(kind, Level::Ok)
}

/// `A took 1.40 times as much service CPU an event as B (95 % interval 1.31 to 1.52)`.
fn of_pair(say: Sentence, report: &Report, pair: &Comparison, what: &str) -> Sentence {
    let interval = pair.interval.map_or(String::new(), |interval| {
        let (low, high) = (ratio(interval.low), ratio(interval.high));
        format!("95 % interval {low} to {high}")
    });
    if pair.differs == Some(false) {
        let p = pair.p_corrected.map_or(String::new(), p_value);
        let said: Vec<&str> = [p.as_str(), interval.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        return say
            .say(&format!("no detectable difference in {what} between "))
            .name(report, pair.higher)
            .say(" and ")
            .name(report, pair.lower)
            .say(&format!(
                " (ratio {}, {})",
                ratio(pair.ratio),
                said.join(", ")
            ));
    }
    let interval = if interval.is_empty() {
        interval
    } else {
        format!(" ({interval})")
    };
    say.name(report, pair.higher)
        .say(&format!(" {} ", multiple(pair, what)))
        .name(report, pair.lower)
        .say(&interval)
}

fn multiple(pair: &Comparison, what: &str) -> String {
    let times = ratio(pair.ratio);
    match pair.metric {
        Metric::P99 => format!("had {times} times the {what} of"),
        Metric::Cpu | Metric::Rate => format!("took {times} times as much {what} as"),
    }
}

/// Why nothing is judged.
fn why(trials: usize, comparisons: usize) -> String {
    let needed = trials_needed(comparisons);
    match trials {
        1 => "; one trial each: no interval, so no verdict".to_owned(),
        trials if trials < MIN_TRIALS => {
            format!("; {trials} trials each, {needed} are needed: no interval, so no verdict")
        }
        trials => format!(
            "; {trials} trials each are too few for {comparisons} comparisons, {needed} are needed: no verdict"
        ),
    }
}
