//! Whether the place in a round matters: the second target of a round meets a warmer, or a more worn, machine.

use std::collections::BTreeMap;

/// Beyond this distance from 1 the report says that the place matters.
pub const NOTABLE: f64 = 0.02;

/// A target's figure in a round. Rounds are lists of these, in the order in which the trials ran.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Which target.
    pub target: usize,
    /// Its figure, above zero.
    pub figure: f64,
}

/// Ratio of a figure at the second place to that at the first: the geometric mean over the rounds, freed from the
/// differences between the targets. `None` where it cannot be told apart from them: with two targets each order is needed.
pub fn ratio<R: AsRef<[Placed]>>(rounds: &[R]) -> Option<f64> {
    let intact: Vec<&[Placed]> = rounds
        .iter()
        .map(AsRef::as_ref)
        .filter(|round| {
            round.len() > 1 && round.iter().all(|p| p.figure > 0.0 && p.figure.is_finite())
        })
        .collect();
    let mut logs: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for placed in intact.iter().copied().flatten() {
        let entry = logs.entry(placed.target).or_default();
        *entry = (entry.0 + placed.figure.ln(), entry.1 + 1);
    }
    if logs.len() == 2 {
        return two_targets(&intact);
    }
    let residual = |placed: &Placed| {
        let (sum, count) = logs.get(&placed.target)?;
        Some(placed.figure.ln() - sum / *count as f64)
    };
    let steps: Vec<f64> = intact
        .iter()
        .filter_map(|round| Some(residual(&round[1])? - residual(&round[0])?))
        .collect();
    mean(&steps).map(f64::exp)
}

/// The mean of both orders, each with the same weight, so that an unequal number of them changes nothing.
fn two_targets(rounds: &[&[Placed]]) -> Option<f64> {
    let step = |round: &&[Placed]| (round[1].figure / round[0].figure).ln();
    let (one, other): (Vec<&[Placed]>, Vec<&[Placed]>) = rounds
        .iter()
        .copied()
        .partition(|round| round[0].target < round[1].target);
    let of = |rounds: &[&[Placed]]| mean(&rounds.iter().map(step).collect::<Vec<_>>());
    Some(((of(&one)? + of(&other)?) / 2.0).exp())
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds in these orders; each target has its own level, and each place costs 5 % more than the one before.
    fn rounds(orders: &[Vec<usize>]) -> Vec<Vec<Placed>> {
        let of = |(index, order): (usize, &Vec<usize>)| {
            let drift = 1.0 + index as f64;
            let place = |(place, target): (usize, &usize)| Placed {
                target: *target,
                figure: drift * (1.0 + *target as f64) * 1.05_f64.powi(place as i32),
            };
            order.iter().enumerate().map(place).collect()
        };
        orders.iter().enumerate().map(of).collect()
    }

    #[test]
    fn two_targets_whatever_the_number_of_each_order() {
        let found = ratio(&rounds(&[vec![0, 1], vec![1, 0], vec![0, 1], vec![0, 1]])).unwrap();
        assert!((found - 1.05).abs() < 1e-12, "{found}");
        assert_eq!(ratio(&rounds(&[vec![0, 1], vec![0, 1]])), None);
    }

    #[test]
    fn a_latin_square_of_three() {
        let square = [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1]];
        let mut rounds = rounds(&square);
        // Drift between rounds does not balance in a square: take it out, it is not what is tested here.
        for (index, round) in rounds.iter_mut().enumerate() {
            round
                .iter_mut()
                .for_each(|p| p.figure /= 1.0 + index as f64);
        }
        let found = ratio(&rounds).unwrap();
        assert!((found - 1.05).abs() < 1e-12, "{found}");
    }

    #[test]
    fn a_round_with_one_figure_says_nothing() {
        let alone = vec![Placed {
            target: 0,
            figure: 1.0,
        }];
        assert_eq!(ratio(&[alone]), None);
        assert_eq!(ratio::<Vec<Placed>>(&[]), None);
    }
}
