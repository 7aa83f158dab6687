//! The invented phases of a run, and its samples.

use metrics_db::{Latency, Performance, Phase, ResourceSample, Role};
use time::{Duration, OffsetDateTime};

use super::ability::Ability;

/// VUs and seconds of each phase; smoke is bounded by iterations.
pub(super) fn layout(mode: &str) -> Vec<(&'static str, i32, f64)> {
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

pub(super) fn phase(
    (mode, scale): (&str, f64),
    ability: Ability,
    size: f64,
    place: usize,
    (name, vus, seconds): (&str, i32, f64),
    noise: &mut Noise,
) -> Phase {
    let smoke = mode == "smoke";
    let seconds = if smoke { seconds } else { seconds * scale };
    let pause = if mode == "full" { 0.1 } else { 0.0 };
    let alone = 1e-6 * ability.cpu_us.iter().sum::<f64>() + 0.0012;
    let wanted = f64::from(vus) / (pause + alone);
    // A soft ceiling: queueing sets in before it is reached.
    let rate = wanted / (1.0 + (wanted / ability.ceiling).powi(3)).cbrt() * noise.about(0.008);
    let requests = match mode {
        "smoke" => 5.0,
        "compare" => 1000.0 * seconds,
        _ => (rate * seconds).round(),
    };
    let rate = requests / seconds;
    let middle = match mode {
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

pub(super) fn overall(phases: &[Phase]) -> Performance {
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

pub(super) fn samples(
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
pub(super) struct Noise(pub(super) u64);

impl Noise {
    /// Around 1, with about this relative deviation.
    pub(super) fn about(&mut self, deviation: f64) -> f64 {
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
