//! Decides when a stream has been silent for so long that its client needs a heartbeat.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for all the silences of a stream: an event only notes the time, where a timer of its own for each would have to
/// be set and taken back with every batch.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// Silence that is too long; `None`: there are no heartbeats.
    every: Option<Duration>,
    silent_since: Instant,
    /// Not set before somebody waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Heartbeat {
    /// After silences of `every`, from now on.
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self {
            every,
            silent_since: Instant::now(),
            timer: None,
        }
    }

    /// A silence begins. Gives what waits for its end, with the timer that is set; put it back, or a new one will be set.
    pub(crate) fn silence_begins(&mut self) -> Self {
        Self {
            every: self.every,
            silent_since: self.every.map_or(self.silent_since, |_| Instant::now()),
            timer: self.timer.take(),
        }
    }

    /// Waits until the silence has been too long. Dropping the future loses nothing.
    pub(crate) async fn due(&mut self) {
        let Some(every) = self.every else {
            return std::future::pending().await;
        };
        let due = self.silent_since + every;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            timer.as_mut().await;
            if Instant::now() >= due {
                // The next timer is set for the next silence.
                self.timer = None;
                return;
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    /// Seconds until the next heartbeat of a silence that begins now.
    async fn next(heartbeat: &mut Heartbeat) -> u64 {
        let begun = Instant::now();
        *heartbeat = heartbeat.silence_begins();
        heartbeat.due().await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn each_silence_counts_from_its_own_beginning() {
        let mut heartbeat = Heartbeat::new(Some(EVERY));
        assert_eq!(next(&mut heartbeat).await, 10);
        assert_eq!(next(&mut heartbeat).await, 10);
        // Events come after 7 s, and again after 7 s: the timer of the first silence is still set then.
        for _ in 0..2 {
            heartbeat = heartbeat.silence_begins();
            let waiting = tokio::time::timeout(Duration::from_secs(7), heartbeat.due());
            assert!(waiting.await.is_err());
        }
        assert_eq!(next(&mut heartbeat).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn without_heartbeats_no_silence_is_too_long() {
        let mut heartbeat = Heartbeat::new(None).silence_begins();
        let waiting = tokio::time::timeout(Duration::from_secs(1000), heartbeat.due());
        assert!(waiting.await.is_err());
    }
}
