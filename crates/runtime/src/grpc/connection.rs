//! Accepted connections: TCP_NODELAY, and a way to end them from outside.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Pause after an accept that failed for want of resources, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections that `listener` accepts, each with TCP_NODELAY (tonic's own option has no effect on a stream of
/// connections). Cancelling `cut` ends them all. The stream ends never and gives no errors: those of single
/// connections are skipped, a lack of resources is logged and waited out.
///
/// # Errors
/// The listener cannot be used, or no tokio runtime is running.
pub fn incoming(
    listener: TcpListener,
    cut: CancellationToken,
) -> io::Result<impl Stream<Item = io::Result<Connection>> + Send> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(futures_util::stream::unfold(
        (listener, cut),
        |(listener, cut)| async move {
            let connection = accept(&listener, &cut).await;
            Some((Ok(connection), (listener, cut)))
        },
    ))
}

async fn accept(listener: &tokio::net::TcpListener, cut: &CancellationToken) -> Connection {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match Connection::new(stream, cut) {
                Ok(connection) => return connection,
                Err(error) => tracing::debug!(%peer, %error, "a connection went away at once"),
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}

/// An accepted connection. Once it is cut, reading gives the end of the stream.
pub struct Connection {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: TcpStream, cut: &CancellationToken) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // A child of its own: connections then wait on no common lock.
        Ok(Self {
            stream,
            cut: Box::pin(cut.child_token().cancelled_owned()),
        })
    }

    /// Whether TCP_NODELAY is set, as the operating system says.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.stream.nodelay()
    }

    /// The client's address.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(read) => Poll::Ready(read),
            // An empty read is the end of the stream.
            Poll::Pending => self.cut.as_mut().poll(cx).map(Ok),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
