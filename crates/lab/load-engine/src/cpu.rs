//! CPU time of processes.

use nix::sys::resource::{UsageWho, getrusage};

/// CPU-seconds that this process has used so far, user and system.
pub fn of_this_process() -> f64 {
    usage(UsageWho::RUSAGE_SELF)
}

/// CPU-seconds of all children that have ended and been waited for.
pub fn of_ended_children() -> f64 {
    usage(UsageWho::RUSAGE_CHILDREN)
}

fn usage(who: UsageWho) -> f64 {
    // It fails only for an unknown `who`.
    getrusage(who).map_or(0.0, |usage| {
        let seconds =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}
