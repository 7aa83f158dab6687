//! Attributes as raw JSON text: what PostgreSQL's `jsonb` would refuse is found here, without building a tree,
//! and several objects are folded into one without parsing them.

use std::borrow::Cow;

use crate::{json, scan};

pub use crate::fault::{Fault, MAX_NESTING, Scanned};

/// Checks the text of a JSON object that no parser has seen yet. Empty: none.
pub(crate) fn from_bytes(bytes: Vec<u8>) -> Result<Option<String>, Cow<'static, str>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not valid JSON: invalid UTF-8")?;
    let start = text.len() - text.trim_start_matches(WHITE_SPACE).len();
    let value = scan::value(text.as_bytes(), start)
        .ok()
        .filter(|value| text[value.end..].trim_matches(WHITE_SPACE).is_empty())
        .ok_or_else(|| json::malformed_problem(&text))?;
    match Scanned::new(&text[start..value.end], value.fault).object() {
        None => Err("must be a JSON object".into()),
        Some(Err(fault)) => Err(fault.problem().into()),
        Some(Ok(_)) => Ok(Some(text)),
    }
}

/// Folds JSON objects into one by joining the texts of their members in order. A key may then occur more than
/// once; `jsonb` keeps the last, so that the result is what merging one object after the other gives.
pub fn fold<'a, I>(objects: I) -> String
where
    I: IntoIterator<Item = &'a str>,
    I::IntoIter: Clone,
{
    let objects = objects.into_iter();
    let mut folded = String::with_capacity(objects.clone().map(|o| o.len() + 1).sum::<usize>() + 2);
    folded.push('{');
    for members in objects.map(members).filter(|members| !members.is_empty()) {
        if folded.len() > 1 {
            folded.push(',');
        }
        folded.push_str(members);
    }
    folded.push('}');
    folded
}

/// What stands between the braces of a JSON object, without white space around it.
#[must_use]
pub fn members(object: &str) -> &str {
    let object = object.trim_matches(WHITE_SPACE);
    let inner = object
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or_default().trim_matches(WHITE_SPACE)
}

/// White space as JSON defines it.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
