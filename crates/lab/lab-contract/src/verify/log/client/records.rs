//! What is read and written, whichever way it goes.

use api::takhin::RecordHeader;

/// Bytes of one answer while records are read.
pub(super) const READ_BYTES: i32 = 1 << 20;

/// The header that the check gives each of its records.
pub(crate) fn header() -> RecordHeader {
    RecordHeader {
        key: "weir".into(),
        value: "verify".into(),
    }
}

/// An entry as it is read.
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) timestamp: String,
    pub(crate) prev_hash: String,
    pub(crate) data: String,
    pub(crate) hash: String,
}
