//! The verdicts as text, Markdown and JSON.

use anyhow::Result;
use lab_verdict::judge::Judgement;
use lab_verdict::{Outcome, Settings, position, words};
use serde::Serialize;

use super::comparisons::{Comparison, Judged, Named};
use lab_output::{self as output, Table};

/// The form of `--json`; numbers are written with all their digits.
#[derive(Serialize)]
struct Document<'a> {
    comparisons: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    payload: Option<&'a str>,
    figure: &'a str,
    a: &'a str,
    b: &'a str,
    rounds: usize,
    /// `a / b`.
    ratio: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// Confidence level of the interval (0 to 1); none where there is no interval.
    level: Option<f64>,
    p: Option<f64>,
    p_holm: Option<f64>,
    outcome: Outcome,
}

/// Prints the JSON.
pub(super) fn json(sessions: &[Judged]) -> Result<()> {
    let rows = sessions.iter().flat_map(|session| {
        session.comparisons.iter().map(|comparison| {
            let found = &comparison.found;
            Row {
                session: session.session.as_deref(),
                payload: comparison.payload.as_deref(),
                figure: &comparison.figure,
                a: &comparison.a,
                b: &comparison.b,
                rounds: found.rounds,
                ratio: found.ratio,
                low: found.interval.map(|interval| interval.low),
                high: found.interval.map(|interval| interval.high),
                level: found.interval.map(|_| 1.0 - found.alpha),
                p: found.p,
                p_holm: found.p_holm,
                outcome: found.outcome,
            }
        })
    });
    output::json(&Document {
        comparisons: rows.collect(),
    })
}

/// The human-readable form: a sentence a comparison, then the figures.
pub(super) fn text(sessions: &[Judged], settings: &Settings, named: &Named) -> String {
    let form = Form {
        heading: "",
        bullet: "",
        table: |comparisons| {
            let mut table = Table::new(&COLUMNS).numbers(&[3, 5, 6, 7]);
            for comparison in comparisons {
                table.row(cells(comparison));
            }
            table.to_string()
        },
    };
    form.all(sessions, settings, named)
}

/// The same for a pull request.
pub(super) fn markdown(sessions: &[Judged], settings: &Settings, named: &Named) -> String {
    let form = Form {
        heading: "## ",
        bullet: "- ",
        table: |comparisons| {
            let cell = |text: String| text.replace('|', "\\|");
            let mut lines = vec![
                format!("| {} |", COLUMNS.join(" | ")),
                "|---|---|---|--:|---|--:|--:|--:|---|".to_owned(),
            ];
            for comparison in comparisons {
                lines.push(format!("| {} |", cells(comparison).map(cell).join(" | ")));
            }
            lines.join("\n")
        },
    };
    form.all(sessions, settings, named)
}

/// How the parts of a text look.
struct Form {
    /// Before a session's name.
    heading: &'static str,
    /// Before a sentence.
    bullet: &'static str,
    table: fn(&[Comparison]) -> String,
}

impl Form {
    fn all(&self, sessions: &[Judged], settings: &Settings, named: &Named) -> String {
        let mut blocks = Vec::new();
        for session in sessions {
            let name = session.session.as_ref();
            blocks.extend(name.map(|name| format!("{}Session {name}", self.heading)));
            if session.comparisons.is_empty() {
                blocks.push(NOTHING_TO_COMPARE.to_owned());
                continue;
            }
            let sentences = session.comparisons.iter();
            let sentences =
                sentences.map(|c| format!("{}{}", self.bullet, sentence(c, settings, named)));
            blocks.push(sentences.collect::<Vec<_>>().join("\n"));
            blocks.push((self.table)(&session.comparisons));
            blocks.extend(place_notes(session));
        }
        blocks.join("\n\n")
    }
}

const NOTHING_TO_COMPARE: &str = "There is nothing to compare: a comparison takes two targets.";

const COLUMNS: [&str; 9] = [
    "payload", "figure", "a / b", "ratio", "interval", "rounds", "p", "p (Holm)", "outcome",
];

