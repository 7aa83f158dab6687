//! Where the metrics database is: five flags, five environment variables.

use std::fmt;
use std::time::Duration;

use clap::Args;

/// Connection settings of the metrics database. In the compose network they are
/// `postgres-metrics` and `5432`; the defaults suit a process on the host.
#[derive(Args, Clone, PartialEq, Eq)]
#[command(next_help_heading = "Metrics database")]
pub struct MetricsDbConfig {
    /// Host of the metrics database
    #[arg(
        id = "db_host",
        long = "db-host",
        env = "DB_HOST",
        default_value = "localhost",
        value_name = "HOST"
    )]
    pub host: String,

    /// Port of the metrics database
    #[arg(
        id = "db_port",
        long = "db-port",
        env = "DB_PORT",
        default_value_t = 5433,
        value_name = "PORT"
    )]
    pub port: u16,

    /// Name of the metrics database
    #[arg(
        id = "db_name",
        long = "db-name",
        env = "DB_NAME",
        default_value = "performance_metrics",
        value_name = "NAME"
    )]
    pub name: String,

    /// User of the metrics database
    #[arg(
        id = "db_user",
        long = "db-user",
        env = "DB_USER",
        default_value = "postgres",
        value_name = "USER"
    )]
    pub user: String,

    /// Password of the metrics database
    #[arg(
        id = "db_password",
        long = "db-password",
        env = "DB_PASSWORD",
        default_value = "password",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub password: String,

    /// How long a start waits for the metrics database before it gives up, e.g. `10s`
    #[arg(
        id = "db_connect_timeout",
        long = "db-connect-timeout",
        env = "DB_CONNECT_TIMEOUT",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub connect_timeout: Duration,
}

impl Default for MetricsDbConfig {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 5433,
            name: "performance_metrics".into(),
            user: "postgres".into(),
            password: "password".into(),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for MetricsDbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsDbConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("name", &self.name)
            .field("user", &self.user)
            .field("password", &"***")
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        database: MetricsDbConfig,
    }

    #[test]
    fn flags_are_well_formed_and_defaults_agree() {
        Cli::command().debug_assert();
        // A `DB_*` variable in the test's environment would hide the default under test.
        if std::env::vars().any(|(name, _)| name.starts_with("DB_")) {
            return;
        }
        let cli = Cli::parse_from(["test"]);
        assert_eq!(cli.database, MetricsDbConfig::default());
    }

    #[test]
    fn debug_hides_the_password() {
        let config = MetricsDbConfig {
            password: "s3cret".into(),
            ..Default::default()
        };
        let text = format!("{config:?}");
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("5433"), "{text}");
    }
}
