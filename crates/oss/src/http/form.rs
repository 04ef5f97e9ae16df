//! PostObject: an upload by HTML form. The fields before the file take the place of headers and query;
//! the policy among them, signed or not, that of the signature.
//!
//! What the fields say and who signed is [`wire::object::form`]; what becomes of the file is the same
//! as of any PUT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::ApiError;
use bytes::Bytes;
use engine::Caller;
use futures_util::stream;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use multer::{Field, Multipart};
use wire::Head;
use wire::object::form::{FIELDS_BYTES_MAX, Fields, Policy, Sizes};
use wire::object::{Dialect, address, body, error};

use super::body::Connection;
use super::call::Asked;
use super::callback::Told;
use super::headers::{self, names};
use super::respond::{self, Frame, empty, xml};
use super::route::Query;
use super::{Answer, Storage, control, render};
use crate::access::tags_header;
use crate::digest::Checksum;
use crate::model::{RequestCtx, Stored};
use crate::ops::Source;

/// Fields that are part of the signature or say what is answered: no headers of the object.
const NO_HEADERS: [&str; 11] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
    "x-oss-access-key-id",
    "x-oss-credential",
    "x-oss-date",
    "x-oss-security-token",
    "x-oss-signature",
    "x-oss-signature-version",
];

/// Standard headers that a form may have as fields.
const PLAIN: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];

/// Whether a request is signed in its head, as no form is, and says that its body is none.
pub(super) fn is_none(head: &Head<'_>) -> bool {
    let kind = head.header("content-type").unwrap_or_default();
    head.headers.contains_key("authorization") && !kind.starts_with("multipart/form-data")
}

impl Storage {
    /// Takes the form in. Its dialect is that of its signature.
    pub(super) async fn post_object(
        &self,
        head: &Head<'_>,
        frame: &mut Frame<'_>,
        asked: &Asked,
        connection: Connection,
    ) -> Answer {
        let at_file = Arc::new(AtomicBool::new(false));
        let mut form = open(head, connection, Arc::clone(&at_file))?;
        let (fields, file) = before_the_file(&mut form).await?;
        at_file.store(true, Ordering::Relaxed);
        frame.dialect = fields.dialect().unwrap_or(frame.dialect);
        let dialect = frame.dialect;
        let key = fields.key(file.file_name().unwrap_or_default())?;
        address::check_key(&key, dialect)?;
        let caller = self.who_signed(&fields, dialect).await?;
        let now = self.oss.cloud().clock.now();
        let sizes = match fields.get("policy") {
            Some(policy) => {
                Policy::parse(policy)?.check(&fields, (&asked.bucket, &key), dialect, now)?
            }
            None => Sizes::ANY,
        };
        let told = headers_of(&fields, &file, dialect)?;
        let told = Head { headers: &told, ..*head };
        let mut request = frame.request.clone();
        request.told = control::told(&told, dialect, &Query::default());
        let ctx = RequestCtx { caller, request };
        let callback = match dialect {
            Dialect::Oss => self.callback_of_form(&ctx, (&asked.bucket, &key), &fields).await?,
            Dialect::S3 => None,
        };
        let options = headers::put_options(&told, dialect, headers::expected(&told, dialect)?)?;
        let file = File { field: file, sizes, taken: 0 };
        let content_type = options.attributes.header("content-type").unwrap_or_default().to_owned();
        let stored = self.oss.put(&ctx, &asked.bucket, &key, options, file).await?;
        let answer = self.posted(&fields, dialect, (&asked.bucket, &key), &stored)?;
        let Some(callback) = callback else { return Ok(answer) };
        let told = Told {
            ctx: &ctx,
            bucket: &asked.bucket,
            key: &key,
            content_type: &content_type,
            operation: "PostObject",
            stored: &stored,
        };
        self.call_back(&callback, &told, answer).await
    }

