//! Resource samples as columns for the time figures, thinned so that the page stays small.

use metrics_db::{ResourceSample, Role};

use super::model::Series;

/// The series of one run: one per role that was sampled, each of at most `points` points.
///
/// More samples than that are merged by neighbours: CPU as the mean (it is a rate), memory as the highest.
pub fn of_run(run: i64, samples: &[ResourceSample], points: usize) -> Vec<Series> {
    Role::ALL
        .into_iter()
        .filter_map(|role| {
            // What lies before the first phase is set-up and warm-up.
            let mine: Vec<&ResourceSample> = samples
                .iter()
                .filter(|s| s.role == role && s.elapsed_seconds >= 0.0)
                .collect();
            (mine.len() > 1 && points > 1).then(|| thin(run, role, &mine, points))
        })
        .collect()
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
        let cpu: Vec<f64> = group
            .iter()
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
}
