//! The cloud's own certificate authority, made at first start and kept in the data directory: it signs what the
//! doors show, what instances show their clients, and what the parts of the cloud show each other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Time};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::files;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

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

/// What a certificate may be shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A server, to its clients.
    Server,
    /// A client, to a server that asks who it is.
    Client,
}

/// A certificate and its key, as text.
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key (PKCS #8), PEM.
    pub key: base::Secret<String>,
}

/// The certificate authority of this cloud.
pub struct Authority {
    /// Where clients find its certificate.
    pub certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    clock: Arc<dyn Clock>,
}

impl Authority {
    /// Opens the authority in `dir`, or at first start makes it.
    ///
    /// # Errors
    /// Where a file cannot be used.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
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
        Ok(Self { certificate: cert_file, issuer, clock })
    }

    /// A certificate for a year under a new key: `names` are DNS names and addresses, the first of which it is
    /// called by.
    ///
    /// # Errors
    /// Where a name is none.
    pub fn issue(&self, names: &[String], purpose: Purpose) -> Result<Issued, Error> {
        let key = KeyPair::generate()?;
        let common = names.first().map_or("Awan", String::as_str);
        let certificate = self.sign(names, common, purpose, &key)?.pem();
        Ok(Issued { certificate, key: base::Secret::new(key.serialize_pem()) })
    }

    /// A certificate for a year under that key.
    pub(super) fn sign(
        &self,
        names: &[String],
        common: &str,
        purpose: Purpose,
        key: &KeyPair,
    ) -> Result<rcgen::Certificate, Error> {
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        (params.not_before, params.not_after) = validity(self.clock.now(), YEAR);
        Ok(params.signed_by(key, &self.issuer)?)
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
