//! The order of the targets in each round: random, and balanced in blocks, so that drift and place fall on all alike.

use crate::random::SplitMix64;

/// The targets `0 .. targets` in an order for each of `rounds` rounds, drawn from `seed`.
///
/// Two targets: in each block of four rounds both orders stand twice. More: each block of as many rounds as targets is a
/// Latin square, so that each target has each place once; squares are drawn anew for each block. What is left over of the
/// last block is dropped.
pub fn balanced(targets: usize, rounds: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = SplitMix64::new(seed);
    let mut orders = Vec::with_capacity(rounds);
    while orders.len() < rounds {
        let mut block = match targets {
            0 | 1 => vec![(0..targets).collect()],
            2 => vec![vec![0, 1], vec![1, 0], vec![0, 1], vec![1, 0]],
            _ => latin_square(targets, &mut random),
        };
        random.shuffle(&mut block);
        orders.extend(block);
    }
    orders.truncate(rounds);
    orders
}

/// The cyclic square with its targets renamed and its columns rearranged at random.
fn latin_square(size: usize, random: &mut SplitMix64) -> Vec<Vec<usize>> {
    let mut names: Vec<usize> = (0..size).collect();
    let mut columns = names.clone();
    random.shuffle(&mut names);
    random.shuffle(&mut columns);
    let row = |shift: usize| {
        columns
            .iter()
            .map(|column| names[(shift + column) % size])
            .collect()
    };
    (0..size).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_of_two_stand_twice_in_each_block_of_four() {
        for seed in 0..50 {
            let orders = balanced(2, 12, seed);
            for block in orders.chunks(4) {
                assert_eq!(
                    block.iter().filter(|order| **order == [0, 1]).count(),
                    2,
                    "{block:?}"
                );
            }
        }
        let firsts = |seed| {
            balanced(2, 40, seed)
                .iter()
                .map(|o| o[0])
                .collect::<Vec<_>>()
        };
        assert_ne!(firsts(1), firsts(2));
        assert_eq!(firsts(1), firsts(1), "a seed draws the same orders again");
    }

    #[test]
    fn each_target_has_each_place_once_in_a_block() {
        for targets in 3..=7 {
            let orders = balanced(targets, targets * 3, 9);
            for block in orders.chunks(targets) {
                for place in 0..targets {
                    let mut seen: Vec<usize> = block.iter().map(|order| order[place]).collect();
                    seen.sort_unstable();
                    assert_eq!(seen, (0..targets).collect::<Vec<_>>(), "{block:?}");
                }
            }
        }
    }

    #[test]
    fn over_blocks_each_neighbour_comes_first_about_as_often() {
        let orders = balanced(4, 400, 3);
        let before = orders
            .iter()
            .filter(|order| order.iter().position(|t| *t == 0) < order.iter().position(|t| *t == 1))
            .count();
        assert!((150..=250).contains(&before), "{before} of 400");
    }

    #[test]
    fn any_number_of_rounds_and_targets() {
        assert!(balanced(3, 0, 1).is_empty());
        assert_eq!(balanced(1, 3, 1), [[0], [0], [0]]);
        assert_eq!(balanced(0, 2, 1), [Vec::<usize>::new(), Vec::new()]);
        assert_eq!(balanced(5, 7, 1).len(), 7);
    }
}
