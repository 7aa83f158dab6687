//! Which cells a request comes to, and what is refused.

use super::*;
use std::path::Path;

fn files() -> (Modes, Targets) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    (Modes::load(&root).unwrap(), Targets::load(&root).unwrap())
}

fn request(targets: &[&str], payloads: &[&str], trials: u32, seed: u64) -> Request {
    Request {
        mode: "smoke".into(),
        targets: targets.iter().map(|s| (*s).into()).collect(),
        payloads: payloads.iter().map(|s| (*s).into()).collect(),
        scenario: None,
        trials: Some(trials),
        rate: None,
        seed,
        phase_scale: 1.0,
        cells: None,
        judging: Judging::default(),
        distance: None,
        generators: None,
        repeats: Vec::new(),
        driver: None,
    }
}

fn of_scenario(name: &str, targets: &[&str]) -> Request {
    Request {
        scenario: Some(name.into()),
        ..request(targets, &[], 1, 1)
    }
}

fn order(plan: &Plan) -> Vec<String> {
    plan.cells
        .iter()
        .map(|c| format!("{} {} {}", c.trial, c.payload, c.target.name))
        .collect()
}

#[test]
fn nothing_named_means_defaults_and_all_payloads() {
    let (modes, targets) = files();
    let plan = Plan::new(&request(&[], &[], 1, 1), &modes, &targets).unwrap();
    assert_eq!(plan.cells.len(), 2 * 5);
    assert_eq!(
        order(&plan)[..2],
        ["1 default producer-rest", "1 default producer-grpc"]
    );
    assert_eq!(plan.cells[9].order, 10);
}

#[test]
fn a_scenario_is_chosen_by_its_name_or_by_a_target() {
    let (modes, targets) = files();
    let plan = |request: &Request| order(&Plan::new(request, &modes, &targets).unwrap());
    let balance = ["1 default balance-rest", "1 default balance-grpc"];
    assert_eq!(plan(&of_scenario("balance", &[])), balance);
    assert_eq!(plan(&request(&["balance-grpc"], &[], 1, 1)), balance[1..]);
    // Whatever the order of the names: what is compared runs together.
    let mixed = request(&["stream-sse", "producer-rest", "balance-rest"], &[], 1, 1);
    let mixed = plan(&mixed);
    assert_eq!(mixed.len(), 5 + 1 + 1);
    assert_eq!(mixed[0], "1 default producer-rest");
    assert_eq!(mixed[6], "1 default stream-sse");
}

#[test]
fn all_means_the_default_targets_of_every_scenario() {
    let (modes, targets) = files();
    let plan = Plan::new(&of_scenario("all", &[]), &modes, &targets).unwrap();
    for target in targets.iter() {
        let cells = plan.cells.iter().filter(|c| c.target.name == target.name);
        let expected = match (target.default, target.scenario) {
            (false, _) => 0,
            (true, Scenario::Ingest) => 5,
            (true, _) => 1,
        };
        assert_eq!(cells.count(), expected, "{}", target.name);
    }
}

#[test]
fn the_mode_says_how_many_trials_and_at_which_rate() {
    let (modes, targets) = files();
    let mut compare = request(&[], &["default"], 1, 1);
    compare.mode = "compare".into();
    compare.trials = None;
    let plan = Plan::new(&compare, &modes, &targets).unwrap();
    assert_eq!(plan.cells.len(), 2 * 8);
    compare.payloads = vec!["default".into(), "4k".into()];
    let several = Plan::new(&compare, &modes, &targets).unwrap();
    assert_eq!(several.cells.len(), 2 * 2 * 12);
    compare.payloads.truncate(1);
    assert!(plan.mode.rate().is_some_and(|rate| rate > 0.0));
    compare.rate = Some(250.0);
    compare.trials = Some(4);
    let plan = Plan::new(&compare, &modes, &targets).unwrap();
    assert_eq!((plan.cells.len(), plan.mode.rate()), (8, Some(250.0)));
}

#[test]
fn rounds_are_complete_and_their_order_follows_the_seed() {
    let (modes, targets) = files();
    let plan = |seed| Plan::new(&request(&[], &["4k"], 12, seed), &modes, &targets).unwrap();
    for round in plan(7).cells.chunks(2) {
        assert_ne!(round[0].target.name, round[1].target.name);
        assert_eq!(round[0].trial, round[1].trial);
    }
    assert_eq!(order(&plan(7)), order(&plan(7)));
    assert_ne!(order(&plan(7)), order(&plan(8)));
    let first = |p: &Plan| {
        p.cells
            .chunks(2)
            .filter(|r| r[0].target.name == "producer-rest")
            .count()
    };
    // Both orders equally often in blocks of four.
    for seed in 1..20 {
        assert_eq!(first(&plan(seed)), 6, "seed {seed}");
    }
}

