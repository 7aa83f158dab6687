//! Invented sessions for tests of the report: plausible rows, nothing measured. Never shown outside tests.
//!
//! Used by the unit tests of this crate (in memory) and by the integration tests of `weir` (through a real metrics database).

// Named by their paths, since an integration test of `weir` takes this file in by its own.
#[path = "invented/ability.rs"]
mod ability;
#[path = "invented/phases.rs"]
mod phases;

use metrics_db::{Audit, Check, Performance, Phase, ResourceSample, Run, RunStatus, Session};
use serde_json::json;
use time::{Duration, OffsetDateTime};

pub(crate) use ability::*;
use phases::{Noise, layout, overall, phase, samples};

/// A session with everything that hangs on it.
#[derive(Clone)]
pub(crate) struct Invented {
    pub(crate) session: Session,
    pub(crate) runs: Vec<InventedRun>,
}

/// A run with everything that hangs on it.
#[derive(Clone)]
pub(crate) struct InventedRun {
    pub(crate) run: Run,
    pub(crate) performance: Option<Performance>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) samples: Vec<ResourceSample>,
}

/// The matrix to invent.
pub(crate) struct Plan<'a> {
    pub(crate) mode: &'a str,
    pub(crate) targets: &'a [Ability],
    pub(crate) payloads: &'a [&'a str],
    pub(crate) trials: i32,
    /// Cores of the machine, all of which the generator may use.
    pub(crate) cores: f64,
    /// PHASE_SCALE.
    pub(crate) scale: f64,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            mode: "full",
            targets: &[REST, GRPC],
            payloads: &["default"],
            trials: 1,
            cores: 8.0,
            scale: 1.0,
        }
    }
}

fn start() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_795_257_725).unwrap()
}

/// Invents the session of a plan: the same rows every time.
pub(crate) fn invent(plan: &Plan<'_>) -> Invented {
    let id = "20261121T104205Z-3f9a".to_owned();
    let mut runs = Vec::new();
    let mut noise = Noise(4711);
    for trial in 1..=plan.trials {
        for payload in plan.payloads {
            for target in plan.targets {
                let order = i32::try_from(runs.len()).unwrap() + 1;
                runs.push(run(plan, *target, payload, trial, order, &id, &mut noise));
            }
        }
    }
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name).collect();
    let session = Session {
        id,
        command: format!(
            "./load-test/shared/run-sequential-throughput-tests.sh {} {} {}",
            plan.mode,
            names.join(","),
            plan.payloads.join(",")
        ),
        seed: 4711,
        runtime: "native".to_owned(),
        git_commit: Some("4f2c1d9a7be0".to_owned()),
        environment: json!({
            "runtime": "native",
            "machine": {"cores": plan.cores, "cpu_model": "Invented CPU", "kernel": "6.8.0-31-generic", "memory_mb": 32_768, "os": "Linux"},
            "database": {"version": "18.6 (Invented)", "settings": {"synchronous_commit": "on", "shared_buffers": "1GB"}},
            "lab": {"k6": "k6 v1.1.0 (invented)", "profile": "release", "targets": {"producer-rest": {"pool_size": 10}}},
        }),
        fingerprint: "9c4177e0c2b14d0fa5b3d9c1e9f0a1b2c3d4e5f60718293a4b5c6d7e8f901234".to_owned(),
        started_at: start(),
        completed_at: Some(start() + Duration::minutes(40)),
        plan: Some(
            json!({"mode": plan.mode, "load": {"thinkTimeMs": if plan.mode == "full" { 100 } else { 0 }}}),
        ),
    };
    Invented { session, runs }
}

/// Five targets at a fixed rate: two that are alike, two that are not, and one that was disturbed in five of its trials.
pub(crate) fn five_targets() -> Invented {
    let mut invented = invent(&Plan {
        mode: "compare",
        targets: &[REST, TWIN, GRPC, SINGLE, RECONNECT],
        trials: 12,
        cores: 16.0,
        ..Plan::default()
    });
    let own = invented
        .runs
        .iter_mut()
        .filter(|run| run.run.api_name == RECONNECT.name);
    for run in own.take(5) {
        run.run.valid = Some(false);
        run.run.invalid_reasons = vec!["the hypervisor took 4 % of the machine".to_owned()];
    }
    invented
}

fn run(
    plan: &Plan<'_>,
    target: Ability,
    payload: &str,
    trial: i32,
    order: i32,
    session: &str,
    noise: &mut Noise,
) -> InventedRun {
    let size = size_of(payload);
    // Bytes cost more than calls do: ten times the payload is about four times the work.
    let weight = (size / 400.0).powf(0.6);
    let ability = Ability {
        ceiling: target.ceiling / weight * noise.about(0.03),
        cpu_us: target.cpu_us.map(|us| us * weight),
        ..target
    };
    let phases: Vec<Phase> = layout(plan.mode)
        .iter()
        .enumerate()
        .map(|(place, layout)| {
            phase(
                (plan.mode, plan.scale),
                ability,
                size,
                place,
                *layout,
                noise,
            )
        })
        .collect();
    let from = start() + Duration::minutes(i64::from(order));
    let samples = if plan.mode == "smoke" {
        Vec::new()
    } else {
        samples(&phases, ability, from, noise)
    };
    let mut performance = overall(&phases);
    performance.intended_per_sec = (plan.mode == "compare").then_some(1000.0);
    let events = if ability.scenario() == "stream" {
        100
    } else {
        1
    };
    let acknowledged = performance.successful_requests * events;
    let run = Run {
        id: i64::from(order),
        session_id: Some(session.to_owned()),
        api_name: ability.name.to_owned(),
        scenario: ability.scenario().to_owned(),
        test_mode: plan.mode.to_owned(),
        payload_size: payload.to_owned(),
        protocol: ability.protocol.to_owned(),
        language: Some("Rust".to_owned()),
        framework: Some(
            if ability.protocol == "rest" {
                "actix-web"
            } else {
                "tonic"
            }
            .to_owned(),
        ),
        driver: "k6".to_owned(),
        run_label: format!("r{order:03}"),
        trial,
        run_order: order,
        seed: 4711,
        phase_scale: plan.scale,
        status: RunStatus::Completed,
        started_at: from,
        measured_from: Some(from + Duration::seconds(8)),
        completed_at: Some(from + Duration::seconds(700)),
        duration_seconds: Some(phases.iter().map(|phase| phase.duration_seconds).sum()),
        error_message: None,
        sampling: None,
        valid: Some(true),
        invalid_reasons: Vec::new(),
        checks: vec![Check::ok("contract").with("passed", 12).with("cases", 12)],
        audit: Some(Audit::judge(acknowledged, 0, acknowledged)),
        database_stats: Some(
            json!({"rows": acknowledged / 2, "wal_bytes": acknowledged as f64 * (size * 1.7 + 120.0)}),
        ),
        scenario_stats: ability.stats(),
    };
    InventedRun {
        run,
        performance: Some(performance),
        phases,
        samples,
    }
}

fn size_of(payload: &str) -> f64 {
    match payload
        .strip_suffix('k')
        .and_then(|number| number.parse::<f64>().ok())
    {
        Some(kib) => kib * 1024.0,
        None => 400.0,
    }
}
