//! What is asked of a place, and what it answers.

/// Where an append went.
pub(super) struct Appended {
    pub(super) seq: u64,
    pub(super) ts: String,
    pub(super) hash: String,
}

/// What a check found.
pub(super) struct Verified {
    pub(super) valid: bool,
    pub(super) entries: u64,
    pub(super) final_hash: String,
    pub(super) error: String,
}

/// Which entries are to be printed.
pub(super) enum Wanted {
    From {
        start: Option<u64>,
        limit: Option<u64>,
    },
    Follow {
        start: Option<u64>,
    },
}
