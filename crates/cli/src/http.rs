//! The one HTTP agent: connections kept alive and shared by all threads, Nagle off, our certificate
//! authority trusted, redirects refused (a signature is valid for one address only). It signs nothing.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, SendBody};

use crate::error::{Error, advise};
use crate::profile::Profile;

/// Where distributions keep the certificate authorities that the machine trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Per read and per write, so that a large object may take as long as it takes but never stand still.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);
/// An answer that is read into memory (JSON, XML) may be this long. A full page of a listing is
/// 1000 keys of 1023 bytes, each byte percent-encoded.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A shared HTTP client. Clones share the connections.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
}

impl Http {
    /// A client for the cloud of `profile`, keeping up to `connections` connections to a host.
    ///
    /// # Errors
    /// Where the certificate authority cannot be read, or TLS is asked for and none is known.
    pub fn new(profile: &Profile, connections: usize) -> Result<Self> {
        let addresses: Vec<&str> = [profile.api(), profile.oss()].into_iter().flatten().collect();
        Self::to(&addresses, profile.ca_cert.as_deref(), connections)
    }

    /// A client for these addresses.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn to(addresses: &[&str], ca_cert: Option<&Path>, connections: usize) -> Result<Self> {
        let tls = addresses.iter().any(|address| address.starts_with("https:"));
        let local = addresses.iter().all(|address| is_loopback(address));
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .no_delay(true)
            .max_idle_connections(connections * 2)
            .max_idle_connections_per_host(connections)
            .user_agent(concat!("awan/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_per_write(Some(STALL_TIMEOUT))
            .tls_config(tls_config(ca_cert, tls)?);
        if local {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent() })
    }

    /// Fetches what anyone may fetch: the status and the whole body.
    ///
    /// # Errors
    /// [`Error::Transport`] where no answer came or it is too long.
    pub fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>), Error> {
        let request = Request::get(url).body(SendBody::none());
        let request =
            request.map_err(|_| Error::Corrupt(format!("\"{url}\" is not an address")))?;
        let uri = request.uri().clone();
        let response = self.send(request)?;
        let status = response.status().as_u16();
        Ok((status, Self::read(&uri, response)?))
    }

    /// Sends one request; an answer of any status is an answer.
    ///
    /// # Errors
    /// [`Error::Transport`] where none came.
    pub fn send(&self, request: Request<SendBody<'_>>) -> Result<Response<Body>, Error> {
        let url = shown(request.uri());
        self.agent.run(request).map_err(|source| Error::Transport { url, source: Box::new(source) })
    }

    /// Reads a short answer whole.
    ///
    /// # Errors
    /// [`Error::Transport`] where it breaks off or is too long.
    pub fn read(url: &http::Uri, response: Response<Body>) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let failed =
            |source: ureq::Error| Error::Transport { url: shown(url), source: Box::new(source) };
        let mut reader = response.into_body().into_reader().take(ANSWER_BYTES_MAX + 1);
        reader.read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > ANSWER_BYTES_MAX {
            return Err(failed(ureq::Error::BodyExceedsLimit(ANSWER_BYTES_MAX)));
        }
        Ok(bytes)
    }
}

/// The address without its query, which may hold a signature or a secret.
pub fn shown(url: &http::Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    let authority = url.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{}", url.path())
}

/// `host:port` of an address, as the `Host` header and signatures have it.
///
/// # Errors
/// Where the address is not one.
pub fn authority(address: &str) -> Result<String> {
    let uri: http::Uri = address.parse().map_err(|_| not_an_address(address))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    match uri.authority() {
        Some(authority) if known => Ok(authority.as_str().to_owned()),
        _ => Err(not_an_address(address)),
    }
}

fn not_an_address(address: &str) -> anyhow::Error {
    advise(
        format!("\"{address}\" is not an address"),
        "write it as http://HOST:PORT or https://HOST:PORT",
    )
}

/// Whether an address is one of this machine, which no proxy reaches.
pub(crate) fn is_loopback(address: &str) -> bool {
    let host = address.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    host.is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// The certificate authorities that are trusted: the file's, else the machine's.
///
/// # Errors
/// Where `tls` is wanted and none is known.
pub(crate) fn tls_config(ca_cert: Option<&Path>, tls: bool) -> Result<TlsConfig> {
    let system = Path::new(SYSTEM_AUTHORITIES);
    let file = ca_cert.or_else(|| Some(system).filter(|path| path.exists()));
    let authorities = match file {
        Some(file) if tls => read_authorities(file)?,
        None if tls => {
            return Err(advise(
                "no certificate authority is known for https",
                "give --ca-cert FILE; a cloud on this machine names its own in cloud.json",
            ));
        }
        _ => Vec::new(),
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn read_authorities(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let pem = std::fs::read(file)
        .with_context(|| format!("read the certificate authority {}", file.display()))?;
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.with_context(|| format!("{} is not PEM", file.display()))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(advise(
            format!("{} holds no certificate", file.display()),
            "--ca-cert takes a PEM file",
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn loopback_addresses_are_known_in_every_form() {
        for address in [
            "http://127.0.0.1:7100",
            "http://localhost",
            "https://oss.localhost:1",
            "http://[::1]:7100",
        ] {
            assert!(is_loopback(address), "{address}");
        }
        for address in [
            "http://10.0.0.1:7100",
            "https://cloud.example",
            "http://localhost.example",
            "nonsense",
        ] {
            assert!(!is_loopback(address), "{address}");
        }
    }

    #[test]
    fn an_address_needs_a_scheme_and_a_host() {
        assert_eq!(authority("http://127.0.0.1:7100").unwrap(), "127.0.0.1:7100");
        for address in ["", "127.0.0.1:7100", "ftp://x", "http://", "http://a b"] {
            assert!(authority(address).is_err(), "{address}");
        }
    }

    #[test]
    fn what_is_shown_of_an_address_has_no_query() {
        let url: http::Uri = "http://h:1/b/k?Signature=secret".parse().unwrap();
        assert_eq!(shown(&url), "http://h:1/b/k");
    }

    #[test]
    fn https_without_an_authority_file_that_exists_is_refused() {
        let missing = tempfile::tempdir().unwrap().path().join("ca.pem");
        assert!(tls_config(Some(&missing), true).is_err());
        assert!(tls_config(Some(&missing), false).is_ok());
    }
}
