//! Which member of a group reads which partitions. Pure.

/// Ranges of partitions for members in the order in which they came: sizes differ by one at most, the first ones have more.
/// A member keeps much of its range when another comes or goes.
pub(crate) fn ranges(partitions: u32, members: usize) -> Vec<std::ops::Range<u32>> {
    let count = u32::try_from(members).unwrap_or(u32::MAX).max(1);
    let (each, more) = (partitions / count, partitions % count);
    let mut next = 0;
    (0..members)
        .map(|member| {
            let one_more = u32::from((member as u32) < more);
            let range = next..next + each + one_more;
            next = range.end;
            range
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_member() {
        for partitions in 1..20 {
            for members in 1..25 {
                let ranges = ranges(partitions, members);
                assert_eq!(ranges.len(), members);
                let all: Vec<u32> = ranges.iter().cloned().flatten().collect();
                assert_eq!(all, (0..partitions).collect::<Vec<_>>());
                let sizes = ranges.iter().map(ExactSizeIterator::len);
                let (most, least) = (sizes.clone().max(), sizes.min());
                assert!(most <= least.map(|least| least + 1), "{ranges:?}");
            }
        }
        assert!(ranges(5, 0).is_empty());
    }
}
