//! Settings of connections: flags and environment variables, the same for every service.

use std::time::Duration;

use clap::Args;

/// How many connections a process has, and how long each may take for what.
#[derive(Args, Clone, Copy, Debug)]
pub struct ConnectionConfig {
    /// Connections of all ports together. One more closes the connection that has been idle longest; while none is idle,
    /// only health is answered [default: 10000, or what the limit on open files allows]
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,

    /// How long a client may take for the head of a request, the first one counted from the accept (100ms to 1day)
    #[arg(long, env = "HEAD_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = interval)]
    pub head_timeout: Duration,

    /// How long an HTTP connection without a request stays open (100ms to 1day)
    #[arg(long, env = "IDLE_TIMEOUT", default_value = "75s", value_name = "DURATION", value_parser = interval)]
    pub idle_timeout: Duration,

    /// How long a body may be slower than BODY_MIN_RATE before it is refused with 408 / DEADLINE_EXCEEDED (100ms to 1day)
    #[arg(long, env = "BODY_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = interval)]
    pub body_timeout: Duration,

    /// Bytes a second that a body must bring
    #[arg(long, env = "BODY_MIN_RATE", default_value = "1024", value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1_073_741_824))]
    pub body_min_rate: u32,

    /// Bytes of unfinished bodies, over all connections; more are refused with 503 / RESOURCE_EXHAUSTED
    #[arg(long, env = "MAX_UNFINISHED_BYTES", default_value = "134217728", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1_048_576..=1_099_511_627_776))]
    pub max_unfinished_bytes: u64,

    /// Requests that an HTTP/2 connection may have open at a time
    #[arg(long, env = "MAX_STREAMS", default_value = "1024", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_streams: u32,
}

/// [`ConnectionConfig`], and how long connections of gRPC clients live.
#[derive(Args, Clone, Copy, Debug)]
pub struct GrpcConnectionConfig {
    /// What holds for both faces.
    #[command(flatten)]
    pub both: ConnectionConfig,

    /// From one ping to the next on a silent gRPC connection (100ms to 28days, as the following)
    #[arg(long, env = "GRPC_KEEPALIVE_INTERVAL", default_value = "30s", value_name = "DURATION", value_parser = age)]
    pub grpc_keepalive_interval: Duration,

    /// How long a ping may go unanswered before the connection is closed
    #[arg(long, env = "GRPC_KEEPALIVE_TIMEOUT", default_value = "20s", value_name = "DURATION", value_parser = age)]
    pub grpc_keepalive_timeout: Duration,

    /// Idle time after which the server sends GOAWAY and closes a gRPC connection [default: none]
    #[arg(long, env = "GRPC_MAX_CONNECTION_IDLE", value_name = "DURATION", value_parser = age)]
    pub grpc_max_connection_idle: Option<Duration>,

    /// Age at which a gRPC connection accepts no more calls, so that clients reconnect, to other instances too [default: none]
    #[arg(long, env = "GRPC_MAX_CONNECTION_AGE", value_name = "DURATION", value_parser = age)]
    pub grpc_max_connection_age: Option<Duration>,

    /// Longest time that open calls and streams of such a connection may continue [default: without a limit]
    #[arg(long, env = "GRPC_MAX_CONNECTION_AGE_GRACE", value_name = "DURATION", value_parser = age)]
    pub grpc_max_connection_age_grace: Option<Duration>,
}

/// The limits that hold for the connections of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionPolicy {
    /// Connections of all ports together; `None`: as many as the limit on open files allows, at most 10,000.
    pub max_connections: Option<usize>,
    /// From the accept, or from the first byte of a later head, to the end of the head.
    pub head_timeout: Duration,
    /// How long an HTTP connection without a request stays open.
    pub idle_timeout: Duration,
    /// How long a body may be slower than `body_min_rate`.
    pub body_timeout: Duration,
    /// Bytes a second that a body must bring.
    pub body_min_rate: u32,
    /// Bytes of unfinished bodies, over all connections.
    pub max_unfinished_bytes: usize,
    /// Requests that an HTTP/2 connection may have open at a time.
    pub max_streams: u32,
    /// From one HTTP/2 ping to the next on a silent gRPC connection.
    pub keepalive_interval: Duration,
    /// How long a ping may go unanswered before the connection is closed.
    pub keepalive_timeout: Duration,
    /// How long a gRPC connection without a call stays open; `None`: without a limit.
    pub max_idle: Option<Duration>,
    /// Age at which a gRPC connection takes no more calls; `None`: never.
    pub max_age: Option<Duration>,
    /// How long the calls of such a connection may go on; `None`: without a limit.
    pub max_age_grace: Option<Duration>,
}

impl Default for ConnectionPolicy {
    /// What the settings are when none is given.
    fn default() -> Self {
        Self {
            max_connections: None,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            body_min_rate: 1024,
            max_unfinished_bytes: 128 * 1024 * 1024,
            max_streams: 1024,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_idle: None,
            max_age: None,
            max_age_grace: None,
        }
    }
}

impl ConnectionConfig {
    /// As the servers take them.
    #[must_use]
    pub fn policy(&self) -> ConnectionPolicy {
        ConnectionPolicy {
            max_connections: self.max_connections.map(|most| most as usize),
            head_timeout: self.head_timeout,
            idle_timeout: self.idle_timeout,
            body_timeout: self.body_timeout,
            body_min_rate: self.body_min_rate,
            max_unfinished_bytes: usize::try_from(self.max_unfinished_bytes).unwrap_or(usize::MAX),
            max_streams: self.max_streams,
            ..ConnectionPolicy::default()
        }
    }
}

impl GrpcConnectionConfig {
    /// As the servers take them.
    #[must_use]
    pub fn policy(&self) -> ConnectionPolicy {
        ConnectionPolicy {
            keepalive_interval: self.grpc_keepalive_interval,
            keepalive_timeout: self.grpc_keepalive_timeout,
            max_idle: self.grpc_max_connection_idle,
            max_age: self.grpc_max_connection_age,
            max_age_grace: self.grpc_max_connection_age_grace,
            ..self.both.policy()
        }
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a client may take for something.
fn interval(text: &str) -> Result<Duration, String> {
    within(text, DAY, "1day")
}

/// How long a connection may live.
fn age(text: &str) -> Result<Duration, String> {
    within(text, 28 * DAY, "28days")
}

fn within(text: &str, longest: Duration, its_name: &str) -> Result<Duration, String> {
    let duration = crate::config::duration(text)?;
    if !(SHORTEST..=longest).contains(&duration) {
        return Err(format!("must be from 100ms to {its_name}"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        connections: GrpcConnectionConfig,
    }

    #[test]
    fn the_defaults_are_those_of_the_policy() {
        let given = Cli::try_parse_from(["test"]).expect("defaults");
        assert_eq!(given.connections.policy(), ConnectionPolicy::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "--head-timeout=0s",
            "--idle-timeout=2days",
            "--body-timeout=99ms",
            "--body-min-rate=0",
            "--max-connections=0",
            "--max-streams=0",
            "--max-unfinished-bytes=1",
            "--grpc-max-connection-idle=0s",
        ] {
            assert!(Cli::try_parse_from(["test", wrong]).is_err(), "{wrong}");
        }
    }
}
