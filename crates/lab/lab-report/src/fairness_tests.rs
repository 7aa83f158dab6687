//! What must not be set against each other, and what is said where it was.

use metrics_db::Check;

use super::build;
use super::invented::{GRPC, Invented, InventedRun, Plan, RECONNECT, REST, invent};
use super::model::{Level, Metric, Outcome, Standing, VerdictKind};
use super::tests::{badge, report, rows};

fn compare(targets: &'static [super::invented::Ability]) -> Invented {
    invent(&Plan {
        mode: "compare",
        targets,
        trials: 8,
        cores: 16.0,
        ..Plan::default()
    })
}

/// The run is one during which the hypervisor took this much.
fn disturb(run: &mut InventedRun, percent: u32) {
    run.run.valid = Some(false);
    run.run.invalid_reasons = vec!["steal".to_owned()];
    let check = Check::bad("steal")
        .measured(f64::from(percent) / 100.0, 0.02, "share")
        .with("phase", 1);
    let steal = |check: &Check| check.id == "steal";
    run.run.checks.retain(|check| !steal(check));
    run.run.checks.push(check);
}

#[test]
fn quiet_trials_are_not_set_against_disturbed_ones() {
    let mut invented = compare(&[REST, GRPC]);
    let mut rest = 0;
    for (place, run) in invented.runs.iter_mut().enumerate() {
        // One trial of REST is quiet.
        rest += usize::from(run.run.api_name == REST.name);
        if run.run.api_name == GRPC.name || rest > 1 {
            disturb(run, 5 + place as u32);
        }
    }
    let report = report(&invented);
    let trials: Vec<usize> = report
        .throughput
        .iter()
        .map(|row| row.trials.len())
        .collect();
    assert_eq!(trials, [8, 8], "like with like");
    assert!(report.throughput.iter().all(|row| !row.ranked));
    assert!(
        report
            .comparisons
            .iter()
            .all(|pair| pair.trials == 8 && pair.outcome.is_none())
    );
    assert_eq!(report.verdict.kind, VerdictKind::NoVerdict);
    let text = report.verdict.text();
    assert!(
        text.starts_with(
            "No verdict: producer-rest: 7 of 8 trials do not count, the first because in phase 1 the hypervisor took"
        ),
        "{text}"
    );
    assert_eq!(
        badge(&report, "steal").text,
        "Steal: 20 % at worst, in 15 of 16 trials"
    );
    assert_eq!(
        badge(&report, "left_out").text,
        "15 of 16 trials not ranked (steal)"
    );
}

