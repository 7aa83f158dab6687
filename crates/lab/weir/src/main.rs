//! `weir`: the lab's command. See the library for its parts.

use std::process::ExitCode;

/// Beside a `weir.toml` weir is the one program that there is: as its own child it samples what it measures.
const SAMPLER: &str = "stats-sidecar";

fn main() -> anyhow::Result<ExitCode> {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == SAMPLER)
    {
        let config: stats_sidecar::Config = usage_error::parse_from(std::env::args_os().skip(1));
        // One thread, as in the sampler's own binary: it must not compete with what it measures.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        return runtime.block_on(stats_sidecar::process::run(config));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(weir::cli::main()))
}
