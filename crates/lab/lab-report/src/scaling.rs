//! How each target scales: its rate, p99 and CPU by the number of VUs, from all sessions of `full` and `saturation` that were
//! given, whichever mode the rest of the report is about.

use lab_verdict::quantile::median;

use super::model::{PhaseRow, RunInfo, ScalePoint, ScaleRow, Standing};

/// Share of the highest rate at which a target is at its knee.
pub const KNEE: f64 = 0.95;

/// A run with its mode.
pub struct Run<'a> {
    /// smoke, full, saturation or compare.
    pub mode: &'a str,
    /// The run, with the standing that it has by itself.
    pub info: &'a RunInfo,
}

/// The points of the runs that count, where a mode has at least two loads.
pub fn points(runs: &[Run<'_>]) -> Vec<ScalePoint> {
    type Key<'a> = (&'a str, &'a str, usize, i32);
    let mut cells: Vec<(Key<'_>, Vec<&PhaseRow>)> = Vec::new();
    let counted = runs.iter().filter(|run| {
        matches!(run.mode, "full" | "saturation") && run.info.standing == Standing::Counted
    });
    for run in counted {
        for row in &run.info.phases {
            let key = (
                run.mode,
                run.info.payload.as_str(),
                run.info.target,
                row.phase.vus,
            );
            match cells.iter_mut().find(|(known, _)| *known == key) {
                Some((_, rows)) => rows.push(row),
                None => cells.push((key, vec![row])),
            }
        }
    }
    let mid = |rows: &[&PhaseRow], of: fn(&PhaseRow) -> Option<f64>| {
        median(&rows.iter().filter_map(|row| of(row)).collect::<Vec<_>>())
    };
    let mut points: Vec<ScalePoint> = cells
        .iter()
        .filter_map(|((mode, payload, target, vus), rows)| {
            Some(ScalePoint {
                mode: (*mode).to_owned(),
                payload: (*payload).to_owned(),
                target: *target,
                vus: *vus,
                rate: mid(rows, |row| Some(row.rate))?,
                p99_ms: mid(rows, |row| row.latency.p99),
                cpu_us: mid(rows, |row| row.cpu_us.target),
                generator_limited: rows.iter().any(|row| row.generator_limited),
            })
        })
        .collect();
    points.sort_by(|a, b| {
        let key = |point: &ScalePoint| {
            (
                point.mode.clone(),
                point.payload.clone(),
                point.target,
                point.vus,
            )
        };
        key(a).cmp(&key(b))
    });
    points
}

/// A row for each target, payload and mode with at least two loads.
pub fn rows(points: &[ScalePoint], payloads: &[String]) -> Vec<ScaleRow> {
    let same = |a: &ScalePoint, b: &ScalePoint| {
        (&a.mode, &a.payload, a.target) == (&b.mode, &b.payload, b.target)
    };
    let mut rows: Vec<ScaleRow> = points
        .chunk_by(|a, b| same(a, b))
        .filter_map(|own| {
            let [first, .., last] = own else {
                return None;
            };
            let most_rate = own.iter().map(|point| point.rate).fold(0.0, f64::max);
            let knee = own.iter().find(|point| point.rate >= KNEE * most_rate)?;
            Some(ScaleRow {
                mode: first.mode.clone(),
                payload: first.payload.clone(),
                target: first.target,
                least_vus: first.vus,
                least_rate: first.rate,
                most_rate,
                knee_vus: knee.vus,
                knee_p99_ms: knee.p99_ms,
                last_vus: last.vus,
                kept: if most_rate > 0.0 {
                    last.rate / most_rate
                } else {
                    0.0
                },
                cpu_growth: first
                    .cpu_us
                    .zip(last.cpu_us)
                    .map(|(first, last)| last / first),
            })
        })
        .collect();
    rows.sort_by_key(|row| {
        let payload = payloads.iter().position(|payload| *payload == row.payload);
        (row.mode.clone(), payload, row.target)
    });
    rows
}
