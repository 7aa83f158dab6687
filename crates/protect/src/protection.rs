//! The protection of a process: decides about every call of both faces, in one place, before the body is read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::access::{Access, Call, Demand, Need};
use crate::caller::Caller;
use crate::config::{Incomplete, ProtectionConfig};
use crate::files::FileError;
use crate::limits::{Peers, Place};
use crate::principals::{Credentials, Directory, Principal};
use crate::refusal::Refusal;
use crate::tls::ServerTls;

/// Why protection cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    /// A setting is missing.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// Something is wrong with a file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The protection of a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Protection(Option<Arc<Parts>>);

#[derive(Debug)]
struct Parts {
    access: Access,
    directory: Option<Directory>,
    peers: Option<Peers>,
    tls: Option<ServerTls>,
    every: Duration,
}

/// A call that may go on.
#[derive(Debug)]
pub struct Admitted {
    /// Who makes it.
    pub caller: Caller,
    /// Its place among the caller's open streams, until its answer ends.
    pub place: Option<Place>,
    /// Whether its answer is a stream, which ends when the caller's credentials do.
    pub stream: bool,
}

impl Protection {
    /// Reads the files that the settings name. `access` says what the service's calls need.
    ///
    /// # Errors
    /// What is wrong with which setting or file.
    pub fn open(config: &ProtectionConfig, access: Access) -> Result<Self, ProtectionError> {
        let tls = config.tls_files()?.map(ServerTls::open).transpose()?;
        let directory = config
            .principals_file
            .as_deref()
            .map(Directory::open)
            .transpose()?;
        let peers = Peers::new(config.peer_limits());
        if tls.is_none() && directory.is_none() && peers.is_none() {
            return Ok(Self(None));
        }
        Ok(Self(Some(Arc::new(Parts {
            access,
            directory,
            peers,
            tls,
            every: config.protection_reload_interval,
        }))))
    }

    /// The server's side of TLS; `None`: plain text.
    pub fn tls(&self) -> Option<&ServerTls> {
        self.0.as_ref()?.tls.as_ref()
    }

    /// Whether calls have to be admitted; else everybody may do everything, and [`Protection::admit`] need not be called.
    pub fn decides(&self) -> bool {
        let parts = self.0.as_ref();
        parts.is_some_and(|parts| parts.directory.is_some() || parts.peers.is_some())
    }

    /// Counts a connection of `peer` until the place is dropped.
    ///
    /// # Errors
    /// The limit: as many are open as may be.
    pub fn connect(&self, peer: IpAddr) -> Result<Option<Place>, u32> {
        match self.0.as_ref().and_then(|parts| parts.peers.as_ref()) {
            Some(peers) => peers.connect(peer),
            None => Ok(None),
        }
    }

    /// Decides about a call by its head. HEAD counts as GET.
    ///
    /// # Errors
    /// The call is refused: its credentials are unknown, a right is missing, or a limit is reached.
    pub fn admit(
        &self,
        call: Call<'_>,
        credentials: Credentials<'_>,
        peer: Option<IpAddr>,
    ) -> Result<Admitted, Refusal> {
        let Some(parts) = &self.0 else {
            return Ok(Admitted {
                caller: Caller::default(),
                place: None,
                stream: false,
            });
        };
        let demand = parts.demand(call);
        let caller = parts.caller(demand.need, credentials, peer)?;
        caller.take_events(demand.events.into())?;
        let place = match caller.budget() {
            Some(budget) if demand.stream => budget.open_stream()?,
            _ => None,
        };
        Ok(Admitted {
            caller,
            place,
            stream: demand.stream,
        })
    }

    /// Whether the service names such a call, so that its path may stand in a metric.
    pub fn names(&self, call: Call<'_>) -> bool {
        self.0
            .as_ref()
            .is_some_and(|parts| parts.demand(call) != Demand::OTHER)
    }

    /// Looks for changed files until `stop`. Run it beside the faces.
    pub async fn keep_fresh(&self, stop: &CancellationToken) {
        let Some(parts) = self.0.clone() else {
            return;
        };
        while stop
            .run_until_cancelled(tokio::time::sleep(parts.every))
            .await
            .is_some()
        {
            let parts = Arc::clone(&parts);
            // Reads files, which may be slow.
            let looked = tokio::task::spawn_blocking(move || parts.refresh()).await;
            if let Err(error) = looked {
                tracing::error!(%error, "looking for changed TLS and principals files failed");
            }
        }
    }

    /// Says once, at warn, that strangers can reach an address without TLS and principals.
    pub fn warn_of_strangers(&self, addresses: &[SocketAddr]) {
        let open = addresses.iter().find(|address| !address.ip().is_loopback());
        let Some(address) = open else { return };
        let parts = self.0.as_deref();
        let tls = parts.is_some_and(|parts| parts.tls.is_some());
        let principals = parts.is_some_and(|parts| parts.directory.is_some());
        let lacks = match (tls, principals) {
            (true, true) => return,
            (false, false) => {
                "without TLS and without principals: whoever reaches it may read and do everything (set TLS_CERT, TLS_KEY and \
                 PRINCIPALS_FILE, or HOST=127.0.0.1)"
            }
            (false, true) => {
                "without TLS: tokens and data travel in the clear (set TLS_CERT and TLS_KEY, or HOST=127.0.0.1)"
            }
            (true, false) => {
                "without principals: whoever reaches it may do everything (set PRINCIPALS_FILE, or HOST=127.0.0.1)"
            }
        };
        tracing::warn!(%address, "this address is not loopback, and is served {lacks}");
    }
}

impl Parts {
    fn demand(&self, call: Call<'_>) -> Demand {
        let call = match call {
            Call::Rest {
                method: "HEAD",
                path,
            } => Call::Rest {
                method: "GET",
                path,
            },
            call => call,
        };
        crate::access::standard(call).unwrap_or_else(|| (self.access)(call))
    }

    fn caller(
        &self,
        need: Need,
        credentials: Credentials<'_>,
        peer: Option<IpAddr>,
    ) -> Result<Caller, Refusal> {
        if need == Need::Nothing {
            return Ok(Caller::default());
        }
        let Some(directory) = &self.directory else {
            let budget = self.peers.as_ref().zip(peer);
            let budget = budget.map(|(peers, peer)| peers.budget(peer));
            return Ok(Caller::new(None, budget, None));
        };
        let identified = directory.identify(credentials)?;
        grants(&identified.principal, need)?;
        let budget = identified.principal.budget().cloned();
        Ok(Caller::new(
            Some(identified.principal),
            budget,
            identified.expires,
        ))
    }

    fn refresh(&self) {
        if let Some(tls) = &self.tls {
            tls.refresh();
        }
        if let Some(directory) = &self.directory {
            directory.refresh();
        }
    }
}

fn grants(principal: &Principal, need: Need) -> Result<(), Refusal> {
    let verbs = match &need {
        Need::Nothing | Need::Principal => return Ok(()),
        Need::Right(verb) => std::slice::from_ref(verb),
        Need::AnyRight(verbs) => verbs,
    };
    let rights = principal.rights();
    if verbs.iter().any(|verb| rights.allow_any(*verb)) {
        return Ok(());
    }
    Err(verbs
        .first()
        .map_or(Refusal::NoCredentials, |verb| Refusal::missing(*verb, "")))
}

#[cfg(test)]
#[path = "protection_tests.rs"]
mod tests;
