//! Standard output.

use std::io::{self, Write};

use anyhow::Context;
use tokio::sync::mpsc;

/// Lines on their way to standard output: a few blocks, so that reading goes on while one is written.
pub(super) type Lines = mpsc::Sender<Vec<u8>>;
pub(super) const BLOCKS_AHEAD: usize = 4;

/// Prints a line of JSON.
pub(super) fn print(answer: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write(&line)?;
    Ok(())
}

/// Writes to standard output; false where nobody reads it any more.
pub(super) fn write(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("standard output"),
    }
}
