//! The settings of protection: flags and environment variables, the same for every service.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::limits::Limits;
use crate::tls::{ClientAuth, ServerTlsFiles};

/// TLS, principals, limits.
#[derive(Args, Clone, Debug)]
pub struct ProtectionConfig {
    /// Certificate of the server, PEM, with those between it and its authority; read anew when it changes [default: no TLS]
    #[arg(long, env = "TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of TLS_CERT, PEM
    #[arg(long, env = "TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Authorities of client certificates, PEM
    #[arg(long, env = "TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,

    /// Whether clients show a certificate of TLS_CLIENT_CA
    #[arg(
        long,
        env = "TLS_CLIENT_AUTH",
        value_enum,
        default_value = "none",
        value_name = "WHEN"
    )]
    pub tls_client_auth: ClientAuth,

    /// Who may call, and what for, TOML; read anew when it changes [default: everybody, everything]
    #[arg(long, env = "PRINCIPALS_FILE", value_name = "FILE")]
    pub principals_file: Option<PathBuf>,

    /// From one look at these files to the next (100ms to 1h)
    #[arg(long, env = "PROTECTION_RELOAD_INTERVAL", default_value = "1s", value_name = "DURATION", value_parser = interval)]
    pub protection_reload_interval: Duration,

    /// Events per second of one address without a principal (1 to 4294967295) [default: no limit]
    #[arg(long, env = "PEER_EVENTS_PER_SECOND", value_name = "N", value_parser = count)]
    pub peer_events_per_second: Option<NonZeroU32>,

    /// Bytes of bodies per second of one address without a principal (1 to 4294967295) [default: no limit]
    #[arg(long, env = "PEER_BYTES_PER_SECOND", value_name = "BYTES", value_parser = count)]
    pub peer_bytes_per_second: Option<NonZeroU32>,

    /// Open streams of one address without a principal (1 to 4294967295) [default: no limit]
    #[arg(long, env = "PEER_STREAMS", value_name = "N", value_parser = count)]
    pub peer_streams: Option<NonZeroU32>,

    /// Open connections of one address (1 to 4294967295) [default: no limit]
    #[arg(long, env = "PEER_CONNECTIONS", value_name = "N", value_parser = count)]
    pub peer_connections: Option<NonZeroU32>,
}

impl ProtectionConfig {
    /// The limits of one address.
    pub fn peer_limits(&self) -> Limits {
        Limits {
            events_per_second: self.peer_events_per_second,
            bytes_per_second: self.peer_bytes_per_second,
            streams: self.peer_streams,
            connections: self.peer_connections,
        }
    }

    /// The files of TLS; `None`: no TLS.
    ///
    /// # Errors
    /// A setting is missing that another needs.
    pub fn tls_files(&self) -> Result<Option<ServerTlsFiles>, Incomplete> {
        let missing = |missing, present| Incomplete { missing, present };
        let (cert, key) = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => (cert.clone(), key.clone()),
            (Some(_), None) => return Err(missing("TLS_KEY", "TLS_CERT")),
            (None, Some(_)) => return Err(missing("TLS_CERT", "TLS_KEY")),
            (None, None) if self.tls_client_auth != ClientAuth::None => {
                return Err(missing("TLS_CERT", "TLS_CLIENT_AUTH"));
            }
            (None, None) if self.tls_client_ca.is_some() => {
                return Err(missing("TLS_CERT", "TLS_CLIENT_CA"));
            }
            (None, None) => return Ok(None),
        };
        if self.tls_client_auth != ClientAuth::None && self.tls_client_ca.is_none() {
            return Err(missing("TLS_CLIENT_CA", "TLS_CLIENT_AUTH"));
        }
        Ok(Some(ServerTlsFiles {
            cert,
            key,
            client_ca: self.tls_client_ca.clone(),
            client_auth: self.tls_client_auth,
        }))
    }
}

/// A setting is missing that another needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{present} is set and {missing} is not: set both, or neither")]
pub struct Incomplete {
    missing: &'static str,
    present: &'static str,
}

fn count(text: &str) -> Result<NonZeroU32, String> {
    let wrong = |_| format!("must be a whole number from 1 to {}", u32::MAX);
    text.trim().parse().map_err(wrong)
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text.trim())
        .map_err(|error| format!("{error} (write for example 500ms, 1s or 2m)"))?;
    if interval < Duration::from_millis(100) || interval > Duration::from_secs(3600) {
        return Err("must be 100ms to 1h".to_owned());
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        protection: ProtectionConfig,
    }

    fn parsed(arguments: &[&str]) -> Result<ProtectionConfig, String> {
        let arguments = std::iter::once("x").chain(arguments.iter().copied());
        Settings::try_parse_from(arguments)
            .map(|settings| settings.protection)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_set_and_everything_is_off() {
        let config = parsed(&[]).expect("defaults");
        assert!(config.tls_files().expect("complete").is_none());
        assert!(config.principals_file.is_none());
        assert_eq!(config.peer_limits(), Limits::default());
    }

    #[test]
    fn settings_that_need_each_other_are_named() {
        for (arguments, missing, present) in [
            (&["--tls-cert", "c"][..], "TLS_KEY", "TLS_CERT"),
            (&["--tls-key", "k"], "TLS_CERT", "TLS_KEY"),
            (
                &["--tls-client-auth", "optional"],
                "TLS_CERT",
                "TLS_CLIENT_AUTH",
            ),
            (&["--tls-client-ca", "a"], "TLS_CERT", "TLS_CLIENT_CA"),
            (
                &[
                    "--tls-cert",
                    "c",
                    "--tls-key",
                    "k",
                    "--tls-client-auth",
                    "required",
                ],
                "TLS_CLIENT_CA",
                "TLS_CLIENT_AUTH",
            ),
        ] {
            let error = parsed(arguments)
                .expect("parsed")
                .tls_files()
                .expect_err(missing);
            assert_eq!(error, Incomplete { missing, present });
        }
    }

    #[test]
    fn ranges_hold() {
        for arguments in [
            ["--peer-events-per-second", "0"],
            ["--peer-bytes-per-second", "1.5"],
            ["--peer-streams", "4294967296"],
            ["--peer-connections", "x"],
            ["--protection-reload-interval", "99ms"],
            ["--protection-reload-interval", "2h"],
            ["--tls-client-auth", "maybe"],
        ] {
            let error = parsed(&arguments).expect_err(arguments[0]);
            assert!(error.contains(arguments[0]), "{error}");
        }
    }
}
