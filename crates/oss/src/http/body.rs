//! A request's body on its way in: off the connection, out of the dialect's framing. What was
//! promised about its bytes is compared by the engine, which digests them anyway.

use std::time::Duration;

use base::ApiError;
use bytes::Bytes;
use engine::server::linger;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use wire::Head;
use wire::object::auth::Payload;
use wire::object::checksum::crc64;
use wire::object::chunked::{ChunkKey, Decoder};
use wire::object::error;

use super::traffic::Pace;
use crate::digest::{Algorithm, Checksum, Digests, Md5Pool};
use crate::model::Expected;
use crate::ops::Source;

/// A body as it comes off the connection. Dropped before its end, it is read on for a while.
pub(super) struct Connection {
    incoming: Option<Incoming>,
    /// True until the client has been told to go on sending, and where it sends nothing.
    withheld: bool,
    /// How long the client may send nothing.
    idle_max: Duration,
}

/// Whether a request says that it has a body and is of a kind that has none. Some clients say so and send none:
/// to wait for it would take the next request on the connection for it.
pub(super) fn is_idle(head: &Head<'_>) -> bool {
    let length = head.header("content-length").unwrap_or("0");
    matches!(head.method, "GET" | "HEAD") && length != "0"
}

/// How long a client may take to send a body that is read whole.
const SMALL_BODY_MAX: Duration = Duration::from_secs(120);

impl Connection {
    /// `withheld` is true where nothing is to be waited for that nobody asks for: the client waits for `100 Continue`
    /// before it sends anything, or it will send nothing.
    pub(super) fn new(incoming: Incoming, withheld: bool, idle_max: Duration) -> Self {
        Self { incoming: Some(incoming), withheld, idle_max }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        // Asking for a frame makes the HTTP library say `100 Continue`.
        self.withheld = false;
        while let Some(incoming) = &mut self.incoming {
            let frame = match tokio::time::timeout(self.idle_max, incoming.frame()).await {
                Ok(frame) => frame,
                Err(_) => return Err(ApiError::new(&error::REQUEST_TIMEOUT)),
            };
            match frame {
                None => self.incoming = None,
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(broken)) => {
                    self.incoming = None;
                    return Err(ApiError::new(&error::INCOMPLETE_BODY).detail(broken));
                }
            }
        }
        Ok(None)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take().filter(|_| !self.withheld) {
            linger(incoming);
        }
    }
}

/// The body of an operation.
pub(super) struct Upload {
    connection: Connection,
    /// Boxed, like the key that it is made of: few bodies have one, and every body is moved about.
    decoder: Option<Box<Decoder>>,
    /// Decoded and not yet taken, last first.
    decoded: Vec<Bytes>,
    /// What must stand in the trailing headers.
    promised: Vec<Algorithm>,
    pace: Option<Pace>,
}

impl Upload {
    /// `decoded_length` is what the client says about the body without its frame; `promised` are the
    /// checksums that it announces for the trailing headers.
    ///
    /// Errors: as [`Decoder::new`].
    pub(super) fn new(
        connection: Connection,
        payload: Payload,
        decoded_length: Option<u64>,
        key: Option<Box<ChunkKey>>,
        promised: Vec<Algorithm>,
    ) -> Result<Self, ApiError> {
        let decoder = Decoder::new(payload, decoded_length, key.map(|key| *key))?.map(Box::new);
        Ok(Self { connection, decoder, decoded: Vec::new(), promised, pace: None })
    }

    /// Taken no faster than that.
    pub(super) fn paced(self, pace: Option<Pace>) -> Self {
        Self { pace, ..self }
    }

    /// Reads all of a small body and compares it with what was promised.
    ///
    /// Errors: `MaxMessageLengthExceeded` above `bytes_max`; what is wrong with the body.
    pub(super) async fn read(
        mut self,
        expected: &Expected,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ApiError> {
        if expected.length.is_some_and(|length| length > bytes_max as u64) {
            return Err(ApiError::new(&error::TOO_LONG_BODY));
        }
        let mut whole = Vec::new();
        // It is held in memory before anybody's right is looked at: not for as long as a client likes.
        let until = tokio::time::Instant::now() + SMALL_BODY_MAX;
        let late = |_| ApiError::new(&error::REQUEST_TIMEOUT);
        while let Some(bytes) =
            tokio::time::timeout_at(until, self.next()).await.map_err(late)??
        {
            if whole.len() + bytes.len() > bytes_max {
                return Err(ApiError::new(&error::TOO_LONG_BODY));
            }
            whole.extend_from_slice(&bytes);
        }
        let trailers = self.finish()?;
        if expected.length.is_some_and(|length| length != whole.len() as u64) {
            return Err(ApiError::new(&error::INCOMPLETE_BODY));
        }
        let mut digests = Digests::new(expected);
        let crc64 = crc64(&whole);
        digests.update((&mut whole, 0), crc64, &Md5Pool::default());
        digests.finish().check(expected, &trailers)?;
        Ok(whole)
    }
}

impl Source for Upload {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            if let Some(bytes) = self.decoded.pop() {
                return Ok(Some(bytes));
            }
            let Some(bytes) = self.connection.next().await? else { return Ok(None) };
            if let Some(pace) = &mut self.pace {
                pace.pass(bytes.len()).await;
            }
            let Some(decoder) = &mut self.decoder else { return Ok(Some(bytes)) };
            decoder.feed(bytes, &mut self.decoded)?;
            self.decoded.reverse();
        }
    }

    fn finish(&mut self) -> Result<Vec<Checksum>, ApiError> {
        let Some(decoder) = self.decoder.take() else { return Ok(Vec::new()) };
        let trailers = decoder.finish()?;
        let checksum = |algorithm: &Algorithm| {
            let value = trailers.get(algorithm.header()).ok_or_else(|| {
                error::MALFORMED_TRAILER
                    .error(format!("The trailing header {} is missing.", algorithm.header()))
            })?;
            Ok(Checksum::whole(*algorithm, algorithm.parse(value)?))
        };
        self.promised.iter().map(checksum).collect()
    }
}
