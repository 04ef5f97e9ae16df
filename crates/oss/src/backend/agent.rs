//! The HTTP below a backend: connections kept alive, a limit on every wait, no redirects.
//!
//! The protocol library brings none of its own here; `ureq` is in the program already. Its calls block, and so
//! do the futures here: [`super::Backend`] runs them on threads that may.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

/// Where distributions keep the certificate authorities that the machine trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// One try of a call, which moves an extent or a page of a listing.
const CALL_TIME: Duration = Duration::from_secs(30);
/// More than an extent, and more than a page of a listing.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Connections that are kept for later.
const IDLE_MAX: usize = super::CALLS_MAX;

/// Makes the one client of a backend.
#[derive(Clone, Debug)]
pub(super) struct Connector(Agent);

impl Connector {
    /// For that address, trusting what the PEM file holds, or else the machine.
    pub(super) fn new(endpoint: &str, ca_cert: Option<&Path>) -> Result<Self, String> {
        let tls = match endpoint.split_once("://") {
            Some(("http", _)) => false,
            Some(("https", _)) => true,
            _ => return Err(format!("{endpoint:?} is no address; write http://HOST:PORT")),
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .no_delay(true)
            .max_idle_connections(IDLE_MAX)
            .max_idle_connections_per_host(IDLE_MAX)
            .user_agent(concat!("awan/", env!("CARGO_PKG_VERSION")))
            // Whatever the environment says: a backend is next door.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_global(Some(CALL_TIME))
            .tls_config(tls_config(ca_cert, tls)?);
        Ok(Self(agent.build().new_agent()))
    }
}

fn tls_config(ca_cert: Option<&Path>, tls: bool) -> Result<TlsConfig, String> {
    let file = ca_cert.unwrap_or(Path::new(SYSTEM_AUTHORITIES));
    let authorities = if tls { read_authorities(file)? } else { Vec::new() };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn read_authorities(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let shown = file.display();
    let pem = std::fs::read(file).map_err(|error| format!("read {shown}: {error}"))?;
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        match item.map_err(|error| format!("{shown} is not PEM: {error}"))? {
            PemItem::Certificate(certificate) => found.push(certificate),
            _ => return Err(format!("{shown} holds more than certificates")),
        }
    }
    if found.is_empty() { Err(format!("{shown} holds no certificate")) } else { Ok(found) }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let response = if bytes.is_empty() {
            self.0.run(http::Request::from_parts(parts, ()))
        } else {
            self.0.run(http::Request::from_parts(parts, &*bytes))
        };
        let response = response.map_err(failed)?;
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut reader = body.into_reader().take(ANSWER_BYTES_MAX + 1);
        reader.read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
        if bytes.len() as u64 > ANSWER_BYTES_MAX {
            let error = ureq::Error::BodyExceedsLimit(ANSWER_BYTES_MAX);
            return Err(HttpError::new(HttpErrorKind::Decode, error));
        }
        Ok(Response::from_parts(parts, Bytes::from(bytes).into()))
    }
}

fn failed(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => HttpErrorKind::Connect,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            HttpErrorKind::Connect
        }
        // Every call may be done twice: names are never written with other bytes.
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
