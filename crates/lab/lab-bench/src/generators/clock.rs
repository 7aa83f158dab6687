//! How far a generator's clock is from this machine's, by the exchange with the shortest round trip.
//!
//! An answer was made somewhere between question and answer. Whatever the delays of the two ways are, the difference of the
//! clocks is that to the middle, give or take half the round trip (RFC 5905, section 8), so the shortest of many says most.

use std::path::Path;
use std::process::Stdio;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use lab_model::generators::{Generator, Skew};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{ASK_LIMIT, command};

/// Questions, of which the quickest counts.
const EXCHANGES: u32 = 20;

/// Compares the clock of a generator with this machine's.
///
/// # Errors
/// The program cannot be run there, takes too long, or answers with something else than a time; with the generator's name.
pub async fn compare(generator: &Generator, program: &Path) -> Result<Skew> {
    let compared = tokio::time::timeout(ASK_LIMIT, exchange(generator, program)).await;
    compared
        .with_context(|| format!("no answer within {} s", ASK_LIMIT.as_secs()))
        .and_then(|compared| compared)
        .with_context(|| {
            format!(
                "the clock of generator {} cannot be compared",
                generator.name
            )
        })
}

async fn exchange(generator: &Generator, program: &Path) -> Result<Skew> {
    let mut child = command(generator, program, &["clock".into()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut questions = child.stdin.take().context("no standard input")?;
    let answers = child.stdout.take().context("no standard output")?;
    let mut answers = BufReader::new(answers).lines();
    let mut best: Option<Skew> = None;
    for _ in 0..EXCHANGES {
        let asked_us = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        let asked = Instant::now();
        questions.write_all(b"\n").await?;
        let line = answers.next_line().await?;
        let round_trip = asked.elapsed();
        let line = line.context("it ended without an answer")?;
        let answer: i64 = line
            .trim()
            .parse()
            .with_context(|| format!("'{line}' is no time"))?;
        let skew = Skew::of_exchange(asked_us, answer, round_trip);
        if best.is_none_or(|best| skew.within_us < best.within_us) {
            best = Some(skew);
        }
    }
    drop(questions);
    child.wait().await?;
    best.context("there was no exchange")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shifted_clock_is_found() {
        // Answers with a clock that is an hour ahead.
        let script = "while read -r line; do echo $(( ($(date +%s%N) / 1000) + 3600000000 )); done";
        let ahead = Generator {
            name: "ahead".into(),
            prefix: vec!["bash".into(), "-c".into(), script.into()],
            benchmark: Some("ignored".into()),
            target_host: None,
            threads: None,
            share: 1,
        };
        let skew = compare(&ahead, Path::new("benchmark")).await.unwrap();
        let hour_us = 3_600_000_000_i64;
        assert!(
            (skew.offset_us - hour_us).abs() <= skew.within_us,
            "{skew:?}"
        );
        assert!(skew.at_most_ms() > 3_599_000.0, "{skew:?}");

        let silent = Generator {
            prefix: vec!["bash".into(), "-c".into(), "echo noon; cat".into()],
            ..ahead
        };
        let error = compare(&silent, Path::new("benchmark")).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("generator ahead") && error.contains("'noon' is no time"),
            "{error}"
        );
    }
}
