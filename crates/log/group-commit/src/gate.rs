//! Admission: which appends are accepted.

use std::io;
use std::sync::{Arc, OnceLock};

use crate::error::AppendError;
use crate::terms::Terms;

/// Admits appends as long as the sink accepts writes and there is room for them to wait.
#[derive(Debug)]
pub(crate) struct Gate {
    terms: Terms,
    poison: OnceLock<Arc<str>>,
}

impl Gate {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            poison: OnceLock::new(),
        }
    }

    /// Takes the bytes of one append out of the budget; `waiting` others wait here already.
    pub(crate) fn admit(&self, waiting: usize, bytes: usize) -> Result<(), AppendError> {
        if let Some(reason) = self.poisoned() {
            return Err(AppendError::Poisoned(reason));
        }
        if waiting >= self.terms.capacity.max(1) || !self.terms.budget.take(bytes) {
            return Err(AppendError::Full);
        }
        Ok(())
    }

    /// Returns to the budget the bytes of an append that no longer waits.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.terms.budget.give_back(bytes);
    }

    /// Bytes of all appends in flight that share the budget.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.terms.budget.taken()
    }

    /// Why appends are refused, if they are.
    pub(crate) fn poisoned(&self) -> Option<Arc<str>> {
        self.poison.get().cloned()
    }

    /// Refuses all appends from now on. The first reason is kept.
    pub(crate) fn poison(&self, reason: &str) -> AppendError {
        let reason = self.poison.get_or_init(|| reason.into());
        self.terms.faults.note_poisoned(reason);
        AppendError::Poisoned(Arc::clone(reason))
    }

    /// The same for a sink in which nothing is to be stored any more.
    pub(crate) fn close(&self, reason: &str) -> AppendError {
        AppendError::Poisoned(Arc::clone(self.poison.get_or_init(|| reason.into())))
    }

    pub(crate) fn note_full(&self, error: &io::Error) -> AppendError {
        self.terms.faults.note_full(error);
        AppendError::NoRoom
    }

    pub(crate) fn note_room(&self) {
        self.terms.faults.note_room();
    }
}
