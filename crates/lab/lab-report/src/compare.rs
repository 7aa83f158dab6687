//! Pairs of targets under each payload: ratio, interval, corrected p-value; and the ranks that follow.

use super::cell::Cell;
use super::model::{Comparison, Metric, ThroughputRow};
use super::stats::{ALPHA, MIN_TRIALS, bootstrap_ratio, holm, mann_whitney, median, smallest_p};

/// Every pair under every payload, in each of the metrics, corrected together.
pub fn comparisons(cells: &[&Cell<'_>], metrics: &[Metric], seed: u64) -> Vec<Comparison> {
    let mut found = Vec::new();
    for (index, a) in cells.iter().enumerate() {
        for b in cells[index + 1..].iter().filter(|b| b.payload == a.payload) {
            found.extend(
                metrics
                    .iter()
                    .filter_map(|metric| compare(a, b, *metric, seed)),
            );
        }
    }
    correct(&mut found);
    found
}

/// None where one of them has no such figure, or where one was disturbed and the other was not.
fn compare(a: &Cell<'_>, b: &Cell<'_>, metric: Metric, seed: u64) -> Option<Comparison> {
    if a.counts != b.counts {
        return None;
    }
    // Nothing can be a multiple of nothing.
    let middle = |cell: &Cell<'_>| median(&cell.values(metric)).filter(|middle| *middle > 0.0);
    let (of_a, of_b) = (middle(a)?, middle(b)?);
    let (higher, lower) = if of_a >= of_b { (a, b) } else { (b, a) };
    let (above, below) = (higher.values(metric), lower.values(metric));
    let trials = above.len().min(below.len());
    // A verdict needs enough trials of both, none of them limited by something other than the target.
    let judged = trials >= MIN_TRIALS && higher.reason.is_none() && lower.reason.is_none();
    let (most, least) = (of_a.max(of_b), of_a.min(of_b));
    Some(Comparison {
        metric,
        payload: a.payload.to_owned(),
        higher: higher.target,
        lower: lower.target,
        ratio: most / least,
        interval: bootstrap_ratio(&above, &below, seed).filter(|_| judged),
        p: judged.then(|| mann_whitney(&above, &below)),
        p_corrected: None,
        differs: None,
        trials,
    })
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
        let mine = |pair: &&Comparison| {
            pair.metric == Metric::Rate && pair.payload == row.payload && pair.differs.is_some()
        };
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
