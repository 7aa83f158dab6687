//! What runs now: one redrawn line on a terminal; elsewhere a line at each step and every ten seconds.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use lab_output::words::{duration, thousands};

/// Seconds between two plain lines while a step lasts.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// The display; cheap to clone, all clones show the same.
#[derive(Clone)]
pub struct Progress {
    inner: Arc<Mutex<Inner>>,
    /// Redraws while it lives; ends with the last clone.
    _ticker: Arc<Ticker>,
}

struct Ticker(tokio::task::JoinHandle<()>);

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How the display looks.
#[derive(Clone, Debug)]
enum Style {
    /// A line of `indicatif`, which cuts it to the terminal's width.
    Redrawn(ProgressBar),
    Plain,
}

struct Inner {
    style: Style,
    /// Standard error instead of standard output, which then is JSON alone.
    to_stderr: bool,
    last_plain: Instant,
    now: Now,
}

/// Everything that the line shows.
#[derive(Clone, Debug)]
struct Now {
    /// E.g. `[3/10] producer-rest 4k`; empty before the first cell.
    cell: String,
    step: String,
    since: Instant,
    load: Option<Load>,
    /// When the session is expected to end.
    ends: Option<Instant>,
}

/// The generator's figures of the last second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// E.g. `phase 2/4 mid-load`.
    pub phase: String,
    /// Virtual users at work.
    pub vus: u64,
    /// Acknowledged events a second.
    pub rate: f64,
    /// Of the phase so far, milliseconds.
    pub p95_ms: Option<f64>,
    /// Events that failed so far.
    pub errors: u64,
}

impl Progress {
    /// A display on standard output, or on standard error where `to_stderr`.
    pub fn new(to_stderr: bool) -> Self {
        let terminal = if to_stderr {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let style = if terminal && !dumb {
            Style::Redrawn(bar(to_stderr))
        } else {
            Style::Plain
        };
        let now = Now {
            cell: String::new(),
            step: "starting".into(),
            since: Instant::now(),
            load: None,
            ends: None,
        };
        let inner = Inner {
            style,
            to_stderr,
            last_plain: Instant::now(),
            now,
        };
        let inner = Arc::new(Mutex::new(inner));
        let ticked = Arc::downgrade(&inner);
        let ticker = tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_secs(1));
            loop {
                every.tick().await;
                let Some(inner) = ticked.upgrade() else {
                    return;
                };
                lock(&inner).tick();
            }
        });
        Self {
            inner,
            _ticker: Arc::new(Ticker(ticker)),
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, text: &str) {
        let inner = lock(&self.inner);
        match &inner.style {
            Style::Redrawn(bar) => bar.suspend(|| inner.write(&format!("{text}\n"))),
            Style::Plain => inner.write(&format!("{text}\n")),
        }
    }

    /// Begins a cell, e.g. `[3/10] producer-rest 4k`.
    pub fn cell(&self, name: &str) {
        lock(&self.inner).now.cell = name.to_owned();
    }

    /// Begins a step.
    pub fn step(&self, name: &str) {
        let mut inner = lock(&self.inner);
        inner.now.step = name.to_owned();
        inner.now.since = Instant::now();
        inner.now.load = None;
        match &inner.style {
            Style::Redrawn(bar) => inner.draw(bar),
            Style::Plain => inner.plain(),
        }
    }

    /// Shows new figures.
    pub fn load(&self, load: Load) {
        lock(&self.inner).now.load = Some(load);
    }

    /// Says how long the session is expected to last from now; none: not any more.
    pub fn left(&self, left: Option<Duration>) {
        lock(&self.inner).now.ends = left.map(|left| Instant::now() + left);
    }

    /// Takes the redrawn line away, for good.
    pub fn finish(&self) {
        let mut inner = lock(&self.inner);
        if let Style::Redrawn(bar) = &inner.style {
            bar.finish_and_clear();
        }
        inner.style = Style::Plain;
        inner.now.step.clear();
    }
}

/// A line without a bar: how long a session lasts is not known as a share.
fn bar(to_stderr: bool) -> ProgressBar {
    let target = if to_stderr {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::stdout()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(
        ProgressStyle::with_template("{wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar
}

/// A panic elsewhere does not make the display's state wrong.
fn lock(inner: &Arc<Mutex<Inner>>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn tick(&mut self) {
        match &self.style {
            Style::Redrawn(bar) => self.draw(bar),
            Style::Plain if self.last_plain.elapsed() >= PLAIN_EVERY => self.plain(),
            Style::Plain => {}
        }
    }

    fn plain(&mut self) {
        if self.now.step.is_empty() {
            return;
        }
        self.last_plain = Instant::now();
        let line = self.now.line(Instant::now());
        self.write(&format!("{line}\n"));
    }

    fn draw(&self, bar: &ProgressBar) {
        bar.set_message(self.now.line(Instant::now()));
        bar.tick();
    }

    /// A closed pipe must not end the measurement.
    fn write(&self, text: &str) {
        fn all(mut out: impl Write, text: &str) -> std::io::Result<()> {
            out.write_all(text.as_bytes())?;
            out.flush()
        }
        let written = if self.to_stderr {
            all(std::io::stderr(), text)
        } else {
            all(std::io::stdout(), text)
        };
        if let Err(error) = written {
            tracing::debug!(%error, "progress could not be written");
        }
    }
}

impl Now {
    fn line(&self, at: Instant) -> String {
        let mut parts = Vec::new();
        match &self.load {
            Some(load) => {
                parts.push(load.phase.clone());
                parts.push(format!("{} VUs", load.vus));
                parts.push(format!("{} events/s", thousands(load.rate)));
                if let Some(p95) = load.p95_ms {
                    parts.push(format!("p95 {p95:.1} ms"));
                }
                parts.push(format!("{} errors", load.errors));
            }
            None => {
                let lasted = at.saturating_duration_since(self.since).as_secs();
                parts.push(if lasted < 2 {
                    self.step.clone()
                } else {
                    format!("{} ({lasted} s)", self.step)
                });
            }
        }
        if let Some(ends) = self.ends {
            parts.push(format!(
                "{} left",
                duration(ends.saturating_duration_since(at))
            ));
        }
        let text = parts.join(", ");
        if self.cell.is_empty() {
            text
        } else {
            format!("{} {text}", self.cell)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_the_load_or_the_step() {
        let at = Instant::now();
        let mut now = Now {
            cell: "[3/10] producer-rest 4k".into(),
            step: "warm-up".into(),
            since: at,
            load: None,
            ends: Some(at + Duration::from_secs(240)),
        };
        assert_eq!(now.line(at), "[3/10] producer-rest 4k warm-up, 4 min left");
        now.load = Some(Load {
            phase: "phase 2/4 mid-load".into(),
            vus: 50,
            rate: 1234.4,
            p95_ms: Some(2.14),
            errors: 0,
        });
        assert_eq!(
            now.line(at),
            "[3/10] producer-rest 4k phase 2/4 mid-load, 50 VUs, 1,234 events/s, p95 2.1 ms, 0 errors, 4 min left"
        );
    }
}
