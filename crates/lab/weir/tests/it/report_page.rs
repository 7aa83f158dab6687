//! The report as a reader sees it: opened in Chromium, light and dark, wide and narrow, with and without script.
//!
//! The pictures stay in `target/tmp/report-pages/` for people to look at.

use std::path::{Path, PathBuf};

use metrics_db::{Audit, RunStatus};
use serde_json::{Value, json};

use crate::browser::{Browser, View};
use crate::history::History;
use crate::invented::{
    BALANCE_GRPC, BALANCE_REST, GRPC, Invented, Plan, RECONNECT, REST, SINGLE, STREAM_GRPC,
    STREAM_SSE, five_targets, invent,
};

const VIEWS: [(&str, View); 3] = [
    (
        "light",
        View {
            width: 1120,
            scheme: "light",
            script: true,
        },
    ),
    (
        "dark",
        View {
            width: 1120,
            scheme: "dark",
            script: true,
        },
    ),
    (
        "narrow",
        View {
            width: 400,
            scheme: "light",
            script: true,
        },
    ),
];

/// Figures that each mode must have: value of data-chart, how often at least.
type Figures<'a> = &'a [(&'a str, usize)];

/// Three scenarios, each with figures of its own.
const SCENARIOS: Figures<'_> = &[
    ("rates", 3),
    ("phase-rates", 3),
    ("percentiles", 3),
    ("tails", 3),
    ("cpu", 3),
    ("bytes", 3),
];

/// A fixed rate of arrivals.
const FIXED_RATE: Figures<'_> = &[("rates", 1), ("percentiles", 1), ("cpu", 1), ("bytes", 1)];

#[tokio::test]
async fn a_smoke_report_reads_well_everywhere() {
    let plan = Plan {
        mode: "smoke",
        payloads: &["default", "4k", "8k", "32k", "64k"],
        ..Plan::default()
    };
    look_at("smoke", &plan, &[("answers", 1), ("bytes", 1)]).await;
}

#[tokio::test]
async fn a_full_report_reads_well_everywhere() {
    let plan = Plan {
        payloads: &["default", "8k"],
        scale: 0.5,
        ..Plan::default()
    };
    look_at(
        "full",
        &plan,
        &[
            ("rates", 1),
            ("phase-rates", 2),
            ("percentiles", 2),
            ("tails", 2),
            ("cpu", 2),
            ("bytes", 1),
            ("time", 4),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_report_of_several_scenarios_reads_well_everywhere() {
    let plan = Plan {
        mode: "full",
        targets: &[
            REST,
            GRPC,
            BALANCE_REST,
            BALANCE_GRPC,
            STREAM_SSE,
            STREAM_GRPC,
        ],
        trials: 4,
        cores: 16.0,
        ..Plan::default()
    };
    look_at("scenarios", &plan, SCENARIOS).await;
}

#[tokio::test]
async fn a_report_at_a_fixed_rate_reads_well_everywhere() {
    let plan = Plan {
        mode: "compare",
        trials: 12,
        cores: 16.0,
        ..Plan::default()
    };
    look_at("compare", &plan, FIXED_RATE).await;
}

#[tokio::test]
async fn a_ranked_report_of_five_targets_reads_well_everywhere() {
    let page = written("ranked", &five_targets()).await;
    let Some(mut browser) = Browser::start() else {
        return;
    };
    seen(&mut browser, "ranked", &page, FIXED_RATE);
    without_script(&mut browser, &page);
    let cells = browser.evaluate(
        "[...document.querySelectorAll('.ranks tbody tr')].map(row => [row.cells[0].textContent, row.cells[1].textContent])",
    );
    assert_eq!(
        cells,
        json!([
            ["1–2", "producer-rest"],
            ["1–2", "producer-rest-twin"],
            ["3", "producer-grpc"],
            ["4", "producer-rest-single"],
            ["–", "producer-grpc-reconnect"]
        ])
    );
    let why = browser.evaluate("document.querySelector('.ranks td.why').textContent");
    assert!(why.as_str().unwrap().starts_with("not ranked: "), "{why}");
}

#[tokio::test]
async fn a_smoke_report_of_several_scenarios_reads_well_everywhere() {
    let plan = Plan {
        mode: "smoke",
        targets: &[
            REST,
            GRPC,
            BALANCE_REST,
            BALANCE_GRPC,
            STREAM_SSE,
            STREAM_GRPC,
        ],
        ..Plan::default()
    };
    look_at("scenarios-smoke", &plan, &[("answers", 3), ("bytes", 3)]).await;
}

#[tokio::test]
async fn a_report_of_many_targets_and_trials_reads_well_everywhere() {
    let plan = Plan {
        mode: "saturation",
        targets: &[REST, SINGLE, GRPC, RECONNECT],
        trials: 4,
        cores: 16.0,
        scale: 0.3,
        ..Plan::default()
    };
    look_at(
        "many",
        &plan,
        &[
            ("rates", 1),
            ("phase-rates", 1),
            ("percentiles", 1),
            ("tails", 1),
            ("cpu", 1),
            ("bytes", 1),
            ("time", 4),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_report_of_what_went_wrong_says_so_first() {
    let plan = Plan {
        mode: "saturation",
        cores: 0.9,
        trials: 2,
        scale: 0.3,
        ..Plan::default()
    };
    let mut invented = invent(&plan);
    let lost = &mut invented.runs[1].run;
    lost.status = RunStatus::Failed;
    lost.audit = Some(Audit::judge(1000, 0, 998));
    let aborted = &mut invented.runs[2];
    aborted.run.status = RunStatus::Aborted;
    aborted.performance = None;
    aborted.phases.clear();
    let page = written("wrong", &invented).await;
    let Some(mut browser) = Browser::start() else {
        return;
    };
    seen(&mut browser, "wrong", &page, &[("rates", 1), ("tails", 1)]);
    browser.open(&page, VIEWS[0].1);
    let colors = browser.evaluate(
        "[getComputedStyle(document.querySelector('.say')).color,
          getComputedStyle(document.querySelector('.badge.bad'), '::before').color,
          getComputedStyle(document.querySelector('tr.left_out td')).textDecorationLine,
          getComputedStyle(document.querySelector('tr.left_out td.why')).textDecorationLine]",
    );
    assert_eq!(
        colors,
        json!([
            "rgb(179, 38, 30)",
            "rgb(179, 38, 30)",
            "line-through",
            "none"
        ])
    );
}

async fn look_at(name: &str, plan: &Plan<'_>, figures: Figures<'_>) {
    let page = written(name, &invent(plan)).await;
    let Some(mut browser) = Browser::start() else {
        return;
    };
    seen(&mut browser, name, &page, figures);
    without_script(&mut browser, &page);
}

/// The page of a session, written by the command.
async fn written(name: &str, invented: &Invented) -> PathBuf {
    let history = History::new().await;
    history.add(invented).await;
    let folder = pictures();
    let out = folder.join(name);
    history.ok(&["report", "--out", out.to_str().unwrap()]);
    let page = out.join("report.html");
    let bytes = std::fs::metadata(&page).unwrap().len();
    assert!(bytes < 1_000_000, "{bytes}");
    page
}

/// Looks at it from all sides.
fn seen(browser: &mut Browser, name: &str, page: &Path, figures: Figures<'_>) {
    for (view_name, view) in VIEWS {
        browser.open(page, view);
        browser.screenshot(&pictures().join(format!("{name}-{view_name}.png")));
        let place = format!("{name}, {view_name}");
        drawn(browser, figures, &place);
        fits(browser, &place);
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{place}");
        assert_eq!(browser.requests(), Vec::<String>::new(), "{place}");
    }
    on_paper(browser, &pictures().join(format!("{name}-paper.png")));
}

/// Every figure is there, has a picture with marks in it, and says in words what it is.
fn drawn(browser: &mut Browser, figures: Figures<'_>, place: &str) {
    let found = browser.evaluate(
        "[...document.querySelectorAll('figure[data-chart]')].map(figure => {
           const svg = figure.querySelector(':scope > svg');
           const marks = svg?.querySelectorAll('circle, path, rect, line') ?? [];
           const inside = [...marks].filter(mark => mark.getBoundingClientRect().width + mark.getBoundingClientRect().height > 0);
           return {chart: figure.dataset.chart, marks: inside.length, label: svg?.getAttribute('aria-label') ?? '',
                   broken: svg ? /NaN|undefined|Infinity/.test(svg.outerHTML) : true};
         })",
    );
    let found = found.as_array().unwrap();
    for (chart, least) in figures {
        let these: Vec<&Value> = found
            .iter()
            .filter(|figure| figure["chart"] == *chart)
            .collect();
        assert!(
            these.len() >= *least,
            "{place}: {} of {least} {chart}",
            these.len()
        );
        for figure in these {
            assert!(figure["marks"].as_u64().unwrap() > 3, "{place}: {figure}");
            assert!(
                figure["label"].as_str().unwrap().len() > 20,
                "{place}: {figure}"
            );
            assert_eq!(figure["broken"], false, "{place}: {figure}");
        }
    }
}

/// Nothing is wider than the page, and no text of a figure is cut off at its card's edge.
fn fits(browser: &mut Browser, place: &str) {
    let wide = browser
        .evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, 0, "{place}: the page scrolls sideways");
    let cut = browser.evaluate(
        "[...document.querySelectorAll('figure svg text')].filter(text => {
           const card = text.closest('.card').getBoundingClientRect(), box = text.getBoundingClientRect();
           return box.width > 0 && (box.right > card.right + 1 || box.left < card.left - 1);
         }).map(text => text.textContent)",
    );
    assert_eq!(cut, json!([]), "{place}: cut off at the card's edge");
}

/// On paper there is nothing to click on: what is folded is open, and nothing is wider than the sheet.
fn on_paper(browser: &mut Browser, picture: &Path) {
    browser.as_on_paper();
    browser.screenshot(picture);
    let folded = browser.evaluate(
        "[...document.querySelectorAll('details table')].filter(table => table.getBoundingClientRect().height === 0).length",
    );
    assert_eq!(folded, 0, "folded on paper");
    let wide = browser
        .evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, 0, "wider than the sheet");
}

