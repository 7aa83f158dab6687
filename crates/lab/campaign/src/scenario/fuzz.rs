//! Requests and frames that nobody would send: valid ones with bytes changed, taken out, doubled and mixed, over HTTP/1.1 and as
//! messages of gRPC, and HTTP/2 frames of random types. Each port has to answer what can be answered, never with a fault of its
//! own (500), and to be well afterwards.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use lab_verdict::random::SplitMix64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::done::Done;
use crate::world::{BALANCE, EVENT_LOG, PRODUCER_GRPC, PRODUCER_REST, STREAM, World};

/// Connections at a time, and rounds of them in an act: most wait for a rest that never comes, so that many cost little.
const CONNECTIONS: usize = 128;
const ROUNDS: usize = 10;
/// Requests on a connection.
const REQUESTS: usize = 24;
/// Longest wait for answers: requests whose length was changed wait for a rest that never comes.
const LIMIT: Duration = Duration::from_millis(400);

const JSON: &str = "host: x\r\ncontent-type: application/json\r\n";

/// Bytes that mean something to a parser.
const ODD: &[u8] = b"\0\r\n\"{}[]%:, 0-9\xff";

/// A request, and how much of it stays as it is: names that are changed would make new partitions by the thousand.
struct Template {
    bytes: Vec<u8>,
    fixed: usize,
}

fn templates(service: usize) -> Vec<Template> {
    let get = |path: &str| Template {
        bytes: format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes(),
        fixed: 0,
    };
    let post = |path: &str, body: &str| {
        let line = format!("POST {path} HTTP/1.1\r\n");
        let length = body.len();
        Template {
            fixed: if service == EVENT_LOG { line.len() } else { 0 },
            bytes: format!("{line}{JSON}content-length: {length}\r\n\r\n{body}").into_bytes(),
        }
    };
    let event = r#"{"eventHeader":{"eventName":"CarCreated","createdDate":"2024-01-15T10:30:00Z","savedDate":1705314605000},"eventBody":{"entities":[{"entityType":"Fuzz","entityId":"f","updatedAttributes":{"a":1.5e3,"b":["\u00e9",null]}}]}}"#;
    match service {
        PRODUCER_REST => vec![
            post("/api/v1/events", event),
            post("/api/v1/events/bulk", &format!("[{event},{event}]")),
            get("/api/v1/events/health"),
            get("/metrics"),
        ],
        BALANCE => vec![
            get("/api/v1/accounts/1/balance"),
            get("/api/v1/accounts/balances?ids=1,2,%33"),
            get("/health"),
        ],
        STREAM => vec![
            get(
                "/api/v1/transactions/stream?since=1970-01-01T00:00:00Z&limit=2&rate=1000&account=0.0.1",
            ),
            get("/health"),
        ],
        EVENT_LOG => vec![
            post(
                "/api/v1/logs/fuzz",
                r#"{"a":[1,2.50,"\ud83d\ude00",{"b":null}]}"#,
            ),
            post(
                "/api/v1/topics/clock/records",
                r#"{"records":[{"partition":0,"key":"k","value":"v","headers":[{"key":"h","value":"x"}]}],"acks":-1}"#,
            ),
            get("/api/v1/logs/fuzz?start=0&limit=3"),
            get("/api/v1/logs/fuzz/verify"),
            get("/api/v1/logs/fuzz/last"),
            get("/api/v1/topics/clock/partitions/0/records?offset=0&maxBytes=100&maxWaitMs=1"),
            get("/api/v1/groups"),
            get("/api/v1/topics"),
        ],
        _ => vec![get("/metrics"), get("/health")],
    }
}

const METHODS: [(usize, &[&str]); 4] = [
    (
        PRODUCER_GRPC,
        &[
            "com.example.grpc.EventService/ProcessEvent",
            "com.example.grpc.EventService/ProcessEvents",
            "grpc.health.v1.Health/Check",
        ],
    ),
    (
        BALANCE,
        &[
            "benchmark.BalanceService/GetBalance",
            "benchmark.BalanceService/GetBalances",
        ],
    ),
    (STREAM, &["benchmark.TransactionService/StreamTransactions"]),
    (
        EVENT_LOG,
        &[
            "takhin.v1.TakhinService/ProduceMessage",
            "takhin.v1.TakhinService/ConsumeMessages",
            "takhin.v1.TakhinService/DescribeTopics",
            "immutablelog.ImmutableLogService/Read",
            "immutablelog.ImmutableLogService/Verify",
        ],
    ),
];

