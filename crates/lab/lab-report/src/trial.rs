//! One run's rows to one [`RunInfo`]: its standing, its rate, its costs, its phases.

use metrics_db::{CheckStatus, Phase, Run, RunStatus};
use time::format_description::well_known::Rfc3339;

use super::generator::{self, Cores};
use super::input::RunRows;
use super::model::{CheckInfo, CpuPerRequest, Level, PhaseInfo, PhaseRow, RunInfo, Standing};

/// The run as the report shows it. `target` is its index; `ranked_by_peak`: the rate is the highest phase's.
pub fn info(
    rows: &RunRows,
    session: &str,
    target: usize,
    cores: Cores,
    ranked_by_peak: bool,
) -> RunInfo {
    let (run, performance) = (&rows.run, rows.performance.as_ref());
    let per = events_per_request(run);
    let phases = phase_rows(rows, target, cores);
    let (standing, reasons) = standing(rows);
    let peak = phases
        .iter()
        .map(|phase| phase.rate)
        .fold(None, |best: Option<f64>, rate| {
            Some(best.map_or(rate, |best| best.max(rate)))
        });
    let overall = performance.map(|p| p.throughput_per_sec * per);
    RunInfo {
        id: run.id,
        session: session.to_owned(),
        label: run.run_label.clone(),
        target,
        scenario: run.scenario.clone(),
        payload: run.payload_size.clone(),
        events_per_request: per,
        trial: run.trial,
        order: run.run_order,
        status: run.status.to_string(),
        standing,
        reasons,
        started_at: run.started_at.format(&Rfc3339).unwrap_or_default(),
        duration_seconds: run.duration_seconds,
        rate: if ranked_by_peak {
            peak.or(overall)
        } else {
            overall
        },
        requests: performance.map(|p| p.total_requests),
        successful: performance.map(|p| p.successful_requests),
        failed: performance.map(|p| p.failed_requests),
        dropped: performance.map(|p| p.dropped_iterations),
        error_rate: performance.map(|p| p.error_rate),
        latency: performance.map(|p| p.latency).unwrap_or_default(),
        bytes_sent: performance.and_then(|p| p.bytes_sent),
        bytes_received: performance.and_then(|p| p.bytes_received),
        cpu_us: cpu_of_all(&rows.phases, per),
        generator_share: phases
            .iter()
            .filter_map(|phase| phase.generator_share)
            .reduce(f64::max),
        generator_limited: phases
            .iter()
            .filter(|p| p.generator_limited)
            .map(|p| p.phase.number)
            .collect(),
        memory_peak_mb: phases
            .iter()
            .filter_map(|phase| phase.memory_peak_mb)
            .reduce(f64::max),
        audit_acknowledged: run.audit.map(|audit| audit.acknowledged),
        audit_in_doubt: run.audit.map(|audit| audit.in_doubt),
        audit_stored: run.audit.map(|audit| audit.stored),
        audit_passed: run.audit.map(|audit| audit.passed),
        payload_bytes: run
            .scenario_stats
            .as_ref()
            .and_then(|stats| stats.get("payload_bytes")?.as_f64()),
        // Read-only scenarios cause no WAL of their own, so WAL bytes are reported for ingest only.
        wal_bytes: run
            .database_stats
            .as_ref()
            .filter(|_| run.scenario == "ingest")
            .and_then(|stats| stats.get("wal_bytes")?.as_f64()),
        checks: checks(rows),
        phases,
        seed: run.seed,
    }
}

fn standing(rows: &RunRows) -> (Standing, Vec<String>) {
    let run = &rows.run;
    let mut reasons = Vec::new();
    if let Some(audit) = run
        .audit
        .filter(|audit| !audit.passed && run.scenario == "ingest")
    {
        reasons.push(format!(
            "audit failed: {} acknowledged, {} stored",
            lab_words::words::count(audit.acknowledged),
            lab_words::words::count(audit.stored)
        ));
    }
    match run.status {
        RunStatus::Running => reasons.push("not finished".to_owned()),
        RunStatus::Aborted => reasons.push("aborted".to_owned()),
        RunStatus::Failed if reasons.is_empty() && run.error_message.is_none() => {
            reasons.push("failed".to_owned());
        }
        RunStatus::Failed | RunStatus::Completed => {}
    }
    // The message of a failed audit repeats what the counts say.
    if let Some(message) = run
        .error_message
        .as_ref()
        .filter(|_| reasons.is_empty() || run.status == RunStatus::Aborted)
    {
        reasons.push(message.clone());
    }
    if run.status == RunStatus::Completed && rows.performance.is_none() {
        reasons.push("no results were imported".to_owned());
    }
    if !reasons.is_empty() {
        return (
            Standing::LeftOut,
            reasons.iter().map(|reason| clause(reason)).collect(),
        );
    }
    if run.valid == Some(false) {
        let mut said = lab_words::checks::reasons(&run.checks, &run.invalid_reasons);
        if said.is_empty() {
            said.push("a validity check failed".to_owned());
        }
        return (
            Standing::Invalid,
            said.iter().map(|reason| clause(reason)).collect(),
        );
    }
    (Standing::Counted, reasons)
}

