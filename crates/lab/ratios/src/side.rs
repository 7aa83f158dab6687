//! One side of a ratio: what runs, and what its measurement gave.

use serde::Serialize;

use crate::pgbench::ROWS;
use crate::service::WriteMode;
use load_engine::events::ledger::Findings;
use load_engine::protocol::Protocol;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// pgbench, one upsert a transaction.
    Pgbench,
    /// A producer in one of its write modes.
    Rest(WriteMode),
    /// The same over gRPC.
    Grpc(WriteMode),
    /// A producer with group commit under TLS, principals and limits.
    Protected(Protocol),
    /// Bulk requests, over gRPC `ProcessEvents`, with group commit.
    Bulk(Protocol),
    /// pgbench, multi-row upserts.
    MultiRow,
    /// pgbench, select by primary key.
    PgbenchSelect,
    /// Balances over a protocol.
    Balance(Protocol),
}

impl Side {
    /// Protocol and write mode of a producer that takes one event a request; none for all else.
    pub(crate) fn producer(self) -> Option<(Protocol, WriteMode)> {
        match self {
            Self::Pgbench
            | Self::PgbenchSelect
            | Self::MultiRow
            | Self::Bulk(_)
            | Self::Protected(_)
            | Self::Balance(_) => None,
            Self::Rest(mode) => Some((Protocol::Rest, mode)),
            Self::Grpc(mode) => Some((Protocol::Grpc, mode)),
        }
    }

    /// Whether what it acknowledged is looked for in the table.
    pub(crate) fn is_audited(self) -> bool {
        self.producer().is_some() || matches!(self, Self::Bulk(_) | Self::Protected(_))
    }

    /// For people.
    pub(crate) fn label(self) -> String {
        let mode = |mode| match mode {
            WriteMode::Group => "group commit",
            WriteMode::Single => "one upsert a request",
            WriteMode::ReadThenWrite => "read then write",
        };
        match self {
            Self::Pgbench => "pgbench, one upsert a transaction".into(),
            Self::Rest(write) => format!("REST, {}", mode(write)),
            Self::Grpc(write) => format!("gRPC, {}", mode(write)),
            Self::Protected(Protocol::Rest) => "REST, TLS, principals and limits on".into(),
            Self::Protected(Protocol::Grpc) => "gRPC, TLS, principals and limits on".into(),
            Self::Bulk(Protocol::Rest) => "bulk over REST".into(),
            Self::Bulk(Protocol::Grpc) => "ProcessEvents over gRPC".into(),
            Self::MultiRow => format!("pgbench, {ROWS} rows an upsert"),
            Self::PgbenchSelect => "pgbench, select by primary key".into(),
            Self::Balance(Protocol::Rest) => "balances over REST".into(),
            Self::Balance(Protocol::Grpc) => "balances over gRPC".into(),
        }
    }
}

impl Serialize for Side {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self {
            Self::Pgbench => "pgbench".to_owned(),
            Self::PgbenchSelect => "pgbench-select".to_owned(),
            Self::MultiRow => "pgbench-multi-row".to_owned(),
            Self::Protected(protocol) => format!("{}-protected", protocol.as_str()),
            Self::Bulk(protocol) => format!("bulk-{}", protocol.as_str()),
            Self::Balance(protocol) => format!("balance-{}", protocol.as_str()),
            Self::Rest(mode) => format!("rest-{}", mode.value()),
            Self::Grpc(mode) => format!("grpc-{}", mode.value()),
        };
        serializer.serialize_str(&name)
    }
}

/// What one measurement of a side gave.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    pub(crate) side: Side,
    /// Durable events, or reads, a second.
    pub(crate) rate: f64,
    /// Durable events, or reads, in the window.
    pub(crate) events: u64,
    /// Mean of pgbench's transactions; none for services, which have percentiles.
    pub(crate) latency_mean_ms: Option<f64>,
    pub(crate) latency_p50_ms: Option<f64>,
    pub(crate) latency_p99_ms: Option<f64>,
    /// CPU in the window, microseconds per event; none where there is no service.
    pub(crate) service_cpu_us: Option<f64>,
    pub(crate) postgres_cpu_us: f64,
    pub(crate) client_cpu_us: f64,
    /// Share of the client's threads' time that it used; none for pgbench.
    pub(crate) client_share: Option<f64>,
    /// Requests that did not succeed, whole run.
    pub(crate) errors: u64,
    /// None for pgbench, whose transactions carry no numbers, and for reads.
    pub(crate) audit: Option<Findings>,
}

impl Measurement {
    /// Why this measurement proves nothing, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let label = self.side.label();
        if let Some(audit) = &self.audit {
            if !audit.clean() {
                return Some(format!(
                    "{label}: {} events lost, {} unexplained",
                    audit.lost, audit.unexplained
                ));
            }
            if audit.covered > 0 {
                return Some(format!(
                    "{label}: {} events could not be checked; use more --keys",
                    audit.covered
                ));
            }
        }
        if self.errors > 0 {
            return Some(format!("{label}: {} requests did not succeed", self.errors));
        }
        match self.client_share {
            Some(share) if share > 0.9 => Some(format!(
                "{label}: the generator was the limit ({:.0} % busy)",
                share * 100.0
            )),
            _ => None,
        }
    }
}
