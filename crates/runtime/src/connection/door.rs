//! What a connection passes before its first byte of HTTP: the limit of its address, and TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protect::limits::{Budget, Place};
use protect::principals::Credentials;
use protect::tls::ServerTls;
use protect::{Admitted, Caller, Protection, Refusal};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::table::Connections;
use super::transport::Transport;

/// Who is at the other end of a connection.
#[derive(Debug, Default)]
pub struct Peer {
    /// Its address.
    pub address: Option<SocketAddr>,
    /// The names in its certificate, which was verified.
    pub names: Vec<String>,
    _place: Option<Place>,
    /// The principals that have made a call on the connection, as far as their connections are limited.
    owners: Mutex<Vec<Owner>>,
}

/// A principal's budget, and the connection's place in it.
type Owner = (Arc<Budget>, Option<Place>);

impl Peer {
    /// Asks `protection` about a call of this client.
    ///
    /// # Errors
    /// Why it may not be made.
    pub fn admit(
        &self,
        protection: &Protection,
        call: protect::access::Call<'_>,
        authorization: Option<&[u8]>,
    ) -> Result<Admitted, Refusal> {
        let credentials = Credentials {
            authorization,
            certificate: &self.names,
        };
        let admitted = protection.admit(call, credentials, self.ip())?;
        self.belongs_to(&admitted.caller)?;
        Ok(admitted)
    }

    /// Counts the connection among those of a principal, from its first call on it. Those of an address were counted when they
    /// were accepted.
    fn belongs_to(&self, caller: &Caller) -> Result<(), Refusal> {
        let counts =
            |budget: &&Arc<Budget>| !caller.is_unrestricted() && budget.counts_connections();
        let Some(budget) = caller.budget().filter(counts) else {
            return Ok(());
        };
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.iter().any(|(known, _)| Arc::ptr_eq(known, budget)) {
            return Ok(());
        }
        let place = budget.open_connection();
        let place = place.map_err(|limit| Refusal::Connections { limit })?;
        owners.push((Arc::clone(budget), place));
        Ok(())
    }

    fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }
}

/// The door of one port. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    protection: Protection,
    tls: Option<(TlsAcceptor, ServerTls)>,
    limit: Duration,
}

impl Door {
    /// With what `connections` are protected by. `protocols` are those of ALPN, the preferred first.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(connections: &Connections, protocols: &[&[u8]]) -> io::Result<Self> {
        let protection = connections.protection().clone();
        let tls = protection.tls().map(|tls| {
            let config = tls.config(protocols).map_err(io::Error::other)?;
            io::Result::Ok((TlsAcceptor::from(Arc::new(config)), tls.clone()))
        });
        Ok(Self {
            tls: tls.transpose()?,
            protection,
            limit: connections.policy().head_timeout,
        })
    }

    /// Lets an accepted stream in. A handshake may take as long as the head of a request.
    ///
    /// # Errors
    /// The address has as many connections as it may have; the handshake failed, or took too long.
    pub async fn enter(&self, stream: TcpStream) -> io::Result<(Transport, Peer)> {
        let address = stream.peer_addr().ok();
        let place = match address {
            Some(address) => self.protection.connect(address.ip()).map_err(|limit| {
                let problem =
                    format!("the address has {limit} connections, as many as it may have");
                io::Error::new(io::ErrorKind::ConnectionRefused, problem)
            })?,
            None => None,
        };
        let mut peer = Peer {
            address,
            names: Vec::new(),
            _place: place,
            owners: Mutex::default(),
        };
        let Some((acceptor, tls)) = &self.tls else {
            return Ok((Transport::Plain(stream), peer));
        };
        let handshake = tokio::time::timeout(self.limit, acceptor.accept(stream));
        let stream = handshake.await.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")
        })??;
        if let Some(chain) = stream.get_ref().1.peer_certificates() {
            peer.names = tls.client_names(chain);
        }
        Ok((Transport::Tls(Box::new(stream)), peer))
    }
}
