//! The report's verdict as the file `verdict.json`, from which gates and their exports are made.

use lab_gate::verdict_file::{
    Better, Check, Comparison, FORMAT, Round, Session, Settings, Source, Target, VerdictFile,
};
use lab_verdict::judge::spread;
use lab_verdict::log_ratio;

use super::cell::{self, Cell};
use super::compare::{ALPHA, rounds_in_common};
use super::model::{self, Interval, Level, Metric, Report, RunInfo, Standing};
use super::options::Options;

/// The verdict of a report that was built with these options. `tool` names the program and its version.
pub fn of(report: &Report, options: &Options, tool: &str) -> VerdictFile {
    let by_peak = report.mode == "saturation";
    let cells = cell::cells(
        &report.runs,
        &report.payloads,
        report.targets.len(),
        by_peak,
    );
    VerdictFile {
        format: FORMAT.to_owned(),
        source: source(report, tool),
        kind: report.verdict.kind,
        sentence: report.verdict.text(),
        notes: report.verdict.notes.clone(),
        settings: Settings {
            alpha: ALPHA,
            margin: report.margin,
            reference: options.reference.clone(),
            primary: options.primary.map(|metric| name(metric).to_owned()),
            look: options.look.map(Into::into),
        },
        targets: (0..report.targets.len())
            .map(|index| target(report, index))
            .collect(),
        comparisons: report
            .comparisons
            .iter()
            .map(|pair| comparison(report, pair, &cells, options))
            .collect(),
        checks: report
            .badges
            .iter()
            .map(|badge| Check {
                id: badge.id.clone(),
                level: level(badge.level).to_owned(),
                text: badge.text.clone(),
            })
            .collect(),
    }
}

fn source(report: &Report, tool: &str) -> Source {
    let session = |session: &model::SessionInfo| Session {
        id: session.id.clone(),
        command: session.command.clone(),
        git_commit: session.git_commit.clone(),
        fingerprint: session.fingerprint.clone(),
        started_at: session.started_at.clone(),
    };
    Source {
        tool: tool.to_owned(),
        sessions: report.sessions.iter().map(session).collect(),
        mode: Some(report.mode.clone()),
        phase_scale: Some(report.phase_scale),
        intended_rate: report.intended_rate,
    }
}

fn target(report: &Report, index: usize) -> Target {
    let info = &report.targets[index];
    let own: Vec<&RunInfo> = report
        .runs
        .iter()
        .filter(|run| run.target == index)
        .collect();
    let count = |standing: Standing| own.iter().filter(|run| run.standing == standing).count();
    let mut reasons: Vec<String> = Vec::new();
    for reason in own.iter().flat_map(|run| &run.reasons) {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    Target {
        name: info.name.clone(),
        scenario: Some(info.scenario.clone()),
        protocol: Some(info.protocol.clone()),
        language: info.language.clone(),
        framework: info.framework.clone(),
        trials: own.len(),
        counted: count(Standing::Counted),
        disturbed: count(Standing::Invalid),
        left_out: count(Standing::LeftOut),
        audit_failed: own
            .iter()
            .filter(|run| run.audit_passed == Some(false))
            .count(),
        reasons,
    }
}

fn comparison(
    report: &Report,
    pair: &model::Comparison,
    cells: &[Cell<'_>],
    options: &Options,
) -> Comparison {
    let name_of = |target: usize| report.targets[target].name.as_str();
    // In the report's order of targets; with a reference it is the second.
    let (first, second) = (pair.higher.min(pair.lower), pair.higher.max(pair.lower));
    let is_reference = options.reference.as_deref() == Some(name_of(first));
    let (a, b) = if is_reference {
        (second, first)
    } else {
        (first, second)
    };
    let is_turned = pair.higher != a;
    let turn = |interval: Interval| match is_turned {
        true => interval.inverted(),
        false => interval,
    };
    let interval = pair.interval.map(turn);
    let cell = |target: usize| {
        let own = |cell: &&Cell<'_>| cell.target == target && cell.payload == pair.payload;
        cells.iter().find(own)
    };
    let rounds: Vec<Round> = match (cell(a), cell(b)) {
        (Some(a), Some(b)) => rounds_in_common(&a.runs, &b.runs, pair.metric)
            .map(|round| Round {
                round: match report.sessions.len() {
                    1 => round.trial.to_string(),
                    _ => format!("{} {}", round.session, round.trial),
                },
                a: round.a,
                b: round.b,
            })
            .collect(),
        _ => Vec::new(),
    };
    let differences: Vec<f64> = rounds
        .iter()
        .filter_map(|round| log_ratio(round.a, round.b))
        .collect();
    Comparison {
        session: None,
        scenario: Some(report.targets[a].scenario.clone()),
        payload: Some(pair.payload.clone()),
        figure: name(pair.metric).to_owned(),
        unit: Some(unit(pair.metric).to_owned()),
        better: match pair.metric {
            Metric::Rate => Better::More,
            Metric::Cpu | Metric::P99 => Better::Less,
        },
        a: name_of(a).to_owned(),
        b: name_of(b).to_owned(),
        decides: pair.decides,
        rounds,
        rounds_needed: pair.rounds_needed,
        ratio: Some(match is_turned {
            true => 1.0 / pair.ratio,
            false => pair.ratio,
        }),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        level: pair.level,
        p: pair.p,
        p_holm: pair.p_corrected,
        spread: spread(&differences),
        outcome: pair.outcome,
        no_verdict: pair.no_verdict.clone(),
        next: pair.next.clone(),
    }
}

/// As the report's JSON names it.
fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Rate => "rate",
        Metric::Cpu => "service CPU",
        Metric::P99 => "p99 latency",
    }
}

fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Rate => "1/s",
        Metric::Cpu => "µs",
        Metric::P99 => "ms",
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Bad => "bad",
    }
}
