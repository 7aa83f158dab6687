//! Targets, groups, pairs of protocols, the place in a round, and how targets scale.

use super::invented::{GRPC, Invented, Plan, REST, five_targets, invent};
use super::model::{Level, Metric, Outcome, Places, Report};
use super::tests::{badge, report, rows};
use super::{Options, build, html, markdown, verdict_file};

/// Sixteen rounds of two targets, each order as often, in which the second of a round takes `more` times the CPU.
fn in_orders(more: f64) -> Invented {
    let mut invented = invent(&Plan {
        mode: "compare",
        trials: 16,
        cores: 16.0,
        ..Plan::default()
    });
    for run in &mut invented.runs {
        let is_turned = run.run.trial % 2 == 0;
        let is_second = (run.run.api_name == GRPC.name) != is_turned;
        run.run.run_order = run.run.trial * 2 + i32::from(is_second);
        if is_second {
            for phase in &mut run.phases {
                phase.target_cpu_seconds = phase.target_cpu_seconds.map(|cpu| cpu * more);
            }
        }
    }
    invented
}

fn place_of(report: &Report, metric: Metric) -> f64 {
    let place = report.places.iter().find(|place| place.metric == metric);
    place.unwrap().ratio
}

#[test]
fn the_place_in_a_round_is_told_and_beyond_two_percent_called_out() {
    let none = report(&in_orders(1.0));
    let some = report(&in_orders(1.05));
    let grown = place_of(&some, Metric::Cpu) / place_of(&none, Metric::Cpu);
    assert!((grown - 1.05).abs() < 1e-9, "{grown}");
    let told = badge(&some, "place");
    assert_eq!(told.level, Level::Warn);
    assert!(
        told.text.starts_with("second in a round: 1.0") && told.text.contains("× the service CPU"),
        "{}",
        told.text
    );
    let page = html::page(&some).unwrap();
    assert!(page.contains("(the place matters)"));
    // Rounds that all ran in one order cannot tell it.
    let sorted = report(&invent(&Plan {
        mode: "compare",
        trials: 8,
        ..Plan::default()
    }));
    assert!(sorted.places.is_empty());
    assert!(sorted.badges.iter().all(|badge| badge.id != "place"));
}

#[test]
fn groups_have_places_of_their_own() {
    let report = report(&five_targets());
    let by = |by: &str| report.groupings.iter().find(|grouping| grouping.by == by);
    let protocols = by("protocol").unwrap();
    let names: Vec<&str> = protocols
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(names, ["rest", "grpc"], "in the order of their best target");
    for group in &protocols.groups {
        let ranked: Vec<Places> = group.rows.iter().filter_map(|row| row.places).collect();
        assert!(!ranked.is_empty());
        assert_eq!(ranked[0].best, 1, "the first of {}", group.name);
        assert!(ranked.iter().all(|places| places.worst <= ranked.len()));
        assert_eq!(group.rows[0].ratio, None, "the first has nothing before it");
    }
    // The disturbed target is listed and not ranked.
    let grpc = &protocols.groups[1];
    let last = grpc.rows.last().unwrap();
    assert!(last.places.is_none() && last.ratio.is_none());
    let text = markdown::text(&report).unwrap();
    assert!(text.contains("Ranks by protocol"), "{text}");
    // Two targets have no groups: the head says it all.
    assert!(self::report(&in_orders(1.0)).groupings.is_empty());
}

#[test]
fn the_two_protocols_of_one_stack_stand_side_by_side() {
    let report = report(&five_targets());
    let cpu: Vec<_> = report
        .protocol_pairs
        .iter()
        .filter(|pair| pair.metric == Metric::Cpu)
        .collect();
    assert_eq!(
        cpu.len(),
        1,
        "producer-rest and producer-grpc alone share a stem: {cpu:?}"
    );
    let pair = cpu[0];
    assert_eq!(report.targets[pair.http].name, REST.name);
    assert_eq!(report.targets[pair.grpc].name, GRPC.name);
    assert!(
        pair.ratio > 1.3,
        "gRPC to HTTP, whichever is higher: {pair:?}"
    );
    assert_eq!(pair.outcome, Some(Outcome::Different));
    assert!(pair.interval.is_some_and(|interval| interval.low > 1.0));
    assert!(self::report(&in_orders(1.0)).protocol_pairs.is_empty());
}

#[test]
fn the_table_of_targets_says_who_they_are_and_what_was_built() {
    let mut invented = in_orders(1.0);
    invented.session.environment["lab"]["targets"] = serde_json::json!({
        "producer-rest": {"pool_size": 10, "binary_sha256": "dd63bc6db2f9bf2183bf9d24", "limits": {"memory_bytes": "536870912"}},
        "producer-grpc": {"pool_size": 12, "image": "sha256:0123456789abcdef"},
    });
    invented.session.plan = Some(serde_json::json!({
        "mode": "compare", "database_drivers": {"producer-rest": "tokio-postgres"}}));
    let report = report(&invented);
    let [rest, grpc] = &report.targets[..] else {
        panic!("two targets");
    };
    assert_eq!(rest.database_driver.as_deref(), Some("tokio-postgres"));
    assert_eq!((rest.pool_size, grpc.pool_size), (Some(10), Some(12)));
    assert_eq!(rest.memory_allowed_mb, Some(512.0));
    assert_eq!(grpc.memory_allowed_mb, Some(32_768.0), "the machine's");
    assert_eq!(grpc.builds, ["sha256:0123456789abcdef"]);
    assert_eq!(rest.commits, ["4f2c1d9a7be0"]);
    for text in [
        html::page(&report).unwrap(),
        markdown::text(&report).unwrap(),
    ] {
        assert!(
            text.contains("dd63bc6db2f9") && text.contains("0123456789ab"),
            "{text}"
        );
        assert!(text.contains("tokio-postgres"));
    }
    let cost = &report.cost[0];
    assert!(cost.cpu_peak_percent >= cost.cpu_avg_percent && cost.cpu_avg_percent > Some(0.0));
    let share = cost.memory_peak_mb.unwrap() / 512.0;
    let share = lab_words::words::percent(share);
    assert!(
        html::page(&report)
            .unwrap()
            .contains(&format!("<td>{share}</td>")),
        "{share}"
    );
}