    /// Who signed the form, in any region of this cloud; nobody where it has no policy.
    ///
    /// Errors: those of the signature and of the key.
    async fn who_signed(&self, fields: &Fields, dialect: Dialect) -> Result<Caller, ApiError> {
        let regions = self.regions();
        let mut read = regions.iter().map(|region| fields.signed(dialect, region));
        let first = read.next().expect("a cloud has a region");
        let signed = first.or_else(|refused| read.find_map(Result::ok).ok_or(refused))?;
        let Some(signed) = signed else { return Ok(Caller::anonymous()) };
        let cloud = Arc::clone(self.oss.cloud());
        let within = Arc::clone(&cloud);
        let verified = cloud.db.read(move |tx| {
            within.authenticate(tx, &signed.key_id, signed.token.as_deref(), |secret| {
                signed.verify(secret)
            })
        });
        let (caller, _) = verified.await?;
        cloud.authority.key_used(&caller, "oss", cloud.clock.now());
        Ok(caller)
    }

    /// What the form asked to be answered: a redirection, or 200, 201 with a document, or 204.
    fn posted(
        &self,
        fields: &Fields,
        dialect: Dialect,
        (bucket, key): (&str, &str),
        stored: &Stored,
    ) -> Answer {
        let etag = respond::etag(&stored.etag, dialect);
        let encoded = base::text::percent_encode_keeping(key, b"/");
        let location = format!("{}/{bucket}/{encoded}", self.config.endpoint);
        let mut response = match redirection(fields, dialect) {
            Some(target) => {
                let join = if target.contains('?') { '&' } else { '?' };
                let encode = |text: &str| base::text::percent_encode(text);
                let (bucket, key, etag) = (encode(bucket), encode(key), encode(&etag));
                let mut response = empty(StatusCode::SEE_OTHER);
                let target = format!("{target}{join}bucket={bucket}&key={key}&etag={etag}");
                respond::put(response.headers_mut(), LOCATION.as_str(), &target);
                response
            }
            None => {
                let mut response = by_status(fields, &location, (bucket, key), &etag);
                respond::put(response.headers_mut(), LOCATION.as_str(), &location);
                response
            }
        };
        let headers = response.headers_mut();
        respond::put_digests(headers, dialect, &stored.etag, stored.crc64, &stored.checksums);
        respond::put(headers, ETAG.as_str(), &etag);
        Ok(response)
    }
}

fn by_status(
    fields: &Fields,
    location: &str,
    (bucket, key): (&str, &str),
    etag: &str,
) -> Response<engine::server::Body> {
    match fields.get("success_action_status") {
        Some("200") => empty(StatusCode::OK),
        Some("201") => {
            let mut response = xml(render::posted(location, bucket, key, etag));
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        _ => empty(StatusCode::NO_CONTENT),
    }
}

/// Where the browser is to go then. Only to a web address: what is none is not obeyed.
fn redirection(fields: &Fields, dialect: Dialect) -> Option<&str> {
    let of_old = fields.get("redirect").filter(|_| dialect == Dialect::S3);
    let target = fields.get("success_action_redirect").or(of_old)?;
    let is_web = target.starts_with("http://") || target.starts_with("https://");
    (is_web && HeaderValue::from_str(target).is_ok()).then_some(target)
}

/// What may come before the file: the fields, and the frame around them.
const BEFORE_THE_FILE_MAX: usize = 2 * FIELDS_BYTES_MAX;

/// Undoes the frame. Until it is at the file no more is taken than what may come before: all of that is held
/// in memory, and nobody has signed yet.
///
/// Errors: `InvalidArgument` where the request is no form.
fn open(
    head: &Head<'_>,
    connection: Connection,
    at_file: Arc<AtomicBool>,
) -> Result<Multipart<'static>, ApiError> {
    let declared = head.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let boundary = multer::parse_boundary(declared).map_err(|_| {
        error::INVALID_ARGUMENT
            .error("A POST needs the Content-Type multipart/form-data with a boundary.")
    })?;
    let from = (connection, 0_usize, at_file);
    let bytes = stream::try_unfold(from, |(mut connection, taken, at_file)| async move {
        if taken > BEFORE_THE_FILE_MAX && !at_file.load(Ordering::Relaxed) {
            return Err(Broken(ApiError::new(&error::POST_FIELDS_TOO_LONG)));
        }
        let next = connection.next().await.map_err(Broken)?;
        Ok::<_, Broken>(next.map(|bytes| {
            let taken = taken.saturating_add(bytes.len());
            (bytes, (connection, taken, at_file))
        }))
    });
    Ok(Multipart::new(bytes, boundary))
}

