//! Status and headers of answers.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base::{AccountId, ApiError, RequestId, Time};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use engine::RequestInfo;
use engine::server::refusal::MARK;
use engine::server::{Body, full};
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    LAST_MODIFIED, SERVER,
};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame as HttpFrame, SizeHint};
use wire::Head;
use wire::object::{Dialect, error};

use super::encryption::put_encryption;
use super::headers::{class_name, names};
use super::retention::put_lock;
use crate::access_log::Source;
use crate::digest::{Checksum, Coverage};
use crate::model::{Etag, Kind, ObjectInfo, StorageClass};
use crate::ops::{DELETE_MARKER, NEXT_POSITION, ObjectStream};

/// What surrounds an answer: known as soon as the head has been read, whatever comes of the request.
pub(super) struct Frame<'a> {
    pub(super) dialect: Dialect,
    pub(super) request: &'a RequestInfo,
    /// The operation's name; empty until it is known.
    pub(super) operation: &'static str,
    /// The bucket that is asked; empty until it is known, and for requests to the service.
    pub(super) bucket: String,
    /// What is recorded of the request, where its bucket is logged. Only then are the next two told.
    pub(super) logged: Option<Arc<Source>>,
    pub(super) key: String,
    /// Who signed: the account and the access key.
    pub(super) requester: Option<(AccountId, String)>,
    path: &'a str,
    is_head: bool,
}

impl<'a> Frame<'a> {
    pub(super) fn new(request: &'a RequestInfo, head: &Head<'a>) -> Self {
        let dialect = wire::object::detect(head);
        let is_head = head.method == "HEAD";
        Self {
            dialect,
            request,
            operation: "",
            bucket: String::new(),
            logged: None,
            key: String::new(),
            requester: None,
            path: head.path,
            is_head,
        }
    }

    /// The answer to a request that was refused, and the code that it tells.
    pub(super) fn error(&self, refused: &ApiError) -> (Response<Body>, Cow<'static, str>) {
        let refused = &translated(self.dialect, refused);
        let id = self.request.id;
        let host_id = match self.dialect {
            Dialect::Oss => self.request.host.clone(),
            Dialect::S3 => id.to_string(),
        };
        let code = error::words(self.dialect, refused).0.into_owned();
        let body = error::render(self.dialect, refused, &id.short(), &host_id, self.path);
        let mut headers = HeaderMap::new();
        if self.dialect == Dialect::Oss {
            put(&mut headers, "x-oss-ec", &error::ec_of(refused, &code, body.status));
        }
        put_marker(&mut headers, self.dialect, refused);
        put_position(&mut headers, refused);
        let bodiless = self.is_head || body.status == 304;
        if self.is_head {
            // Without this the door would take the bare head for a refusal of the HTTP library's.
            put(&mut headers, MARK, "1");
            if self.dialect == Dialect::Oss {
                put(&mut headers, "x-oss-err", &error::head_header(&body));
            }
        }
        let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = if bodiless { empty(status) } else { with(status, body.bytes) };
        if !bodiless {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type));
        }
        response.headers_mut().extend(headers);
        (response, code.into())
    }

    /// Adds what every answer has.
    pub(super) fn complete(&self, mut response: Response<Body>, took: Duration) -> Response<Body> {
        let id = self.request.id;
        let headers = response.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("Awan"));
        match self.dialect {
            Dialect::Oss => {
                put(headers, "x-oss-request-id", &id.short());
                headers.insert(
                    "x-oss-server-time",
                    HeaderValue::from(u64::try_from(took.as_millis()).unwrap_or(0)),
                );
            }
            Dialect::S3 => s3_ids(headers, id),
        }
        response
    }
}

fn s3_ids(headers: &mut HeaderMap, id: RequestId) {
    put(headers, "x-amz-request-id", &id.short());
    put(headers, "x-amz-id-2", &id.to_string());
}

/// The few codes of the engine that the two protocols call differently.
fn translated<'e>(dialect: Dialect, refused: &'e ApiError) -> Cow<'e, ApiError> {
    let other = match dialect {
        Dialect::Oss if refused.is(&error::BAD_DIGEST) => &error::INVALID_DIGEST,
        Dialect::Oss if refused.is(&error::MALFORMED_POLICY) => &error::INVALID_POLICY_DOCUMENT,
        Dialect::S3 if refused.is(&error::FILE_ALREADY_EXISTS) => &error::PRECONDITION_FAILED,
        _ => return Cow::Borrowed(refused),
    };
    let told = refused
        .fields()
        .iter()
        .fold(other.error(refused.text()), |told, (name, value)| told.field(name, value.as_str()));
    Cow::Owned(told)
}

/// Tells of the delete marker that a refusal is because of.
fn put_marker(headers: &mut HeaderMap, dialect: Dialect, refused: &ApiError) {
    let field = |wanted: &str| {
        let found = refused.fields().iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    if field("ResourceType") == Some(DELETE_MARKER) {
        let names = names(dialect);
        put(headers, names.delete_marker, "true");
        put(headers, names.version_id, field("VersionId").unwrap_or_default());
    }
}

/// Tells where an append must begin, of one that began elsewhere.
fn put_position(headers: &mut HeaderMap, refused: &ApiError) {
    if let Some((_, at)) = refused.fields().iter().find(|(name, _)| *name == NEXT_POSITION) {
        put(headers, super::append::NEXT_POSITION, at);
    }
}

/// Sets a header, if the value can be one.
pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn with(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = status;
    response
}

/// An answer with these bytes, whose type the caller adds.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Response<Body> {
    with(StatusCode::OK, bytes)
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    with(status, Bytes::new())
}

