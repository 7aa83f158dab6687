//! Which rounds run again, over plans of this repository and invented runs.

use std::path::Path;

use lab_model::judging::Judging;
use lab_model::modes::Modes;
use lab_model::plan::Request;
use lab_model::targets::Targets;
use time::OffsetDateTime;

use super::*;

fn plan(trials: u32) -> Plan {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let request = Request {
        mode: "compare".into(),
        targets: Vec::new(),
        payloads: vec!["default".into()],
        scenario: None,
        trials: Some(trials),
        rate: None,
        seed: 7,
        phase_scale: 1.0,
        cells: None,
        judging: Judging::default(),
        distance: None,
        generators: None,
        repeats: Vec::new(),
        driver: None,
    };
    let (modes, targets) = (Modes::load(&root).unwrap(), Targets::load(&root).unwrap());
    Plan::new(&request, &modes, &targets).unwrap()
}

fn run(cell: &Cell, status: RunStatus, valid: Option<bool>) -> Run {
    Run {
        id: i64::from(cell.order),
        session_id: None,
        api_name: cell.target.name.clone(),
        scenario: cell.target.scenario.to_string(),
        test_mode: "compare".into(),
        payload_size: cell.payload.clone(),
        protocol: "rest".into(),
        language: None,
        framework: None,
        driver: "k6".into(),
        run_label: String::new(),
        trial: i32::try_from(cell.trial).unwrap(),
        run_order: i32::try_from(cell.order).unwrap(),
        seed: 7,
        phase_scale: 1.0,
        status,
        started_at: OffsetDateTime::UNIX_EPOCH,
        measured_from: None,
        completed_at: None,
        duration_seconds: None,
        error_message: None,
        sampling: None,
        valid,
        invalid_reasons: Vec::new(),
        checks: Vec::new(),
        audit: None,
        database_stats: None,
        scenario_stats: None,
    }
}

/// All cells completed; those with these places are not valid.
fn runs(plan: &Plan, invalid: &[u32]) -> Vec<Run> {
    let of = |cell: &Cell| {
        run(
            cell,
            RunStatus::Completed,
            Some(!invalid.contains(&cell.order)),
        )
    };
    plan.cells.iter().map(of).collect()
}

#[test]
fn a_round_with_a_run_that_is_not_valid_runs_again_until_it_is_intact() {
    let mut plan = plan(8);
    assert_eq!(disturbed(&plan, 8, &runs(&plan, &[])), Disturbed::None);

    let Disturbed::Repeat(repeats) = disturbed(&plan, 8, &runs(&plan, &[3, 9])) else {
        panic!("the second and the fifth round should run again");
    };
    let rounds: Vec<(u32, u32)> = repeats.iter().map(|r| (r.of, r.after)).collect();
    assert_eq!(rounds, [(2, 8), (5, 8)]);
    plan.repeat(repeats);
    assert_eq!(plan.cells.len(), 20);

    // The repeat of the second round was disturbed too: it runs a third time; the fifth is done.
    let Disturbed::Repeat(again) = disturbed(&plan, 8, &runs(&plan, &[3, 9, 17])) else {
        panic!("the second round should run again");
    };
    assert_eq!(again.iter().map(|r| r.of).collect::<Vec<_>>(), [2]);
    plan.repeat(again);
    assert_eq!(
        disturbed(&plan, 8, &runs(&plan, &[3, 9, 17])),
        Disturbed::None
    );
}

#[test]
fn half_as_many_rounds_again_are_the_most() {
    let mut plan = plan(8);
    // Four rounds are disturbed, and so are all their repeats.
    let invalid: Vec<u32> = [1, 3, 5, 7].into_iter().chain(17..=24).collect();
    let Disturbed::Repeat(repeats) = disturbed(&plan, 8, &runs(&plan, &invalid)) else {
        panic!("four rounds should run again");
    };
    assert_eq!(repeats.len(), 4);
    plan.repeat(repeats);
    assert_eq!(disturbed(&plan, 8, &runs(&plan, &invalid)), Disturbed::None);
}

#[test]
fn what_disturbs_most_rounds_would_disturb_their_repeats() {
    let plan = plan(8);
    let all: Vec<u32> = (1..=10).collect();
    assert_eq!(
        disturbed(&plan, 8, &runs(&plan, &all)),
        Disturbed::TooMany {
            disturbed: 5,
            of: 8
        }
    );
}

#[test]
fn a_failure_is_an_outcome_and_one_trial_is_no_round() {
    let plan_of_eight = plan(8);
    let mut failed = runs(&plan_of_eight, &[3]);
    failed[3].status = RunStatus::Failed;
    assert_eq!(disturbed(&plan_of_eight, 8, &failed), Disturbed::None);
    let single = plan(1);
    assert_eq!(disturbed(&single, 1, &runs(&single, &[1])), Disturbed::None);
}

#[test]
fn a_session_that_grows_looks_at_the_rounds_so_far() {
    let plan = plan(20);
    let so_far: Vec<Run> = runs(&plan, &[1, 17]).into_iter().take(16).collect();
    let Disturbed::Repeat(repeats) = disturbed(&plan, 8, &so_far) else {
        panic!("the first round should run again");
    };
    assert_eq!((repeats.len(), repeats[0].after), (1, 8));
}

#[test]
fn a_round_that_was_cut_is_repeated_whole() {
    let plan = plan(8);
    let mut some: Vec<Run> = runs(&plan, &[]).into_iter().take(5).collect();
    assert_eq!(cut(&plan, &some), [5]);
    some[4].status = RunStatus::Failed;
    assert!(cut(&plan, &some).is_empty(), "a failure is an outcome");
    some.truncate(4);
    assert!(cut(&plan, &some).is_empty(), "two whole rounds");
}
