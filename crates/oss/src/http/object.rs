//! Operations on objects.

use base::ApiError;
use http::header::{CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use wire::Head;
use wire::object::body::{self, DELETE_BYTES_MAX, SMALL_BYTES_MAX};
use wire::object::{Dialect, address, error};

use super::attributes::OnePart;
use super::call::{Call, Payload};
use super::conditions;
use super::headers::{self, names};
use super::render::{self, Outcome, Style};
use super::respond::{self, empty, xml};
use super::{Answer, Storage, acl, class, encryption, gzip, process, retention, traffic, version};
use crate::access::tell_tags;
use crate::model::{Expected, ObjectInfo, PutOptions, ReadConditions, Stored};
use crate::ops::{CopyOptions, CopySource, DeleteKey, Directive, Fetched, GetOptions};

impl Storage {
    pub(super) async fn put_object(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let callback = self.callback(call).await?;
        let told = callback.as_ref().map_or(call.head.headers, |(_, without)| without);
        let head = Head { headers: told, ..call.head };
        let (upload, expected) =
            payload.open(call, headers::expected(&call.head, call.dialect)?)?;
        if !call.has_length(&expected) {
            return Err(ApiError::new(&error::MISSING_CONTENT_LENGTH));
        }
        let options = self.put_options(call, &head, expected).await?;
        let content_type = options.attributes.header("content-type").unwrap_or_default().to_owned();
        let stored = self.oss.put(&call.ctx, &call.bucket, &call.key, options, upload).await?;
        let mut response = empty(StatusCode::OK);
        put_stored(response.headers_mut(), call.dialect, &stored);
        class::put_expiry(response.headers_mut(), call.dialect, stored.expires.as_ref());
        call.put_written(response.headers_mut(), stored.version);
        let Some((callback, _)) = callback else { return Ok(response) };
        let told = call.told("PutObject", &content_type, &stored);
        self.call_back(&callback, &told, response).await
    }

    /// What a write's headers say. Who may not write is told that, before anything about what it sent: a policy may
    /// ask for the very header that is wrong.
    ///
    /// Errors: as [`headers::put_options`]; `AccessDenied`.
    pub(super) async fn put_options(
        &self,
        call: &Call<'_>,
        head: &Head<'_>,
        expected: Expected,
    ) -> Result<PutOptions, ApiError> {
        match headers::put_options(head, call.dialect, expected) {
            Ok(options) => Ok(options),
            Err(refused) => {
                self.oss.require_put(&call.ctx, &call.bucket, &call.key).await?;
                Err(refused)
            }
        }
    }

    pub(super) async fn get_object(&self, call: &Call<'_>) -> Answer {
        if let Some(process) = call.query.get(process::NAME).filter(|_| call.is_oss()) {
            return self.get_processed(call, process).await;
        }
        let overrides = overrides(call)?;
        encryption::check_read(&call.head, call.dialect)?;
        let range = conditions::range(&call.head);
        let strict = call
            .head
            .header("x-oss-range-behavior")
            .is_some_and(|word| word.eq_ignore_ascii_case("standard"));
        let mut conditions = conditions::of_read(&call.head);
        conditions.customer_key = encryption::customer_key(&call.head, call.dialect)?;
        let part = self.part(call, &conditions).await?;
        let range = part.as_ref().map_or(range, OnePart::range);
        let options = GetOptions { range, strict_range: strict || !call.is_oss(), conditions };
        let (info, range, stream) =
            match self.oss.get(&call.ctx, &call.bucket, call.at()?, options).await? {
                Fetched::NotModified(info) => return Ok(not_modified(call, &info)),
                Fetched::Found { info, range, body } => (info, range, body),
            };
        let compressed = gzip::is_wanted(call, &info, range.is_some() || part.is_some());
        let mut response = Response::new(match compressed {
            true => gzip::body(&self.oss, *stream).await?,
            false => respond::object_body(*stream).await?,
        });
        let headers = response.headers_mut();
        respond::put_object(headers, call.dialect, &info);
        class::put_life(headers, call.dialect, &info.facts, self.oss.cloud().clock.now());
        if range.is_none() {
            put_wanted_checksums(headers, call, &info);
        }
        if let Some(part) = &part {
            part.check(&info)?;
            put_wanted_checksums(headers, call, &info);
            part.put(headers, call);
        }
        headers.extend(overrides);
        if compressed {
            gzip::put(&mut response);
            return traffic::slowed(call, response);
        }
        if let Some((first, len)) = range {
            let text = format!("bytes {first}-{}/{}", first + len - 1, info.size);
            respond::put(headers, CONTENT_RANGE.as_str(), &text);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        traffic::slowed(call, response)
    }

    pub(super) async fn head_object(&self, call: &Call<'_>) -> Answer {
        let overrides = overrides(call)?;
        encryption::check_read(&call.head, call.dialect)?;
        let mut conditions = conditions::of_read(&call.head);
        conditions.customer_key = encryption::customer_key(&call.head, call.dialect)?;
        let part = self.part(call, &conditions).await?;
        let info = match self.oss.head(&call.ctx, &call.bucket, call.at()?, &conditions).await? {
            Ok(info) => info,
            Err(info) => return Ok(not_modified(call, &info)),
        };
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        respond::put_object(headers, call.dialect, &info);
        class::put_life(headers, call.dialect, &info.facts, self.oss.cloud().clock.now());
        put_wanted_checksums(headers, call, &info);
        if let Some(part) = &part {
            part.check(&info)?;
            part.put(headers, call);
        }
        headers.extend(overrides);
        respond::put_length(headers, part.as_ref().map_or(info.size, OnePart::size));
        Ok(response)
    }

    /// OSS: the least that tells whether an object changed.
    pub(super) async fn object_meta(&self, call: &Call<'_>) -> Answer {
        let conditions = ReadConditions::default();
        let (Ok(info) | Err(info)) =
            self.oss.head(&call.ctx, &call.bucket, call.at()?, &conditions).await?;
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        respond::put_state(headers, call.dialect, &info);
        class::put_last_access(headers, call.dialect, &info.facts);
        headers.insert("x-oss-hash-crc64ecma", HeaderValue::from(info.crc64));
        if call.head.method == "HEAD" {
            respond::put_length(headers, info.size);
        }
        Ok(response)
    }

    pub(super) async fn delete_object(&self, call: &Call<'_>) -> Answer {
        let matching = conditions::of_delete(&call.head, call.dialect)?;
        let bypass_governance = retention::bypass(&call.head, call.dialect);
        let (key, version) = (call.key.clone(), call.version()?);
        let key = DeleteKey { key, version, matching, bypass_governance };
        let deleted = self.oss.delete(&call.ctx, &call.bucket, key).await?;
        let mut response = empty(StatusCode::NO_CONTENT);
        call.put_deleted(response.headers_mut(), &deleted);
        Ok(response)
    }

    pub(super) async fn delete_objects(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let style = Style { dialect: call.dialect, encoded: call.url_encoded()? };
        let wanted = body::delete(&call.read(payload, DELETE_BYTES_MAX).await?)?;
        let bypass_governance = retention::bypass(&call.head, call.dialect);
        let mut keys = Vec::with_capacity(wanted.objects.len());
        let mut outcomes = Vec::with_capacity(wanted.objects.len());
        for object in wanted.objects {
            let read = conditions::of_deleted(&object, call.dialect);
            let body::DeleteObject { key, version_id, .. } = object;
            let read = read.and_then(|matching| {
                let version = version::parse(version_id.as_deref(), "VersionId")?;
                let key = key.clone();
                Ok(DeleteKey { key, version, matching, bypass_governance })
            });
            let refused = read.as_ref().err().cloned();
            if let Some(refused) = refused.as_ref().filter(|_| call.is_oss()) {
                return Err(refused.clone());
            }
            keys.extend(read);
            outcomes.push(Outcome { key, version: version_id, marker: None, refused });
        }
        let deleted = if keys.is_empty() {
            Vec::new()
        } else {
            match self.oss.delete_many(&call.ctx, &call.bucket, keys.clone()).await {
                // Clients of S3 look for it at each key, also where all are refused.
                Err(refused) if !call.is_oss() && is_of_keys(&refused) => {
                    keys.into_iter().map(|key| (key.key, Err(refused.clone()))).collect()
                }
                done => done?,
            }
        };
        let asked = outcomes.iter_mut().filter(|outcome| outcome.refused.is_none());
        for (outcome, (_, done)) in asked.zip(deleted) {
            match done {
                Ok(deleted) => {
                    outcome.marker = deleted.version.filter(|_| deleted.marker);
                }
                Err(refused) => outcome.refused = Some(refused),
            }
        }
        let done = outcomes.iter().all(|outcome| outcome.refused.is_none());
        if call.is_oss() && wanted.quiet && done {
            return Ok(empty(StatusCode::OK));
        }
        Ok(xml(render::deleted(style, wanted.quiet, &outcomes)))
    }

    pub(super) async fn copy_object(&self, call: &Call<'_>) -> Answer {
        headers::check_understood(call.head.headers, call.dialect)?;
        let source = source(call)?;
        let dialect = call.dialect;
        let attributes = match replaces(call, names(dialect).metadata_directive)? {
            true => Directive::Replace(headers::attributes(&call.head, dialect)?),
            false => Directive::Copy,
        };
        let tags = match replaces(call, names(dialect).tagging_directive)? {
            true => Directive::Replace(headers::tags(&call.head, dialect)?),
            false => Directive::Copy,
        };
        let list = acl::of_object(&call.head, dialect)?;
        let options = CopyOptions {
            attributes,
            keeps_type: call.is_oss(),
            tags,
            storage_class: headers::storage_class(&call.head, dialect)?,
            acl: list.acl,
            grants: list.grants,
            conditions: conditions::of_write(&call.head, dialect)?,
            compute: headers::wanted_checksum(&call.head)?.into_iter().collect(),
            encryption: encryption::wanted(&call.head, dialect)?,
            lock: retention::lock(&call.head, dialect)?,
        };
        if !call.is_oss() && is_idle(call, &source, &options) {
            return Err(error::INVALID_REQUEST.error(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata or storage class.",
            ));
        }
        let (stored, of) =
            self.oss.copy(&call.ctx, source, &call.bucket, &call.key, options).await?;
        let mut response = xml(render::copy(Style::plain(dialect), &stored));
        let headers = response.headers_mut();
        if call.is_oss() {
            put_stored(headers, dialect, &stored);
        } else {
            encryption::put_encryption(headers, dialect, stored.encryption.as_ref());
        }
        call.put_written(headers, stored.version);
        call.put_source(headers, of.version);
        Ok(response)
    }

    pub(super) async fn object_tagging(&self, call: &Call<'_>) -> Answer {
        let info = self.oss.object_tags(&call.ctx, &call.bucket, call.at()?).await?;
        let mut response = xml(render::tagging(Style::plain(call.dialect), &info.tags));
        call.put_version(response.headers_mut(), info.version);
        Ok(response)
    }

    pub(super) async fn put_object_tagging(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let tags = body::tagging(&call.read(payload, SMALL_BYTES_MAX).await?)?;
        let tags = headers::check_object_tags(tags, call.dialect)?;
        let mut ctx = call.ctx.clone();
        tell_tags(&mut ctx.request.told, &tags);
        self.oss.set_object_tags(&ctx, &call.bucket, call.at()?, tags).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_object_tagging(&self, call: &Call<'_>) -> Answer {
        self.oss.set_object_tags(&call.ctx, &call.bucket, call.at()?, Vec::new()).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

/// What S3 tells of each key, also where all are refused.
fn is_of_keys(refused: &ApiError) -> bool {
    [&error::ACCESS_DENIED, &error::FILE_IMMUTABLE, &error::PRECONDITION_FAILED]
        .into_iter()
        .any(|code| refused.is(code))
}

pub(super) fn put_stored(headers: &mut HeaderMap, dialect: Dialect, stored: &Stored) {
    respond::put_digests(headers, dialect, &stored.etag, stored.crc64, &stored.checksums);
    encryption::put_encryption(headers, dialect, stored.encryption.as_ref());
}

/// The checksums of an object, where an S3 client asks for them.
fn put_wanted_checksums(headers: &mut HeaderMap, call: &Call<'_>, info: &ObjectInfo) {
    let wanted = call
        .head
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    if wanted && !call.is_oss() {
        respond::put_checksums(headers, &info.attributes.checksums);
    }
}

pub(super) fn not_modified(call: &Call<'_>, info: &ObjectInfo) -> Response<engine::server::Body> {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    respond::put_state(response.headers_mut(), call.dialect, info);
    response
}

/// Headers of the answer that the client wants to be others.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-content-type", http::header::CONTENT_TYPE),
    ("response-content-language", http::header::CONTENT_LANGUAGE),
    ("response-expires", http::header::EXPIRES),
    ("response-cache-control", http::header::CACHE_CONTROL),
    ("response-content-disposition", http::header::CONTENT_DISPOSITION),
    ("response-content-encoding", http::header::CONTENT_ENCODING),
];

/// Reads the `response-` parameters. Nobody may choose headers for a document on somebody else's
/// site, so only signed requests have them.
///
/// Errors: `InvalidRequest` for anonymous callers; `InvalidArgument` for what cannot be a header.
pub(super) fn overrides(call: &Call<'_>) -> Result<HeaderMap, ApiError> {
    let mut overrides = HeaderMap::new();
    if call.head.query.is_empty() {
        return Ok(overrides);
    }
    for (parameter, header) in OVERRIDES {
        let Some(value) = call.query.get(parameter) else { continue };
        if call.ctx.caller.is_anonymous() {
            return Err(error::INVALID_REQUEST
                .error("Response headers can be overridden in signed requests only."));
        }
        let value = HeaderValue::from_bytes(value.as_bytes());
        overrides.insert(
            header,
            value
                .map_err(|_| error::INVALID_ARGUMENT.error(format!("{parameter} is not valid.")))?,
        );
    }
    Ok(overrides)
}

/// The source of a copy, with its conditions.
///
/// Errors: as [`body::copy_source`]; `InvalidArgument` for a version's id that is none.
pub(super) fn source(call: &Call<'_>) -> Result<CopySource, ApiError> {
    let value = call.head.header(names(call.dialect).copy_source).unwrap_or_default();
    let (bucket, object) = body::copy_source(value, call.dialect)?;
    address::check_key(&object.key, call.dialect)?;
    if call.is_oss() && object.version_id.as_deref() == Some("") {
        return Err(error::INVALID_ARGUMENT
            .error("Version id cannot be the empty string.")
            .field("ArgumentName", "versionId"));
    }
    let mut conditions = conditions::of_source(&call.head, call.dialect);
    conditions.customer_key = encryption::source_key(&call.head, call.dialect)?;
    Ok(CopySource {
        version: version::parse(object.version_id.as_deref(), names(call.dialect).copy_source)?,
        bucket,
        key: object.key,
        conditions,
    })
}

/// Reads a directive: true for `REPLACE`, false for `COPY` or nothing.
///
/// Errors: `InvalidArgument`.
fn replaces(call: &Call<'_>, header: &'static str) -> Result<bool, ApiError> {
    match call.head.header(header) {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("copy") => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("replace") => Ok(true),
        Some(word) => {
            let refused = error::INVALID_ARGUMENT.error("Unknown directive.");
            Err(refused.field("ArgumentName", header).field("ArgumentValue", word))
        }
    }
}

/// True for a copy of an object onto itself that changes nothing.
fn is_idle(call: &Call<'_>, source: &CopySource, options: &CopyOptions) -> bool {
    source.bucket == call.bucket
        && source.key == call.key
        && source.version.is_none()
        && matches!(options.attributes, Directive::Copy)
        && matches!(options.tags, Directive::Copy)
        && options.storage_class.is_none()
        && options.encryption.is_none()
}