#[test]
fn the_sentence_names_the_target_that_was_disturbed() {
    let mut invented = compare(&[REST, GRPC]);
    let grpc = |run: &&mut InventedRun| run.run.api_name == GRPC.name;
    for run in invented.runs.iter_mut().filter(grpc) {
        disturb(run, 9);
    }
    let report = report(&invented);
    assert!(report.throughput.iter().all(|row| !row.ranked));
    let text = report.verdict.text();
    let expected = "No verdict: producer-grpc: 8 of 8 trials do not count, the first because in phase 1 the hypervisor took 9 %";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn two_reliable_targets_are_compared_beside_a_disturbed_third() {
    let mut invented = compare(&[REST, GRPC, RECONNECT]);
    let reconnect = |run: &&mut InventedRun| run.run.api_name == RECONNECT.name;
    for run in invented.runs.iter_mut().filter(reconnect) {
        disturb(run, 9);
    }
    let report = report(&invented);
    let place = |name: &str| report.targets.iter().position(|target| target.name == name);
    let [rest, grpc] = [REST, GRPC].map(|target| place(target.name).expect("a target"));
    assert!(!report.comparisons.is_empty());
    for pair in &report.comparisons {
        let mut pair_of = [pair.higher, pair.lower];
        pair_of.sort_unstable();
        let mut reliable = [rest, grpc];
        reliable.sort_unstable();
        assert_eq!(pair_of, reliable);
    }
}

#[test]
fn of_several_targets_the_sentence_tells_a_difference_where_there_is_one() {
    let mut invented = compare(&[REST, GRPC, RECONNECT]);
    // Its cost differs so much between trials that it can be told from nobody.
    let mut trial = 0;
    for run in &mut invented.runs {
        if run.run.api_name == RECONNECT.name {
            trial += 1;
            for phase in &mut run.phases {
                let factor = if trial % 2 == 0 { 0.05 } else { 3.0 };
                phase.target_cpu_seconds = phase.target_cpu_seconds.map(|cpu| cpu * factor);
            }
        }
    }
    let report = report(&invented);
    let cpu = |a: &str, b: &str| {
        let names = |pair: &super::model::Comparison| {
            [pair.higher, pair.lower].map(|target| report.targets[target].name.clone())
        };
        let mut pairs = report.comparisons.iter();
        let found = pairs.find(|pair| {
            let names = names(pair);
            pair.metric == Metric::Cpu
                && names.contains(&a.to_owned())
                && names.contains(&b.to_owned())
        });
        found.expect("a pair").clone()
    };
    assert_eq!(cpu(REST.name, GRPC.name).outcome, Some(Outcome::Different));
    assert_eq!(cpu(REST.name, RECONNECT.name).outcome, Some(Outcome::Open));
    let text = report.verdict.text();
    assert_eq!(report.verdict.kind, VerdictKind::Difference);
    assert!(
        text.starts_with(
            "At 1,000 arrivals a second, of 3 targets the two furthest apart: producer-grpc took 1."
        ),
        "{text}"
    );
}

#[test]
fn runs_of_another_rate_or_mode_give_no_rate() {
    let (first, mut second) = (compare(&[REST, GRPC]), compare(&[REST, GRPC]));
    for run in &mut second.runs {
        run.run.id += 1000;
        let performance = run.performance.as_mut().expect("figures");
        performance.intended_per_sec = Some(2000.0);
    }
    let both = build::build(
        &[rows(&first), rows(&second)].concat(),
        60,
        &Default::default(),
    );
    let left_out = both
        .runs
        .iter()
        .filter(|run| run.standing == Standing::LeftOut);
    let reasons: Vec<_> = left_out.flat_map(|run| &run.reasons).collect();
    assert_eq!(reasons.len(), second.runs.len());
    assert!(
        reasons
            .iter()
            .all(|reason| *reason == "2,000 arrivals a second are not mixed with 1,000")
    );
    // A closed model keeps its sentence beside an open one that is left out.
    let full = invent(&Plan::default());
    let both = build::build(
        &[rows(&full), rows(&first)].concat(),
        60,
        &Default::default(),
    );
    assert_eq!(both.intended_rate, None);
    assert!(
        !both.verdict.text().contains("arrivals"),
        "{}",
        both.verdict.text()
    );
}

#[test]
fn a_verdict_over_two_environments_says_so_itself() {
    let first = compare(&[REST, GRPC]);
    let mut second = first.clone();
    second.session.fingerprint = "ffff".to_owned();
    let report = build::build(
        &[rows(&first), rows(&second)].concat(),
        60,
        &Default::default(),
    );
    assert_eq!(report.verdict.level, Level::Warn);
    let text = report.verdict.text();
    assert!(
        text.ends_with("The trials come from 2 environments: not a fair comparison."),
        "{text}"
    );
}

#[test]
fn failures_of_one_trial_are_not_lost_in_a_median() {
    let mut invented = compare(&[REST, GRPC]);
    let mut of_rest = invented
        .runs
        .iter_mut()
        .filter(|run| run.run.api_name == REST.name);
    of_rest.next().expect("a trial").phases[0].error_rate = 0.16;
    let report = report(&invented);
    let row = report
        .phase_rows
        .iter()
        .find(|row| row.target == 0)
        .expect("a phase");
    assert!((row.error_rate - 0.02).abs() < 0.002, "{}", row.error_rate);
}

#[test]
fn nothing_is_a_multiple_of_nothing() {
    let mut invented = invent(&Plan {
        trials: 6,
        cores: 16.0,
        ..Plan::default()
    });
    for run in invented
        .runs
        .iter_mut()
        .filter(|run| run.run.api_name == GRPC.name)
    {
        let performance = run.performance.as_mut().expect("figures");
        performance.throughput_per_sec = 0.0;
    }
    let report = report(&invented);
    assert!(report.comparisons.is_empty(), "{:?}", report.comparisons);
    assert_eq!(report.verdict.kind, VerdictKind::NoVerdict);
}

#[test]
fn a_generator_at_its_limit_shows_even_where_its_trial_does_not() {
    let mut invented = compare(&[REST, GRPC]);
    let run = &mut invented.runs[0];
    disturb(run, 1);
    for phase in &mut run.phases {
        phase.generator_cpu_seconds = Some(phase.duration_seconds * 15.0);
    }
    let report = report(&invented);
    let text = &badge(&report, "generator").text;
    assert!(
        text.starts_with("generator the limit in 1 of 16 trials, up to "),
        "{text}"
    );
}

#[test]
fn the_worst_of_a_check_is_by_its_value_and_not_by_a_number_in_its_words() {
    let mut invented = compare(&[REST, GRPC]);
    // The last number of these words is that of the cores.
    let told = [(0.96, 2), (0.97, 2), (0.95, 64)];
    for (run, (value, cpus)) in invented.runs.iter_mut().zip(told) {
        let check = Check::warn("database_cpu").measured(value, 0.95, "share");
        let check = check.with("cpus", cpus).with("phase", 1).with("over", 0);
        run.run.checks.push(check);
    }
    assert_eq!(
        badge(&report(&invented), "database_cpu").text,
        "Database CPU: 97 % of 2 cores at worst, in 3 of 16 trials"
    );
    // Rows stored before checks were data have words alone: they stay readable, and which is the worst is not claimed.
    for check in invented.runs.iter_mut().flat_map(|run| &mut run.run.checks) {
        let words = lab_words::checks::words(check);
        *check = Check::new(&check.id, check.status);
        check.words = Some(words);
    }
    assert_eq!(
        badge(&report(&invented), "database_cpu").text,
        "Database CPU: 96 % of 2 cores, in 3 of 16 trials"
    );
}

#[test]
fn what_goes_over_the_wire_in_another_way_is_said() {
    let mut invented = compare(&[REST, GRPC]);
    let plain = report(&invented).limits.join("\n");
    assert!(
        plain.contains("TLS was off.") && !plain.contains("Payloads differ"),
        "{plain}"
    );
    invented.session.environment["lab"]["targets"] = serde_json::json!({
        (REST.name): { "tls": true },
        (GRPC.name): { "attributes": "map" },
    });
    let said = report(&invented).limits.join("\n");
    assert!(
        said.contains(&format!("TLS was on for {} alone.", REST.name)),
        "{said}"
    );
    let differ = format!(
        "Payloads differ: {} was sent its attributes as texts",
        GRPC.name
    );
    assert!(said.contains(&differ), "{said}");
}
