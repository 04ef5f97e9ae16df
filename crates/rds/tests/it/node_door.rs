//! The node as its control plane meets it: over mutual TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rds::engines::Build;
use rds::node::api::{CONTROL, Dump, Figures, LogLine, Observed, Phase};
use rds::node::{Config, Running};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;

use crate::node_lab::{ask, build, directory, drivers, spec, sql, uid_of, until};

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    fn leaf(&self, name: &str, server: bool) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![match server {
            true => rcgen::ExtendedKeyUsagePurpose::ServerAuth,
            false => rcgen::ExtendedKeyUsagePurpose::ClientAuth,
        }];
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A client that shows a certificate of that authority: under which name, and whether it is a server's.
type Shown<'a> = (&'a Authority, &'a str, bool);

fn client(servers: &Authority, shows: Option<Shown<'_>>) -> tokio_rustls::TlsConnector {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(servers.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        None => config.with_no_client_auth(),
        Some((authority, name, server)) => {
            let (cert, key) = authority.leaf(name, server);
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            config.with_client_auth_cert(vec![cert.der().clone()], key).unwrap()
        }
    };
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

async fn call(
    at: SocketAddr,
    tls: &tokio_rustls::TlsConnector,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> std::io::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(at).await?;
    let stream = tls.connect("node.test".try_into().unwrap(), stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Full::new(body.into()))
        .map_err(std::io::Error::other)?;
    let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
    let status = response.status();
    Ok((status, response.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes()))
}

fn written(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_do_what_they_say_and_only_for_whom_they_are() {
    let (dir, keys) = (directory(), tempfile::tempdir().unwrap());
    let (authority, stranger) = (Authority::new(), Authority::new());
    let config = configured(dir.path(), keys.path(), &authority);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let root = dir.path().to_owned();
    let node = tokio::spawn(async move {
        rds::node::run(&root, config, Arc::new(|| vec![build()]), drivers(), stopped).await
    });
    let running: Running = until("node.json", async || {
        serde_json::from_slice(&std::fs::read(dir.path().join("node.json")).ok()?).ok()
    })
    .await;
    let at = running.address;
    assert!(call(at, &client(&authority, None), Method::GET, "/engines", "").await.is_err());
    // The same authority signs for servers of tenants, for doors, for nodes.
    for (signs, name, server) in [
        (&stranger, CONTROL, false),
        (&authority, "pgm-1.pg.rds.localhost", true),
        (&authority, "site-b.node.awan", true),
        (&authority, CONTROL, true),
        (&authority, "pgm-1.pg.rds.localhost", false),
    ] {
        let shown = client(&authority, Some((signs, name, server)));
        let refused = call(at, &shown, Method::GET, "/engines", "").await;
        assert!(refused.is_err(), "{name} was let in (as a server: {server})");
    }

    let tls = client(&authority, Some((&authority, CONTROL, false)));
    let get = async |path: &str| {
        let (status, body) = call(at, &tls, Method::GET, path, "").await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {body:?}");
        body
    };
    let builds: Vec<Build> = serde_json::from_slice(&get("/engines").await).unwrap();
    assert_eq!(builds, [build()]);
    let wanted = serde_json::to_vec(&spec("pgm-door")).unwrap();
    let put =
        call(at, &tls, Method::PUT, "/instances/pgm-door?wait_ms=60000", wanted).await.unwrap();
    let it: Observed = serde_json::from_slice(&put.1).unwrap();
    assert_eq!((put.0, it.phase, it.generation), (StatusCode::OK, Phase::Serving, 1), "{it:?}");
    let bad =
        call(at, &tls, Method::PUT, "/instances/pgm-door", "{\"id\": \"secret\"}").await.unwrap();
    assert!(bad.0 == StatusCode::CONFLICT && !String::from_utf8_lossy(&bad.1).contains("secret"));
    let unknown = call(at, &tls, Method::GET, "/instances/pgm-none", "").await.unwrap();
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);

    ask(&it, "CREATE TABLE t AS SELECT generate_series(1, 500) AS x");
    tells_of_itself(&it, &get).await;

    let dump = Dump { database: "shop".to_owned(), tables: Vec::new() };
    let dump = serde_json::to_vec(&dump).unwrap();
    let dumped = call(at, &tls, Method::POST, "/instances/pgm-door/dump", dump).await.unwrap();
    assert_eq!(dumped.0, StatusCode::OK);
    ask(&it, "DROP TABLE t");
    let path = "/instances/pgm-door/load?database=shop";
    let loaded = call(at, &tls, Method::POST, path, dumped.1.clone()).await.unwrap();
    assert_eq!(loaded.0, StatusCode::OK, "{loaded:?}");
    assert_eq!(ask(&it, "SELECT count(*) FROM t"), "500");
    let cut =
        call(at, &tls, Method::POST, path, dumped.1.slice(..dumped.1.len() / 2)).await.unwrap();
    assert_eq!(cut.0, StatusCode::INTERNAL_SERVER_ERROR);

    let gone = call(at, &tls, Method::DELETE, "/instances/pgm-door?term=1", "").await.unwrap();
    assert_eq!(gone.0, StatusCode::OK);
    assert_eq!(uid_of(it.pid), None);
    stop.send(true).unwrap();
    node.await.unwrap().unwrap();
    assert!(!dir.path().join("node.json").exists());
}

/// The configuration of a node, as it reads it from its directory.
fn configured(dir: &Path, keys: &Path, authority: &Authority) -> Config {
    let (cert, key) = authority.leaf("node.test", true);
    let config = Config {
        name: "node-a".to_owned(),
        site: "site-a".to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: Some("127.0.0.2".parse().unwrap()),
        ca: written(keys, "ca.pem", &authority.pem),
        cert: written(keys, "cert.pem", &cert.pem()),
        key: written(keys, "key.pem", &key.serialize_pem()),
        engines: Vec::new(),
        store: keys.join("store"),
        uid_range: (690_000, 690_020),
    };
    written(dir, "node-config.json", &serde_json::to_string(&config).unwrap());
    Config::read(dir).unwrap()
}

/// Errors, slow statements and figures are told.
async fn tells_of_itself(it: &Observed, get: &impl AsyncFn(&str) -> Bytes) {
    sql(it, "chief", "shop", "SELECT 1/0").unwrap_err();
    ask(it, "SELECT pg_sleep(1.2)");
    let errors: Vec<LogLine> = until("the log", async || {
        let lines = get("/instances/pgm-door/logs?kind=error&since=0&limit=50").await;
        let lines: Vec<LogLine> = serde_json::from_slice(&lines).unwrap();
        lines.iter().any(|line| line.text == "division by zero").then_some(lines)
    })
    .await;
    assert!(errors.iter().all(|line| !line.text.contains("SCRAM")));
    let slow: Vec<LogLine> =
        serde_json::from_slice(&get("/instances/pgm-door/logs?kind=slow").await).unwrap();
    assert!(
        slow.iter().any(|line| line.duration_us >= 1_200_000 && line.text.contains("pg_sleep"))
    );
    let figures: Figures =
        serde_json::from_slice(&get("/instances/pgm-door/figures").await).unwrap();
    assert!(figures.cpu_us > 0 && figures.memory_bytes > 0 && figures.commits > 0);
    assert!(
        figures.data_bytes > 0 && figures.log_bytes > 0 && figures.databases.contains_key("shop")
    );
}
