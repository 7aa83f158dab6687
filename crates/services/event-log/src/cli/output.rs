//! Standard output, whose reader may go away at any time: that is no error.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc;

/// Lines on their way to standard output: a few blocks, so that reading goes on while one is written.
pub(super) type Lines = mpsc::Sender<Vec<u8>>;
pub(super) const BLOCKS_AHEAD: usize = 4;

/// From one look whether the watch is to end to the next.
const LOOK_EVERY_MS: u8 = 100;

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

/// Waits until nobody can read standard output any more, for whoever writes seldom. A file is always read.
pub(super) async fn reader_gone() {
    let watch = Watch::default();
    let ended = Arc::clone(&watch.ended);
    let gone = tokio::task::spawn_blocking(move || wait_for_reader_gone(&ended));
    if !gone.await.unwrap_or(false) {
        std::future::pending::<()>().await;
    }
}

/// Ends the thread behind a future that is dropped.
#[derive(Default)]
struct Watch {
    ended: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Whether the reader is gone; false where `ended` was set before, or the system does not say.
fn wait_for_reader_gone(ended: &AtomicBool) -> bool {
    let output = io::stdout();
    while !ended.load(Ordering::Relaxed) {
        // A pipe without a reader is an error, whatever is asked for; a terminal or socket hangs up.
        let mut watched = [PollFd::new(output.as_fd(), PollFlags::empty())];
        match poll(&mut watched, PollTimeout::from(LOOK_EVERY_MS)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
    false
}
