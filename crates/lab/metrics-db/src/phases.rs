//! Resource samples and phase boundaries to figures per phase. Pure.
//!
//! CPU-seconds come from the cumulative counters at the two boundaries of a phase, never from averaged
//! percentages. Where the sample of a boundary is missing or late (the boundary was known too late, a probe
//! could not be read in time), the counter is interpolated between its neighbours and the figure says so.

use crate::rows::{Phase, ResourceSample, Role};

/// A boundary sample this far from its boundary still counts as exact, seconds.
const EXACT_WITHIN_S: f64 = 0.05;

/// What one phase used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseUsage {
    /// From 1.
    pub phase_number: i32,
    /// Seconds.
    pub duration_seconds: f64,
    /// The service under test.
    pub target: RoleUsage,
    /// The application database.
    pub database: RoleUsage,
    /// What made the load.
    pub generator: RoleUsage,
    /// The whole machine.
    pub host: RoleUsage,
}

/// What one role used between two boundaries; none where it was not sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoleUsage {
    /// Between the boundaries.
    pub cpu_seconds: Option<f64>,
    /// Both counters were read within 50 ms of their boundaries; otherwise at least one is interpolated.
    pub exact: bool,
    /// CPU-seconds over the duration; 100 is one core.
    pub cpu_avg_percent: Option<f64>,
    /// Highest sample; 100 is one core.
    pub cpu_peak_percent: Option<f64>,
    /// Mean of the samples, MiB.
    pub memory_avg_mb: Option<f64>,
    /// Highest sample, MiB.
    pub memory_peak_mb: Option<f64>,
    /// Taken by the hypervisor (host only).
    pub steal_seconds: Option<f64>,
    /// Held back by a cgroup quota.
    pub throttled_seconds: Option<f64>,
    /// Received (containers only).
    pub network_rx_bytes: Option<i64>,
    /// Sent (containers only).
    pub network_tx_bytes: Option<i64>,
}

/// Figures of each phase between two neighbouring boundaries (`boundaries_s[k - 1]` to `boundaries_s[k]`,
/// seconds from `measured_from`). The samples may come in any order.
pub fn phase_usage(samples: &[ResourceSample], boundaries_s: &[f64]) -> Vec<PhaseUsage> {
    let series = Role::ALL.map(|role| Series::new(samples, role));
    let [target, database, generator, host] = &series;
    boundaries_s
        .windows(2)
        .zip(1..)
        .map(|(ends, number)| {
            let phase = Span {
                number,
                start: ends[0],
                end: ends[1],
            };
            PhaseUsage {
                phase_number: number,
                duration_seconds: phase.seconds(),
                target: target.usage(&phase),
                database: database.usage(&phase),
                generator: generator.usage(&phase),
                host: host.usage(&phase),
            }
        })
        .collect()
}

impl PhaseUsage {
    /// Fills in the resource columns of a phase.
    pub fn apply(&self, phase: &mut Phase) {
        phase.target_cpu_seconds = self.target.cpu_seconds;
        phase.database_cpu_seconds = self.database.cpu_seconds;
        // What a generator elsewhere says of itself stays.
        let sampled = self.generator.cpu_seconds;
        phase.generator_cpu_seconds = sampled.or(phase.generator_cpu_seconds);
        phase.target_memory_avg_mb = self.target.memory_avg_mb;
        phase.target_memory_peak_mb = self.target.memory_peak_mb;
        phase.target_cpu_avg_percent = self.target.cpu_avg_percent;
        phase.target_cpu_peak_percent = self.target.cpu_peak_percent;
        phase.host_steal_seconds = self.host.steal_seconds;
    }
}

/// One phase on the clock of `measured_from`.
struct Span {
    number: i32,
    start: f64,
    end: f64,
}

impl Span {
    fn seconds(&self) -> f64 {
        self.end - self.start
    }

    /// A first or last sample this far inside the phase still stands for the boundary.
    fn tolerance(&self) -> f64 {
        (self.seconds() * 0.05).max(EXACT_WITHIN_S)
    }
}

/// The samples of one role by time.
struct Series<'a>(Vec<&'a ResourceSample>);

/// A counter at a boundary.
struct Reading {
    value: f64,
    exact: bool,
}

impl<'a> Series<'a> {
    fn new(samples: &'a [ResourceSample], role: Role) -> Self {
        let mut own: Vec<_> = samples
            .iter()
            .filter(|sample| sample.role == role)
            .collect();
        own.sort_by(|a, b| a.elapsed_seconds.total_cmp(&b.elapsed_seconds));
        Self(own)
    }

