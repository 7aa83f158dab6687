//! A network between generator and target, as `--delay`, `--jitter` and `--loss` ask for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::RequestError;

/// What a segment meets on its way, in either direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Distance {
    /// Milliseconds on the way.
    pub delay_ms: f64,
    /// Most milliseconds by which the delay differs, to either side, each as likely as the others.
    pub jitter_ms: f64,
    /// Share of the segments that are lost and sent again, 0 to 1.
    pub loss: f64,
}

/// Longer than this is no network that anybody measures over.
const LONGEST_MS: f64 = 10_000.0;
/// With more than this a connection hardly gets on.
const MOST_LOSS: f64 = 0.5;

impl Distance {
    /// None where nothing is asked for.
    ///
    /// # Errors
    /// A value outside its range.
    pub fn new(
        delay: Option<Duration>,
        jitter: Option<Duration>,
        loss: Option<f64>,
    ) -> Result<Option<Self>, RequestError> {
        if delay.is_none() && jitter.is_none() && loss.is_none() {
            return Ok(None);
        }
        let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1000.0;
        let distance = Self {
            delay_ms: ms(delay),
            jitter_ms: ms(jitter),
            loss: loss.unwrap_or(0.0),
        };
        let refuse = |problem: &str| Err(RequestError(problem.into()));
        if distance.delay_ms > LONGEST_MS {
            return refuse("--delay: must be at most 10s");
        }
        if distance.jitter_ms > distance.delay_ms {
            return refuse(
                "--jitter: must be at most --delay, or a segment would come before it was sent",
            );
        }
        if !(0.0..=MOST_LOSS).contains(&distance.loss) {
            return refuse("--loss: must be 0% to 50%");
        }
        Ok(Some(distance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_one_that_can_be() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(Distance::new(None, None, None).unwrap(), None);
        let distance = Distance::new(ms(20), ms(2), Some(0.001)).unwrap().unwrap();
        assert_eq!(
            (distance.delay_ms, distance.jitter_ms, distance.loss),
            (20.0, 2.0, 0.001)
        );
        for (delay, jitter, loss, named) in [
            (ms(20_000), None, None, "--delay"),
            (ms(1), ms(2), None, "--jitter"),
            (None, None, Some(0.6), "--loss"),
            (None, None, Some(-0.1), "--loss"),
        ] {
            let error = Distance::new(delay, jitter, loss).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
    }
}