/// An XML document.
pub(super) fn xml(document: Vec<u8>) -> Response<Body> {
    let mut response = with(StatusCode::OK, document);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// The entity tag as a header and an element: in quotes, in the dialect's case.
pub(super) fn etag(etag: &Etag, dialect: Dialect) -> String {
    match dialect {
        Dialect::Oss => format!("\"{}\"", etag.upper()),
        Dialect::S3 => format!("\"{}\"", etag.lower()),
    }
}

/// What is told of new bytes: tag, CRC-64 (OSS) and the checksums that were asked for (S3).
pub(super) fn put_digests(
    headers: &mut HeaderMap,
    dialect: Dialect,
    tag: &Etag,
    crc64: u64,
    sums: &[Checksum],
) {
    put(headers, "etag", &etag(tag, dialect));
    match dialect {
        Dialect::Oss => {
            headers.insert("x-oss-hash-crc64ecma", HeaderValue::from(crc64));
            // The tag of parts is not the MD5 of a body.
            if tag.parts == 0 {
                put(headers, "content-md5", &BASE64_STANDARD.encode(tag.md5));
            }
        }
        Dialect::S3 => put_checksums(headers, sums),
    }
}

/// The additional checksums of S3.
pub(super) fn put_checksums(headers: &mut HeaderMap, checksums: &[Checksum]) {
    for checksum in checksums {
        put(headers, checksum.algorithm.header(), &checksum.text());
        put(headers, "x-amz-checksum-type", coverage(checksum));
    }
}

/// What S3 calls what a checksum is of.
pub(super) fn coverage(checksum: &Checksum) -> &'static str {
    coverage_name(if checksum.parts == 0 { Coverage::FullObject } else { Coverage::Composite })
}

/// What S3 calls what an upload's checksum is to be of.
pub(super) const fn coverage_name(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::FullObject => "FULL_OBJECT",
        Coverage::Composite => "COMPOSITE",
    }
}

/// What is told of an object on GET and HEAD, but for its length.
pub(super) fn put_object(headers: &mut HeaderMap, dialect: Dialect, info: &ObjectInfo) {
    let names = names(dialect);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(names.content_type));
    for (name, value) in &info.attributes.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.insert(name, value);
        }
    }
    for (name, value) in &info.attributes.user {
        let name = HeaderName::try_from([names.meta, name].concat());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    }
    put_state(headers, dialect, info);
    put_encryption(headers, dialect, info.facts.encryption.as_ref());
    put_lock(headers, dialect, info.facts.lock);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if !info.tags.is_empty() {
        headers.insert(names.tagging_count, HeaderValue::from(info.tags.len()));
    }
    match dialect {
        Dialect::Oss => {
            headers.insert("x-oss-object-type", HeaderValue::from_static(info.object_type()));
            headers.insert("x-oss-hash-crc64ecma", HeaderValue::from(info.crc64));
            if info.facts.kind == Kind::Appendable {
                headers.insert(super::append::NEXT_POSITION, HeaderValue::from(info.size));
            }
        }
        Dialect::S3 if info.storage_class == StorageClass::Standard => return,
        Dialect::S3 => {}
    }
    headers.insert(
        names.storage_class,
        HeaderValue::from_static(class_name(info.storage_class, dialect)),
    );
}

/// What a client needs to know whether it has an object.
pub(super) fn put_state(headers: &mut HeaderMap, dialect: Dialect, info: &ObjectInfo) {
    put(headers, ETAG.as_str(), &etag(&info.etag, dialect));
    put_time(headers, info.modified);
    if let Some(version) = info.version {
        put(headers, names(dialect).version_id, &version.to_string());
    }
}

fn put_time(headers: &mut HeaderMap, modified: Time) {
    if let Ok(value) = HeaderValue::try_from(modified.http()) {
        headers.insert(LAST_MODIFIED, value);
    }
}

/// The length of a body that a HEAD leaves out.
pub(super) fn put_length(headers: &mut HeaderMap, size: u64) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
}

/// The bytes of an object as a body. The first extent is read before the head is written: a small
/// object leaves with its head in one piece, and bytes that cannot be read are an error rather than
/// a broken connection.
///
/// Errors: those of the stream.
pub(super) async fn object_body(mut stream: ObjectStream) -> Result<Body, ApiError> {
    let Some(first) = stream.next().await.transpose()? else { return Ok(full(Bytes::new())) };
    if stream.is_end_stream() {
        return Ok(full(first));
    }
    Ok(Begun { first: Some(first), rest: stream }.boxed_unsync())
}

/// A stream whose first piece is there already.
struct Begun {
    first: Option<Bytes>,
    rest: ObjectStream,
}

impl HttpBody for Begun {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<HttpFrame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(HttpFrame::data(first))));
        }
        let next = Pin::new(&mut self.rest).poll_frame(cx);
        next.map(|next| next.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        SizeHint::with_exact(first + self.rest.size_hint().lower())
    }
}
