//! What the verdict says of invented sessions whose truth is known.

use super::input::SessionRows;
use super::invented::{GRPC, Invented, Plan, REST, SINGLE, invent};
use super::model::{Comparison, Metric, Outcome, Report, Standing, VerdictKind};
use super::tests::rows;
use super::{Options, build, markdown};

fn saturation(trials: i32) -> Invented {
    invent(&Plan {
        mode: "saturation",
        trials,
        cores: 16.0,
        ..Plan::default()
    })
}

fn report(rows: &[SessionRows]) -> Report {
    build(rows, &Options::default())
}

/// Sets the rate of each trial: `rate(target, trial from 0)`.
fn with_rates(mut invented: Invented, rate: impl Fn(&str, i32) -> f64) -> Invented {
    for run in &mut invented.runs {
        let of = rate(&run.run.api_name, run.run.trial - 1);
        for phase in &mut run.phases {
            phase.throughput_per_sec = of;
        }
        if let Some(performance) = &mut run.performance {
            performance.throughput_per_sec = of;
        }
    }
    invented
}

fn only(report: &Report) -> &Comparison {
    assert_eq!(report.comparisons.len(), 1);
    &report.comparisons[0]
}

/// A figure between -1 and 1 that differs from trial to trial.
fn wobble(trial: i32, step: i32) -> f64 {
    f64::from((trial * 7 + step * 3) % 11 - 5) / 5.0
}

#[test]
fn five_percent_apart_under_drift_is_found() {
    // The machine slows down by 40 % over the session; in each round one target is 5 % ahead, give or take 1 %.
    let invented = with_rates(saturation(8), |name, trial| {
        let drift = 1.0 - 0.05 * f64::from(trial);
        let ahead = if name == REST.name { 1.05 } else { 1.0 };
        1000.0 * drift * ahead * (1.0 + 0.01 * wobble(trial, i32::from(name == REST.name)))
    });
    let report = report(&rows(&invented));
    let pair = only(&report);
    assert_eq!(pair.outcome, Some(Outcome::Different), "{pair:?}");
    assert_eq!(
        (pair.rounds, report.targets[pair.higher].name.as_str()),
        (8, REST.name)
    );
    assert_eq!(report.verdict.kind, VerdictKind::Difference);
}

#[test]
fn two_sessions_with_one_target_each_get_no_verdict() {
    // One session on a machine that is 30 % slower: an offset between sessions is no difference between targets.
    let mut first = saturation(8);
    let mut second = first.clone();
    first.runs.retain(|run| run.run.api_name == REST.name);
    second.runs.retain(|run| run.run.api_name == GRPC.name);
    second.session.id = "20261122T090000Z-0001".to_owned();
    let report = report(&[rows(&first), rows(&second)].concat());
    let pair = only(&report);
    assert_eq!((pair.outcome, pair.p, pair.rounds), (None, None, 0));
    assert_ne!(report.verdict.kind, VerdictKind::Difference);
    let text = report.verdict.text();
    assert!(
        text.contains("no verdict: the targets have no round in common"),
        "{text}"
    );
    assert!(report.throughput.iter().all(|row| row.rank.is_none()));
}

#[test]
fn sessions_that_are_put_together_give_no_p() {
    let first = saturation(8);
    let mut second = first.clone();
    second.session.id = "20261122T090000Z-0001".to_owned();
    let report = report(&[rows(&first), rows(&second)].concat());
    let pair = only(&report);
    assert_eq!((pair.outcome, pair.p, pair.rounds), (None, None, 16));
    assert!(
        report
            .verdict
            .text()
            .contains("its rounds come from 2 sessions")
    );
}

#[test]
fn a_certain_ratio_near_one_is_not_printed_as_one() {
    let invented = with_rates(saturation(12), |name, trial| {
        let ahead = if name == REST.name { 1.004 } else { 1.0 };
        1000.0 * ahead * (1.0 + 0.001 * wobble(trial, i32::from(name == REST.name)))
    });
    let report = report(&rows(&invented));
    let pair = only(&report);
    assert_eq!(pair.outcome, Some(Outcome::Different), "{pair:?}");
    let text = report.verdict.text();
    assert!(text.contains("stored 1.005 times as many"), "{text}");
    assert!(text.contains("by less than 3 %"), "{text}");
    assert!(!text.contains("1.00 "), "{text}");
}

