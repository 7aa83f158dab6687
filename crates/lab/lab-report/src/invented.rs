//! Invented sessions for tests of the report: plausible rows, nothing measured. Never shown outside tests.
//!
//! Used by the unit tests of this crate (in memory) and by the integration tests of `weir` (through a real metrics database).

use metrics_db::{
    Audit, Check, Latency, Performance, Phase, ResourceSample, Role, Run, RunStatus, Session,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

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

/// What an invented target can do, with the default payload.
#[derive(Clone, Copy)]
pub(crate) struct Ability {
    pub(crate) name: &'static str,
    pub(crate) protocol: &'static str,
    /// Requests a second at most.
    pub(crate) ceiling: f64,
    /// CPU microseconds a request: service, database, generator.
    pub(crate) cpu_us: [f64; 3],
    /// Bytes a request on top of the payload: sent, received.
    pub(crate) bytes: [f64; 2],
    pub(crate) memory_mb: f64,
}

pub(crate) const REST: Ability = Ability {
    name: "producer-rest",
    protocol: "rest",
    ceiling: 9_400.0,
    cpu_us: [17.0, 27.0, 70.0],
    bytes: [212.0, 148.0],
    memory_mb: 24.0,
};
pub(crate) const GRPC: Ability = Ability {
    name: "producer-grpc",
    protocol: "grpc",
    ceiling: 6_100.0,
    cpu_us: [26.0, 32.0, 130.0],
    bytes: [31.0, 61.0],
    memory_mb: 31.0,
};
pub(crate) const RECONNECT: Ability = Ability {
    name: "producer-grpc-reconnect",
    protocol: "grpc",
    ceiling: 1_900.0,
    cpu_us: [88.0, 33.0, 590.0],
    bytes: [310.0, 240.0],
    memory_mb: 37.0,
};
pub(crate) const SINGLE: Ability = Ability {
    name: "producer-rest-single",
    protocol: "rest",
    ceiling: 4_700.0,
    cpu_us: [47.0, 105.0, 74.0],
    bytes: [212.0, 148.0],
    memory_mb: 22.0,
};
/// As good as [`REST`].
pub(crate) const TWIN: Ability = Ability {
    name: "producer-rest-twin",
    ..REST
};

pub(crate) const BALANCE_REST: Ability = Ability {
    name: "balance-rest",
    ceiling: 14_000.0,
    cpu_us: [13.0, 7.0, 62.0],
    bytes: [-310.0, 205.0],
    ..REST
};
pub(crate) const BALANCE_GRPC: Ability = Ability {
    name: "balance-grpc",
    ceiling: 8_200.0,
    cpu_us: [21.0, 8.0, 118.0],
    bytes: [-330.0, 84.0],
    ..GRPC
};
/// A request is a stream of a hundred events.
pub(crate) const STREAM_SSE: Ability = Ability {
    name: "stream-sse",
    ceiling: 900.0,
    cpu_us: [160.0, 240.0, 900.0],
    bytes: [-250.0, 24_100.0],
    ..REST
};
pub(crate) const STREAM_GRPC: Ability = Ability {
    name: "stream-grpc",
    ceiling: 420.0,
    cpu_us: [190.0, 240.0, 2_100.0],
    bytes: [-260.0, 13_900.0],
    ..GRPC
};

impl Ability {
    /// As its name begins, `ingest` where that is no scenario.
    fn scenario(self) -> &'static str {
        ["balance", "stream"]
            .into_iter()
            .find(|scenario| self.name.starts_with(scenario))
            .unwrap_or("ingest")
    }

    fn stats(self) -> Option<serde_json::Value> {
        let rest = self.protocol == "rest";
        match self.scenario() {
            "balance" => Some(json!({"payload_bytes": if rest { 83.0 } else { 45.0 }})),
            "stream" => {
                let bytes = if rest { 240.5 } else { 118.2 };
                Some(json!({"events_per_request": 100, "payload_bytes": bytes}))
            }
            _ => None,
        }
    }
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
        .map(|(place, layout)| phase(plan, ability, size, place, *layout, noise))
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

/// VUs and seconds of each phase; smoke is bounded by iterations.
fn layout(mode: &str) -> Vec<(&'static str, i32, f64)> {
    let full = [
        ("baseline", 10, 120.0),
        ("mid-load", 50, 120.0),
        ("high-load", 100, 120.0),
    ];
    match mode {
        "smoke" => vec![("smoke", 1, 0.04)],
        "compare" => vec![("fixed rate", 200, 60.0)],
        "full" => [&full[..], &[("higher-load", 200, 300.0)]].concat(),
        _ => [
            &full[..],
            &[
                ("very-high", 200, 120.0),
                ("extreme", 500, 120.0),
                ("maximum", 1000, 120.0),
                ("saturation", 2000, 120.0),
            ],
        ]
        .concat(),
    }
}

fn phase(
    plan: &Plan<'_>,
    ability: Ability,
    size: f64,
    place: usize,
    (name, vus, seconds): (&str, i32, f64),
    noise: &mut Noise,
) -> Phase {
    let smoke = plan.mode == "smoke";
    let seconds = if smoke { seconds } else { seconds * plan.scale };
    let pause = if plan.mode == "full" { 0.1 } else { 0.0 };
    let alone = 1e-6 * ability.cpu_us.iter().sum::<f64>() + 0.0012;
    let wanted = f64::from(vus) / (pause + alone);
    // A soft ceiling: queueing sets in before it is reached.
    let rate = wanted / (1.0 + (wanted / ability.ceiling).powi(3)).cbrt() * noise.about(0.008);
    let requests = match plan.mode {
        "smoke" => 5.0,
        "compare" => 1000.0 * seconds,
        _ => (rate * seconds).round(),
    };
    let rate = requests / seconds;
    let middle = match plan.mode {
        "compare" => alone * 1000.0 * noise.about(0.03),
        _ => (f64::from(vus) / rate - pause).max(alone) * 1000.0,
    };
    let tail = 1.0 + 4.0 * (rate / ability.ceiling).powi(2);
    let at = |factor: f64| Some(middle * factor);
    let cpu = ability
        .cpu_us
        .map(|us| us * 1e-6 * requests * noise.about(0.02));
    let sampled = |value: f64| (!smoke).then_some(value);
    Phase {
        phase_number: i32::try_from(place).unwrap() + 1,
        phase_name: name.to_owned(),
        target_vus: vus,
        started_at: None,
        duration_seconds: seconds,
        total_requests: requests as i64,
        successful_requests: requests as i64,
        failed_requests: 0,
        dropped_iterations: 0,
        throughput_per_sec: rate,
        error_rate: 0.0,
        latency: Latency {
            avg: at(1.05),
            min: at(0.6),
            max: at(tail * if smoke { 1.8 } else { 9.0 }),
            p50: at(0.95),
            p90: at(1.0 + 0.2 * tail),
            p95: at(1.1 + 0.35 * tail),
            p99: at(1.3 + 0.8 * tail * noise.about(0.05)),
            p999: at(1.8 + 1.9 * tail * noise.about(0.1)),
        },
        bytes_sent: Some((requests * (size + ability.bytes[0])) as i64),
        bytes_received: Some((requests * ability.bytes[1]) as i64),
        target_cpu_seconds: sampled(cpu[0]),
        database_cpu_seconds: sampled(cpu[1]),
        generator_cpu_seconds: sampled(cpu[2]),
        target_memory_avg_mb: sampled(ability.memory_mb + f64::from(vus) * 0.012),
        target_memory_peak_mb: sampled(ability.memory_mb + f64::from(vus) * 0.015 + 1.0),
        target_cpu_avg_percent: sampled(cpu[0] / seconds * 100.0),
        target_cpu_peak_percent: sampled(cpu[0] / seconds * 118.0),
        host_steal_seconds: sampled(0.0),
    }
}

fn overall(phases: &[Phase]) -> Performance {
    let requests: i64 = phases.iter().map(|phase| phase.total_requests).sum();
    let seconds: f64 = phases.iter().map(|phase| phase.duration_seconds).sum();
    let last = phases.last().unwrap();
    Performance {
        total_requests: requests,
        successful_requests: requests,
        throughput_per_sec: requests as f64 / seconds,
        latency: last.latency,
        bytes_sent: phases.iter().map(|phase| phase.bytes_sent).sum(),
        bytes_received: phases.iter().map(|phase| phase.bytes_received).sum(),
        ..Performance::default()
    }
}

fn samples(
    phases: &[Phase],
    ability: Ability,
    from: OffsetDateTime,
    noise: &mut Noise,
) -> Vec<ResourceSample> {
    let mut samples = Vec::new();
    let mut begin = 0.0;
    for phase in phases {
        let seconds = phase.duration_seconds;
        let used = [
            phase.target_cpu_seconds,
            phase.database_cpu_seconds,
            phase.generator_cpu_seconds,
        ];
        for second in 0..seconds.ceil() as i32 {
            let elapsed = begin + f64::from(second);
            for (role, cpu) in [Role::Target, Role::Database, Role::Generator]
                .into_iter()
                .zip(used)
            {
                let mut sample =
                    ResourceSample::new(role, from + Duration::seconds_f64(elapsed), elapsed);
                sample.cpu_percent = cpu.map(|cpu| cpu / seconds * 100.0 * noise.about(0.05));
                sample.memory_used_mb = Some(match role {
                    Role::Target => {
                        ability.memory_mb + f64::from(phase.target_vus) * 0.012 * noise.about(0.02)
                    }
                    _ => 180.0 + elapsed * 0.2,
                });
                samples.push(sample);
            }
        }
        begin += seconds;
    }
    samples
}

/// Numbers that look random and are the same every time.
struct Noise(u64);

impl Noise {
    /// Around 1, with about this relative deviation.
    fn about(&mut self, deviation: f64) -> f64 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (self.0 >> 33) as f64 / f64::from(1_u32 << 31);
        }
        1.0 + deviation * (sum - 2.0) * 1.7
    }
}
