//! The control plane's side of the talk with nodes: one call each, over mutual TLS. Those of data centres that the
//! configuration names no address for run on this machine, as processes of their own: they are started when they
//! are first needed, they outlive a crash of this process and are found again, and an orderly stop stops them.

mod enroll;
mod local;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::ApiError;
use bytes::Bytes;
use engine::ports::{Pending, Pieces};
use engine::server::authority::{Authority, Purpose};
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::backup::base::Copies;
use crate::backup::restore::Seeds;
use crate::engines::Build;
use crate::node::api::{
    CONTROL, Dump, Figures, LeaseGrant, Leases, LogLine, Observed, Promote, Spec,
};
pub use enroll::{Enrollment, enroll};
use local::Local;

/// How long a node may take to accept a connection. It is near, or away.
const CONNECT: Duration = Duration::from_secs(2);
/// How long it may take to answer what it answers at once.
const SOON: Duration = Duration::from_secs(5);
/// How long it may take to answer a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a transfer may take altogether.
const TRANSFER: Duration = Duration::from_secs(6 * 3600);
/// The first user of servers, beyond those that systems give out.
const FIRST_USER: u32 = 800_000;
/// Users of one node.
const USERS: u32 = 4096;
/// Data centres of one cloud.
const SITES: u32 = 32;
/// Clouds of one machine that are told apart: all of it stays below 2^31.
const CLOUDS: u32 = 16_000;
/// The longest answer that is read into memory, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Why a node did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It was not reached: nothing was asked of it.
    #[error("the node at {0} is away: {1}")]
    Away(String, String),
    /// It was asked, and what came of it is not known.
    #[error("the node at {0} did not answer: {1}")]
    Silent(String, String),
    /// It refused.
    #[error("the node at {site}: {reason} ({status})")]
    Refused {
        /// Which.
        site: String,
        /// Its HTTP status.
        status: u16,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// True where nothing can have been received.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(..))
    }

    /// True where the node knows no such instance.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

impl From<Error> for engine::task::StepError {
    fn from(error: Error) -> Self {
        Self::transient(error)
    }
}

/// Where nodes are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The addresses of the nodes that run elsewhere, by data centre.
    pub remote: BTreeMap<String, SocketAddr>,
    /// The address of this machine at which its servers are met; `None` where nobody comes from elsewhere.
    pub address: Option<IpAddr>,
    /// All data centres, in an order that does not change: users of servers of this machine are numbered by it.
    pub sites: Vec<String>,
    /// Below which those of this machine have a directory each.
    pub home: PathBuf,
    /// The program that they run.
    pub program: PathBuf,
    /// More directories of engines' programs.
    pub engines: Vec<PathBuf>,
    /// The engine store.
    pub store: PathBuf,
}

impl Places {
    /// The numbers of the users that servers of a data centre run as: no two nodes of a cloud share one, also where
    /// they share a machine, and hardly ever two of different clouds, which would end each other's shared memory.
    fn users(&self, site: &str) -> (u32, u32) {
        let place = self.sites.iter().position(|known| known == site).unwrap_or_default();
        let place = u32::try_from(place).unwrap_or_default().min(SITES - 1);
        let home = self.home.as_os_str().as_encoded_bytes();
        let digest = ring::digest::digest(&ring::digest::SHA256, home);
        let cloud =
            u32::from(u16::from_be_bytes([digest.as_ref()[0], digest.as_ref()[1]])) % CLOUDS;
        let first = FIRST_USER + (cloud * SITES + place) * USERS;
        (first, first + USERS)
    }

    /// A data centre whose node is said to be elsewhere, and which has instances here. An instance does not move with a
    /// line of configuration: it would be begun anew there, empty.
    pub fn astray(&self) -> Option<&str> {
        let has = |site: &&String| {
            let instances = std::fs::read_dir(self.home.join(site).join("instances"));
            instances.is_ok_and(|mut all| all.next().is_some())
        };
        self.remote.keys().find(has).map(String::as_str)
    }
}

