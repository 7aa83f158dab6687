//! How often the search for change points names a change: the table of docs/reference/history.md.
//!
//! `cargo run -p lab-verdict --example false_alarms -- 500`
#![allow(clippy::print_stdout, reason = "its output is its result")]

use lab_verdict::change_points::{Search, change_points};
use lab_verdict::random::SplitMix64;

/// What disturbs the figures.
#[derive(Clone, Copy)]
enum Noise {
    /// Normal, as a share.
    White(f64),
    /// The same, and one figure in eight 40 % off.
    Disturbed(f64),
    /// Each figure remembers this share of the one before.
    Autocorrelated(f64, f64),
}

fn series(points: usize, step: f64, noise: Noise, random: &mut SplitMix64) -> Vec<f64> {
    let mut kept = 0.0;
    (0..points)
        .map(|point| {
            let level = if point < points / 2 { 1.0 } else { step };
            let log = match noise {
                Noise::White(size) => size * random.normal(),
                Noise::Disturbed(size) if random.below(8) == 0 => 0.34 + size * random.normal(),
                Noise::Disturbed(size) => size * random.normal(),
                Noise::Autocorrelated(size, share) => {
                    kept = share * kept + (1.0 - share * share).sqrt() * size * random.normal();
                    kept
                }
            };
            level * log.exp()
        })
        .collect()
}

fn main() {
    let number: u64 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(2000);
    let search = Search::default();
    println!("| series of | a change is named | within two points of the truth |");
    println!("|---|--:|--:|");
    for (name, points, step, noise) in [
        (
            "12 points, no change, white noise 3 %",
            12,
            1.0,
            Noise::White(0.03),
        ),
        (
            "30 points, no change, white noise 3 %",
            30,
            1.0,
            Noise::White(0.03),
        ),
        (
            "100 points, no change, white noise 3 %",
            100,
            1.0,
            Noise::White(0.03),
        ),
        (
            "30 points, no change, one in eight disturbed by 40 %",
            30,
            1.0,
            Noise::Disturbed(0.03),
        ),
        (
            "30 points, no change, autocorrelated 0.3",
            30,
            1.0,
            Noise::Autocorrelated(0.03, 0.3),
        ),
        (
            "12 points, a step of 10 %, white noise 3 %",
            12,
            1.1,
            Noise::White(0.03),
        ),
        (
            "30 points, a step of 5 %, white noise 3 %",
            30,
            1.05,
            Noise::White(0.03),
        ),
        (
            "30 points, a step of 10 %, white noise 3 %",
            30,
            1.1,
            Noise::White(0.03),
        ),
        (
            "100 points, a step of 3 %, white noise 3 %",
            100,
            1.03,
            Noise::White(0.03),
        ),
        (
            "30 points, a step of 10 %, one in eight disturbed by 40 %",
            30,
            1.1,
            Noise::Disturbed(0.03),
        ),
    ] {
        let mut random = SplitMix64::new(4711);
        let (mut named, mut right) = (0_u64, 0_u64);
        for _ in 0..number {
            let found = change_points(&series(points, step, noise, &mut random), &search);
            named += u64::from(!found.is_empty());
            right += u64::from(
                found
                    .iter()
                    .any(|change| change.index.abs_diff(points / 2) <= 2),
            );
        }
        let percent = |count: u64| 100.0 * count as f64 / number as f64;
        let right = match step == 1.0 {
            true => "–".to_owned(),
            false => format!("{:.1} %", percent(right)),
        };
        println!("| {name} | {:.1} % | {right} |", percent(named));
    }
}
