//! `benchmark clock`: the time of this machine, as often as it is asked for.
//!
//! Whoever starts generators on several machines compares their clocks with its own before they begin together: it writes a
//! line, reads the answer, and knows that the answer was made between the two.

use std::io::{BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use load_engine::ending::Ending;

/// Answers every line until the input ends.
///
/// # Errors
/// The input cannot be read, the clock stands before 1970, or nobody reads the answers.
pub fn answer() -> anyhow::Result<Ending> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line.context("cannot read standard input")?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock of this machine stands before 1970")?;
        writeln!(out, "{}", now.as_micros())
            .and_then(|()| out.flush())
            .context("cannot write to standard output")?;
    }
    Ok(Ending::Complete)
}
