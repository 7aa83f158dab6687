//! Each bound, kept and broken.

use lab_words::checks::words;
use metrics_db::RoleUsage;

use super::*;

fn role(percent: f64) -> RoleUsage {
    RoleUsage {
        cpu_seconds: Some(percent / 10.0),
        cpu_avg_percent: Some(percent),
        exact: true,
        steal_seconds: Some(0.0),
        ..RoleUsage::default()
    }
}

fn phase(number: i32, generator: f64) -> PhaseUsage {
    PhaseUsage {
        phase_number: number,
        duration_seconds: 10.0,
        target: role(30.0),
        database: role(40.0),
        generator: role(generator),
        host: role(100.0),
    }
}

fn judged(usage: &[PhaseUsage], performance: &Performance) -> (bool, Vec<String>) {
    let evidence = Evidence {
        timed: true,
        performance,
        phases: &[],
        usage,
        allowance: Allowance {
            generator: 2.0,
            database: Some(2.0),
            host: 2.0,
        },
        begun_late_p99: None,
        crossed: &[],
        sampled: true,
        one_in_flight: true,
        generators: &[],
    };
    let checks = checks(&evidence);
    let (valid, failed) = verdict(&checks);
    let bad = checks.iter().filter(|check| failed.contains(&check.id));
    (valid, bad.map(|check| words(check).detail).collect())
}

fn good() -> Performance {
    Performance {
        total_requests: 1000,
        successful_requests: 1000,
        ..Performance::default()
    }
}

#[test]
fn a_quiet_run_is_valid() {
    assert_eq!(
        judged(&[phase(1, 50.0), phase(2, 150.0)], &good()),
        (true, vec![])
    );
}

#[test]
fn a_busy_generator_is_named_with_its_phases() {
    let (valid, reasons) = judged(&[phase(1, 50.0), phase(2, 170.0)], &good());
    assert!(!valid);
    assert!(
        reasons[0].starts_with("The generator was the limit in 1 of 2 phases"),
        "{reasons:?}"
    );
    assert!(
        reasons[0].contains("85 % of 2 cores (phase 2)"),
        "{reasons:?}"
    );
}

#[test]
fn steal_errors_and_drops_exclude() {
    let mut stolen = phase(1, 50.0);
    stolen.host.steal_seconds = Some(1.0);
    assert!(judged(&[stolen], &good()).1[0].contains("hypervisor took 5 %"));
    let failing = Performance {
        failed_requests: 20,
        error_rate: 0.02,
        ..good()
    };
    assert!(!judged(&[phase(1, 50.0)], &failing).0);
    let dropping = Performance {
        dropped_iterations: 10,
        ..good()
    };
    assert!(!judged(&[phase(1, 50.0)], &dropping).0);
    assert!(
        !judged(&[phase(1, 50.0)], &Performance::default()).0,
        "no request succeeded"
    );
}

#[test]
fn what_was_not_sampled_is_not_believed() {
    assert!(!judged(&[], &good()).0);
}

#[test]
fn smoke_ranks_nothing_but_is_no_failure() {
    let performance = good();
    let evidence = Evidence {
        timed: false,
        performance: &performance,
        phases: &[],
        usage: &[],
        allowance: Allowance {
            generator: 2.0,
            database: Some(2.0),
            host: 2.0,
        },
        begun_late_p99: Some(6.0),
        crossed: &[],
        sampled: true,
        one_in_flight: true,
        generators: &[],
    };
    let all = checks(&evidence);
    assert!(
        all.iter()
            .any(|c| c.id == "mode" && c.status == CheckStatus::Warn)
    );
    assert!(verdict(&all).0);
}

