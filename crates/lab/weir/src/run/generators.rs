//! A measurement whose load several machines make together: their clocks compared, their parts given out, begun at one moment.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use futures_util::future::try_join_all;
use lab_bench::backend::Backend;
use lab_bench::benchmark::tls_arguments;
use lab_bench::generators::clock;
use lab_bench::generators::{Group, Part as Job, version};
use lab_bench::started::Started;
use lab_model::access::Token;
use lab_model::generators::{Generator, Generators, Skew};
use lab_model::plan::Plan;
use lab_model::scenario::Scenario;
use serde_json::Value;
use time::OffsetDateTime;

use super::bench::Bench;
use super::by_benchmark::{self, LEAD, aim, own_requests};
use super::running::Running;
use crate::own::service::Part;

/// A load that was begun, or will be in a moment.
pub(super) struct Begun {
    /// Who makes it.
    pub(super) group: Group,
    /// When the first window begins, by this machine's clock.
    pub(super) at: OffsetDateTime,
    /// Where each leaves its result.
    pub(super) results: Vec<PathBuf>,
    /// How far the clock of each is from this machine's.
    pub(super) skews: Vec<Skew>,
}

/// What the fingerprint holds of them; every one answers, runs this build, and has the right time.
///
/// # Errors
/// One does not, with its name and the remedy.
pub(super) async fn describe(backend: &Backend, generators: &Generators) -> Result<Value> {
    let program = backend.benchmark()?;
    let here = Generator {
        prefix: Vec::new(),
        benchmark: None,
        ..generators.each[0].clone()
    };
    let ours = version(&here, &program).await?;
    let theirs = generators.each.iter();
    let theirs = try_join_all(theirs.map(|one| version(one, &program))).await?;
    for (one, its) in generators.each.iter().zip(&theirs) {
        ensure!(
            *its == ours,
            "generator {} runs '{its}', and this machine '{ours}': copy {} there, and name it as `benchmark` where it has another \
             path",
            one.name,
            program.display()
        );
    }
    compare(generators, &program).await?;
    Ok(serde_json::to_value(generators)?)
}

/// Compares the clocks of all.
async fn compare(generators: &Generators, program: &Path) -> Result<Vec<Skew>> {
    let each = generators.each.iter();
    let skews = try_join_all(each.map(|one| clock::compare(one, program))).await?;
    for (one, skew) in generators.each.iter().zip(&skews) {
        let (found, most) = (skew.at_most_ms(), generators.max_skew_ms);
        if found > most {
            bail!(
                "the clock of generator {} may be off by {found:.1} ms (seen {:.1} ms, give or take {:.1} ms), and at most \
                 {most} ms are allowed: set the clocks by one source (NTP), or raise max_skew_ms",
                one.name,
                skew.offset_us as f64 / 1000.0,
                skew.within_us as f64 / 1000.0
            );
        }
    }
    Ok(skews)
}

/// Starts all of them, so that each begins its first window at the same moment.
///
/// # Errors
/// One cannot be started, or its clock is off.
pub(super) async fn begin(
    bench: &Bench,
    generators: &Generators,
    context: &Running<'_>,
    started: &Started,
) -> Result<Begun> {
    let program = bench.backend.benchmark()?;
    let asked = Instant::now();
    let skews = compare(generators, &program).await?;
    // What it took to get an answer from all of them, it may take again to get there.
    let lead = LEAD + 2 * asked.elapsed();
    let at = OffsetDateTime::now_utc() + lead;
    let told = own_requests(bench, context, Part::Measured)?;
    let shares = shares(generators, &bench.plan, context.cell.target.scenario);
    let mut jobs = Vec::new();
    for ((one, share), skew) in generators.each.iter().zip(shares).zip(&skews) {
        // By its own clock.
        let begin_us = at.unix_timestamp_nanos() / 1000
            + i128::from(skew.offset_us)
            + i128::try_from(share.begins_after.as_micros())?;
        let mut from_there = started.clone();
        if let Some(host) = &one.target_host {
            from_there.from_generator.host.clone_from(host);
        }
        let mut its = aim(context, &from_there, &context.label);
        its.threads = one.threads.map_or(its.threads, |threads| threads as usize);
        let mut arguments = by_benchmark::arguments(its, &share.plan, Some(begin_us));
        arguments.push(format!("--first-worker={}", share.first_worker));
        arguments.extend(tls_arguments(&from_there.from_generator.access));
        arguments.extend(told.arguments.iter().cloned());
        jobs.push(Job {
            generator: one.clone(),
            arguments,
            env: told.variables.clone(),
            result: context.results.with_extension(format!("{}.json", one.name)),
            log: context.results.with_extension(log_of(one)),
        });
    }
    let results = jobs.iter().map(|job| job.result.clone()).collect();
    let token = started.from_generator.access.token.as_ref();
    Ok(Begun {
        group: Group::start(jobs, &program, token.map(Token::reveal))?,
        at,
        results,
        skews,
    })
}

