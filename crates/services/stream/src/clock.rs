//! The time at which an event is sent.

use std::time::SystemTime;

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}
