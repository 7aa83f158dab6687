//! What a year of production would do to the services, in minutes: real binaries under load, killed, cut off, flooded and fuzzed;
//! after each round, what was acknowledged has to be there, once.
//!
//! In reading order:
//!
//! - [`options`]: the command line; [`output`]: what is said
//! - [`run`]: the rounds, one scenario after the other
//! - [`scenario`]: what is done to the services
//! - [`client`]: HTTP/1.1 that tells what was not sent from what nobody knows
//! - [`load`]: what the services do meanwhile, and what they have promised
//! - [`world`]: PostgreSQL, the services, and a proxy between them
//! - [`table`]: what came of it

mod client;
mod load;
mod options;
mod output;
mod run;
mod scenario;
mod table;
mod world;

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "the output of a program")]
fn main() -> ExitCode {
    let options: options::Options = usage_error::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("campaign: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run::run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("campaign: {error:#}");
            ExitCode::FAILURE
        }
    }
}
