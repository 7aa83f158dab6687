//! The sentence of an open model: the rate is given and reached, so what differs is what it costs and how long it takes.

use super::sentence::Sentence;
use super::{compared, phrase};
use crate::model::{Comparison, Level, Metric, Outcome, Report, Verdict, VerdictKind};
use lab_model::scenario::Terms;
use lab_words::words::figure;

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
    // Of several targets the sentence tells the pair that lies furthest apart, and says so: of those that differ first. The
    // table has all.
    let told = |pair: &Comparison| match pair.outcome {
        Some(Outcome::Different) => 2,
        None => 1,
        Some(Outcome::Equal | Outcome::Open) => 0,
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
        more => format!("of {more} targets the two furthest apart: "),
    };
    let mut say = Sentence::new().say(&format!(
        "At {} arrivals a second{under}, {among}",
        figure(rate)
    ));
    say = phrase::clause(say, report, cpu, terms, "");
    if let Some(p99) = p99 {
        say = phrase::clause(say.say("; "), report, p99, terms, "");
    }
    let told: Vec<&Comparison> = [Some(cpu), p99].into_iter().flatten().collect();
    let deciding = told.iter().filter(|pair| pair.decides);
    let outcomes: Vec<Option<Outcome>> = deciding.map(|pair| pair.outcome).collect();
    let kind = if told.iter().all(|pair| pair.outcome.is_none()) {
        let why = phrase::why_not(cpu, report.comparisons.len());
        say = say.say(&format!("; {why}"));
        VerdictKind::Seen
    } else if outcomes.contains(&Some(Outcome::Different)) {
        VerdictKind::Difference
    } else if outcomes.contains(&None) {
        VerdictKind::Seen
    } else if outcomes.contains(&Some(Outcome::Open)) {
        VerdictKind::Open
    } else {
        VerdictKind::Equal
    };
    say.say(".").end(kind, Level::Ok)
}