#[test]
fn dropped_iterations_do_not_make_the_others_late() {
    let late = |dropped: i64, p99_ms: f64| {
        let performance = Performance {
            intended_per_sec: Some(2000.0),
            dropped_iterations: dropped,
            ..good()
        };
        let check = requests::begun_late(p99_ms, &performance);
        (check.status, words(&check).figure)
    };
    let within = |ms: &str| format!("99 % within {ms} ms");
    assert_eq!(late(0, 4.0), (CheckStatus::Ok, within("4.0")));
    assert_eq!(late(20, 14.0), (CheckStatus::Ok, within("4.0")));
    assert_eq!(late(20, 40.0), (CheckStatus::Warn, within("30.0")));
    assert_eq!(late(20, 3.0), (CheckStatus::Ok, within("0.0")));
}

#[test]
fn a_rate_that_was_not_reached_excludes() {
    let at = |reached: f64| Performance {
        intended_per_sec: Some(1000.0),
        throughput_per_sec: reached,
        ..good()
    };
    assert!(judged(&[phase(1, 50.0)], &at(992.0)).0);
    let (valid, reasons) = judged(&[phase(1, 50.0)], &at(985.0));
    assert!(
        !valid && reasons[0].contains("98.5 % of the 1000/s intended"),
        "{reasons:?}"
    );
}

#[test]
fn requests_cannot_take_more_time_than_the_users_had() {
    let check = |successful_requests, avg: f64, max: f64| {
        let latency = metrics_db::Latency {
            avg: Some(avg),
            max: Some(max),
            ..Default::default()
        };
        let phase = Phase {
            phase_number: 2,
            target_vus: 10,
            duration_seconds: 60.0,
            successful_requests,
            latency,
            ..Phase::default()
        };
        requests::littles_law(&[Phase::default(), phase]).expect("figures")
    };
    // 10 VUs, one request after the other, 20 ms each.
    let full = check(30_000, 20.0, 40.0);
    assert_eq!(
        (full.status, &*words(&full).figure),
        (CheckStatus::Ok, "99.9 % of the VUs' time")
    );
    let idle = check(300, 20.0, 40.0);
    assert_eq!(
        (idle.status, &*words(&idle).figure),
        (CheckStatus::Ok, "1 % of the VUs' time")
    );
    // Long requests end after the phase.
    assert_eq!(check(40, 16_000.0, 20_000.0).status, CheckStatus::Ok);
    let wrong = check(40_000, 20.0, 40.0);
    assert_eq!(wrong.status, CheckStatus::Bad);
    assert!(
        words(&wrong)
            .detail
            .starts_with("In phase 2 the requests took 133"),
        "{wrong:?}"
    );
    assert!(
        requests::littles_law(&[Phase::default()]).is_none(),
        "nothing was answered"
    );
}

#[test]
fn every_check_that_is_made_has_words_of_its_own() {
    let performance = Performance {
        intended_per_sec: Some(1000.0),
        throughput_per_sec: 900.0,
        dropped_iterations: 20,
        ..good()
    };
    let mut unsampled = phase(2, 50.0);
    unsampled.target.cpu_seconds = None;
    let mut throttled = phase(1, 180.0);
    throttled.generator.throttled_seconds = Some(1.0);
    throttled.target.exact = false;
    let measured = Phase {
        target_vus: 10,
        duration_seconds: 60.0,
        successful_requests: 10,
        latency: metrics_db::Latency {
            avg: Some(1.0),
            max: Some(1.0),
            ..Default::default()
        },
        ..Phase::default()
    };
    for timed in [true, false] {
        for usage in [&[throttled.clone(), unsampled.clone()][..], &[]] {
            let made = checks(&Evidence {
                timed,
                performance: &performance,
                phases: std::slice::from_ref(&measured),
                usage,
                allowance: Allowance {
                    generator: 2.0,
                    database: Some(2.0),
                    host: 2.0,
                },
                begun_late_p99: Some(14.0),
                crossed: &["a < 1".to_owned()],
                sampled: true,
                one_in_flight: true,
                generators: &[],
            });
            for check in made {
                assert_eq!(check.words, None, "{check:?}");
                let said = words(&check).detail;
                let generic = said.starts_with("Measured: ") || said.starts_with("The check `");
                assert!(!generic, "{check:?}: {said}");
            }
        }
    }
}
