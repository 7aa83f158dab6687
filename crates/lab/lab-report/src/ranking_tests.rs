//! The ranked table over invented sessions of more than two targets.

use super::invented::{BALANCE_GRPC, BALANCE_REST, GRPC, Plan, REST, SINGLE, five_targets, invent};
use super::model::{Metric, Outcome, Report};
use super::model::{Places, RankedTarget};
use super::options::Options;
use super::tests::{report, rows};
use super::{build, html, markdown};

fn row<'a>(report: &'a Report, name: &str) -> &'a RankedTarget {
    let of = |row: &&RankedTarget| report.targets[row.target].name == name;
    report.ranking[0].rows.iter().find(of).unwrap()
}

fn places(best: usize, worst: usize) -> Option<Places> {
    Some(Places { best, worst })
}

#[test]
fn five_targets_share_places_and_the_disturbed_one_has_none() {
    let report = report(&five_targets());
    assert!(report.head.is_empty());
    let [table] = &report.ranking[..] else {
        panic!("{:?}", report.ranking);
    };
    // The two that share the first place are equal, and that is said: not decided is something else.
    assert_eq!((table.metric, table.outcome), (Metric::Cpu, Outcome::Equal));
    assert_eq!(
        table.answer,
        "producer-rest and producer-rest-twin, equal within 3 %"
    );
    assert!(
        table.why.contains("96.67 % interval"),
        "the interval of equality: {}",
        table.why
    );
    assert_eq!(row(&report, "producer-rest").places, places(1, 2));
    assert_eq!(row(&report, "producer-rest-twin").places, places(1, 2));
    assert_eq!(row(&report, "producer-grpc").places, places(3, 3));
    assert_eq!(row(&report, "producer-rest-single").places, places(4, 4));
    let last = table.rows.last().unwrap();
    assert_eq!(report.targets[last.target].name, "producer-grpc-reconnect");
    assert_eq!((last.places, last.ratio), (None, None));
    let reason = last.reason.as_ref().unwrap();
    assert!(reason.contains("5 of 12"), "{reason}");
    let grpc = row(&report, "producer-grpc");
    let (ratio, interval) = (grpc.ratio.unwrap(), grpc.interval.unwrap());
    assert!(1.0 < interval.low && interval.low <= ratio && ratio <= interval.high);
    let page = html::page(&report).unwrap();
    assert_eq!(page.matches("<table class=\"ranks\">").count(), 1);
    assert!(
        markdown::text(&report)
            .unwrap()
            .contains("| 1–2 | producer-rest | Rust · actix-web |")
    );
}

#[test]
fn of_rates_more_is_better_and_ratios_to_the_first_are_below_one() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[REST, SINGLE, GRPC],
        trials: 10,
        cores: 16.0,
        ..Plan::default()
    }));
    let table = &report.ranking[0];
    assert_eq!(table.answer, "producer-rest does the most");
    assert_eq!(
        (table.metric, table.outcome),
        (Metric::Rate, Outcome::Different)
    );
    let found: Vec<_> = table.rows.iter().map(|row| row.places).collect();
    assert_eq!(found, [places(1, 1), places(2, 2), places(3, 3)]);
    assert!(table.rows[1..].iter().all(|row| row.ratio.unwrap() < 1.0));
    assert!(table.why.contains("against producer-grpc"), "{}", table.why);
}

#[test]
fn a_reference_is_what_the_ratios_are_to_and_unknown_places_stay_open() {
    let options = Options {
        reference: Some("producer-grpc".to_owned()),
        primary: Some(Metric::Cpu),
        ..Options::default()
    };
    let report = build::build(&rows(&five_targets()), 60, &options);
    let table = &report.ranking[0];
    assert!(table.by_reference);
    assert_eq!(report.targets[table.base].name, "producer-grpc");
    assert_eq!(row(&report, "producer-rest").places, places(1, 3));
    assert!(row(&report, "producer-rest").ratio.unwrap() < 1.0);
    assert!(row(&report, "producer-rest-single").ratio.unwrap() > 1.0);
}

#[test]
fn scenarios_of_two_targets_have_rows_beside_a_ranked_table() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[REST, SINGLE, GRPC, BALANCE_REST, BALANCE_GRPC],
        trials: 10,
        cores: 32.0,
        ..Plan::default()
    }));
    assert_eq!((report.head.len(), report.ranking.len()), (1, 1));
    assert!(report.head[0].question.ends_with("balance"));
    assert!(report.ranking[0].question.ends_with("ingest"));
}