    fn usage(&self, phase: &Span) -> RoleUsage {
        let cpu = self.difference(phase, |sample| Some(sample.cpu_seconds));
        let cpu_seconds = cpu.as_ref().map(|reading| reading.value);
        let counter = |of: fn(&ResourceSample) -> Option<f64>| {
            self.difference(phase, of).map(|reading| reading.value)
        };
        let bytes =
            |of: fn(&ResourceSample) -> Option<f64>| counter(of).map(|value| value.round() as i64);
        // A percentage covers the time before its sample, so the one at the start belongs to what was before.
        let cpu_percents = self.within(phase, phase.start + EXACT_WITHIN_S, |s| s.cpu_percent);
        let memory = self.within(phase, phase.start - EXACT_WITHIN_S, |s| s.memory_used_mb);
        RoleUsage {
            cpu_seconds,
            exact: cpu.is_some_and(|reading| reading.exact),
            cpu_avg_percent: cpu_seconds.map(|seconds| seconds / phase.seconds() * 100.0),
            cpu_peak_percent: cpu_percents.iter().copied().reduce(f64::max),
            memory_avg_mb: match memory.len() {
                0 => None,
                n => Some(memory.iter().sum::<f64>() / n as f64),
            },
            memory_peak_mb: memory.iter().copied().reduce(f64::max),
            steal_seconds: counter(|sample| sample.steal_seconds),
            throttled_seconds: counter(|sample| sample.throttled_seconds),
            network_rx_bytes: bytes(|sample| sample.network_rx_bytes.map(|n| n as f64)),
            network_tx_bytes: bytes(|sample| sample.network_tx_bytes.map(|n| n as f64)),
        }
    }

    /// Values of the samples from `from` to the end of the phase.
    fn within(&self, phase: &Span, from: f64, of: fn(&ResourceSample) -> Option<f64>) -> Vec<f64> {
        self.0
            .iter()
            .filter(|s| (from..=phase.end + EXACT_WITHIN_S).contains(&s.elapsed_seconds))
            .filter_map(|sample| of(sample))
            .collect()
    }

    /// What a counter grew by over the phase; none where it is not known at both ends or ran backwards (the
    /// thing was started anew).
    fn difference(&self, phase: &Span, of: fn(&ResourceSample) -> Option<f64>) -> Option<Reading> {
        let tolerance = phase.tolerance();
        let start = self.reading(phase.number - 1, phase.start, tolerance, of)?;
        let end = self.reading(phase.number, phase.end, tolerance, of)?;
        let value = end.value - start.value;
        (phase.seconds() > 0.0 && value >= 0.0).then_some(Reading {
            value,
            exact: start.exact && end.exact,
        })
    }

