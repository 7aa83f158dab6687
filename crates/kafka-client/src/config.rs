//! Settings of the connection to Kafka: flags and environment variables; `--help` is the reference.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use krafka::KrafkaError;
use krafka::auth::{AuthConfig, OAuthBearerToken, TlsConfig};

/// How to reach Kafka.
#[derive(Args, Clone, Debug, Default)]
pub struct KafkaConfig {
    /// Kafka brokers to begin with, separated by commas; the client finds the others
    #[arg(
        long,
        env = "KAFKA_BROKERS",
        default_value = "",
        value_name = "HOST:PORT,..."
    )]
    pub kafka_brokers: String,

    /// Whether connections to Kafka use TLS
    #[arg(long, env = "KAFKA_TLS")]
    pub kafka_tls: bool,

    /// PEM file of the authorities that sign Kafka's certificates; without it those of the operating system
    #[arg(long, env = "KAFKA_TLS_CA", value_name = "FILE")]
    pub kafka_tls_ca: Option<PathBuf>,

    /// PEM file of our certificate, where Kafka asks for one
    #[arg(long, env = "KAFKA_TLS_CERT", value_name = "FILE")]
    pub kafka_tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's key
    #[arg(long, env = "KAFKA_TLS_KEY", value_name = "FILE")]
    pub kafka_tls_key: Option<PathBuf>,

    /// SASL mechanism; without it the client does not authenticate
    #[arg(long, env = "KAFKA_SASL_MECHANISM", value_name = "MECHANISM")]
    pub kafka_sasl_mechanism: Option<SaslMechanism>,

    /// User name for plain and scram
    #[arg(long, env = "KAFKA_SASL_USERNAME", value_name = "NAME")]
    pub kafka_sasl_username: Option<String>,

    /// Password for plain and scram; a file is safer
    #[arg(
        long,
        env = "KAFKA_SASL_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD",
        conflicts_with = "kafka_sasl_password_file"
    )]
    pub kafka_sasl_password: Option<Secret>,

    /// File that holds the password
    #[arg(long, env = "KAFKA_SASL_PASSWORD_FILE", value_name = "FILE")]
    pub kafka_sasl_password_file: Option<PathBuf>,

    /// File that holds the bearer token for oauthbearer; read again for each connection
    #[arg(long, env = "KAFKA_SASL_TOKEN_FILE", value_name = "FILE")]
    pub kafka_sasl_token_file: Option<PathBuf>,
}

