//! `null-target`: what a load generator can reach at most, and what the lab must notice. `--help` lists the settings.

use std::process::ExitCode;

use null_target::{Config, NullTarget};
use usage_error::Usage;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let config: Config = usage_error::parse();
    let target = match NullTarget::bind(&config).await {
        Err(error) if error.is::<Usage>() => {
            return Ok(ExitCode::from(usage_error::refuse(error)));
        }
        bound => bound?,
    };
    target.run(null_target::signals()?).await?;
    Ok(ExitCode::SUCCESS)
}
