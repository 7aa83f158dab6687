//! The measured window: stands by a load from its first moment to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::{Edge, Load, Window};
use crate::progress::Progress;
use crate::stop::Stop;

/// How often it is looked whether a load has ended by itself.
const LOOK: Duration = Duration::from_millis(10);

/// Stands by a load until it is over, or until it is asked to stop; then waits for the last answers.
///
/// # Errors
/// Those of [`Load::finish`]; [`crate::stop::Interrupted`] when the run is halted and does not end.
pub async fn measure<L: Load>(
    load: L,
    progress: &mut Progress,
    stop: &Stop,
) -> anyhow::Result<L::Outcome> {
    let clock = Arc::clone(load.clock());
    let mut from = None;
    let mut interrupted = false;
    let mut ticks = tokio::time::interval(Progress::EVERY);
    ticks.tick().await; // the first comes at once
    let mut looks = tokio::time::interval(LOOK);
    while Instant::now() < clock.end() && !load.finished() {
        tokio::select! {
            () = tokio::time::sleep_until(clock.measured_from().into()), if from.is_none() => {
                from = Some(Edge::now(load.wire()));
            }
            () = tokio::time::sleep_until(clock.end().into()) => {}
            _ = ticks.tick() => progress.show(&clock, || load.standing()),
            _ = looks.tick(), if L::ENDS_BY_ITSELF => {}
            () = stop.asked() => {
                clock.stop();
                interrupted = true;
            }
        }
    }
    let to = Edge::now(load.wire());
    progress.done();
    let measured = clock.end().saturating_duration_since(clock.measured_from());
    let window = Window {
        started_at: clock.started_at(),
        measured_at: clock.started_at() + (clock.measured_from() - clock.begun()),
        seconds: measured.as_secs_f64(),
        interrupted,
        from: from.unwrap_or(to),
        to,
    };
    stop.unless_halted(load.finish(window, stop)).await?
}
