//! Resource samples as columns for the time figures, thinned so that the page stays small.

use std::collections::BTreeMap;

use metrics_db::{ResourceSample, Role};

use super::model::Series;

/// The series of one run: one per role that was sampled, each of at most `points` points.
///
/// More samples than that are merged by neighbours: CPU as the mean (it is a rate), memory as the highest.
pub fn of_run(run: i64, samples: &[ResourceSample], points: usize) -> Vec<Series> {
    let end = end(samples);
    Role::ALL
        .into_iter()
        .filter_map(|role| {
            // What lies before the first phase is set-up and warm-up, what comes after the last one is the lab's own end.
            let mine: Vec<&ResourceSample> = samples
                .iter()
                .filter(|s| s.role == role && (0.0..=end).contains(&s.elapsed_seconds))
                .collect();
            (mine.len() > 1 && points > 1).then(|| thin(run, role, &mine, points))
        })
        .collect()
}

/// When the samples of the last boundary were taken, which is the end of the last phase. Where more follows than the
/// shortest phase lasted, the last boundary was missed, and nothing is cut off.
fn end(samples: &[ResourceSample]) -> f64 {
    let mut boundaries: BTreeMap<i32, f64> = BTreeMap::new();
    for sample in samples {
        if let Some(boundary) = sample.boundary {
            let taken = boundaries.entry(boundary).or_insert(f64::MIN);
            *taken = taken.max(sample.elapsed_seconds);
        }
    }
    let boundaries: Vec<f64> = boundaries.into_values().collect();
    let phases = boundaries.windows(2).map(|pair| pair[1] - pair[0]);
    let (Some(last), Some(shortest)) = (boundaries.last(), phases.reduce(f64::min)) else {
        return f64::INFINITY;
    };
    let rest = samples.iter().map(|sample| sample.elapsed_seconds - last);
    if rest.fold(0.0, f64::max) > shortest {
        f64::INFINITY
    } else {
        *last
    }
}

/// The same series with at most `points` points: neighbours are merged as above.
pub fn thinner(series: &Series, points: usize) -> Series {
    let each = series.t.len().div_ceil(points.max(1)).max(1);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let merged = |values: &[Option<f64>], merge: &dyn Fn(&[f64]) -> f64| {
        let groups = values.chunks(each).map(|group| {
            let known: Vec<f64> = group.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| merge(&known))
        });
        groups.collect()
    };
    Series {
        run: series.run,
        role: series.role.clone(),
        t: series
            .t
            .chunks(each)
            .map(|group| round(mean(group), 1))
            .collect(),
        cpu: merged(&series.cpu, &|known| round(mean(known), 3)),
        memory: merged(&series.memory, &|known| {
            known.iter().copied().fold(f64::MIN, f64::max)
        }),
    }
}

fn thin(run: i64, role: Role, samples: &[&ResourceSample], points: usize) -> Series {
    let each = samples.len().div_ceil(points);
    let mut series = Series {
        run,
        role: role.as_str().to_owned(),
        t: Vec::new(),
        cpu: Vec::new(),
        memory: Vec::new(),
    };
    for group in samples.chunks(each) {
        // A percentage covers the time before its sample: at the start of the first phase that is the warm-up's.
        let cpu: Vec<f64> = group
            .iter()
            .filter(|sample| sample.boundary != Some(0))
            .filter_map(|sample| sample.cpu_percent)
            .collect();
        let mean = (!cpu.is_empty()).then(|| cpu.iter().sum::<f64>() / cpu.len() as f64 / 100.0);
        let time: f64 = group.iter().map(|sample| sample.elapsed_seconds).sum();
        series.t.push(round(time / group.len() as f64, 1));
        series.cpu.push(mean.map(|cores| round(cores, 3)));
        series.memory.push(
            group
                .iter()
                .filter_map(|s| s.memory_used_mb)
                .reduce(f64::max)
                .map(|mb| round(mb, 1)),
        );
    }
    series
}

fn round(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn neighbours_are_merged_and_the_warm_up_is_left_out() {
        let samples: Vec<ResourceSample> = (-3..10)
            .map(|second| {
                let mut sample = ResourceSample::new(
                    Role::Target,
                    OffsetDateTime::UNIX_EPOCH,
                    f64::from(second),
                );
                sample.cpu_percent = (second != 0).then_some(f64::from(second) * 10.0);
                sample.memory_used_mb = Some(f64::from(second));
                sample
            })
            .collect();
        let all = of_run(7, &samples, 100);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].t.len(), 10);
        assert_eq!(all[0].cpu[0], None);
        let half = of_run(7, &samples, 5);
        assert_eq!(half[0].t, [0.5, 2.5, 4.5, 6.5, 8.5]);
        assert_eq!(
            half[0].cpu,
            [Some(0.1), Some(0.25), Some(0.45), Some(0.65), Some(0.85)]
        );
        assert_eq!(half[0].memory[4], Some(9.0));
        assert!(of_run(7, &samples[..4], 5).is_empty());
    }

    /// A phase of 60 s and one of 30 s, whose boundaries are sampled a few milliseconds late, and what follows.
    fn marked(boundaries: &[i32], until: f64) -> Vec<ResourceSample> {
        let mut samples = Vec::new();
        for role in [Role::Target, Role::Database] {
            let late = if role == Role::Target { 0.001 } else { 0.006 };
            let mut seconds: Vec<f64> = (0..=90).map(f64::from).collect();
            seconds.extend([90.16, 91.0, 92.0, 119.0, 121.0]);
            for second in seconds.into_iter().filter(|second| *second <= until) {
                let mut sample =
                    ResourceSample::new(role, OffsetDateTime::UNIX_EPOCH, second + late);
                let boundary = [0.0, 60.0, 90.0].iter().position(|at| *at == second);
                sample.boundary = boundary
                    .and_then(|k| i32::try_from(k).ok())
                    .filter(|k| boundaries.contains(k));
                sample.cpu_percent = Some(if second > 90.0 { 0.0 } else { 50.0 });
                samples.push(sample);
            }
        }
        samples
    }

    #[test]
    fn what_follows_the_last_phase_is_left_out() {
        let table: [(&str, &[i32], f64, f64); 5] = [
            ("a moment", &[0, 1, 2], 90.16, 90.0),
            ("seconds", &[0, 1, 2], 119.0, 90.0),
            ("nothing", &[0, 1, 2], 90.0, 90.0),
            ("the last boundary was missed", &[0, 1], 121.0, 121.0),
            ("aborted in the first phase", &[0], 42.0, 42.0),
        ];
        for (name, boundaries, until, last) in table {
            let series = of_run(7, &marked(boundaries, until), 300);
            assert_eq!(series.len(), 2, "{name}");
            for series in &series {
                assert_eq!(series.t.last(), Some(&last), "{name}");
                assert_eq!(series.cpu[..2], [None, Some(0.5)], "{name}");
            }
        }
        // Merged with its neighbours the last point does not fall either.
        let merged = of_run(7, &marked(&[0, 1, 2], 90.16), 10);
        assert_eq!(merged[1].cpu.last(), Some(&Some(0.5)));
    }
}
