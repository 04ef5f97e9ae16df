//! What the doors show: leaf certificates of the cloud's own authority, made when they are needed and only in
//! memory.
//!
//! A bucket is a label of a host name. Verifiers refuse a wildcard directly below a top-level name
//! (`*.localhost`), so a client that asks for `bucket.localhost` is shown a leaf with just that name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Time};
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, Error, Purpose};

/// A leaf is made anew when it is this old, long before it ends.
const FRESH: Duration = Duration::from_secs(90 * 24 * 3600);
/// Leaves kept at once.
const LEAVES_MAX: usize = 1024;

/// The names that a leaf always has.
const NAMES: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

/// What the doors show.
pub struct Tls {
    /// Accepts TLS connections.
    pub acceptor: TlsAcceptor,
}

impl Tls {
    /// Leaves of that authority have the standing names and `more`; a name one label below one of `suffixes`
    /// gets a leaf of its own.
    ///
    /// # Errors
    /// Where a configured name is not a name.
    pub fn open(
        authority: Arc<Authority>,
        more: &[String],
        suffixes: &[String],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let leaves = Leaves {
            authority,
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
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// Makes leaves and keeps them while they are fresh.
struct Leaves {
    authority: Arc<Authority>,
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
        let leaf = Arc::new(self.sign(name)?);
        made.insert(name.to_owned(), (now, Arc::clone(&leaf)));
        Ok(leaf)
    }

    fn sign(&self, name: &str) -> Result<CertifiedKey, Error> {
        let more = (!name.is_empty()).then(|| name.to_owned());
        let names: Vec<String> = self.names.iter().cloned().chain(more).collect();
        let leaf = self.authority.sign(&names, "Awan", Purpose::Server, &self.key)?;
        let chain = vec![CertificateDer::from(leaf.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        Ok(CertifiedKey::new(chain, rustls::crypto::ring::sign::any_ecdsa_type(&key)?))
    }
}
