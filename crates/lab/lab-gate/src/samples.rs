//! Verdict files for tests.

use lab_verdict::{Judge, log_ratio};

use crate::verdict_file::{
    Better, Comparison, FORMAT, Kind, Round, Settings, Source, Target, VerdictFile,
};

/// Rounds of `old` and `new`, the second `factor` times the first with a spread of about 1 %.
pub(crate) fn rounds(number: usize, factor: f64) -> Vec<Round> {
    (0..number)
        .map(|round| {
            let wobble = |seed: usize| 1.0 + ((round * (7 + seed)) % 11) as f64 / 500.0 - 0.01;
            // Few digits: JSON gives them back exactly.
            let short = |value: f64| (value * 1000.0).round() / 1000.0;
            let drift = 1.0 + round as f64 / 40.0;
            Round {
                round: (round + 1).to_string(),
                a: short(70.0 * drift * wobble(1)),
                b: short(70.0 * drift * factor * wobble(3)),
            }
        })
        .collect()
}

/// A file in which `old` (a) and `new` (b) are compared in one figure.
pub(crate) fn file(rounds: &[Round]) -> VerdictFile {
    let differences: Vec<f64> = rounds
        .iter()
        .filter_map(|round| log_ratio(round.a, round.b))
        .collect();
    let found = Judge::new(lab_verdict::Settings::default())
        .family(&[differences])
        .remove(0);
    let target = |name: &str| Target {
        name: name.to_owned(),
        trials: rounds.len(),
        counted: rounds.len(),
        ..Target::default()
    };
    VerdictFile {
        format: FORMAT.to_owned(),
        source: Source {
            tool: "a test".to_owned(),
            ..Source::default()
        },
        kind: Kind::Open,
        sentence: "A sentence.".to_owned(),
        notes: Vec::new(),
        settings: Settings {
            alpha: 0.05,
            margin: 0.03,
            reference: None,
            primary: None,
            look: None,
        },
        targets: vec![target("old"), target("new")],
        comparisons: vec![Comparison {
            session: None,
            scenario: None,
            payload: None,
            figure: "service CPU".to_owned(),
            unit: Some("µs".to_owned()),
            better: Better::Less,
            a: "old".to_owned(),
            b: "new".to_owned(),
            decides: true,
            rounds: rounds.to_vec(),
            rounds_needed: 6,
            ratio: found.ratio,
            low: found.interval.map(|interval| interval.low),
            high: found.interval.map(|interval| interval.high),
            level: found.interval.map(|_| 1.0 - found.alpha),
            p: found.p,
            p_holm: found.p_holm,
            spread: found.spread,
            outcome: Some(found.outcome),
            no_verdict: None,
            next: None,
        }],
        checks: Vec::new(),
    }
}
