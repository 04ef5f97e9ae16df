//! One request as the operations see it, and where it points.

use std::borrow::Cow;

use base::ApiError;
use wire::Head;
use wire::object::address::{self, Address, Host};
use wire::object::chunked::ChunkKey;
use wire::object::{Dialect, Resource, auth, error};

use super::Storage;
use super::body::{Connection, Upload};
use super::headers;
use super::route::{Query, Scope};
use super::traffic::Pace;
use crate::model::{Expected, RequestCtx};
use crate::tables;

/// A body that is read whole, of somebody who did not sign and may not write; bytes at most.
const UNSIGNED_BYTES_MAX: usize = 64 << 10;

/// How long a body may be that is read whole.
pub(super) fn body_max(ctx: &RequestCtx, may_write: bool) -> usize {
    if may_write || !ctx.caller.is_anonymous() { usize::MAX } else { UNSIGNED_BYTES_MAX }
}

/// Where a request points.
pub(super) struct Asked {
    pub(super) bucket: String,
    pub(super) key: String,
    /// True where the bucket stands in the host name.
    pub(super) hosted: bool,
    /// True on the host name of a website (S3).
    pub(super) website: bool,
}

impl Asked {
    pub(super) fn scope(&self) -> Scope {
        match (self.bucket.is_empty(), self.key.is_empty()) {
            (true, _) => Scope::Service,
            (false, true) => Scope::Bucket,
            (false, false) => Scope::Object,
        }
    }

    /// As the signatures name it.
    pub(super) fn resource(&self) -> Resource<'_> {
        let bucket = Some(self.bucket.as_str()).filter(|bucket| !bucket.is_empty());
        let key = Some(self.key.as_bytes()).filter(|key| !key.is_empty());
        Resource { bucket, key }
    }
}

/// One request whose caller is known.
pub(super) struct Call<'a> {
    pub(super) head: Head<'a>,
    pub(super) dialect: Dialect,
    pub(super) query: Query,
    /// Empty for requests to the service.
    pub(super) bucket: String,
    /// Empty for requests to the service or to a bucket.
    pub(super) key: String,
    /// True where the bucket stands in the host name.
    pub(super) hosted: bool,
    pub(super) ctx: RequestCtx,
    /// How long a body may be that is read whole, whatever the operation takes: less of those who did not sign.
    pub(super) body_max: usize,
}

impl Call<'_> {
    pub(super) fn is_oss(&self) -> bool {
        self.dialect == Dialect::Oss
    }

    /// A parameter's value; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.query.get(name).unwrap_or_default()
    }

    /// A parameter that is a number up to `max`, `default` where it is not there. Above `max` OSS
    /// refuses and S3 takes `max`.
    ///
    /// Errors: `InvalidArgument`.
    pub(super) fn count(&self, name: &str, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(value) = self.query.get(name).filter(|value| !value.is_empty()) else {
            return Ok(default);
        };
        let count = value.parse::<u32>().ok().and_then(|count| usize::try_from(count).ok());
        match count {
            Some(count) if count <= max => Ok(count),
            Some(_) if !self.is_oss() => Ok(max),
            _ => Err(error::INVALID_ARGUMENT
                .error(format!("Argument {name} must be an integer between 0 and {max}."))
                .field("ArgumentName", name)
                .field("ArgumentValue", value)),
        }
    }

    /// True where the answer is to have its keys percent-encoded.
    ///
    /// Errors: `InvalidArgument` for an encoding that is not `url`.
    pub(super) fn url_encoded(&self) -> Result<bool, ApiError> {
        match self.query.get("encoding-type") {
            None | Some("") => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("url") => Ok(true),
            Some(word) => {
                let refused =
                    error::INVALID_ARGUMENT.error("Invalid Encoding Method specified in Request.");
                Err(refused.field("ArgumentName", "encoding-type").field("ArgumentValue", word))
            }
        }
    }

    /// Whether the request says, in the way its protocol asks for, how long its body is. OSS takes any; S3
    /// wants a length or chunks.
    pub(super) fn has_length(&self, expected: &Expected) -> bool {
        let chunked = || self.head.headers.contains_key("transfer-encoding");
        self.is_oss() || expected.length.is_some() || chunked()
    }

    /// A small body, whole, after its digests were compared.
    ///
    /// Errors: what is wrong with the body.
    pub(super) async fn read(
        &self,
        payload: Payload,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ApiError> {
        let (upload, expected) =
            payload.open(self, headers::expected(&self.head, self.dialect)?)?;
        upload.read(&expected, bytes_max.min(self.body_max)).await
    }
}

