//! Checks of what was sampled: CPU, stolen and throttled time, and whether the samples are complete.

use lab_model::allowance::Allowance;
use lab_model::bounds;
use metrics_db::{Check, CheckStatus, PhaseUsage, RoleUsage};

use super::generators;
use crate::generated::Health;

pub(super) fn checks(
    usage: &[PhaseUsage],
    allowance: Allowance,
    sampled: bool,
    generators: &[Health],
) -> Vec<Check> {
    let of_generator = match generators::busiest(generators, usage.len()) {
        Some(check) => check,
        None if usage
            .iter()
            .all(|phase| phase.generator.cpu_seconds.is_none()) =>
        {
            return vec![Check::bad("generator_cpu").with("phases", 0)];
        }
        None => cpu(
            "generator_cpu",
            usage,
            |p| &p.generator,
            allowance.generator,
            bounds::GENERATOR_CPU,
        ),
    };
    let mut all = vec![
        of_generator,
        cpu(
            "host_cpu",
            usage,
            |p| &p.host,
            allowance.host,
            bounds::HOST_CPU,
        ),
        share_of_time(
            "steal",
            usage,
            |p| p.host.steal_seconds,
            allowance.host,
            bounds::STEAL,
        ),
        share_of_time(
            "throttling",
            usage,
            |p| p.generator.throttled_seconds,
            1.0,
            bounds::THROTTLED,
        ),
    ];
    all.extend(allowance.database.map(|cpus| {
        cpu(
            "database_cpu",
            usage,
            |p| &p.database,
            cpus,
            bounds::DATABASE_CPU,
        )
    }));
    if sampled && usage.iter().any(|p| p.target.cpu_seconds.is_none()) {
        all.push(Check::warn("target_sampled"));
    }
    all.push(boundaries(usage));
    all
}

/// The busiest phase against the bound.
fn cpu(
    id: &str,
    usage: &[PhaseUsage],
    role: fn(&PhaseUsage) -> &RoleUsage,
    cpus: f64,
    bound: f64,
) -> Check {
    let share = |phase: &PhaseUsage| Some(role(phase).cpu_avg_percent? / 100.0 / cpus);
    let busiest = usage
        .iter()
        .filter_map(|phase| Some((phase.phase_number, share(phase)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((phase, most)) = busiest else {
        return Check::warn(id).with("phases", usage.len());
    };
    let over = usage.iter().filter_map(share).filter(|s| *s > bound);
    let over = over.count();
    let status = if over > 0 {
        CheckStatus::Bad
    } else {
        CheckStatus::Ok
    };
    Check::new(id, status)
        .measured(most, bound, "share")
        .with("cpus", cpus)
        .with("phase", phase)
        .with("over", over)
        .with("phases", usage.len())
}

fn share_of_time(
    id: &str,
    usage: &[PhaseUsage],
    seconds: fn(&PhaseUsage) -> Option<f64>,
    cpus: f64,
    bound: f64,
) -> Check {
    let worst = usage
        .iter()
        .filter(|p| p.duration_seconds > 0.0)
        .filter_map(|p| Some((p.phase_number, seconds(p)? / p.duration_seconds / cpus)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((phase, share)) = worst else {
        return Check::ok(id);
    };
    let status = if share > bound {
        CheckStatus::Bad
    } else {
        CheckStatus::Ok
    };
    Check::new(id, status)
        .measured(share, bound, "share")
        .with("phase", phase)
}

fn boundaries(usage: &[PhaseUsage]) -> Check {
    let inexact = usage
        .iter()
        .filter(|p| p.target.cpu_seconds.is_some() && !p.target.exact)
        .count();
    let status = if inexact > 0 {
        CheckStatus::Warn
    } else {
        CheckStatus::Ok
    };
    Check::new("boundaries", status)
        .measured(inexact as f64, 0.0, "count")
        .with("phases", usage.len())
}
