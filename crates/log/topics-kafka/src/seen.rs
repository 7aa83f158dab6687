//! Whether Kafka answered lately.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether Kafka answered when it was last asked.
#[derive(Debug)]
pub(crate) struct Seen(AtomicBool);

impl Default for Seen {
    /// A backend is there only once Kafka has answered.
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Seen {
    pub(crate) fn is_answering(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes it, and logs a change.
    pub(crate) fn note(&self, is_answering: bool) {
        if self.0.swap(is_answering, Ordering::Relaxed) == is_answering {
            return;
        }
        if is_answering {
            tracing::info!("Kafka answers again");
        } else {
            tracing::warn!("Kafka does not answer");
        }
    }
}
