//! Patroni's REST API, as much of it as is used: who leads (`GET /cluster`), which version (`GET /patroni`),
//! `POST /switchover`, `POST /restart`. Every answer is another program's: bounded in time and size, and read so that
//! nothing in it can do harm. Knows no rows.

use std::time::Duration;

use base::Secret;
use base64::Engine as _;
use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Access, Seat};

/// How long a member may take to say how its cluster is.
const SOON: Duration = Duration::from_millis(900);
/// How long a switch-over may take: Patroni itself gives it up to twenty of its rounds.
const SWITCH: Duration = Duration::from_secs(45);
/// How long a restart of one server may take.
const RESTART: Duration = Duration::from_secs(120);
/// The longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What of a refusal's reason is kept, characters.
const REASON_MAX: usize = 200;

/// Why a cluster did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// What the configuration says of it cannot be used.
    #[error("the configuration: {0}")]
    Unusable(String),
    /// It does not answer, or not in time.
    #[error("{0} does not answer: {1}")]
    Away(String, String),
    /// It answered what nobody understands.
    #[error("{0} answers strangely: {1}")]
    Strange(String, String),
    /// It refused.
    #[error("{member} refused ({status}): {reason}")]
    Refused {
        /// Who.
        member: String,
        /// Its HTTP status.
        status: u16,
        /// Why, in its words.
        reason: String,
    },
}

/// How a cluster is, as one of its members says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct View {
    #[serde(default)]
    pub(super) members: Vec<Seen>,
}

/// How a server is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    #[serde(deserialize_with = "word")]
    pub(super) name: String,
    #[serde(deserialize_with = "word")]
    role: String,
    #[serde(deserialize_with = "word")]
    pub(super) state: String,
    /// Where its PostgreSQL is: an address or a name.
    #[serde(deserialize_with = "word")]
    pub(super) host: String,
    #[serde(deserialize_with = "number")]
    port: Option<u64>,
    #[serde(deserialize_with = "number")]
    timeline: Option<u64>,
    /// Bytes of the log that it lacks; not there where it leads, and where that is not known.
    #[serde(deserialize_with = "number")]
    pub(super) lag: Option<u64>,
}

/// A text; anything else is none.
fn word<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

/// A number; Patroni says `"unknown"` where it has none.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(Value::deserialize(from)?.as_u64())
}

impl Seen {
    /// True for the one that takes writes now.
    pub(super) fn leads(&self) -> bool {
        self.role == "leader" && self.state == "running"
    }

    /// True for one that follows, and shows what it has.
    pub(super) fn follows(&self) -> bool {
        self.role != "leader" && matches!(self.state.as_str(), "streaming" | "in archive recovery")
    }

    /// True where commits wait for it.
    pub(super) fn is_synchronous(&self) -> bool {
        matches!(self.role.as_str(), "sync_standby" | "quorum_standby")
    }

    /// The port of its PostgreSQL; 0 where that is not known.
    pub(super) fn port(&self) -> u16 {
        self.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default()
    }

    /// The timeline that it is on; 0 where that is not known.
    pub(super) fn timeline(&self) -> u32 {
        self.timeline.and_then(|timeline| u32::try_from(timeline).ok()).unwrap_or_default()
    }
}

impl View {
    fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Who leads; nobody where two do.
    pub(super) fn leader(&self) -> Option<&Seen> {
        let mut leaders = self.members.iter().filter(|seen| seen.leads());
        leaders.next().filter(|_| leaders.next().is_none())
    }

    /// That server.
    pub(super) fn member(&self, name: &str) -> Option<&Seen> {
        self.members.iter().find(|seen| seen.name == name)
    }

    /// Whom of several to believe: one that was cut off may still tell of the leader of an older timeline.
    fn newest(views: Vec<Self>) -> Option<Self> {
        views.into_iter().max_by_key(|view| {
            let newest = view.members.iter().map(Seen::timeline).max();
            (newest, view.leader().map(Seen::timeline))
        })
    }
}

