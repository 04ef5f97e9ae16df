//! A client of PostgreSQL's replication protocol: streams the log and takes base backups, over TLS and with SCRAM.
//! Knows nothing of where that goes.

mod base_backup;
pub mod message;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::{Secret, Time};
use bytes::{Buf as _, Bytes, BytesMut};
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, ERROR_RESPONSE_TAG, Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use self::message::Streamed;
use super::wal::Lsn;
use crate::deployment::Settings;
use crate::dial;

pub use base_backup::{BaseBackup, BaseEnd, Part};

/// The role that replicates and backs up.
pub const ROLE: &str = "awan_replicator";
/// Within this a connection stands, and a command is answered.
const ANSWER: Duration = Duration::from_secs(30);
/// A server that streams says something at least that often, or is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest message that is taken, bytes: servers send far less.
const MESSAGE_MAX: usize = 16 << 20;
/// `CopyBothResponse`.
const COPY_BOTH: u8 = b'W';
/// The oldest server that is understood.
const MAJOR_MIN: u32 = 14;

/// Why a talk with a server ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection broke, or could not be made.
    #[error("the connection: {0}")]
    Io(#[from] io::Error),
    /// The server refused.
    #[error("the server says {code}: {message}")]
    Server {
        /// The five characters of SQLSTATE.
        code: String,
        /// What it says.
        message: String,
    },
    /// The server said what nobody understands.
    #[error("not understood: {0}")]
    Malformed(&'static str),
    /// The server does not encrypt, or cannot be known by its certificate.
    #[error("no TLS: {0}")]
    Tls(String),
    /// Nothing was heard for too long.
    #[error("the server is silent")]
    Silent,
    /// It is a server that this cannot talk to.
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    /// True where the server no longer has the log that was asked for, or gave up keeping it.
    pub fn is_log_gone(&self) -> bool {
        self.has_code("58P01") || self.has_code("55000")
    }

    fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Server { code, .. } if code == wanted)
    }
}

/// Which server to connect to, and as what.
#[derive(Clone)]
pub struct Target {
    /// The address that it listens on.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name that its certificate must be for.
    pub server_name: String,
    /// The password of [`ROLE`].
    pub password: Secret<String>,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// What the server calls this client.
    pub application: String,
}

/// What a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// The identifier that its data and its log carry.
    pub cluster: u64,
    /// The timeline that it is on.
    pub timeline: u32,
    /// The end of its log, flushed.
    pub end: Lsn,
}

/// What a server keeps its log for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From where; `None` where it keeps nothing (any more).
    pub restart: Option<Lsn>,
}

/// How a stream of the log went on or ended.
#[derive(Debug)]
pub enum Next {
    /// The server said something.
    Said(Streamed),
    /// The timeline ends here.
    End,
}

/// A connection of the replication protocol.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    major: u32,
    version: String,
}

/// A message; of those that [`Message`] does not know or does not show, what they are.
enum Heard {
    Message(Message),
    CopyBoth,
    Refusal(Error),
}

