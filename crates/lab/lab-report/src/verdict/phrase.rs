//! A comparison in words: what is said follows from its outcome, and every interval says its level.

use super::sentence::Sentence;
use crate::model::{Comparison, Metric, Outcome, Report};
use lab_model::scenario::Terms;
use lab_verdict::words::{level, p_value, percent, ratio, ratios};
use lab_words::words::plural;

/// The pair as a clause: `a stored 1.58 times as many events a second as b (95 % interval 1.55 to 1.60, 8 rounds, p 0.0078)`.
pub(super) fn clause(
    say: Sentence,
    report: &Report,
    pair: &Comparison,
    terms: &Terms,
    under: &str,
) -> Sentence {
    let unit = format!("{}s a second", terms.unit);
    match pair.outcome {
        None => {
            let times = ratio(pair.ratio);
            more_than(say, report, pair, terms, &times).say(under)
        }
        Some(Outcome::Different) => {
            let times = ratio_beside_interval(pair);
            let small = pair
                .interval
                .is_some_and(|interval| interval.is_within(report.margin));
            let by = if small {
                format!(", by less than {}", percent(report.margin))
            } else {
                String::new()
            };
            more_than(say, report, pair, terms, &times)
                .say(&format!("{under}{by} ({})", certainty(pair)))
        }
        Some(Outcome::Equal) => {
            let what = match pair.metric {
                Metric::Rate => format!("{unit} {}", terms.did),
                Metric::Cpu => format!("service CPU {}", terms.one()),
                Metric::P99 => "p99 latency".to_owned(),
            };
            say.name(report, pair.higher)
                .say(" and ")
                .name(report, pair.lower)
                .say(&format!(
                    " are equal within {} in {what}{under} ({})",
                    percent(report.margin),
                    equality(pair)
                ))
        }
        Some(Outcome::Open) => {
            let times = match pair.interval {
                Some(interval) => {
                    let [low, high] = ratios([interval.low, interval.high]);
                    format!("{low} to {high}")
                }
                None => ratio(pair.ratio),
            };
            let say = more_than(say.say("not decided: "), report, pair, terms, &times);
            let next = pair
                .next
                .as_ref()
                .map_or(String::new(), |next| format!("; {next}"));
            say.say(&format!("{under} ({}){next}", open_certainty(pair)))
        }
    }
}

fn more_than(
    say: Sentence,
    report: &Report,
    pair: &Comparison,
    terms: &Terms,
    times: &str,
) -> Sentence {
    let middle = match pair.metric {
        Metric::Rate => format!(
            "{} {times} times as many {}s a second as",
            terms.did, terms.unit
        ),
        Metric::Cpu => format!("took {times} times as much service CPU {} as", terms.one()),
        Metric::P99 => format!("had {times} times the p99 latency of"),
    };
    say.name(report, pair.higher)
        .say(&format!(" {middle} "))
        .name(report, pair.lower)
}

/// The ratio with as many decimals as the interval needs to be told from 1.
pub(crate) fn ratio_beside_interval(pair: &Comparison) -> String {
    match pair.interval {
        Some(interval) => {
            let [ratio, _, _] = ratios([pair.ratio, interval.low, interval.high]);
            ratio
        }
        None => ratio(pair.ratio),
    }
}

/// `95 % interval 1.55 to 1.60, 8 rounds, p 0.0078`.
pub(crate) fn certainty(pair: &Comparison) -> String {
    let mut said = Vec::new();
    if let (Some(interval), Some(confidence)) = (pair.interval, pair.level) {
        let [_, low, high] = ratios([pair.ratio, interval.low, interval.high]);
        said.push(format!(
            "{} interval {low} to {high}",
            level(1.0 - confidence)
        ));
    }
    said.push(plural(pair.rounds, "round"));
    said.extend(pair.p_corrected.map(p_value));
    said.join(", ")
}

/// `90 % interval 0.998 to 1.003, 12 rounds`.
pub(crate) fn equality(pair: &Comparison) -> String {
    match (pair.equality_interval, pair.level) {
        (Some(interval), Some(confidence)) => {
            let [low, high] = ratios([interval.low, interval.high]);
            format!(
                "{} interval {low} to {high}, {}",
                level(2.0 * (1.0 - confidence)),
                plural(pair.rounds, "round")
            )
        }
        _ => plural(pair.rounds, "round"),
    }
}

/// `95 % interval, 8 rounds`: the interval itself stands in the clause.
fn open_certainty(pair: &Comparison) -> String {
    match pair.level {
        Some(confidence) => format!(
            "{} interval, {}",
            level(1.0 - confidence),
            plural(pair.rounds, "round")
        ),
        None => plural(pair.rounds, "round"),
    }
}

/// Why nothing is judged.
pub(super) fn why_not(pair: &Comparison, comparisons: usize) -> String {
    if let Some(reason) = &pair.no_verdict {
        return format!("no verdict: {reason}");
    }
    let needed = pair.rounds_needed;
    match pair.rounds {
        1 => "one trial each: no interval, so no verdict".to_owned(),
        rounds if rounds < 6 => {
            format!("{rounds} trials each, {needed} are needed: no interval, so no verdict")
        }
        rounds => format!(
            "{rounds} trials each are too few for {comparisons} comparisons, {needed} are needed: no verdict"
        ),
    }
}
