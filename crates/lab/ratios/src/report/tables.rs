//! The tables as Markdown.

use std::fmt::Write as _;

use super::content::Report;
use super::rate_table::rate_table;
use crate::logs::{LogKind, append_connections};
use crate::pairs::Group;
use crate::streams::StreamKind;
use load_engine::progress::thousands;
use load_engine::protocol::Protocol;

impl Report {
    /// The tables with what they rest on.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        write(self, &mut text).ok();
        text
    }
}

/// Everything, for a screen or to be pasted into a page.
fn write(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.interrupted {
        writeln!(
            text,
            "Interrupted: only what had been measured until then.\n"
        )?;
    }
    if report.machine.build == "debug" {
        writeln!(text, "Debug build: the figures mean nothing.\n")?;
    }
    ratio_table(report, text)?;
    cpu_table(report, text)?;
    side_table(report, text)?;
    bound_table(report, text)?;
    stream_table(report, text)?;
    log_table(report, text)?;
    rate_table(&report.rates, text)?;
    for fault in &report.faults {
        writeln!(text, "- Fault: {fault}")?;
    }
    footing(report, text)
}

fn ratio_table(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.ratios.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "| what | against | ratio, median | least to greatest | middle half | floor | met |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    for row in &report.ratios {
        let value = &row.value;
        writeln!(
            text,
            "| {} | {} | {:.2} x | {:.2} to {:.2} | {:.2} to {:.2} | {} x | {} |",
            row.what,
            row.against,
            value.median,
            value.min,
            value.max,
            value.q1,
            value.q3,
            floor(row.floor),
            yes(row.met)
        )?;
    }
    Ok(())
}

/// With as many digits as it has, at least one.
fn floor(floor: f64) -> String {
    let one = format!("{floor:.1}");
    if one.parse() == Ok(floor) {
        one
    } else {
        floor.to_string()
    }
}

fn cpu_table(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.cpu.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n| service CPU per event | median | least to greatest | of PostgreSQL's for pgbench's transaction | at most | met |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for row in &report.cpu {
        let value = &row.value;
        writeln!(
            text,
            "| {}, group commit | {:.1} us | {:.1} to {:.1} | {:.2} | {:.2} | {} |",
            protocol_name(row.protocol),
            value.median,
            value.min,
            value.max,
            row.share.median,
            row.bound,
            yes(row.met)
        )?;
    }
    Ok(())
}

fn side_table(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.sides.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n| medians | events or reads/s | p50 / p99 ms | CPU us each: service / PostgreSQL / client | \
             acknowledged | found | lost |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    for row in &report.sides {
        let latency = match (row.latency_p50_ms, row.latency_p99_ms, row.latency_mean_ms) {
            (Some(p50), Some(p99), _) => format!("{p50:.1} / {p99:.1}"),
            (_, _, Some(mean)) => format!("mean {mean:.1}"),
            _ => "-".into(),
        };
        let service = row
            .service_cpu_us
            .map_or("-".into(), |us| format!("{us:.1}"));
        let audited = row.side.is_audited();
        let count = |count: u64| {
            if audited {
                thousands(count)
            } else {
                "-".into()
            }
        };
        writeln!(
            text,
            "| {} | {} | {latency} | {service} / {:.1} / {:.1} | {} | {} | {} |",
            row.side.label(),
            thousands(row.rate.median.round() as u64),
            row.postgres_cpu_us,
            row.client_cpu_us,
            count(row.acknowledged),
            count(row.verified),
            count(row.lost)
        )?;
    }
    Ok(())
}

fn bound_table(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.bounds.is_empty() {
        return Ok(());
    }
    if !report.ratios.is_empty() {
        writeln!(text)?;
    }
    writeln!(text, "| what | median | least to greatest | bound | met |")?;
    writeln!(text, "|---|---|---|---|---|")?;
    for row in &report.bounds {
        let figure = |value: f64| match row.unit {
            "ms" => format!("{value:.1} ms"),
            "x" => format!("{value:.1} x"),
            "ratio" => format!("{value:.2} x"),
            unit => format!("{}{unit}", thousands(value.round() as u64)),
        };
        writeln!(
            text,
            "| {} | {} | {} to {} | {} | {} |",
            row.what,
            figure(row.value.median),
            figure(row.value.min),
            figure(row.value.max),
            row.bound,
            yes(row.met)
        )?;
    }
    Ok(())
}

fn stream_table(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.streams.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n| by round | subscribers | events/s | ms, p50 / p99 from the commit's sending, p99 from its answer, p99 from \
         the event's sending | CPU us an event: service / PostgreSQL / client | KiB of the service a subscriber | \
         delivered | missed / repeated / misplaced |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    let ms = |figure: Option<f64>| figure.map_or("-".into(), |ms| format!("{ms:.1}"));
    for kind in StreamKind::ALL {
        for row in report.streams.iter().filter(|row| row.kind == kind) {
            writeln!(
                text,
                "| {}, {} | {} | {} | {} / {}, {}, {} | {:.1} / {:.1} / {:.1} | {:.1} | {} | {} / {} / {} |",
                kind.label(),
                row.round,
                row.subscribers,
                thousands(row.events_per_second.round() as u64),
                ms(row.commit_p50_ms),
                ms(row.commit_p99_ms),
                ms(row.answer_p99_ms),
                ms(row.emitted_p99_ms),
                row.service_cpu_us,
                row.postgres_cpu_us,
                row.client_cpu_us,
                row.memory_each_kib(),
                thousands(row.delivered),
                row.missed,
                row.repeated,
                row.out_of_order
            )?;
        }
    }
    Ok(())
}