/// The extension of the file that has what a generator says of itself.
pub(super) fn log_of(generator: &Generator) -> String {
    format!("{}.benchmark.log", generator.name)
}

/// The part of a load that falls to one generator.
struct Share {
    /// The plan with its virtual users and its rate.
    plan: Plan,
    /// Its workers count from here: ids of different generators never meet.
    first_worker: u64,
    /// It begins so long after the others that all arrivals together have the distances of one generator's.
    begins_after: Duration,
}

fn shares(generators: &Generators, plan: &Plan, scenario: Scenario) -> Vec<Share> {
    let mut all: Vec<Share> = (0..generators.each.len())
        .map(|_| Share {
            plan: plan.clone(),
            first_worker: 0,
            begins_after: Duration::ZERO,
        })
        .collect();
    for (number, phase) in plan.mode.phases.iter().enumerate() {
        let parts = generators.split(u64::from(phase.vus));
        for (share, part) in all.iter_mut().zip(parts) {
            // A part is no larger than the whole.
            share.plan.mode.phases[number].vus = u32::try_from(part).unwrap_or(phase.vus);
        }
    }
    if let Some(rate) = plan.mode.rate_of(scenario) {
        let rates = generators.split_rate(rate);
        for (number, (share, part)) in all.iter_mut().zip(rates).enumerate() {
            share.plan.mode.rates.insert(scenario, part);
            let place = u32::try_from(number).unwrap_or_default();
            share.begins_after = Duration::from_secs_f64(f64::from(place) / rate);
        }
    }
    let mut first_worker = 0;
    for share in &mut all {
        share.first_worker = first_worker;
        let phases = share.plan.mode.phases.iter();
        first_worker += phases.map(|phase| u64::from(phase.vus)).sum::<u64>();
    }
    all
}

#[cfg(test)]
mod tests {
    use lab_model::driver::Driver;
    use lab_model::judging::Judging;
    use lab_model::modes::Modes;
    use lab_model::plan::Request;
    use lab_model::targets::Targets;

    use super::*;

    fn three() -> Generators {
        let one = |name: &str, share| Generator {
            name: name.into(),
            prefix: Vec::new(),
            benchmark: None,
            target_host: None,
            threads: None,
            share,
        };
        Generators {
            listen: std::net::Ipv4Addr::LOCALHOST.into(),
            max_skew_ms: 100.0,
            each: vec![one("a", 1), one("b", 2), one("c", 1)],
        }
    }

    fn plan(mode: &str, generators: Option<Generators>) -> Result<Plan> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let request = Request {
            mode: mode.into(),
            targets: vec!["producer-rest".into()],
            payloads: Vec::new(),
            scenario: None,
            trials: None,
            rate: None,
            seed: 7,
            phase_scale: 1.0,
            cells: None,
            judging: Judging::default(),
            distance: None,
            generators,
            driver: Some(Driver::Benchmark),
            repeats: Vec::new(),
        };
        let (modes, targets) = (Modes::load(&root).unwrap(), Targets::load(&root).unwrap());
        Ok(Plan::new(&request, &modes, &targets)?)
    }

    #[test]
    fn all_parts_together_are_the_load_and_no_worker_is_two() {
        for mode in ["compare", "full", "saturation"] {
            let whole = plan(mode, Some(three())).unwrap();
            let parts = shares(&three(), &whole, Scenario::Ingest);
            for (number, phase) in whole.mode.phases.iter().enumerate() {
                let sum: u32 = parts.iter().map(|it| it.plan.mode.phases[number].vus).sum();
                assert_eq!(sum, phase.vus, "{mode}");
            }
            let rate = |plan: &Plan| plan.mode.rate_of(Scenario::Ingest);
            let together: Option<f64> = parts.iter().map(|part| rate(&part.plan)).sum();
            let asked = rate(&whole).unwrap_or(0.0);
            assert!((together.unwrap_or(0.0) - asked).abs() < 1e-6, "{mode}");
            let mut next = 0;
            for part in &parts {
                assert_eq!(part.first_worker, next);
                let phases = part.plan.mode.phases.iter();
                next += phases.map(|phase| u64::from(phase.vus)).sum::<u64>();
            }
        }
        let parts = shares(&three(), &plan("compare", None).unwrap(), Scenario::Ingest);
        let begin: Vec<_> = parts.iter().map(|it| it.begins_after.as_micros()).collect();
        assert_eq!(begin, [0, 1000, 2000], "at 1,000 a second");
    }

    #[test]
    fn a_mode_that_cannot_be_divided_is_refused() {
        let error = plan("smoke", Some(three())).unwrap_err().to_string();
        assert!(
            error.contains("mode smoke has no phases of a length"),
            "{error}"
        );
        let mut many = three();
        let more = (0..20).map(|number| Generator {
            name: format!("more-{number}"),
            ..many.each[0].clone()
        });
        let more: Vec<_> = more.collect();
        many.each.extend(more);
        let error = plan("full", Some(many)).unwrap_err().to_string();
        assert!(error.contains("leaves none for generator"), "{error}");
    }
}
