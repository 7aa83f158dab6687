//! Simulates sessions whose truth is known and counts what the test says of them. Prints the table of
//! `docs/reference/verdict.md` as Markdown.
//!
//! ```sh
//! cargo run --release -p lab-verdict --example simulation -- 20000
//! ```
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use lab_verdict::flags::{Flagged, clearly_more};
use lab_verdict::random::SplitMix64;
use lab_verdict::{Judge, Look, Outcome, Settings, log_ratio, order};

/// What disturbs the figures of a session, beside the difference between its targets.
#[derive(Clone, Copy)]
enum Noise {
    /// Each trial on its own: this standard deviation of the logarithm.
    White(f64),
    /// White noise of 3 %, and a drift of 40 % over the session.
    Drift,
    /// First-order autoregression over the trials in the order run, coefficient 0.75, 10 %.
    Autocorrelated,
    /// White noise of 3 %, and each later place in a round this much slower than the one before.
    Place(f64),
    /// White noise of 3 %; one trial in twelve takes 30 % more. The round is dropped.
    DisturbedDropped,
    /// The same; the round is repeated at the session's end, at most half as many again.
    DisturbedRepeated,
}

struct Case {
    name: &'static str,
    noise: Noise,
    targets: usize,
    rounds: usize,
    /// The last target takes this many times what the others take.
    apart: f64,
    reference: bool,
    sequential: bool,
}

const CASE: Case = Case {
    name: "",
    noise: Noise::White(0.03),
    targets: 2,
    rounds: 12,
    apart: 1.0,
    reference: false,
    sequential: false,
};

/// A session: for each round the figure of each target, none where the trial was disturbed.
fn session(case: &Case, rounds: usize, random: &mut SplitMix64) -> Vec<Vec<Option<f64>>> {
    let planned = order::balanced(case.targets, rounds + rounds / 2, random.next_u64());
    let trials = (rounds * case.targets) as f64;
    let mut before = random.normal();
    let mut number = 0.0;
    let mut intact = 0;
    let mut found = Vec::new();
    for (index, order) in planned.into_iter().enumerate() {
        let repeats = matches!(case.noise, Noise::DisturbedRepeated);
        if index >= rounds && (!repeats || intact >= rounds) {
            break;
        }
        let mut figures = vec![None; case.targets];
        for (place, target) in order.into_iter().enumerate() {
            let mut disturbed = false;
            let log = match case.noise {
                Noise::White(spread) => spread * random.normal(),
                Noise::Drift => 0.03 * random.normal() + 0.4 * number / trials,
                Noise::Autocorrelated => {
                    before = 0.75 * before + (1.0 - 0.75_f64.powi(2)).sqrt() * random.normal();
                    0.1 * before
                }
                Noise::Place(step) => 0.03 * random.normal() + step.ln_1p() * place as f64,
                Noise::DisturbedDropped | Noise::DisturbedRepeated => {
                    disturbed = random.below(12) == 0;
                    0.03 * random.normal() + if disturbed { 0.3 } else { 0.0 }
                }
            };
            let factor = if target + 1 == case.targets {
                case.apart
            } else {
                1.0
            };
            figures[target] = (!disturbed).then(|| factor * log.exp());
            number += 1.0;
        }
        intact += usize::from(figures.iter().all(Option::is_some));
        found.push(figures);
    }
    found
}

/// What the test says of the session after this many rounds: whether it names a difference.
fn names_a_difference(case: &Case, rounds: &[Vec<Option<f64>>], judge: &mut Judge) -> bool {
    let targets = 0..case.targets;
    let pairs: Vec<(usize, usize)> = if case.reference {
        targets.skip(1).map(|a| (a, 0)).collect()
    } else {
        targets
            .flat_map(|a| (a + 1..case.targets).map(move |b| (a, b)))
            .collect()
    };
    let differences: Vec<Vec<f64>> = pairs
        .iter()
        .map(|(a, b)| {
            rounds
                .iter()
                .filter_map(|r| log_ratio(r[*a]?, r[*b]?))
                .collect()
        })
        .collect();
    let flagged = |target: usize| Flagged {
        trials: rounds.len(),
        flagged: rounds
            .iter()
            .filter(|round| round[target].is_none())
            .count(),
    };
    let found = judge.family(&differences);
    found.iter().zip(pairs).any(|(found, (a, b))| {
        // Equal targets: any pair is a false one. Else the pair of the first and the last target.
        let apart = case.apart == 1.0 || (a.min(b), a.max(b)) == (0, case.targets - 1);
        apart
            && found.outcome == Outcome::Different
            && clearly_more(flagged(a), flagged(b)).is_none()
    })
}