/// A sentence as part of another: without its end, and its first word small where it is no name with capitals of its own.
fn clause(sentence: &str) -> String {
    let text = sentence.trim().trim_end_matches('.');
    let word = text.split_whitespace().next().unwrap_or_default();
    let mut letters = word.chars();
    match letters.next() {
        Some(first) if letters.all(char::is_lowercase) => {
            let rest = &text[first.len_utf8()..];
            format!("{}{rest}", first.to_lowercase())
        }
        _ => text.to_owned(),
    }
}

fn checks(rows: &RunRows) -> Vec<CheckInfo> {
    let level = |status| match status {
        CheckStatus::Ok => Level::Ok,
        CheckStatus::Warn => Level::Warn,
        CheckStatus::Bad => Level::Bad,
    };
    rows.run
        .checks
        .iter()
        .map(|check| {
            let words = lab_words::checks::words(check);
            CheckInfo {
                id: check.id.clone(),
                label: words.label,
                level: level(check.status),
                figure: words.figure,
                detail: words.detail,
                value: check.value,
                bound: check.bound,
                unit: check.unit.clone(),
            }
        })
        .collect()
}

/// A stream is one request and many events.
pub(crate) fn events_per_request(run: &Run) -> f64 {
    let recorded = run.scenario_stats.as_ref();
    let recorded = recorded.and_then(|stats| stats.get("events_per_request")?.as_f64());
    recorded.filter(|events| *events > 0.0).unwrap_or(1.0)
}

fn phase_rows(rows: &RunRows, target: usize, cores: Cores) -> Vec<PhaseRow> {
    let mut start = 0.0;
    rows.phases
        .iter()
        .map(|phase| {
            let info = PhaseInfo {
                number: phase.phase_number,
                name: phase.phase_name.clone(),
                vus: phase.target_vus,
                start_seconds: start,
                duration_seconds: phase.duration_seconds,
            };
            start += phase.duration_seconds;
            phase_row(phase, info, &rows.run, target, cores)
        })
        .collect()
}

fn phase_row(phase: &Phase, info: PhaseInfo, run: &Run, target: usize, cores: Cores) -> PhaseRow {
    let per = events_per_request(run);
    let generator = generator::judge(phase, cores);
    let per_request = |total: Option<f64>| {
        total
            .filter(|_| phase.total_requests > 0)
            .map(|total| total / (phase.total_requests as f64 * per))
    };
    PhaseRow {
        payload: run.payload_size.clone(),
        target,
        trials: 1,
        requests: phase.total_requests as f64,
        rate: phase.throughput_per_sec * per,
        error_rate: phase.error_rate,
        latency: phase.latency,
        cpu_avg_percent: phase.target_cpu_avg_percent,
        cpu_peak_percent: phase.target_cpu_peak_percent,
        memory_avg_mb: phase.target_memory_avg_mb,
        memory_peak_mb: phase.target_memory_peak_mb,
        generator_share: generator.share,
        generator_limited: generator.limited,
        cpu_us: CpuPerRequest {
            target: microseconds(phase.target_cpu_seconds, phase.successful_requests, per),
            database: microseconds(phase.database_cpu_seconds, phase.successful_requests, per),
            generator: microseconds(phase.generator_cpu_seconds, phase.successful_requests, per),
        },
        cpu_percent_per_request: per_request(
            phase
                .target_cpu_avg_percent
                .map(|cpu| cpu * phase.duration_seconds),
        ),
        ram_mb_per_request: per_request(
            phase
                .target_memory_avg_mb
                .map(|mb| mb * phase.duration_seconds),
        ),
        phase: info,
    }
}

/// CPU-seconds over the events of successful requests, in microseconds.
fn microseconds(cpu_seconds: Option<f64>, requests: i64, events_each: f64) -> Option<f64> {
    cpu_seconds
        .filter(|_| requests > 0)
        .map(|seconds| seconds * 1e6 / (requests as f64 * events_each))
}

/// CPU of all phases over the successful requests of all phases; none where a phase was not sampled.
fn cpu_of_all(phases: &[Phase], events_each: f64) -> CpuPerRequest {
    let requests: i64 = phases.iter().map(|phase| phase.successful_requests).sum();
    let total = |part: fn(&Phase) -> Option<f64>| {
        let seconds = phases
            .iter()
            .map(part)
            .sum::<Option<f64>>()
            .filter(|_| !phases.is_empty());
        microseconds(seconds, requests, events_each)
    };
    CpuPerRequest {
        target: total(|phase| phase.target_cpu_seconds),
        database: total(|phase| phase.database_cpu_seconds),
        generator: total(|phase| phase.generator_cpu_seconds),
    }
}