#[test]
fn equal_and_open_are_told_apart_and_never_no_difference() {
    let quiet = with_rates(saturation(12), |name, trial| {
        1000.0 * (1.0 + 0.004 * wobble(trial, 1 + i32::from(name == REST.name)))
    });
    let equal = report(&rows(&quiet));
    assert_eq!(
        equal.verdict.kind,
        VerdictKind::Equal,
        "{}",
        equal.verdict.text()
    );
    assert!(
        equal
            .verdict
            .text()
            .contains("are equal within 3 % in events a second stored (90 % interval")
    );
    let loud = with_rates(saturation(12), |name, trial| {
        1000.0 * (1.0 + 0.3 * wobble(trial, 1 + i32::from(name == REST.name)))
    });
    let open = report(&rows(&loud));
    assert_eq!(
        open.verdict.kind,
        VerdictKind::Open,
        "{}",
        open.verdict.text()
    );
    let text = open.verdict.text();
    assert!(
        text.starts_with("Not decided: ") && text.contains("rounds would find a difference of"),
        "{text}"
    );
    for report in [equal, open] {
        let all = markdown::text(&report).unwrap().to_lowercase();
        assert!(
            !all.contains("detectable") && !all.contains("no difference"),
            "{all}"
        );
    }
}

#[test]
fn a_target_that_is_disturbed_clearly_more_often_gets_no_verdict() {
    let mut invented = saturation(12);
    let own = invented
        .runs
        .iter_mut()
        .filter(|run| run.run.api_name == GRPC.name);
    for run in own.take(5) {
        run.run.valid = Some(false);
        run.run.invalid_reasons = vec!["The hypervisor took 9 % of the time.".to_owned()];
    }
    let report = report(&rows(&invented));
    assert_eq!(
        report
            .runs
            .iter()
            .filter(|r| r.standing == Standing::Invalid)
            .count(),
        5
    );
    let pair = only(&report);
    assert_eq!((pair.outcome, pair.p, pair.rounds), (None, None, 7));
    assert!(
        report
            .verdict
            .text()
            .contains("trials of producer-grpc were disturbed clearly more often (5 of 12"),
        "{}",
        report.verdict.text()
    );
}

#[test]
fn a_reference_and_a_primary_figure_leave_fewer_comparisons() {
    let invented = invent(&Plan {
        mode: "compare",
        targets: &[REST, SINGLE, GRPC],
        trials: 8,
        cores: 16.0,
        ..Plan::default()
    });
    let all = report(&rows(&invented));
    assert_eq!(all.comparisons.len(), 3 * 2);
    let named = build(
        &rows(&invented),
        &Options {
            reference: Some(REST.name.to_owned()),
            primary: Some(Metric::Cpu),
            ..Options::default()
        },
    );
    assert_eq!(named.comparisons.len(), 2 * 2);
    for pair in &named.comparisons {
        let names = [pair.higher, pair.lower].map(|target| named.targets[target].name.as_str());
        assert!(names.contains(&REST.name), "{names:?}");
        assert_eq!(pair.decides, pair.metric == Metric::Cpu);
        assert_eq!(pair.rounds_needed, 7, "two comparisons in each family");
    }
}

#[test]
fn sentence_interval_and_outcome_never_contradict() {
    for trials in 6..12 {
        for (step, ahead) in [(1, 1.0), (2, 1.01), (3, 1.03), (4, 1.1), (5, 1.3)] {
            let invented = with_rates(saturation(trials), |name, trial| {
                let (ahead, step) = if name == REST.name {
                    (ahead, step)
                } else {
                    (1.0, 0)
                };
                1000.0 * ahead * (1.0 + 0.02 * wobble(trial, step))
            });
            let report = report(&rows(&invented));
            let pair = only(&report);
            let excludes = pair
                .interval
                .is_some_and(|interval| interval.excludes_one());
            match report.verdict.kind {
                VerdictKind::Difference => assert!(excludes && pair.p_corrected.unwrap() <= 0.05),
                VerdictKind::Equal | VerdictKind::Open => {
                    assert!(!excludes, "{}: {pair:?}", report.verdict.text());
                }
                other => panic!("{other:?}: {}", report.verdict.text()),
            }
        }
    }
}

#[test]
fn the_head_has_a_row_a_question_with_its_interval_drawn() {
    let invented = invent(&Plan {
        mode: "compare",
        targets: &[REST, GRPC],
        trials: 12,
        cores: 16.0,
        ..Plan::default()
    });
    let report = report(&rows(&invented));
    assert_eq!(report.head.len(), 2, "CPU and p99");
    let cpu = &report.head[0];
    assert_eq!(cpu.outcome, Outcome::Different);
    assert!(
        cpu.answer.starts_with("producer-grpc costs 5"),
        "{}",
        cpu.answer
    );
    assert!(cpu.answer.split_whitespace().count() <= 8, "{}", cpu.answer);
    let drawing = cpu.drawing.as_ref().unwrap();
    let inside = 0.0..=drawing.width;
    assert!(inside.contains(&drawing.low) && inside.contains(&drawing.high));
    assert!(drawing.one < drawing.low && drawing.low <= drawing.ratio);
    assert!(drawing.ratio <= drawing.high);
    let page = super::html::page(&report).unwrap();
    assert_eq!(page.matches("<div class=\"answer ").count(), 2);
    assert!(page.contains("<p class=\"say in-full\">"));
}
