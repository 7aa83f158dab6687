//! Rows to report: a pure function, so that every sentence and figure can be tested without a database.

use metrics_db::Session;
use serde_json::Value;

use super::cell::{self, Cell};
use super::generator::{self, Cores};
use super::heading::{session_info, subtitle, title};
use super::input::{RunRows, SessionRows};
use super::model::{
    Across, FORMAT, Level, Metric, PhaseInfo, PhaseRow, Report, RunInfo, ScalePoint, ScenarioInfo,
    Standing, Target, Verdict, VerdictKind,
};
use super::options::Options;
use super::{
    across, badges, compare, environment, generators, grouping, head, limits, places, ranking,
    scaling, scenarios, series, targets, trial, verdict,
};
use lab_words::words::figure;

/// Builds the report of these sessions. `points`: the most points a time series may have.
pub fn build(rows: &[SessionRows], points: usize, options: &Options) -> Report {
    let sessions: Vec<&Session> = rows.iter().map(|rows| &rows.session).collect();
    let all: Vec<(&SessionRows, &RunRows)> = rows
        .iter()
        .flat_map(|session| session.runs.iter().map(move |run| (session, run)))
        .collect();
    let first = all.first().map(|(_, run)| &run.run);
    let mode = first.map_or_else(String::new, |run| run.test_mode.clone());
    let scale = first.map_or(1.0, |run| run.phase_scale);
    let by_peak = mode == "saturation";
    let rates = rates(&all, &mode, scale);
    let intended_rate = rates.first().map(|(_, rate)| *rate);
    let targets = targets::of(&all);
    let scenarios = scenarios::of(&all, &targets);
    let payloads: Vec<String> = scenarios.iter().flat_map(|s| s.payloads.clone()).collect();
    let like = Like {
        mode: &mode,
        scale,
        rates: &rates,
    };
    let mut runs = runs(&all, &targets, &like, by_peak);
    scenarios::label(&mut runs, &scenarios);
    let scaling = scaling(&all, &targets, &scenarios);
    let phases = phases(&runs);
    let generators = generators::rows(&all, &runs);
    let fingerprints = environment::fingerprints(&sessions);

    let cells = cell::cells(&runs, &payloads, targets.len(), by_peak);
    let measures = mode != "smoke";
    let metrics: &[Metric] = match (measures, intended_rate) {
        (false, _) => &[],
        (true, None) => &[Metric::Rate],
        // The rate is given: what differs is what it costs, and how long it takes.
        (true, Some(_)) => &[Metric::Cpu, Metric::P99],
    };
    let comparisons = scenarios
        .iter()
        .flat_map(|scenario| {
            let own = cells
                .iter()
                .filter(|cell| scenario.targets.contains(&cell.target));
            compare::comparisons(&own.collect::<Vec<_>>(), metrics, &targets, &runs, options)
        })
        .collect::<Vec<_>>();
    let mut throughput: Vec<_> = cells
        .iter()
        .map(|cell| cell.throughput(best(&cells, cell.payload)))
        .collect();
    compare::rank(&mut throughput, &comparisons);

    let mut report = Report {
        format: FORMAT,
        title: title(&mode, &targets),
        subtitle: String::new(),
        sessions: sessions
            .iter()
            .map(|session| session_info(session))
            .collect(),
        measures,
        phase_scale: scale,
        think_time_ms: think_time(&sessions, &mode),
        margin: options.margin,
        intended_rate,
        rate_is: rate_is(&mode).to_owned(),
        words: scenarios::words(&scenarios),
        wire: cells
            .iter()
            .filter_map(|cell| cell.wire(&targets[cell.target]))
            .collect(),
        phase_rows: phase_rows(&cells, &payloads),
        cost: cells.iter().map(Cell::cost).collect(),
        series: all
            .iter()
            .filter(|_| measures)
            .flat_map(|(_, rows)| series::of_run(rows.run.id, &rows.samples, points))
            .collect(),
        settings: environment::settings(&sessions, &fingerprints),
        verdict: Verdict {
            kind: VerdictKind::Seen,
            level: Level::Ok,
            sentence: Vec::new(),
            notes: Vec::new(),
        },
        head: Vec::new(),
        ranking: Vec::new(),
        groupings: Vec::new(),
        protocol_pairs: Vec::new(),
        places: Vec::new(),
        scaling_rows: scaling::rows(&scaling, &payloads),
        scaling,
        generators,
        badges: Vec::new(),
        across: across(rows, options),
        limits: Vec::new(),
        scenarios,
        mode,
        targets,
        payloads,
        phases,
        throughput,
        comparisons,
        runs,
        fingerprints,
    };
    let rates: Vec<f64> = rates.iter().map(|(_, rate)| *rate).collect();
    report.subtitle = subtitle(&report, &sessions, &rates);
    report.verdict = match &report.scenarios[..] {
        [] | [_] => verdict::judge(&report),
        several => verdict::of_several(
            &report,
            several
                .iter()
                .map(|scenario| {
                    let own = scenarios::only(rows, &scenario.name);
                    (scenario.name.clone(), build(&own, 0, options))
                })
                .collect(),
        ),
    };
    if report.measures && report.scenarios.len() < 2 {
        report.verdict.notes.extend(options.notes());
    }
    if matches!(
        report.verdict.kind,
        VerdictKind::Difference | VerdictKind::Equal | VerdictKind::Open
    ) {
        report.head = head::rows(&report);
    }
    if !matches!(
        report.verdict.kind,
        VerdictKind::AuditFailed | VerdictKind::Failed | VerdictKind::GeneratorLimited
    ) {
        report.ranking = ranking::tables(&report, options);
    }
    report.groupings = grouping::groupings(&report);
    report.protocol_pairs = grouping::protocol_pairs(&report);
    report.places = places::of(&report);
    report.badges = badges::of(&report);
    report.limits = limits::paragraphs(
        &report,
        sessions
            .first()
            .map_or("", |session| session.runtime.as_str()),
    );
    report
}

