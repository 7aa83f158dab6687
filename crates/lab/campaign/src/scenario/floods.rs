//! Clients by the hundred that are silent, slow, or take back what they asked for. Meanwhile health has to be answered.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::done::Done;
use crate::world::health::{Usage, is_healthy};
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
    let before = Usage::of(service)?;
    let mut taken = None;
    let flood = async {
        match random.below(6) {
            5 => {
                taken = endless_head(service.http()).await.err();
                1
            }
            0 => connections(service.http(), b"", false).await,
            1 => connections(service.http(), half_a_head, true).await,
            2 => connections(service.http(), half_a_body, true).await,
            3 => connections(service.http(), half_a_body, false).await,
            _ => resets(service.http()).await,
        }
    };
    let health = async {
        tokio::time::sleep(HELD / 2).await;
        let meanwhile = Usage::of(service);
        (is_healthy(service).await, meanwhile)
    };
    let (count, (healthy, meanwhile)) = tokio::join!(flood, health);
    done.broken.extend(taken);
    // What hundreds of connections hold is bounded while they hold it, not only once they are gone.
    let more = meanwhile?.memory_since(&before);
    done.broken
        .extend(more.map(|more| format!("{} used {more} during a flood", service.name())));
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

/// A head that never ends (CVE-2024-27316): CONTINUATION frames until the server ends the connection.
///
/// # Errors
/// It did not, with the bytes that were sent.
async fn endless_head(address: SocketAddr) -> Result<(), String> {
    /// Far more than any head, and than the buffers of both ends.
    const FRAMES: usize = 2_000;
    /// Whole fields of 62 bytes.
    const FRAME: usize = 264 * 62;
    const LIMIT: Duration = Duration::from_secs(3);
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return Ok(());
    };
    let (mut reader, mut writer) = stream.split();
    let mut sent = 0;
    let write = async {
        // The preface with empty SETTINGS, and HEADERS of stream 1 that do not end with it.
        let begin =
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82";
        writer.write_all(begin).await?;
        // Literals without indexing, each of 62 bytes: name `x`, and a value.
        let mut field = vec![0, 1, b'x', 58];
        field.resize(62, b'v');
        let mut frame = vec![0, (FRAME >> 8) as u8, FRAME as u8, 9, 0, 0, 0, 0, 1];
        frame.extend(field.iter().cycle().take(FRAME));
        for _ in 0..FRAMES {
            writer.write_all(&frame).await?;
            sent += FRAME;
        }
        // Nothing more is sent, and the connection stays.
        std::future::pending::<std::io::Result<()>>().await
    };
    let mut answer = Vec::new();
    let ended = async {
        tokio::select! {
            // A reset is an end as well as any.
            _ = reader.read_to_end(&mut answer) => {}
            _ = write => {}
        }
    };
    match tokio::time::timeout(LIMIT, ended).await {
        Ok(()) => Ok(()),
        Err(_) => Err(format!(
            "{address} kept a connection whose head had {sent} bytes and no end"
        )),
    }
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
