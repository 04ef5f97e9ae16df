//! Multipart uploads.

use base::ApiError;
use base::text::percent_encode_keeping;
use http::StatusCode;
use wire::object::body::{self, COMPLETE_BYTES_MAX};
use wire::object::checksum::Algorithm;
use wire::object::error;

use super::call::{Call, Payload};
use super::object::source;
use super::render::{self, Style};
use super::respond::{coverage_name, empty, put, put_digests, xml};
use super::{Answer, Storage, acl, conditions, encryption, headers};
use crate::digest::{Checksum, Coverage};
use crate::model::Expected;
use crate::ops::{CompleteOptions, CompleteParts, InitiateOptions, NamedPart, PartOptions};

/// The smallest part but the last.
const OSS_PART_BYTES_MIN: u64 = 100 << 10;
const S3_PART_BYTES_MIN: u64 = 5 << 20;

/// An upload's address.
fn target<'c>(call: &'c Call<'_>) -> (&'c str, &'c str, &'c str) {
    (&call.bucket, &call.key, call.text("uploadId"))
}

/// Errors: `InvalidArgument` where it is no number; the engine says which numbers there are.
fn part_number(call: &Call<'_>) -> Result<u32, ApiError> {
    let text = call.text("partNumber");
    text.parse().map_err(|_| {
        let refused = error::INVALID_ARGUMENT
            .error("Part number must be an integer between 1 and 10000, inclusive.");
        refused.field("ArgumentName", "partNumber").field("ArgumentValue", text)
    })
}

impl Storage {
    pub(super) async fn initiate_upload(&self, call: &Call<'_>) -> Answer {
        let style = Style { dialect: call.dialect, encoded: call.url_encoded()? };
        let options = self.put_options(call, &call.head, Expected::default()).await?;
        let checksum = if call.is_oss() { None } else { wanted_checksum(call)? };
        let options = InitiateOptions {
            attributes: options.attributes,
            storage_class: options.storage_class,
            acl: options.acl,
            grants: options.grants,
            tags: options.tags,
            checksum,
            encryption: options.encryption,
            lock: options.lock,
        };
        let wanted = options.encryption.clone();
        let id = self.oss.initiate(&call.ctx, &call.bucket, &call.key, options).await?;
        let mut response = xml(render::initiate(style, &call.bucket, &call.key, &id));
        if let Some((algorithm, coverage)) = checksum {
            put(response.headers_mut(), "x-amz-checksum-algorithm", algorithm.name());
            put(response.headers_mut(), "x-amz-checksum-type", coverage_name(coverage));
        }
        encryption::put_wanted(response.headers_mut(), call.dialect, wanted.as_ref());
        Ok(response)
    }

    pub(super) async fn upload_part(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let number = part_number(call)?;
        let (upload, expected) =
            payload.open(call, headers::expected(&call.head, call.dialect)?)?;
        if !call.has_length(&expected) {
            return Err(ApiError::new(&error::MISSING_CONTENT_LENGTH));
        }
        let customer_key = encryption::customer_key(&call.head, call.dialect)?;
        let options = PartOptions { number, expected, customer_key, strict_range: false };
        let part = self.oss.upload_part(&call.ctx, target(call), options, upload).await?;
        let mut response = empty(StatusCode::OK);
        put_digests(response.headers_mut(), call.dialect, &part.etag, part.crc64, &part.checksums);
        let sealed = part.encryption.as_ref();
        encryption::put_encryption(response.headers_mut(), call.dialect, sealed);
        Ok(response)
    }

    pub(super) async fn upload_part_copy(&self, call: &Call<'_>) -> Answer {
        let number = part_number(call)?;
        let source = source(call)?;
        let range = conditions::copy_range(&call.head, call.dialect)?;
        let customer_key = encryption::customer_key(&call.head, call.dialect)?;
        // OSS takes what there is of a range that ends behind the source.
        let strict_range = !call.is_oss();
        let options = PartOptions { number, customer_key, strict_range, ..PartOptions::default() };
        let (part, of) =
            self.oss.upload_part_copy(&call.ctx, target(call), options, source, range).await?;
        let style = Style::plain(call.dialect);
        let mut response =
            xml(render::copy_part(style, &part.etag, part.modified, &part.checksums));
        if call.is_oss() {
            put_digests(response.headers_mut(), call.dialect, &part.etag, part.crc64, &[]);
        }
        call.put_source(response.headers_mut(), of.version);
        let sealed = part.encryption.as_ref();
        encryption::put_encryption(response.headers_mut(), call.dialect, sealed);
        Ok(response)
    }

