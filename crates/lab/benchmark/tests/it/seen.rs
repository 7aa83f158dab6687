//! What a server saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

/// How a server treats a request, given its number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Stores the event and says so.
    Store,
    /// Stores it and says so after a while.
    StoreAfter(Duration),
    /// Answers with an error, and stores nothing.
    Refuse,
    /// Stores it and closes the connection without a word.
    Vanish,
    /// Stores it and never answers.
    Silent,
}

pub(crate) type Policy = fn(usize) -> Treatment;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) accepted: usize,
    pub(crate) requests: usize,
    pub(crate) refused: usize,
    pub(crate) stored: usize,
    pub(crate) uuids: BTreeSet<String>,
    pub(crate) rows: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<Seen>>);

impl Shared {
    pub(crate) fn get(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    pub(crate) fn accepted(&self) {
        self.get().accepted += 1;
    }

    /// Decides about a request and, where it is stored, merges the event as the service would.
    pub(crate) fn request(
        &self,
        policy: Policy,
        uuid: &str,
        entity_id: &str,
        attributes: Value,
    ) -> Treatment {
        let mut seen = self.get();
        seen.requests += 1;
        let treatment = policy(seen.requests);
        if treatment == Treatment::Refuse {
            seen.refused += 1;
            return treatment;
        }
        seen.stored += 1;
        assert!(seen.uuids.insert(uuid.to_owned()), "uuid {uuid} came twice");
        let Value::Object(attributes) = attributes else {
            panic!("attributes are no object")
        };
        seen.rows
            .entry(entity_id.to_owned())
            .or_default()
            .extend(attributes);
        treatment
    }

    /// (row, marker) pairs of a run: what an audit counts.
    pub(crate) fn marked(&self, run_id: &str) -> usize {
        let markers = [
            "carCreatedRun",
            "serviceDoneRun",
            "loanCreatedRun",
            "loanPaymentRun",
        ];
        let seen = self.get();
        seen.rows
            .values()
            .flat_map(|row| markers.iter().filter_map(|marker| row.get(*marker)))
            .filter(|value| *value == run_id)
            .count()
    }
}
