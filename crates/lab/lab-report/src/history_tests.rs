//! The history of invented sessions: what is one series, where it changed, and the page.

use time::Duration;

use super::history::{Asked, Figure, History, Measured, build, short};
use super::history_page::page;
use super::invented::{Plan, invent};
use super::tests::rows;

const ASKED: Asked = Asked {
    figure: None,
    level: 0.01,
    margin: 0.03,
};

/// A session a day of `compare`; from `change` on the service takes 20 % more CPU.
fn measured(sessions: usize, change: usize) -> Vec<Measured> {
    (0..sessions)
        .map(|day| {
            let mut invented = invent(&Plan {
                mode: "compare",
                trials: 3,
                ..Plan::default()
            });
            let session = &mut invented.session;
            session.id = format!("20261101T000000Z-{day:04}");
            session.started_at += Duration::days(day as i64);
            session.git_commit = Some(format!("{day:040x}"));
            let factor = if day >= change { 1.2 } else { 1.0 };
            let wobble = 1.0 + ((day * 7) % 11) as f64 / 1000.0;
            for phase in invented.runs.iter_mut().flat_map(|run| &mut run.phases) {
                let cpu = phase.target_cpu_seconds;
                phase.target_cpu_seconds = cpu.map(|cpu| cpu * factor * wobble);
            }
            Measured {
                rows: rows(&invented).remove(0),
                conditions: "aaaaaaaaaaaaaaaaaaaa".to_owned(),
            }
        })
        .collect()
}

fn of(measured: &[Measured]) -> History {
    build("producer-rest", measured, &ASKED)
}

#[test]
fn a_planted_change_is_named_with_its_commits() {
    let history = of(&measured(20, 12));
    assert_eq!(history.series.len(), 1);
    let series = &history.series[0];
    assert_eq!(
        series.figure,
        Figure::Cpu,
        "at a fixed rate the cost is followed"
    );
    assert_eq!(series.points.len(), 20);
    assert!(series.points.iter().all(|point| point.trials == 3));
    let [change] = &series.changes[..] else {
        panic!("{:?}", series.changes);
    };
    assert_eq!(change.index, 12);
    assert_eq!(change.commit.as_deref(), Some(&*format!("{:040x}", 12)));
    assert_eq!(
        change.commit_before.as_deref(),
        Some(&*format!("{:040x}", 11))
    );
    assert!(
        !change.is_better && (change.ratio - 1.2).abs() < 0.05,
        "{change:?}"
    );
    assert_eq!(of(&measured(20, 99)).series[0].changes.len(), 0);
}

#[test]
fn other_conditions_and_modes_are_other_series() {
    let mut sessions = measured(14, 99);
    for measured in &mut sessions[7..] {
        measured.conditions = "bbbbbbbbbbbbbbbb".to_owned();
    }
    // Half as fast on the other machine: a change, were they one series.
    for run in sessions[7..]
        .iter_mut()
        .flat_map(|measured| &mut measured.rows.runs)
    {
        for phase in &mut run.phases {
            phase.target_cpu_seconds = phase.target_cpu_seconds.map(|cpu| cpu * 2.0);
        }
    }
    sessions[0]
        .rows
        .runs
        .iter_mut()
        .for_each(|run| run.run.phase_scale = 0.5);
    let history = of(&sessions);
    let sizes: Vec<usize> = history
        .series
        .iter()
        .map(|series| series.points.len())
        .collect();
    assert_eq!(sizes, [7, 6, 1], "the newest first");
    assert!(
        history
            .series
            .iter()
            .all(|series| series.changes.is_empty())
    );
    assert_eq!(history.series[0].conditions, "bbbbbbbbbbbb");
}

#[test]
fn trials_that_do_not_count_and_smoke_runs_are_left_out() {
    let mut sessions = measured(3, 99);
    for run in &mut sessions[0].rows.runs {
        run.run.valid = Some(false);
    }
    sessions[1]
        .rows
        .runs
        .iter_mut()
        .for_each(|run| run.run.test_mode = "smoke".to_owned());
    let history = of(&sessions);
    assert_eq!(history.series[0].points.len(), 1);
    assert!(build("nobody", &sessions, &ASKED).series.is_empty());
}

#[test]
fn the_page_draws_each_session_and_each_change_and_escapes_names() {
    let mut sessions = measured(20, 12);
    sessions[3].rows.session.git_commit = Some("<b>".to_owned());
    let text = page(&of(&sessions)).unwrap();
    assert_eq!(text.matches("<circle").count(), 20);
    assert_eq!(text.matches("class=\"change\"").count(), 1);
    assert_eq!(text.matches("class=\"changed\"").count(), 1);
    assert!(text.contains("Worse: 1.2") && text.contains("&lt;b&gt;"));
    assert!(!text.contains("<script") && !text.contains("http://") && !text.contains("https://"));
    let few = page(&of(&measured(4, 2))).unwrap();
    assert!(
        few.contains("4 of the 11 sessions that a change takes to be found."),
        "{few}"
    );
    assert!(
        page(&build("nobody", &sessions, &ASKED))
            .unwrap()
            .contains("No trial of this target counts")
    );
}

#[test]
fn commits_are_short_and_say_that_files_differed() {
    assert_eq!(short(Some("0123456789abcdef+dirty")), "0123456789+dirty");
    assert_eq!(short(Some("0123456789abcdef")), "0123456789");
    assert_eq!(short(None), "no commit");
}