/// The connection's error on its way through the frame.
#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Broken(ApiError);

fn refused(error: multer::Error) -> ApiError {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<Broken>() {
            Ok(broken) => broken.0,
            Err(other) => ApiError::new(&error::INCOMPLETE_BODY).detail(other),
        },
        multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream => {
            ApiError::new(&error::INCOMPLETE_BODY)
        }
        other => ApiError::new(&error::MALFORMED_POST).detail(other),
    }
}

/// The fields up to the file, and the file.
///
/// Errors: what is wrong with the frame; `MaxPostPreDataLengthExceeded`; `InvalidArgument` for a form
/// without a file.
async fn before_the_file(
    form: &mut Multipart<'static>,
) -> Result<(Fields, Field<'static>), ApiError> {
    let (mut fields, mut bytes) = (Fields::default(), 0);
    while let Some(mut field) = form.next_field().await.map_err(refused)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name.eq_ignore_ascii_case("file") {
            return Ok((fields, field));
        }
        let mut value = Vec::new();
        bytes += name.len();
        while let Some(piece) = field.chunk().await.map_err(refused)? {
            bytes += piece.len();
            if bytes > FIELDS_BYTES_MAX {
                return Err(ApiError::new(&error::POST_FIELDS_TOO_LONG));
            }
            value.extend_from_slice(&piece);
        }
        let value = String::from_utf8(value).map_err(|_| {
            error::INVALID_ARGUMENT.error(format!("The form's field {name} is not UTF-8."))
        })?;
        fields.push(&name, value);
    }
    Err(error::INVALID_ARGUMENT
        .error("The form must have exactly one file, named file, at its end."))
}

/// The headers that a PUT of the same object would have had.
///
/// Errors: `InvalidArgument` for a field that cannot be a header; `MalformedXML` for tags.
fn headers_of(fields: &Fields, file: &Field<'_>, dialect: Dialect) -> Result<HeaderMap, ApiError> {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &str| {
        let refused = || {
            error::INVALID_ARGUMENT
                .error("A field of the form is not valid.")
                .field("ArgumentName", name)
        };
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
        headers.insert(known, value);
        Ok::<_, ApiError>(())
    };
    if dialect == Dialect::Oss
        && let Some(declared) = file.content_type()
    {
        put(CONTENT_TYPE.as_str(), declared.as_ref())?;
    }
    for (name, value) in fields.iter() {
        match name {
            "acl" => put(names(dialect).object_acl, value)?,
            "tagging" if dialect == Dialect::S3 => {
                let tags = body::tagging(value.as_bytes())?;
                put(names(dialect).tagging, &tags_header(&tags))?;
            }
            "x-oss-content-type" => put(CONTENT_TYPE.as_str(), value)?,
            _ if NO_HEADERS.contains(&name) => {}
            _ if PLAIN.contains(&name) => put(name, value)?,
            _ if name.starts_with("x-amz-") || name.starts_with("x-oss-") => put(name, value)?,
            _ => {}
        }
    }
    Ok(headers)
}

/// The file on its way in.
struct File {
    field: Field<'static>,
    sizes: Sizes,
    taken: u64,
}

impl Source for File {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let piece = self.field.chunk().await.map_err(refused)?;
        self.taken += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.taken > self.sizes.max {
            let max = self.sizes.max.to_string();
            return Err(ApiError::new(&error::ENTITY_TOO_LARGE).field("MaxSizeAllowed", max));
        }
        Ok(piece)
    }

    fn finish(&mut self) -> Result<Vec<Checksum>, ApiError> {
        if self.taken < self.sizes.min {
            let min = self.sizes.min.to_string();
            return Err(ApiError::new(&error::ENTITY_TOO_SMALL).field("MinSizeAllowed", min));
        }
        Ok(Vec::new())
    }
}
