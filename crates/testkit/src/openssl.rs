//! TLS of every port as OpenSSL's client sees it: protocols, ciphers, ALPN, a certificate that is renewed, and one that has
//! expired.

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::left_out;
use crate::process::Service;
use crate::tls::Authority;

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// HTTP/1.1 and HTTP/2.
    Http,
    /// gRPC: HTTP/2 alone.
    Grpc,
}

/// What the client said, and whether it was content.
struct Said {
    content: bool,
    text: String,
}

/// Looks at a port with `openssl s_client` and these options; any error of the certificate ends it.
fn look(address: SocketAddr, ca: &Path, options: &[&str]) -> Said {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &address.to_string(),
            "-servername",
            "localhost",
        ])
        .args(["-verify_return_error", "-CAfile"])
        .arg(ca)
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("openssl");
    let text = [output.stdout, output.stderr].concat();
    Said {
        content: output.status.success(),
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// Starts a service with `serve`, which takes settings, and checks its TLS from outside. Left out where there is no OpenSSL.
///
/// # Panics
/// A port offers what it must not, or not what it must.
pub fn hardened(faces: &[Face], serve: impl Fn(&[(&str, &str)]) -> Service) {
    if Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return left_out("no openssl");
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = authority.write(folder.path(), "own");
    let start = |(cert, key): (PathBuf, PathBuf)| {
        serve(&[
            ("TLS_CERT", cert.to_str().unwrap()),
            ("TLS_KEY", key.to_str().unwrap()),
            ("PROTECTION_RELOAD_INTERVAL", "100ms"),
        ])
    };
    let service = start(authority.issue(folder.path(), "server", "localhost"));
    for face in faces {
        let address = address(&service, *face);
        protocols(address, &ca);
        ciphers(address, &ca);
        alpn(address, &ca, *face);
    }
    renewed(faces, &service, folder.path(), &ca);
    let expired = start(authority.issue_expired(folder.path(), "expired", "localhost"));
    for face in faces {
        let said = look(address(&expired, *face), &ca, &[]);
        assert!(!said.content, "{face:?}: {}", said.text);
        assert!(
            said.text.contains("certificate has expired"),
            "{face:?}: {}",
            said.text
        );
    }
    expired.told("expired");
}

/// The certificate of another authority in the place of the first one: new connections are shown it, those that are open go on.
fn renewed(faces: &[Face], service: &Service, folder: &Path, ca: &Path) {
    let mut open: Vec<Open> = faces
        .iter()
        .map(|face| Open::start(address(service, *face), ca, *face))
        .collect();
    let authority = Authority::new();
    authority.issue(folder, "server", "localhost");
    let renewed = authority.write(folder, "renewed");
    for face in faces {
        let address = address(service, *face);
        let begun = Instant::now();
        while !look(address, &renewed, &[]).content {
            assert!(
                begun.elapsed() < PATIENCE,
                "{face:?}: the new certificate is not shown"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = look(address, ca, &[]);
        assert!(
            !said.content,
            "{face:?}: the old certificate is still shown"
        );
    }
    open.iter_mut().for_each(Open::is_answered);
}

/// A connection that stays open. Dropped, it is closed.
struct Open {
    client: Child,
    question: ChildStdin,
    answer: Receiver<u8>,
    face: Face,
}

/// Longest wait for what is sure to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a program prints, until it ends.
fn bytes_of(out: ChildStdout) -> Receiver<u8> {
    let (sender, bytes) = channel();
    std::thread::spawn(move || {
        for byte in BufReader::new(out).bytes().map_while(Result::ok) {
            if sender.send(byte).is_err() {
                return;
            }
        }
    });
    bytes
}

/// HTTP/2: the preface with empty SETTINGS, and a PING.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0openssl!";

impl Open {
    /// Opens it, and comes back when it has answered.
    fn start(address: SocketAddr, ca: &Path, face: Face) -> Self {
        let protocol = match face {
            Face::Http => "http/1.1",
            Face::Grpc => "h2",
        };
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect", &address.to_string()])
            .args(["-servername", "localhost", "-verify_return_error"])
            .args(["-alpn", protocol, "-CAfile"])
            .arg(ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut open = Self {
            question: client.stdin.take().unwrap(),
            answer: bytes_of(client.stdout.take().unwrap()),
            client,
            face,
        };
        if face == Face::Grpc {
            open.question.write_all(PREFACE).unwrap();
        }
        open.is_answered();
        open
    }

    /// Asks something that every server answers, and reads that.
    fn is_answered(&mut self) {
        let (question, sign): (&[u8], &[u8]) = match self.face {
            Face::Http => (b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", b"HTTP/1.1 "),
            // The same bytes come back, with the flag of an answer.
            Face::Grpc => (PING, b"\x06\x01\0\0\0\0openssl!"),
        };
        self.question.write_all(question).unwrap();
        self.question.flush().unwrap();
        let mut read = Vec::new();
        while !read.ends_with(sign) {
            let byte = self.answer.recv_timeout(PATIENCE);
            read.push(byte.unwrap_or_else(|error| panic!("{:?}: no answer: {error}", self.face)));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.client.kill().ok();
        self.client.wait().ok();
    }
}

fn address(service: &Service, face: Face) -> SocketAddr {
    match face {
        Face::Http => service.http(),
        Face::Grpc => service.grpc(),
    }
}

fn protocols(address: SocketAddr, ca: &Path) {
    for (option, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let said = look(address, ca, &[option]);
        assert!(said.content, "{address} {name}: {}", said.text);
        assert!(
            said.text.contains(&format!("New, {name}, Cipher is")),
            "{name}: {}",
            said.text
        );
        assert!(
            said.text.contains("Verify return code: 0 (ok)"),
            "{name}: {}",
            said.text
        );
        assert!(
            said.text.contains("Compression: NONE"),
            "{name}: {}",
            said.text
        );
    }
    // At security level 0 the client offers them: it is the server that refuses.
    for old in ["-tls1", "-tls1_1"] {
        let said = look(address, ca, &[old, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(!said.content, "{address} takes {old}");
        let refusals = ["alert protocol version", "alert handshake failure"];
        assert!(
            refusals.iter().any(|refusal| said.text.contains(refusal)),
            "{old}: {}",
            said.text
        );
    }
}

fn ciphers(address: SocketAddr, ca: &Path) {
    for (offered, taken) in [
        // forward secret and authenticated
        ("ECDHE+AESGCM", true),
        ("ECDHE+CHACHA20", true),
        // no forward secrecy; CBC; no encryption, no authentication
        ("kRSA+AESGCM", false),
        ("ECDHE+SHA", false),
        ("ECDHE+SHA256:!AESGCM", false),
        ("DHE", false),
        ("aNULL:eNULL", false),
    ] {
        let cipher = format!("{offered}:@SECLEVEL=0");
        let said = look(address, ca, &["-tls1_2", "-cipher", &cipher]);
        assert_eq!(said.content, taken, "{address} {offered}: {}", said.text);
        if !taken {
            assert!(
                said.text.contains("alert handshake failure"),
                "{offered}: {}",
                said.text
            );
        }
    }
}

fn alpn(address: SocketAddr, ca: &Path, face: Face) {
    for (offered, taken) in [
        ("h2", true),
        ("http/1.1", face == Face::Http),
        ("h2,http/1.1", true),
        ("spdy/3", false),
    ] {
        let said = look(address, ca, &["-alpn", offered]);
        assert_eq!(said.content, taken, "{address} {offered}: {}", said.text);
        if taken {
            let first = offered.split(',').next().unwrap();
            let line = format!("ALPN protocol: {first}");
            assert!(said.text.contains(&line), "{offered}: {}", said.text);
        } else {
            assert!(
                said.text.contains("alert no application protocol"),
                "{}",
                said.text
            );
        }
    }
}
