//! The report as JSON, CSV and JUnit, for other tools.

use anyhow::Result;
use serde::Serialize;

use super::model::{Report, RunInfo, Standing};
use super::render;

/// The model as it is, indented.
pub fn json(report: &Report) -> Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// One line a run. The page's link saves the same columns.
pub fn csv(report: &Report) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for run in &report.runs {
        writer.serialize(line(report, run))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A run's line.
#[derive(Serialize)]
struct Line<'a> {
    session: &'a str,
    run: i64,
    label: &'a str,
    target: &'a str,
    payload: &'a str,
    mode: &'a str,
    trial: i32,
    order: i32,
    status: &'a str,
    standing: Standing,
    reasons: String,
    requests: Option<i64>,
    failed: Option<i64>,
    rate_per_s: Option<f64>,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    p999_ms: Option<f64>,
    cpu_target_us: Option<f64>,
    cpu_database_us: Option<f64>,
    cpu_generator_us: Option<f64>,
    generator_share: Option<f64>,
    memory_peak_mb: Option<f64>,
    bytes_sent: Option<i64>,
    bytes_received: Option<i64>,
    acknowledged: Option<i64>,
    in_doubt: Option<i64>,
    stored: Option<i64>,
    audit_passed: Option<bool>,
}

fn line<'a>(report: &'a Report, run: &'a RunInfo) -> Line<'a> {
    Line {
        session: &run.session,
        run: run.id,
        label: &run.label,
        target: &report.targets[run.target].name,
        payload: &run.payload,
        mode: &report.mode,
        trial: run.trial,
        order: run.order,
        status: &run.status,
        standing: run.standing,
        reasons: run.reasons.join("; "),
        requests: run.requests,
        failed: run.failed,
        rate_per_s: run.rate,
        p50_ms: run.latency.p50,
        p90_ms: run.latency.p90,
        p95_ms: run.latency.p95,
        p99_ms: run.latency.p99,
        p999_ms: run.latency.p999,
        cpu_target_us: run.cpu_us.target,
        cpu_database_us: run.cpu_us.database,
        cpu_generator_us: run.cpu_us.generator,
        generator_share: run.generator_share,
        memory_peak_mb: run.memory_peak_mb,
        bytes_sent: run.bytes_sent,
        bytes_received: run.bytes_received,
        acknowledged: run.audit_acknowledged,
        in_doubt: run.audit_in_doubt,
        stored: run.audit_stored,
        audit_passed: run.audit_passed,
    }
}

/// One test case a run: a run that is left out is a failure, an invalid one is skipped.
pub fn junit(report: &Report) -> Result<String> {
    render::render(render::JUNIT, report, ())
}
