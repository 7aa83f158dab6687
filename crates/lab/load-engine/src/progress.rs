//! What a run looks like while it is on: one redrawn line on a terminal, plain lines otherwise. On standard
//! error, so that standard output holds nothing but the result.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::{Clock, Part};
use crate::load::Standing;

pub use lab_verdict::words::thousands;

/// How progress is shown, on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// One redrawn line on a terminal, plain lines otherwise
    #[default]
    Auto,
    /// A line every five seconds
    Plain,
    /// Nothing
    None,
}

/// Shows progress; `show` once a second.
pub struct Progress {
    style: Style,
    last: Option<(Instant, u64)>,
    ticks: u32,
}

enum Style {
    /// A line of `indicatif`, which cuts it to the terminal's width.
    Redrawn(ProgressBar),
    Plain,
    None,
}

/// Ticks from one plain line to the next.
const PLAIN_EVERY: u32 = 5;

impl Progress {
    /// In the style asked for.
    pub fn new(mode: ProgressMode) -> Self {
        let style = match mode {
            ProgressMode::None => Style::None,
            ProgressMode::Auto if std::io::stderr().is_terminal() => Style::Redrawn(bar()),
            ProgressMode::Auto | ProgressMode::Plain => Style::Plain,
        };
        Self {
            style,
            last: None,
            ticks: 0,
        }
    }

    /// The time between two ticks.
    pub const EVERY: Duration = Duration::from_secs(1);

    /// Shows how a run stands, if a line is due.
    pub fn show(&mut self, clock: &Clock, standing: impl FnOnce() -> Standing) {
        self.ticks += 1;
        match self.style {
            Style::None => return,
            Style::Plain if !self.ticks.is_multiple_of(PLAIN_EVERY) => return,
            Style::Plain | Style::Redrawn(_) => {}
        }
        let Standing {
            done,
            errors,
            latencies,
        } = standing();
        let now = Instant::now();
        let rate = self.last.replace((now, done)).map(|(then, before)| {
            done.saturating_sub(before) as f64 / now.duration_since(then).as_secs_f64()
        });
        let ms = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
        let latency = (!latencies.is_empty()).then(|| (ms(0.5), ms(0.99)));
        self.say(&line(clock, now, rate, latency, errors));
    }

    /// Takes the redrawn line away.
    pub fn done(&mut self) {
        if let Style::Redrawn(bar) = &self.style {
            bar.finish_and_clear();
        }
    }

    fn say(&mut self, line: &str) {
        match &self.style {
            Style::Redrawn(bar) => {
                bar.set_message(line.to_owned());
                bar.tick();
            }
            Style::Plain => self.write(&format!("{line}\n")),
            Style::None => {}
        }
    }

    /// Progress is a courtesy: a closed standard error does not end the run.
    fn write(&mut self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        if stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush())
            .is_err()
        {
            self.style = Style::None;
        }
    }
}

/// A line without a bar.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(
        ProgressStyle::with_template("{wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar
}

fn line(
    clock: &Clock,
    now: Instant,
    rate: Option<f64>,
    latency: Option<(f64, f64)>,
    errors: u64,
) -> String {
    let part = match clock.part(now) {
        Part::WarmUp => "warm-up ",
        Part::Measured => "measured",
        Part::Over => "ending  ",
    };
    let elapsed = clock.elapsed().as_secs().min(clock.duration().as_secs());
    let mut line = format!("{elapsed:>4} s of {} s  {part}", clock.duration().as_secs());
    // Writing to a String cannot fail.
    if let Some(rate) = rate {
        write!(line, "  {}/s", thousands(rate.round() as u64)).ok();
    }
    if let Some((p50, p99)) = latency {
        write!(line, "  p50 {p50:.2} ms  p99 {p99:.2} ms").ok();
    }
    write!(line, "  errors {}", thousands(errors)).ok();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_the_run_stands() {
        let clock = Clock::start(Duration::ZERO, Duration::from_secs(60));
        let text = line(
            &clock,
            Instant::now(),
            Some(41_230.4),
            Some((4.6, 10.12)),
            2,
        );
        assert_eq!(
            text,
            "   0 s of 60 s  measured  41,230/s  p50 4.60 ms  p99 10.12 ms  errors 2"
        );
    }
}
