//! Pages over very many trials: always a page, and one that says what it leaves out.

use super::invented::{GRPC, Plan, RECONNECT, REST, SINGLE, invent};
use super::tests::report;
use super::{html, markdown};

const ALL_PAYLOADS: [&str; 5] = ["default", "4k", "8k", "32k", "64k"];

/// What the page leaves out; checked to be under its limit, with all trials in the Markdown.
fn left_out(plan: &Plan<'_>, runs: usize) -> Option<String> {
    let report = report(&invent(plan));
    assert_eq!(report.runs.len(), runs);
    let page = html::page(&report).unwrap();
    assert!(page.len() < html::MAX_BYTES, "{} bytes", page.len());
    let rows = page.matches("<tr id=\"run-").count();
    let text = markdown::text(&report).unwrap();
    for run in &report.runs {
        assert!(text.contains(&format!(
            "| {} | {} |",
            run.order, report.targets[run.target].name
        )));
    }
    let said = page
        .lines()
        .find(|line| line.contains("With this many trials the page leaves out"));
    assert!(
        rows == runs || said.is_some(),
        "{rows} of {runs} trials, and nothing said"
    );
    said.map(str::to_owned)
}

#[test]
fn a_session_of_210_runs_has_a_page() {
    let plan = Plan {
        mode: "compare",
        targets: &[REST, SINGLE, GRPC],
        payloads: &ALL_PAYLOADS,
        trials: 14,
        ..Plan::default()
    };
    let said = left_out(&plan, 210).expect("something must be left out");
    assert!(said.contains("time series"), "{said}");
}

#[test]
fn an_import_of_120_full_runs_has_a_page() {
    let plan = Plan {
        targets: &[REST, SINGLE, GRPC, RECONNECT],
        payloads: &ALL_PAYLOADS,
        trials: 6,
        ..Plan::default()
    };
    let said = left_out(&plan, 120).expect("something must be left out");
    assert!(said.contains("phases of single trials"), "{said}");
}

#[test]
fn six_hundred_runs_have_a_page_with_the_first_trials() {
    let plan = Plan {
        mode: "compare",
        targets: &[REST, SINGLE, GRPC, RECONNECT],
        payloads: &ALL_PAYLOADS,
        trials: 30,
        ..Plan::default()
    };
    let said = left_out(&plan, 600).expect("something must be left out");
    assert!(said.contains("of 600 trials"), "{said}");
}

#[test]
fn a_page_that_is_small_enough_leaves_nothing_out() {
    let plan = Plan {
        trials: 2,
        ..Plan::default()
    };
    assert_eq!(left_out(&plan, 4), None);
}
