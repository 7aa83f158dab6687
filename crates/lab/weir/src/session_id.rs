//! Names that sort by time.

use anyhow::Result;
use time::OffsetDateTime;
use time::macros::format_description;

/// UTC time and four random digits: sorts by time, unique among sessions of one second.
pub(crate) fn session_id() -> Result<String> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    Ok(format!("{}-{}", timestamp()?, &random[..4]))
}

/// Now, as file names hold it: `20261121T104205Z`.
pub(crate) fn timestamp() -> Result<String> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    Ok(OffsetDateTime::now_utc().format(format)?)
}