/// Sentence, badges and tables are there all the same.
fn without_script(browser: &mut Browser, page: &Path) {
    browser.open(
        page,
        View {
            width: 1120,
            scheme: "light",
            script: false,
        },
    );
    // The debugger's own script still runs.
    let words = browser.evaluate("document.querySelector('.say').textContent.length");
    assert!(words.as_u64().unwrap() > 20);
    assert!(
        browser
            .evaluate("document.querySelectorAll('.badge').length")
            .as_u64()
            .unwrap()
            >= 5
    );
    assert!(
        browser
            .evaluate("document.querySelectorAll('#trial-table tbody tr').length")
            .as_u64()
            .unwrap()
            >= 2
    );
    assert_eq!(
        browser
            .evaluate("[...document.querySelectorAll('.js')].filter(e => e.offsetParent).length"),
        0
    );
}

#[tokio::test]
async fn trials_can_be_sorted_chosen_linked_and_saved() {
    let history = History::new().await;
    history
        .add(&invent(&Plan {
            mode: "saturation",
            trials: 2,
            scale: 0.3,
            cores: 16.0,
            ..Plan::default()
        }))
        .await;
    let out = pictures().join("used");
    history.ok(&[
        "report",
        "--out",
        out.to_str().unwrap(),
        "--format",
        "html,csv",
    ]);
    let Some(mut browser) = Browser::start() else {
        return;
    };
    browser.open(
        &out.join("report.html"),
        View {
            width: 1120,
            scheme: "light",
            script: true,
        },
    );

    // Sorting by rate, by keyboard: the heading is a button.
    let column = "[...document.querySelectorAll('#trial-table thead th')].findIndex(th => th.textContent === '1/s')";
    let rates = format!(
        "[...document.querySelectorAll('#trial-table tbody tr')].map(tr => parseFloat(tr.cells[{column}].textContent.replaceAll(',', '')))"
    );
    let before: Vec<f64> = serde_json::from_value(browser.evaluate(&rates)).unwrap();
    browser.evaluate(&format!("document.querySelector('#trial-table thead').rows[0].cells[{column}].querySelector('button').focus()"));
    browser.press("Enter");
    let after: Vec<f64> = serde_json::from_value(browser.evaluate(&rates)).unwrap();
    let mut sorted = before.clone();
    sorted.sort_by(f64::total_cmp);
    assert_eq!(after, sorted);
    assert_ne!(
        before, sorted,
        "the invented order must not be sorted already"
    );

    // Another trial in the figures over time.
    let shown = "document.getElementById('time-shown').textContent";
    let first = browser.evaluate(shown);
    browser.evaluate("[...document.querySelectorAll('button.show')].find(b => b.getAttribute('aria-pressed') === 'false').click()");
    assert_ne!(browser.evaluate(shown), first);

    // A permalink opens what it points into and is marked.
    browser.evaluate("location.hash = '#phases'");
    assert_eq!(
        browser.evaluate(
            "new Promise(r => setTimeout(() => r(document.querySelector('#phases').open), 50))"
        ),
        true
    );

    // The saved CSV is the command's CSV.
    let saved = browser.evaluate("csv()");
    let written = std::fs::read_to_string(out.join("report.csv")).unwrap();
    let parse = |text: &str| -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes())
            .records()
            .map(Result::unwrap)
            .collect()
    };
    let (saved, written) = (parse(saved.as_str().unwrap()), parse(&written));
    assert_eq!(saved.len(), written.len());
    assert_eq!(saved[0], written[0]);
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // On paper every table is open.
    let pdf = out.join("report.pdf");
    browser.pdf(&pdf);
    assert!(std::fs::metadata(&pdf).unwrap().len() > 20_000);
}

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-pages");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