/// The version as PostgreSQL tells it, of its number: `15.18` of 150018.
fn version(bytes: &[u8]) -> Option<String> {
    let told: Value = serde_json::from_slice(bytes).ok()?;
    let number = told.get("server_version")?.as_u64().filter(|number| *number >= 100_000)?;
    Some(format!("{}.{}", number / 10_000, number % 10_000))
}

/// The REST APIs of the members of one cluster.
pub(super) struct Client {
    doors: Vec<Door>,
    tls: Option<TlsConnector>,
    authorization: Option<HeaderValue>,
}

/// A member's REST API.
struct Door {
    member: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Door {
    fn of(seat: &Seat) -> Result<Self, Error> {
        // Not the address itself: who writes a password into it would find it in the log.
        let unusable =
            || Error::Unusable(format!("{} has no API like https://10.0.0.1:8008", seat.name));
        let uri: Uri = seat.api.parse().map_err(|_| unusable())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(unusable()),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(unusable());
        }
        let host = uri.host().ok_or_else(unusable)?.trim_matches(['[', ']']).to_owned();
        Ok(Self { member: seat.name.clone(), host, port: uri.port_u16().unwrap_or(8008), tls })
    }

    fn away(&self, why: impl std::fmt::Display) -> Error {
        Error::Away(self.member.clone(), why.to_string())
    }
}

impl Client {
    /// Reads the files that the configuration names. Asks nobody.
    ///
    /// # Errors
    /// [`Error::Unusable`].
    pub(super) fn new(seats: &[Seat], access: &Access) -> Result<Self, Error> {
        let doors = seats.iter().map(Door::of).collect::<Result<Vec<_>, _>>()?;
        let tls = if doors.iter().any(|door| door.tls) { Some(connector(access)?) } else { None };
        let authorization = access.login.as_ref().map(basic).transpose()?;
        Ok(Self { doors, tls, authorization })
    }

    /// How the cluster is. All members are asked at once.
    ///
    /// # Errors
    /// Where nobody says.
    pub(super) async fn view(&self) -> Result<View, Error> {
        let asked = self.doors.iter().map(|door| self.view_of(door));
        let (mut views, mut error) = (Vec::new(), None);
        for answer in join_all(asked).await {
            match answer {
                Ok(view) => views.push(view),
                Err(why) => error = Some(why),
            }
        }
        let nobody = || Error::Unusable("it has no members".to_owned());
        View::newest(views).ok_or_else(|| error.unwrap_or_else(nobody))
    }

    async fn view_of(&self, door: &Door) -> Result<View, Error> {
        let bytes = self.call(door, Method::GET, "/cluster", None, SOON).await?;
        View::read(&bytes).map_err(|error| Error::Strange(door.member.clone(), error.to_string()))
    }

    /// Which version of PostgreSQL a member runs; `None` where it does not say.
    pub(super) async fn version(&self, member: &str) -> Option<String> {
        let door = self.door(member).ok()?;
        let bytes = self.call(door, Method::GET, "/patroni", None, SOON).await.ok()?;
        version(&bytes)
    }