fn cells(comparison: &Comparison) -> [String; 9] {
    let found = &comparison.found;
    let (ratio, interval) = ratio_and_interval(found);
    let p = |value: Option<f64>| {
        value.map_or("–".to_owned(), |p| words::p_value(p).replace("p ", ""))
    };
    let outcome = match found.outcome {
        Outcome::Different => "different",
        Outcome::Equal => "equal",
        Outcome::Open => "open",
    };
    [
        comparison.payload.clone().unwrap_or_else(|| "–".to_owned()),
        comparison.figure.clone(),
        format!("{} / {}", comparison.a, comparison.b),
        ratio,
        interval,
        found.rounds.to_string(),
        p(found.p),
        p(found.p_holm),
        outcome.to_owned(),
    ]
}

fn ratio_and_interval(found: &Judgement) -> (String, String) {
    match (found.ratio, found.interval) {
        (Some(ratio), Some(interval)) => {
            let [ratio, low, high] = words::ratios([ratio, interval.low, interval.high]);
            (
                ratio,
                format!("{low} to {high} ({})", words::level(found.alpha)),
            )
        }
        (Some(ratio), None) => (words::ratio(ratio), "–".to_owned()),
        _ => ("–".to_owned(), "–".to_owned()),
    }
}

/// What is said of one comparison.
pub(super) fn sentence(comparison: &Comparison, settings: &Settings, named: &Named) -> String {
    let found = &comparison.found;
    let Comparison { a, b, figure, .. } = comparison;
    let under = comparison
        .payload
        .as_ref()
        .map_or(String::new(), |payload| format!(" ({payload})"));
    let beside = if comparison.decides {
        ""
    } else {
        " [describes]"
    };
    let (ratio, interval) = ratio_and_interval(found);
    let said = if let Some(who) = &comparison.disturbed {
        format!("no verdict on {a} and {b}: trials of {who} were marked invalid clearly more often")
    } else {
        match (found.outcome, found.ratio) {
            (_, None) => {
                format!("not decided: {a} and {b} have no round in common in which both count")
            }
            (Outcome::Different, Some(value)) => {
                let better = if (value > 1.0) == named.more_is_better(figure) {
                    a
                } else {
                    b
                };
                let small = found
                    .interval
                    .is_some_and(|interval| interval.is_within(settings.margin));
                let by = if small {
                    format!(", by less than {}", words::percent(settings.margin))
                } else {
                    String::new()
                };
                format!(
                    "{better} is better{by}: {a} has {ratio} times the {figure} of {b}, interval {interval}"
                )
            }
            (Outcome::Equal, Some(_)) => {
                let [low, high] = found
                    .equality_interval
                    .map_or(["–".to_owned(), "–".to_owned()], |i| {
                        words::ratios([i.low, i.high])
                    });
                format!(
                    "{a} and {b} are equal within {}: {low} to {high} ({})",
                    words::percent(settings.margin),
                    words::level(2.0 * found.alpha)
                )
            }
            (Outcome::Open, Some(_)) => {
                let seen = found.interval.map_or_else(
                    || format!("ratio {ratio}, no interval from {} rounds", found.rounds),
                    |_| format!("{a} has {interval} times the {figure} of {b}"),
                );
                let next = words::what_would_decide(found, comparison.family, settings);
                format!("not decided: {seen}; {next}")
            }
        }
    };
    format!("{figure}{under}{beside}: {said}")
}

fn place_notes(session: &Judged) -> Option<String> {
    let notes = places(session);
    (!notes.is_empty()).then(|| notes.join("\n"))
}

/// Whether the place in a round matters, a sentence a figure.
pub(super) fn places(session: &Judged) -> Vec<String> {
    session
        .places
        .iter()
        .map(|place| {
            let under = place
                .payload
                .as_ref()
                .map_or(String::new(), |p| format!(" ({p})"));
            let weight = if (place.ratio - 1.0).abs() > position::NOTABLE {
                ": the place in a round matters"
            } else {
                ""
            };
            format!(
                "Second place in a round to the first, {}{under}: {}{weight}",
                place.figure,
                words::ratio(place.ratio)
            )
        })
        .collect()
}
