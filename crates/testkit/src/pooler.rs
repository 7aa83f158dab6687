//! A connection pooler before PostgreSQL, as PgBouncer is one: in transaction mode each transaction gets a session that
//! other clients use too. Transactions in a row never get the same session while there are others, which brings out what
//! depends on it. It knows nothing of prepared statements, like PgBouncer before 1.21.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// How sessions are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A client has a session until it leaves; then `DISCARD ALL` makes it fit for the next one.
    Session,
    /// A transaction has one of these sessions.
    Transaction {
        /// Sessions at most; further transactions wait.
        sessions: usize,
    },
}

/// A running pooler; dropped, it takes no more clients.
#[derive(Debug)]
pub struct Pooler {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Pooler {
    /// Starts a pooler before the server at `target`, which must ask for no password, on a free port of 127.0.0.1. All
    /// its clients must be of one user and one database.
    pub async fn start(target: SocketAddr, mode: Mode) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let sessions = match mode {
            Mode::Session => Semaphore::MAX_PERMITS,
            Mode::Transaction { sessions } => sessions,
        };
        let pool = Arc::new(Pool {
            target,
            mode,
            idle: Mutex::default(),
            permits: Semaphore::new(sessions),
        });
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let pool = Arc::clone(&pool);
                // Ends with its client.
                tokio::spawn(async move { pool.serve(client).await.ok() });
            }
        });
        Self {
            address,
            accepting: accepting.abort_handle(),
        }
    }

    /// Where to connect instead of to the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Pool {
    target: SocketAddr,
    mode: Mode,
    idle: Mutex<VecDeque<TcpStream>>,
    permits: Semaphore,
}

const PROTOCOL_3: u32 = 196_608;
const SSL_REQUEST: u32 = 80_877_103;

impl Pool {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let startup = loop {
            let body = read_body(&mut client).await?;
            match code(&body) {
                PROTOCOL_3 => break body,
                SSL_REQUEST => client.write_all(b"N").await?,
                _cancel_or_unknown => return Ok(()),
            }
        };
        // AuthenticationOk, the parameters that clients look at, a key of the pooler's own, ReadyForQuery.
        let mut hello = message(b'R', &[0; 4]);
        for (name, value) in [("server_version", "15.0"), ("client_encoding", "UTF8")] {
            let text = format!("{name}\0{value}\0");
            hello.extend(message(b'S', text.as_bytes()));
        }
        hello.extend(message(b'K', &[1; 8]));
        hello.extend(message(b'Z', b"I"));
        client.write_all(&hello).await?;
        match self.mode {
            Mode::Session => self.serve_session(client, &startup).await,
            Mode::Transaction { .. } => self.serve_transactions(client, &startup).await,
        }
    }

    async fn serve_session(&self, mut client: TcpStream, startup: &[u8]) -> io::Result<()> {
        let mut session = self.session(startup).await?;
        while let Ok((kind, body)) = read_message(&mut client).await {
            if kind == b'X' {
                break;
            }
            session.write_all(&message(kind, &body)).await?;
            if ends_a_request(kind) {
                let state = relay_until_ready(&mut session, &mut client).await?;
                client.write_all(&message(b'Z', &[state])).await?;
            }
        }
        session.write_all(&message(b'Q', b"DISCARD ALL\0")).await?;
        relay_until_ready(&mut session, &mut tokio::io::sink()).await?;
        self.idle.lock().unwrap().push_back(session);
        Ok(())
    }

    async fn serve_transactions(&self, mut client: TcpStream, startup: &[u8]) -> io::Result<()> {
        loop {
            let mut next = read_message(&mut client).await?;
            if next.0 == b'X' {
                return Ok(());
            }
            let _permit = self.permits.acquire().await.unwrap();
            let mut session = self.session(startup).await?;
            let state = loop {
                let (kind, body) = next;
                if kind == b'X' {
                    return Ok(());
                }
                session.write_all(&message(kind, &body)).await?;
                if ends_a_request(kind) {
                    let state = relay_until_ready(&mut session, &mut client).await?;
                    if state == b'I' {
                        break state;
                    }
                    client.write_all(&message(b'Z', &[state])).await?;
                }
                next = read_message(&mut client).await?;
            };
            // Before the client hears of it: whoever comes next gets this session.
            self.idle.lock().unwrap().push_back(session);
            client.write_all(&message(b'Z', &[state])).await?;
        }
    }

    /// The session that was idle longest, or a new one while there are fewer than allowed.
    async fn session(&self, startup: &[u8]) -> io::Result<TcpStream> {
        let idle = {
            let mut idle = self.idle.lock().unwrap();
            idle.pop_front()
        };
        if let Some(session) = idle {
            return Ok(session);
        }
        let mut session = TcpStream::connect(self.target).await?;
        session.set_nodelay(true)?;
        session.write_all(&with_length(startup)).await?;
        relay_until_ready(&mut session, &mut tokio::io::sink()).await?;
        Ok(session)
    }
}

/// Query, Sync, FunctionCall: PostgreSQL answers with ReadyForQuery.
fn ends_a_request(kind: u8) -> bool {
    matches!(kind, b'Q' | b'S' | b'F')
}

/// Passes on what the server says before ReadyForQuery, whose state it returns: idle, in a transaction, in a failed one.
async fn relay_until_ready(
    session: &mut TcpStream,
    client: &mut (impl AsyncWriteExt + Unpin),
) -> io::Result<u8> {
    loop {
        let (kind, body) = read_message(session).await?;
        if kind == b'Z' {
            return Ok(body[0]);
        }
        client.write_all(&message(kind, &body)).await?;
    }
}

async fn read_message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    Ok((kind, read_body(stream).await?))
}

async fn read_body(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    let mut body = vec![0; length.saturating_sub(4)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

fn code(body: &[u8]) -> u32 {
    body.first_chunk()
        .map_or(0, |code| u32::from_be_bytes(*code))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(with_length(body));
    message
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut message = u32::try_from(body.len() + 4)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    message.extend(body);
    message
}