/// A body that has not been opened.
pub(super) struct Payload {
    connection: Connection,
    kind: auth::Payload,
    key: Option<Box<ChunkKey>>,
}

impl Payload {
    pub(super) fn new(
        connection: Connection,
        kind: auth::Payload,
        key: Option<Box<ChunkKey>>,
    ) -> Self {
        Self { connection, kind, key }
    }

    /// The body for an operation, and `expected` with what the frame and the signature say added.
    ///
    /// Errors: `InvalidArgument` for a length that is none; as [`Upload::new`].
    pub(super) fn open(
        self,
        call: &Call<'_>,
        mut expected: Expected,
    ) -> Result<(Upload, Expected), ApiError> {
        let framed = match self.kind {
            auth::Payload::Unsigned => false,
            auth::Payload::Sha256(digest) => {
                expected.sha256 = Some(digest);
                false
            }
            auth::Payload::StreamingSigned { .. } | auth::Payload::StreamingUnsignedTrailer => true,
        };
        let name = if framed { "x-amz-decoded-content-length" } else { "content-length" };
        let number = |text: &str| text.parse::<u64>().map_err(|_| bad_length(name));
        expected.length = call.head.header(name).map(number).transpose()?;
        let promised = if framed { headers::promised(&call.head) } else { Vec::new() };
        let upload = Upload::new(self.connection, self.kind, expected.length, self.key, promised)?
            .paced(Pace::asked(call)?);
        Ok((upload, expected))
    }
}

fn bad_length(name: &str) -> ApiError {
    error::INVALID_ARGUMENT.error(format!("The header {name} is not a number."))
}

impl Storage {
    /// Finds bucket and key: in the path, in the host, or behind a host name bound to a bucket.
    ///
    /// A host name that is neither the service's nor bound is taken for the service, the bucket being
    /// in the path: proxies and port forwards have names that nobody configured here.
    ///
    /// Errors: as [`address::parse`].
    pub(super) async fn locate(
        &self,
        head: &Head<'_>,
        dialect: Dialect,
    ) -> Result<Asked, ApiError> {
        let host = head.header("host").unwrap_or_default();
        let site = match address::host(host, &self.sites) {
            Host::Bucket(bucket) => Some(bucket),
            Host::Service | Host::Other(_) => None,
        };
        let website = site.is_some();
        let bucket = match address::host(host, &self.config.hosts) {
            _ if website => site,
            Host::Service => None,
            Host::Bucket(bucket) => Some(bucket),
            Host::Other(name) => self.bound(name.into_owned()).await?.map(Cow::Owned),
        };
        let hosted = bucket.is_some();
        let Address { bucket, key } = address::parse(head.path, bucket, dialect)?;
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).unwrap_or_default();
        Ok(Asked { bucket: owned(bucket), key: owned(key), hosted, website })
    }

    /// How long a body may be that is read whole before anybody's right is looked at.
    ///
    /// Errors: those of the database.
    pub(super) async fn body_max(&self, bucket: &str, ctx: &RequestCtx) -> Result<usize, ApiError> {
        let may_write = ctx.caller.is_anonymous() && self.oss.may_write_any(ctx, bucket).await?;
        Ok(body_max(ctx, may_write))
    }

    /// The bucket that a host name is bound to.
    async fn bound(&self, host: String) -> Result<Option<String>, ApiError> {
        self.oss.cloud().db.read(move |tx| tables::cname::bucket_of(tx, &host)).await
    }
}
