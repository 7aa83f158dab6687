//! A server of `EventService/ProcessEvent`, no more than the tests need.

use std::net::SocketAddr;

use api::event::{EventRequest, EventResponse};
use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

use crate::seen::{Policy, Shared, Treatment};

pub(crate) async fn start(policy: Policy) -> (SocketAddr, Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Shared::default();
    let shared = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            shared.accepted();
            tokio::spawn(serve(stream, shared.clone(), policy));
        }
    });
    (address, seen)
}

async fn serve(stream: TcpStream, seen: Shared, policy: Policy) {
    stream.set_nodelay(true).unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, seen.clone(), policy));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: Shared,
    policy: Policy,
) {
    assert_eq!(
        request.uri().path(),
        "/com.example.grpc.EventService/ProcessEvent"
    );
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    let event = EventRequest::decode(&bytes[5..]).unwrap();
    let uuid = event.event_header.unwrap().uuid;
    let entity = event.event_body.unwrap().entities.remove(0);
    let attributes = serde_json::from_slice(&entity.attributes_json).unwrap();
    match seen.request(policy, &uuid, &entity.entity_id, attributes) {
        Treatment::Store => {}
        Treatment::StoreAfter(delay) => tokio::time::sleep(delay).await,
        Treatment::Refuse => {
            let response = headers().header("grpc-status", "14").body(()).unwrap();
            respond.send_response(response, true).unwrap();
            return;
        }
        Treatment::Vanish => return respond.send_reset(Reason::INTERNAL_ERROR),
        Treatment::Silent => std::future::pending().await,
    }
    // The caller may have given up.
    let Ok(mut stream) = respond.send_response(headers().body(()).unwrap(), false) else {
        return;
    };
    let message = EventResponse {
        success: true,
        message: "stored".into(),
    }
    .encode_to_vec();
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    if stream.send_data(framed.freeze(), false).is_ok() {
        stream.send_trailers(trailers).ok();
    }
}

fn headers() -> http::response::Builder {
    Response::builder().header("content-type", "application/grpc")
}
