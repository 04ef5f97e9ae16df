//! The cloud's own certificate authority: made at first start, kept in the data directory, and the
//! leaf certificate that the doors show, made anew at every start.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::Time;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The names that the leaf always has.
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
    /// Opens (or at first start makes) the authority in `dir` and signs a leaf for the standing names
    /// and `more`.
    ///
    /// # Errors
    /// Where a file cannot be used or a configured name is not a name.
    pub fn open(dir: &Path, more: &[String], now: Time) -> Result<Self, Error> {
        let (cert_file, key_file) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        if !key_file.exists() {
            let key = KeyPair::generate()?;
            let cert = authority(now).self_signed(&key)?;
            write_new(&cert_file, cert.pem().as_bytes(), 0o644)?;
            // Last, so that a crash in between begins anew instead of leaving a key without its certificate.
            write_new(&key_file, key.serialize_pem().as_bytes(), 0o600)?;
        }
        let key = fs::read_to_string(&key_file).map_err(|error| Error::File(key_file, error))?;
        let issuer = Issuer::new(authority(now), KeyPair::from_pem(&key)?);
        let acceptor = acceptor(&issuer, more, now)?;
        Ok(Self { ca_cert: cert_file, acceptor })
    }
}

fn acceptor(issuer: &Issuer<'_, KeyPair>, more: &[String], now: Time) -> Result<TlsAcceptor, Error> {
    let names: Vec<String> = NAMES.iter().map(ToString::to_string).chain(more.iter().cloned()).collect();
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Awan");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = validity(now, YEAR);
    let leaf = params.signed_by(&key, issuer)?;
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The same subject every time: it is what leaves name as their issuer.
fn authority(now: Time) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Awan");
    params.distinguished_name.push(DnType::CommonName, "Awan certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    (params.not_before, params.not_after) = validity(now, YEAR * 10);
    params
}

/// From a day ago, since clients' clocks differ.
fn validity(now: Time, life: Duration) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let at = |time: Time| time::OffsetDateTime::from_unix_timestamp(time.secs()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    (at(now.minus(Duration::from_secs(24 * 3600))), at(now.plus(life)))
}

/// Writes a whole file durably: beside it, synced, then renamed over.
///
/// # Errors
/// Where the directory is not writable or the disk is full.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    write_file(path, bytes, mode).map_err(|error| Error::File(path.to_owned(), error))
}

/// As [`write_new`], with the plain error.
pub fn write_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => fs::File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}
