//! Bodies in `aws-chunked` framing: `size[;chunk-signature=…]`, the bytes, and after a chunk of size
//! zero the trailing headers.
//!
//! The decoder holds no data back and buffers no chunk: bytes are handed on while they are hashed,
//! so that memory is bounded whatever the client calls a chunk. **Bytes are therefore handed on before
//! their signature is known.** The caller must make nothing of them visible before [`Decoder::finish`]
//! has answered, which is when every signature, the declared length and the end have been checked.

use std::mem;

use base::ApiError;
use base::text::{hex, unhex};
use bytes::Bytes;
use ring::{digest, hmac};

use super::auth::Payload;
use super::error;

/// The longest line of a chunk's head or of a trailing header, in bytes.
pub const LINE_BYTES_MAX: usize = 1024;
/// The most trailing headers.
pub const TRAILERS_MAX: usize = 16;

/// The key of a body's chunks, and the signature that the next one continues from.
pub struct ChunkKey {
    key: hmac::Key,
    moment: String,
    scope: String,
    previous: String,
}

impl ChunkKey {
    pub(super) fn new(key: hmac::Key, moment: String, scope: String, seed: String) -> Self {
        Self { key, moment, scope, previous: seed }
    }

    fn chunk_text(&self, sha256: &str) -> String {
        const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let Self { moment, scope, previous, .. } = self;
        format!("AWS4-HMAC-SHA256-PAYLOAD\n{moment}\n{scope}\n{previous}\n{EMPTY}\n{sha256}")
    }

    fn trailer_text(&self, sha256: &str) -> String {
        let Self { moment, scope, previous, .. } = self;
        format!("AWS4-HMAC-SHA256-TRAILER\n{moment}\n{scope}\n{previous}\n{sha256}")
    }

    /// Checks a signature in constant time; the next one continues from it.
    fn advance(&mut self, text: &str, signature: &str) -> Result<(), ApiError> {
        let tag = unhex(signature).unwrap_or_default();
        hmac::verify(&self.key, text.as_bytes(), &tag).map_err(|_| {
            ApiError::new(&error::SIGNATURE_DOES_NOT_MATCH)
                .field("StringToSign", text)
                .field("SignatureProvided", signature)
        })?;
        self.previous = signature.to_ascii_lowercase();
        Ok(())
    }
}

/// The headers that stood after the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trailers(Vec<(String, String)>);

impl Trailers {
    /// The value of that header; names are lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All of them, in the order sent, without the signature.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Takes the frame off a body, piece by piece.
pub struct Decoder {
    state: State,
    /// The line that is being read, without its end.
    line: Vec<u8>,
    /// Present where chunks are signed.
    signing: Option<Signing>,
    trailers_allowed: bool,
    trailers: Trailers,
    trailer_signed: bool,
    /// `x-amz-decoded-content-length`.
    declared: Option<u64>,
    announced: u64,
}

struct Signing {
    key: ChunkKey,
    /// Of the chunk that is being read.
    hash: digest::Context,
    signature: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data { left: u64 },
    DataEnd,
    Trailer,
    Done,
}

impl Decoder {
    /// A decoder for a body of that kind, or `None` where the body is not framed. `decoded_length` is
    /// `x-amz-decoded-content-length`; `key` is what verification answered.
    ///
    /// Errors: `InvalidRequest` where chunks are signed and there is no key.
    pub fn new(
        payload: Payload,
        decoded_length: Option<u64>,
        key: Option<ChunkKey>,
    ) -> Result<Option<Self>, ApiError> {
        let (signed, trailers_allowed) = match payload {
            Payload::Unsigned | Payload::Sha256(_) => return Ok(None),
            Payload::StreamingSigned { trailer } => (true, trailer),
            Payload::StreamingUnsignedTrailer => (false, true),
        };
        let signing = key.filter(|_| signed).map(|key| Signing {
            key,
            hash: sha256(),
            signature: String::new(),
        });
        if signed && signing.is_none() {
            return Err(error::INVALID_REQUEST.error("Signed chunks need a signed request."));
        }
        Ok(Some(Self {
            state: State::Size,
            line: Vec::new(),
            signing,
            trailers_allowed,
            trailers: Trailers::default(),
            trailer_signed: false,
            declared: decoded_length,
            announced: 0,
        }))
    }

