//! A bulk request's body into the texts of its events.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::{invalid::Invalid, json};

/// Splits a JSON array of events. The elements may be anything; each is parsed on its own with
/// [`Event::from_raw`](crate::Event::from_raw), so that one bad event is one failure.
///
/// # Errors
/// A body that is no JSON, no array, or empty.
pub fn parse_bulk(body: &[u8]) -> Result<Vec<&RawValue>, Invalid> {
    let text = json::utf8(body)?;
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(events) if events.is_empty() => {
            Err(Invalid::new("the body", "must contain at least one event"))
        }
        Ok(events) => Ok(events),
        // Which of the two it is: well-formed JSON of another type, or no JSON.
        Err(_) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(IgnoredAny) => Err(Invalid::new("the body", "must be a JSON array")),
            Err(_) => Err(json::malformed(text)),
        },
    }
}
