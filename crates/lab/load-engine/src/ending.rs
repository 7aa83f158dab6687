//! How a run ends, and the exit status that says so.

use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::output::say;
use crate::stop::Interrupted;
use crate::usage::{self, Usage};

/// Exit status of a run that was interrupted, as shells have it for SIGINT.
const INTERRUPTED: u8 = 130;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run took its time and some requests succeeded.
    Complete,
    /// The run was interrupted; what was measured has been given.
    Interrupted,
    /// A criterion was missed, an event was lost, or not one request succeeded.
    NoSuccess,
}

impl Ending {
    /// Runs a program to its end. Its tasks have a thread of their own, so that signals are heard while `run` blocks; what
    /// it left behind on other threads is not waited for.
    pub fn of(run: impl Future<Output = anyhow::Result<Self>>) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self::code(match runtime {
            Ok(runtime) => {
                let ended = runtime.block_on(run);
                runtime.shutdown_background();
                ended
            }
            Err(error) => Err(error.into()),
        })
    }

    /// The exit status; an error is said on standard error: wrong usage as clap says it, with [`usage::EXIT_USAGE`], any other with 1.
    fn code(ended: anyhow::Result<Self>) -> ExitCode {
        match ended {
            Ok(Self::Complete) => ExitCode::SUCCESS,
            Ok(Self::Interrupted) => ExitCode::from(INTERRUPTED),
            Ok(Self::NoSuccess) => ExitCode::FAILURE,
            Err(error) if error.is::<Usage>() => {
                ExitCode::from(usage::refuse(format_args!("{error:#}")))
            }
            Err(error) if error.is::<Interrupted>() => {
                say(&error.to_string());
                ExitCode::from(INTERRUPTED)
            }
            Err(error) => {
                say(&format!("Error: {error:?}"));
                ExitCode::FAILURE
            }
        }
    }
}

/// Allows this process as many open files as the system lets it have. A subscriber is an open file, of which many
/// systems allow 1,024 unless asked. Where this fails, what cannot be opened later says so.
pub fn allow_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, most, most).ok();
    }
}