/// Each session by itself, where they are to stand side by side.
fn across(rows: &[SessionRows], options: &Options) -> Vec<Across> {
    let Some(reference) = options
        .reference
        .as_ref()
        .filter(|_| options.across_machines)
    else {
        return Vec::new();
    };
    if rows.len() < 2 {
        return Vec::new();
    }
    let alone = Options {
        across_machines: false,
        ..options.clone()
    };
    let each = rows
        .iter()
        .map(|one| build(std::slice::from_ref(one), 0, &alone));
    across::of(&each.collect::<Vec<_>>(), reference)
}

/// The highest median under a payload.
fn best(cells: &[Cell<'_>], payload: &str) -> f64 {
    cells
        .iter()
        .filter(|cell| cell.payload == payload)
        .map(Cell::rate)
        .fold(0.0, f64::max)
}

/// By payload, phase, target: what is compared stands together.
fn phase_rows(cells: &[Cell<'_>], payloads: &[String]) -> Vec<PhaseRow> {
    let mut rows: Vec<PhaseRow> = cells.iter().flat_map(Cell::phase_rows).collect();
    rows.sort_by_key(|row| {
        (
            payloads.iter().position(|payload| *payload == row.payload),
            row.phase.number,
            row.target,
        )
    });
    rows
}

/// The arrivals a second of each scenario, in an open model: those of its first run. Scenarios are not compared with each
/// other, so each may have a rate of its own.
fn rates<'a>(all: &[(&SessionRows, &'a RunRows)], mode: &str, scale: f64) -> Vec<(&'a str, f64)> {
    let mut rates: Vec<(&str, f64)> = Vec::new();
    for (_, rows) in all {
        let run = &rows.run;
        let known = rates.iter().any(|(scenario, _)| *scenario == run.scenario);
        if !known && run.test_mode == mode && run.phase_scale == scale {
            rates.extend(intended(rows).map(|rate| (run.scenario.as_str(), rate)));
        }
    }
    rates
}

