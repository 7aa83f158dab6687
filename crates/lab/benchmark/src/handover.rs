//! `benchmark ratios` became the program `ratios`; the old name goes on working.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;

/// Replaces this process by the program `ratios` beside it, with the same options. Comes back only when that fails.
pub fn to_ratios(options: &[OsString]) -> anyhow::Error {
    match std::env::current_exe().context("the path of this program cannot be read") {
        Err(error) => error,
        Ok(this) => {
            let program = this.with_file_name("ratios");
            let error = Command::new(&program).args(options).exec();
            anyhow::Error::new(error).context(format!(
                "`benchmark ratios` is now the program `ratios`, and {} cannot be started: build it with \
                 `cargo build --release -p ratios`",
                program.display()
            ))
        }
    }
}
