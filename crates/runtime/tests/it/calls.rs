//! Calls as only a client of bytes can make them: with deadlines that only the server keeps, halves of messages, floods.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use runtime::connection::ConnectionPolicy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::grpc::{Face, start, start_waiter};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const PATIENCE: Duration = Duration::from_secs(20);
const DEADLINE_EXCEEDED: &str = "4";
const RESOURCE_EXHAUSTED: &str = "8";

fn quick() -> ConnectionPolicy {
    ConnectionPolicy {
        head_timeout: Duration::from_secs(1),
        body_timeout: Duration::from_secs(1),
        ..ConnectionPolicy::default()
    }
}

/// A connection of HTTP/2 without anything above.
async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    // Ends with the connection.
    drop(tokio::spawn(connection));
    sender
}

/// A `HealthCheckRequest` for `service` as it goes over the network.
fn message(service: &str) -> Bytes {
    let field = [
        &[10, u8::try_from(service.len()).unwrap()],
        service.as_bytes(),
    ]
    .concat();
    let prefix = [0, 0, 0, 0, u8::try_from(field.len()).unwrap()];
    [&prefix[..], &field].concat().into()
}

async fn begin(
    connection: &SendRequest<Bytes>,
    path: &str,
    headers: &[(&str, &str)],
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request = Request::post(format!("http://test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut ready = connection.clone().ready().await.unwrap();
    ready
        .send_request(request.body(()).unwrap(), false)
        .unwrap()
}

/// A call of `path` for `service`, its head and how it ends.
async fn call(
    connection: &SendRequest<Bytes>,
    path: &str,
    headers: &[(&str, &str)],
    service: &str,
) -> (HeaderMap, HeaderMap) {
    let (answer, mut body) = begin(connection, path, headers).await;
    body.send_data(message(service), true).unwrap();
    ended(answer).await
}

async fn ended(answer: ResponseFuture) -> (HeaderMap, HeaderMap) {
    let answer = tokio::time::timeout(PATIENCE, answer)
        .await
        .expect("in time");
    let (head, mut body) = answer.unwrap().into_parts();
    let trailers = tokio::time::timeout(PATIENCE, rest(&mut body)).await;
    let trailers = trailers
        .expect("in time")
        .unwrap_or_else(|| head.headers.clone());
    (head.headers, trailers)
}

async fn rest(body: &mut RecvStream) -> Option<HeaderMap> {
    while let Some(piece) = body.data().await {
        let length = piece.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
    }
    body.trailers().await.unwrap()
}

fn assert_counted(face: &Face, code: &str, method: &str, times: u32) {
    let text = face.metrics.render().unwrap();
    let line = format!(r#"grpc_requests_total{{code="{code}",method="{method}"}} {times}"#);
    assert!(text.contains(&line), "no {line} in\n{text}");
}

#[tokio::test]
async fn a_passed_deadline_is_deadline_exceeded_and_counted_so() {
    let face = start_waiter(ConnectionPolicy::default()).await;
    let connection = connect(face.address).await;
    for path in [CHECK, WATCH] {
        let begun = Instant::now();
        let (_, end) = call(&connection, path, &[("grpc-timeout", "300m")], "60000").await;
        assert_eq!(end["grpc-status"], DEADLINE_EXCEEDED, "{path}");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(290), "{path}: {took:?}");
        assert_counted(&face, "DEADLINE_EXCEEDED", path, 1);
    }
    // What nobody waits for is dropped.
    assert_eq!(face.in_flight.count(), 0);
    let (_, end) = call(&connection, CHECK, &[("grpc-timeout", "9S")], "1").await;
    assert_eq!(end["grpc-status"], "0");
    assert_counted(&face, "OK", CHECK, 1);
}

/// All that a client sees of an answer but its id and its date.
async fn whole_answer(
    connection: &SendRequest<Bytes>,
    headers: &[(&str, &str)],
    pieces: &[&[u8]],
) -> (HeaderMap, Vec<u8>, Option<HeaderMap>) {
    let (answer, mut request) = begin(connection, CHECK, headers).await;
    for (place, piece) in pieces.iter().enumerate() {
        // An answer may be there before the whole request.
        request
            .send_data(Bytes::copy_from_slice(piece), place + 1 == pieces.len())
            .ok();
        tokio::task::yield_now().await;
    }
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    let (mut head, mut body) = answer.expect("in time").unwrap().into_parts();
    assert_eq!(head.status, 200);
    assert!(head.headers.remove("x-request-id").is_some());
    head.headers.remove("date");
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        whole.extend_from_slice(&piece);
    }
    (head.headers, whole, body.trailers().await.unwrap())
}

#[tokio::test]
async fn a_unary_call_is_answered_alike_whichever_way_it_is_read() {
    let direct = start_waiter(ConnectionPolicy::default()).await;
    let generated = start(Duration::from_secs(5), false).await;
    let connections = [
        connect(direct.address).await,
        connect(generated.address).await,
    ];
    let (good, wrong) = (message("1"), message("one"));
    let (good, wrong) = (&good[..], &wrong[..]);
    let large = [&[0, 0, 0x50, 0, 0][..], &[0; 100]].concat();
    let two = [good, good].concat();
    let cases: [(&str, &[&[u8]]); 11] = [
        ("whole", &[good]),
        ("an error of the method", &[wrong]),
        ("the end by itself", &[good, b""]),
        ("in pieces", &[&good[..3], &good[3..]]),
        ("nothing", &[b""]),
        ("an empty message", &[b"\0\0\0\0\0"]),
        ("a part of a message", &[&good[..6]]),
        ("two messages", &[&two]),
        ("no message", &[b"\0\0\0\0\x02\xff\xff"]),
        ("compressed, but not said so", &[b"\x01\0\0\0\x01a"]),
        ("too large", &[&large]),
    ];
    for (what, pieces) in cases {
        let mut answers = Vec::new();
        for connection in &connections {
            answers.push(whole_answer(connection, &[], pieces).await);
        }
        assert_eq!(answers[0], answers[1], "{what}");
    }
    let others = [
        ("grpc-encoding", "identity"),
        ("grpc-encoding", "gzip"),
        ("grpc-encoding", "zstd"),
        // The method reads it.
        ("test-refuse", "1"),
    ];
    for header in others {
        let headers = [header];
        let mut answers = Vec::new();
        for connection in &connections {
            answers.push(whole_answer(connection, &headers, &[good]).await);
        }
        assert_eq!(answers[0], answers[1], "{header:?}");
    }
    let (head, ..) = whole_answer(&connections[0], &[("test-refuse", "1")], &[good]).await;
    assert_eq!(head["grpc-status"], "7", "metadata reaches the method");
    let (head, body, trailers) = whole_answer(&connections[0], &[], &[good]).await;
    assert_eq!(head["content-type"], "application/grpc");
    assert_eq!(body, b"\0\0\0\0\x02\x08\x01");
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
}

/// The client's clock began earlier: it may reset the stream a moment before the server would.
#[tokio::test]
async fn a_client_that_gives_up_at_its_deadline_is_counted_so_and_another_as_cancelled() {
    let face = start_waiter(ConnectionPolicy::default()).await;
    let connection = connect(face.address).await;
    for (wait_ms, code) in [(590, "DEADLINE_EXCEEDED"), (10, "CANCELLED")] {
        let (answer, mut body) = begin(&connection, CHECK, &[("grpc-timeout", "600m")]).await;
        let begun = Instant::now();
        body.send_data(message("60000"), true).unwrap();
        testkit::eventually("the call has begun", async || face.in_flight.count() == 1).await;
        // Time itself is tested: the reset comes shortly before the deadline, or long before it.
        tokio::time::sleep(Duration::from_millis(wait_ms).saturating_sub(begun.elapsed())).await;
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
        testkit::eventually(code, async || face.metrics.render().unwrap().contains(code)).await;
        assert_counted(&face, code, CHECK, 1);
    }
}

#[tokio::test]
async fn ids_are_given_back_as_metadata() {
    let face = start_waiter(ConnectionPolicy::default()).await;
    let connection = connect(face.address).await;
    for (service, status) in [("1", "0"), ("no number", "3")] {
        let sent = [("x-request-id", "an-id")];
        let (head, end) = call(&connection, CHECK, &sent, service).await;
        assert_eq!(end["grpc-status"], status);
        assert_eq!(head["x-request-id"], "an-id");
        let (head, _) = call(&connection, CHECK, &[], service).await;
        assert_eq!(head["x-request-id"].len(), 32);
    }
}

#[tokio::test]
async fn a_message_that_stops_is_deadline_exceeded() {
    let face = start_waiter(quick()).await;
    let connection = connect(face.address).await;
    // Nothing, a part of the length, a part of the message, all but the end of the stream.
    for part in [0, 3, 7, message("1").len()] {
        let (answer, mut body) = begin(&connection, CHECK, &[]).await;
        if part > 0 {
            body.send_data(message("1").slice(..part), false).unwrap();
        }
        let (_, end) = ended(answer).await;
        assert_eq!(end["grpc-status"], DEADLINE_EXCEEDED, "{part}");
    }
}

#[tokio::test]
async fn unfinished_messages_are_bounded_over_all_connections() {
    let policy = ConnectionPolicy {
        max_unfinished_bytes: 100_000,
        ..ConnectionPolicy::default()
    };
    let face = start_waiter(policy).await;
    let mut open = Vec::new();
    for number in 0..3 {
        let connection = connect(face.address).await;
        let (answer, mut body) = begin(&connection, CHECK, &[]).await;
        let part = [&[0, 0, 1, 0, 0][..], &[0; 45_000]].concat();
        body.send_data(part.into(), false).unwrap();
        if number < 2 {
            testkit::eventually("the bytes are counted", async || {
                face.connections.unfinished().bytes() >= (number + 1) * 45_000
            })
            .await;
            open.push((connection, answer, body));
        } else {
            let (_, end) = ended(answer).await;
            assert_eq!(end["grpc-status"], RESOURCE_EXHAUSTED);
            assert_eq!(end["retry-after"], "1");
        }
    }
    drop(open);
    testkit::eventually("the bytes are given back", async || {
        face.connections.unfinished().bytes() == 0
    })
    .await;
}

#[tokio::test]
async fn an_unknown_encoding_is_unimplemented_and_says_what_is_taken() {
    let face = start_waiter(ConnectionPolicy::default()).await;
    let connection = connect(face.address).await;
    let (head, end) = call(&connection, CHECK, &[("grpc-encoding", "br")], "1").await;
    assert_eq!(end["grpc-status"], "12");
    assert!(head.contains_key("grpc-accept-encoding"), "{head:?}");
}

/// Floods of frames that cost the client nothing end its connection, on both faces.
#[tokio::test]
async fn floods_of_control_frames_end_the_connection() {
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
    let settings = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    let empty_data = vec![0, 0, 0, 0, 0, 0, 0, 0, 1];
    // A call that is reset at once, again and again: HEADERS with ":method: POST" alone, then RST_STREAM.
    let reset = |number: u32| {
        let id = (2 * number + 1).to_be_bytes();
        let headers = [&[0, 0, 1, 1, 4][..], &id, &[0x83]].concat();
        [&headers[..], &[0, 0, 4, 3, 0], &id, &[0, 0, 0, 8]].concat()
    };
    let face = start_waiter(ConnectionPolicy::default()).await;
    let rest = crate::http::start(Duration::from_secs(5));
    for address in [face.address, rest.address] {
        for (frame, name) in [
            (&ping, "ping"),
            (&settings, "settings"),
            (&empty_data, "data"),
        ] {
            assert!(floods_end(address, |_| frame.clone()).await, "{name}");
        }
        assert!(floods_end(address, reset).await, "reset");
    }
    let connection = connect(face.address).await;
    let (_, end) = call(&connection, CHECK, &[], "1").await;
    assert_eq!(end["grpc-status"], "0", "the server goes on");
    let answer = testkit::http::get(rest.address, "/metrics").await;
    assert_eq!(answer.status, 200, "the server goes on");
}

/// actix-web tells clients of HTTP/2 no bound; gRPC's is in its settings.
#[tokio::test]
async fn an_http2_connection_has_a_bounded_number_of_requests() {
    let policy = ConnectionPolicy {
        max_streams: 3,
        ..ConnectionPolicy::default()
    };
    let rest = crate::http::start_with(Duration::from_secs(5), policy);
    let connection = connect(rest.address).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(echo(&connection, "1000").await);
    }
    testkit::eventually("three requests wait", async || rest.in_flight.count() == 3).await;
    let refused = echo(&connection, "1").await.await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    assert_eq!(echo(&connection, "1").await.await.unwrap().status(), 200);
}