    /// A counter at boundary `k`, which was due at `at`.
    fn reading(
        &self,
        k: i32,
        at: f64,
        tolerance: f64,
        of: fn(&ResourceSample) -> Option<f64>,
    ) -> Option<Reading> {
        let off = |sample: &ResourceSample| (sample.elapsed_seconds - at).abs();
        let points = || {
            self.0
                .iter()
                .filter_map(|sample| Some((*sample, of(sample)?)))
        };
        let exact = points()
            .filter(|(sample, _)| sample.boundary == Some(k) && off(sample) <= EXACT_WITHIN_S)
            .min_by(|(a, _), (b, _)| off(a).total_cmp(&off(b)));
        if let Some((_, value)) = exact {
            return Some(Reading { value, exact: true });
        }
        let before = points()
            .take_while(|(sample, _)| sample.elapsed_seconds <= at)
            .last();
        let after = points().find(|(sample, _)| sample.elapsed_seconds >= at);
        let value = match (before, after) {
            (Some((a, from)), Some((b, to))) => {
                let gap = b.elapsed_seconds - a.elapsed_seconds;
                let share = if gap > 0.0 {
                    (at - a.elapsed_seconds) / gap
                } else {
                    0.0
                };
                from + (to - from) * share
            }
            (Some((nearest, value)), None) | (None, Some((nearest, value)))
                if off(nearest) <= tolerance =>
            {
                value
            }
            _ => return None,
        };
        Some(Reading {
            value,
            exact: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    /// (elapsed seconds, boundary, cumulative CPU-seconds)
    type Point = (f64, Option<i32>, f64);

    /// (name, samples, boundaries, expected CPU-seconds of each phase and whether they are exact)
    type Case<'a> = (&'a str, &'a [Point], &'a [f64], &'a [Option<(f64, bool)>]);

    fn samples(role: Role, points: &[Point]) -> Vec<ResourceSample> {
        points
            .iter()
            .map(|&(elapsed, boundary, cpu_seconds)| ResourceSample {
                boundary,
                cpu_seconds,
                ..ResourceSample::new(role, OffsetDateTime::UNIX_EPOCH, elapsed)
            })
            .collect()
    }

    #[test]
    fn cpu_seconds_between_boundaries() {
        const fn boundary(k: i32) -> Option<i32> {
            Some(k)
        }
        #[rustfmt::skip]
        let cases: &[Case] = &[
            ("exact boundaries",
             &[(0.0, boundary(0), 5.0), (1.0, None, 6.0), (2.0, boundary(1), 8.0), (4.0, boundary(2), 8.5)],
             &[0.0, 2.0, 4.0], &[Some((3.0, true)), Some((0.5, true))]),
            ("in any order, a duplicate sampler beside",
             &[(2.0, boundary(1), 8.0), (0.0, boundary(0), 5.0), (0.01, boundary(0), 5.1), (2.01, boundary(1), 8.1)],
             &[0.0, 2.0], &[Some((3.0, true))]),
            ("a late boundary is interpolated",
             &[(-1.0, None, 0.0), (0.25, boundary(0), 1.25), (10.0, boundary(1), 11.0)],
             &[0.0, 10.0], &[Some((10.0, false))]),
            ("a missing boundary in the middle is interpolated",
             &[(0.0, boundary(0), 0.0), (9.0, None, 9.0), (11.0, None, 13.0), (20.0, boundary(2), 13.0)],
             &[0.0, 10.0, 20.0], &[Some((11.0, false)), Some((2.0, false))]),
            ("sampling stopped in the first phase",
             &[(0.0, boundary(0), 0.0), (5.0, None, 2.0)],
             &[0.0, 10.0, 20.0], &[None, None]),
            ("the last sample just before the end stands for it",
             &[(0.0, boundary(0), 0.0), (9.7, None, 2.0)],
             &[0.0, 10.0], &[Some((2.0, false))]),
            ("the thing was started anew",
             &[(0.0, boundary(0), 50.0), (10.0, boundary(1), 3.0)],
             &[0.0, 10.0], &[None]),
            ("the generator ended before the boundary and keeps its counters",
             &[(0.0, boundary(0), 0.0), (9.9, None, 7.0), (10.0, boundary(1), 7.0)],
             &[0.0, 10.0], &[Some((7.0, true))]),
            ("no phase", &[(0.0, boundary(0), 0.0)], &[0.0], &[]),
            ("a phase of no length", &[(0.0, boundary(0), 0.0)], &[0.0, 0.0], &[None]),
            ("no sample", &[], &[0.0, 10.0], &[None]),
        ];
        for (name, points, boundaries, expected) in cases {
            let usage = phase_usage(&samples(Role::Target, points), boundaries);
            let found: Vec<_> = usage
                .iter()
                .map(|phase| {
                    phase
                        .target
                        .cpu_seconds
                        .map(|cpu| (round(cpu), phase.target.exact))
                })
                .collect();
            assert_eq!(&found, expected, "{name}");
            assert!(
                usage
                    .iter()
                    .all(|phase| phase.database == RoleUsage::default()),
                "{name}"
            );
        }
    }

    #[test]
    fn memory_percentages_and_other_counters() {
        let mut all = samples(
            Role::Target,
            &[
                (0.0, Some(0), 0.0),
                (1.0, None, 0.5),
                (2.0, Some(1), 2.0),
                (3.0, None, 9.0),
            ],
        );
        let memory = [10.0, 20.0, 60.0, 900.0];
        let percent = [99.0, 50.0, 150.0, 700.0];
        for (sample, (memory, percent)) in all.iter_mut().zip(memory.into_iter().zip(percent)) {
            sample.memory_used_mb = Some(memory);
            sample.cpu_percent = Some(percent);
            sample.network_rx_bytes = Some((memory * 100.0) as i64);
        }
        let mut host = samples(Role::Host, &[(0.0, Some(0), 0.0), (2.0, Some(1), 3.0)]);
        host[0].steal_seconds = Some(1.0);
        host[1].steal_seconds = Some(1.25);
        all.extend(host);

        let usage = phase_usage(&all, &[0.0, 2.0]);
        let mut phase = Phase::default();
        usage[0].apply(&mut phase);
        assert_eq!(usage[0].phase_number, 1);
        assert_eq!(phase.target_cpu_seconds, Some(2.0));
        assert_eq!(phase.target_cpu_avg_percent, Some(100.0));
        assert_eq!(phase.target_cpu_peak_percent, Some(150.0));
        assert_eq!(phase.target_memory_avg_mb, Some(30.0));
        assert_eq!(phase.target_memory_peak_mb, Some(60.0));
        assert_eq!(phase.host_steal_seconds, Some(0.25));
        assert_eq!(phase.database_cpu_seconds, None);
        assert_eq!(usage[0].target.network_rx_bytes, Some(5_000));
        assert_eq!(usage[0].host.cpu_seconds, Some(3.0));
    }

    fn round(value: f64) -> f64 {
        (value * 1e6).round() / 1e6
    }
}
