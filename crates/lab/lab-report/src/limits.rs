//! What the report does not show: standing paragraphs, and those that this report's runs call for.

use super::model::{Report, Target};
use lab_words::words::list;

/// One paragraph each.
pub fn paragraphs(report: &Report, runtime: &str) -> Vec<String> {
    let mut said = vec![
        "One machine: generator, service and database share its cores, caches and disk. What one takes, the \
         others do not have; absolute rates are lower than on machines of their own."
            .to_owned(),
        format!(
            "No network: loopback (or a bridge on the same machine) has no loss, no distance and no load balancer. \
             TLS was {}. The events are generated, not recorded.",
            match told(report, "tls", "true") {
                tls if tls.is_empty() => "off".to_owned(),
                tls => format!("on for {} alone", list(&tls)),
            }
        ),
    ];
    let texts = told(report, "attributes", "map");
    if !texts.is_empty() {
        said.push(format!(
            "Payloads differ: {} was sent its attributes as texts in updated_attributes, the others as JSON with typed \
             values. Sizes on the wire and in the database are not the same.",
            list(&texts)
        ));
    }
    if uses(&report.targets, "k6") {
        said.push(
            "Latency by k6 is measured differently per protocol: http_req_duration is sending, waiting and \
             receiving, and leaves out waiting for a connection, connecting and TLS; grpc_req_duration is the whole \
             call and includes waiting for the connection. With connections kept open, as here, the difference is \
             small; at the start of a phase it is not."
                .to_owned(),
        );
        said.push(
            "k6 spends more CPU on a gRPC call than on an HTTP request, so it reaches its own limit earlier over \
             gRPC. Compare the CPU that a request costs the service before the rates."
                .to_owned(),
        );
    }
    if report.intended_rate.is_some() {
        said.push(
            "Open model by k6: iterations are due at a fixed rate, and each begins when it is due as long as one of the \
             prepared VUs is free; an iteration for which none is free is dropped and counted. Latency counts from the \
             moment of sending, not from the moment at which it was due. One rate was tried, and what holds at it need \
             not hold at another."
                .to_owned(),
        );
    } else {
        said.push(
            "Closed model: a VU sends its next request only after the answer to the one before. A slow service is \
             asked less often, so that its latency under a given rate of arrivals is understated."
                .to_owned(),
        );
    }
    for scenario in &report.scenarios {
        said.extend(of_scenario(&scenario.name).map(str::to_owned));
    }
    if let Some(pause) = report.think_time_ms.filter(|pause| *pause > 0.0) {
        said.push(format!(
            "Capacity: with {} ms between a VU's requests the rate is set by the number of VUs, not by the service.",
            lab_words::words::figure(pause)
        ));
    }
    if report.phase_scale != 1.0 {
        said.push(format!(
            "Phases were scaled by {} (PHASE_SCALE): too short for the service, the database and its checkpoints \
             to settle. Runs of different scale are never mixed.",
            report.phase_scale
        ));
    }
    if runtime == "native" {
        said.push(
            "Native runtime: no CPU or memory limits were set on any process, and bytes are those that the \
             generator counts above TCP."
                .to_owned(),
        );
    }
    said
}

/// The targets of which the recorded environment says `lab.targets.NAME.KEY = value`.
fn told(report: &Report, key: &str, value: &str) -> Vec<String> {
    let is_told = |name: &str| {
        let key = format!("lab.targets.{name}.{key}");
        let mut found = report.settings.iter().filter(|setting| setting.key == key);
        found.any(|setting| setting.values.iter().any(|it| it == value))
    };
    let names = report.targets.iter().map(|target| target.name.clone());
    names.filter(|name| is_told(name)).collect()
}

/// What holds for a scenario alone.
fn of_scenario(name: &str) -> Option<&'static str> {
    match name {
        "balance" => Some(
            "Balances: every account is as likely as every other, and all of them fit into the database's memory. Reads of \
             accounts that are asked for often, or that lie on disk, are not shown.",
        ),
        "stream" => Some(
            "Streams: k6 replays seeded transactions, and sees a stream as one answer. How long a single event takes from \
             its commit to its subscriber is measured by `benchmark`, for both protocols with one instrument. Looking at \
             the numbers of all events costs the generator CPU over both protocols.",
        ),
        "log" => Some(
            "Log: topics and hash-chained partitions do different work for a record. A ratio between them is the price of \
             the chain, not of a protocol.",
        ),
        _ => None,
    }
}

fn uses(targets: &[Target], driver: &str) -> bool {
    targets.iter().any(|target| target.driver == driver)
}