impl Connection {
    /// Connects, encrypts, and logs in.
    ///
    /// # Errors
    /// Those of the connection, of TLS, and of the login.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        timeout(ANSWER, Self::connect(target)).await.map_err(|_| Error::Silent)?
    }

    async fn connect(target: &Target) -> Result<Self, Error> {
        let mut found = tokio::net::lookup_host((target.host.as_str(), target.port)).await?;
        let address = found.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut tcp = dial::connect(address, Settings::told().address).await?;
        tcp.set_nodelay(true)?;
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        tcp.write_all(&request).await?;
        if tcp.read_u8().await? != b'S' {
            return Err(Error::Tls("the server does not encrypt".to_owned()));
        }
        let name = ServerName::try_from(target.server_name.clone())
            .map_err(|error| Error::Tls(error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&target.tls));
        let stream =
            connector.connect(name, tcp).await.map_err(|error| Error::Tls(error.to_string()))?;
        let buffer = BytesMut::with_capacity(256 << 10);
        let mut connection = Self { stream, buffer, major: 0, version: String::new() };
        connection.log_in(target).await?;
        Ok(connection)
    }

    async fn log_in(&mut self, target: &Target) -> Result<(), Error> {
        let parameters = [
            ("user", ROLE),
            ("database", "replication"),
            ("replication", "true"),
            ("application_name", target.application.as_str()),
        ];
        let mut out = BytesMut::new();
        frontend::startup_message(parameters, &mut out)?;
        self.send(&out).await?;
        let mut scram = None;
        loop {
            match self.hear_message().await? {
                Message::AuthenticationSasl(_) => {
                    let password = target.password.expose().as_bytes();
                    // The server is known by its certificate already.
                    let begun = ScramSha256::new(password, ChannelBinding::unsupported());
                    out.clear();
                    frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), &mut out)?;
                    self.send(&out).await?;
                    scram = Some(begun);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = scram.as_mut().ok_or(Error::Malformed("a login out of order"))?;
                    scram.update(body.data())?;
                    out.clear();
                    frontend::sasl_response(scram.message(), &mut out)?;
                    self.send(&out).await?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let scram = scram.as_mut().ok_or(Error::Malformed("a login out of order"))?;
                    scram.finish(body.data())?;
                }
                Message::AuthenticationOk if scram.is_some() => {}
                Message::AuthenticationOk
                | Message::AuthenticationCleartextPassword
                | Message::AuthenticationMd5Password(_) => {
                    return Err(Error::Unfit("the server wants no SCRAM-SHA-256".to_owned()));
                }
                Message::ParameterStatus(status) if status.name()? == "server_version" => {
                    status.value()?.clone_into(&mut self.version);
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        let major = self.version.split(['.', ' ', 'b', 'd', 'r']).next();
        self.major = major.and_then(|major| major.parse().ok()).unwrap_or_default();
        if self.major < MAJOR_MIN {
            return Err(Error::Unfit(format!("version {:?} is not supported", self.version)));
        }
        Ok(())
    }

    /// The server's version without what packagers add: `15.18`.
    pub fn version(&self) -> &str {
        self.version.split(' ').next().unwrap_or_default()
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(ANSWER, write).await.map_err(|_| Error::Silent)?.map_err(Error::Io)
    }

    /// The next message; notices are passed over. Cancel-safe.
    async fn hear(&mut self) -> Result<Heard, Error> {
        loop {
            if let Some(heard) = self.buffered()? {
                match heard {
                    Heard::Message(Message::NoticeResponse(_)) => {}
                    Heard::Refusal(error) => return Err(error),
                    heard => return Ok(heard),
                }
                continue;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn hear_message(&mut self) -> Result<Message, Error> {
        match timeout(ANSWER, self.hear()).await.map_err(|_| Error::Silent)?? {
            Heard::Message(message) => Ok(message),
            _ => Err(Error::Malformed("a stream that nobody asked for")),
        }
    }

    /// The next whole message of those that were read.
    fn buffered(&mut self) -> Result<Option<Heard>, Error> {
        let Some(header) = Header::parse(&self.buffer)? else { return Ok(None) };
        let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
        if length > MESSAGE_MAX {
            return Err(Error::Malformed("a message that is too long"));
        }
        if self.buffer.len() <= length {
            return Ok(None);
        }
        match header.tag() {
            COPY_BOTH => self.buffer.advance(length + 1),
            ERROR_RESPONSE_TAG => {
                let body = self.buffer.split_to(length + 1);
                return Ok(Some(Heard::Refusal(refusal(&body[5..]))));
            }
            _ => return Ok(Message::parse(&mut self.buffer)?.map(Heard::Message)),
        }
        Ok(Some(Heard::CopyBoth))
    }

    async fn ask(&mut self, command: &str) -> Result<(), Error> {
        let mut out = BytesMut::new();
        frontend::query(command, &mut out)?;
        self.send(&out).await
    }

    /// Runs a command that answers with rows; all of them together.
    async fn rows(&mut self, command: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.ask(command).await?;
        let mut rows = Vec::new();
        let mut refused = None;
        loop {
            match self.hear_message().await {
                Ok(Message::DataRow(row)) => rows.push(texts(&row)?),
                Ok(Message::ReadyForQuery(_)) => break,
                Ok(_) => {}
                // The connection goes on after it.
                Err(error @ Error::Server { .. }) => refused = Some(error),
                // A server that refuses for good says why, and is gone.
                Err(error) => return Err(refused.unwrap_or(error)),
            }
        }
        refused.map_or(Ok(rows), Err)
    }

    /// What the server is.
    ///
    /// # Errors
    /// Those of the talk; `Unfit` for segments of another size than [`super::wal::SEGMENT`].
    pub async fn identify(&mut self) -> Result<System, Error> {
        let malformed = || Error::Malformed("IDENTIFY_SYSTEM");
        let rows = self.rows("IDENTIFY_SYSTEM").await?;
        let row = rows.first().ok_or_else(malformed)?;
        let field = |at: usize| row.get(at).and_then(Option::as_deref).ok_or_else(malformed);
        let system = System {
            cluster: field(0)?.parse().map_err(|_| malformed())?,
            timeline: field(1)?.parse().map_err(|_| malformed())?,
            end: Lsn::parse(field(2)?).ok_or_else(malformed)?,
        };
        let rows = self.rows("SHOW wal_segment_size").await?;
        match rows.first().and_then(|row| row.first()).and_then(Option::as_deref) {
            Some("16MB") => Ok(system),
            other => Err(Error::Unfit(format!("segments of {other:?} are not supported"))),
        }
    }

    /// The history file of a timeline.
    ///
    /// # Errors
    /// Those of the talk.
    pub async fn history(&mut self, timeline: u32) -> Result<String, Error> {
        let rows = self.rows(&format!("TIMELINE_HISTORY {timeline}")).await?;
        let content = rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten();
        content.ok_or(Error::Malformed("TIMELINE_HISTORY"))
    }

    /// The slot of that name, made where it is not there; one that keeps nothing any more is made anew. Servers
    /// older than 15 do not say from where a slot keeps the log.
    ///
    /// # Errors
    /// Those of the talk. Names are letters, digits and `_`.
    pub async fn ensure_slot(&mut self, name: &str) -> Result<Slot, Error> {
        let make = format!("CREATE_REPLICATION_SLOT {name} PHYSICAL RESERVE_WAL");
        if self.major < 15 {
            return match self.rows(&make).await {
                Ok(_) => Ok(Slot { restart: None }),
                Err(error) if error.has_code("42710") => Ok(Slot { restart: None }),
                Err(error) => Err(error),
            };
        }
        for attempt in 0..2 {
            let found = self.slot(name).await?;
            match found {
                Some(Slot { restart: None }) if attempt == 0 => {
                    self.rows(&format!("DROP_REPLICATION_SLOT {name}")).await?;
                }
                Some(slot) => return Ok(slot),
                None => {}
            }
            self.rows(&make).await?;
        }
        Ok(self.slot(name).await?.unwrap_or(Slot { restart: None }))
    }

    /// The slot of that name (15 and later).
    async fn slot(&mut self, name: &str) -> Result<Option<Slot>, Error> {
        let rows = self.rows(&format!("READ_REPLICATION_SLOT {name}")).await?;
        let row = rows.first().ok_or(Error::Malformed("READ_REPLICATION_SLOT"))?;
        let field = |at: usize| row.get(at).and_then(Option::as_deref);
        let restart = || field(1).and_then(Lsn::parse).filter(|lsn| lsn.0 != 0);
        Ok(field(0).map(|_| Slot { restart: restart() }))
    }

    /// Removes a slot; there being none is a success.
    ///
    /// # Errors
    /// Those of the talk.
    pub async fn drop_slot(&mut self, name: &str) -> Result<(), Error> {
        match self.rows(&format!("DROP_REPLICATION_SLOT {name}")).await {
            Err(error) if error.has_code("42704") => Ok(()),
            done => done.map(drop),
        }
    }

    /// Begins a stream of the log. False where that timeline has nothing more.
    ///
    /// # Errors
    /// Those of the talk; see [`Error::is_log_gone`].
    pub async fn start(&mut self, slot: &str, from: Lsn, timeline: u32) -> Result<bool, Error> {
        let command = format!("START_REPLICATION SLOT {slot} PHYSICAL {from} TIMELINE {timeline}");
        self.ask(&command).await?;
        match timeout(ANSWER, self.hear()).await.map_err(|_| Error::Silent)?? {
            Heard::CopyBoth => Ok(true),
            _ => Ok(false),
        }
    }

    /// What the server says next in a stream of the log. Cancel-safe.
    ///
    /// # Errors
    /// Those of the talk; `Silent` where nothing comes for a minute.
    pub async fn next(&mut self) -> Result<Next, Error> {
        match timeout(SILENCE, self.hear()).await.map_err(|_| Error::Silent)?? {
            Heard::Message(Message::CopyData(data)) => {
                message::streamed(data.into_bytes()).map(Next::Said)
            }
            Heard::Message(Message::CopyDone) => Ok(Next::End),
            _ => Err(Error::Malformed("an answer within a stream")),
        }
    }

    /// Tells the server that everything before `durable` is safe; where it is asked, it says at once that it is there.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn acknowledge(&mut self, durable: Lsn, now: Time, ask: bool) -> Result<(), Error> {
        let mut out = BytesMut::new();
        let body = message::status(durable, now.micros(), ask);
        frontend::CopyData::new(&body[..])?.write(&mut out);
        self.send(&out).await
    }

    /// Says goodbye. What cannot be said is not missed.
    pub async fn close(mut self) {
        let mut out = BytesMut::new();
        frontend::terminate(&mut out);
        let _ = self.send(&out).await;
        let _ = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}

/// A row's fields as texts.
fn texts(row: &DataRowBody) -> Result<Vec<Option<String>>, Error> {
    let mut left = row.buffer();
    let mut fields = Vec::new();
    while left.len() >= 4 {
        let length = left.get_i32();
        // Negative: null.
        let field = usize::try_from(length).ok().map(|length| left.split_at_checked(length));
        let Some(found) = field else {
            fields.push(None);
            continue;
        };
        let (field, rest) = found.ok_or(Error::Malformed("a row"))?;
        fields.push(Some(String::from_utf8_lossy(field).into_owned()));
        left = rest;
    }
    Ok(fields)
}

/// What an `ErrorResponse` says: fields of a letter and a text up to a zero byte.
fn refusal(body: &[u8]) -> Error {
    let (mut code, mut message) = (String::new(), String::new());
    for field in body.split(|byte| *byte == 0) {
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        match field.split_first() {
            Some((b'C', value)) => code = text(value),
            Some((b'M', value)) => message = text(value),
            _ => {}
        }
    }
    Error::Server { code, message }
}

/// Bytes of a message.
fn copied(message: Message) -> Option<Bytes> {
    match message {
        Message::CopyData(data) => Some(data.into_bytes()),
        _ => None,
    }
}