/// Share of sessions that name a difference, and the mean number of rounds that they took.
fn run(case: &Case, sessions: usize, seed: u64) -> (f64, f64) {
    let mut random = SplitMix64::new(seed);
    let mut judges: Vec<Judge> = (1..=7)
        .map(|look| {
            Judge::new(Settings {
                look: Look::new(look, 7).filter(|_| case.sequential),
                ..Settings::default()
            })
        })
        .collect();
    let (mut named, mut taken) = (0_usize, 0_usize);
    for _ in 0..sessions {
        let rounds = session(case, case.rounds, &mut random);
        if !case.sequential {
            named += usize::from(names_a_difference(case, &rounds, &mut judges[0]));
            taken += rounds.len();
            continue;
        }
        let looked = judges.iter_mut().enumerate().find_map(|(look, judge)| {
            let until = 8 + 2 * look;
            names_a_difference(case, &rounds[..until], judge).then_some(until)
        });
        named += usize::from(looked.is_some());
        taken += looked.unwrap_or(20);
    }
    (
        named as f64 / sessions as f64,
        taken as f64 / sessions as f64,
    )
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "equal, white noise 3 %, 2 targets, 8 rounds", rounds: 8, ..CASE },
    Case { name: "equal, white noise 10 %, 2 targets, 12 rounds", noise: Noise::White(0.1), ..CASE },
    Case { name: "equal, white noise 3 %, 4 targets, 12 rounds", targets: 4, ..CASE },
    Case { name: "equal, drift of 40 %, 2 targets, 8 rounds", noise: Noise::Drift, rounds: 8, ..CASE },
    Case { name: "equal, autocorrelated, 2 targets, 12 rounds", noise: Noise::Autocorrelated, ..CASE },
    Case { name: "equal, each place in a round 5 % slower, 2 targets, 12 rounds", noise: Noise::Place(0.05), ..CASE },
    Case { name: "equal, each place in a round 5 % slower, 5 targets, 15 rounds", noise: Noise::Place(0.05), targets: 5, rounds: 15, ..CASE },
    Case { name: "equal, 1 trial in 12 disturbed, rounds repeated, 12 rounds", noise: Noise::DisturbedRepeated, ..CASE },
    Case { name: "equal, white noise 3 %, judged at 8, 10, ... 20 rounds", rounds: 20, sequential: true, ..CASE },
    Case { name: "equal, autocorrelated, judged at 8, 10, ... 20 rounds", noise: Noise::Autocorrelated, rounds: 20, sequential: true, ..CASE },
    Case { name: "equal, white noise, 3 targets, judged at 8, 10, ... 20 rounds", targets: 3, rounds: 20, sequential: true, ..CASE },
    Case { name: "5 % apart, drift of 40 %, 8 rounds", noise: Noise::Drift, rounds: 8, apart: 1.05, ..CASE },
    Case { name: "5 % apart, drift of 40 %, judged at 8, 10, ... 20 rounds", noise: Noise::Drift, rounds: 20, apart: 1.05, sequential: true, ..CASE },
    Case { name: "10 % apart, autocorrelated, 8 rounds", noise: Noise::Autocorrelated, rounds: 8, apart: 1.10, ..CASE },
    Case { name: "10 % apart, 10 targets, autocorrelated, 12 rounds, all pairs", noise: Noise::Autocorrelated, targets: 10, apart: 1.10, ..CASE },
    Case { name: "the same with a reference", noise: Noise::Autocorrelated, targets: 10, apart: 1.10, reference: true, ..CASE },
    Case { name: "5 % apart, 1 trial in 12 disturbed, rounds dropped, 12 rounds", noise: Noise::DisturbedDropped, apart: 1.05, ..CASE },
    Case { name: "the same, rounds repeated", noise: Noise::DisturbedRepeated, apart: 1.05, ..CASE },
];

fn main() {
    let sessions = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(2_000);
    println!("| sessions of | a difference is named | rounds |");
    println!("|---|--:|--:|");
    for (seed, case) in CASES.iter().enumerate() {
        let (named, rounds) = run(case, sessions, 4711 + seed as u64);
        println!("| {} | {:.1} % | {rounds:.1} |", case.name, named * 100.0);
    }
}