/// What the machines ask of nodes: a seam, so that they are tested over nodes that fail on demand.
#[async_trait]
pub trait Hosts: Send + Sync + 'static {
    /// Tells a node what an instance is to be; answers what it is once that is so, or when the wait is over.
    ///
    /// # Errors
    /// See [`Error`].
    async fn put(&self, site: &str, spec: &Spec, wait: Duration) -> Result<Observed, Error>;

    /// Removes an instance with everything that it has there. Harmless where it is not there.
    ///
    /// # Errors
    /// See [`Error`].
    async fn delete(&self, site: &str, id: &str, term: i64) -> Result<(), Error>;

    /// What an instance is, if its node runs.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_unknown`] where it is not there.
    async fn observe(&self, site: &str, id: &str) -> Result<Observed, Error>;

    /// What everything is that a node has, if it runs.
    ///
    /// # Errors
    /// See [`Error`].
    async fn observe_all(&self, site: &str) -> Result<Vec<Observed>, Error>;

    /// Grants leases, if the node runs; answers what those instances are. A node that died is not started for it:
    /// whether its servers come back there or elsewhere is decided first.
    ///
    /// # Errors
    /// See [`Error`].
    async fn lease(&self, site: &str, grants: Vec<LeaseGrant>) -> Result<Vec<Observed>, Error>;

    /// Makes a standby the primary.
    ///
    /// # Errors
    /// See [`Error`].
    async fn promote(&self, site: &str, id: &str, promote: &Promote) -> Result<Observed, Error>;

    /// Kills what is left of a server of this machine, whose node does not answer: it may be frozen, and wake up.
    /// Says whether that is sure: of another machine's nothing is.
    async fn kill_here(&self, site: &str, id: &str) -> bool;
}

/// All nodes.
pub struct Nodes {
    places: Places,
    trust: Arc<ClientConfig>,
    local: Arc<Local>,
}

