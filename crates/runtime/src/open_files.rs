//! Open files: a connection is one, a partition another, and many systems allow a process 1,024 unless it asks for more.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What macOS gives where the hard limit says that there is none (`OPEN_MAX`).
const WITHOUT_LIMIT: u64 = 10_240;

/// Raises the limit on open files to the most that this process may have (setrlimit(2)). A warning where that fails: the
/// process works, with fewer connections.
pub fn allow_most() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(now, most)| {
        let set = |to| setrlimit(Resource::RLIMIT_NOFILE, to, most);
        set(most).or_else(|_| set(most.min(WITHOUT_LIMIT).max(now)))
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// How many files this process may have open now; 1,024 where the system does not say.
pub fn limit() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(now, _)| now);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Resource, allow_most, getrlimit};

    #[test]
    fn the_limit_is_as_high_as_it_may_be() {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        allow_most();
        let (now, still) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(still, most);
        assert!(
            now == most || now >= super::WITHOUT_LIMIT,
            "{now} of {most}"
        );
    }
}
