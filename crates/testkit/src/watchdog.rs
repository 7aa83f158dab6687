//! Runs a shell script when the test process is gone, even by SIGKILL.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The user and group that a process runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A shell that waits for the end of its standard input, whose other end only this process holds.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Runs `script` with `arguments` as `$1`, `$2`, ... once this value is dropped or the process ends.
    pub(crate) fn new(script: &str, arguments: &[&str], ids: Option<Ids>) -> Self {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!("cat > /dev/null\n{script}"))
            .arg("testkit-watchdog")
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the terminal's foreground group: it must not end the watchdog.
            .process_group(0);
        if let Some(ids) = ids {
            command.uid(ids.uid).gid(ids.gid);
        }
        Self(command.spawn().expect("a shell for the watchdog"))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("testkit: the watchdog is gone: {error}");
        }
    }
}
