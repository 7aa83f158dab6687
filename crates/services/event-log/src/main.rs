//! `event-log`: the server and the command line. `--help` lists the commands and the settings.

use std::io::Write;
use std::process::ExitCode;

use event_log::cli::{self, ChainCommand, Cli, Command, TokenCommand};
use event_log::{Config, Service};
use runtime::config::{LogFormat, TelemetryConfig};
use runtime::{health, telemetry, threads};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::exit(run())
}

fn run() -> anyhow::Result<ExitCode> {
    let cli: Cli = runtime::config::parse_or_exit_2();
    match cli.command {
        Command::Serve(config) => serve(&config),
        Command::Health(config) => Ok(health::check_http(
            &config.listen.host,
            config.server_port,
            "/health",
            &config.protection,
        )),
        Command::Chain(command) => chain(command),
        Command::Token(TokenCommand::New) => cli::new_token(),
    }
}

fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let threads = config.threads.count();
    let version = env!("CARGO_PKG_VERSION");
    runtime::serve(config, version, &config.telemetry, threads, async |stop| {
        Service::build(config, stop).await?.run().await
    })
}

/// Standard error has what was refused, and warnings, such as that of a torn line that was cut.
fn chain(command: ChainCommand) -> anyhow::Result<ExitCode> {
    telemetry::init(&TelemetryConfig {
        // Damage is what the command itself tells.
        rust_log: Some("warn,hash_chain::error=off".to_owned()),
        log_format: Some(LogFormat::Text),
        ..TelemetryConfig::default()
    })?;
    let ended = threads::runtime(1)?.block_on(cli::run(command));
    Ok(ended.unwrap_or_else(|error| {
        // Where nobody reads it, the exit code tells.
        drop(writeln!(std::io::stderr(), "error: {error:#}"));
        ExitCode::FAILURE
    }))
}