fn log_table(report: &Report, text: &mut String) -> std::fmt::Result {
    if report.logs.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n| by round | entries/s | the same in Python | p50 / p99 of a request, ms | fdatasync alone, us |"
    )?;
    writeln!(text, "|---|---|---|---|---|")?;
    let whole =
        |figure: Option<f64>| figure.map_or("-".into(), |rate| thousands(rate.round() as u64));
    let ms = |figure: Option<f64>| figure.map_or("-".into(), |ms| format!("{ms:.2}"));
    for kind in LogKind::ALL {
        for row in report.logs.iter().filter(|row| row.kind == kind) {
            writeln!(
                text,
                "| {}, {} | {} | {} | {} / {} | {} |",
                kind.label(),
                row.round,
                whole(Some(row.entries_per_second)),
                whole(row.python_per_second),
                ms(row.latency_p50_ms),
                ms(row.latency_p99_ms),
                whole(row.sync_us)
            )?;
        }
    }
    Ok(())
}

/// How it was measured, and on what.
fn footing(report: &Report, text: &mut String) -> std::fmt::Result {
    let (machine, settings) = (&report.machine, &report.settings);
    let measured = |group| report.ratios.iter().any(|row| row.ratio.group() == group);
    if !report.ratios.is_empty() {
        writeln!(
            text,
            "\nPairs per ratio: {}; sides in alternating order, {} s each after {} s of warm-up, a checkpoint taken \
             before each. Services: pool of {}.",
            settings.pairs, settings.seconds, settings.warmup, settings.pool_size
        )?;
    }
    if measured(Group::Ingest) {
        writeln!(
            text,
            "\nIngestion: the table emptied before each side; events of 400 bytes of attributes over {} keys; REST {} \
             connections, gRPC {} in flight over {} connections, pgbench {} clients.",
            thousands(settings.keys),
            settings.concurrency,
            settings.concurrency,
            settings.grpc_connections,
            settings.pgbench_clients
        )?;
    }
    if measured(Group::Balance) {
        writeln!(
            text,
            "\nBalances: 10,000 accounts, each as likely as the others, every answer checked; REST {} connections, gRPC \
             {} in flight over {} connections, pgbench {} clients.",
            settings.balance_concurrency,
            settings.balance_concurrency,
            settings
                .balance_grpc_connections
                .min(settings.balance_concurrency),
            settings.balance_concurrency
        )?;
    }
    if !report.streams.is_empty() {
        writeln!(
            text,
            "\nStream: live {} transactions/s, each committed alone over {} connections, {} s after {} s of warm-up, to \
             {} subscribers of one face at a time (gRPC over {} connections), {} in a crowd; {} idle ones get an event every \
             two seconds; a replay is {} events to one subscriber. Rounds: {}.",
            thousands(settings.feed_rate),
            settings.feed_connections,
            settings.seconds,
            settings.warmup,
            settings.subscribers,
            settings.grpc_connections,
            thousands(settings.crowd),
            thousands(settings.idle_subscribers),
            thousands(settings.replay_events),
            settings.pairs
        )?;
    }
    if !report.logs.is_empty() {
        writeln!(
            text,
            "\nEvent log: {} s each after {} s of warm-up; entries of about 250 bytes as lines; {} entries are verified, \
             read, and appended by the Python program; appends over gRPC share {} connections; records are sent 100 at a \
             time and answered one by one. The chain is checked after each append run. Rounds: {}.",
            settings.seconds,
            settings.warmup,
            thousands(settings.log_entries),
            append_connections().min(settings.grpc_connections),
            settings.pairs
        )?;
    }
    if !report.rates.is_empty() {
        writeln!(
            text,
            "\nRates: {} s each after {} s of warm-up; the loads of one face and rate run directly after each other; at most \
             {} events or {} balances in flight. CPU and switches of the service's threads from the scheduler. Rounds: {}.",
            settings.seconds,
            settings.warmup,
            settings.concurrency,
            settings.balance_concurrency,
            settings.pairs
        )?;
    }
    writeln!(
        text,
        "\n{} cores ({}), {} MiB, Linux {}; commit {}.",
        machine.cores,
        machine.cpu,
        thousands(machine.memory_mib),
        machine.kernel,
        machine.commit.as_deref().unwrap_or("unknown")
    )?;
    if let Some(percent) = machine.stolen_percent {
        writeln!(text, "The hypervisor took {percent:.1} % of the CPU time.")?;
    }
    if machine.postgres.is_empty() {
        return Ok(());
    }
    let postgres: Vec<String> = machine
        .postgres
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    writeln!(text, "PostgreSQL: {}.", postgres.join(", "))
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Rest => "REST",
        Protocol::Grpc => "gRPC",
    }
}

fn yes(met: bool) -> &'static str {
    if met { "yes" } else { "NO" }
}
