//! Where live transactions are inserted, with a password that nobody prints.

use std::fmt;
use std::str::FromStr;

/// A connection URL whose password is shown nowhere.
#[derive(Clone)]
pub struct DatabaseUrl(tokio_postgres::Config);

impl DatabaseUrl {
    /// The settings.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The error's text would repeat parts of the URL.
        let config = text.parse().map_err(|_| "expected postgresql://...")?;
        Ok(Self(config))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.0;
        let hosts = config.get_hosts().iter().zip(config.get_ports());
        let hosts: Vec<String> = hosts
            .map(|(host, port)| format!("{host:?}:{port}"))
            .collect();
        write!(
            f,
            "{}/{}",
            hosts.join(","),
            config.get_dbname().unwrap_or_default()
        )
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
