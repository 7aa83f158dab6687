//! A bulk request's body into its events.

use crate::{
    draft::Part,
    event::Event,
    invalid::Invalid,
    json::{self, ReadEvent},
};

/// An element of a bulk request: well-formed JSON of any type, not checked yet.
#[derive(Debug)]
pub struct BulkElement<'a> {
    bytes: usize,
    read: ReadEvent<'a>,
}

impl BulkElement<'_> {
    /// Length of its text, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The event that it is.
    ///
    /// # Errors
    /// The first broken rule in the order of the schema.
    pub fn event(self) -> Result<Event, Invalid> {
        Event::from_read(self.read)
    }
}

/// Reads a JSON array of events in one pass. The elements may be anything; each is checked on its own with
/// [`BulkElement::event`], so that one bad event is one failure.
///
/// # Errors
/// A body that is no JSON, no array, or empty.
pub fn parse_bulk(body: &[u8]) -> Result<Vec<BulkElement<'_>>, Invalid> {
    let text = json::utf8(body)?;
    match json::read_bulk(text) {
        Ok(Part::Present(elements)) if elements.is_empty() => {
            Err(Invalid::new("the body", "must contain at least one event"))
        }
        Ok(Part::Present(elements)) => {
            let elements = elements.into_iter();
            Ok(elements
                .map(|(bytes, read)| BulkElement { bytes, read })
                .collect())
        }
        Ok(Part::Absent | Part::Wrong) => Err(Invalid::new("the body", "must be a JSON array")),
        Err(_) => Err(json::malformed(text)),
    }
}
