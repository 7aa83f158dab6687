//! The file, its modes and workloads.

use super::*;

const FILE: &str = r#"{"modes":{
    "smoke":{"thinkTimeMs":0,"phases":[{"name":"smoke","vus":1,"iterations":5}]},
    "saturation":{"phases":[{"name":"a","vus":10,"seconds":120},{"name":"b","vus":2000,"seconds":60}]},
    "full":{"thinkTimeMs":100,"phases":[{"name":"baseline","vus":10,"seconds":120},{"name":"mid","vus":50,"seconds":60}]}},
    "warmup":{"phases":[{"name":"warmup","vus":2,"iterations":50}]},
    "payloads":["default","4k"],"gracefulStopSeconds":5}"#;

#[test]
fn names_come_lightest_first_and_without_the_warm_up() {
    assert_eq!(
        Modes::parse(FILE).unwrap().names(),
        ["smoke", "full", "saturation"]
    );
}

#[test]
fn a_rate_is_for_modes_that_have_one() {
    let open = r#"{"modes":{"compare":{"trials":6,"rates":{"stream":2},"phases":[{"name":"c","vus":9,"seconds":5,"rate":10}]},
        "full":{"phases":[{"name":"a","vus":10,"seconds":1},{"name":"b","vus":10,"seconds":1}]}},"payloads":["default"]}"#;
    let modes = Modes::parse(open).unwrap();
    assert_eq!(modes.names(), ["full", "compare"]);
    let compare = modes.get("compare").unwrap();
    assert_eq!((compare.trials, compare.rate()), (6, Some(10.0)));
    assert_eq!(compare.at_rate(Some(2.5)).unwrap().rate(), Some(2.5));
    assert_eq!(compare.rate_of(Scenario::Stream), Some(2.0));
    assert_eq!(compare.rate_of(Scenario::Balance), Some(10.0));
    let given = compare.at_rate(Some(7.0)).unwrap();
    assert_eq!(given.rate_of(Scenario::Stream), Some(7.0));
    assert!(compare.at_rate(Some(0.0)).is_err());
    let full = modes.get("full").unwrap();
    assert_eq!((full.trials, full.rate()), (1, None));
    assert!(full.at_rate(Some(1.0)).unwrap_err().contains("compare"));
    let without_end = open.replace(r#""seconds":5"#, r#""iterations":5"#);
    assert!(Modes::parse(&without_end).is_err());
}

#[test]
fn workloads_are_modes_of_one_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let modes = Modes::load(&root).unwrap();
    assert_eq!(
        modes.workloads(),
        ["balance-levels", "low", "medium", "high", "burst"]
    );
    let burst = modes.get("burst").unwrap();
    assert_eq!(
        (burst.scenario, burst.rate()),
        (Some(Scenario::Stream), Some(1000.0))
    );
    assert!(burst.at_rate(Some(5.0)).unwrap_err().contains("--rate"));
    let levels = modes.get("balance-levels").unwrap();
    let vus: Vec<u32> = levels.phases.iter().map(|phase| phase.vus).collect();
    assert_eq!(vus, [1, 10, 50, 100, 200]);
    assert_eq!(levels.criteria.len(), 2);
    let named = r#"{"modes":{},"payloads":["default"],"workloads":{"low":{"scenario":"stream",
        "phases":[{"name":"low","vus":1,"seconds":1}],"criteria":[{"phase":"high","errors":0}]}}}"#;
    let error = Modes::parse(named).unwrap_err();
    assert!(
        error.contains("workloads.low.criteria: there is no phase 'high'"),
        "{error}"
    );
    let nobody = named.replace(r#""scenario":"stream","#, "");
    assert!(Modes::parse(&nobody).is_err());
}

#[test]
fn the_phase_scale_is_a_number_above_zero() {
    assert_eq!(phase_scale("").unwrap(), 1.0);
    assert_eq!(phase_scale("0.05").unwrap(), 0.05);
    for bad in ["0", "-1", "inf", "NaN", "a"] {
        let error = phase_scale(bad).unwrap_err().to_string();
        assert!(
            error.contains(&format!("PHASE_SCALE={bad}: must be")),
            "{error}"
        );
    }
}

#[test]
fn boundaries_are_cumulative_and_scaled() {
    let modes = Modes::parse(FILE).unwrap();
    assert_eq!(
        modes.get("full").unwrap().boundaries(0.5),
        [0.0, 60.0, 90.0]
    );
    let with_pauses = modes.get("full").unwrap().boundaries_with_pauses(0.5, 3.0);
    assert_eq!(with_pauses, [0.0, 60.0, 63.0, 93.0]);
    assert_eq!(modes.get("smoke").unwrap().boundaries(0.5), [0.0]);
    assert!(modes.get("warmup").is_none());
}

#[test]
fn the_phase_of_a_moment() {
    let modes = Modes::parse(FILE).unwrap();
    let full = modes.get("full").unwrap();
    assert_eq!(full.phase_at(0.0, 1.0).1.name, "baseline");
    assert_eq!(full.phase_at(120.0, 1.0).0, 2);
    assert_eq!(full.phase_at(999.0, 1.0).0, 2);
    assert_eq!(
        modes.get("smoke").unwrap().phase_at(7.0, 1.0).1.name,
        "smoke"
    );
}

#[test]
fn a_phase_needs_exactly_one_bound() {
    for bad in [
        r#"{"name":"x","vus":1}"#,
        r#"{"name":"x","vus":1,"seconds":1,"iterations":1}"#,
    ] {
        let file = format!(r#"{{"modes":{{"m":{{"phases":[{bad}]}}}},"payloads":["default"]}}"#);
        let error = Modes::parse(&file).unwrap_err();
        assert!(error.contains("modes.m.phases.x"), "{error}");
    }
}
