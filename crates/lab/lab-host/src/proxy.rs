//! A TCP proxy that stands for the network between two programs: it cuts, freezes and delays connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use crate::accepting;

/// A running proxy; dropped, it ends with all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    cut: broadcast::Sender<()>,
    accepting: AbortHandle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Passes everything on.
    Open,
    /// Accepts connections and closes them at once.
    Refusing,
    /// Accepts everything and passes nothing on.
    Frozen,
    /// Passes everything on, this much later.
    Slow(Duration),
}

impl Proxy {
    /// Starts a proxy to `target` on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// There is none.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = watch::Sender::new(State::Open);
        let cut = broadcast::Sender::new(1);
        let accepting = tokio::spawn(accept(listener, target, state.subscribe(), cut.clone()));
        Ok(Self {
            address,
            state,
            cut,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where to connect instead of to the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections; new ones are passed on.
    pub fn cut(&self) {
        // No receiver means no connection.
        self.cut.send(()).ok();
    }

    /// Cuts all connections and refuses new ones, until [`Proxy::open`].
    pub fn refuse(&self) {
        self.state.send_replace(State::Refusing);
        self.cut();
    }

    /// Passes nothing on any more, in either direction, without closing anything: a network that lost its way.
    pub fn freeze(&self) {
        self.state.send_replace(State::Frozen);
    }

    /// Passes everything on `by` later, until [`Proxy::open`].
    pub fn delay(&self, by: Duration) {
        self.state.send_replace(State::Slow(by));
    }

    /// Works again; what was held back goes on its way.
    pub fn open(&self) {
        self.state.send_replace(State::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    state: watch::Receiver<State>,
    cut: broadcast::Sender<()>,
) {
    let cut = Arc::new(cut);
    loop {
        let client = accepting::next(&listener).await;
        if *state.borrow() == State::Refusing {
            continue;
        }
        // Ends when both sides have closed, or at a cut; the proxy sends that at its own end too.
        tokio::spawn(connection(client, target, state.clone(), cut.subscribe()));
    }
}

async fn connection(
    client: TcpStream,
    target: SocketAddr,
    state: watch::Receiver<State>,
    mut cut: broadcast::Receiver<()>,
) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    if client
        .set_nodelay(true)
        .and_then(|()| server.set_nodelay(true))
        .is_err()
    {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = async {
        tokio::join!(
            pass(from_client, to_server, state.clone()),
            pass(from_server, to_client, state.clone())
        )
    };
    tokio::select! {
        _ = both => {}
        _ = cut.recv() => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let passes = state.wait_for(|state| *state != State::Frozen).await;
        let Ok(passes) = passes.map(|state| *state) else {
            return;
        };
        if let State::Slow(by) = passes {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
