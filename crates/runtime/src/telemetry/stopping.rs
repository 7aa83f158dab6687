//! What a library calls an error while it works, and is none once the service stops.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// actix-server's accept thread ends after its workers. It says `No workers` at `error` for each connection that still waits
/// then; such a client is told by its connection, and the log would wake somebody for every rolling restart.
const ACCEPT: &str = "actix_server::accept";

/// The stop of this process has begun.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Notes that the stop has begun.
pub(crate) fn begin() {
    BEGUN.store(true, Ordering::Relaxed);
}

/// Leaves out those lines once the stop has begun.
pub(super) struct Stopping(&'static AtomicBool);

impl Stopping {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        Self(&BEGUN)
    }
}

impl<S: Subscriber> Layer<S> for Stopping {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == ACCEPT {
            // Asked each time: the answer changes once.
            Interest::sometimes()
        } else {
            Interest::always()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() != ACCEPT || !self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_workers_is_an_error_until_the_stop_has_begun() {
        static OWN: AtomicBool = AtomicBool::new(false);
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry()
            .with(Stopping(&OWN))
            .with(tracing_subscriber::fmt::layer().with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            for begun in [false, true] {
                OWN.store(begun, Ordering::Relaxed);
                tracing::error!(target: "actix_server::accept", begun, "No workers");
                tracing::error!(target: "actix_server::server", begun, "another line");
            }
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.matches("No workers").count(), 1, "{written}");
        assert_eq!(written.matches("another line").count(), 2, "{written}");
    }
}
