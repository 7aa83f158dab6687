//! Log lines: what is shown and in which form. They go to standard error.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, TelemetryConfig};

mod request;
pub(crate) mod stopping;

/// Libraries that tell more than operators want at `info`; a filter that names one of them wins. The dispatchers and the
/// decoder of actix-http say at `error` what a client did wrong, so that any client could fill the log.
const QUIET: &str = "actix_server=warn,actix_http=warn,actix_http::h1::dispatcher=off,actix_http::h1::decoder=off,\
                     actix_http::h2::dispatcher=off,actix_web=warn,h2=warn,hyper=warn,hyper_util=warn,tonic=warn,tower=warn,\
                     tokio_postgres=warn,refinery_core=warn,mio=warn,rustls=warn,deadpool=error";

/// Installs the process's log subscriber. Call it once, before anything is logged.
///
/// # Errors
/// A filter that does not parse (the message names `RUST_LOG`), or a subscriber that is there already.
pub fn init(config: &TelemetryConfig) -> anyhow::Result<()> {
    let filter = filter(config)?;
    let format = config.log_format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    });
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(stopping::Stopping::of_process());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // Of a line that nobody reads it would tell on standard error, and panic where that is closed.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => registry
            .with(
                layer
                    .with_ansi(std::io::stderr().is_terminal())
                    .map_fmt_fields(request::TextFields),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                layer
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .map_event_format(request::JsonLine),
            )
            .try_init(),
    }
    .context("the log subscriber is installed already")
}

fn filter(config: &TelemetryConfig) -> anyhow::Result<EnvFilter> {
    let wanted = match (&config.rust_log, config.log_level) {
        (Some(filter), _) => filter.clone(),
        (None, Some(level)) => level.to_string(),
        (None, None) => "info".to_owned(),
    };
    EnvFilter::builder()
        .parse(format!("{QUIET},{wanted}"))
        .with_context(|| format!("invalid RUST_LOG (--rust-log) '{wanted}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_names_its_variable() {
        let config = TelemetryConfig {
            rust_log: Some("ingest=loud".into()),
            ..Default::default()
        };
        let error = filter(&config).expect_err("no such level");
        assert!(format!("{error:#}").contains("RUST_LOG"), "{error:#}");
    }

    #[test]
    fn libraries_stay_quiet_unless_they_are_named() {
        let config = TelemetryConfig {
            rust_log: Some("debug,h2=trace".into()),
            ..Default::default()
        };
        let filter = filter(&config).expect("valid").to_string();
        assert!(
            filter.contains("h2=trace") && !filter.contains("h2=warn"),
            "{filter}"
        );
        assert!(filter.contains("tonic=warn"), "{filter}");
        assert!(filter.contains("debug"), "{filter}");
    }
}
