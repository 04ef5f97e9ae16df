//! Scripted clients and servers: what they say is made of real hellos.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
pub const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

/// A client's settings that trust these authorities and offer these protocols.
pub fn config(roots: RootCertStore, alpn: &[&str]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// The hello of a real client for that name; an address gives none.
pub fn hello(name: &str, alpn: &[&str]) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let config = Arc::new(config(RootCertStore::empty(), alpn));
    let mut client = ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Connects, from that address of this machine.
pub async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

pub async fn connect(to: SocketAddr) -> TcpStream {
    connect_from("127.0.0.1", to).await
}

/// Says what a client says up to its hello; returns the stream and the hello.
pub async fn ask(mut stream: TcpStream, name: &str) -> (TcpStream, Vec<u8>) {
    stream.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(read(&mut stream, 1).await, b"S");
    let hello = hello(name, &[]);
    stream.write_all(&hello).await.unwrap();
    (stream, hello)
}

/// So many bytes, within ten seconds.
pub async fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let read = stream.read_exact(&mut bytes);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("bytes in time").unwrap();
    bytes
}

/// Everything up to the end, within twenty seconds. A reset is an end, too.
pub async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("an end in time");
    bytes
}

/// The number of a fatal alert.
pub async fn alert(stream: &mut TcpStream) -> u8 {
    let bytes = rest(stream).await;
    assert_eq!(bytes[..6], [21, 3, 3, 0, 2, 2], "{bytes:?}");
    bytes[6]
}

/// A server that agrees to TLS and sends back whatever comes then.
pub async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, from)) = listener.accept().await {
            assert_eq!(from.ip().to_string(), "127.77.0.1", "servers know the gateway by it");
            tokio::spawn(async move {
                let mut request = [0; 8];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(request, SSL_REQUEST);
                stream.write_all(b"S").await.unwrap();
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}
