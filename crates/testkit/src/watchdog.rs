//! Runs a shell script when the test process is gone, even by SIGKILL.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use lab_host::Account;

/// A shell that waits for the end of its standard input, whose other end only this process holds.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Runs `script` with `arguments` as `$1`, `$2`, ... once this value is dropped or the process ends.
    pub(crate) fn new(script: &str, arguments: &[&str], account: Option<Account>) -> Self {
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
        if let Some(account) = account {
            account.run(&mut command);
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
