//! What a service counted itself, read from its metrics page (Prometheus text).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use lab_model::endpoint::Endpoint;

use crate::http::get;

const LIMIT: Duration = Duration::from_secs(10);
/// From one look at the lag to the next: longer than a reader of a log waits for records, so that two looks without a lag are
/// not both from before the last record came.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the page is.
#[derive(Clone, Debug)]
pub struct CountersAt {
    /// Where it is served.
    pub endpoint: Endpoint,
    /// E.g. `/metrics`.
    pub path: String,
    /// The series of acknowledged work that is not done yet.
    pub lag: Option<String>,
}

/// The page at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(String);

impl CountersAt {
    /// Waits until all acknowledged work is done: until the lag was 0 at two looks. How long that took; none where the
    /// target does its work before it acknowledges. There is no time limit here: the caller has one.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub async fn caught_up(&self) -> Result<Option<Duration>> {
        let Some(series) = &self.lag else {
            return Ok(None);
        };
        let begun = Instant::now();
        let mut was_done = None;
        loop {
            let is_done = self.read().await?.value(series)? == 0;
            match was_done {
                Some(at) if is_done => return Ok(Some(at)),
                _ => was_done = is_done.then(|| begun.elapsed()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(super) async fn read(&self) -> Result<Counters> {
        let (status, body) = get(&self.endpoint, &self.path, &[], LIMIT)
            .await
            .context("the service's counters")?;
        ensure!(
            status == StatusCode::OK,
            "GET {} answered {status}",
            self.path
        );
        Ok(Counters(String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Counters {
    /// The value of a series, named as the page names it: with its labels.
    pub(super) fn value(&self, series: &str) -> Result<i64> {
        let value = self.0.lines().find_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            (name == series).then_some(value)
        });
        let value = value.with_context(|| format!("the service does not count {series}"))?;
        let value: f64 = value.parse().with_context(|| format!("{series} {value}"))?;
        Ok(value as i64)
    }

    /// How much a series has grown since `before`.
    pub(super) fn since(&self, before: &Self, series: &str) -> Result<i64> {
        Ok(self.value(series)? - before.value(series)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_by_its_whole_name() {
        let page = |sse: u64| {
            Counters(format!(
                "# TYPE events_total counter\nevents_total{{face=\"grpc\"}} 7\n\
                 events_total{{face=\"sse\"}} {sse}\nevents 2e3\n"
            ))
        };
        assert_eq!(page(9).value("events_total{face=\"sse\"}").unwrap(), 9);
        assert_eq!(page(9).value("events").unwrap(), 2000);
        assert!(page(9).value("events_total").is_err());
        let grown = page(12).since(&page(9), "events_total{face=\"sse\"}");
        assert_eq!(grown.unwrap(), 3);
    }
}
