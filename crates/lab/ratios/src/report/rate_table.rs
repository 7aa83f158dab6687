//! What a request costs at each rate, as a table.

use std::fmt::Write as _;

use crate::pairs::Spread;
use crate::rates::{Rate, RateKind, RateMeasurement};
use load_engine::progress::thousands;

/// Medians over the rounds of one load at one rate.
#[derive(Debug)]
pub(super) struct RateRow {
    pub(super) kind: RateKind,
    pub(super) rate: Rate,
    pub(super) reached: f64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) service_cpu_us: f64,
    pub(super) postgres_cpu_us: f64,
    pub(super) client_cpu_us: f64,
    pub(super) switches: f64,
    pub(super) batch: Option<f64>,
}

/// The rows, in the order of the kinds and of the rates as they were asked for.
pub(super) fn rate_rows(measurements: &[RateMeasurement]) -> Vec<RateRow> {
    let mut rates: Vec<Rate> = measurements.iter().map(|one| one.rate).collect();
    rates.sort_unstable();
    rates.dedup();
    let kinds = RateKind::all();
    let cells = kinds
        .iter()
        .flat_map(|kind| rates.iter().map(move |rate| (*kind, *rate)));
    cells
        .filter_map(|(kind, rate)| {
            let of_cell = |one: &&RateMeasurement| one.kind == kind && one.rate == rate;
            let median = |figure: fn(&RateMeasurement) -> Option<f64>| {
                let all = measurements.iter().filter(of_cell);
                Spread::of(all.filter_map(figure)).map(|spread| spread.median)
            };
            Some(RateRow {
                kind,
                rate,
                reached: median(|one| Some(one.reached))?,
                p50_ms: median(|one| one.latency_p50_ms),
                p99_ms: median(|one| one.latency_p99_ms),
                service_cpu_us: median(|one| Some(one.service_cpu_us))?,
                postgres_cpu_us: median(|one| Some(one.postgres_cpu_us))?,
                client_cpu_us: median(|one| Some(one.client_cpu_us))?,
                switches: median(|one| Some(one.switches))?,
                batch: median(|one| one.batch),
            })
        })
        .collect()
}

/// The table, where there is something to show.
pub(super) fn rate_table(measurements: &[RateMeasurement], text: &mut String) -> std::fmt::Result {
    let rows = rate_rows(measurements);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n| by rate | asked for | reached | p50 / p99 ms | CPU us each: service / PostgreSQL / client | thread switches | \
         a statement |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    for row in rows {
        let latency = match (row.p50_ms, row.p99_ms) {
            (Some(p50), Some(p99)) => format!("{p50:.2} / {p99:.2}"),
            _ => "-".into(),
        };
        writeln!(
            text,
            "| {} | {} | {}/s | {latency} | {:.1} / {:.1} / {:.1} | {:.2} | {} |",
            row.kind.label(),
            match row.rate {
                Rate::PerSecond(rate) => format!("{}/s", thousands(rate)),
                Rate::Full => "full".into(),
            },
            thousands(row.reached.round() as u64),
            row.service_cpu_us,
            row.postgres_cpu_us,
            row.client_cpu_us,
            row.switches,
            row.batch.map_or("-".into(), |batch| format!("{batch:.1}"))
        )?;
    }
    Ok(())
}