    /// Has another member lead. Returns when it does.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn switch(&self, leader: &str, candidate: &str) -> Result<(), Error> {
        let body = json!({ "leader": leader, "candidate": candidate });
        let door = self.door(leader)?;
        self.call(door, Method::POST, "/switchover", Some(body), SWITCH).await.map(drop)
    }

    /// Restarts a member's PostgreSQL. Returns when it is back.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn restart(&self, member: &str) -> Result<(), Error> {
        let door = self.door(member)?;
        self.call(door, Method::POST, "/restart", Some(json!({})), RESTART).await.map(drop)
    }

    /// Whether the configuration has that member.
    pub(super) fn knows(&self, member: &str) -> bool {
        self.door(member).is_ok()
    }

    fn door(&self, member: &str) -> Result<&Door, Error> {
        let found = self.doors.iter().find(|door| door.member == member);
        found.ok_or_else(|| Error::Unusable(format!("there is no member {member:?}")))
    }

    async fn call(
        &self,
        door: &Door,
        method: Method,
        path: &str,
        body: Option<Value>,
        within: Duration,
    ) -> Result<Bytes, Error> {
        let request = self.request(door, method, path, body)?;
        let asked = async {
            let tcp = TcpStream::connect((door.host.as_str(), door.port)).await;
            let tcp = tcp.map_err(|error| door.away(error))?;
            match self.tls.as_ref().filter(|_| door.tls) {
                None => exchange(door, tcp, request).await,
                Some(tls) => {
                    let name = ServerName::try_from(door.host.clone());
                    let name = name.map_err(|error| Error::Unusable(error.to_string()))?;
                    let tcp = tls.connect(name, tcp).await.map_err(|error| door.away(error))?;
                    exchange(door, tcp, request).await
                }
            }
        };
        let answered = tokio::time::timeout(within, asked).await;
        let (status, bytes) = answered.map_err(|_| door.away("it takes too long"))??;
        if (200..300).contains(&status) {
            return Ok(bytes);
        }
        let reason = String::from_utf8_lossy(&bytes);
        let reason = reason.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect();
        Err(Error::Refused { member: door.member.clone(), status, reason })
    }

    fn request(
        &self,
        door: &Door,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder().uri(path).header(HOST, host(door));
        // Only what changes something asks for it, and only it says so.
        if let Some(login) = self.authorization.as_ref().filter(|_| method == Method::POST) {
            request = request.header(AUTHORIZATION, login);
        }
        let body = body.map(|body| Bytes::from(body.to_string()));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.method(method).body(Full::new(body.unwrap_or_default()));
        request.map_err(|error| Error::Unusable(error.to_string()))
    }
}

fn host(door: &Door) -> String {
    if door.host.contains(':') {
        return format!("[{}]:{}", door.host, door.port);
    }
    format!("{}:{}", door.host, door.port)
}

/// Sends the request over a connection of its own, and reads the whole answer.
async fn exchange(
    door: &Door,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), Error> {
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| door.away(error))?;
    // Ends with the answer, or when nobody waits for it any more.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to Patroni ended");
        }
    });
    let answer = sender.send_request(request).await.map_err(|error| door.away(error))?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| door.away(error))?.to_bytes()))
}

fn basic((user, password): &(String, Secret<String>)) -> Result<HeaderValue, Error> {
    let login = Secret::new(format!("{user}:{}", password.expose()));
    let text = base64::engine::general_purpose::STANDARD.encode(login.expose());
    let header = HeaderValue::from_str(&format!("Basic {text}"));
    let mut header = header.map_err(|error| Error::Unusable(error.to_string()))?;
    header.set_sensitive(true);
    Ok(header)
}