    /// Takes the next bytes of the body, cut anywhere, and appends what they carry to `out` without
    /// copying it.
    ///
    /// Errors: `IncompleteBody` where there is more than declared; `InvalidRequest` and
    /// `MalformedTrailerError` for a broken frame; `SignatureDoesNotMatch`. After an error the decoder
    /// is of no more use.
    pub fn feed(&mut self, mut bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), ApiError> {
        while !bytes.is_empty() {
            match self.state {
                State::Data { left } => self.take_data(left, &mut bytes, out)?,
                State::Done => {
                    return Err(malformed("There is more after the end of the chunked body."));
                }
                State::Size | State::DataEnd | State::Trailer => {
                    if let Some(line) = self.take_line(&mut bytes)? {
                        self.take_frame(&line)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks that the body was whole. Answers the trailing headers.
    ///
    /// Errors: `IncompleteBody`; `MalformedTrailerError` where the trailing headers had to be signed.
    pub fn finish(self) -> Result<Trailers, ApiError> {
        // HTTP itself tells where the body ends, so that a missing last line end loses nothing.
        let ended =
            self.state == State::Done || (self.state == State::Trailer && self.line.is_empty());
        if !ended || self.declared.is_some_and(|declared| declared != self.announced) {
            return Err(ApiError::new(&error::INCOMPLETE_BODY));
        }
        if self.signing.is_some() && self.trailers_allowed && !self.trailer_signed {
            return Err(malformed_trailer("The trailing headers are not signed."));
        }
        Ok(self.trailers)
    }

    fn take_data(
        &mut self,
        left: u64,
        bytes: &mut Bytes,
        out: &mut Vec<Bytes>,
    ) -> Result<(), ApiError> {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let data = bytes.split_to(len);
        let left = left - data.len() as u64;
        if let Some(signing) = &mut self.signing {
            signing.hash.update(&data);
        }
        out.push(data);
        if left == 0 {
            self.check_chunk()?;
            self.state = State::DataEnd;
        } else {
            self.state = State::Data { left };
        }
        Ok(())
    }

    /// Moves bytes to the line; answers it once it has ended, without `\n` or `\r\n`.
    fn take_line(&mut self, bytes: &mut Bytes) -> Result<Option<Vec<u8>>, ApiError> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.split_to(end.map_or(bytes.len(), |at| at + 1));
        if self.line.len() + part.len() > LINE_BYTES_MAX {
            return Err(malformed("A line of the chunked body is too long."));
        }
        self.line.extend_from_slice(&part);
        if end.is_none() {
            return Ok(None);
        }
        let mut line = mem::take(&mut self.line);
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }

    fn take_frame(&mut self, line: &[u8]) -> Result<(), ApiError> {
        match self.state {
            State::Size => self.take_size(line),
            State::Trailer => self.take_trailer(line),
            _ if line.is_empty() => {
                self.state = State::Size;
                Ok(())
            }
            _ => Err(malformed("A chunk is longer than its size.")),
        }
    }

    fn take_size(&mut self, line: &[u8]) -> Result<(), ApiError> {
        let line = std::str::from_utf8(line)
            .map_err(|_| malformed("The size of a chunk is not valid."))?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let is_hex =
            (1..=16).contains(&size.len()) && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16)
            .ok()
            .filter(|_| is_hex)
            .ok_or_else(|| malformed("The size of a chunk is not valid."))?;
        self.announced = self.announced.saturating_add(size);
        if self.declared.is_some_and(|declared| self.announced > declared) {
            return Err(error::INCOMPLETE_BODY
                .error("The body is longer than x-amz-decoded-content-length says."));
        }
        if let Some(signing) = &mut self.signing {
            let signature = extension.trim().strip_prefix("chunk-signature=");
            signing.signature = signature
                .ok_or_else(|| malformed("The signature of a chunk is missing."))?
                .trim()
                .to_owned();
        }
        if size > 0 {
            self.state = State::Data { left: size };
            return Ok(());
        }
        self.state = State::Trailer;
        self.check_chunk()
    }

    /// Checks the signature of the chunk that has just been read.
    fn check_chunk(&mut self) -> Result<(), ApiError> {
        let Some(signing) = &mut self.signing else { return Ok(()) };
        let hash = mem::replace(&mut signing.hash, sha256()).finish();
        let text = signing.key.chunk_text(&hex(hash.as_ref()));
        signing.key.advance(&text, &signing.signature)
    }

    fn take_trailer(&mut self, line: &[u8]) -> Result<(), ApiError> {
        if line.is_empty() {
            // Some clients end a trailing header with a line end of its own before the usual one, so
            // that the end is known by the signature where there must be one.
            let unsigned = self.signing.is_some() && self.trailers_allowed && !self.trailer_signed;
            if !unsigned {
                self.state = State::Done;
            }
            return Ok(());
        }
        let text = std::str::from_utf8(line)
            .map_err(|_| malformed_trailer("A trailing header is not text."))?;
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| malformed_trailer("A trailing header has no value."))?;
        if !self.trailers_allowed || self.trailer_signed || self.trailers.0.len() == TRAILERS_MAX {
            return Err(malformed_trailer(
                "There are trailing headers where none, or no more, may be.",
            ));
        }
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "x-amz-trailer-signature" {
            return self.check_trailers(value);
        }
        self.trailers.0.push((name, value.to_owned()));
        Ok(())
    }

    fn check_trailers(&mut self, signature: &str) -> Result<(), ApiError> {
        self.trailer_signed = true;
        let Some(signing) = &mut self.signing else { return Ok(()) };
        let mut hash = sha256();
        for (name, value) in &self.trailers.0 {
            for part in [name.as_str(), ":", value, "\n"] {
                hash.update(part.as_bytes());
            }
        }
        let text = signing.key.trailer_text(&hex(hash.finish().as_ref()));
        signing.key.advance(&text, signature)
    }
}

fn sha256() -> digest::Context {
    digest::Context::new(&digest::SHA256)
}

fn malformed(message: &str) -> ApiError {
    error::INVALID_REQUEST.error(message)
}

fn malformed_trailer(message: &str) -> ApiError {
    error::MALFORMED_TRAILER.error(message)
}

#[cfg(test)]
mod tests;
