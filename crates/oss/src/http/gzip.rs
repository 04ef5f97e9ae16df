//! Bodies that leave compressed, where an OSS client asks for it: text of some size, whole.
//!
//! S3 sends objects as they are.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base::ApiError;
use bytes::Bytes;
use engine::server::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Response;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderValue, VARY,
};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::call::Call;
use crate::Oss;
use crate::meter::Payer;
use crate::model::ObjectInfo;
use crate::ops::ObjectStream;

/// Smaller objects are not worth it.
const BYTES_MIN: u64 = 1024;
/// So much is compressed before others have their turn, bytes.
const PIECE: usize = 64 << 10;
/// What is compressed: the types that OSS compresses.
const TYPES: [&str; 11] = [
    "text/cache-manifest",
    "text/xml",
    "text/plain",
    "text/css",
    "text/html",
    "text/json",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "application/rss+xml",
    "application/json",
];

/// Whether the whole of this object is to leave compressed.
pub(super) fn is_wanted(call: &Call<'_>, info: &ObjectInfo, is_range: bool) -> bool {
    let header = |name| info.attributes.header(name);
    let kind = header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    call.is_oss()
        && !is_range
        && info.size >= BYTES_MIN
        && header("content-encoding").is_none()
        && TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind.trim()))
        && accepts(call.head.header(ACCEPT_ENCODING.as_str()).unwrap_or_default())
}

/// Whether a client takes gzip (RFC 9110, section 12.5.3), by name.
fn accepts(header: &str) -> bool {
    header.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |weight: &str| {
            let number = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
            number.is_some_and(|number| number.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
        };
        named && !parts.any(refused)
    })
}

/// The body of an answer that leaves compressed. What leaves is metered, not what is stored.
///
/// Errors: those of the stream, before the head is written.
pub(super) async fn body(oss: &Oss, mut stream: ObjectStream) -> Result<Body, ApiError> {
    let payer = stream.take_payer();
    let first = stream.next().await.transpose()?.unwrap_or_default();
    let coder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    let oss = oss.clone();
    Ok(Gzip { oss, payer, stream, held: first, coder, sent: 0 }.boxed_unsync())
}

/// Says in the head that the body is compressed: its length is not known, and it is other bytes than the tag names.
pub(super) fn put(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for name in [CONTENT_LENGTH, ETAG, ACCEPT_RANGES] {
        headers.remove(name);
    }
    headers.remove("content-md5");
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    debug_assert!(headers.contains_key(CONTENT_TYPE));
}

struct Gzip {
    oss: Oss,
    payer: Option<Payer>,
    stream: ObjectStream,
    /// Read and not compressed yet.
    held: Bytes,
    /// `None` once the end is out.
    coder: Option<GzEncoder<Vec<u8>>>,
    sent: u64,
}

impl Gzip {
    fn out(&mut self, bytes: Vec<u8>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.sent += bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }
}

impl HttpBody for Gzip {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            let Some(coder) = self.coder.as_mut() else { return Poll::Ready(None) };
            if !coder.get_ref().is_empty() {
                let ready = std::mem::take(coder.get_mut());
                return self.out(ready);
            }
            if self.held.is_empty() {
                match ready!(Pin::new(&mut self.stream).poll_frame(cx)) {
                    Some(Ok(frame)) => self.held = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                    None => {
                        let Some(coder) = self.coder.take() else { return Poll::Ready(None) };
                        let rest = coder.finish()?;
                        return self.out(rest);
                    }
                }
            }
            let len = self.held.len().min(PIECE);
            let piece = self.held.split_to(len);
            if let Some(coder) = self.coder.as_mut() {
                coder.write_all(&piece)?;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.coder.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Gzip {
    fn drop(&mut self) {
        self.oss.count_egress(self.payer.as_ref(), self.sent);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_name_it_and_do_not_refuse_it() {
        for header in ["gzip", "deflate, GZIP", "br;q=1.0, gzip; q=0.5"] {
            assert!(accepts(header), "{header}");
        }
        for header in ["", "*", "identity", "gzip;q=0", "gzip; q=0.0", "x-gzip"] {
            assert!(!accepts(header), "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_taken(header: String) {
            let _ = accepts(&header);
        }
    }
}