impl Nodes {
    /// Makes the certificate that nodes know this process by. Starts nothing.
    ///
    /// # Errors
    /// Where no certificate can be made.
    pub fn new(
        places: Places,
        authority: Arc<Authority>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let issued = authority.issue(&[CONTROL.to_owned()], Purpose::Client)?;
        let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(issued.key.expose().as_bytes())?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&authority.certificate)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        let local = Arc::new(Local::new(places.clone(), authority));
        Ok(Self { places, trust: Arc::new(config), local })
    }

    /// How this process is known, and whom it trusts: what the cloud's authority signed.
    pub fn trust(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.trust)
    }

    /// Where they are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether the node of that data centre runs on another machine.
    pub fn is_remote(&self, site: &str) -> bool {
        self.places.remote.contains_key(site)
    }

    /// Whether the node of a data centre of this machine runs.
    pub async fn runs(&self, site: &str) -> bool {
        self.local.runs(site).await
    }

    /// The engines that a node has.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn engines(&self, site: &str) -> Result<Vec<Build>, Error> {
        self.get(site, "/engines").await
    }

    /// Lines of a server's log: `kind` is `error` or `slow`, times are microseconds since 1970.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn logs(
        &self,
        site: &str,
        id: &str,
        kind: &str,
        since: i64,
    ) -> Result<Vec<LogLine>, Error> {
        let path =
            format!("/instances/{id}/logs?kind={kind}&since={since}&until={}&limit=1000", i64::MAX);
        self.get(site, &path).await
    }

    /// The counters of an instance.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn figures(&self, site: &str, id: &str) -> Result<Figures, Error> {
        self.get(site, &format!("/instances/{id}/figures")).await
    }

    /// Begins a dump; the answer's body is the dump.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dump(&self, site: &str, id: &str, what: &Dump) -> Result<Incoming, Error> {
        let path = format!("/instances/{id}/dump");
        let answer = self.call(site, Method::POST, &path, as_json(what), TRANSFER).await?;
        Ok(answer.into_body())
    }

    /// Loads a dump into a database.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load(
        &self,
        site: &str,
        id: &str,
        database: &str,
        dump: Incoming,
    ) -> Result<(), Error> {
        let path =
            format!("/instances/{id}/load?database={}", base::text::percent_encode(database));
        let dump = dump.map_err(std::io::Error::other).boxed_unsync();
        self.call(site, Method::POST, &path, dump, TRANSFER).await.map(drop)
    }

    /// Begins a physical backup of an engine that makes it by itself; the answer's body is the backup.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn backup(&self, site: &str, id: &str) -> Result<Incoming, Error> {
        let path = format!("/instances/{id}/backup");
        Ok(self.call(site, Method::GET, &path, empty(), TRANSFER).await?.into_body())
    }

    /// Stops the nodes of this machine with all their servers, and waits for that.
    pub async fn stop(&self) {
        self.local.stop().await;
    }

    async fn get<T: DeserializeOwned>(&self, site: &str, path: &str) -> Result<T, Error> {
        let answer = self.call(site, Method::GET, path, empty(), SOON).await?;
        understood(site, answer).await
    }

    /// As [`Self::json`], of a node that runs: one that does not is not started for it.
    async fn of_running<B: Serialize, T: DeserializeOwned>(
        &self,
        site: &str,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        let until = Instant::now() + HEARTBEAT;
        if !self.places.remote.contains_key(site) {
            let away = |why: &str| Err(Error::Away(site.to_owned(), why.to_owned()));
            match tokio::time::timeout_at(until, self.local.runs(site)).await {
                Ok(true) => {}
                Ok(false) => return away("it does not run"),
                Err(_) => return away("it is being started"),
            }
        }
        self.json(site, method, path, body, until.duration_since(Instant::now())).await
    }

    async fn json<B: Serialize, T: DeserializeOwned>(
        &self,
        site: &str,
        method: Method,
        path: &str,
        body: &B,
        within: Duration,
    ) -> Result<T, Error> {
        let asked = async {
            let answer = self.call(site, method, path, as_json(body), within).await?;
            understood(site, answer).await
        };
        let silent = |_| Err(Error::Silent(site.to_owned(), "it took too long".to_owned()));
        tokio::time::timeout(within, asked).await.unwrap_or_else(silent)
    }

    async fn call(
        &self,
        site: &str,
        method: Method,
        path: &str,
        body: Body,
        within: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let away = |error: String| Error::Away(site.to_owned(), error);
        let address = match self.places.remote.get(site) {
            Some(address) => address.to_string(),
            None => self.local.address(site).await.map_err(away)?,
        };
        let mut sender = tokio::time::timeout(CONNECT, self.connect(site, &address))
            .await
            .map_err(|_| away(format!("{address} accepts no connection")))?
            .map_err(away)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("{site}.node.awan"))
            .body(body)
            .map_err(|error| away(error.to_string()))?;
        let silent = |error: String| Error::Silent(site.to_owned(), error);
        let answer = tokio::time::timeout(within, sender.send_request(request))
            .await
            .map_err(|_| silent("it took too long".to_owned()))?
            .map_err(|error| silent(error.to_string()))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let text = read(site, answer).await.unwrap_or_default();
        let reason = serde_json::from_slice::<serde_json::Value>(&text).unwrap_or_default();
        let reason = reason["error"].as_str().unwrap_or("it gave no reason").to_owned();
        Err(Error::Refused { site: site.to_owned(), status, reason })
    }

    async fn connect(
        &self,
        site: &str,
        address: &str,
    ) -> Result<hyper::client::conn::http1::SendRequest<Body>, String> {
        let tcp =
            TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let name =
            ServerName::try_from(format!("{site}.node.awan")).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(self.trust());
        let tls = connector.connect(name, tcp).await.map_err(|error| format!("TLS: {error}"))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| error.to_string())?;
        // Ends with the answer's body, or when nobody waits for that any more.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a node ended");
            }
        });
        Ok(sender)
    }
}

#[async_trait]
impl Seeds for Nodes {
    async fn seed(&self, site: &str, id: &str, tar: Box<dyn Pieces>) -> Result<(), ApiError> {
        let path = format!("/instances/{id}/seed");
        let sent = self.call(site, Method::PUT, &path, streamed(tar), TRANSFER).await;
        sent.map(drop).map_err(ApiError::internal)
    }

