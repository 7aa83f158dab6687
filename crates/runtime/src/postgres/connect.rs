//! How connections are opened: socket options, and the runtime that drives them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Connect;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};
use tokio_util::task::AbortOnDropHandle;

use super::tls::Connector;
use crate::config::DatabaseUrl;

/// The settings of every connection: those of the URL, completed.
pub(super) fn settings(url: &DatabaseUrl, connect_timeout: Duration) -> Config {
    let mut config = url.config().clone();
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(connect_timeout);
    }
    if config.get_application_name().is_none() {
        config.application_name(program());
    }
    // A peer that vanished without a FIN is noticed after about 15 s, sent to or not. TCP_NODELAY is always set
    // by tokio-postgres.
    config
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(15));
    config
}

fn program() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_else(|| "weir".to_owned())
}

/// What is acknowledged must be durable, whatever the database's or the role's default: `off` is raised to `on`, and the other
/// settings, which wait for the local disk or for more, stay as they are.
///
/// PostgreSQL, "Write Ahead Log", `synchronous_commit`.
const COMMIT_DURABLY: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off'";

/// Opens all connections on one runtime, whichever runtime asks for them: actix-web's workers have their own runtimes, and
/// a connection must neither end with one of them nor wait for a busy one.
pub(super) struct OnRuntime {
    runtime: Handle,
    connector: Connector,
    /// Whether a pooler shares sessions: then their settings are not ours to change, and each transaction that writes
    /// has to see to its durability itself.
    pooled: Arc<AtomicBool>,
}

impl OnRuntime {
    pub(super) fn new(runtime: Handle, connector: Connector, pooled: Arc<AtomicBool>) -> Self {
        Self {
            runtime,
            connector,
            pooled,
        }
    }
}

type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for OnRuntime {
    fn connect(&self, config: &Config) -> Opening<'_> {
        let config = config.clone();
        let runtime = self.runtime.clone();
        let connector = self.connector.clone();
        let pooled = Arc::clone(&self.pooled);
        let opening = self.runtime.spawn(async move {
            let (client, connection) = connector.connect(&config).await?;
            let task = runtime.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a PostgreSQL connection broke");
                }
            });
            if !pooled.load(Ordering::Relaxed) {
                client.batch_execute(COMMIT_DURABLY).await?;
            }
            Ok((client, task))
        });
        // When the future is dropped (its caller gave up), no connection without an owner must remain.
        let opening = AbortOnDropHandle::new(opening);
        Box::pin(async move {
            let opened = opening.await;
            opened.unwrap_or_else(|error| std::panic::resume_unwind(Box::new(error.to_string())))
        })
    }
}
