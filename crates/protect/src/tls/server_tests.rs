use testkit::tls::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::tls::{ClientTls, Roots, Verify};

struct Server {
    tls: ServerTls,
    address: std::net::SocketAddr,
}

/// Answers each connection's line with the names of its client.
async fn serve(files: ServerTlsFiles) -> Server {
    let tls = ServerTls::open(files).expect("files");
    let acceptor = TlsAcceptor::from(Arc::new(tls.config(&[b"h2", b"http/1.1"]).expect("config")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    let names_of = tls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, names_of) = (acceptor.clone(), names_of.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let names = names_of.client_names(chain).join(",");
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    if stream
                        .write_all(format!("{names}\n").as_bytes())
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    Server { tls, address }
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(server: &Server, client: &ClientTls<'_>, host: &str) -> std::io::Result<Stream> {
    let connector = TlsConnector::from(Arc::new(client.config(&[b"h2"]).expect("client")));
    let stream = TcpStream::connect(server.address).await?;
    let name = host.to_owned().try_into().expect("name");
    connector.connect(name, stream).await
}

async fn ask(stream: &mut Stream) -> std::io::Result<String> {
    stream.write_all(b"?").await?;
    let mut answer = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(String::from_utf8(answer).expect("text")),
            byte => answer.push(byte),
        }
    }
}

fn believing(roots: Roots, verify: Verify) -> ClientTls<'static> {
    ClientTls {
        roots: ("--tls-ca", roots),
        verify,
        identity: None,
    }
}

struct Files {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
            authority: Authority::new(),
        }
    }

    fn server(&self, client_auth: ClientAuth) -> ServerTlsFiles {
        let (cert, key) = self
            .authority
            .issue(self.folder.path(), "server", "localhost");
        ServerTlsFiles {
            cert,
            key,
            client_ca: Some(self.ca()),
            client_auth,
        }
    }

    fn ca(&self) -> PathBuf {
        self.authority.write(self.folder.path(), "own")
    }
}

#[tokio::test]
async fn a_client_checks_as_much_as_it_is_told() {
    let files = Files::new();
    let server = serve(files.server(ClientAuth::None)).await;
    let stranger = Authority::new().write(files.folder.path(), "stranger");
    let (cert, other) = (
        files.folder.path().join("server.pem"),
        files
            .authority
            .issue(files.folder.path(), "other", "localhost")
            .0,
    );
    use Verify::{Chain, ChainAndName, Nothing};
    for (roots, verify, host, accepted) in [
        (Roots::File(files.ca()), ChainAndName, "localhost", true),
        (Roots::File(files.ca()), ChainAndName, "example.org", false),
        (Roots::File(files.ca()), Chain, "example.org", true),
        (Roots::File(stranger.clone()), Chain, "localhost", false),
        (
            Roots::File(stranger.clone()),
            ChainAndName,
            "localhost",
            false,
        ),
        (Roots::File(stranger), Nothing, "example.org", true),
        (Roots::Only(cert), ChainAndName, "example.org", true),
        (Roots::Only(other), ChainAndName, "localhost", false),
    ] {
        let client = believing(roots, verify);
        let connected = connect(&server, &client, host).await;
        assert_eq!(
            connected.is_ok(),
            accepted,
            "{client:?} {host} {:?}",
            connected.err()
        );
        if let Ok(mut stream) = connected {
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            assert_eq!(ask(&mut stream).await.expect("answer"), "");
        }
    }
}

#[tokio::test]
async fn both_versions_are_spoken() {
    let files = Files::new();
    let server = serve(files.server(ClientAuth::None)).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let roots = pem::authorities("--tls-ca", &files.ca()).expect("ca");
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .expect("version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(server.address).await.expect("connected");
        let name = "localhost".try_into().expect("name");
        let connected = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await;
        let negotiated = connected.expect("handshake").get_ref().1.protocol_version();
        assert_eq!(negotiated, Some(version.version));
    }
}

#[tokio::test]
async fn clients_are_asked_as_the_setting_says() {
    let files = Files::new();
    let folder = files.folder.path();
    let (cert, key) = files.authority.issue(folder, "acme", "acme.example");
    let stranger = Authority::new();
    let (strange_cert, strange_key) = stranger.issue(folder, "stranger", "acme.example");
    let with = |cert: &Path, key: &Path| ClientTls {
        identity: Some((
            ("--tls-cert", cert.to_owned()),
            ("--tls-key", key.to_owned()),
        )),
        ..believing(Roots::File(files.ca()), Verify::ChainAndName)
    };
    let bare = believing(Roots::File(files.ca()), Verify::ChainAndName);
    for (auth, client, names) in [
        (ClientAuth::None, with(&cert, &key), Some("")),
        (
            ClientAuth::Optional,
            with(&cert, &key),
            Some("acme.example"),
        ),
        (ClientAuth::Optional, bare.clone(), Some("")),
        (
            ClientAuth::Optional,
            with(&strange_cert, &strange_key),
            None,
        ),
        (
            ClientAuth::Required,
            with(&cert, &key),
            Some("acme.example"),
        ),
        (ClientAuth::Required, bare.clone(), None),
        (
            ClientAuth::Required,
            with(&strange_cert, &strange_key),
            None,
        ),
    ] {
        let own = files.server(auth);
        let health = with(&own.cert, &own.key);
        let server = serve(own).await;
        let asked = async {
            // With 1.3 a client learns only on reading that it was refused.
            let mut stream = connect(&server, &client, "localhost").await?;
            ask(&mut stream).await
        };
        assert_eq!(asked.await.ok().as_deref(), names, "{auth:?} {client:?}");
        let mut stream = connect(&server, &health, "localhost")
            .await
            .expect("its own");
        let answer = ask(&mut stream)
            .await
            .expect("the server's own certificate is taken");
        assert_eq!(answer, "", "and names nobody");
    }
}

#[tokio::test]
async fn changed_files_are_in_force_for_the_next_handshake_and_open_connections_go_on() {
    let files = Files::new();
    let server = serve(files.server(ClientAuth::None)).await;
    let before = believing(Roots::File(files.ca()), Verify::ChainAndName);
    let mut open = connect(&server, &before, "localhost")
        .await
        .expect("connected");

    let other = Authority::new();
    other.issue(files.folder.path(), "server", "localhost");
    server.tls.refresh();
    assert!(connect(&server, &before, "localhost").await.is_err());
    let ca = other.write(files.folder.path(), "other");
    let after = believing(Roots::File(ca), Verify::ChainAndName);
    connect(&server, &after, "localhost")
        .await
        .expect("the new certificate");
    ask(&mut open).await.expect("still open");

    // Between the two writes of a replacement the key does not fit: the pair before stays.
    let key = files.folder.path().join("server.key");
    std::fs::write(&key, "nonsense").expect("written");
    server.tls.refresh();
    connect(&server, &after, "localhost")
        .await
        .expect("the pair before");
    ask(&mut open).await.expect("still open");
}

#[test]
fn client_authentication_needs_authorities() {
    let files = Files::new();
    let without = ServerTlsFiles {
        client_ca: None,
        ..files.server(ClientAuth::Required)
    };
    let error = ServerTls::open(without).expect_err("no authorities");
    assert!(error.to_string().contains("TLS_CLIENT_CA"), "{error}");
    let tls = ServerTls::open(files.server(ClientAuth::None)).expect("good");
    assert!(!format!("{tls:?}").to_lowercase().contains("private"));
}
