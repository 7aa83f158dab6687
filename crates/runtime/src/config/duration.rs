//! Durations as people write them.

use std::time::Duration;

/// Value parser of durations: `500ms`, `10s`, `2m`; a unit is required except for `0`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("{error} (write for example 500ms, 10s or 2m)"))
}
