//! What the target takes while it is loaded, where it is a process of this machine: its CPU and its anonymous memory, read from
//! `/proc` ten times a second. Elsewhere nothing is known of it.

use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use load_engine::load::Window;
use metrics_db::Phase;

/// Between two reads.
const EVERY: Duration = Duration::from_millis(100);

/// One read.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    /// Since the process began.
    cpu_seconds: f64,
    memory_mb: f64,
}

/// A process that is watched until it is asked for.
#[derive(Debug)]
pub struct Watched {
    end: Sender<()>,
    reading: JoinHandle<Vec<Sample>>,
}

/// What was seen of a process.
#[derive(Debug, Default)]
pub struct Seen(Vec<Sample>);

impl Watched {
    /// Watches the process that listens at `address`; none where there is none on this machine, or it is not ours to see.
    #[must_use]
    pub fn at(address: SocketAddr) -> Option<Self> {
        if !address.ip().is_loopback() {
            return None;
        }
        let pid = proc::listener(address.port())?;
        let (end, ended) = mpsc::channel();
        let reading = std::thread::Builder::new().name("target".into());
        let reading = reading.spawn(move || {
            let mut all = Vec::new();
            let mut ends = false;
            // The last read comes after the end of the load, so that every window lies between two.
            while let Some((cpu_seconds, memory_mb)) = proc::read(pid) {
                all.push(Sample {
                    at: Instant::now(),
                    cpu_seconds,
                    memory_mb,
                });
                if ends {
                    break;
                }
                ends = ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
            }
            all
        });
        Some(Self {
            end,
            reading: reading.ok()?,
        })
    }

    /// Ends it and gives what was seen.
    #[must_use]
    pub fn seen(self) -> Seen {
        drop(self.end);
        Seen(self.reading.join().unwrap_or_default())
    }
}

impl Seen {
    /// Adds what was seen in the window of a phase to it.
    pub fn add_to(&self, phase: &mut Phase, window: &Window) {
        let (from, to) = (window.from.at, window.to.at);
        let seconds = to.saturating_duration_since(from).as_secs_f64();
        if let (Some(before), Some(after)) = (self.cpu_at(from), self.cpu_at(to))
            && seconds > 0.0
        {
            phase.target_cpu_seconds = Some(after - before);
            phase.target_cpu_avg_percent = Some((after - before) / seconds * 100.0);
        }
        let within: Vec<f64> = self
            .0
            .iter()
            .filter(|sample| (from..=to).contains(&sample.at))
            .map(|sample| sample.memory_mb)
            .collect();
        if !within.is_empty() {
            phase.target_memory_avg_mb = Some(within.iter().sum::<f64>() / within.len() as f64);
            phase.target_memory_peak_mb = within.into_iter().reduce(f64::max);
        }
    }

    /// CPU-seconds until a moment, between the reads before and after it; none beyond the reads.
    fn cpu_at(&self, at: Instant) -> Option<f64> {
        let next = self.0.partition_point(|sample| sample.at < at);
        let after = self.0.get(next)?;
        let Some(before) = next.checked_sub(1).and_then(|last| self.0.get(last)) else {
            return (after.at == at).then_some(after.cpu_seconds);
        };
        let share = (at - before.at).as_secs_f64() / (after.at - before.at).as_secs_f64();
        Some(before.cpu_seconds + (after.cpu_seconds - before.cpu_seconds) * share)
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use procfs::FromRead;
    use procfs::net::TcpState;
    use procfs::process::{FDTarget, Process, Stat, StatM};

    /// The process that listens on a port of this machine.
    pub(super) fn listener(port: u16) -> Option<i32> {
        let tables = [procfs::net::tcp(), procfs::net::tcp6()];
        let inode = tables.into_iter().flatten().flatten().find_map(|entry| {
            let listens = entry.state == TcpState::Listen && entry.local_address.port() == port;
            listens.then_some(entry.inode)
        })?;
        let has = |process: &Process| {
            let open = process.fd().into_iter().flatten().flatten();
            open.into_iter()
                .any(|file| matches!(file.target, FDTarget::Socket(found) if found == inode))
        };
        let mut all = procfs::process::all_processes().ok()?.flatten();
        all.find(has).map(|process| process.pid)
    }

    /// CPU-seconds and anonymous memory (MiB); none where it has ended.
    pub(super) fn read(pid: i32) -> Option<(f64, f64)> {
        let stat = Stat::from_file(format!("/proc/{pid}/stat")).ok()?;
        let memory = StatM::from_file(format!("/proc/{pid}/statm")).ok()?;
        let cpu = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let pages = memory.resident.saturating_sub(memory.shared) as f64;
        Some((cpu, pages * procfs::page_size() as f64 / f64::from(1 << 20)))
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    pub(super) fn listener(_: u16) -> Option<i32> {
        None
    }

    pub(super) fn read(_: i32) -> Option<(f64, f64)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_that_listens_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(proc::listener(port), i32::try_from(std::process::id()).ok());
        let (_, memory) = proc::read(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(memory > 0.1, "{memory}");
        drop(listener);
        assert_eq!(proc::listener(port), None);
    }

    #[test]
    fn cpu_lies_between_two_reads() {
        let at = Instant::now();
        let sample = |ms, cpu_seconds| Sample {
            at: at + Duration::from_millis(ms),
            cpu_seconds,
            memory_mb: 1.0,
        };
        let seen = Seen(vec![sample(0, 1.0), sample(100, 1.1), sample(200, 1.3)]);
        let cpu = |ms| seen.cpu_at(at + Duration::from_millis(ms));
        assert!((cpu(50).unwrap() - 1.05).abs() < 1e-9);
        assert!((cpu(150).unwrap() - 1.2).abs() < 1e-9);
        assert_eq!((cpu(0), cpu(201)), (Some(1.0), None));
    }
}