/// Arrivals a second that a run was to have, in an open model; of events, where a request has several of them.
fn intended(rows: &RunRows) -> Option<f64> {
    let requests = rows.performance.as_ref()?.intended_per_sec?;
    let events = match rows.run.scenario.as_str() {
        "ingest" => trial::events_per_request(&rows.run),
        _ => 1.0,
    };
    Some(requests * events)
}

/// What runs must have in common to stand in one figure.
struct Like<'a> {
    mode: &'a str,
    scale: f64,
    /// By scenario.
    rates: &'a [(&'a str, f64)],
}

impl Like<'_> {
    /// Why a run is not mixed with the others.
    fn differs(&self, rows: &RunRows) -> Option<String> {
        let (run, scale) = (&rows.run, self.scale);
        if run.test_mode != self.mode || run.phase_scale != scale {
            return Some(format!(
                "{} at scale {} is not mixed with {} at scale {scale}",
                run.test_mode, run.phase_scale, self.mode
            ));
        }
        let of_scenario = |(scenario, _): &&(&str, f64)| *scenario == run.scenario;
        let (_, wanted) = *self.rates.iter().find(of_scenario)?;
        let own = intended(rows)?;
        (own != wanted).then(|| {
            format!(
                "{} arrivals a second are not mixed with {}",
                figure(own),
                figure(wanted)
            )
        })
    }
}

fn runs(
    all: &[(&SessionRows, &RunRows)],
    targets: &[Target],
    like: &Like<'_>,
    by_peak: bool,
) -> Vec<RunInfo> {
    all.iter()
        .filter_map(|(session, rows)| {
            let target = targets
                .iter()
                .position(|target| target.name == rows.run.api_name)?;
            let cores: Cores = generator::cores(&session.session.environment, &rows.run.driver);
            let mut info = trial::info(rows, &session.session.id, target, cores, by_peak);
            if let Some(reason) = like.differs(rows) {
                info.standing = Standing::LeftOut;
                info.reasons.push(reason);
            }
            Some(info)
        })
        .collect()
}

/// The points of the runs of every mode: what is left out of the figures for its mode stands here with its like.
fn scaling(
    all: &[(&SessionRows, &RunRows)],
    targets: &[Target],
    scenarios: &[ScenarioInfo],
) -> Vec<ScalePoint> {
    let mut infos: Vec<RunInfo> = Vec::new();
    for (session, rows) in all {
        let target = targets
            .iter()
            .position(|target| target.name == rows.run.api_name);
        let cores = generator::cores(&session.session.environment, &rows.run.driver);
        infos.extend(
            target.map(|target| trial::info(rows, &session.session.id, target, cores, false)),
        );
    }
    scenarios::label(&mut infos, scenarios);
    let runs: Vec<scaling::Run<'_>> = all
        .iter()
        .zip(&infos)
        .map(|((_, rows), info)| scaling::Run {
            mode: &rows.run.test_mode,
            info,
        })
        .collect();
    scaling::points(&runs)
}

/// The phases of the run that has the most of them.
fn phases(runs: &[RunInfo]) -> Vec<PhaseInfo> {
    runs.iter()
        .filter(|run| run.standing != Standing::LeftOut)
        .map(|run| {
            run.phases
                .iter()
                .map(|row| row.phase.clone())
                .collect::<Vec<_>>()
        })
        .max_by_key(Vec::len)
        .unwrap_or_default()
}

/// The pause between two requests of a VU, as the mode was when the session was planned.
fn think_time(sessions: &[&Session], mode: &str) -> Option<f64> {
    sessions
        .iter()
        .filter_map(|session| session.plan.as_ref())
        .find(|plan| plan.get("mode").and_then(Value::as_str) == Some(mode))?
        .pointer("/load/thinkTimeMs")?
        .as_f64()
}

fn rate_is(mode: &str) -> &'static str {
    match mode {
        "saturation" => "the highest phase of each trial",
        "smoke" => "five requests, one after the other",
        "compare" => "at a fixed rate of arrivals, the same for all",
        _ => "mean over all phases",
    }
}
