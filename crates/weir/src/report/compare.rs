//! Pairs of targets under each payload: ratio, interval, corrected p-value; and the ranks that follow.

use super::cell::Cell;
use super::model::{Comparison, ThroughputRow};
use super::stats::{ALPHA, MIN_TRIALS, bootstrap_ratio, holm, mann_whitney, smallest_p};

/// Every pair under every payload, corrected together.
pub fn comparisons(cells: &[Cell<'_>], seed: u64) -> Vec<Comparison> {
    let mut found = Vec::new();
    for (index, a) in cells.iter().enumerate() {
        for b in cells[index + 1..].iter().filter(|b| b.payload == a.payload) {
            found.push(compare(a, b, seed));
        }
    }
    correct(&mut found);
    found
}

fn compare(a: &Cell<'_>, b: &Cell<'_>, seed: u64) -> Comparison {
    let (higher, lower) = if a.rate() >= b.rate() { (a, b) } else { (b, a) };
    let (above, below) = (higher.rates(), lower.rates());
    let trials = above.len().min(below.len());
    // A verdict needs enough trials of both, none of them limited by something other than the target.
    let judged = trials >= MIN_TRIALS && higher.reason.is_none() && lower.reason.is_none();
    Comparison {
        payload: a.payload.to_owned(),
        higher: higher.target,
        lower: lower.target,
        ratio: if lower.rate() > 0.0 {
            higher.rate() / lower.rate()
        } else {
            f64::INFINITY
        },
        interval: bootstrap_ratio(&above, &below, seed).filter(|_| judged),
        p: judged.then(|| mann_whitney(&above, &below)),
        p_corrected: None,
        differs: None,
        trials,
    }
}

fn correct(comparisons: &mut [Comparison]) {
    let judged: Vec<&mut Comparison> = comparisons
        .iter_mut()
        .filter(|pair| pair.p.is_some())
        .collect();
    let p_values: Vec<f64> = judged.iter().filter_map(|pair| pair.p).collect();
    for (pair, p) in judged.into_iter().zip(holm(&p_values)) {
        pair.p_corrected = Some(p);
        // Where no outcome whatever could have been significant, its absence says nothing.
        let reachable = smallest_p(pair.trials, pair.trials) * p_values.len() as f64 <= ALPHA;
        pair.differs = reachable
            .then(|| p <= ALPHA && pair.interval.is_some_and(|interval| interval.low > 1.0));
    }
}

/// Gives each row its place: one more than the targets that are detectably higher. Rows that no comparison
/// judged keep none.
pub fn rank(rows: &mut [ThroughputRow], comparisons: &[Comparison]) {
    for row in rows {
        let mine = |pair: &&Comparison| pair.payload == row.payload && pair.differs.is_some();
        let judged = comparisons
            .iter()
            .filter(mine)
            .any(|pair| pair.higher == row.target || pair.lower == row.target);
        let ahead = comparisons
            .iter()
            .filter(mine)
            .filter(|pair| pair.lower == row.target && pair.differs == Some(true))
            .count();
        row.rank = judged.then_some(ahead + 1);
    }
}
