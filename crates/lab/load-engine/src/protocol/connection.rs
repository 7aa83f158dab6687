//! An open connection to a target: a socket that counts its bytes, with or without TLS above it.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::counted::Counted;

/// A connection whose bytes on the network are counted: with TLS those of its records, handshake included.
pub struct Connection(Layer);

enum Layer {
    Clear(Counted),
    Secure(Box<TlsStream<Counted>>),
}

impl Connection {
    pub(super) fn clear(socket: Counted) -> Self {
        Self(Layer::Clear(socket))
    }

    pub(super) fn secure(stream: TlsStream<Counted>) -> Self {
        Self(Layer::Secure(Box::new(stream)))
    }

    fn socket(&self) -> &TcpStream {
        match &self.0 {
            Layer::Clear(socket) => socket.socket(),
            Layer::Secure(stream) => stream.get_ref().0.socket(),
        }
    }

    /// Whether the target has neither closed an idle connection nor said anything on it.
    pub async fn is_open(&mut self) -> bool {
        if is_silent(self.socket()) {
            return true;
        }
        match &self.0 {
            Layer::Clear(_) => false,
            // What has come may be of TLS itself: a server sends tickets for later sessions after the handshake.
            Layer::Secure(_) => std::future::poll_fn(|context| self.poll_open(context)).await,
        }
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let mut byte = [0];
        let mut unasked = ReadBuf::new(&mut byte);
        match Pin::new(&mut *self).poll_read(context, &mut unasked) {
            // An end, an error, or data that nobody asked for.
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending if is_silent(self.socket()) => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Whether nothing waits to be read, not even an end.
fn is_silent(socket: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    let looked = socket2::SockRef::from(socket).peek(&mut byte);
    matches!(looked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match &mut $self.0 {
            Layer::Clear(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Layer::Secure(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        either!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        either!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Layer::Clear(socket) => socket.is_write_vectored(),
            Layer::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, stream => stream.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_was_closed_shows() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let mut client = Connection::clear(Counted::new(client.unwrap(), Arc::default()));
        assert!(client.is_open().await);
        drop(server);
        client.socket().readable().await.unwrap();
        assert!(!client.is_open().await);
    }
}
