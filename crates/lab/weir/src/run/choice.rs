//! Which runtime and which generator a session takes, from what was asked for.

use anyhow::Result;
use lab_model::driver::Driver;
use lab_model::plan::Plan;
use metrics_db::MetricsDbConfig;

use super::args::RuntimeArg;
use crate::own::service::Own;
use crate::usage::UsageError;

/// The runtime that can write to the metrics database that was named: containers know that of their own file alone.
pub(super) fn runtime_for(
    asked: RuntimeArg,
    metrics: &MetricsDbConfig,
    chosen: bool,
) -> Result<RuntimeArg> {
    match asked {
        RuntimeArg::Auto if chosen => Ok(RuntimeArg::Native),
        RuntimeArg::Docker if chosen => Err(UsageError::plain(format!(
            "with --runtime docker the results go to the database of docker-compose.yml, not to {}:{}: leave out the \
             --db-* flags and unset DB_HOST and its companions, or run with --runtime native",
            metrics.host, metrics.port
        ))
        .into()),
        asked => Ok(asked),
    }
}

/// A user's own services are started as their file says, whatever the runtime of this repository's would be.
pub(super) fn own_runtime(asked: RuntimeArg) -> Result<RuntimeArg> {
    match asked {
        RuntimeArg::Docker => Err(UsageError::plain(
            "--runtime docker is for the services of weir's repository: weir.toml says how each target is started, so leave \
             it out",
        )
        .into()),
        RuntimeArg::Auto | RuntimeArg::Native => Ok(RuntimeArg::Native),
    }
}

/// What `options` ask for is there natively alone: the proxy of `--delay` is a part of weir's own process, which a generator in
/// a container does not reach, and generators elsewhere do not reach the network of the containers.
pub(super) fn natively(asked: RuntimeArg, options: &str) -> Result<RuntimeArg> {
    match asked {
        RuntimeArg::Auto | RuntimeArg::Native => Ok(RuntimeArg::Native),
        RuntimeArg::Docker => Err(UsageError::plain(format!(
            "{options} work natively: leave out --runtime docker"
        ))
        .into()),
    }
}

/// What makes the load of a user's own services: k6 where one of the scenarios is a script for it, or where `benchmark` is not
/// beside weir and only the mode proposes it.
pub(super) fn driver_of_own(own: &Own, plan: &Plan) -> Result<Option<Driver>> {
    let asked = plan.request.driver;
    if !plan.uses(Driver::Benchmark) {
        return Ok(asked);
    }
    for cell in &plan.cells {
        let is_script = own.scenario(&cell.payload)?.script.is_some();
        if is_script && asked == Some(Driver::Benchmark) {
            return Err(UsageError::plain(format!(
                "--driver benchmark: scenario {} is a k6 script: leave it out, or take --driver k6",
                cell.payload
            ))
            .into());
        }
        if is_script {
            return Ok(Some(Driver::K6));
        }
    }
    Ok(match asked {
        None if !lab_bench::native::has_benchmark() => Some(Driver::K6),
        asked => asked,
    })
}
