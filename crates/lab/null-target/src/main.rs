//! `null-target`: what a load generator can reach at most, and what the lab must notice. `--help` lists the settings.

use clap::Parser;
use null_target::{Config, NullTarget};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let target = NullTarget::bind(&Config::parse()).await?;
    target.run(null_target::signals()?).await
}