#[test]
fn sessions_of_full_and_saturation_show_how_each_target_scales() {
    let of = |mode, id: &str| {
        let mut invented = invent(&Plan {
            mode,
            trials: 2,
            cores: 16.0,
            ..Plan::default()
        });
        invented.session.id = id.to_owned();
        rows(&invented)
    };
    let both = [of("full", "a"), of("saturation", "b")].concat();
    let report = build::build(&both, 60, &Default::default());
    assert_eq!(report.mode, "full", "the figures are those of the first");
    let modes: Vec<&str> = report
        .scaling_rows
        .iter()
        .map(|row| row.mode.as_str())
        .collect();
    assert_eq!(modes, ["full", "full", "saturation", "saturation"]);
    for row in &report.scaling_rows {
        assert!(row.least_vus < row.last_vus && row.knee_vus <= row.last_vus);
        assert!(
            row.most_rate >= row.least_rate && row.kept <= 1.0,
            "{row:?}"
        );
        let points = report
            .scaling
            .iter()
            .filter(|point| (point.mode.as_str(), point.target) == (row.mode.as_str(), row.target));
        let knee = points
            .clone()
            .find(|point| point.rate >= 0.95 * row.most_rate);
        assert_eq!(knee.map(|point| point.vus), Some(row.knee_vus));
        assert!(points.count() >= 4);
    }
    let page = html::page(&report).unwrap();
    assert!(page.contains("id=\"scaling\"") && page.contains("data-charts=\"scaling\""));
    assert!(
        markdown::text(&report)
            .unwrap()
            .contains("## How each target scales")
    );
    // One mode alone has its own figures by phase.
    let one = build::build(&of("full", "a"), 60, &Default::default());
    assert!(!html::page(&one).unwrap().contains("id=\"scaling\""));
    // A trial that does not count is in no point.
    let mut invalid = both.clone();
    for run in invalid.iter_mut().flat_map(|rows| &mut rows.runs) {
        run.run.valid = Some(run.run.api_name != REST.name);
    }
    let left = build::build(&invalid, 60, &Default::default());
    assert!(
        left.scaling
            .iter()
            .all(|point| left.targets[point.target].name == GRPC.name)
    );
}

#[test]
fn several_generators_have_a_row_each_with_what_all_made_together() {
    let mut invented = invent(&Plan {
        trials: 3,
        ..Plan::default()
    });
    for (number, run) in invented.runs.iter_mut().enumerate() {
        run.run.scenario_stats = Some(serde_json::json!({
            "generators": [
                {"name": "near", "per_second": 300.0, "cpu_share": 0.2, "due": 3000, "missed": 0, "clock_offset_ms": 0.1},
                {"name": "far", "per_second": 700.0, "cpu_share": 0.5, "due": 7000, "missed": number, "clock_offset_ms": -2.5},
            ]
        }));
    }
    let report = build::build(&rows(&invented), 60, &Default::default());
    assert_eq!(report.generators.len(), 4, "two of each target");
    let far = &report.generators[1];
    assert_eq!(
        (far.name.as_str(), far.rate, far.rate_of_all),
        ("far", 700.0, 1000.0)
    );
    assert_eq!((far.cpu_share, far.clock_offset_ms), (Some(0.5), Some(2.5)));
    let missed: i64 = report.generators.iter().map(|row| row.missed).sum();
    assert_eq!(missed, (0..6).sum::<i64>());
    assert!(html::page(&report).unwrap().contains("id=\"generators\""));
    let text = markdown::text(&report).unwrap();
    assert!(text.contains("| far | 700 | 1,000 |"), "{text}");
    let one = build::build(&rows(&invent(&Plan::default())), 60, &Default::default());
    assert!(one.generators.is_empty());
    assert!(!html::page(&one).unwrap().contains("id=\"generators\""));
}

#[test]
fn the_verdict_file_says_at_which_look_a_session_was_judged() {
    let options = Options {
        look: lab_verdict::Look::new(3, 7),
        ..Options::default()
    };
    let report = build::build(&rows(&in_orders(1.0)), 60, &options);
    let file = verdict_file::of(&report, &options, "a test");
    let look = file.settings.look.and_then(|look| look.look());
    assert_eq!(look, options.look);
    // The gate asks for the level of that look: one figure of the two that decide.
    let gate = lab_gate::Gate {
        baseline: REST.name.to_owned(),
        candidate: GRPC.name.to_owned(),
        max_regression: 0.05,
        figures: vec!["service CPU".to_owned()],
    };
    let level = gate.decide(&file).unwrap().answers[0].level;
    assert!((level - (1.0 - 0.0138)).abs() < 1e-9, "{level}");
}
