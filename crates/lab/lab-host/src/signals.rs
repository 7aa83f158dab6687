//! Signals that the caller has this process ignore.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::child::output_of;

/// Whether this process was started with `signal` ignored, as `nohup` does with SIGHUP. A program that installs a handler
/// all the same would end what its caller wants to go on.
pub async fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status");
    let mask = match &status {
        Ok(status) => status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .map(str::trim)
            .map(str::to_owned),
        // macOS.
        Err(_) => {
            let pid = std::process::id().to_string();
            output_of(
                "ps",
                &["-o", "sigignore=", "-p", &pid],
                Duration::from_secs(5),
            )
            .await
        }
    };
    mask.is_some_and(|mask| holds(&mask, signal))
}

/// Whether a mask in hexadecimal digits holds a signal: bit 0 is signal 1.
fn holds(mask: &str, signal: Signal) -> bool {
    let mask = u64::from_str_radix(mask.trim_start_matches("0x"), 16).unwrap_or(0);
    let bit = u32::try_from(signal as i32 - 1).unwrap_or(u32::MAX);
    mask.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_holds_a_signal_by_its_bit() {
        assert!(holds("0000000000000001", Signal::SIGHUP));
        assert!(!holds("0000000000001000", Signal::SIGHUP));
        assert!(holds("0000000000001000", Signal::SIGPIPE));
        assert!(!holds("", Signal::SIGHUP));
    }
}
