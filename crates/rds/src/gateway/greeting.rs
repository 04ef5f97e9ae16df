//! What a client says before TLS, as far as its hello; and how one is told that it is not let through, in what it
//! reads at that moment. Dials nobody and decides nothing about instances.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Refusal;
use super::hello::{self, Hello};

/// The codes that stand in the place of a protocol version (PostgreSQL, "Message Formats").
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// What a client asks with; a server is asked the same.
pub(super) const SSL_REQUEST_BYTES: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// The first byte of a TLS record with a hello. A start-up begins with its length, which is never as great.
const TLS: u8 = 0x16;
/// Longer start-ups are refused by servers, too.
const STARTUP_MAX: u32 = 10_000;
/// A request to cancel has a process id and a key of at most 256 bytes (protocol 3.2).
const CANCEL_MAX: u32 = 12 + 256;
/// Requests before the hello: for GSS, which is declined, and for TLS.
const REQUESTS_MAX: usize = 2;

/// How much, and for how long, is read of a client that was refused: closing on bytes that were not read would
/// take the refusal back.
const LINGER_BYTES_MAX: usize = 64 << 10;
const LINGER: Duration = Duration::from_secs(1);

/// Why a connection does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client went away.
    Gone,
    /// It is to be told.
    Refused(Refusal),
    /// It wants a statement cancelled: its whole request, to be passed on.
    Cancel(Vec<u8>),
}

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

impl From<Refusal> for Ended {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}

/// A client, and what it expects to read next.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// TLS records; before, messages of PostgreSQL.
    tls: bool,
}

impl Client {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, tls: false }
    }

    /// Answers its requests until its hello is there; returns what that says, and all its bytes.
    pub(super) async fn greet(&mut self) -> Result<(Hello, Vec<u8>), Ended> {
        for _ in 0..=REQUESTS_MAX {
            let mut head = [0; 8];
            self.stream.read_exact(&mut head[..1]).await?;
            if head[0] == TLS {
                self.tls = true;
                let (hello, bytes) = self.hello(&head[..1]).await?;
                if !hello.postgresql {
                    return Err(Refusal::NoProtocol.into());
                }
                return Ok((hello, bytes));
            }
            self.stream.read_exact(&mut head[1..]).await?;
            let [a, b, c, d, code @ ..] = head;
            match (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(code)) {
                (8, SSL_REQUEST) => {
                    self.stream.write_all(b"S").await?;
                    self.tls = true;
                    return self.hello(&[]).await;
                }
                (8, GSSENC_REQUEST) => self.stream.write_all(b"N").await?,
                (len @ 12..=CANCEL_MAX, CANCEL_REQUEST) => {
                    let rest = self.take(len as usize - head.len()).await?;
                    return Err(Ended::Cancel([&head[..], &rest].concat()));
                }
                (len @ 9..=STARTUP_MAX, version) if version >> 16 <= 3 => {
                    self.take(len as usize - head.len()).await?;
                    return Err(Refusal::Plain.into());
                }
                _ => return Err(Refusal::Malformed.into()),
            }
        }
        Err(Refusal::Malformed.into())
    }

    async fn hello(&mut self, first: &[u8]) -> Result<(Hello, Vec<u8>), Ended> {
        let mut reader = hello::Reader::default();
        let malformed = |_| Ended::Refused(Refusal::Malformed);
        reader.push(first).map_err(malformed)?;
        let mut bytes = [0; 2048];
        loop {
            let count = self.stream.read(&mut bytes).await?;
            if count == 0 {
                return Err(Ended::Gone);
            }
            if let Some(hello) = reader.push(&bytes[..count]).map_err(malformed)? {
                return Ok((hello, reader.into_bytes()));
            }
        }
    }

    async fn take(&mut self, len: usize) -> Result<Vec<u8>, Ended> {
        let mut rest = vec![0; len];
        self.stream.read_exact(&mut rest).await?;
        Ok(rest)
    }

    /// Returns once the client is gone. What it sent stays where it is.
    pub(super) async fn gone(&self) {
        let mut byte = [0];
        loop {
            match self.stream.peek(&mut byte).await {
                Ok(0) | Err(_) => return,
                // It said more than its hello, which a client may (early data): its end cannot be seen behind it.
                Ok(_) => std::future::pending().await,
            }
        }
    }

    /// Tells it why not, and closes.
    pub(super) async fn refuse(mut self, why: Refusal) {
        let message = if self.tls { Some(alert(why)) } else { error(why) };
        let Some(message) = message else { return };
        let tell = async {
            self.stream.write_all(&message).await?;
            self.stream.shutdown().await?;
            let mut bytes = [0; 2048];
            let mut left = LINGER_BYTES_MAX;
            while left > 0 {
                match self.stream.read(&mut bytes).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            Ok::<_, std::io::Error>(())
        };
        // Whether it listens is its own business.
        let _ = tokio::time::timeout(LINGER, tell).await;
    }
}

/// A fatal TLS alert (RFC 8446, 6). Its number is all that there is room for; libraries show its name.
fn alert(why: Refusal) -> Vec<u8> {
    let number = match why {
        Refusal::Unknown => 112,    // unrecognized_name
        Refusal::NoName => 109,     // missing_extension
        Refusal::NoProtocol => 120, // no_application_protocol
        Refusal::NotAllowed => 49,  // access_denied
        Refusal::Malformed => 50,   // decode_error
        Refusal::Plain
        | Refusal::Cancel
        | Refusal::Slow
        | Refusal::Stopped
        | Refusal::TooMany
        | Refusal::Unavailable => 80, // internal_error
    };
    vec![21, 3, 3, 0, 2, 2, number]
}

/// An `ErrorResponse`; `None` where nobody would read it.
fn error(why: Refusal) -> Option<Vec<u8>> {
    let (code, message, hint) = match why {
        Refusal::Plain => (
            "28000",
            "this port takes connections with TLS only",
            "Connect with sslmode=require, or better sslmode=verify-full and sslrootcert, and by the host name of \
             the instance: it says which one is meant. If TLS was tried first and refused, that refusal is the reason.",
        ),
        Refusal::Malformed => ("08P01", "this is no beginning of a connection to PostgreSQL", ""),
        _ => return None,
    };
    let fields = [('S', "FATAL"), ('V', "FATAL"), ('C', code), ('M', message), ('H', hint)];
    let mut body = Vec::new();
    for (kind, text) in fields.into_iter().filter(|(_, text)| !text.is_empty()) {
        body.push(kind as u8);
        body.extend(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let len = u32::try_from(body.len() + 4).ok()?.to_be_bytes();
    Some([&b"E"[..], &len, &body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_for_tls_is_what_its_code_says() {
        assert_eq!(SSL_REQUEST_BYTES[4..], SSL_REQUEST.to_be_bytes());
    }

    #[test]
    fn a_refusal_is_in_the_words_of_what_the_client_reads() {
        let plain = error(Refusal::Plain).unwrap_or_default();
        let text = String::from_utf8_lossy(&plain);
        assert!(text.starts_with('E') && text.contains("C28000\0"), "{text}");
        assert!(text.contains("sslmode=require") && text.ends_with("\0\0"), "{text}");
        let said = u32::from_be_bytes([plain[1], plain[2], plain[3], plain[4]]) as usize;
        assert_eq!(said + 1, plain.len());
        assert_eq!(alert(Refusal::Unknown), [21, 3, 3, 0, 2, 2, 112]);
        assert_eq!(error(Refusal::Cancel), None, "who asks to cancel reads no answer");
    }
}
