//! `weir`: the lab's command. See the library for its parts.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    weir::cli::main().await
}
