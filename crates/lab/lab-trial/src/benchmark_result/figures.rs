//! Percentiles as the generator writes them, and those of several steps together.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use metrics_db::Latency;
use serde::{Deserialize, Serialize};

/// A distribution, milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Percentiles {
    pub(super) avg: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

impl From<Percentiles> for Latency {
    fn from(its: Percentiles) -> Self {
        Self {
            avg: Some(its.avg),
            min: Some(its.min),
            max: Some(its.max),
            p50: Some(its.p50),
            p90: Some(its.p90),
            p95: Some(its.p95),
            p99: Some(its.p99),
            p999: Some(its.p999),
        }
    }
}

/// Percentiles of several histograms of microseconds together, and the histogram of all their values, in HdrHistogram's V2
/// encoding: exact, whatever it is that they are of. None where they are empty.
pub(super) fn merged<'a>(
    histograms: impl Iterator<Item = &'a str>,
) -> Result<Option<(Percentiles, Vec<u8>)>> {
    let mut all: Option<Histogram<u64>> = None;
    for encoded in histograms {
        let bytes = STANDARD
            .decode(encoded)
            .context("histogramV2 is no base64")?;
        let one: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .context("histogramV2")?;
        match &mut all {
            None => all = Some(one),
            Some(all) => all.add(one).context("histogramV2")?,
        }
    }
    let Some(all) = all.filter(|all| !all.is_empty()) else {
        return Ok(None);
    };
    let ms = |micros: u64| micros as f64 / 1000.0;
    let at = |quantile| ms(all.value_at_quantile(quantile));
    let percentiles = Percentiles {
        avg: all.mean() / 1000.0,
        min: ms(all.min()),
        max: ms(all.max()),
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
    };
    let mut encoded = Vec::new();
    V2Serializer::new()
        .serialize(&all, &mut encoded)
        .context("the merged histogram cannot be encoded")?;
    Ok(Some((percentiles, encoded)))
}

pub(super) fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// What a run keeps of its steps' histograms.
pub(super) fn of_run<'a>(
    histograms: impl Iterator<Item = &'a str>,
) -> Result<(Latency, Option<Vec<u8>>)> {
    let all = merged(histograms)?;
    Ok(match all {
        Some((percentiles, encoded)) => (percentiles.into(), Some(encoded)),
        None => (Latency::default(), None),
    })
}

/// The text form in which a generator writes a histogram.
pub(super) fn encoded_text(encoded: &[u8]) -> String {
    STANDARD.encode(encoded)
}
