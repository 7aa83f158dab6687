//! Bencher Metric Format: `{"benchmark": {"measure": {"value", "lower_value", "upper_value"}}}`
//! (<https://bencher.dev/docs/reference/bencher-metric-format>).

use std::collections::BTreeMap;

use lab_verdict::quantile::{median, median_interval};
use serde::Serialize;

use crate::verdict_file::VerdictFile;

#[derive(Serialize)]
struct Metric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// The figures of each target as benchmarks: the median over its rounds, with the exact interval of the median from six
/// rounds on. A benchmark is `target`, or `target/payload` where there are several payloads; a measure is a figure as a slug.
///
/// # Errors
/// A figure that JSON cannot hold.
pub fn bmf(file: &VerdictFile) -> Result<String, serde_json::Error> {
    let mut benchmarks: BTreeMap<String, BTreeMap<String, Metric>> = BTreeMap::new();
    let payloads: std::collections::BTreeSet<_> =
        file.comparisons.iter().map(|pair| &pair.payload).collect();
    for pair in &file.comparisons {
        let under = match &pair.payload {
            Some(payload) if payloads.len() > 1 => format!("/{payload}"),
            _ => String::new(),
        };
        let of_session = pair
            .session
            .as_ref()
            .map_or(String::new(), |id| format!("/{id}"));
        let values = |of: fn(&crate::verdict_file::Round) -> f64| -> Vec<f64> {
            pair.rounds.iter().map(of).collect()
        };
        let sides = [
            (&pair.a, values(|round| round.a)),
            (&pair.b, values(|round| round.b)),
        ];
        for (target, values) in sides {
            let Some(value) = median(&values) else {
                continue;
            };
            let interval = median_interval(&values);
            let measures = benchmarks
                .entry(format!("{target}{under}{of_session}"))
                .or_default();
            // A target stands in several pairs; its figure is the same but for rounds that one of them lacks.
            measures.entry(slug(&pair.figure)).or_insert(Metric {
                value,
                lower_value: interval.map(|interval| interval.low),
                upper_value: interval.map(|interval| interval.high),
            });
        }
    }
    Ok(serde_json::to_string_pretty(&benchmarks)? + "\n")
}

/// Lower-case letters, digits and hyphens.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() => slug.push(letter.to_ascii_lowercase()),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn each_target_is_a_benchmark_with_a_measure_a_figure() {
        let text = bmf(&samples::file(&samples::rounds(9, 1.2))).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let old = &found["old"]["service-cpu"];
        let new = &found["new"]["service-cpu"];
        let of = |metric: &serde_json::Value, key: &str| metric[key].as_f64().unwrap();
        assert!(
            (of(new, "value") / of(old, "value") - 1.2).abs() < 0.01,
            "{text}"
        );
        for metric in [old, new] {
            assert!(of(metric, "lower_value") <= of(metric, "value"));
            assert!(of(metric, "upper_value") >= of(metric, "value"));
        }
        let few = bmf(&samples::file(&samples::rounds(3, 1.2))).unwrap();
        assert!(!few.contains("lower_value"), "{few}");
    }

    #[test]
    fn slugs_are_what_bencher_takes() {
        assert_eq!(slug("p99 latency"), "p99-latency");
        assert_eq!(slug(" CPU, µs (mean) "), "cpu-s-mean");
    }
}
