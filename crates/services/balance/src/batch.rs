//! Which accounts a shared read asks for, and which request each balance belongs to. Pure.

/// The ids sorted and each once: what one read asks for.
pub(crate) fn distinct<'a>(ids: &[&'a str]) -> Vec<&'a str> {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// What was found for each of `ids`, in their order. `found` belongs to [`distinct`] of them, position by position.
pub(crate) fn spread<T: Copy>(
    ids: &[&str],
    distinct: &[&str],
    found: &[Option<T>],
) -> Vec<Option<T>> {
    ids.iter()
        .map(|id| {
            let at = distinct.binary_search(id).ok()?;
            *found.get(at)?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_twice_is_read_once_and_given_twice() {
        let ids = ["b", "a", "c", "a", "b", "a"];
        let read = distinct(&ids);
        assert_eq!(read, ["a", "b", "c"]);
        let found = [Some(1), Some(2), None];
        assert_eq!(
            spread(&ids, &read, &found),
            [Some(2), Some(1), None, Some(1), Some(2), Some(1)]
        );
    }
}
