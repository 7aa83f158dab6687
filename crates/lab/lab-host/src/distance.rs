//! A TCP proxy that stands for a distance between two programs: what passes it arrives later, by a delay that differs a
//! little, and some of it after it was lost and sent again. Many segments are on their way at a time, as in a network; the
//! order of a connection stays.
//!
//! A lost segment costs what TCP needs to notice it: the shortest timeout that Linux waits before it sends again (200 ms), or
//! the time there and back where that is longer. What follows it on its connection waits for it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;

use crate::accepting;

/// Bytes of a segment on Ethernet.
const SEGMENT: usize = 1448;
/// The shortest time after which Linux sends a segment again.
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// Reads that are on their way on one connection in one direction: at 64 KiB each they hold 64 MiB at most.
const ON_THE_WAY: usize = 1024;
/// Bytes of one read.
const READ: usize = 64 * 1024;

/// What a segment meets, in either direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// Time on the way.
    pub delay: Duration,
    /// By which it differs at most, to either side.
    pub jitter: Duration,
    /// Share of the segments that are lost, 0 to 1.
    pub loss: f64,
}

impl Way {
    /// How long a read of `length` bytes is on its way, by random numbers from 0 to 1.
    fn takes(&self, length: usize, random: &mut impl FnMut() -> f64) -> Duration {
        let jitter = self.jitter.as_secs_f64() * (random() * 2.0 - 1.0);
        let mut takes = Duration::from_secs_f64((self.delay.as_secs_f64() + jitter).max(0.0));
        for _ in 0..length.div_ceil(SEGMENT) {
            if random() < self.loss {
                takes += RETRANSMISSION.max(self.delay * 2);
            }
        }
        takes
    }
}

/// A running proxy; dropped, it ends with all its connections.
#[derive(Debug)]
pub struct Distant {
    address: SocketAddr,
    accepting: AbortHandle,
    end: broadcast::Sender<()>,
}

impl Distant {
    /// Starts a proxy to `target` at `at`, whose port may be 0. `random` gives each direction of each connection, by its number,
    /// random numbers from 0 (included) to 1 (excluded).
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start<R: FnMut() -> f64 + Send + 'static>(
        at: SocketAddr,
        target: SocketAddr,
        way: Way,
        random: impl Fn(u64) -> R + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let end = broadcast::Sender::new(1);
        let ended = end.clone();
        let accepting = tokio::spawn(async move {
            let mut number = 0;
            loop {
                let client = accepting::next(&listener).await;
                let ways = [number, number + 1].map(&random);
                number += 2;
                let mut ended = ended.subscribe();
                // Ends when both sides have closed, or with the proxy.
                tokio::spawn(async move {
                    tokio::select! {
                        _ = connection(client, target, way, ways) => {}
                        _ = ended.recv() => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            accepting: accepting.abort_handle(),
            end,
        })
    }

    /// Where to connect instead of to the target.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Distant {
    fn drop(&mut self) {
        self.accepting.abort();
        // No receiver means no connection.
        self.end.send(()).ok();
    }
}

async fn connection<R: FnMut() -> f64>(
    client: TcpStream,
    target: SocketAddr,
    way: Way,
    [there, back]: [R; 2],
) -> io::Result<()> {
    // There and back, before the first byte can be sent.
    tokio::time::sleep(way.delay * 2).await;
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        pass(from_client, to_server, way, there),
        pass(from_server, to_client, way, back)
    );
    Ok(())
}

/// Passes one direction on until its end, which arrives as late as the bytes before it.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut random: impl FnMut() -> f64,
) {
    let (sender, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let reading = async move {
        let mut buffer = vec![0; READ];
        let mut last = Instant::now();
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            // Nothing overtakes what was sent before it.
            last = last.max(Instant::now() + way.takes(length, &mut random));
            if sender
                .send((last, buffer[..length].to_vec()))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            tokio::time::sleep_until(at.into()).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        to.shutdown().await.ok();
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use lab_verdict::random::SplitMix64;

    use super::*;

    fn random(number: u64) -> impl FnMut() -> f64 {
        let mut random = SplitMix64::of_stream(7, number);
        move || random.unit()
    }

    /// A server that answers each byte with itself, behind such a distance.
    async fn echo(way: Way) -> (Distant, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let proxy = Distant::start(here, target, way, random).await.unwrap();
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        client.set_nodelay(true).unwrap();
        (proxy, client)
    }

    async fn round_trip(client: &mut TcpStream) -> Duration {
        let begun = Instant::now();
        client.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
        begun.elapsed()
    }

    #[tokio::test]
    async fn an_answer_takes_the_delay_twice_and_many_are_on_their_way_at_a_time() {
        let way = Way {
            delay: Duration::from_millis(30),
            jitter: Duration::ZERO,
            loss: 0.0,
        };
        let (_proxy, mut client) = echo(way).await;
        round_trip(&mut client).await;
        assert!(round_trip(&mut client).await >= Duration::from_millis(60));
        // One after the other 50 of them would take 3 s.
        let (mut from, mut to) = client.into_split();
        let begun = Instant::now();
        let sending = async move {
            for _ in 0..50 {
                to.write_all(b"x").await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            to
        };
        let reading = async move {
            let mut all = [0; 50];
            from.read_exact(&mut all).await.unwrap();
        };
        tokio::join!(sending, reading);
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test]
    async fn what_is_lost_comes_after_it_was_sent_again() {
        let way = Way {
            delay: Duration::from_millis(1),
            jitter: Duration::from_micros(500),
            loss: 1.0,
        };
        let (_proxy, mut client) = echo(way).await;
        assert!(round_trip(&mut client).await >= 2 * RETRANSMISSION);
    }

    #[test]
    fn delays_lie_within_the_jitter_and_losses_are_as_often_as_asked_for() {
        let way = Way {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(2),
            loss: 0.1,
        };
        let mut random = random(9);
        let takes: Vec<Duration> = (0..10_000).map(|_| way.takes(100, &mut random)).collect();
        let lost = takes
            .iter()
            .filter(|takes| **takes >= RETRANSMISSION)
            .count();
        // Binomial with mean 1000 and deviation 30.
        assert!((800..1200).contains(&lost), "{lost}");
        let others = takes.iter().filter(|takes| **takes < RETRANSMISSION);
        let within = |takes: &Duration| (18.0..=22.0).contains(&(takes.as_secs_f64() * 1000.0));
        assert!(others.clone().all(within));
        let mean = others.clone().sum::<Duration>() / u32::try_from(others.count()).unwrap();
        assert!(
            mean.abs_diff(way.delay) < Duration::from_micros(200),
            "{mean:?}"
        );
        // Of a read of many segments each may be lost.
        let all = Way { loss: 1.0, ..way };
        assert!(all.takes(3 * SEGMENT, &mut random) >= 3 * RETRANSMISSION);
    }
}
