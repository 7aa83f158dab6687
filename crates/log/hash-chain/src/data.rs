//! What is appended: JSON text, checked and made ready on the thread that sends it.

use super::canonical::{self, KeyOrder};
use super::entry::EntryHash;
use super::error::{ChainError, MAX_DATA_BYTES};

/// Bytes of an entry beside its data, for the count of bytes that wait.
const ENTRY_BYTES: usize = 512;

/// Data that the log takes.
#[derive(Clone, Debug)]
pub struct Data {
    /// As it is stored: normalised, keys in the order sent.
    pub(super) stored: Vec<u8>,
    /// Begun here rather than by the writer, so that senders share the work.
    pub(super) hash: EntryHash,
}

impl Data {
    /// Checks and normalises JSON text.
    ///
    /// # Errors
    /// It is over [`MAX_DATA_BYTES`], is no JSON, or holds what the log does not take.
    pub fn new(text: &[u8]) -> Result<Self, ChainError> {
        if text.len() > MAX_DATA_BYTES {
            return Err(ChainError::TooLarge);
        }
        let mut stored = Vec::with_capacity(text.len() + 16);
        let found = canonical::write(text, KeyOrder::Sent, &mut stored)?;
        let hash = if found.sorted {
            EntryHash::begin(&stored)
        } else {
            let mut sorted = Vec::with_capacity(stored.len());
            canonical::write(&stored, KeyOrder::Sorted, &mut sorted)?;
            EntryHash::begin(&sorted)
        };
        Ok(Self { stored, hash })
    }

    /// Memory that it holds while it waits.
    pub(super) fn bytes(&self) -> usize {
        self.stored.capacity() + ENTRY_BYTES
    }
}
