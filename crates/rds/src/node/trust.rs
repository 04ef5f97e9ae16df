//! What a node shows, and whom it answers: the control plane, and nobody else who has a certificate of the cloud's
//! authority. Not here: what is said then ([`super::server`]).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock as _, SystemClock, Time};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use super::Config;
use super::api::CONTROL;
use super::error::{Doing, Result};

/// A certificate that ends sooner than this is to be replaced.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often is looked how long it lasts.
const LOOK: Duration = Duration::from_secs(24 * 3600);

/// What a node reads of certificates at its start.
pub struct Trust {
    /// The authority's certificate, PEM.
    pub authority: Arc<str>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Trust {
    /// Reads the files that the configuration names. The key's is made its owner's alone.
    ///
    /// # Errors
    /// Where a file cannot be read or is none of these.
    pub fn read(config: &Config) -> Result<Self> {
        let Config { ca, cert, key, .. } = config;
        let authority = fs::read_to_string(ca).doing(ca.display())?;
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(root.doing(ca.display())?).doing(ca.display())?;
        }
        let chain = CertificateDer::pem_file_iter(cert).doing(cert.display())?;
        let chain = chain.collect::<std::result::Result<_, _>>().doing(cert.display())?;
        keep_private(key)?;
        let key = PrivateKeyDer::from_pem_file(key).doing("the node's key")?;
        Ok(Self { authority: authority.into(), roots: Arc::new(roots), chain, key })
    }

    /// TLS where both sides show a certificate of that authority, and the client the control plane's.
    ///
    /// # Errors
    /// Where the certificate and the key do not fit.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let known = WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&self.roots),
            Arc::clone(&provider),
        );
        let known = OnlyControl(known.build().doing("the authority's certificate")?);
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .doing("TLS")?
            .with_client_cert_verifier(Arc::new(known))
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .doing("the node's certificate")?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Whether the control plane takes the certificate for that of the node of `site`, at that moment.
    fn holds(&self, site: &str, at: Time) -> std::result::Result<(), String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider)
                .build()
                .map_err(|error| error.to_string())?;
        let name =
            ServerName::try_from(format!("{site}.node.awan")).map_err(|error| error.to_string())?;
        let (own, between) = self.chain.split_first().ok_or("there is none")?;
        let at = Duration::from_micros(at.micros().unsigned_abs());
        let at = UnixTime::since_unix_epoch(at);
        let held = verifier.verify_server_cert(own, between, &name, &[], at);
        held.map(drop).map_err(|error| error.to_string())
    }

    /// Says every day, where it is so, that the certificate is of no use, or not for long.
    pub async fn warn(self, site: String) {
        loop {
            let now = SystemClock.now();
            if let Err(reason) = self.holds(&site, now) {
                tracing::error!(
                    site,
                    reason,
                    "the cloud does not take this node's certificate: enroll the node anew"
                );
            } else if let Err(reason) = self.holds(&site, now.plus(SOON)) {
                tracing::warn!(
                    site,
                    reason,
                    "in 30 days this node's certificate is of no use: enroll the node anew"
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A key that others may read is made private, which a copy to another machine may have undone.
fn keep_private(key: &Path) -> Result<()> {
    let mode = fs::metadata(key).doing(key.display())?.mode();
    if mode & 0o077 != 0 {
        tracing::warn!(key = %key.display(), "others could read the node's key: that ends now");
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).doing(key.display())?;
    }
    Ok(())
}

/// Takes a client's certificate that the authority signed for the control plane. It signs for others too: for the doors
/// of the cloud, and for servers of tenants.
#[derive(Debug)]
struct OnlyControl(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for OnlyControl {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        // Signed by the authority, of this time, and to be shown by clients.
        let verified = self.0.verify_client_cert(own, between, now)?;
        let name = ServerName::try_from(CONTROL)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        rustls::client::verify_server_name(&ParsedCertificate::try_from(own)?, &name)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use base::Clock;
    use engine::server::authority::{Authority, Purpose};

    use super::*;

    struct Then(Time);

    impl Clock for Then {
        fn now(&self) -> Time {
            self.0
        }
    }

    #[test]
    fn a_certificate_holds_for_its_own_site_and_for_a_year() {
        let dir = tempfile::tempdir().unwrap();
        let days = |count: u64| Duration::from_secs(count * 24 * 3600);
        let now = SystemClock.now();
        let authority = Authority::open(dir.path(), Arc::new(Then(now))).unwrap();
        let issued = authority.issue(&["jkt-b.node.awan".to_owned()], Purpose::Server).unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        fs::write(&cert, issued.certificate).unwrap();
        fs::write(&key, issued.key.expose()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let config = serde_json::json!({
            "name": "n", "site": "jkt-b", "listen": "127.0.0.1:0",
            "ca": authority.certificate, "cert": cert, "key": key,
        });
        let trust = Trust::read(&serde_json::from_value(config).unwrap()).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        trust.acceptor().unwrap();
        assert_eq!(trust.holds("jkt-b", now), Ok(()));
        assert!(trust.holds("jkt-a", now).is_err());
        assert_eq!(trust.holds("jkt-b", now.plus(days(334)).plus(SOON)), Ok(()));
        let late = trust.holds("jkt-b", now.plus(days(336)).plus(SOON)).unwrap_err();
        assert!(late.contains("expired"), "{late}");
    }
}
