//! A network between generator and target: the options, and the proxy that stands for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use lab_bench::started::Started;
use lab_host::distance::{Distant, Way};
use lab_model::distance::Distance;
use lab_model::endpoint::Endpoint;
use lab_verdict::random::SplitMix64;
use runtime::config::duration;

use crate::usage::UsageError;

/// What lies between generator and target.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Distance (natively)")]
pub(super) struct DistanceArgs {
    /// One-way network delay between generator and target, e.g. 20ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    delay: Option<Duration>,
    /// Time by which the delay differs at most, to either side, e.g. 2ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    jitter: Option<Duration>,
    /// Share of the segments that are lost and sent again, e.g. 0.1%
    #[arg(long, value_name = "PERCENT", value_parser = crate::judge::share)]
    loss: Option<f64>,
}

impl DistanceArgs {
    /// As a plan stores it.
    pub(super) fn distance(&self) -> Result<Option<Distance>, UsageError> {
        Ok(Distance::new(self.delay, self.jitter, self.loss)?)
    }

    /// The options that repeat it, for a shell.
    pub(super) fn to_shell(&self) -> Vec<String> {
        let time = |name: &str, time: Option<Duration>| {
            time.map(|time| format!("--{name} {}ms", time.as_secs_f64() * 1000.0))
        };
        let loss = self.loss.map(|loss| format!("--loss {loss}"));
        [time("delay", self.delay), time("jitter", self.jitter), loss]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Puts the network of a plan before a started target; it goes with what is answered.
pub(super) async fn between(
    distance: Option<Distance>,
    seed: u64,
    started: &mut Started,
) -> Result<Option<Distant>> {
    let Some(distance) = distance else {
        return Ok(None);
    };
    let at = started.from_generator.clone();
    let mut found = tokio::net::lookup_host((at.host.as_str(), at.port))
        .await
        .with_context(|| format!("cannot look up {}", at.host))?;
    let target = found
        .next()
        .with_context(|| format!("{} has no address", at.host))?;
    let way = Way {
        delay: ms(distance.delay_ms),
        jitter: ms(distance.jitter_ms),
        loss: distance.loss,
    };
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let random = move |direction| {
        let mut random = SplitMix64::of_stream(seed, direction);
        move || random.unit()
    };
    let proxy = Distant::start(here, target, way, random)
        .await
        .context("the proxy of --delay")?;
    started.from_generator = Endpoint::local(proxy.address().port()).with(at.access);
    Ok(Some(proxy))
}

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        distance: DistanceArgs,
    }

    #[test]
    fn the_options_are_stored_and_can_be_repeated() {
        let words = "--delay 20ms --jitter 2ms --loss 0.1%";
        let given = Line::parse_from(["x"].into_iter().chain(words.split(' '))).distance;
        let stored = given.distance().unwrap().unwrap();
        assert_eq!(
            (stored.delay_ms, stored.jitter_ms, stored.loss),
            (20.0, 2.0, 0.001)
        );
        let again = given.to_shell().join(" ");
        let again = Line::parse_from(["x"].into_iter().chain(again.split(' '))).distance;
        assert_eq!(again.distance().unwrap(), Some(stored));
        assert_eq!(Line::parse_from(["x"]).distance.distance().unwrap(), None);
    }
}
