use std::time::Duration;

use testkit::http::Connection;
use testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
            });
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_passes_freezes_cuts_and_refuses() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let mut buffer = [0; 5];
    stream.write_all(b"hello").await.unwrap();
    stream.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"hello");

    proxy.freeze();
    stream.write_all(b"again").await.unwrap();
    let held =
        tokio::time::timeout(Duration::from_millis(100), stream.read_exact(&mut buffer)).await;
    assert!(held.is_err());
    proxy.open();
    stream.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"again");

    proxy.refuse();
    assert!(matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)));
    let mut refused = Connection::open(proxy.address()).await;
    assert!(refused.is_closed_within(Duration::from_secs(5)).await);
}