    async fn wal(&self, site: &str, id: &str, file: &str, frame: Vec<u8>) -> Result<(), ApiError> {
        let path = format!("/instances/{id}/wal/{file}");
        let sent = self.call(site, Method::PUT, &path, whole(frame.into()), TRANSFER).await;
        sent.map(drop).map_err(ApiError::internal)
    }
}

#[async_trait]
impl Copies for Nodes {
    async fn copy(&self, site: &str, id: &str) -> Result<Box<dyn Pieces>, ApiError> {
        let backup = self.backup(site, id).await.map_err(ApiError::internal)?;
        Ok(Box::new(Coming(backup)))
    }
}

/// An answer's body, as it comes. One that breaks off is an error, never an end.
struct Coming(Incoming);

impl Pieces for Coming {
    fn next(&mut self) -> Pending<'_, Option<Bytes>> {
        Box::pin(async {
            while let Some(frame) = self.0.frame().await {
                if let Ok(bytes) = frame.map_err(ApiError::internal)?.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Ok(None)
        })
    }
}

#[async_trait]
impl Hosts for Nodes {
    async fn put(&self, site: &str, spec: &Spec, wait: Duration) -> Result<Observed, Error> {
        let path = format!("/instances/{}?wait_ms={}", spec.id, wait.as_millis());
        self.json(site, Method::PUT, &path, spec, wait + SOON).await
    }

    async fn observe(&self, site: &str, id: &str) -> Result<Observed, Error> {
        self.of_running(site, Method::GET, &format!("/instances/{id}"), &()).await
    }

    async fn observe_all(&self, site: &str) -> Result<Vec<Observed>, Error> {
        self.of_running(site, Method::GET, "/instances", &()).await
    }

    async fn delete(&self, site: &str, id: &str, term: i64) -> Result<(), Error> {
        let path = format!("/instances/{id}?term={term}");
        match self.call(site, Method::DELETE, &path, empty(), SOON * 3).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_unknown() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn lease(&self, site: &str, grants: Vec<LeaseGrant>) -> Result<Vec<Observed>, Error> {
        self.of_running(site, Method::POST, "/leases", &Leases { grants }).await
    }

    async fn promote(&self, site: &str, id: &str, promote: &Promote) -> Result<Observed, Error> {
        let path = format!("/instances/{id}/promote");
        self.json(site, Method::POST, &path, promote, Duration::from_secs(12)).await
    }

    async fn kill_here(&self, site: &str, id: &str) -> bool {
        if self.places.remote.contains_key(site) {
            return false;
        }
        let (local, site, id) = (self.local.clone(), site.to_owned(), id.to_owned());
        tokio::task::spawn_blocking(move || local.kill(&site, &id)).await.unwrap_or(false)
    }
}

async fn read(site: &str, answer: Response<Incoming>) -> Result<Bytes, Error> {
    let limited = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
    let collected = limited.collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| Error::Silent(site.to_owned(), error.to_string()))
}

async fn understood<T: DeserializeOwned>(
    site: &str,
    answer: Response<Incoming>,
) -> Result<T, Error> {
    let bytes = read(site, answer).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Silent(site.to_owned(), error.to_string()))
}

fn as_json<B: Serialize>(body: &B) -> Body {
    // What is sent are structures of ours, whose keys are texts.
    whole(serde_json::to_vec(body).unwrap_or_default().into())
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn empty() -> Body {
    whole(Bytes::new())
}

/// A body of pieces as they come.
fn streamed(pieces: Box<dyn Pieces>) -> Body {
    let next = |mut pieces: Box<dyn Pieces>| async move {
        let piece = pieces.next().await.transpose()?;
        let frame =
            piece.map(Frame::data).map_err(|error| std::io::Error::other(error.to_string()));
        Some((frame, pieces))
    };
    BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::unfold(pieces, next)))
}
