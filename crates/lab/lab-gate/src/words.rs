//! The decision as sentences and lines.

use lab_verdict::words::{level, percent, ratio, ratios};

use crate::decision::{Answer, Decision, Outcome};
use crate::verdict_file::Better;

/// The decision in a sentence.
pub fn sentence(decision: &Decision) -> String {
    let Decision {
        candidate,
        baseline,
        ..
    } = decision;
    let limit = percent(decision.max_regression);
    let why = decision.reasons.first();
    let of = |outcome: Outcome| -> Vec<&Answer> {
        let answers = decision.answers.iter();
        answers.filter(|answer| answer.outcome == outcome).collect()
    };
    match (decision.outcome, why) {
        (Outcome::Held, _) => {
            format!("Held: {candidate} is not more than {limit} worse than {baseline}.")
        }
        (Outcome::Regressed, Some(why)) => format!("Regressed: {why}."),
        (Outcome::Open, Some(why)) => format!("Open: {why}."),
        (Outcome::Regressed, None) => {
            let in_what = listed(&of(Outcome::Regressed));
            format!(
                "Regressed: {candidate} is more than {limit} worse than {baseline} in {in_what}."
            )
        }
        (Outcome::Open, None) => {
            let in_what = listed(&of(Outcome::Open));
            format!(
                "Open: whether {candidate} is more than {limit} worse than {baseline} is not decided in {in_what}."
            )
        }
    }
}

fn listed(answers: &[&Answer]) -> String {
    let names: Vec<String> = answers.iter().map(|answer| name(answer)).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Figure and payload.
pub fn name(answer: &Answer) -> String {
    match &answer.payload {
        Some(payload) => format!("{} ({payload})", answer.figure),
        None => answer.figure.clone(),
    }
}

/// held, regressed or open.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::Regressed => "regressed",
        Outcome::Open => "open",
    }
}

/// `1.14 ×`, or a dash.
pub fn ratio_of(answer: &Answer) -> String {
    match (answer.ratio, answer.low, answer.high) {
        (Some(of), Some(low), Some(high)) => {
            let [of, _, _] = ratios([of, low, high]);
            format!("{of} ×")
        }
        (Some(of), _, _) => format!("{} ×", ratio(of)),
        _ => "–".to_owned(),
    }
}

/// `1.09 to 1.20 (95 %)`, or a dash.
pub fn interval_of(answer: &Answer) -> String {
    match (answer.ratio, answer.low, answer.high) {
        (Some(of), Some(low), Some(high)) => {
            let [_, low, high] = ratios([of, low, high]);
            format!("{low} to {high} ({})", level(1.0 - answer.level))
        }
        _ => "–".to_owned(),
    }
}

/// `at most 1.05 ×`.
pub fn limit_of(answer: &Answer) -> String {
    let side = match answer.better {
        Better::Less => "at most",
        Better::More => "at least",
    };
    format!("{side} {} ×", ratio(answer.limit))
}

/// A figure with its unit, four significant digits.
pub fn figure(value: Option<f64>, unit: Option<&str>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return "–".to_owned();
    };
    let digits = if value == 0.0 {
        0
    } else {
        (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize
    };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    match unit {
        Some(unit) => format!("{text} {unit}"),
        None => text.to_owned(),
    }
}

/// The line of one figure: `service CPU: held, 1.01 × (0.99 to 1.03, 95 %), 12 rounds`.
pub fn line(answer: &Answer) -> String {
    let mut parts = vec![format!("{} of the baseline", ratio_of(answer))];
    if answer.low.is_some() {
        parts.push(format!("interval {}", interval_of(answer)));
    }
    parts.push(format!("limit {}", limit_of(answer)));
    parts.push(match answer.rounds {
        1 => "1 round".to_owned(),
        rounds => format!("{rounds} rounds"),
    });
    parts.extend(answer.reason.clone());
    parts.extend(answer.next.clone());
    format!(
        "{}: {}: {}",
        name(answer),
        outcome(answer.outcome),
        parts.join("; ")
    )
}

/// The whole decision as text.
pub fn text(decision: &Decision) -> String {
    let mut lines = vec![decision.sentence.clone()];
    lines.extend(
        decision
            .answers
            .iter()
            .map(|answer| format!("  {}", line(answer))),
    );
    if !decision.next.is_empty() {
        lines.push(format!("To decide: {}.", decision.next.join("; ")));
    }
    lines.join("\n")
}
