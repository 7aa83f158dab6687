//! How fast refusals come.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a caller may wait for a refusal at most.
const AT_ONCE: Duration = Duration::from_millis(10);
/// Calls of a round; their 99th percentile counts.
const CALLS: usize = 100;
/// Rounds at most. Other work of the machine makes a round slower and never faster, so that one good round shows what the service
/// does.
const ROUNDS: usize = 10;
/// On a busy machine an answer may come later than a bare exchange of bytes by no more than this many of its 99th percentiles:
/// a request wakes several tasks of two processes.
const EXCHANGES: u32 = 8;

/// Checks that the 99th percentile of 100 calls, one after the other, is 10 ms at most, beside what a machine that does other
/// things takes for an exchange of bytes between two tasks. `call` makes one and checks that it is refused. Gives the percentile.
///
/// # Panics
/// No round of 10 was as fast as that.
pub async fn at_once(what: &str, mut call: impl AsyncFnMut()) -> Duration {
    let mut echo = Echo::start().await;
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let (mut calls, mut exchanges) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            let begun = Instant::now();
            call().await;
            calls.push(begun.elapsed());
            let begun = Instant::now();
            echo.exchange().await;
            exchanges.push(begun.elapsed());
        }
        let (call, exchange) = (percentile(calls), percentile(exchanges));
        if call <= AT_ONCE || call <= AT_ONCE + exchange * EXCHANGES {
            eprintln!(
                "{what}: refused within {call:?} (99th percentile), a bare exchange takes {exchange:?}"
            );
            return call;
        }
        told.push((call, exchange));
    }
    panic!("{what}: refused too late; 99th percentiles, and those of a bare exchange: {told:?}");
}

/// The 99th of a hundred.
fn percentile(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100 - 1]
}

/// A task that gives back each byte.
struct Echo(TcpStream);

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        // Ends with the client.
        tokio::spawn(async move {
            while let Ok(byte) = server.read_u8().await {
                if server.write_u8(byte).await.is_err() {
                    return;
                }
            }
        });
        Self(client)
    }

    async fn exchange(&mut self) {
        self.0.write_u8(1).await.unwrap();
        self.0.read_u8().await.unwrap();
    }
}