#[test]
fn what_does_not_exist_is_refused_by_its_name() {
    let (modes, targets) = files();
    let mut bad_mode = request(&[], &[], 1, 1);
    bad_mode.mode = "fulll".into();
    for (request, word) in [
        (bad_mode, "unknown mode 'fulll'"),
        (request(&["nobody"], &[], 1, 1), "unknown target 'nobody'"),
        (request(&[], &["5k"], 1, 1), "unknown payload '5k'"),
        (
            request(&["producer-rest", "producer-rest"], &[], 1, 1),
            "named twice",
        ),
        (request(&[], &[], 0, 1), "--trials"),
        (of_scenario("streams", &[]), "unknown scenario 'streams'"),
        (
            of_scenario("stream", &["balance-rest"]),
            "target 'balance-rest' belongs to the scenario 'balance', not to 'stream'",
        ),
        (
            request(&["balance-rest"], &["4k"], 1, 1),
            "the scenario 'balance' has the payload 'default' alone",
        ),
        (
            Request {
                rate: Some(100.0),
                ..request(&[], &[], 1, 1)
            },
            "--rate",
        ),
    ] {
        let error = Plan::new(&request, &modes, &targets)
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{word} is missing in: {error}");
    }
}

fn judged(targets: &[&str], judging: Judging) -> Request {
    Request {
        mode: "compare".into(),
        trials: None,
        judging,
        ..request(targets, &["default"], 1, 7)
    }
}

#[test]
fn an_aa_session_measures_one_target_under_two_names() {
    let (modes, targets) = files();
    let aa = Judging {
        aa: true,
        ..Judging::default()
    };
    let plan = Plan::new(&judged(&["producer-rest"], aa.clone()), &modes, &targets).unwrap();
    assert_eq!(plan.cells.len(), 16);
    let names: Vec<&str> = plan.targets().iter().map(|t| t.name.as_str()).collect();
    assert!(names.contains(&"producer-rest") && names.contains(&"producer-rest-aa"));
    let error = Plan::new(&judged(&[], aa), &modes, &targets).unwrap_err();
    assert!(
        error.to_string().contains("name one target, not 2"),
        "{error}"
    );
}

#[test]
fn a_session_until_decided_lays_out_all_its_looks() {
    let (modes, targets) = files();
    let until = Judging {
        until_decided: true,
        max_rounds: Some(12),
        ..Judging::default()
    };
    let plan = Plan::new(&judged(&[], until.clone()), &modes, &targets).unwrap();
    assert_eq!((plan.layout.trials, plan.cells.len()), (12, 24));
    let with_trials = Request {
        trials: Some(9),
        ..judged(&[], until.clone())
    };
    let error = |request: &Request| {
        Plan::new(request, &modes, &targets)
            .unwrap_err()
            .to_string()
    };
    assert!(error(&with_trials).contains("leave out --trials"));
    assert!(error(&judged(&["producer-rest"], until.clone())).contains("at least two"));
    let smoke = Request {
        mode: "smoke".into(),
        ..judged(&[], until)
    };
    assert!(error(&smoke).contains("measures nothing"));
}

#[test]
fn what_is_named_beforehand_must_be_there() {
    let (modes, targets) = files();
    let error = |judging| {
        Plan::new(&judged(&[], judging), &modes, &targets)
            .unwrap_err()
            .to_string()
    };
    let reference = Judging {
        reference: Some("balance-rest".into()),
        ..Judging::default()
    };
    assert!(error(reference).contains("--reference balance-rest"));
    let primary = Judging {
        primary: Some(Figure::Rate),
        ..Judging::default()
    };
    assert!(error(primary).contains("compares cpu and p99"));
}

#[test]
fn a_repeated_round_comes_after_its_trial_in_the_order_of_the_one_it_stands_for() {
    let (modes, targets) = files();
    let mut plan = Plan::new(&judged(&[], Judging::default()), &modes, &targets).unwrap();
    let before = order(&plan);
    let repeat = |of, after| Repeat {
        scenario: Scenario::Ingest,
        payload: "default".into(),
        of,
        after,
    };
    plan.repeat(vec![repeat(3, 8)]);
    let after = order(&plan);
    assert_eq!(after[..16], before[..]);
    let names = |cells: &[String]| -> Vec<String> {
        let name = |cell: &String| cell.rsplit(' ').next().unwrap().to_owned();
        cells.iter().map(name).collect()
    };
    assert_eq!(names(&after[16..]), names(&before[4..6]));
    assert!(after[16].starts_with("9 "), "{after:?}");
    // Laid out again from what was recorded, it is the same.
    let again = Plan::new(&plan.request, &modes, &targets).unwrap();
    assert_eq!(order(&again), after);
    assert_eq!(again.request.cells, Some(18));

    // In the middle of a session that is judged as it grows, later rounds move back.
    let mut growing = Plan::new(
        &judged(
            &[],
            Judging {
                until_decided: true,
                ..Judging::default()
            },
        ),
        &modes,
        &targets,
    )
    .unwrap();
    growing.repeat(vec![repeat(2, 8)]);
    assert_eq!((growing.cells[16].trial, growing.cells[18].trial), (21, 9));
    assert_eq!(growing.cells[41].order, 42);
}