fn connector(access: &Access) -> Result<TlsConnector, Error> {
    let unusable = |error: &dyn std::fmt::Display| Error::Unusable(error.to_string());
    let pem = |path: &std::path::Path, error: rustls::pki_types::pem::Error| {
        Error::Unusable(format!("{}: {error}", path.display()))
    };
    let ca = access.ca.as_ref();
    let ca = ca.ok_or_else(|| Error::Unusable("an API over TLS asks for a ca".to_owned()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| pem(ca, error))? {
        let certificate = certificate.map_err(|error| pem(ca, error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots);
    let config = match &access.certificate {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect)
                .map_err(|error| pem(certificate, error))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, error))?;
            config.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
        }
    };
    Ok(TlsConnector::from(std::sync::Arc::new(config)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const TOLD: &str = r#"{"members": [
        {"name": "pg1", "role": "replica", "state": "streaming", "api_url": "http://10.0.0.1:8008/patroni",
         "host": "10.0.0.1", "port": 5432, "timeline": 7, "lag": 4096, "receive_lag": "unknown"},
        {"name": "pg2", "role": "leader", "state": "running", "host": "db2.internal", "port": 5433, "timeline": 7},
        {"name": "pg3", "role": "sync_standby", "state": "stopped", "lag": "unknown"}
    ], "scope": "gudang", "pause": true}"#;

    fn view(text: &str) -> View {
        View::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_cluster_is_read_as_patroni_tells_it() {
        let view = view(TOLD);
        let leader = view.leader().unwrap();
        assert_eq!((leader.name.as_str(), leader.host.as_str()), ("pg2", "db2.internal"));
        assert_eq!((leader.port(), leader.timeline(), leader.lag), (5433, 7, None));
        let [first, _, third] = view.members.as_slice() else { panic!("{view:?}") };
        assert!(first.follows() && first.lag == Some(4096) && !first.is_synchronous());
        assert!(!third.follows() && third.is_synchronous());
        assert_eq!((third.lag, third.port()), (None, 0));
    }

    #[test]
    fn nobody_leads_where_the_leader_is_not_running_or_two_lead() {
        assert!(view(&TOLD.replace("running", "starting")).leader().is_none());
        assert!(view(&TOLD.replace("\"leader\"", "\"standby_leader\"")).leader().is_none());
        let two = TOLD.replace("replica", "leader").replace("streaming", "running");
        assert!(view(&two).leader().is_none());
    }

    #[test]
    fn the_member_that_knows_of_the_newer_timeline_is_believed() {
        let old = view(TOLD);
        let new = view(
            r#"{"members": [{"name": "pg1", "role": "leader", "state": "running", "timeline": 8}]}"#,
        );
        for views in [vec![old.clone(), new.clone()], vec![new, old]] {
            let believed = View::newest(views).unwrap();
            assert_eq!(believed.leader().map(|leader| leader.name.as_str()), Some("pg1"));
        }
        assert_eq!(View::newest(Vec::new()), None);
    }

    #[test]
    fn a_version_is_made_of_its_number() {
        assert_eq!(version(br#"{"server_version": 150018}"#).as_deref(), Some("15.18"));
        assert_eq!(version(br#"{"server_version": 170002}"#).as_deref(), Some("17.2"));
        assert_eq!(version(br#"{"server_version": "17"}"#), None);
        assert_eq!(version(b"[]"), None);
    }

    #[test]
    fn an_address_of_an_api_is_http_or_https_and_nothing_else() {
        let door = |api: &str| {
            let seat =
                Seat { name: "pg1".to_owned(), api: api.to_owned(), site: "jkt-a".to_owned() };
            Door::of(&seat).map(|door| (host(&door), door.tls)).ok()
        };
        assert_eq!(door("https://10.0.0.1:8008"), Some(("10.0.0.1:8008".to_owned(), true)));
        assert_eq!(door("http://db1"), Some(("db1:8008".to_owned(), false)));
        assert_eq!(door("https://[fd00::1]:9000/"), Some(("[fd00::1]:9000".to_owned(), true)));
        for wrong in
            ["10.0.0.1:8008", "ftp://db1", "", "https://", "http:///cluster", "http://u:p@db1"]
        {
            assert_eq!(door(wrong), None, "{wrong}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "leader|running|replica|unknown|\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let key = "members|name|role|state|host|port|timeline|lag|server_version|[a-z]{1,4}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let led = View::read(&bytes).is_ok_and(|view| view.leader().is_some());
            prop_assert!(!led, "nobody leads in a few random bytes");
            drop(version(&bytes));
        }

        #[test]
        fn no_json_panics_and_a_leader_is_one_that_runs(told in any_json()) {
            let bytes = told.to_string();
            drop(version(bytes.as_bytes()));
            if let Ok(view) = View::read(bytes.as_bytes())
                && let Some(leader) = view.leader()
            {
                prop_assert!(leader.role == "leader" && leader.state == "running");
            }
        }

        #[test]
        fn what_patroni_says_is_kept_through_whatever_it_says_beside_it(
            beside in any_json(), port in 1u16.., lag in any::<u64>()
        ) {
            let told = json!({ "members": [
                { "name": "a", "role": "leader", "state": "running", "port": port, "tags": beside },
                { "name": "b", "role": "replica", "state": "streaming", "lag": lag },
            ], "else": beside });
            let view = view(&told.to_string());
            prop_assert_eq!(view.leader().map(Seen::port), Some(port));
            prop_assert_eq!(view.member("b").and_then(|seen| seen.lag), Some(lag));
        }
    }
}
