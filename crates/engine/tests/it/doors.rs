//! The doors: HTTP and TLS on one port, bad input, drain.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use engine::pipeline::Peer;
use engine::server::authority::Authority;
use engine::server::control::Control;
use engine::server::tls::Tls;
use engine::server::{Body, Door, Handler, Limits, full};
use http::{Request, Response};
use hyper::body::Incoming;
use serde_json::Value;
use testkit::TestCloud;
use tokio::sync::watch;

use crate::path::cloud;

struct Open {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    ca: Vec<u8>,
    test: TestCloud,
}

async fn open() -> Open {
    let test = cloud();
    let clock: Arc<dyn base::Clock> = Arc::new(base::SystemClock);
    let authority = Arc::new(Authority::open(test.home.path(), Arc::clone(&clock)).unwrap());
    let ca = std::fs::read(&authority.certificate).unwrap();
    let (names, suffixes) = (["cloud.example".to_owned()], ["localhost".to_owned()]);
    let tls = Tls::open(authority, &names, &suffixes, clock).unwrap();
    let limits = Limits { header_timeout: Duration::from_secs(2), ..Limits::default() };
    let door =
        Door::bind("127.0.0.1:0".parse().unwrap(), Some(tls.acceptor), limits).await.unwrap();
    let address = door.address().unwrap();
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(door.serve(Arc::new(Control(test.cloud.clone())), stopped));
    Open { address, stop, served, ca, test }
}

/// Sends bytes and reads to the end: status line and body.
fn exchange(address: SocketAddr, parts: &[&[u8]]) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for part in parts {
        if stream.write_all(part).is_err() {
            break; // refused before everything was sent
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// Sends one request and expects a JSON answer of this status.
async fn check_any(address: SocketAddr, request: String, status: &str) {
    let exchange = tokio::task::spawn_blocking(move || exchange(address, &[request.as_bytes()]));
    let (line, body) = exchange.await.unwrap();
    assert!(line.contains(status), "{line} {body}");
    assert!(serde_json::from_str::<Value>(&body).unwrap().is_object());
}

async fn check(address: SocketAddr, parts: Vec<Vec<u8>>, status: &str) {
    let (line, body) = tokio::task::spawn_blocking(move || {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        exchange(address, &parts)
    })
    .await
    .unwrap();
    assert!(line.contains(status), "{line} {body}");
    let body: Value =
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("{line}: {body:?} is no JSON"));
    for field in ["Code", "Message", "RequestId"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_answered_in_the_dialect_with_a_body() {
    let open = open().await;
    let text = |text: &str| vec![text.as_bytes().to_vec()];
    check(
        open.address,
        text("GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        "400",
    )
    .await;
    check(
        open.address,
        text("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nshort"),
        "400",
    )
    .await;
    check(open.address, text("this is no http\r\n\r\n"), "400").await;
    check(
        open.address,
        text("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n"),
        "4",
    )
    .await;
    let flood = vec![vec![b'a'; 1 << 20]; 8];
    let mut parts = text("GET / HTTP/1.1\r\nx-big: ");
    parts.extend(flood);
    check(open.address, parts, "431").await;
    let many = (0..300).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    check(open.address, text(&format!("GET / HTTP/1.1\r\n{many}\r\n")), "431").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_speaks_http_and_tls_with_the_clouds_own_authority() {
    use rustls::pki_types::ServerName;
    let open = open().await;
    let (address, ca) = (open.address, open.ca.clone());
    let line = tokio::task::spawn_blocking(move || {
        let mut roots = rustls::RootCertStore::empty();
        let der = base64_body(&ca);
        roots.add(rustls::pki_types::CertificateDer::from(der)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut lines = Vec::new();
        for name in ["localhost", "bucket.localhost", "127.0.0.1", "cloud.example"] {
            let name = ServerName::try_from(name).unwrap();
            let mut client = rustls::ClientConnection::new(Arc::new(config.clone()), name).unwrap();
            let mut socket = TcpStream::connect(address).unwrap();
            let mut stream = rustls::Stream::new(&mut client, &mut socket);
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            lines.push(String::from_utf8_lossy(&first).into_owned());
        }
        lines
    })
    .await
    .unwrap();
    assert_eq!(line, ["HTTP/1.1 400"; 4]);
}

fn base64_body(pem: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text = String::from_utf8_lossy(pem);
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_handler_is_answered_and_the_next_request_is_served() {
    let open = open().await;
    let caller = testkit::root(1);
    for (action, status) in [("Panics", "500"), ("CountNotes", "200")] {
        let signed = crate::path::signed(&open.test, &caller, action, action);
        check_any(
            open.address,
            format!("POST / HTTP/1.1\r\n{signed}connection: close\r\n\r\n"),
            status,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_closes_idle_connections_and_ends() {
    let open = open().await;
    let idle = TcpStream::connect(open.address).unwrap();
    check(
        open.address,
        vec![b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec()],
        "400",
    )
    .await;
    open.stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), open.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(open.address).is_err(), "the port is closed");
    drop(idle);
}

/// Refuses everything, and reads no body.
struct Closed;

impl Handler for Closed {
    async fn handle(&self, _: Request<Incoming>, _: Peer) -> Response<Body> {
        let mut answer = Response::new(full("no"));
        *answer.status_mut() = http::StatusCode::FORBIDDEN;
        answer
    }

    fn refuse(&self, _: u16) -> (&'static str, Vec<u8>) {
        ("text/plain", Vec::new())
    }
}

/// A client that is refused before it sent its body may send its next request instead, whose first
/// byte must not be taken for that body.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_body_ends_the_connection() {
    let door = Door::bind("127.0.0.1:0".parse().unwrap(), None, Limits::default()).await.unwrap();
    let address = door.address().unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(door.serve(Arc::new(Closed), stopped));
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head =
            "PUT /b/k HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = tokio::task::spawn_blocking(ask).await.unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 403"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}