    pub(super) async fn complete_upload(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let style = Style { dialect: call.dialect, encoded: call.url_encoded()? };
        let callback = self.callback(call).await?;
        let options = complete_options(call, payload).await?;
        let stored = self.oss.complete(&call.ctx, target(call), options).await?;
        let location = format!(
            "{}/{}/{}",
            self.config.endpoint,
            call.bucket,
            percent_encode_keeping(&call.key, b"/")
        );
        let mut response =
            xml(render::complete(style, &location, &call.bucket, &call.key, &stored));
        if call.is_oss() {
            put_digests(response.headers_mut(), call.dialect, &stored.etag, stored.crc64, &[]);
        }
        call.put_written(response.headers_mut(), stored.version);
        let sealed = stored.encryption.as_ref();
        encryption::put_encryption(response.headers_mut(), call.dialect, sealed);
        let Some((callback, _)) = callback else { return Ok(response) };
        let told = call.told("CompleteMultipartUpload", "", &stored);
        self.call_back(&callback, &told, response).await
    }

    pub(super) async fn abort_upload(&self, call: &Call<'_>) -> Answer {
        self.oss.abort(&call.ctx, target(call)).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

/// The checksum that an upload is to have.
///
/// Errors: `InvalidRequest` for an algorithm, a type or a pair of them that there is not.
fn wanted_checksum(call: &Call<'_>) -> Result<Option<(Algorithm, Coverage)>, ApiError> {
    let Some(algorithm) = headers::wanted_checksum(&call.head)? else { return Ok(None) };
    let digest = matches!(algorithm, Algorithm::Sha1 | Algorithm::Sha256);
    let coverage = match (call.head.header("x-amz-checksum-type"), algorithm) {
        (None, Algorithm::Crc64Nvme) => Coverage::FullObject,
        (None, _) => Coverage::Composite,
        (Some("FULL_OBJECT"), _) if !digest => Coverage::FullObject,
        (Some("COMPOSITE"), algorithm) if algorithm != Algorithm::Crc64Nvme => Coverage::Composite,
        (Some(word), _) => {
            let name = algorithm.name();
            return Err(error::INVALID_REQUEST
                .error(format!("The {word} checksum type cannot be used with {name}.")));
        }
    };
    Ok(Some((algorithm, coverage)))
}

/// Reads how to complete an upload. Checksums in the headers are of the object here, not of the
/// request's body.
async fn complete_options(call: &Call<'_>, payload: Payload) -> Result<CompleteOptions, ApiError> {
    let crc64 = if call.is_oss() { headers::crc64(&call.head)? } else { None };
    let checksums = if call.is_oss() { Vec::new() } else { object_checksums(call)? };
    let promised = Expected { md5: headers::md5(&call.head)?, ..Expected::default() };
    let (upload, expected) = payload.open(call, promised)?;
    let document = upload.read(&expected, COMPLETE_BYTES_MAX.min(call.body_max)).await?;
    let all =
        call.head.header("x-oss-complete-all").is_some_and(|word| word.eq_ignore_ascii_case("yes"));
    let parts = if !all || !call.is_oss() {
        let parts = body::complete_multipart_upload(&document)?;
        CompleteParts::Named(parts.into_iter().map(named).collect::<Result<_, _>>()?)
    } else if document.trim_ascii().is_empty() {
        CompleteParts::All
    } else {
        return Err(error::INVALID_ARGUMENT
            .error("With x-oss-complete-all there must be no list of parts."));
    };
    Ok(CompleteOptions {
        parts,
        conditions: conditions::of_write(&call.head, call.dialect)?,
        part_bytes_min: if call.is_oss() { OSS_PART_BYTES_MIN } else { S3_PART_BYTES_MIN },
        crc64,
        checksums,
        // S3 knows the ACL of an upload only where it begins.
        acl: if call.is_oss() { acl::of_object(&call.head, call.dialect)?.acl } else { None },
        customer_key: encryption::customer_key(&call.head, call.dialect)?,
    })
}

/// A part as the document names it.
fn named(part: body::Part) -> Result<NamedPart, ApiError> {
    let checksum = |(algorithm, value): &(Algorithm, String)| checksum(*algorithm, value);
    let checksums = part.checksums.iter().map(checksum).collect::<Result<_, _>>()?;
    Ok(NamedPart { number: part.number, etag: part.etag, checksums })
}

/// The checksums that the whole object must have.
fn object_checksums(call: &Call<'_>) -> Result<Vec<Checksum>, ApiError> {
    let given = |algorithm: Algorithm| {
        call.head.header(algorithm.header()).map(|value| checksum(algorithm, value))
    };
    Algorithm::ALL.into_iter().filter_map(given).collect()
}

/// Reads a checksum's text form: Base64, with `-N` where it is of N parts.
fn checksum(algorithm: Algorithm, text: &str) -> Result<Checksum, ApiError> {
    let (value, parts) = text.split_once('-').unwrap_or((text, "0"));
    let parts =
        parts.parse().map_err(|_| error::INVALID_REQUEST.error("A checksum is not valid."))?;
    Ok(Checksum { algorithm, value: algorithm.parse(value)?, parts })
}
