//! What each of several generators made of a load, beside what all made together.

use lab_verdict::quantile::median;
use serde_json::Value;

use super::input::{RunRows, SessionRows};
use super::model::{GeneratorRow, RunInfo, Standing};

/// A row for each generator of a payload and target: medians over the trials that count, or over all that were finished where
/// none counts, and of health the worst.
pub fn rows(all: &[(&SessionRows, &RunRows)], infos: &[RunInfo]) -> Vec<GeneratorRow> {
    type Key<'a> = (&'a str, usize, &'a str);
    let mut cells: Vec<(Key<'_>, Vec<&Value>, Vec<f64>)> = Vec::new();
    let counts = infos.iter().any(|info| info.standing == Standing::Counted);
    let taken = |info: &RunInfo| match info.standing {
        Standing::Counted => true,
        Standing::Invalid => !counts,
        Standing::LeftOut => false,
    };
    for (_, rows) in all {
        let Some(info) = infos
            .iter()
            .find(|info| info.id == rows.run.id && taken(info))
        else {
            continue;
        };
        let stats = rows.run.scenario_stats.as_ref();
        let Some(parts) = stats.and_then(|stats| stats.get("generators")?.as_array()) else {
            continue;
        };
        let rates = parts.iter().filter_map(|part| part["per_second"].as_f64());
        let together: f64 = rates.sum();
        for part in parts {
            let Some(name) = part["name"].as_str() else {
                continue;
            };
            let key = (info.payload.as_str(), info.target, name);
            match cells.iter_mut().find(|(known, ..)| *known == key) {
                Some((_, parts, rates)) => {
                    parts.push(part);
                    rates.push(together);
                }
                None => cells.push((key, vec![part], vec![together])),
            }
        }
    }
    cells
        .iter()
        .filter_map(|((payload, target, name), parts, rates)| {
            let each = |key: &'static str| parts.iter().filter_map(move |part| part[key].as_f64());
            let own: Vec<f64> = each("per_second").collect();
            let most = |key| each(key).map(f64::abs).reduce(f64::max);
            Some(GeneratorRow {
                payload: (*payload).to_owned(),
                target: *target,
                name: (*name).to_owned(),
                rate: median(&own)?,
                rate_of_all: median(rates)?,
                cpu_share: most("cpu_share"),
                missed: parts
                    .iter()
                    .filter_map(|part| part["missed"].as_i64())
                    .sum(),
                clock_offset_ms: most("clock_offset_ms"),
            })
        })
        .collect()
}
