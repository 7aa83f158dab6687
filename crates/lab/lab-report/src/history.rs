//! A figure of one target over its sessions: a series for each set of conditions, and where it changed.
//!
//! A point is a session, never a trial: the trials of a session share its hour and its machine. Sessions are apart where mode,
//! payload, scale, rate, driver or conditions differ; a build is what a commit changes, so it is no condition.

mod chart;
mod point;

use lab_verdict::change_points::{Search, change_points};
use lab_verdict::quantile::{median, median_interval};
use serde::Serialize;

pub use chart::{Chart, Dot, Level as ChartLevel, Mark};
pub use point::{Change, Point};

use super::generator;
use super::input::SessionRows;
use super::model::{RunInfo, Standing};
use super::trial;

/// What may be followed over commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Successes a second.
    Rate,
    /// CPU of the service for each success, µs.
    Cpu,
    /// Median latency, ms.
    P50,
    /// 99th percentile of the latency, ms.
    P99,
    /// Highest memory of the service, MiB.
    Memory,
}

impl Figure {
    fn of(self, run: &RunInfo) -> Option<f64> {
        let value = match self {
            Self::Rate => run.rate,
            Self::Cpu => run.cpu_us.target,
            Self::P50 => run.latency.p50,
            Self::P99 => run.latency.p99,
            Self::Memory => run.memory_peak_mb,
        };
        value.filter(|value| *value > 0.0)
    }

    /// In words, with its unit.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rate => "successes a second",
            Self::Cpu => "service CPU of a success, µs",
            Self::P50 => "median latency, ms",
            Self::P99 => "p99 latency, ms",
            Self::Memory => "highest memory of the service, MiB",
        }
    }

    fn more_is_better(self) -> bool {
        self == Self::Rate
    }
}

/// A session of the target, and under which conditions it ran.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The session with the target's runs; samples are not needed.
    pub rows: SessionRows,
    /// Hash of its environment without what a commit changes.
    pub conditions: String,
}

/// How the search for changes is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The figure; none: that which decides in the mode of each series, the rate or at a fixed rate the CPU.
    pub figure: Option<Figure>,
    /// Probability of naming a change in a stretch that has none (0 to 1).
    pub level: f64,
    /// Changes whose ratio lies within `1 / (1 + margin) ..= 1 + margin` are not told.
    pub margin: f64,
}

/// The history of one target.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    /// Its name.
    pub target: String,
    /// Probability of naming a change in a stretch that has none (0 to 1).
    pub level: f64,
    /// Smaller changes are not told.
    pub margin: f64,
    /// What may stand in one figure, each for itself; the series with the newest session first.
    pub series: Vec<Series>,
}

/// Sessions that may be compared over time.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// What is followed.
    pub figure: Figure,
    /// The figure in words, with its unit.
    pub figure_words: &'static str,
    /// smoke, full, saturation or compare.
    pub mode: String,
    /// Payload.
    pub payload: String,
    /// PHASE_SCALE.
    pub phase_scale: f64,
    /// Arrivals a second of an open model.
    pub intended_rate: Option<f64>,
    /// k6 or benchmark.
    pub driver: String,
    /// First digits of the hash of the conditions.
    pub conditions: String,
    /// Oldest first.
    pub points: Vec<Point>,
    /// Oldest first.
    pub changes: Vec<Change>,
    /// Fewest points at which a change can be found.
    pub points_needed: usize,
    /// The same as a drawing.
    pub chart: Chart,
}

