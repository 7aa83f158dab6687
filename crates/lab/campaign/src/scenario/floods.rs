//! Clients by the hundred that are silent, slow, or take back what they asked for. Meanwhile health has to be answered.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::done::Done;
use crate::world::health::is_healthy;
use crate::world::{EVENT_LOG, World};

/// Connections of one act.
const MANY: usize = 150;
const HELD: Duration = Duration::from_millis(300);

pub(super) async fn flood(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    let which = random.below(EVENT_LOG + 1);
    let service = &world.services[which];
    let half_a_head = b"GET /health HTTP/1.1\r\nhost: x\r\nx-half".as_slice();
    let half_a_body =
        b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n[{"
            .as_slice();
    let flood = async {
        match random.below(5) {
            0 => connections(service.http(), b"", false).await,
            1 => connections(service.http(), half_a_head, true).await,
            2 => connections(service.http(), half_a_body, true).await,
            3 => connections(service.http(), half_a_body, false).await,
            _ => resets(service.http()).await,
        }
    };
    let health = async {
        tokio::time::sleep(HELD / 2).await;
        is_healthy(service).await
    };
    let (count, healthy) = tokio::join!(flood, health);
    if !healthy {
        done.broken.push(format!(
            "{} did not answer health under a flood",
            service.name()
        ));
    }
    done.recovered(world).await?;
    done.acts += count - 1;
    Ok(())
}

/// Opens connections, sends each the same, holds them, and closes them, or resets them.
async fn connections(address: SocketAddr, bytes: &[u8], reset: bool) -> u64 {
    let mut open = Vec::new();
    for _ in 0..MANY {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            continue;
        };
        // Refused already is as good.
        drop(stream.write_all(bytes).await);
        if reset {
            drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
        }
        open.push(stream);
    }
    tokio::time::sleep(HELD).await;
    open.len() as u64
}

/// Requests that are taken back at once (CVE-2023-44487), on one connection after the other.
async fn resets(address: SocketAddr) -> u64 {
    let mut connections = 0;
    for _ in 0..4 {
        connections += 1;
        let all = async {
            let stream = TcpStream::connect(address).await.ok()?;
            let (mut client, connection) = h2::client::handshake(stream).await.ok()?;
            let connection = tokio::spawn(connection);
            for _ in 0..500 {
                client = client.ready().await.ok()?;
                let request = http::Request::get("http://x/metrics").body(()).ok()?;
                let (_, mut stream) = client.send_request(request, true).ok()?;
                stream.send_reset(h2::Reason::CANCEL);
            }
            connection.abort();
            Some(())
        };
        drop(tokio::time::timeout(HELD, all).await);
    }
    connections
}