/// How we say who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// User name and password as they are
    Plain,
    /// A proof of the password, with SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// A proof of the password, with SHA-512
    #[value(name = "scram-sha-512")]
    ScramSha512,
    /// A bearer token
    Oauthbearer,
}

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl KafkaConfig {
    /// TLS and SASL as the client takes them.
    ///
    /// # Errors
    /// Names the setting that is missing, contradicts another or names a file that cannot be read.
    pub fn security(&self) -> anyhow::Result<AuthConfig> {
        ensure!(
            !self.kafka_brokers.trim().is_empty(),
            "KAFKA_BROKERS must name at least one broker, host:port"
        );
        let tls = self.tls()?;
        Ok(match (self.sasl()?, tls) {
            (Some(sasl), Some(tls)) => sasl.with_tls(tls),
            (Some(sasl), None) => sasl,
            (None, Some(tls)) => AuthConfig::ssl(tls),
            (None, None) => AuthConfig::plaintext(),
        })
    }

    fn tls(&self) -> anyhow::Result<Option<TlsConfig>> {
        if !self.kafka_tls {
            for (file, name) in [
                (&self.kafka_tls_ca, "KAFKA_TLS_CA"),
                (&self.kafka_tls_cert, "KAFKA_TLS_CERT"),
                (&self.kafka_tls_key, "KAFKA_TLS_KEY"),
            ] {
                ensure!(file.is_none(), "{name} needs KAFKA_TLS=true");
            }
            return Ok(None);
        }
        let tls = match &self.kafka_tls_ca {
            Some(file) => TlsConfig::new().with_ca_cert(readable(file, "KAFKA_TLS_CA")?),
            None => TlsConfig::new().with_native_roots(),
        };
        Ok(Some(match (&self.kafka_tls_cert, &self.kafka_tls_key) {
            (Some(certificate), Some(key)) => tls.with_client_cert(
                readable(certificate, "KAFKA_TLS_CERT")?,
                readable(key, "KAFKA_TLS_KEY")?,
            ),
            (None, None) => tls,
            (Some(_), None) => bail!("KAFKA_TLS_CERT needs KAFKA_TLS_KEY"),
            (None, Some(_)) => bail!("KAFKA_TLS_KEY needs KAFKA_TLS_CERT"),
        }))
    }

    fn sasl(&self) -> anyhow::Result<Option<AuthConfig>> {
        let Some(mechanism) = self.kafka_sasl_mechanism else {
            ensure!(
                self.kafka_sasl_username.is_none(),
                "KAFKA_SASL_USERNAME needs KAFKA_SASL_MECHANISM"
            );
            return Ok(None);
        };
        if mechanism == SaslMechanism::Oauthbearer {
            let file = self.kafka_sasl_token_file.clone();
            let file = file.context("KAFKA_SASL_TOKEN_FILE must name the file of the token")?;
            readable(&file, "KAFKA_SASL_TOKEN_FILE")?;
            let file = Arc::new(file);
            return Ok(Some(AuthConfig::sasl_oauthbearer_provider(move || {
                let file = Arc::clone(&file);
                async move {
                    let token = tokio::fs::read_to_string(file.as_path()).await;
                    let token = token.map_err(|error| {
                        KrafkaError::auth(format!("KAFKA_SASL_TOKEN_FILE: {error}"))
                    })?;
                    Ok(OAuthBearerToken::new(token.trim()))
                }
            })));
        }
        let name = self.kafka_sasl_username.clone();
        let name = name.context("KAFKA_SASL_USERNAME must name the user")?;
        let password = self.password()?;
        Ok(Some(match mechanism {
            SaslMechanism::Plain => AuthConfig::sasl_plain(name, password),
            SaslMechanism::ScramSha256 => AuthConfig::sasl_scram_sha256(name, password),
            SaslMechanism::ScramSha512 | SaslMechanism::Oauthbearer => {
                AuthConfig::sasl_scram_sha512(name, password)
            }
        }))
    }

    fn password(&self) -> anyhow::Result<String> {
        match (&self.kafka_sasl_password, &self.kafka_sasl_password_file) {
            (Some(Secret(password)), _) => Ok(password.clone()),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file);
                let text =
                    text.with_context(|| format!("KAFKA_SASL_PASSWORD_FILE: {}", file.display()))?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (None, None) => bail!("KAFKA_SASL_PASSWORD_FILE must name the file of the password"),
        }
    }
}

/// The path as text, of a file that can be read.
fn readable(file: &Path, setting: &str) -> anyhow::Result<String> {
    std::fs::File::open(file).with_context(|| format!("{setting}: {}", file.display()))?;
    let path = file.to_str().map(ToOwned::to_owned);
    path.with_context(|| format!("{setting}: the path is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        kafka: KafkaConfig,
    }

    fn fault(arguments: &[&str]) -> String {
        let arguments = ["test", "--kafka-brokers", "b:9092"]
            .iter()
            .chain(arguments);
        let parsed = Command::try_parse_from(arguments);
        let parsed = parsed.unwrap_or_else(|error| panic!("{error}"));
        let fault = parsed.kafka.security().err();
        fault.map_or_else(String::new, |error| format!("{error:#}"))
    }

    #[test]
    fn what_is_missing_or_contradicts_is_named() {
        assert_eq!(fault(&[]), "");
        let none = KafkaConfig::default();
        let refused = none.security().map(|_| ()).expect_err("no brokers");
        assert!(refused.to_string().starts_with("KAFKA_BROKERS "));
        for (arguments, named) in [
            (
                &["--kafka-tls-ca", "x"][..],
                "KAFKA_TLS_CA needs KAFKA_TLS=true",
            ),
            (
                &["--kafka-tls", "--kafka-tls-ca", "/none"],
                "KAFKA_TLS_CA: /none",
            ),
            (&["--kafka-sasl-username", "u"], "KAFKA_SASL_USERNAME needs"),
            (
                &["--kafka-sasl-mechanism", "plain"],
                "KAFKA_SASL_USERNAME must",
            ),
            (
                &[
                    "--kafka-sasl-mechanism",
                    "scram-sha-256",
                    "--kafka-sasl-username",
                    "u",
                ],
                "KAFKA_SASL_PASSWORD_FILE must",
            ),
            (
                &["--kafka-sasl-mechanism", "oauthbearer"],
                "KAFKA_SASL_TOKEN_FILE must",
            ),
        ] {
            let fault = fault(arguments);
            assert!(fault.starts_with(named), "{arguments:?}: {fault}");
        }
    }

    #[test]
    fn no_log_shows_the_password() {
        let arguments = ["test", "--kafka-sasl-password", "hunter2"];
        let parsed = Command::parse_from(arguments).kafka;
        assert!(!format!("{parsed:?}").contains("hunter2"), "{parsed:?}");
    }
}