pub(super) async fn send(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    let mut faults = Vec::new();
    let mut sent = 0;
    for _ in 0..ROUNDS {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let mut own = SplitMix64::of_stream(random.next_u64(), 0);
            match own.below(4) {
                0 => {
                    let (service, methods) = METHODS[own.below(METHODS.len())];
                    running.spawn(calls(world.grpc(service), methods, own));
                }
                1 => {
                    let (service, _) = METHODS[own.below(METHODS.len())];
                    running.spawn(frames(world.grpc(service), own));
                }
                _ => {
                    let service = own.below(EVENT_LOG + 1);
                    running.spawn(requests(world.http(service), templates(service), own));
                }
            }
        }
        while let Some(ended) = running.join_next().await {
            let (count, fault) = ended?;
            sent += count;
            faults.extend(fault);
        }
    }
    faults.truncate(3);
    done.broken.append(&mut faults);
    done.recovered(world).await?;
    // Requests count, not rounds of them.
    done.acts += sent - 1;
    Ok(())
}

/// Changed bytes, a few at a time.
fn mutate(bytes: &mut Vec<u8>, fixed: usize, random: &mut SplitMix64) {
    for _ in 0..random.below(4) {
        let free = bytes.len().saturating_sub(fixed);
        if free == 0 {
            return;
        }
        let at = fixed + random.below(free);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next_u64() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            4 => bytes[at] = ODD[random.below(ODD.len())],
            _ => bytes.truncate(at),
        }
    }
}

/// Many requests on one connection; what comes back with 500 is told.
async fn requests(
    address: SocketAddr,
    templates: Vec<Template>,
    mut random: SplitMix64,
) -> (u64, Option<String>) {
    let mut bytes = Vec::new();
    for _ in 0..REQUESTS {
        let template = &templates[random.below(templates.len())];
        let mut one = template.bytes.clone();
        mutate(&mut one, template.fixed, &mut random);
        bytes.extend(one);
    }
    bytes.extend(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let answer = exchange(address, &bytes).await;
    let text = String::from_utf8_lossy(&answer);
    let fault = text.find("HTTP/1.1 500").map(|at| {
        let answer: String = text[at..].chars().take(300).collect();
        format!("{address} answers {answer:?}")
    });
    (REQUESTS as u64, fault)
}

/// A preface, and frames of random types, flags, streams and contents.
async fn frames(address: SocketAddr, mut random: SplitMix64) -> (u64, Option<String>) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for _ in 0..REQUESTS {
        let length = random.below(64);
        bytes.extend([0, 0, length as u8]);
        bytes.extend([random.below(11) as u8, random.next_u64() as u8]);
        bytes.extend([0, 0, 0, random.below(8) as u8]);
        bytes.extend((0..length).map(|_| random.next_u64() as u8));
    }
    drop(exchange(address, &bytes).await);
    (REQUESTS as u64, None)
}

/// Sends bytes and reads until the server closes, or for a moment.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let both = async {
        let mut stream = TcpStream::connect(address).await?;
        let (mut reader, mut writer) = stream.split();
        let (read, _) = tokio::join!(reader.read_to_end(&mut answer), writer.write_all(bytes));
        read
    };
    // A connection that is reset is an answer too.
    drop(tokio::time::timeout(LIMIT, both).await);
    answer
}

/// Calls with messages that were changed.
async fn calls(
    address: SocketAddr,
    methods: &'static [&'static str],
    mut random: SplitMix64,
) -> (u64, Option<String>) {
    let begun = Instant::now();
    let all = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let (mut client, connection) = h2::client::handshake(stream).await.ok()?;
        let connection = tokio::spawn(connection);
        for _ in 0..REQUESTS {
            let request =
                http::Request::post(format!("http://x/{}", methods[random.below(methods.len())]))
                    .header("content-type", "application/grpc")
                    .header("te", "trailers")
                    .header("grpc-timeout", "100m")
                    .body(())
                    .ok()?;
            client = client.ready().await.ok()?;
            let (answer, mut body) = client.send_request(request, false).ok()?;
            // A field of text, one of a message, a number: something that any of the messages takes for its own.
            let mut message = b"\x0a\x05clock\x12\x03\x0a\x01v\x18\x00\x20\x01".to_vec();
            mutate(&mut message, 0, &mut random);
            let length = u32::try_from(message.len()).unwrap_or_default();
            let mut frame = vec![u8::from(random.below(20) == 0)];
            frame.extend(length.to_be_bytes());
            frame.extend(message);
            if random.below(20) == 0 {
                mutate(&mut frame, 0, &mut random);
            }
            body.send_data(Bytes::from(frame), true).ok()?;
            drop(tokio::time::timeout(LIMIT, answer).await);
        }
        drop(client);
        connection.abort();
        Some(())
    };
    drop(tokio::time::timeout(LIMIT * 10, all).await);
    tokio::time::sleep(Duration::from_millis(1).saturating_sub(begun.elapsed())).await;
    (REQUESTS as u64, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_part_stays_and_the_rest_changes() {
        let mut random = SplitMix64::of_stream(1, 0);
        let mut changed = 0;
        for _ in 0..1000 {
            let mut bytes = b"POST /x HTTP/1.1\r\nbody and more of it".to_vec();
            let before = bytes.clone();
            mutate(&mut bytes, 18, &mut random);
            assert_eq!(bytes[..18], before[..18]);
            changed += usize::from(bytes != before);
        }
        assert!(changed > 500, "{changed}");
    }
}