/// The history of `target` over these sessions.
pub fn build(target: &str, measured: &[Measured], asked: &Asked) -> History {
    let mut found: Vec<(Key, Vec<Point>)> = Vec::new();
    let mut sessions: Vec<&Measured> = measured.iter().collect();
    sessions.sort_by_key(|measured| measured.rows.session.started_at);
    for measured in sessions {
        for (key, point) in points(target, measured, asked) {
            match found.iter_mut().find(|(known, _)| *known == key) {
                Some((_, points)) => points.push(point),
                None => found.push((key, vec![point])),
            }
        }
    }
    let mut series: Vec<Series> = found
        .into_iter()
        .map(|(key, points)| key.series(points, asked))
        .collect();
    series.sort_by(|a, b| {
        let newest = |series: &Series| series.points.last().map(|point| point.started_at.clone());
        newest(b).cmp(&newest(a))
    });
    History {
        target: target.to_owned(),
        level: asked.level,
        margin: asked.margin,
        series,
    }
}

/// What the sessions of one series have in common.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    figure: Figure,
    mode: String,
    payload: String,
    phase_scale: f64,
    intended_rate: Option<f64>,
    driver: String,
    conditions: String,
}

impl Key {
    fn series(self, points: Vec<Point>, asked: &Asked) -> Series {
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let search = Search {
            level: asked.level,
            ..Search::default()
        };
        let changes: Vec<Change> = change_points(&values, &search)
            .into_iter()
            .map(|change| Change {
                index: change.index,
                commit: points[change.index].commit.clone(),
                commit_before: points[change.index - 1].commit.clone(),
                before: change.before,
                after: change.after,
                ratio: change.ratio(),
                is_better: (change.ratio() > 1.0) == self.figure.more_is_better(),
                p: change.p,
            })
            .filter(|change| change.ratio.ln().abs() > asked.margin.ln_1p())
            .collect();
        Series {
            chart: chart::draw(&points, &changes),
            figure: self.figure,
            figure_words: self.figure.words(),
            mode: self.mode,
            payload: self.payload,
            phase_scale: self.phase_scale,
            intended_rate: self.intended_rate,
            driver: self.driver,
            conditions: self.conditions,
            points_needed: search.points_needed(),
            points,
            changes,
        }
    }
}

/// A point for each mode and payload of the session in which a trial counts.
fn points(target: &str, measured: &Measured, asked: &Asked) -> Vec<(Key, Point)> {
    let session = &measured.rows.session;
    let mut cells: Vec<(Key, Vec<f64>)> = Vec::new();
    let own = measured.rows.runs.iter();
    for rows in own.filter(|rows| rows.run.api_name == target && rows.run.test_mode != "smoke") {
        let run = &rows.run;
        let cores = generator::cores(&session.environment, &run.driver);
        let info = trial::info(rows, &session.id, 0, cores, run.test_mode == "saturation");
        let performance = rows.performance.as_ref();
        let intended_rate = performance.and_then(|performance| performance.intended_per_sec);
        let figure = asked.figure.unwrap_or(match intended_rate {
            Some(_) => Figure::Cpu,
            None => Figure::Rate,
        });
        let Some(value) = figure
            .of(&info)
            .filter(|_| info.standing == Standing::Counted)
        else {
            continue;
        };
        let key = Key {
            figure,
            mode: run.test_mode.clone(),
            payload: run.payload_size.clone(),
            phase_scale: run.phase_scale,
            intended_rate,
            driver: run.driver.clone(),
            conditions: measured.conditions.chars().take(12).collect(),
        };
        match cells.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => cells.push((key, vec![value])),
        }
    }
    let started_at = super::heading::utc_minutes(session.started_at);
    cells
        .into_iter()
        .filter_map(|(key, values)| {
            let point = Point {
                session: session.id.clone(),
                commit: session.git_commit.clone(),
                started_at: started_at.clone(),
                trials: values.len(),
                value: median(&values)?,
                interval: median_interval(&values),
            };
            Some((key, point))
        })
        .collect()
}

/// First letters of a commit, with what marks it as changed.
pub fn short(commit: Option<&str>) -> String {
    let Some(commit) = commit else {
        return "no commit".to_owned();
    };
    let (id, dirty) = commit.split_once('+').unwrap_or((commit, ""));
    let id: String = id.chars().take(10).collect();
    match dirty {
        "" => id,
        dirty => format!("{id}+{dirty}"),
    }
}
