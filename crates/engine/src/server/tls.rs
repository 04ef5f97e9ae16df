//! The cloud's own certificate authority, made at first start and kept in the data directory, and the
//! leaf certificates that the doors show, made when they are needed and only in memory.
//!
//! A bucket is a label of a host name. Verifiers refuse a wildcard directly below a top-level name
//! (`*.localhost`), so a client that asks for `bucket.localhost` is shown a leaf with just that name.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Time};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::files;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A leaf is made anew when it is this old, long before it ends.
const FRESH: Duration = Duration::from_secs(90 * 24 * 3600);
/// Leaves kept at once.
const LEAVES_MAX: usize = 1024;

/// The names that a leaf always has.
const NAMES: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

/// What is wrong with the certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A key or certificate could not be made or read.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses them.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The certificate authority and what the doors show.
pub struct Tls {
    /// Where clients find the authority's certificate.
    pub ca_cert: PathBuf,
    /// Accepts TLS connections.
    pub acceptor: TlsAcceptor,
}

impl Tls {
    /// Opens (or at first start makes) the authority in `dir`. Leaves have the standing names and
    /// `more`; a name one label below one of `suffixes` gets a leaf of its own.
    ///
    /// # Errors
    /// Where a file cannot be used or a configured name is not a name.
    pub fn open(
        dir: &Path,
        more: &[String],
        suffixes: &[String],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let (cert_file, key_file) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        if !key_file.exists() {
            let key = KeyPair::generate()?;
            let cert = authority(clock.now()).self_signed(&key)?;
            write(&cert_file, cert.pem().as_bytes(), 0o644)?;
            // Last, so that a crash in between begins anew instead of leaving a key without its certificate.
            write(&key_file, key.serialize_pem().as_bytes(), 0o600)?;
        }
        let key = fs::read_to_string(&key_file).map_err(|error| Error::File(key_file, error))?;
        let issuer = Issuer::new(authority(clock.now()), KeyPair::from_pem(&key)?);
        let leaves = Leaves {
            issuer,
            key: KeyPair::generate()?,
            names: NAMES.iter().map(ToString::to_string).chain(more.iter().cloned()).collect(),
            suffixes: suffixes.to_vec(),
            clock,
            made: Mutex::default(),
        };
        leaves.leaf("")?; // a bad configured name fails here and not at the first client
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(leaves));
        Ok(Self { ca_cert: cert_file, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// Makes leaves and keeps them while they are fresh.
struct Leaves {
    issuer: Issuer<'static, KeyPair>,
    /// One key for all leaves: they all speak for this process.
    key: KeyPair,
    names: Vec<String>,
    suffixes: Vec<String>,
    clock: Arc<dyn Clock>,
    made: Mutex<HashMap<String, (Time, Arc<CertifiedKey>)>>,
}

impl std::fmt::Debug for Leaves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaves").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Leaves {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let name = if self.is_label(&asked) { asked.as_str() } else { "" };
        self.leaf(name)
            .inspect_err(|error| tracing::error!(%error, name, "make a certificate"))
            .ok()
    }
}

impl Leaves {
    /// True for a name one label below a suffix.
    fn is_label(&self, name: &str) -> bool {
        let labels = name.split_once('.');
        labels.is_some_and(|(label, suffix)| {
            !label.is_empty() && self.suffixes.iter().any(|known| known == suffix)
        })
    }

    /// The leaf for one more name; empty for the standing names only.
    fn leaf(&self, name: &str) -> Result<Arc<CertifiedKey>, Error> {
        let now = self.clock.now();
        let mut made = self.made.lock().expect("nothing panics while it holds this lock");
        if let Some((at, leaf)) = made.get(name)
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(leaf));
        }
        if made.len() >= LEAVES_MAX {
            made.clear(); // names come from clients, so what is kept has a bound
        }
        let leaf = Arc::new(self.sign(name, now)?);
        made.insert(name.to_owned(), (now, Arc::clone(&leaf)));
        Ok(leaf)
    }

    fn sign(&self, name: &str, now: Time) -> Result<CertifiedKey, Error> {
        let more = (!name.is_empty()).then(|| name.to_owned());
        let names: Vec<String> = self.names.iter().cloned().chain(more).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "Awan");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = validity(now, YEAR);
        let leaf = params.signed_by(&self.key, &self.issuer)?;
        let chain = vec![CertificateDer::from(leaf.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        Ok(CertifiedKey::new(chain, rustls::crypto::ring::sign::any_ecdsa_type(&key)?))
    }
}

/// The same subject every time: it is what leaves name as their issuer.
fn authority(now: Time) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Awan");
    params.distinguished_name.push(DnType::CommonName, "Awan certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    (params.not_before, params.not_after) = validity(now, YEAR * 10);
    params
}

/// From a day ago, since clients' clocks differ.
fn validity(now: Time, life: Duration) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let at = |time: Time| {
        time::OffsetDateTime::from_unix_timestamp(time.secs())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    (at(now.minus(Duration::from_secs(24 * 3600))), at(now.plus(life)))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    files::write_whole(path, bytes, mode).map_err(|error| Error::File(path.to_owned(), error))
}