/// Asks for an echo, which comes after that many milliseconds.
async fn echo(connection: &SendRequest<Bytes>, wait: &'static str) -> ResponseFuture {
    let request = Request::post("http://test/echo").header("content-type", "application/json");
    let mut ready = connection.clone().ready().await.unwrap();
    let request = request.body(()).unwrap();
    let (answer, mut body) = ready.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(wait.as_bytes()), true)
        .unwrap();
    answer
}

async fn floods_end(address: SocketAddr, frame: impl Fn(u32) -> Vec<u8>) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut answers, mut requests) = stream.split();
    let sending = async {
        let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        requests.write_all(begin).await?;
        for number in 0..100_000 {
            requests.write_all(&frame(number)).await?;
        }
        std::io::Result::Ok(())
    };
    let reading = async {
        let mut buffer = vec![0; 65536];
        while answers.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let both = async {
        tokio::select! {
            sent = sending => sent.is_err(),
            () = reading => true,
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap_or(false)
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go_away() {
    let policy = ConnectionPolicy {
        max_idle: Some(Duration::from_millis(500)),
        ..ConnectionPolicy::default()
    };
    let face = start_waiter(policy).await;
    let stream = TcpStream::connect(face.address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let ended = tokio::spawn(connection);
    // A call that is open keeps it.
    let (_, end) = call(&sender, CHECK, &[], "1500").await;
    assert_eq!(end["grpc-status"], "0");
    let ended = tokio::time::timeout(PATIENCE, ended)
        .await
        .unwrap()
        .unwrap();
    assert!(ended.is_ok(), "{ended:?}: closed without an error");
}

#[tokio::test]
async fn connections_that_never_speak_are_closed() {
    let face = start_waiter(quick()).await;
    testkit::network::silence_is_closed(face.address).await;
}
