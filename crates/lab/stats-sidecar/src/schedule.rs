//! When the next sample of a run is due. Pure: times are seconds on one clock.
//!
//! Samples are taken on a grid of `interval_s` that is aligned with the first phase, and exactly at each phase
//! boundary. A grid point less than half an interval away from a boundary gives way to it, since percentages
//! over a few milliseconds are noise.

use metrics_db::Sampling;

/// A shorter interval would measure the sampler.
const SHORTEST_INTERVAL_S: f64 = 0.1;

/// The next sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// When, seconds since 1970; may be past.
    pub at: f64,
    /// The phase boundary that this sample marks.
    pub boundary: Option<usize>,
}

/// The moments at which one run is sampled.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    measured_from: Option<f64>,
    boundaries_s: Vec<f64>,
    interval: f64,
    next_boundary: usize,
    last_sample: Option<f64>,
    missed: Vec<usize>,
}

impl Schedule {
    /// The moments that `sampling` asks for.
    pub fn new(sampling: &Sampling) -> Self {
        let mut schedule = Self::default();
        schedule.update(sampling);
        schedule
    }

    /// Takes over a changed row. Boundaries start anew where the start of the first phase changed.
    pub fn update(&mut self, sampling: &Sampling) {
        let measured_from = sampling.measured_from_us.map(|us| us as f64 / 1e6);
        if measured_from != self.measured_from {
            self.next_boundary = 0;
        }
        self.measured_from = measured_from;
        self.boundaries_s.clone_from(&sampling.boundaries_s);
        self.interval = sampling.interval_s.max(SHORTEST_INTERVAL_S);
    }

    /// Start of the first phase, seconds since 1970; none while it is not known.
    pub fn measured_from(&self) -> Option<f64> {
        self.measured_from
    }

    /// End of the last phase, seconds since 1970.
    pub fn measured_to(&self) -> Option<f64> {
        Some(self.measured_from? + self.boundaries_s.last()?)
    }

    /// Boundaries that were past by more than an interval when they became known; each is told once.
    pub fn take_missed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.missed)
    }

    /// The next sample as seen at `now`.
    pub fn next(&mut self, now: f64) -> Due {
        let boundary = self.pending_boundary(now);
        let tick = self.tick(now);
        match boundary {
            Some(due) if tick > due.at - self.interval / 2.0 => due,
            _ => Due {
                at: tick,
                boundary: None,
            },
        }
    }

    /// Notes that `due` was sampled.
    pub fn taken(&mut self, due: Due) {
        self.last_sample = Some(due.at);
        if let Some(boundary) = due.boundary {
            self.next_boundary = boundary + 1;
        }
    }

    fn pending_boundary(&mut self, now: f64) -> Option<Due> {
        let measured_from = self.measured_from?;
        while let Some(offset) = self.boundaries_s.get(self.next_boundary) {
            let at = measured_from + offset;
            if at >= now - self.interval {
                return Some(Due {
                    at,
                    boundary: Some(self.next_boundary),
                });
            }
            self.missed.push(self.next_boundary);
            self.next_boundary += 1;
        }
        None
    }

    /// The next point of the grid: after the last sample by at least half an interval, and not past where
    /// sampling fell behind.
    fn tick(&self, now: f64) -> f64 {
        let Some(last) = self.last_sample else {
            return now;
        };
        let earliest = (last + self.interval / 2.0).max(now - self.interval / 2.0);
        match self.measured_from {
            Some(origin) => origin + ((earliest - origin) / self.interval).ceil() * self.interval,
            None => (last + self.interval).max(now - self.interval / 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(measured_from_us: Option<i64>, boundaries_s: &[f64]) -> Sampling {
        Sampling {
            measured_from_us,
            boundaries_s: boundaries_s.to_vec(),
            ..Default::default()
        }
    }

    /// Takes samples on time from `now` until `end`: rounded times and boundaries.
    fn run(schedule: &mut Schedule, mut now: f64, end: f64) -> Vec<(f64, Option<usize>)> {
        let mut taken = Vec::new();
        loop {
            let due = schedule.next(now);
            if due.at >= end {
                return taken;
            }
            assert!(due.at > now - 1.1, "{due:?} at {now}");
            now = now.max(due.at);
            schedule.taken(due);
            taken.push(((due.at * 1000.0).round() / 1000.0, due.boundary));
        }
    }

    #[test]
    fn each_second_before_the_start_is_known() {
        let mut schedule = Schedule::new(&sampling(None, &[0.0, 10.0]));
        assert_eq!(
            run(&mut schedule, 5.3, 8.0),
            [(5.3, None), (6.3, None), (7.3, None)]
        );
    }

    #[test]
    fn boundaries_replace_grid_points_beside_them() {
        let mut schedule = Schedule::new(&sampling(Some(10_000_000), &[0.0, 2.25, 4.0]));
        assert_eq!(
            run(&mut schedule, 8.7, 16.5),
            [
                (8.7, None),
                (10.0, Some(0)),
                (11.0, None),
                (12.25, Some(1)),
                (13.0, None),
                (14.0, Some(2)),
                (15.0, None),
                (16.0, None),
            ]
        );
    }

    #[test]
    fn boundaries_closer_than_the_interval_are_all_taken() {
        let mut schedule = Schedule::new(&sampling(Some(10_000_000), &[0.0, 0.2, 0.4]));
        assert_eq!(
            run(&mut schedule, 9.9, 12.5),
            [
                (10.0, Some(0)),
                (10.2, Some(1)),
                (10.4, Some(2)),
                (11.0, None),
                (12.0, None)
            ]
        );
    }

    #[test]
    fn a_boundary_that_is_just_past_is_taken_at_once_and_an_old_one_is_missed() {
        let mut schedule = Schedule::new(&sampling(Some(10_000_000), &[0.0, 5.0, 9.0]));
        let due = schedule.next(15.2);
        assert_eq!(
            due,
            Due {
                at: 15.0,
                boundary: Some(1)
            }
        );
        schedule.taken(due);
        assert_eq!(schedule.take_missed(), [0]);
        assert_eq!(
            schedule.next(15.2),
            Due {
                at: 16.0,
                boundary: None
            }
        );
    }

    #[test]
    fn a_start_that_becomes_known_later_is_hit() {
        let mut schedule = Schedule::new(&sampling(None, &[0.0, 1.0]));
        schedule.taken(schedule.clone().next(5.0));
        schedule.update(&sampling(Some(5_300_000), &[0.0, 1.0]));
        assert_eq!(
            run(&mut schedule, 5.1, 7.0),
            [(5.3, Some(0)), (6.3, Some(1))]
        );
        assert_eq!(schedule.measured_to(), Some(6.3));
    }

    #[test]
    fn after_a_stall_the_grid_goes_on_without_catching_up() {
        let mut schedule = Schedule::new(&sampling(Some(10_000_000), &[0.0]));
        run(&mut schedule, 10.0, 12.5);
        assert_eq!(schedule.next(60.2).at, 60.0);
    }
}
