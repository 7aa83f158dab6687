use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use runtime::connection::{ConnectionPolicy, Connections, Requests};
use runtime::http::{self, resource};
use runtime::metrics::Metrics;
use runtime::shutdown::{Ending, InFlight};
use runtime::status::{Failure, Kind};
use testkit::http::Connection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Face {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    pub(crate) in_flight: InFlight,
    running: JoinHandle<(Ending, std::io::Result<()>)>,
}

async fn echo(
    request: HttpRequest,
    payload: web::Payload,
    in_flight: web::Data<InFlight>,
) -> Result<HttpResponse, Failure> {
    let body = http::body(&request, payload, 1000).await?;
    http::require_json(&request)?;
    let answer = in_flight.run(async {
        if let Some(wait) = std::str::from_utf8(&body)
            .ok()
            .and_then(|text| text.parse().ok())
        {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        HttpResponse::Ok().body(body.clone())
    });
    Ok(answer.await?)
}

async fn nodelay(request: HttpRequest) -> String {
    request
        .conn_data::<Requests>()
        .unwrap()
        .seat()
        .nodelay()
        .to_string()
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/echo").post(echo))
        .service(resource("/nodelay").get(nodelay))
        .service(resource("/metrics").get(http::metrics_page));
}

pub(crate) fn start(grace: Duration) -> Face {
    start_with(grace, ConnectionPolicy::default())
}

pub(crate) fn start_with(grace: Duration, policy: ConnectionPolicy) -> Face {
    let listener = http::listen("127.0.0.1", 0).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let in_flight = InFlight::new(stop.clone());
    let metrics = Metrics::new().unwrap();
    let server = {
        let in_flight = in_flight.clone();
        let face = move |config: &mut web::ServiceConfig| {
            config
                .app_data(web::Data::new(in_flight.clone()))
                .configure(routes);
        };
        let connections = Connections::new(policy);
        http::server(face, listener, 2, &metrics, &connections).unwrap()
    };
    let running = tokio::spawn({
        let in_flight = in_flight.clone();
        async move { tokio::join!(in_flight.drain(grace), server.serve(&in_flight)) }
    });
    Face {
        address,
        stop,
        in_flight,
        running,
    }
}

#[tokio::test]
async fn every_answer_has_its_form() {
    let face = start(Duration::from_secs(5));
    let mut connection = Connection::open(face.address).await;
    let ok = connection.post_json("/echo", "hello").await;
    assert_eq!((ok.status, ok.text()), (200, "hello"));

    let missing = connection.request("POST", "/nowhere", &[], b"a body").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), Some("application/json"));
    assert_eq!(missing.json()["error"], "not_found");

    let method = connection.request("DELETE", "/echo", &[], b"a body").await;
    assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
    assert_eq!(method.json()["success"], false);

    for content_type in [&[][..], &[("content-type", "text/plain")]] {
        let media = connection
            .request("POST", "/echo", content_type, b"x")
            .await;
        assert_eq!(
            (media.status, &media.json()["error"]),
            (415, &"unsupported_media_type".into())
        );
    }
    let parameters = [("content-type", "Application/JSON; charset=x; y=z")];
    assert_eq!(
        connection
            .request("POST", "/echo", &parameters, b"x")
            .await
            .status,
        200
    );

    let metrics = connection.request("GET", "/metrics", &[], b"").await;
    assert!(
        metrics
            .text()
            .contains(r#"http_requests_total{route="/echo",status="200"} 2"#),
        "{}",
        metrics.text()
    );
    assert!(
        metrics
            .text()
            .contains(r#"http_requests_total{route="unmatched",status="404"} 1"#)
    );
    assert!(
        metrics
            .text()
            .contains(r#"http_requests_total{route="/echo",status="415"} 2"#)
    );

    let large = Connection::open(face.address)
        .await
        .post_json("/echo", vec![b'x'; 1001])
        .await;
    assert_eq!(
        (large.status, &large.json()["error"]),
        (413, &"too_large".into())
    );
    let mut chunked = Connection::open(face.address).await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    chunked.send(head.as_bytes()).await.unwrap();
    chunked
        .send(format!("258\r\n{0}\r\n258\r\n{0}\r\n0\r\n\r\n", "x".repeat(600)).as_bytes())
        .await
        .unwrap();
    assert_eq!(chunked.receive(false).await.unwrap().status, 413);
}

#[tokio::test]
async fn browsers_of_any_origin_may_post_json() {
    let face = start(Duration::from_secs(5));
    let mut connection = Connection::open(face.address).await;
    let preflight = [
        ("origin", "http://example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = connection
        .request("OPTIONS", "/echo", &preflight, b"")
        .await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, Some("*"))
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    let headers = [
        ("origin", "http://example.com"),
        ("content-type", "application/json"),
    ];
    let answer = connection.request("POST", "/echo", &headers, b"x").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn accepted_connections_have_nodelay() {
    let face = start(Duration::from_secs(5));
    let answer = testkit::http::get(face.address, "/nodelay").await;
    assert_eq!(answer.text(), "true");
}

#[tokio::test]
async fn at_the_stop_work_is_finished_and_the_rest_is_closed() {
    let face = start(Duration::from_secs(20));
    let mut idle = Connection::open(face.address).await;
    idle.post_json("/echo", "x").await;
    let mut silent = Connection::open(face.address).await;
    let mut half_head = Connection::open(face.address).await;
    half_head.send(b"POST /echo HTT").await.unwrap();
    let mut half_body = Connection::open(face.address).await;
    let head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\nfour";
    half_body.send(head).await.unwrap();
    let mut busy = Connection::open(face.address).await;
    let busy = tokio::spawn(async move { busy.post_json("/echo", "700").await });
    while face.in_flight.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let begun = Instant::now();
    face.stop.cancel();
    assert!(idle.is_closed_within(Duration::from_millis(500)).await);
    let answer = busy.await.unwrap();
    assert_eq!((answer.status, answer.text()), (200, "700"));
    let (ending, served) = face.running.await.unwrap();
    served.unwrap();
    assert_eq!(ending, Ending::Clean);
    assert!(
        begun.elapsed() < Duration::from_millis(1600),
        "{:?}",
        begun.elapsed()
    );
    for connection in [&mut silent, &mut half_head, &mut half_body] {
        assert!(connection.is_closed_within(Duration::from_secs(1)).await);
    }
    assert!(Connection::try_open(face.address).await.is_err());
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let face = start(Duration::from_secs(20));
    let mut idle = Connection::open(face.address).await;
    idle.post_json("/echo", "x").await;
    let begun = Instant::now();
    face.stop.cancel();
    face.running.await.unwrap().1.unwrap();
    assert!(
        begun.elapsed() < Duration::from_millis(600),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_waits_at_the_end_of_the_grace_gets_a_503() {
    let face = start(Duration::from_millis(300));
    let address = face.address;
    let waiting =
        tokio::spawn(async move { testkit::http::post_json(address, "/echo", "60000").await });
    while face.in_flight.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    face.stop.cancel();
    let answer = waiting.await.unwrap();
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(answer.json()["error"], "unavailable");
    let (ending, served) = face.running.await.unwrap();
    served.unwrap();
    assert_eq!(ending, Ending::GraceExpired);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_port_in_use_is_named() {
    let taken = http::listen("127.0.0.1", 0).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = format!("{:#}", http::listen("127.0.0.1", port).unwrap_err());
    assert!(
        error.contains(&format!("port {port} on 127.0.0.1 is in use")),
        "{error}"
    );
    let error = format!("{:#}", http::listen("no such host", 1).unwrap_err());
    assert!(error.contains("HOST"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_command_asks_the_server() {
    let face = start(Duration::from_secs(1));
    let port = face.address.port();
    let check = |host: &'static str, port: u16, path: &'static str| {
        tokio::task::spawn_blocking(move || {
            runtime::health::check_http(host, port, path, &crate::protection::off())
        })
    };
    let is = |code: ExitCode, expected: ExitCode| format!("{code:?}") == format!("{expected:?}");
    assert!(is(
        check("0.0.0.0", port, "/metrics").await.unwrap(),
        ExitCode::SUCCESS
    ));
    assert!(is(
        check("127.0.0.1", port, "/nowhere").await.unwrap(),
        ExitCode::FAILURE
    ));
    assert!(is(
        check("127.0.0.1", 1, "/metrics").await.unwrap(),
        ExitCode::FAILURE
    ));
}

#[test]
fn kinds_are_answered_over_http() {
    use actix_web::ResponseError;
    assert_eq!(
        Failure::new(Kind::Conflict, "x").error_response().status(),
        409
    );
}

#[actix_web::test]
async fn a_head_that_cannot_be_taken_is_answered_with_the_body_of_every_error() {
    let face = start(Duration::from_secs(1));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x-a: b\r\n".repeat(120));
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(140_000));
    for (head, status, error) in [
        (
            "GET / HTTP/1.1\r\nbad header\r\n\r\n",
            400,
            "invalid_argument",
        ),
        ("nonsense\r\n\r\n", 400, "invalid_argument"),
        (many.as_str(), 431, "too_large"),
    ] {
        // After an answer too, on a connection that is kept.
        for earlier in [false, true] {
            let mut connection = Connection::open(face.address).await;
            if earlier {
                assert_eq!(
                    connection.request("GET", "/nodelay", &[], b"").await.status,
                    200
                );
            }
            // A head that is too large may be refused before all of it was sent.
            drop(connection.send(head.as_bytes()).await);
            let answer = connection.receive(false).await.unwrap();
            let told = (answer.status, answer.json()["error"].clone());
            let start: String = head.chars().take(30).collect();
            assert_eq!(told, (status, error.into()), "{start:?}");
            assert!(connection.is_closed_within(Duration::from_secs(5)).await);
        }
    }
    // What the parser says of it depends on how many pieces it comes in.
    let mut connection = Connection::open(face.address).await;
    drop(connection.send(large.as_bytes()).await);
    let answer = connection.receive(false).await.unwrap();
    assert!([400, 431].contains(&answer.status), "{}", answer.status);
    assert_eq!(answer.json()["success"], false);
}

/// A client that asks for a tunnel sends nothing more until it has one.
#[actix_web::test]
async fn connect_is_refused_at_once() {
    let face = start(Duration::from_secs(1));
    for (target, allowed) in [("x:443", ""), ("/echo", "POST")] {
        let mut connection = Connection::open(face.address).await;
        let head = format!("CONNECT {target} HTTP/1.1\r\nhost: x\r\n\r\n");
        connection.send(head.as_bytes()).await.unwrap();
        // A body may take 10 s.
        let answer = tokio::time::timeout(Duration::from_secs(5), connection.receive(false)).await;
        let answer = answer.expect("an answer at once").unwrap();
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allowed)),
            "{target}: {}",
            answer.text()
        );
    }
}

#[actix_web::test]
async fn a_chunk_that_is_none_is_told() {
    let face = start(Duration::from_secs(1));
    for chunk in ["-1\r\n", "FFFFFFFFFFFFFFFFF\r\nx", "5\r\nabcdeXX"] {
        let mut connection = Connection::open(face.address).await;
        let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        connection
            .send(format!("{head}{chunk}").as_bytes())
            .await
            .unwrap();
        let answer = connection.receive(false).await.unwrap();
        assert_eq!(
            (answer.status, answer.json()["message"].clone()),
            (
                400,
                "the body is incomplete: it ended before its length, or a chunk is not valid"
                    .into()
            ),
            "{chunk:?}"
        );
        assert!(connection.is_closed_within(Duration::from_secs(5)).await);
    }
}
